"""What keeps a copy of a job out of each group and off each node, in words with the numbers: pure functions."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import models

from instances.models import Instance
from instances.models.group import CONTROL_PLANE
from instances.planning.placement import Candidate, CandidateGroup, Scheduler
from instances.text import counted


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A reason why a group or node cannot take a copy now."""

    class Code(models.TextChoices):
        NODE_TYPE = "node_type", "Node type"
        STATE = "state", "State"
        DISABLED = "disabled", "Disabled"
        CAPACITY = "capacity", "Capacity"
        EMPTY = "empty", "No nodes"
        MAX_FORKS = "max_forks", "Most forks"
        MAX_CONCURRENT_JOBS = "max_concurrent_jobs", "Most jobs"
        CONTROL_CAPACITY = "control_capacity", "Capacity to control"

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class NodeFit:
    """Whether a node of a group could take a copy; capacities are in forks."""

    hostname: str
    capacity: int
    free: int
    fits: bool
    in_the_way: list[Obstacle]


@dataclass(frozen=True, slots=True)
class GroupFit:
    """Whether a group would take a copy; ``free`` is in forks, and None where nothing limits them."""

    name: str
    fits: bool
    free: int | None
    in_the_way: list[Obstacle]
    nodes: list[NodeFit]


# What a group says of those of its nodes that have the same obstacle.
OF_NODES = {
    Obstacle.Code.NODE_TYPE: "Of another type",
    Obstacle.Code.STATE: "Not ready",
    Obstacle.Code.DISABLED: "Disabled",
    Obstacle.Code.CAPACITY: "Without room for it",
}


def examine(scheduler: Scheduler) -> list[GroupFit]:
    """Each visible group, as the next copy would find it, in the order in which they are tried."""
    return [examine_group(scheduler, group) for group in scheduler.groups if group.is_visible]


def examine_group(scheduler: Scheduler, group: CandidateGroup) -> GroupFit:
    taker = scheduler.find_node(group)
    nodes = [examine_node(scheduler, node, taker) for node in group.nodes]
    in_the_way = [*of_limits(scheduler, group), *(() if taker or group.is_container_group else of_nodes(nodes))]
    return GroupFit(group.name, not in_the_way, free_of(scheduler, group), in_the_way, nodes)


def examine_node(scheduler: Scheduler, node: Candidate, taker: Candidate | None) -> NodeFit:
    in_the_way = [] if node == taker else of_node(scheduler, node)
    free = max(0, scheduler.free[node.hostname])
    return NodeFit(node.hostname, node.capacity, free, not in_the_way, in_the_way)


def free_of(scheduler: Scheduler, group: CandidateGroup) -> int | None:
    """Forks that the group could still take: those of its eligible nodes, within its limit."""
    within_limit = max(0, group.max_forks - scheduler.forks[group.name]) if group.max_forks else None
    if group.is_container_group:
        return within_limit
    on_nodes = sum(max(0, scheduler.free[node.hostname]) for node in scheduler.eligible[group.name])
    return on_nodes if within_limit is None else min(on_nodes, within_limit)


def of_limits(scheduler: Scheduler, group: CandidateGroup) -> Iterator[Obstacle]:
    if scheduler.lacks_controller:
        yield no_controller(scheduler)
    if scheduler.exceeds_jobs(group):
        running = counted(scheduler.jobs[group.name], "job")
        message = f"It has {running}, and its limit is {group.max_concurrent_jobs}."
        yield Obstacle(Obstacle.Code.MAX_CONCURRENT_JOBS, message)
    if scheduler.exceeds_forks(group):
        used = f"{scheduler.forks[group.name]:,} of its limit of {counted(group.max_forks, 'fork')} are in use"
        message = f"The job takes {counted(scheduler.workload.impact, 'fork')}, and {used}."
        yield Obstacle(Obstacle.Code.MAX_FORKS, message)


def no_controller(scheduler: Scheduler) -> Obstacle:
    if not scheduler.has_controllers:
        message = (
            f"No control or hybrid node of {CONTROL_PLANE} that is ready and enabled has capacity to control the job."
        )
        return Obstacle(Obstacle.Code.CONTROL_CAPACITY, message)
    forks = counted(scheduler.control_impact, "fork")
    message = f"No node of {CONTROL_PLANE} has room for the {forks} that it takes to control the job."
    return Obstacle(Obstacle.Code.CONTROL_CAPACITY, message)


def of_nodes(nodes: list[NodeFit]) -> Iterator[Obstacle]:
    """Why none of the nodes of a group takes the job: each obstacle once, and how many nodes have it."""
    if not nodes:
        yield Obstacle(Obstacle.Code.EMPTY, "It has no nodes.")
    numbers = Counter(obstacle.code for node in nodes for obstacle in node.in_the_way)
    for code, words in OF_NODES.items():
        if numbers[code]:
            yield Obstacle(code, f"{words}: {numbers[code]:,} of {counted(len(nodes), 'node')}.")


def of_node(scheduler: Scheduler, node: Candidate) -> list[Obstacle]:
    """Why a node cannot take a copy. Only one that nothing else keeps out is short of capacity."""
    in_the_way = list(of_service(scheduler, node))
    if not in_the_way and (node.capacity <= 0 or scheduler.left(node) < 0):
        free = f"{max(0, scheduler.free[node.hostname]):,} of {node.capacity:,} are free"
        message = f"The job takes {counted(scheduler.cost(node), 'fork')} of it, and {free}."
        in_the_way.append(Obstacle(Obstacle.Code.CAPACITY, message))
    return in_the_way


def of_service(scheduler: Scheduler, node: Candidate) -> Iterator[Obstacle]:
    if node.node_type not in scheduler.workload.node_types:
        yield Obstacle(Obstacle.Code.NODE_TYPE, f"It is of type {node.node_type}, which executes no such job.")
    if node.node_state != Instance.NodeState.READY:
        yield Obstacle(Obstacle.Code.STATE, f"Its state is {node.node_state}, not ready.")
    if not node.enabled:
        yield Obstacle(Obstacle.Code.DISABLED, "It is disabled.")
