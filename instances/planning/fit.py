"""Whether copies of a job would run now, where, and why not: pure functions."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from instances.models.group import CONTROL_PLANE
from instances.planning.obstacles import GroupFit, examine, no_controller
from instances.planning.placement import CandidateGroup, Placement, Scheduler, Workload
from instances.text import counted

MOST_COPIES = 1_000  # that may be asked about at once
NO_NODE_NEEDED = "A workflow job only starts other jobs: it needs no node, and takes no capacity."


@dataclass(frozen=True, slots=True)
class Place:
    """How many copies a node takes, or a container group, which has no nodes. Hidden names are None."""

    instance_group: str | None
    instance: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether all copies fit at once, how many do, and the place of the first one. Hidden names are None.

    ``groups`` is as the first copy that does not fit finds it; if all fit, as the first of all does.
    """

    fits: bool | None  # None: it has ended, so that there is nothing to fit
    placed: int
    impact: int  # of one copy, in forks
    reason: str
    instance_group: str | None = None
    instance: str | None = None
    control_node: str | None = None
    placements: list[Place] = field(default_factory=list)
    groups: list[GroupFit] = field(default_factory=list)


def assess_fit(workload: Workload, count: int, groups: Sequence[CandidateGroup], control_plane: CandidateGroup) -> Fit:
    """Place up to ``count`` copies in ``groups``, tried in this order; ``control_plane`` is the group of that name."""
    if not workload.needs_node:
        return Fit(True, count, workload.impact, NO_NODE_NEEDED)
    before, scheduler = (Scheduler(workload, groups, control_plane) for _ in range(2))
    placements = list(place_copies(scheduler, count))
    fits = len(placements) == count
    group_fits = examine(before if fits else scheduler)
    sentences = [*of_control_plane(workload), *words_of_first(before, placements, count)]
    if not fits:
        sentences += words_of_obstacles(scheduler, group_fits, len(placements))
    found = places(placements)
    return Fit(
        fits=fits,
        placed=len(placements),
        impact=workload.impact,
        reason=" ".join(sentences),
        instance_group=found[0].instance_group if found else None,
        instance=found[0].instance if found else None,
        control_node=controller_name(placements[0]) if found else None,
        placements=found,
        groups=group_fits,
    )


def place_copies(scheduler: Scheduler, count: int) -> Iterator[Placement]:
    """The placements until one copy does not fit: those after it need as much, and find no more."""
    for _ in range(count):
        placement = scheduler.place()
        if placement is None:
            return
        yield placement


def group_name(placement: Placement) -> str | None:
    return placement.group.name if placement.group.is_visible else None


def node_name(placement: Placement) -> str | None:
    node = placement.node
    return node.hostname if node is not None and node.is_visible else None


def controller_name(placement: Placement) -> str | None:
    return placement.controller.hostname if placement.controller.is_visible else None


def places(placements: Sequence[Placement]) -> list[Place]:
    numbers = Counter((group_name(each), node_name(each)) for each in placements)
    return [Place(group, node, count) for (group, node), count in numbers.items()]


# --- in words


def of_control_plane(workload: Workload) -> Iterator[str]:
    if workload.is_on_control_plane:
        yield f"AWX runs each {workload.kind.replace('_', ' ')} in {CONTROL_PLANE}, whatever its groups."


def words_of_first(before: Scheduler, placements: Sequence[Placement], count: int) -> Iterator[str]:
    """Where the first copy goes, with the numbers of that place before it."""
    if placements:
        subject = f"{len(placements):,} of {count:,} copies fit, the first" if count > 1 else "It fits"
        yield f"{subject} {words_of_place(before, placements[0])}."


def words_of_place(before: Scheduler, placement: Placement) -> str:
    node, group = placement.node, placement.group
    if node is None:
        limit = f", and {group.max_forks - group.impact:,} of {group.max_forks:,} are free" if group.max_forks else ""
        return f"in container group {group.name}: it takes {counted(before.workload.impact, 'fork')}{limit}"
    if node_name(placement) is None:
        return f"in {CONTROL_PLANE}"
    free = before.free[node.hostname]
    takes = f"on {node.hostname} in group {group.name}: it takes {counted(before.cost(node), 'fork')}"
    if before.left(node) < 0:
        return f"{takes}, and the node has only {node.capacity:,}, but is idle, and no node of the group has room"
    return f"{takes}, and {free:,} of {node.capacity:,} are free"


def words_of_obstacles(scheduler: Scheduler, groups: Sequence[GroupFit], placed: int) -> Iterator[str]:
    """Why the next copy does not fit."""
    yield "The next one does not." if placed else "It does not fit now."
    if scheduler.lacks_controller:
        yield no_controller(scheduler).message
        return
    if not groups:
        yield f"No node of {CONTROL_PLANE} has room for it."
    for group in groups:
        yield f"Group {group.name}: {' '.join(obstacle.message for obstacle in group.in_the_way)}"
