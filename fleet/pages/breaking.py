"""Where the mesh would break, as the drawing marks it and as the list below the drawing says it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice

from fleet.pages.grouping import Link
from instances.models import Instance, InstanceLink
from instances.planning import risk
from instances.planning.in_words import NO_RISK, arrow, effect, unreachable
from instances.planning.risk import LinkCut, MeshGraph, NodeCut, node_at_risk
from instances.text import isolated

LISTED = 5  # of each kind; awx-instances mesh_risk lists all

Ends = tuple[int, int]  # ids of source and of the instance whose address is the target


@dataclass(frozen=True, slots=True)
class Breaks:
    """What the loss of nodes and links cuts off, by the ids of the nodes and of the ends of links."""

    nodes: dict[int, NodeCut]
    links: dict[Ends, LinkCut]
    unreachable: list[str]

    def of_links(self, links: Iterable[Link]) -> list[LinkCut]:
        """What the loss of each of these links cuts off, where it does."""
        ends = ((source, target) for source, target, state in links if counts(state))
        return [self.links[each] for each in ends if each in self.links]

    def sentences(self) -> list[str]:
        """All of it in words, the most harmful first, up to LISTED of each kind."""
        alone = [unreachable(name, isolated) for name in self.unreachable[:LISTED]]
        nodes = [
            f"Node {isolated(cut.hostname)}: {effect(cut, isolated)}" for cut in islice(self.nodes.values(), LISTED)
        ]
        links = [
            f"Link {arrow(cut.source, cut.target, isolated)}: {effect(cut, isolated)}"
            for cut in islice(self.links.values(), LISTED)
        ]
        return [*alone, *nodes, *links] or [NO_RISK]

    @property
    def left_out(self) -> int:
        """How many further sentences there are."""
        return sum(max(0, len(each) - LISTED) for each in (self.nodes, self.links, self.unreachable))


NOWHERE = Breaks({}, {}, [])  # where nobody asked


def find_breaks(nodes: Collection[Instance], links: Iterable[Link]) -> Breaks:
    """Where the mesh of these nodes would break; they were read ``with_load()``."""
    names = {node.pk: node.hostname for node in nodes}
    ids = {hostname: pk for pk, hostname in names.items()}
    ends = [(source, target) for source, target, state in links if counts(state)]
    known = [(source, target) for source, target in ends if source in names and target in names]
    graph = MeshGraph(map(node_at_risk, nodes), (risk.Link(names[one], names[other]) for one, other in known))
    return Breaks(
        {ids[cut.hostname]: cut for cut in graph.node_cuts()},
        {(ids[cut.source], ids[cut.target]): cut for cut in graph.link_cuts()},
        graph.unreachable(),
    )


def counts(state: str) -> bool:
    return state != InstanceLink.State.REMOVING
