"""A change of the mesh that is only thought of: what nodes, groups and memberships would be after it.

The functions that change what is stored decide here too, over copies of the records; nothing is saved.
"""

import copy
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from itertools import count
from typing import Any

from django.core.exceptions import ValidationError

from instances.capacity import Load
from instances.groups import checked_percentage, checked_policy, checked_policy_list, refuse_move
from instances.health.recording import bring_online
from instances.health.report import NodeReport, effective_figures
from instances.lifecycle import hostname_error
from instances.models import Instance, InstanceGroup
from instances.planning.risk import Link
from instances.policies import by_minimum, by_percentage, resulting

MOST_NODES = 5_000  # of the mesh and of the change together
MOST_PAIRS = 2_500_000  # nodes times groups: what the policies choose from

MOST_MEMBERS = 100_000  # of all groups together

Membership = tuple[int, int]  # the ids of group and node


@dataclass(frozen=True, kw_only=True, slots=True)
class NewNode:
    """A node to be added, with its memory in bytes; without a hostname it is called "new-1" or so."""

    cpu: Decimal
    memory: int
    hostname: str = ""
    node_type: str = Instance.NodeType.EXECUTION
    groups: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What is to be thought of. Nodes are named by hostname, groups by name.

    ``capacity_adjustment`` is one for all nodes, or one for each that is named; ``policies`` has for each group that is
    named its new policy fields.
    """

    remove: Collection[str] = ()
    disable: Collection[str] = ()
    add: Sequence[NewNode] = ()
    capacity_adjustment: Decimal | Mapping[str, Decimal] | None = None
    policies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def adjustment_of(self, hostname: str) -> Decimal | None:
        """The new capacity_adjustment of a node; None where it keeps its own."""
        if isinstance(self.capacity_adjustment, Mapping):
            return self.capacity_adjustment.get(hostname)
        return self.capacity_adjustment


@dataclass(frozen=True, kw_only=True, slots=True)
class MeshState:
    """The mesh as far as somebody sees it: nodes and groups in the order of their ids, and who is a member.

    The nodes have been read ``with_load()`` and ``with_up()``. ``is_complete`` is false, and ``links`` are None, where
    there may be nodes and groups that the reader does not see.
    """

    nodes: list[Instance]
    groups: list[InstanceGroup]
    members: set[Membership]
    links: list[Link] | None = None
    is_complete: bool = True


def changed(state: MeshState, change: Change) -> MeshState:
    """The mesh once the change was made and policies have followed. Raises ValidationError by the change's fields."""
    refuse_too_many_members(sum(len(new.groups) for new in change.add))
    refuse_too_many_members(sum(len(values.get("policy_instance_list") or ()) for values in change.policies.values()))
    refuse_unknown(state, change)
    refuse_too_many(len(state.nodes) + len(change.add), len(state.groups))
    removed, disabled = set(change.remove), set(change.disable)
    new = list(new_nodes(state, change))
    stay = (node for node in state.nodes if node.hostname not in removed)
    nodes = [changed_node(node, node.hostname in disabled, change) for node in [*stay, *new]]
    joining = joining_nodes(change, new)
    known = {node.hostname for node in nodes}
    groups = [changed_group(group, change, joining[group.name], known) for group in state.groups]
    joined = {(group.pk, node.pk) for group in groups for node in joining[group.name]}
    refuse_too_many_members(len(state.members) + len(joined))
    refuse_too_many_members(sum(most_members(group, len(nodes)) for group in groups))
    return replace(state, nodes=nodes, groups=groups, members=members_after(state, nodes, groups, joined))


def members_after(
    state: MeshState, nodes: list[Instance], groups: list[InstanceGroup], joined: set[Membership]
) -> set[Membership]:
    """The memberships once the policies have followed.

    A reader who does not see all nodes does not know either how many a policy counts: then no policy takes one out.
    """
    stay = {node.pk for node in nodes}
    present = {pair for pair in state.members if pair[1] in stay} | joined
    pairs = resulting(nodes, groups, present)
    return pairs if state.is_complete else pairs | present


# --- nodes


def changed_node(node: Instance, is_disabled: bool, change: Change) -> Instance:
    """The node as the change makes it, a copy; the node itself where nothing changes."""
    adjustment = change.adjustment_of(node.hostname)
    if not is_disabled and adjustment is None:
        return node
    node = copy.copy(node)
    if is_disabled:
        node.enabled = node.is_up = False
    if adjustment is not None:
        node.capacity_adjustment = adjustment
    node.recompute_capacity()
    return node


def new_nodes(state: MeshState, change: Change) -> Iterator[Instance]:
    """The nodes that are added, as they are after their first health check, with ids above all others."""
    taken = {node.hostname for node in state.nodes} | {new.hostname for new in change.add}
    free = (name for number in count(1) if (name := f"new-{number}") not in taken)
    last = max((node.pk for node in state.nodes), default=0)
    for pk, new in enumerate(change.add, last + 1):
        cpu, memory = effective_figures(NodeReport(cpu=new.cpu, memory=new.memory), new.node_type)
        hostname = new.hostname or next(free)
        node = Instance(pk=pk, hostname=hostname, node_type=new.node_type, cpu=cpu, memory=memory)
        bring_online(node)
        node.is_up, node.load = True, Load()
        yield node


def joining_nodes(change: Change, new: Iterable[Instance]) -> dict[str, list[Instance]]:
    """By the name of each group, the new nodes that are put into it by hand."""
    joining: dict[str, list[Instance]] = defaultdict(list)
    for node, each in zip(new, change.add, strict=True):
        for name in dict.fromkeys(each.groups):
            joining[name].append(node)
    return joining


# --- groups


def changed_group(
    group: InstanceGroup, change: Change, joining: list[Instance], known: Collection[str]
) -> InstanceGroup:
    """The group with its new policies, and with the nodes that join it by hand in its list; a copy if it changes."""
    policies = change.policies.get(group.name, {})
    if not (policies or joining):
        return group
    for name, value in policies.items():
        check_policy(group, name, value, known)
    changed = copy.copy(group)
    for name, value in policies.items():
        setattr(changed, name, value)
    listed = set(changed.policy_instance_list)
    further = [node.hostname for node in joining if node.hostname not in listed]
    changed.policy_instance_list = [*changed.policy_instance_list, *further]
    return changed


def check_policy(group: InstanceGroup, name: str, value: Any, known: Collection[str]) -> None:
    """Raise ValidationError where the group may not have this value; ``known``: the nodes that can be listed."""
    checks: dict[str, Callable[[InstanceGroup, Any], Any]] = {
        "policy_instance_minimum": checked_policy,
        "policy_instance_percentage": checked_percentage,
        "policy_instance_list": partial(checked_policy_list, known=known),
    }
    try:
        checks[name](group, value)
    except ValidationError as error:
        raise ValidationError({"policies": [f"{group.name}: {message}" for message in error.messages]}) from None


# --- what is refused


def refuse_too_many(nodes: int, groups: int) -> None:
    if nodes > MOST_NODES:
        raise ValidationError(f"This is answered for up to {MOST_NODES:,} nodes, and not for more.")
    if nodes * groups > MOST_PAIRS:
        raise ValidationError(
            f"This is answered while nodes times groups are no more than {MOST_PAIRS:,}: "
            f"these are {nodes:,} nodes and {groups:,} groups."
        )


def refuse_too_many_members(number: int) -> None:
    if number > MOST_MEMBERS:
        raise ValidationError(f"This is answered for up to {MOST_MEMBERS:,} members of all groups together.")


def most_members(group: InstanceGroup, nodes: int) -> int:
    """How many members the policies of the group can give it, of so many nodes."""
    wanted = max(by_minimum(group, nodes), by_percentage(group, nodes), len(group.policy_instance_list))
    return min(nodes, wanted)


def refuse_unknown(state: MeshState, change: Change) -> None:
    """Raise ValidationError, by the change's fields, for names that are nobody's, or that contradict each other."""
    errors = {
        "remove": list(unknown(change.remove, {node.hostname for node in state.nodes})),
        "disable": list(errors_of_disabled(state, change)),
        "add": list(errors_of_added(state, change)),
        "capacity_adjustment": list(errors_of_adjusted(state, change)),
        "policies": list(unknown(change.policies, {group.name for group in state.groups}, "group")),
    }
    if any(errors.values()):
        raise ValidationError({name: found for name, found in errors.items() if found})


def unknown(names: Iterable[str], known: Collection[str], noun: str = "node") -> Iterator[str]:
    return (f"No {noun} is named {name}." for name in names if name not in known)


def errors_of_disabled(state: MeshState, change: Change) -> Iterator[str]:
    yield from unknown(change.disable, {node.hostname for node in state.nodes})
    removed = set(change.remove)
    yield from (f"{name} is to be removed as well." for name in change.disable if name in removed)


def errors_of_adjusted(state: MeshState, change: Change) -> Iterator[str]:
    if isinstance(change.capacity_adjustment, Mapping):
        there = {node.hostname for node in state.nodes} - set(change.remove) | {new.hostname for new in change.add}
        yield from unknown(change.capacity_adjustment, there)


def errors_of_added(state: MeshState, change: Change) -> Iterator[str]:
    groups = {group.name: group for group in state.groups}
    taken = {node.hostname for node in state.nodes} - set(change.remove)
    for new in change.add:
        if new.hostname and (error := hostname_error(new.hostname)):
            yield error
        if new.hostname in taken:
            yield f"A node is named {new.hostname} already."
        taken |= {new.hostname} - {""}
        yield from unknown(new.groups, groups, "group")
        yield from errors_of_joining(new, [groups[name] for name in new.groups if name in groups])


def errors_of_joining(new: NewNode, groups: Iterable[InstanceGroup]) -> Iterator[str]:
    """Why the new node may not be put into these groups by hand."""
    for group in groups:
        if group.is_container_group:
            yield f"{group.name} is a container group, which has no nodes."
    try:
        refuse_move(Instance(hostname=new.hostname or "a new node", node_type=new.node_type))
    except ValidationError as error:
        if groups:
            yield from error.messages
