"""Looking at all nodes at once: who was seen, who is lost, who is back, which links stand.

Source: AWX_BEHAVIOUR, "Health". Better than AWX: a node is seen whenever its advertisement differs from the last one,
so that a clock which is wrong, or runs backwards, does not make it lost.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils.dateparse import parse_datetime

from instances import capacity, tasks
from instances.health import conditions, graph
from instances.health.checks import ASKING
from instances.health.recording import CHECKED, LOST, sight, tolerance
from instances.models import Instance, InstanceLink, MeshInspection, NodeHealth

logger = logging.getLogger(__name__)

LOCK = 5_733_284  # of PostgreSQL's advisory locks; held while one worker looks at the mesh
State, NodeType = Instance.NodeState, Instance.NodeType


@dataclass
class View:
    """What Receptor tells of the mesh: when each node's advertisement was written, and who is connected to whom."""

    advertised: dict[str, datetime] = field(default_factory=dict)
    connected: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def of_status(cls, status: Mapping[str, Any]) -> "View":
        """From the answer of Receptor's ``status``. What in it cannot be understood is left out."""
        view = cls()
        advertisements = status.get("Advertisements")
        for told in advertisements if isinstance(advertisements, list) else []:
            node, time = (told.get("NodeID"), told.get("Time")) if isinstance(told, Mapping) else (None, None)
            at = moment(time)
            if isinstance(node, str) and at is not None:
                view.advertised[node] = max(at, view.advertised.get(node, at))
        costs = status.get("KnownConnectionCosts")
        for node, others in costs.items() if isinstance(costs, Mapping) else []:
            view.connected |= {(node, other) for other in (others if isinstance(others, Mapping) else [])}
        return view


def moment(text: object) -> datetime | None:
    """The time in RFC 3339 ``text``; Receptor writes nanoseconds, which are cut."""
    try:
        at = parse_datetime(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return at.astimezone(UTC) if at is not None and at.tzinfo else None


@dataclass
class Changes:
    """What one look found."""

    seen: list[Instance] = field(default_factory=list)
    lost: list[Instance] = field(default_factory=list)
    back: list[Instance] = field(default_factory=list)
    checks: list[Instance] = field(default_factory=list)  # that are due


def look(now: datetime, view: View | None = None, judge: bool = True) -> Changes | None:
    """Bring what is stored to what ``view`` shows and to what time it is; None where another worker does so already.

    Without a view nobody is seen. Losses are found only with ``judge``: not where it is unknown what the mesh shows.
    """
    with transaction.atomic():
        if not alone():
            return None
        return Look(now, view or View(), judge).take()


def alone() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        return bool(cursor.fetchone()[0])


class Look:
    """One look, in one transaction, with a number of queries that does not grow with the mesh."""

    def __init__(self, now: datetime, view: View, judge: bool) -> None:
        self.now, self.view, self.judge = now, view, judge
        rows = Instance.objects.select_related("health").select_for_update(no_key=True, of=("self",))
        self.nodes = {node.hostname: node for node in rows.order_by("pk")}
        self.health = {node.pk: conditions.health_of(node) for node in self.nodes.values()}
        self.links = list(InstanceLink.objects.values_list("pk", "source__hostname", "target__hostname", "link_state"))
        self.previous = MeshInspection.objects.first()
        self.changes = Changes()
        self.touched: set[int] = set()

    def take(self) -> Changes:
        for hostname, at in self.view.advertised.items():
            if hostname in self.nodes:
                self.advertise(self.nodes[hostname], at)
        if self.judge:
            for node in self.nodes.values():
                self.find_lost(node)
        self.find_due_checks()
        self.save()
        self.establish()
        conditions.note(self.nodes.values(), self.now, self.blockers())
        if self.changes.checks:
            tasks.check_health(self.changes.checks)
        return self.changes

    # --- who was seen

    def advertise(self, node: Instance, at: datetime) -> None:
        """Take note of the advertisement that the node wrote when its own clock said ``at``."""
        health = self.health[node.pk]
        if health.advertised == at:
            return
        if health.advertised is not None and self.previous is not None:
            seen = max(min(at, self.now), self.previous.began)  # it came since
        else:
            seen = min(at, self.now)
        health.advertised = at
        self.touched.add(node.pk)
        if self.now - seen > self.patience(node):
            return  # an old one that Receptor still remembers
        first, was_lost = node.last_seen is None, health.lost_since is not None
        sight(node, health, seen)
        self.changes.seen.append(node)
        if health.lost_since is None and (was_lost or first or node.node_state == State.INSTALLED):
            self.come_back(node)

    def patience(self, node: Instance) -> timedelta:
        return timedelta(seconds=tolerance(node.node_type))

    def come_back(self, node: Instance) -> None:
        """A hop node is ready at once; an execution node is checked; control nodes report themselves."""
        if node.node_state in CHECKED and node.node_type in (NodeType.HOP, NodeType.EXECUTION):
            self.changes.back.append(node)

    # --- who is lost

    def find_lost(self, node: Instance) -> None:
        health = self.health[node.pk]
        if node.last_seen is None or self.now - node.last_seen <= self.patience(node):
            return
        if health.lost_since is None or health.sightings:
            health.lost_since, health.sightings = health.lost_since or self.now, 0
            self.touched.add(node.pk)
        if node.node_state == State.READY:
            self.changes.lost.append(node)

    # --- who is to be checked

    def find_due_checks(self) -> None:
        """Nodes that came back, and those whose errors are old enough to be looked at again."""
        if settings.HEALTH_PROBE not in ASKING:
            return
        due = {node.pk: node for node in self.changes.back if node.node_type == NodeType.EXECUTION}
        before = self.now - timedelta(seconds=settings.EXECUTION_NODE_REMEDIATION_CHECKS)
        for node in self.nodes.values():
            if (
                node.node_type == NodeType.EXECUTION
                and node.node_state == State.UNAVAILABLE
                and self.health[node.pk].lost_since is None
                and (node.last_health_check is None or node.last_health_check <= before)
            ):
                due[node.pk] = node
        self.changes.checks = [node for node in due.values() if not node.health_check_pending]

    # --- storing it

    def save(self) -> None:
        """Write what changed: a statement for each kind of change, not for each node."""
        save_sightings(self.changes.seen)
        lost = [node.pk for node in self.changes.lost]
        offline = {"node_state": State.UNAVAILABLE, "errors": LOST, "modified": self.now}
        self.update(lost, {**offline, "cpu_capacity": 0, "mem_capacity": 0, "capacity": 0})
        rejoined = [node.pk for node in self.changes.back if node.node_type == NodeType.HOP]
        self.update(rejoined, {"node_state": State.READY, "errors": "", "modified": self.now})
        touched = [health for pk, health in self.health.items() if pk in self.touched]
        NodeHealth.objects.bulk_create(
            touched,
            update_conflicts=True,
            unique_fields=["instance"],
            update_fields=["advertised", "lost_since", "sightings"],
        )

    def update(self, pks: list[int], values: dict[str, Any]) -> None:
        if pks:
            Instance.objects.filter(pk__in=pks).update(**values)

    def establish(self) -> None:
        """Links whose ends are connected stand, whichever of the two dialled."""
        connected = self.view.connected | {(other, one) for one, other in self.view.connected}
        adding = InstanceLink.State.ADDING
        stand = [pk for pk, one, other, state in self.links if state == adding and (one, other) in connected]
        if stand:
            InstanceLink.objects.filter(pk__in=stand).update(link_state=InstanceLink.State.ESTABLISHED)

    def blockers(self) -> dict[int, list[str]]:
        """For each node that is cut off, the hostnames of those that cut it off."""
        lost = {pk for pk, health in self.health.items() if health.lost_since is not None}
        if not lost:
            return {}
        roots = [node.pk for node in self.nodes.values() if node.node_type in capacity.CONTROLLING]
        kept = (link for link in self.links if link[3] != InstanceLink.State.REMOVING)
        pairs = ((self.nodes[one].pk, self.nodes[other].pk) for _, one, other, _ in kept)
        names = {node.pk: node.hostname for node in self.nodes.values()}
        blocked = graph.cut_off(roots, lost, pairs)
        return {pk: sorted(names[blocker] for blocker in blockers) for pk, blockers in blocked.items()}


def save_sightings(nodes: Iterable[Instance]) -> None:
    """Move ``last_seen`` of these nodes, never backwards."""
    seen = [(node.pk, node.last_seen) for node in nodes]
    if not seen:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE instances_instance SET last_seen = greatest(last_seen, at) "
            "FROM unnest(%s::bigint[], %s::timestamptz[]) AS seen (pk, at) WHERE id = pk",
            [[pk for pk, _ in seen], [at for _, at in seen]],
        )


# --- with Receptor


def inspected(began: datetime, seconds: float, error: str, advertised: Iterable[str]) -> None:
    """Note that Receptor was asked, and which of the nodes on the mesh no instance has."""
    known = set(Instance.objects.values_list("hostname", flat=True))
    unknown = sorted({"".join(name.split("\0"))[:250] for name in set(advertised) - known})
    last = MeshInspection.objects.first()
    if error:
        unknown = last.unknown_nodes if last else []
    new = sorted(set(unknown) - set(last.unknown_nodes if last else []))
    if new:
        logger.warning("On the mesh, but no instance: %s.", ", ".join(map(repr, new)))
    MeshInspection.objects.bulk_create(
        [MeshInspection(began=began, seconds=seconds, error=error, unknown_nodes=unknown)],
        update_conflicts=True,
        unique_fields=["singleton"],
        update_fields=["began", "seconds", "error", "unknown_nodes"],
    )
