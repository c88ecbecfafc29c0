"""Grouping of nodes into the parts of the drawing, so that meshes of any size are readable. Without geometry.

A mesh is drawn in layers: control and hybrid nodes, hop nodes by their distance in hops from these, execution nodes.
A tier of many nodes is closed: its nodes that are linked to the same parts in earlier layers are one part, until the
tier is opened. All nodes of a part are linked to the same other nodes, so that a line to the part applies to each of
them. If that gives too many parts, a whole layer becomes one part, and each node's description lists its own links.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from instances.models import Instance, InstanceLink
from instances.overview import Tier, tier

FEW = 24  # a tier with at most so many nodes is always open
TWINS = 3  # least number of nodes with the same links that share a frame
MOST_PARTS, MOST_LINES = 160, 250  # of a readable drawing, which dot lays out within a second

State = InstanceLink.State
Link = tuple[int, int, str]  # ids of source and of the instance whose address is the target, state
WORST_FIRST = (State.REMOVING.value, State.ADDING.value, State.ESTABLISHED.value)
T = TypeVar("T", bound=Hashable)


class Kind(Enum):
    NODE = "one node"
    FRAME = "several nodes, each shown"
    CLOSED = "several nodes as one box"


@dataclass(eq=False, slots=True)
class Part:
    """One node or several nodes that are laid out together, with common lines."""

    key: str
    kind: Kind
    tier: Tier
    nodes: list[Instance]
    inner: Counter[str] = field(default_factory=Counter)  # states of the links within the part


@dataclass(slots=True)
class Mesh:
    """The parts, layer by layer, and the links between any two of them."""

    layers: list[list[Part]]
    bundles: dict[tuple[Part, Part], list[Link]]
    nodes: dict[int, Instance]
    neighbours: dict[int, dict[int, str]]  # by node and neighbour: the state of the link, the worse of two
    part_of: dict[int, Part]
    has_many: bool  # whether a tier can be opened and closed

    @property
    def parts(self) -> Iterator[Part]:
        return (part for layer in self.layers for part in layer)


def group(instances: Iterable[Instance], links: Iterable[Link], opened: Collection[str]) -> Mesh:
    """The mesh in parts. ``opened``: the names of opened tiers and the keys of opened parts.

    Links to nodes outside ``instances`` are left out.
    """
    return _Grouping(list(instances), list(links), opened).mesh()


class _Grouping:
    def __init__(self, instances: list[Instance], links: list[Link], opened: Collection[str]) -> None:
        self.nodes = {instance.pk: instance for instance in instances}
        self.links = [link for link in links if link[0] in self.nodes and link[1] in self.nodes]
        self.opened = opened
        self.neighbours: dict[int, dict[int, str]] = defaultdict(dict)
        for source, target, state in self.links:
            known = self.neighbours[source].get(target, state)
            self.neighbours[source][target] = self.neighbours[target][source] = min(known, state, key=urgency)
        self.layers = layered(instances, self.neighbours)
        self.sizes = Counter[Tier]()
        for which, nodes in self.layers:
            self.sizes[which] += len(nodes)
        self.whole: set[Tier] = set()  # tiers whose layers are one part each, to reduce the number of parts

    def mesh(self) -> Mesh:
        mesh = self.divided()
        while not readable(mesh) and len(self.whole) < len(self.sizes):
            parts = Counter(part.tier for part in mesh.parts if part.tier not in self.whole)
            self.whole.add(max(parts, key=parts.__getitem__))
            mesh = self.divided()
        return mesh

    def divided(self) -> Mesh:
        part_of: dict[int, Part] = {}
        layers = []
        for which, nodes in self.layers:
            parts = list(self.parts(which, nodes, part_of))
            part_of |= {node.pk: part for part in parts for node in part.nodes}
            layers.append(parts)
        return Mesh(
            layers,
            self.bundles(layers, part_of),
            self.nodes,
            self.neighbours,
            part_of,
            max(self.sizes.values(), default=0) > FEW,
        )

    def parts(self, which: Tier, nodes: list[Instance], before: dict[int, Part]) -> Iterator[Part]:
        """The parts of a layer. ``before``: the parts of the nodes in earlier layers."""
        many = self.sizes[which] > FEW
        layer = {node.pk for node in nodes}

        def above(node: Instance) -> frozenset[str]:
            return frozenset(before[pk].key for pk in self.neighbours[node.pk] if pk in before)

        classes = [nodes] if which in self.whole or not many else alike(nodes, above)
        for members in classes:
            if len(members) == 1:
                yield single(which, members[0])
            elif many and which not in self.opened and key(which, members) not in self.opened:
                yield Part(key(which, members), Kind.CLOSED, which, members)
            elif which in self.whole:
                yield Part(key(which, members), Kind.FRAME, which, members)
            else:
                yield from self.shown(which, members, layer, framed_over=0 if many else 1)

    def shown(self, which: Tier, members: list[Instance], layer: set[int], framed_over: int) -> Iterator[Part]:
        """Each node as a part, but a frame for nodes with the same links to more than ``framed_over`` other nodes."""

        def others(node: Instance) -> frozenset[int]:
            return frozenset(pk for pk in self.neighbours[node.pk] if pk not in layer)

        for twins in alike(members, others):
            if len(twins) >= TWINS and len(others(twins[0])) > framed_over:
                yield Part(key(which, twins), Kind.FRAME, which, twins)
            else:
                yield from (single(which, node) for node in twins)

    def bundles(self, layers: list[list[Part]], part_of: dict[int, Part]) -> dict[tuple[Part, Part], list[Link]]:
        place = {part: number for number, part in enumerate(each for layer in layers for each in layer)}
        bundles: dict[tuple[Part, Part], list[Link]] = defaultdict(list)
        for link in self.links:
            first, second = sorted((part_of[link[0]], part_of[link[1]]), key=place.__getitem__)
            if first is second:
                first.inner[link[2]] += 1
            else:
                bundles[first, second].append(link)
        return bundles


def readable(mesh: Mesh) -> bool:
    return len(mesh.bundles) <= MOST_LINES and sum(map(len, mesh.layers)) <= MOST_PARTS


def single(which: Tier, node: Instance) -> Part:
    return Part(f"node-{node.pk}", Kind.NODE, which, [node])


def key(which: Tier, nodes: list[Instance]) -> str:
    """The key of a part of several nodes, which does not change while its oldest node exists."""
    return f"{which.value}-{min(node.pk for node in nodes)}"


def alike(nodes: Iterable[Instance], by: Callable[[Instance], T]) -> list[list[Instance]]:
    classes: dict[T, list[Instance]] = defaultdict(list)
    for node in nodes:
        classes[by(node)].append(node)
    return list(classes.values())


def layered(
    instances: Collection[Instance], neighbours: dict[int, dict[int, str]]
) -> list[tuple[Tier, list[Instance]]]:
    """The nodes by tier; hop nodes also by their distance from the control nodes."""
    tiers: dict[Tier, list[Instance]] = {which: [] for which in Tier}
    for node in instances:
        tiers[tier(node)].append(node)
    far = distances(tiers, neighbours)
    hops = sorted(alike(tiers[Tier.HOP], lambda node: far[node.pk]), key=lambda layer: far[layer[0].pk])
    layers = [
        (Tier.CONTROL, tiers[Tier.CONTROL]),
        *((Tier.HOP, layer) for layer in hops),
        (Tier.EXECUTION, tiers[Tier.EXECUTION]),
    ]
    return [(which, nodes) for which, nodes in layers if nodes]


def distances(tiers: dict[Tier, list[Instance]], neighbours: dict[int, dict[int, str]]) -> dict[int, int]:
    """The distance of each hop node from the control nodes, in hops. Control nodes have the distance 0.

    Distances of hop nodes without a path to a control node are counted from the first of these hop nodes.
    """
    hops = {node.pk: None for node in tiers[Tier.HOP]}
    far = {node.pk: 0 for node in tiers[Tier.CONTROL]}
    spread(far, list(far), hops, neighbours)
    for pk in hops:
        if pk not in far:
            far[pk] = 1
            spread(far, [pk], hops, neighbours)
    return far


def spread(
    far: dict[int, int], begin: Iterable[int], through: Collection[int], neighbours: dict[int, dict[int, str]]
) -> None:
    """Add to ``far`` the distances of the nodes of ``through`` that can be reached from ``begin``."""
    reached = deque(begin)
    while reached:
        here = reached.popleft()
        for pk in neighbours[here]:
            if pk in through and pk not in far:
                far[pk] = far[here] + 1
                reached.append(pk)


def urgency(state: str) -> int:
    """The sort key of link states, the worst first; unknown states come last."""
    return WORST_FIRST.index(state) if state in WORST_FIRST else len(WORST_FIRST)
