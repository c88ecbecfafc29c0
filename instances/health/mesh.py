"""The inspection of the mesh: which nodes were seen, are lost, or came back, and which links are established.

Source: docs/awx-behaviour.md, "Heartbeats and lost nodes". Unlike in AWX, a node counts as seen whenever its
advertisement differs from the last one, so that a clock which is wrong, or runs backwards, does not make it lost.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from instances import capacity, locks, tasks
from instances.health import conditions, graph
from instances.health.checks import ACTIVE_PROBES
from instances.health.mesh_view import View
from instances.health.reasons import FAULTS
from instances.health.recording import bring_online, record_sighting, take_offline
from instances.health.rules import CHECKABLE_STATES, LOSS_DETECTING_PROBES, LOST_ERROR, tolerance
from instances.health.watch import Watch, through_receptor
from instances.models import Instance, InstanceLink, MeshInspection, NodeHealth

logger = logging.getLogger(__name__)

State, NodeType = Instance.NodeState, Instance.NodeType
STATE_COLUMNS = ("node_state", "errors", "cpu_capacity", "mem_capacity", "capacity", "modified")


def storable(name: str) -> str:
    """A hostname of the mesh as the database can store it: without NUL and halves of characters, 250 characters."""
    return name.replace("\0", "").encode("utf-8", "replace").decode()[:250]


@dataclass
class Changes:
    """The nodes that an inspection found seen, lost, back, and due to be checked."""

    seen: list[Instance] = field(default_factory=list)
    lost: list[Instance] = field(default_factory=list)
    back: list[Instance] = field(default_factory=list)
    checks: list[Instance] = field(default_factory=list)  # that are due


def inspect(now: datetime, view: View, error: str = "", seconds: float = 0) -> Changes | None:
    """Update the stored nodes by ``view`` and ``now``; return the changes, or None while another worker does it.

    ``error``: why Receptor's view could not be read; then no node is marked lost. ``seconds``: how long reading took.
    """
    with transaction.atomic():
        if not locks.try_acquire(locks.Lock.INSPECTION):
            return None
        return Inspection(now, view, error, seconds).run()


class Inspection:
    """One inspection of all nodes, in one transaction; its number of queries does not grow with the mesh."""

    def __init__(self, now: datetime, view: View, error: str, seconds: float) -> None:
        self.now, self.view, self.error, self.seconds = now, view, error, seconds
        self.inspector = settings.CLUSTER_HOST_ID
        # Health is read after the nodes are locked: a joined row would be as it was before another transaction ended.
        self.nodes = {node.hostname: node for node in Instance.objects.select_for_update(no_key=True).order_by("pk")}
        known = NodeHealth.objects.in_bulk()
        self.health = {node.pk: known.get(node.pk) or NodeHealth(instance=node) for node in self.nodes.values()}
        for node in self.nodes.values():
            node.health = self.health[node.pk]
        self.links = list(
            InstanceLink.objects.values_list("pk", "source__hostname", "target__instance__hostname", "link_state")
        )
        self.previous = MeshInspection.objects.filter(inspector=self.inspector).first()
        self.watching_since = self.begin_of_watch()
        self.changes = Changes()
        self.touched: set[int] = set()

    def begin_of_watch(self) -> datetime:
        """Since when this worker inspects without a gap. Silence before that does not count."""
        last = self.previous
        if last is None or last.error or last.began > self.now or last.is_overdue(self.now):
            return self.now
        return last.watching_since

    def run(self) -> Changes:
        """Compare the stored nodes with the view, store what changed, queue due health checks; return the changes."""
        for hostname, at in self.view.advertised.items():
            node = self.nodes.get(hostname)
            if node is not None and not node.controls:  # those report themselves
                self.record_advertisement(node, at)
        if settings.HEALTH_PROBE in LOSS_DETECTING_PROBES and not self.error:
            for node in self.nodes.values():
                self.find_lost(node)
        self.find_due_checks()
        self.save()
        self.establish_links()
        self.save_inspection()
        watch = Watch.here(self.now)
        conditions.store(self.nodes.values(), self.now, watch, self.blockers(watch))
        if self.changes.checks:
            tasks.check_health(self.changes.checks)
        return self.changes

    # --- who was seen

    def record_advertisement(self, node: Instance, at: datetime) -> None:
        """Record the advertisement that the node wrote when its own clock said ``at``.

        The last one is stored for each inspector: their Receptors may have different ones of a dead node.
        """
        health, advertisement = self.health[node.pk], at.isoformat(timespec="microseconds")
        last = health.advertised.get(self.inspector)
        if advertisement == last:
            return
        known_elsewhere = self.is_known_elsewhere(node, at)
        health.advertised[self.inspector] = advertisement
        self.touched.add(node.pk)
        seen = min(at, self.now)
        if last is not None and self.previous is not None and self.previous.began <= self.now:
            seen = max(seen, self.previous.began)  # it came since
        if known_elsewhere or self.now - seen > tolerance(node.node_type):
            return  # an old one that Receptor still remembers
        first, was_lost = node.last_seen is None, health.lost_since is not None
        record_sighting(node, health, seen)
        self.changes.seen.append(node)
        if health.lost_since is None and self.comes_back(node, health, first or was_lost):
            self.changes.back.append(node)

    def is_known_elsewhere(self, node: Instance, at: datetime) -> bool:
        """Whether another inspector recorded this advertisement, or a later one: one advertisement is one sighting.

        A far later one is from before the node's clock was put back, and does not count; unless this inspector has none
        yet, and its Receptor may only remember an old one.
        """
        advertised = self.health[node.pk].advertised
        others = [datetime.fromisoformat(time) for name, time in advertised.items() if name != self.inspector]
        latest = at + tolerance(node.node_type) if self.inspector in advertised else max(others, default=at)
        return any(at <= other <= latest for other in others)

    def comes_back(self, node: Instance, health: NodeHealth, was_away: bool) -> bool:
        """Whether the node that was seen may be used again: a hop node at once, others after a health check.

        Also one that a check could not reach: Receptor has just started, perhaps, and had no route to it yet.
        """
        if node.node_type == NodeType.HOP:
            well = health.check_outcome not in FAULTS
            return well and node.node_state in (State.UNAVAILABLE, State.INSTALLED)
        is_missed = was_away or health.check_outcome == NodeHealth.Check.UNREACHABLE
        return node.node_state in CHECKABLE_STATES and (is_missed or node.node_state == State.INSTALLED)

    # --- who is lost

    def find_lost(self, node: Instance) -> None:
        health = self.health[node.pk]
        if node.last_seen is None or self.now - self.last_heard(node, health) <= tolerance(node.node_type):
            return
        if health.lost_since is None or health.sightings:
            health.lost_since, health.sightings = health.lost_since or self.now, 0
            self.touched.add(node.pk)
        if node.node_state == State.READY:
            self.changes.lost.append(node)

    def last_heard(self, node: Instance, health: NodeHealth) -> datetime:
        """When the node was last seen, or when the watch began where that is later. Times in the future are ignored."""
        times = (node.last_seen, health.sighted)
        return max([self.watching_since, *(time for time in times if time is not None and time <= self.now)])

    # --- who is to be checked

    def find_due_checks(self) -> None:
        """Collect the nodes to check: those that came back, and those with errors whose last check is long ago."""
        if settings.HEALTH_PROBE not in ACTIVE_PROBES:
            return
        due = {node.pk: node for node in self.changes.back if node.node_type == NodeType.EXECUTION}
        before = self.now - timedelta(seconds=settings.EXECUTION_NODE_REMEDIATION_CHECKS)
        due |= {node.pk: node for node in self.nodes.values() if self.is_due(node, before)}
        self.changes.checks = [node for node in due.values() if not node.health_check_pending]

    def is_due(self, node: Instance, before: datetime) -> bool:
        """Whether the node has errors, is not lost, and last checked ``before`` (or in the future by some clock)."""
        last = node.last_health_check
        return (
            node.node_type == NodeType.EXECUTION
            and node.node_state in CHECKABLE_STATES
            and (node.node_state == State.UNAVAILABLE or bool(node.errors))
            and self.health[node.pk].lost_since is None
            and (last is None or not before < last <= self.now)
        )

    # --- storing it

    def save(self) -> None:
        """Store what changed, with one statement for each kind of change."""
        save_sightings(self.changes.seen)
        for node in self.changes.lost:
            take_offline(node, LOST_ERROR)
        rejoined = [node for node in self.changes.back if node.node_type == NodeType.HOP]
        for node in rejoined:
            bring_online(node)
        self.save_states([*self.changes.lost, *rejoined])
        touched = [health for pk, health in self.health.items() if pk in self.touched]
        NodeHealth.objects.bulk_create(
            touched,
            update_conflicts=True,
            unique_fields=["instance"],
            update_fields=["advertised", "sighted", "lost_since", "sightings"],
        )

    def save_states(self, nodes: list[Instance]) -> None:
        """Store STATE_COLUMNS of these nodes, with one statement for all lost ones and one for all that rejoined."""
        alike: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for node in nodes:
            node.modified = self.now
            alike[tuple(getattr(node, name) for name in STATE_COLUMNS)].append(node.pk)
        for values, pks in alike.items():
            Instance.objects.filter(pk__in=pks).update(**dict(zip(STATE_COLUMNS, values, strict=True)))

    def establish_links(self) -> None:
        """Set links in state "adding" whose ends are connected to "established", whichever of the two dialled.

        Receptor reports which nodes are connected, not at which address: of links to several addresses of a node, all
        are established by one connection.
        """
        connected = self.view.connected | {(other, one) for one, other in self.view.connected}
        adding = InstanceLink.State.ADDING
        established = [pk for pk, one, other, state in self.links if state == adding and (one, other) in connected]
        if established:
            InstanceLink.objects.filter(pk__in=established).update(link_state=InstanceLink.State.ESTABLISHED)

    def save_inspection(self) -> None:
        """Store when this inspection began, its duration and error, and the hostnames that no instance has."""
        before = self.previous.unknown_nodes if self.previous else []
        names = {storable(name) for name in self.view.advertised.keys() - self.nodes.keys() if self.is_there(name)}
        unknown = before if self.error else sorted(names)
        new = sorted(set(unknown) - set(before))
        if new:
            logger.warning("The mesh has nodes that are not registered as instances: %s.", ", ".join(map(repr, new)))
        own = MeshInspection(
            inspector=self.inspector,
            began=self.now,
            watching_since=self.watching_since,
            seconds=self.seconds,
            error=self.error,
            unknown_nodes=unknown,
            unrouted=self.unrouted(),
        )
        MeshInspection.objects.bulk_create(
            [own],
            update_conflicts=True,
            unique_fields=["inspector"],
            update_fields=["began", "watching_since", "seconds", "error", "unknown_nodes", "unrouted"],
        )

    def is_there(self, name: str) -> bool:
        """Whether an advertised node is on the mesh yet: Receptor keeps the advertisements of those that left it."""
        if self.view.reaches(name) is not False:
            return True
        is_old = abs(self.now - self.view.advertised[name]) > tolerance(NodeType.EXECUTION)
        return not is_old and name not in self.view.disconnected

    def unrouted(self) -> list[str] | None:
        """The hostnames of the instances to which Receptor knows no route; None where it does not say so."""
        if self.view.routes is None or not through_receptor():
            return None
        others = self.nodes.keys() - {self.inspector}
        return sorted(hostname for hostname in others if not self.view.reaches(hostname))

    def blockers(self, watch: Watch) -> dict[int, list[str]]:
        """For the id of each node that is cut off, the hostnames of the nodes that cut it off.

        Down are the nodes without a route, which Receptor knows within seconds; where it does not say, the lost nodes.
        """
        down = {pk for pk, health in self.health.items() if health.lost_since is not None}
        if not down:
            return {}
        roots = {node.pk for node in self.nodes.values() if node.node_type in capacity.CONTROLLING}
        if watch.unrouted is not None:
            down = {node.pk for node in self.nodes.values() if node.hostname in watch.unrouted}
            roots = self.health.keys() - down
        links = (link for link in self.links if link[3] != InstanceLink.State.REMOVING)
        pairs = ((self.nodes[one].pk, self.nodes[other].pk) for _, one, other, _ in links)
        names = {node.pk: node.hostname for node in self.nodes.values()}
        blocked = graph.cut_off(roots, down, pairs)
        return {pk: sorted(names[blocker] for blocker in blockers) for pk, blockers in blocked.items()}


def save_sightings(nodes: Iterable[Instance]) -> None:
    """Store ``last_seen`` of these nodes, which never goes back."""
    seen = [(node.pk, node.last_seen) for node in nodes]
    if not seen:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE instances_instance SET last_seen = greatest(last_seen, at) "
            "FROM unnest(%s::bigint[], %s::timestamptz[]) AS seen (pk, at) WHERE id = pk",
            [[pk for pk, _ in seen], [at for _, at in seen]],
        )
