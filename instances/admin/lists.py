"""Filters of lists, and lists of records that are too many to be counted."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from instances import overview
from instances.health.conditions import Reason, health_of, seen
from instances.models import Condition, Instance, InstanceGroup
from instances.querysets import ACTIVE
from instances.reader import Reader
from instances.text import visible

LOW = 25  # percent


class ChoiceFilter(admin.SimpleListFilter):
    """One of a few choices; each is a condition by its name in ``conditions``."""

    choices_told: tuple[tuple[str, str], ...] = ()
    conditions: dict[str, Q] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return self.choices_told

    def has_output(self) -> bool:
        return super().has_output() or self.value() is not None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        if chosen is None:
            return queryset
        if chosen not in (str(choice) for choice, _ in self.lookup_choices):
            raise IncorrectLookupParameters(f"{self.parameter_name} is none of the choices.")
        return self.chosen(queryset, chosen)

    def chosen(self, queryset: QuerySet[Any], choice: str) -> QuerySet[Any]:
        return queryset.filter(self.conditions[choice])


class SightFilter(ChoiceFilter):
    """Whether a node is seen: the condition Seen. It depends on the time, so it is found out here, for all nodes."""

    title = "sight"
    parameter_name = "sight"
    choices_told = (("seen", "Seen in time"), ("lost", "Lost"), ("never", "Never seen"), ("unknown", "Not known"))

    def chosen(self, queryset: QuerySet[Any], choice: str) -> QuerySet[Any]:
        return queryset.filter(self.condition(choice))

    @staticmethod
    def condition(choice: str) -> Q:
        """What holds for the nodes of this choice. One query."""
        nodes, now = Instance.objects.select_related("health"), timezone.now()
        return Q(pk__in=[node.pk for node in nodes if sight(node, now) == choice])


def sight(node: Instance, now: datetime) -> str:
    found = seen(node, health_of(node), now)
    if found.reason == Reason.NEVER_SEEN:
        return "never"
    return {Condition.Status.TRUE: "seen", Condition.Status.FALSE: "lost"}.get(found.status, "unknown")


class ErrorsFilter(ChoiceFilter):
    title = "errors"
    parameter_name = "with_errors"
    choices_told = (("yes", "Yes"), ("no", "No"))
    conditions = {"yes": ~Q(errors=""), "no": Q(errors="")}


class StandingFilter(ChoiceFilter):
    """How a node stands, as the dashboard has it. One query, over all nodes: their number is not that of jobs."""

    title = "standing"
    parameter_name = "standing"
    choices_told = tuple(overview.Standing.choices)

    def chosen(self, queryset: QuerySet[Any], choice: str) -> QuerySet[Any]:
        nodes = queryset.order_by().select_related(None)
        nodes = nodes.only("hostname", "node_type", "node_state", "enabled", "errors", "capacity")
        return queryset.filter(pk__in=[node.pk for node in nodes if overview.standing(node) == choice])


class CapacityLeftFilter(ChoiceFilter):
    """How much of its capacity a node has left. One query, over all nodes: their number is not that of jobs."""

    title = "capacity left"
    parameter_name = "left"
    choices_told = (("none", "Nothing left"), ("low", f"Less than {LOW} %"), ("enough", f"{LOW} % or more"))

    def chosen(self, queryset: QuerySet[Any], choice: str) -> QuerySet[Any]:
        nodes = queryset.order_by().select_related(None).only("hostname", "node_type", "capacity")
        return queryset.filter(pk__in=[node.pk for node in nodes if left(node.percent_capacity_remaining) == choice])


def left(percent: float) -> str:
    if percent <= 0:
        return "none"
    return "low" if percent < LOW else "enough"


class GroupFilter(ChoiceFilter):
    """The groups that the user sees."""

    title = "instance group"
    parameter_name = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        known = vars(request)  # Django makes the filters of an action twice
        if "group_choices" not in known:
            groups = InstanceGroup.objects.visible_to(Reader.of(request.user)).order_by("name")
            known["group_choices"] = [(str(pk), visible(name)) for pk, name in groups.values_list("pk", "name")]
        return known["group_choices"]

    def chosen(self, queryset: QuerySet[Any], choice: str) -> QuerySet[Any]:
        return queryset.filter(**{self.relation: choice})

    relation = "rampart_groups"


class JobGroupFilter(GroupFilter):
    relation = "instance_group"


class ActivityFilter(ChoiceFilter):
    """The states of jobs that an index finds."""

    title = "activity"
    parameter_name = "activity"
    choices_told = (("active", "Running or waiting"), ("running", "Running"), ("waiting", "Waiting"))
    conditions = {
        "active": Q(status__in=ACTIVE),
        "running": Q(status="running"),
        "waiting": Q(status="waiting"),
    }


class MeshList(ChangeList):
    @property
    def choices_made(self) -> list[str]:
        """In words, what the filters leave of the list."""
        made = [(spec.title, choice) for spec in self.filter_specs for choice in list(spec.choices(self))[1:]]
        return [f"{title} {choice['display']}" for title, choice in made if choice["selected"]]

    @property
    def nothing_found(self) -> str:
        """Why the list is empty, in words."""
        model_admin: Any = self.model_admin
        records = model_admin.called.lower()
        if self.page_num > 1:
            return f"There are no older {records}."
        if not self.query and not self.has_active_filters:
            return model_admin.none or f"There are no {records}."
        searched = f" What the search finds: {self.search_help_text}." if self.query and self.search_help_text else ""
        return f"No {records} match.{searched}"


class NewestFirst(MeshList):
    """Records by falling id, however many there are: nothing is counted, sorted or skipped.

    ``p`` is the id below which a page begins, and not a number of a page.
    """

    older = newest = ""

    def get_ordering(self, request: HttpRequest, queryset: Any) -> Any:
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        self.paginator = None
        records = self.queryset
        if self.page_num > 1:
            records = records.filter(pk__lt=self.page_num)
            self.newest = self.get_query_string()
        found = list(records[: self.list_per_page + 1])
        shown = found[: self.list_per_page]
        if len(found) > len(shown):
            self.older = self.get_query_string({PAGE_VAR: shown[-1].pk})
        self.result_list = shown
        self.result_count = self.full_result_count = len(shown)
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = bool(shown)
