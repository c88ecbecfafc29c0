"""Annotated reads: one named method for each computed figure, and the one place that decides who sees what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.expressions import ArraySubquery
from django.db import models
from django.db.models import Exists, F, OuterRef, Subquery, Sum, Value
from django.db.models.functions import Coalesce, JSONObject

from instances.capacity import Load

if TYPE_CHECKING:
    from instances.models import User


class LoadField(models.JSONField):
    """Reads the sums of a subquery as a ``Load``; none where there are no jobs."""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Load:
        return Load() if value is None else Load(**json.loads(value))


class VisibleQuerySet(models.QuerySet[Any]):
    """Records of which a user sees some. Superusers and system auditors see all. Source: AWX_BEHAVIOUR."""

    def visible_condition(self, user: User) -> Exists:
        """The condition under which somebody who does not see everything sees a record."""
        raise NotImplementedError

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Only the records that ``user`` may see."""
        if isinstance(user, AnonymousUser):
            return self.none()
        return self if user.sees_everything else self.filter(self.visible_condition(user))

    def with_visibility(self, user: User | AnonymousUser) -> Self:
        """All records; ``is_visible`` tells which of them ``user`` may see."""
        if isinstance(user, AnonymousUser):
            return self.annotate(is_visible=Value(False))
        seen = Value(True) if user.sees_everything else self.visible_condition(user)
        return self.annotate(is_visible=seen)


class InstanceQuerySet(VisibleQuerySet):
    def visible_condition(self, user: User) -> Exists:
        groups = apps.get_model("instances", "InstanceGroup").objects.visible_to(user)
        return Exists(groups.filter(instances=OuterRef("pk")))

    def with_load(self) -> Self:
        """``load``: the ``Load`` of the node, from which its consumed capacity follows."""
        parts = apps.get_model("instances", "NodeLoad").objects.filter(node=OuterRef("hostname"))
        sums = {name: Sum(name) for name in ("jobs_total", "jobs_running", "impact", "jobs_controlled")}
        load = parts.values("node").annotate(load=JSONObject(**sums)).values("load")
        return self.annotate(load=Subquery(load, output_field=LoadField()))

    def with_peers(self) -> Self:
        """``peer_hostnames``: the hostnames of the peers, ordered."""
        links = apps.get_model("instances", "InstanceLink").objects.filter(source=OuterRef("pk"))
        hostnames = links.order_by("target__hostname").values("target__hostname")
        return self.annotate(peer_hostnames=ArraySubquery(hostnames))

    def with_links(self) -> Self:
        """``outgoing_links``: for each link from the instance its id, target_id, target and link_state, by id."""
        links = apps.get_model("instances", "InstanceLink").objects.filter(source=OuterRef("pk"))
        link = JSONObject(id="id", target_id="target_id", target=F("target__hostname"), link_state="link_state")
        return self.annotate(outgoing_links=ArraySubquery(links.order_by("id").values(json=link)))


class InstanceGroupQuerySet(VisibleQuerySet):
    def visible_condition(self, user: User) -> Exists:
        return Exists(user.instance_group_roles.filter(instance_group=OuterRef("pk")))

    def with_members(self) -> Self:
        """``member_hostnames``, ordered, and ``members_capacity``, the sum of their capacities in any state."""
        members = apps.get_model("instances", "Instance").objects.filter(rampart_groups=OuterRef("pk"))
        total = members.values("rampart_groups").annotate(total=Sum("capacity")).values("total")
        return self.annotate(
            member_hostnames=ArraySubquery(members.order_by("hostname").values("hostname")),
            members_capacity=Coalesce(Subquery(total), 0),
        )
