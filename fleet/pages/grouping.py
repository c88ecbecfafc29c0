"""Which nodes of the mesh share a part of its drawing, so that it can be read at any size. Knows no geometry.

A mesh is drawn in layers: control and hybrid nodes, hop nodes by how many hops they are away from those, execution
nodes. A tier of many nodes is closed: its nodes that are linked to the same parts before them are one part, until it is
opened. Nodes of a part are linked to the same others, so that a line to the part is true of each of them; where that
would be too much to be read, a whole layer is one part and each node tells its own links.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from instances.models import Instance, InstanceLink
from instances.overview import Tier, tier

FEW = 24  # nodes of a tier that are always shown
TWINS = 3  # nodes with the same links that are drawn in one frame
MOST_PARTS, MOST_LINES = 160, 250  # that somebody can read, and that are laid out in a second

State = InstanceLink.State
Link = tuple[int, int, str]  # ids of source and target, state
WORST_FIRST = (State.REMOVING.value, State.ADDING.value, State.ESTABLISHED.value)
T = TypeVar("T", bound=Hashable)


class Kind(Enum):
    NODE = "one node"
    FRAME = "several nodes, each shown"
    CLOSED = "several nodes as one box"


@dataclass(eq=False, slots=True)
class Part:
    """What is laid out as one, and where lines end."""

    key: str
    kind: Kind
    tier: Tier
    nodes: list[Instance]
    inner: Counter[str] = field(default_factory=Counter)  # states of the links between its nodes


@dataclass(slots=True)
class Mesh:
    """The parts, layer by layer, and the links between any two of them."""

    layers: list[list[Part]]
    bundles: dict[tuple[Part, Part], list[Link]]
    nodes: dict[int, Instance]
    neighbours: dict[int, dict[int, str]]  # of a node: the state of the link to each, the worst where there are two
    part_of: dict[int, Part]
    has_many: bool  # some tier can be opened and closed

    @property
    def parts(self) -> Iterator[Part]:
        return (part for layer in self.layers for part in layer)


def group(instances: Iterable[Instance], links: Iterable[Link], opened: Collection[str]) -> Mesh:
    """The mesh in parts. ``opened``: the tiers, and keys of parts, whose nodes are shown.

    Links to nodes that are not among the instances are left out.
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
        self.whole: set[Tier] = set()  # whose layers are one part each, as they would be too many

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
        """The parts of a layer, after those of the layers before it."""
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
        """Each node by itself, but for those with the same links to more than so many nodes of other layers."""

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
    """The name of a part of several nodes, which stays while its oldest node does."""
    return f"{which.value}-{min(node.pk for node in nodes)}"


def alike(nodes: Iterable[Instance], by: Callable[[Instance], T]) -> list[list[Instance]]:
    classes: dict[T, list[Instance]] = defaultdict(list)
    for node in nodes:
        classes[by(node)].append(node)
    return list(classes.values())


def layered(
    instances: Collection[Instance], neighbours: dict[int, dict[int, str]]
) -> list[tuple[Tier, list[Instance]]]:
    """The nodes by tier, hop nodes by how many hops they are away from the control nodes too."""
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
    """How many hops each hop node is away from the control nodes, which are 0 away.

    Where no control node is reached, the hops are counted from the first hop node.
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
    """Write into ``far`` how far the nodes of ``through`` are that are reached from ``begin``."""
    reached = deque(begin)
    while reached:
        here = reached.popleft()
        for pk in neighbours[here]:
            if pk in through and pk not in far:
                far[pk] = far[here] + 1
                reached.append(pk)


def urgency(state: str) -> int:
    """By which links are ordered, the worst first; a state that is not known is no worse than the best."""
    return WORST_FIRST.index(state) if state in WORST_FIRST else len(WORST_FIRST)
