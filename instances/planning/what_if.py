"""What a change of the mesh would do to groups and fleet: before and after it, now and over a time that is past."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from instances.models import Instance, InstanceGroup
from instances.planning import windows
from instances.planning.changes import MOST_MEMBERS, MOST_NODES, Change, MeshState, changed, refuse_too_many
from instances.planning.loads import Distribution, LoadHistory, LoadOfWindow, Place
from instances.planning.risk import Link, dominators, mesh_links
from instances.planning.what_if_words import in_words
from instances.policies import Membership
from instances.reader import Reader
from instances.text import counted


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """A group, or the whole fleet, before the change or after it; capacities and loads are in forks.

    ``displaced``: the load of now on nodes that the change removes, whatever their state, or takes out of service. It
    has to run elsewhere, and is taken off ``remaining`` as ``consumed`` is. ``load`` is that of the window.
    """

    members: list[str]
    capacity: int
    consumed: int
    displaced: int
    remaining: int
    load: LoadOfWindow | None

    @property
    def missing_now(self) -> int:
        """Forks by which the load of now is above the capacity."""
        return max(0, -self.remaining)

    @property
    def missing_at_peak(self) -> int:
        """The same at the peak of the window; 0 without a window."""
        return max(0, self.load.peak - self.capacity) if self.load else 0

    def is_lost_in(self, after: Side) -> bool:
        """Whether no capacity would be left for the load of now, or of the window, that there is capacity for."""
        has_load = self.consumed > 0 or (self.load is not None and self.load.peak > 0)
        return has_load and self.capacity > 0 and after.capacity == 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Sides:
    """Both sides. ``falls_short``: whether the change leaves less capacity than the load, by more than before.

    That nothing is left where there was capacity, and load, falls short as well, wherever the jobs of now run on.
    """

    before: Side
    after: Side
    falls_short: bool

    @property
    def loses_all(self) -> bool:
        return self.before.is_lost_in(self.after)


@dataclass(frozen=True, kw_only=True, slots=True)
class SidesOfGroup(Sides):
    """Both sides of a group."""

    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CutOff:
    """What the change cuts off from every control and hybrid node, and was not cut off before."""

    nodes: list[str]
    links: list[Link]


@dataclass(frozen=True, kw_only=True, slots=True)
class PastLoad:
    """The window, and how many jobs ran in it."""

    began: datetime
    ended: datetime
    jobs: int


@dataclass(frozen=True, kw_only=True, slots=True)
class WhatIf:
    """What the change would do. ``carries``: whether nothing falls short by it and nothing is cut off.

    ``cut_off`` is None for a reader who does not see the whole mesh. Container groups have no nodes, and are left out.
    """

    carries: bool
    fleet: Sides
    groups: list[SidesOfGroup]
    added: list[str]
    cut_off: CutOff | None
    window: PastLoad | None
    in_words: list[str] = field(default_factory=list)


def what_if(reader: Reader, change: Change, over: str = "") -> WhatIf:
    """What the change would do to the mesh as ``reader`` sees it; nothing is changed. Seven queries at most.

    ``over``: a time that is past, as ``windows.parse()`` reads it. Raises ValidationError by the change's fields.
    """
    now = timezone.now()
    window = windows.parse(over, now) if over else None
    before = stored(reader)
    after = changed(before, change)
    history, past = None, None
    if window is not None:
        history, jobs = windows.history(before, window, now)
        past = PastLoad(began=window.began, ended=window.ended, jobs=jobs)
    found = compare(before, after, history, past)
    words = [*in_words(found, is_complete=before.is_complete), *below_minimum(before, after)]
    return replace(found, in_words=words)


def stored(reader: Reader) -> MeshState:
    """The mesh as it is stored, as far as ``reader`` sees it. Four queries."""
    read = ("hostname", "node_type", "node_state", "enabled", "managed_by_policy")
    figures = ("capacity", "cpu_capacity", "mem_capacity", "capacity_adjustment")
    nodes = Instance.objects.visible_to(reader).with_load().with_up().only(*read, *figures).order_by("pk")
    groups = InstanceGroup.objects.visible_to(reader).order_by("pk")
    found, found_groups = list(nodes[: MOST_NODES + 1]), list(groups)
    refuse_too_many(len(found), len(found_groups))
    members = Membership.objects.filter(instancegroup__in=groups.order_by()).order_by()[: MOST_MEMBERS + 1]
    return MeshState(
        nodes=found,
        groups=found_groups,
        members=set(members.values_list("instancegroup_id", "instance_id")),
        links=mesh_links() if reader.sees_everything else None,
        is_complete=reader.sees_everything,
    )


# --- before and after


def compare(before: MeshState, after: MeshState, history: LoadHistory | None, window: PastLoad | None) -> WhatIf:
    """Both states of the mesh, side by side."""
    members, members_after = members_of(before), members_of(after)
    staying = {node.pk for node in after.nodes}
    removed = {node.hostname for node in before.nodes if node.pk not in staying}
    displaced = displaced_nodes(before, after)
    groups = []
    for group in after.groups:
        if not group.is_container_group:
            own, own_after = members[group.pk], members_after[group.pk]
            past = loads_of_group(group, own, own_after, removed, history)
            groups.append(SidesOfGroup(name=group.name, **sides(own, own_after, displaced, *past)))
    past_of_all = history.of_all if history else None
    fleet = Sides(**sides(before.nodes, after.nodes, displaced, past_of_all, past_of_all))
    cut = cut_off(before, after)
    known = {node.pk for node in before.nodes}
    return WhatIf(
        carries=not any(each.falls_short for each in [fleet, *groups]) and not (cut and cut.nodes),
        fleet=fleet,
        groups=sorted(groups, key=lambda each: each.name),
        added=[node.hostname for node in after.nodes if node.pk not in known],
        cut_off=cut,
        window=window,
    )


def displaced_nodes(before: MeshState, after: MeshState) -> set[int]:
    """The ids of the nodes whose jobs of now have to run elsewhere: they are removed, or no longer in service."""
    staying = {node.pk for node in after.nodes}
    serving = {node.pk for node in after.nodes if in_service(node)}
    return {node.pk for node in before.nodes if node.pk not in serving and (in_service(node) or node.pk not in staying)}


def sides(
    before: Iterable[Instance], after: Iterable[Instance], displaced: Collection[int], *loads: Distribution | None
) -> dict[str, Any]:
    """Both sides of these nodes. ``displaced``: ids, as of ``displaced_nodes()``.

    ``loads``: those of the window, before and after.
    """
    first = side(before, (), loads[0])
    second = side(after, [node for node in before if node.pk in displaced], loads[1])
    is_more = second.missing_now > first.missing_now or second.missing_at_peak > first.missing_at_peak
    return {"before": first, "after": second, "falls_short": is_more or first.is_lost_in(second)}


def side(nodes: Iterable[Instance], displaced: Iterable[Instance], load: Distribution | None) -> Side:
    serving = [node for node in nodes if in_service(node)]
    forks = sum(node.capacity for node in serving)
    consumed, elsewhere = (sum(node.consumed_capacity for node in each) for each in (serving, displaced))
    return Side(
        members=sorted(node.hostname for node in nodes),
        capacity=forks,
        consumed=consumed,
        displaced=elsewhere,
        remaining=forks - consumed - elsewhere,
        load=load.against(forks) if load else None,
    )


def below_minimum(before: MeshState, after: MeshState) -> Iterator[str]:
    """In words, which groups the change takes below their policy's minimum of enabled nodes, as a drain refuses it."""
    if not before.is_complete:
        return
    members, members_after = members_of(before), members_of(after)
    for group in sorted(after.groups, key=lambda each: each.name):
        had, left = (sum(node.enabled for node in each[group.pk]) for each in (members, members_after))
        if left < min(had, group.policy_instance_minimum):
            minimum = counted(group.policy_instance_minimum, "enabled node")
            yield f"Group {group.name} would keep {left} of the {minimum} that its policy asks for."


def in_service(node: Instance) -> bool:
    """Whether the node counts in its groups, as ``InstanceQuerySet.in_service()`` has it."""
    return node.is_up and node.counts


def members_of(state: MeshState) -> dict[int, list[Instance]]:
    """The members of each group, by its id."""
    nodes = {node.pk: node for node in state.nodes}
    members: dict[int, list[Instance]] = defaultdict(list)
    for group, node in state.members:
        if node in nodes:
            members[group].append(nodes[node])
    return members


def loads_of_group(
    group: InstanceGroup,
    members: Iterable[Instance],
    members_after: Iterable[Instance],
    removed: Collection[str],
    history: LoadHistory | None,
) -> tuple[Distribution | None, Distribution | None]:
    """The load of the group over the window, before and after: that of its members in any state.

    What ran on removed members has to run in the group as well, and so has what it sent to nodes that are gone.
    """
    if history is None:
        return None, None
    own: set[Place] = {node.hostname for node in members}
    others: set[Place] = {node.hostname for node in members_after}
    return history.of({*own, group.pk}), history.of({*others, *own.intersection(removed), group.pk})


def cut_off(before: MeshState, after: MeshState) -> CutOff | None:
    """What is cut off after the change, and was not before; new nodes have no links yet, and do not count."""
    if before.links is None:
        return None
    known = {node.pk for node in before.nodes}
    stay = [node for node in after.nodes if node.pk in known]  # a new one may have the name of one that goes
    left = {node.hostname for node in stay}
    nodes = left & unreachable(stay, before.links) - unreachable(before.nodes, before.links)
    return CutOff(nodes=sorted(nodes), links=sorted(link for link in before.links if nodes.issuperset(link)))


def unreachable(nodes: Iterable[Instance], links: Iterable[Link]) -> set[str]:
    """The nodes that can reach no control or hybrid node."""
    known = {node.hostname for node in nodes}
    controllers = [node.hostname for node in nodes if node.controls]
    return known - dominators(controllers, [link for link in links if known.issuperset(link)]).keys()
