"""Where AWX would run a job, copy by copy: pure functions. Source: docs/awx-behaviour.md, "Placement"."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings

from instances.capacity import CONTROLLING, EXECUTING
from instances.models import Instance, UnifiedJob

ON_CONTROL_PLANE = frozenset({UnifiedJob.Type.PROJECT_UPDATE, UnifiedJob.Type.SYSTEM_JOB})


@dataclass(frozen=True, slots=True)
class Workload:
    """A job as far as its place depends on it; its impact is in forks."""

    kind: str
    impact: int

    @property
    def is_on_control_plane(self) -> bool:
        """Whether the control plane executes it, whatever its groups."""
        return self.kind in ON_CONTROL_PLANE

    @property
    def needs_node(self) -> bool:
        """A workflow only starts other jobs."""
        return self.kind != UnifiedJob.Type.WORKFLOW_JOB

    @property
    def node_types(self) -> frozenset[str]:
        return CONTROLLING if self.is_on_control_plane else EXECUTING


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node as far as placement depends on it; capacities are in forks."""

    hostname: str
    node_type: str
    capacity: int
    consumed: int = 0
    jobs_running: int = 0
    node_state: str = Instance.NodeState.READY
    enabled: bool = True
    is_visible: bool = True  # to whoever asks

    @property
    def is_in_service(self) -> bool:
        return self.enabled and self.node_state == Instance.NodeState.READY and self.capacity > 0

    @property
    def controls(self) -> bool:
        return self.node_type in CONTROLLING


@dataclass(frozen=True, slots=True)
class CandidateGroup:
    """A group, its limits (0 is none) and what its jobs take of them."""

    name: str
    nodes: Sequence[Candidate] = ()
    is_container_group: bool = False
    max_forks: int = 0
    max_concurrent_jobs: int = 0
    impact: int = 0
    jobs_running: int = 0
    is_visible: bool = True  # to whoever asks


@dataclass(frozen=True, slots=True)
class Placement:
    """The place of one copy. In a container group no node executes it."""

    group: CandidateGroup
    node: Candidate | None
    controller: Candidate


class Roomiest:
    """Of some nodes the one with the most left, by ``left``. What is left of a node may only shrink."""

    def __init__(self, nodes: Iterable[Candidate], left: Callable[[Candidate], int]) -> None:
        self.left = left
        self.heap = [(-left(node), node.hostname, node) for node in nodes]
        heapq.heapify(self.heap)

    def first(self) -> Candidate | None:
        """The first by hostname of those with the most left; None where less than nothing would be left of all."""
        while self.heap:
            stated, hostname, node = self.heap[0]
            left = self.left(node)
            if -stated == left:
                return node if left >= 0 else None
            heapq.heapreplace(self.heap, (-left, hostname, node))
        return None


class Scheduler:
    """Groups and nodes as they fill up while AWX places one copy of a job after another."""

    def __init__(self, workload: Workload, groups: Sequence[CandidateGroup], control_plane: CandidateGroup) -> None:
        """``groups`` in the order in which they are tried; ``control_plane`` is the group with the control nodes."""
        self.workload = workload
        self.groups = [control_plane] if workload.is_on_control_plane else groups
        self.control_impact: int = settings.AWX_CONTROL_NODE_TASK_IMPACT
        nodes = [node for group in (*self.groups, control_plane) for node in group.nodes]
        self.free = {node.hostname: node.capacity - node.consumed for node in nodes}
        self.busy = {node.hostname for node in nodes if node.jobs_running}
        self.forks = {group.name: group.impact for group in self.groups}
        self.jobs = {group.name: group.jobs_running for group in self.groups}
        self.eligible = {group.name: self.eligible_nodes(group) for group in self.groups}
        self.roomiest = {name: Roomiest(nodes, self.left) for name, nodes in self.eligible.items()}
        self.controllers = Roomiest(
            (node for node in control_plane.nodes if node.is_in_service and node.controls),
            lambda node: self.free[node.hostname] - self.control_impact,
        )

    def eligible_nodes(self, group: CandidateGroup) -> list[Candidate]:
        """The nodes that may execute the job, the largest first."""
        nodes = (node for node in group.nodes if node.is_in_service and node.node_type in self.workload.node_types)
        return sorted(nodes, key=lambda node: (-node.capacity, node.hostname))

    def cost(self, node: Candidate) -> int:
        """Forks that a copy takes of the node that executes it, which controls it as well if it can."""
        return self.workload.impact + (self.control_impact if node.controls else 0)

    def left(self, node: Candidate) -> int:
        return self.free[node.hostname] - self.cost(node)

    @property
    def has_controllers(self) -> bool:
        """Whether a node of the control plane is in service, with room or without."""
        return bool(self.controllers.heap)

    @property
    def lacks_controller(self) -> bool:
        """Whether no node has room to control a copy. Where the control plane executes it, that node does."""
        return not self.workload.is_on_control_plane and self.controllers.first() is None

    def exceeds_jobs(self, group: CandidateGroup) -> bool:
        return 0 < group.max_concurrent_jobs <= self.jobs[group.name]

    def exceeds_forks(self, group: CandidateGroup) -> bool:
        return 0 < group.max_forks < self.forks[group.name] + self.workload.impact

    def find_node(self, group: CandidateGroup) -> Candidate | None:
        """The node of the group with the most left after a copy; if none has room, the largest one that is idle.

        Of the control plane an idle one is none: it may control jobs, which do not count as running on it.
        """
        node = self.roomiest[group.name].first()
        if node is not None or self.workload.is_on_control_plane:
            return node
        return next((node for node in self.eligible[group.name] if node.hostname not in self.busy), None)

    def place(self) -> Placement | None:
        """Place another copy, and take what it needs; None where AWX would let it wait."""
        if self.lacks_controller:
            return None
        for group in self.groups:
            if self.exceeds_jobs(group) or self.exceeds_forks(group):
                continue
            node = self.find_node(group)
            controller = node if node is not None and node.controls else self.controllers.first()
            if controller is not None and (node is not None or group.is_container_group):
                return self.take(Placement(group, node, controller))
        return None

    def take(self, placement: Placement) -> Placement:
        group, node = placement.group, placement.node
        self.jobs[group.name] += 1
        self.forks[group.name] += self.workload.impact
        self.free[placement.controller.hostname] -= self.control_impact
        if node is not None:
            self.free[node.hostname] -= self.workload.impact
            self.busy.add(node.hostname)
        return placement
