"""Where the mesh would break: which nodes the loss of one node or of one link would cut off, and what would repair it.

A node is cut off when it can reach no control or hybrid node any more. Links count in both directions. All follows from
one tree: in a graph with a point that is joined to every control node, and a point in the middle of every link, what
stands above a node in the tree of dominators is what every way from the control plane to that node leads over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple

import networkx as nx
from django.db.models import QuerySet

from instances.capacity import CONTROLLING, EXECUTING
from instances.models import Instance, InstanceLink

HOP, EXECUTION = Instance.NodeType.HOP, Instance.NodeType.EXECUTION

Point = str | int  # of the graph: a node's hostname, or the place of a link
CONTROL_PLANE = -1  # the point that is joined to every control and hybrid node
LONGEST_WAYS = 10  # that are named


class Link(NamedTuple):
    """A link of the mesh by the hostnames of its ends."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Node:
    """A node as far as the risk depends on it; its capacity is in forks."""

    hostname: str
    node_type: str
    capacity: int = 0
    jobs_running: int = 0

    @property
    def controls(self) -> bool:
        return self.node_type in CONTROLLING

    @property
    def dials_before(self) -> int:
        """Of a new link's ends, the lower one dials: control nodes listen to none, and hop nodes are there for it."""
        return 0 if self.controls else 2 if self.node_type == HOP else 1


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What a loss cuts off, and how much that is of the whole mesh."""

    cuts_off: list[str]
    capacity: int  # forks
    share: float  # of the mesh's capacity, from 0 to 1
    jobs_running: int


@dataclass(frozen=True, kw_only=True)
class NodeCut(Cut):
    """What the loss of a node cuts off; the node itself is not in it."""

    hostname: str


@dataclass(frozen=True, kw_only=True)
class LinkCut(Cut):
    """What the loss of a link cuts off."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Remedy:
    """Links after which no single loss cuts off a node, but for those in ``unrepaired``.

    These hang on the only control node, whose loss no link makes good.
    """

    links: list[Link]
    unrepaired: list[str]


@dataclass(frozen=True, slots=True)
class Risk:
    """The nodes and links whose loss cuts others off, the most harmful first, and what else hangs by one thread."""

    nodes: list[NodeCut]
    links: list[LinkCut]
    unreachable: list[str]  # from no control node even now
    single_path: list[str]  # one loss cuts them off
    longest_ways: list[list[str]]  # each from the nearest control node to one of the farthest nodes
    remedy: Remedy


def assess(nodes: Iterable[Node], links: Iterable[Link]) -> Risk:
    """The risk of a mesh. A link to a node that is not among ``nodes`` does not count."""
    return MeshGraph(nodes, links).risk()


class MeshGraph:
    """The mesh as a graph with a point for each node and each link, and the tree of what stands before what."""

    def __init__(self, nodes: Iterable[Node], links: Iterable[Link]) -> None:
        self.nodes = {node.hostname: node for node in nodes}
        self.links = [link for link in links if set(link) <= self.nodes.keys()]
        self.controllers = {name for name, node in self.nodes.items() if node.controls}
        self.before = dominators(self.controllers, self.links)
        self.reached: list[str] = []
        self.spans: dict[Point, slice] = {}
        self.order_by_depth()
        nodes = [self.nodes[name] for name in self.reached]
        self.capacity = sum(node.capacity for node in self.nodes.values())
        self.forks_until = list(accumulate((node.capacity for node in nodes), initial=0))
        self.jobs_until = list(accumulate((node.jobs_running for node in nodes), initial=0))

    def order_by_depth(self) -> None:
        """Fill ``reached`` with the nodes, each before those that it cuts off, and ``spans`` with where these stand.

        So what a loss cuts off stands side by side, and is found without a look at each node of it.
        """
        below: dict[Point, list[Point]] = defaultdict(list)
        for point, nearest in self.before.items():
            below[nearest].append(point)

        def name(point: Point) -> str:
            """Of a link the node that it cuts off: there is at most one directly below it."""
            return point if isinstance(point, str) else str(next(iter(below[point]), ""))

        ahead = below[CONTROL_PLANE]
        begun: dict[Point, int] = {}
        while ahead:
            point = ahead.pop()
            if point in begun:
                self.spans[point] = slice(begun[point], len(self.reached))
                continue
            if isinstance(point, str):
                self.reached.append(point)
            begun[point] = len(self.reached)
            ahead += [point, *sorted(below[point], key=name, reverse=True)]

    def cuts_off(self, point: Point) -> list[str]:
        """The nodes that the loss of a node, or of the link at this place, cuts off, the nearest of each way first."""
        return self.reached[self.spans[point]]

    @cached_property
    def cutting(self) -> list[Point]:
        """The nodes and the places of links whose loss cuts off nodes."""
        return [point for point, span in self.spans.items() if span.start < span.stop]

    def single_path(self) -> list[str]:
        return sorted(name for name in self.reached if self.before[name] != CONTROL_PLANE)

    def risk(self) -> Risk:
        return Risk(
            nodes=self.node_cuts(),
            links=self.link_cuts(),
            unreachable=self.unreachable(),
            single_path=self.single_path(),
            longest_ways=self.longest_ways(),
            remedy=self.remedy(),
        )

    def node_cuts(self) -> list[NodeCut]:
        """The most harmful first."""
        cuts = [NodeCut(hostname=point, **self.loss(point)) for point in self.cutting if isinstance(point, str)]
        return sorted(cuts, key=lambda cut: (-len(cut.cuts_off), cut.hostname))

    def link_cuts(self) -> list[LinkCut]:
        """The most harmful first."""
        places = [point for point in self.cutting if isinstance(point, int)]
        cuts = [LinkCut(**self.links[place]._asdict(), **self.loss(place)) for place in places]
        return sorted(cuts, key=lambda cut: (-len(cut.cuts_off), cut.source, cut.target))

    def unreachable(self) -> list[str]:
        return sorted(self.nodes.keys() - self.before.keys())

    def loss(self, point: Point) -> dict[str, Any]:
        span = self.spans[point]
        forks = self.forks_until[span.stop] - self.forks_until[span.start]
        return {
            "cuts_off": self.cuts_off(point),
            "capacity": forks,
            "share": forks / self.capacity if self.capacity else 0.0,
            "jobs_running": self.jobs_until[span.stop] - self.jobs_until[span.start],
        }

    def longest_ways(self) -> list[list[str]]:
        """The shortest ways to the nodes that are the farthest from the control plane, the longest way first."""
        graph: nx.Graph[Point] = nx.Graph(self.links)
        graph.add_edges_from((CONTROL_PLANE, name) for name in self.controllers)
        graph.add_node(CONTROL_PLANE)
        far = nx.single_source_shortest_path_length(graph, CONTROL_PLANE)
        farthest = sorted(self.reached, key=lambda name: (-far[name], name))[:LONGEST_WAYS]
        ways = [nx.shortest_path(graph, CONTROL_PLANE, name) for name in farthest if far[name] > 1]
        return [[str(name) for name in way[1:]] for way in ways]

    # --- what would repair it

    def remedy(self) -> Remedy:
        """Links between the ends of parts that hang by one thread; one link repairs two ends where it can."""
        mesh, added = self, []
        while links := mesh.repairing_links():
            added += links
            mesh = MeshGraph(self.nodes.values(), [*self.links, *added])
        return Remedy(added, mesh.single_path())

    def repairing_links(self) -> list[Link]:
        ends = self.ends()
        neighbours: nx.Graph[str] = nx.Graph(self.links)
        half = (len(ends) + 1) // 2
        links: list[Link] = []
        repaired: set[str] = set()
        for (one, thread), (other, other_thread) in zip(ends, ends[half:], strict=False):
            if thread != other_thread and not neighbours.has_edge(one, other):
                links.append(self.joining(one, other))
                repaired |= {one, other}
        for name, thread in ends:
            elsewhere = None if name in repaired else self.elsewhere(name, thread, neighbours)
            if elsewhere:
                links.append(self.joining(name, elsewhere))
                repaired |= {name, elsewhere}
        return links

    def ends(self) -> list[tuple[str, Point]]:
        """The ends of the parts that hang by one thread, and that thread: the most ends of one thread first.

        The thread is the node or link that stands before all others. That there is only one control node is no thread:
        no link makes its loss good.
        """
        lone = next(iter(self.controllers)) if len(self.controllers) == 1 else None
        cutting = set(self.cutting)
        ends = {
            thread: sorted(name for name in self.cuts_off(thread) if name not in cutting)
            for thread in self.cutting
            if thread != lone and self.before[thread] in (CONTROL_PLANE, lone)
        }
        threads = sorted(ends, key=lambda thread: (-len(ends[thread]), str(thread)))
        return [(name, thread) for thread in threads for name in ends[thread]]

    def elsewhere(self, name: str, thread: Point, neighbours: nx.Graph[str]) -> str | None:
        """A node that does not hang by the thread, nor is it: a hop or control node before an execution node."""
        others = (other for other in self.by_use if not self.hangs(other, thread))
        return next((other for other in others if not neighbours.has_edge(name, other)), None)

    def hangs(self, name: str, thread: Point) -> bool:
        """Whether the node is the thread, or is cut off by its loss."""
        span = self.spans[thread]
        return name == thread or span.start < self.spans[name].start <= span.stop

    @cached_property
    def by_use(self) -> list[str]:
        """The nodes that can be reached, execution nodes last: those are not there to pass on the work of others."""
        return sorted(self.reached, key=lambda name: (self.nodes[name].node_type == EXECUTION, name))

    def joining(self, *names: str) -> Link:
        return Link(*sorted(names, key=lambda name: (self.nodes[name].dials_before, name)))


def dominators(controllers: Iterable[str], links: Sequence[Link]) -> dict[Point, Point]:
    """By each point that the control plane reaches, the nearest one that all ways from there to it lead over."""
    graph: nx.Graph[Point] = nx.Graph()
    graph.add_edges_from((CONTROL_PLANE, name) for name in controllers)
    graph.add_edges_from((end, place) for place, link in enumerate(links) for end in link)
    parts: dict[Point, list[set[Point]]] = defaultdict(list)
    blocks: Iterable[Any] = nx.biconnected_components(graph)  # sets of points
    for part in blocks:
        for point in part:
            parts[point].append(part)
    before: dict[Point, Point] = {}
    reached: list[Point] = [CONTROL_PLANE]
    for nearest in reached:
        for block in parts[nearest]:
            behind = block - {nearest}
            before |= dict.fromkeys(behind, nearest)
            reached += behind
            block.clear()  # its other points need not look at it
    return before


def standing_before(before: Mapping[Point, Point], name: str) -> Iterator[Point]:
    """The nodes and places of links over which every way to a node leads, the nearest first."""
    point = before[name]
    while point != CONTROL_PLANE:
        yield point
        point = before[point]


# --- of what is stored


def of_mesh() -> Risk:
    """The risk of the stored mesh; links that are being removed do not count. Two queries."""
    nodes = Instance.objects.with_load().only("hostname", "node_type", "capacity")
    return assess(map(node_at_risk, nodes), mesh_links())


def mesh_links() -> list[Link]:
    """The stored links that count. One query."""
    return [Link(*ends) for ends in counting_links().values_list("source__hostname", "target__instance__hostname")]


def counting_links() -> QuerySet[InstanceLink]:
    """The stored links but for those that are being removed."""
    return InstanceLink.objects.exclude(link_state=InstanceLink.State.REMOVING)


def node_at_risk(instance: Instance) -> Node:
    forks = instance.capacity if instance.node_type in EXECUTING else 0
    return Node(instance.hostname, instance.node_type, forks, instance.load.jobs_running)
