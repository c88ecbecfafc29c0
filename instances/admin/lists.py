"""Filters of lists, and lists without a count."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from instances import overview
from instances.health.conditions import health_of, seen
from instances.health.reasons import Reason
from instances.models import Condition, Instance, InstanceGroup
from instances.querysets import ACTIVE
from instances.reader import Reader
from instances.text import visible

LOW = 25  # percent


class ChoiceFilter(admin.SimpleListFilter):
    """A filter by one of a few choices; ``conditions`` has the condition of each choice."""

    options: tuple[tuple[str, str], ...] = ()
    conditions: dict[str, Q] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return self.options

    def has_output(self) -> bool:
        return super().has_output() or self.value() is not None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        if chosen is None:
            return queryset
        if chosen not in (str(choice) for choice, _ in self.lookup_choices):
            raise IncorrectLookupParameters(f"{self.parameter_name} has an unknown value.")
        return self.select(queryset, chosen)

    def select(self, queryset: QuerySet[Any], choice: str) -> QuerySet[Any]:
        return queryset.filter(self.conditions[choice])


class LastContactFilter(ChoiceFilter):
    """A filter by the condition Seen. The condition depends on the time, so it is computed here, for all nodes."""

    title = "last contact"
    parameter_name = "sight"
    options = (("seen", "In time"), ("lost", "Lost"), ("never", "Never seen"), ("unknown", "Unknown"))

    def select(self, queryset: QuerySet[Any], choice: str) -> QuerySet[Any]:
        return queryset.filter(self.condition(choice))

    @staticmethod
    def condition(choice: str) -> Q:
        """The condition for nodes of this choice. One query."""
        nodes, now = Instance.objects.select_related("health"), timezone.now()
        return Q(pk__in=[node.pk for node in nodes if last_contact(node, now) == choice])


def last_contact(node: Instance, now: datetime) -> str:
    condition = seen(node, health_of(node), now)
    if condition.reason == Reason.NEVER_SEEN:
        return "never"
    return {Condition.Status.TRUE: "seen", Condition.Status.FALSE: "lost"}.get(condition.status, "unknown")


class ErrorsFilter(ChoiceFilter):
    title = "errors"
    parameter_name = "with_errors"
    options = (("yes", "Yes"), ("no", "No"))
    conditions = {"yes": ~Q(errors=""), "no": Q(errors="")}


class StandingFilter(ChoiceFilter):
    """The status of a node as on the dashboard. One query over all nodes, which are far fewer than jobs."""

    title = "status"
    parameter_name = "standing"
    options = tuple(overview.Standing.choices)

    def select(self, queryset: QuerySet[Any], choice: str) -> QuerySet[Any]:
        nodes = queryset.order_by().select_related(None)
        nodes = nodes.only("hostname", "node_type", "node_state", "enabled", "errors", "capacity")
        return queryset.filter(pk__in=[node.pk for node in nodes if overview.standing(node) == choice])


class CapacityLeftFilter(ChoiceFilter):
    """The remaining capacity of a node. One query over all nodes, which are far fewer than jobs."""

    title = "remaining capacity"
    parameter_name = "left"
    options = (("none", "None"), ("low", f"Less than {LOW} %"), ("enough", f"{LOW} % or more"))

    def select(self, queryset: QuerySet[Any], choice: str) -> QuerySet[Any]:
        nodes = queryset.order_by().select_related(None).only("hostname", "node_type", "capacity")
        return queryset.filter(pk__in=[node.pk for node in nodes if left(node.percent_capacity_remaining) == choice])


def left(percent: float) -> str:
    if percent <= 0:
        return "none"
    return "low" if percent < LOW else "enough"


class GroupFilter(ChoiceFilter):
    """A filter by group, among the groups that the user sees."""

    title = "instance group"
    parameter_name = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        known = vars(request)  # Django makes the filters of an action twice
        if "group_choices" not in known:
            groups = InstanceGroup.objects.visible_to(Reader.of(request.user)).order_by("name")
            known["group_choices"] = [(str(pk), visible(name)) for pk, name in groups.values_list("pk", "name")]
        return known["group_choices"]

    def select(self, queryset: QuerySet[Any], choice: str) -> QuerySet[Any]:
        return queryset.filter(**{self.relation: choice})

    relation = "rampart_groups"


class JobGroupFilter(GroupFilter):
    relation = "instance_group"


class ActivityFilter(ChoiceFilter):
    """A filter by the active statuses of jobs, which have an index."""

    title = "activity"
    parameter_name = "activity"
    options = (("active", "Running or waiting"), ("running", "Running"), ("waiting", "Waiting"))
    conditions = {
        "active": Q(status__in=ACTIVE),
        "running": Q(status="running"),
        "waiting": Q(status="waiting"),
    }


class MeshList(ChangeList):
    @property
    def choices_made(self) -> list[str]:
        """The selected choices of the filters, as texts."""
        made = [(spec.title, choice) for spec in self.filter_specs for choice in list(spec.choices(self))[1:]]
        return [f"{title} {choice['display']}" for title, choice in made if choice["selected"]]

    @property
    def nothing_found(self) -> str:
        """The text of an empty list."""
        model_admin: Any = self.model_admin
        records = model_admin.verbose_name_plural.lower()
        if self.page_num > 1:
            return f"There are no older {records}."
        if not self.query and not self.has_active_filters:
            return model_admin.none or f"There are no {records}."
        searched = f" Search by: {self.search_help_text}." if self.query and self.search_help_text else ""
        return f"No {records} match.{searched}"


class NewestFirst(MeshList):
    """Records by descending id, for tables of any size: no count, no sorting, no offset.

    ``p`` is the id before which a page begins, not the number of a page.
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
