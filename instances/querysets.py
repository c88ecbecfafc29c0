"""Annotated reads: one named method for each computed figure, and the one place that decides who sees what."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self

from django.apps import apps
from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Case, Count, Exists, ExpressionWrapper, F, Func, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Cast, Coalesce, JSONObject, TruncDay
from django.utils import timezone

from instances.capacity import CONTROLLING, EXECUTING, load_of
from instances.reader import Reader

# The states in which a job takes capacity.
ACTIVE = ["running", "waiting"]

# Whether an instance can do its work.
UP = Q(node_state="ready", enabled=True)

# Which roles on a group each role includes.
INCLUDED_ROLES = {
    "admin_role": ["admin_role", "use_role", "read_role"],
    "use_role": ["use_role", "read_role"],
    "read_role": ["read_role"],
}

# What everybody may know of a group who sees one of its instances.
OPEN_OF_GROUPS = ("id", "name")


class LoadField(ArrayField):  # type: ignore[type-arg]
    """Reads these figures, an array of a subquery, as a ``Load``."""

    def __init__(self, *figures: str) -> None:
        super().__init__(models.BigIntegerField())
        self.from_db_value = partial(load_of, figures)


class Figures(Func):
    """Sums as an array, which costs PostgreSQL less than an object."""

    template = "ARRAY[%(expressions)s]::bigint[]"


def _load(rows: models.QuerySet[Any], **sums: Any) -> Subquery:
    """The ``Load`` of these sums over grouped ``rows``."""
    field = LoadField(*sums)
    return Subquery(rows.annotate(load=Figures(*sums.values(), output_field=field)).values("load"), output_field=field)


def _sums(rows: models.QuerySet[Any], key: str, *figures: str) -> Subquery:
    """The ``Load`` that the rows with one ``key`` add up to."""
    return _load(rows.order_by().values(key), **{name: Sum(name) for name in figures})


def _total(rows: models.QuerySet[Any], figure: str) -> Coalesce:
    """The sum of a figure over ``rows``, 0 where there are none."""
    return Coalesce(Subquery(rows.order_by().values("node").annotate(total=Sum(figure)).values("total")), 0)


def _roles_of(reader: Reader) -> models.QuerySet[Any]:
    roles: models.QuerySet[Any] = apps.get_model("instances", "InstanceGroupRole").objects.filter(user=reader.id)
    return roles


class VisibleQuerySet(models.QuerySet[Any]):
    """Records of which most users see some. Source: docs/awx-behaviour.md, "Who may do what"."""

    def visible_condition(self, reader: Reader) -> Q | Exists:
        """The condition under which somebody who does not see everything sees a record."""
        raise NotImplementedError

    def visible_to(self, reader: Reader) -> Self:
        """Only the records that ``reader`` may see."""
        if reader.id is None:
            return self.none()
        return self if reader.sees_everything else self.filter(self.visible_condition(reader))

    def as_related(self, reader: Reader) -> models.QuerySet[Any, dict[str, Any]]:
        """Rows with the columns that ``reader`` may learn from records that lead here: those of visible records."""
        names = (field.attname for field in self.model._meta.concrete_fields)
        return self.visible_to(reader).order_by().values(*names)

    def with_visibility(self, reader: Reader) -> Self:
        """All records, annotated with ``is_visible``: whether ``reader`` may see the record."""
        if reader.id is None or reader.sees_everything:
            return self.annotate(is_visible=Value(reader.sees_everything))
        return self.annotate(is_visible=ExpressionWrapper(Q(self.visible_condition(reader)), models.BooleanField()))


class InstanceQuerySet(VisibleQuerySet):
    def visible_condition(self, reader: Reader) -> Exists:
        groups = apps.get_model("instances", "InstanceGroup").objects.visible_to(reader)
        return Exists(groups.filter(instances=OuterRef("pk")))

    def with_load(self) -> Self:
        """``load``: the ``Load`` of the node, from which its consumed capacity follows."""
        parts = apps.get_model("instances", "NodeLoad").objects.filter(node=OuterRef("hostname"))
        return self.annotate(load=_sums(parts, "node", "jobs_total", "jobs_running", "impact", "jobs_controlled"))

    def sortable_by_load(self) -> Self:
        """Names to sort by, which cost nothing otherwise: ``jobs_running``, and ``share_in_use`` of the capacity.

        The latter grows with ``capacity.consumed()`` of the ``load``. Any load is more than a node without capacity can
        carry; a node without either is emptier than one that could carry some.
        """
        parts = apps.get_model("instances", "NodeLoad").objects.filter(node=OuterRef("hostname"))
        impact, controlled, running = (_total(parts, each) for each in ("impact", "jobs_controlled", "jobs_running"))
        executing = Case(When(node_type__in=EXECUTING, then=impact), default=0)
        controlling = Case(When(node_type__in=CONTROLLING, then=controlled), default=0)
        share = Case(
            When(capacity__gt=0, then=Cast("consumed", models.FloatField()) / F("capacity")),
            When(consumed__gt=0, then=Value(math.inf)),
            default=-1.0,
            output_field=models.FloatField(),
        )
        consumed = executing + controlling * settings.AWX_CONTROL_NODE_TASK_IMPACT
        return self.alias(jobs_running=running, consumed=consumed).alias(share_in_use=share)

    def with_conditions(self) -> Self:
        """What ``instances.health.conditions.current()`` reads: the stored conditions, and ``with_health()``."""
        return self.with_health().prefetch_related("conditions")

    def with_health(self) -> Self:
        """What the status of each condition follows from: the stored health, the last bundle, and the port."""
        return self.with_mirror().select_related("health", "issued_bundle", "canonical_address")

    def with_mirror(self) -> Self:
        """``is_mirrored``: whether the records are those of another AWX."""
        return self.annotate(is_mirrored=Exists(apps.get_model("instances", "Mirror").objects.all()))

    def up(self) -> Self:
        """The instances that are ready and enabled. A lost one is not ready: a loss changes the state."""
        return self.filter(UP)

    def with_up(self) -> Self:
        """``is_up``: whether the instance is among those that are ``up()``."""
        return self.annotate(is_up=ExpressionWrapper(UP, models.BooleanField()))

    def in_service(self) -> Self:
        """The instances that count in their groups and metrics: those that are ``up()``, but for hop nodes."""
        return self.up().exclude(node_type="hop")

    def with_peers(self) -> Self:
        """``peer_hostnames``: the hostnames of the peers, ordered; ``canonical_address`` is read along.

        Most nodes of a large mesh have no peers, which is found out for less than joining and sorting none.
        """
        links = apps.get_model("instances", "InstanceLink").objects.filter(source=OuterRef("pk"))
        names = links.order_by("target__instance__hostname").values("target__instance__hostname").distinct()
        hostnames = ArraySubquery(names)
        none = Value([], output_field=hostnames.output_field)
        with_peers = self.annotate(peer_hostnames=Case(When(Exists(links), then=hostnames), default=none))
        return with_peers.select_related("canonical_address")

    def with_addresses(self) -> Self:
        """``peer_ids``: the ids of the addresses to which links lead from the instance, ordered; ``reverse_peer_ids``:
        the ids of the instances from which links lead to its addresses, once for each link, by hostname.

        ``canonical_address`` is read along.
        """
        links = apps.get_model("instances", "InstanceLink").objects
        own = links.filter(source=OuterRef("pk")).order_by("target_id").values("target_id")
        back = links.filter(target__instance=OuterRef("pk")).order_by("source__hostname", "pk").values("source_id")
        annotated = self.annotate(peer_ids=ArraySubquery(own), reverse_peer_ids=ArraySubquery(back))
        return annotated.select_related("canonical_address")

    def with_links(self) -> Self:
        """``outgoing_links``: for each link from the instance its id, target_id, target and link_state, by id.

        The target is the instance that has the address to which the link leads.
        """
        return self._with_links()

    def with_addressed_links(self) -> Self:
        """The same, and of the address its address_id, address, port, protocol and path."""
        return self._with_links(
            address_id=F("target_id"),
            address=F("target__address"),
            port=F("target__port"),
            protocol=F("target__protocol"),
            path=F("target__websocket_path"),
        )

    def _with_links(self, **further: F) -> Self:
        links = apps.get_model("instances", "InstanceLink").objects.filter(source=OuterRef("pk"))
        link = JSONObject(
            id="id",
            target_id=F("target__instance_id"),
            target=F("target__instance__hostname"),
            link_state="link_state",
            **further,
        )
        return self.annotate(outgoing_links=ArraySubquery(links.order_by("id").values(json=link)))


class ReceptorAddressQuerySet(VisibleQuerySet):
    def visible_condition(self, reader: Reader) -> Exists:
        """Who sees an instance sees its addresses."""
        instances = apps.get_model("instances", "Instance").objects.visible_to(reader)
        return Exists(instances.filter(pk=OuterRef("instance")))


class InstanceGroupQuerySet(VisibleQuerySet):
    def visible_condition(self, reader: Reader) -> Exists:
        return Exists(_roles_of(reader).filter(instance_group=OuterRef("pk")))

    def as_related(self, reader: Reader) -> models.QuerySet[Any, dict[str, Any]]:
        """All groups, as AWX lets everybody ask for them by id and name; of hidden ones the other columns are NULL."""
        others = [field.attname for field in self.model._meta.concrete_fields if field.attname not in OPEN_OF_GROUPS]
        condition = self.visible_condition(reader)
        columns = {name: Case(When(condition, then=F(name))) for name in others}
        rows: models.QuerySet[Any, dict[str, Any]] = self.order_by().values(*OPEN_OF_GROUPS).annotate(**columns)
        return rows

    def with_load(self) -> Self:
        """What the group's figures follow from.

        ``own_load``: the ``Load`` of the jobs that were sent to the group; ``members``: how many instances are in
        service; ``capacity_in_service`` and ``load_in_service``: the sums over these, where a node's load counts
        only for what nodes of its type do.
        """
        sent = apps.get_model("instances", "GroupLoad").objects.filter(group=OuterRef("pk"))
        members = apps.get_model("instances", "Instance").objects.filter(rampart_groups=OuterRef("pk")).in_service()
        by_group = members.order_by().values("rampart_groups")
        executing = Q(node_type__in=EXECUTING)
        return self.annotate(
            own_load=_sums(sent, "group", "jobs_total", "jobs_running", "impact"),
            members=Coalesce(Subquery(by_group.annotate(n=Count("pk")).values("n")), 0),
            capacity_in_service=Coalesce(Subquery(by_group.annotate(n=Sum("capacity")).values("n")), 0),
            load_in_service=_load(
                by_group,
                jobs_running=Coalesce(Sum("loads__jobs_running", filter=executing), 0),
                impact=Coalesce(Sum("loads__impact", filter=executing), 0),
                jobs_controlled=Coalesce(Sum("loads__jobs_controlled", filter=Q(node_type__in=CONTROLLING)), 0),
            ),
        )

    def where_role(self, reader: Reader, role: str) -> Self:
        """The groups on which ``reader`` has ``role``, directly or by one that includes it; auditors may read all."""
        if reader.is_superuser or (reader.is_system_auditor and role == "read_role"):
            return self
        including = [held for held, included in INCLUDED_ROLES.items() if role in included]
        return self.filter(Exists(_roles_of(reader).filter(instance_group=OuterRef("pk"), role__in=including)))

    def with_administration_by(self, reader: Reader) -> Self:
        """``is_administered``: whether ``reader`` may change the group."""
        if reader.id is None or reader.is_superuser:
            return self.annotate(is_administered=Value(reader.is_superuser))
        roles = _roles_of(reader).filter(instance_group=OuterRef("pk"), role="admin_role")
        return self.annotate(is_administered=Exists(roles))

    def with_members(self) -> Self:
        """``member_hostnames``, ordered, and ``members_capacity``, the sum of their capacities in any state."""
        members = apps.get_model("instances", "Instance").objects.filter(rampart_groups=OuterRef("pk"))
        total = members.values("rampart_groups").annotate(total=Sum("capacity")).values("total")
        return self.annotate(
            member_hostnames=ArraySubquery(members.order_by("hostname").values("hostname")),
            members_capacity=Coalesce(Subquery(total), 0),
        )


class UnifiedJobQuerySet(VisibleQuerySet):
    def visible_condition(self, reader: Reader) -> Q:
        """Rights on jobs come from templates and inventories, which this service does not keep: none are visible."""
        return Q(pk__in=[])

    def count(self) -> int:
        """How many jobs these are; where they are all that there are, the database has counted them already."""
        if self._result_cache is None and self._is_everything():
            total: int = apps.get_model("instances", "JobCount").objects.using(self.db).total()
            return total
        return super().count()

    def _is_everything(self) -> bool:
        query = self.query
        return not (query.where or query.is_sliced or query.distinct or query.combinator or query.group_by is not None)

    def active(self) -> Self:
        """The jobs that take capacity."""
        return self.filter(status__in=ACTIVE)

    def active_on(self, hostname: str, most: int, running: int) -> list[Any]:
        """Up to ``most`` active jobs that this node executes or controls, the newest first.

        ``running``: how many it executes, by the counters. The index is read from its end and no further than to the
        last of them, however many jobs ended there.
        """
        executed = self.active().filter(execution_node=hostname).order_by("-pk")[: min(most, running)]
        controlled = self.active().filter(controller_node=hostname).order_by("-pk")[:most]
        found = {job.pk: job for job in [*executed, *controlled]}
        return [found[pk] for pk in sorted(found, reverse=True)[:most]]

    def ended_by_day(self, since: datetime, outcome: str) -> Iterator[tuple[float, int]]:
        """Jobs that ended ``successful`` or ``failed`` since then: the start of each day until now, and how many."""
        ended = self.filter(finished__gte=since, status=outcome).exclude(launch_type="sync").order_by()
        numbers = dict(ended.values_list(TruncDay("finished")).annotate(number=Count("pk")).order_by())
        day, today = (time.replace(hour=0, minute=0, second=0, microsecond=0) for time in (since, timezone.now()))
        while day <= today:
            yield day.timestamp(), numbers.get(day, 0)
            day += timedelta(days=1)


class JobCountQuerySet(models.QuerySet[Any]):
    def by_node(self) -> models.QuerySet[Any, dict[str, Any]]:
        """``node`` (the execution node), ``status``, ``launch_type``, and the ``number`` of jobs with these, if any."""
        keys = ("node", "status", "launch_type")
        counted = self.exclude(launch_type="sync")  # AWX's own bookkeeping
        numbers = counted.order_by().values(*keys).annotate(number=Sum("jobs"))
        rows: models.QuerySet[Any, dict[str, Any]] = numbers.exclude(number=0).order_by(*keys)
        return rows

    def total(self) -> int:
        """The number of all jobs."""
        return int(self.aggregate(total=Sum("jobs"))["total"] or 0)


class UserQuerySet(VisibleQuerySet):
    def visible_condition(self, reader: Reader) -> Q:
        """Users see themselves, and who administers the system, or audits it."""
        everybody_sees = Q(is_superuser=True)
        if reader.sees_auditors:
            everybody_sees |= Q(is_system_auditor=True)
        return Q(pk=reader.id) | everybody_sees

    def with_access_to(self, group: Any) -> Self:
        """The users who see ``group``; ``group_roles`` are the roles that they hold on it themselves."""
        roles = apps.get_model("instances", "InstanceGroupRole").objects.filter(instance_group=group)
        held = Exists(roles.filter(user=OuterRef("pk")))
        own = roles.filter(user=OuterRef("pk")).order_by("role").values("role")
        everybody = Q(held) | Q(is_superuser=True) | Q(is_system_auditor=True)
        return self.filter(everybody).annotate(group_roles=ArraySubquery(own))

    def with_rights(self) -> Self:
        """``has_more_than_read``: whether a user holds a role above "read" on any group."""
        roles = apps.get_model("instances", "InstanceGroupRole").objects.filter(user=OuterRef("pk"))
        return self.annotate(has_more_than_read=Exists(roles.exclude(role="read_role")))
