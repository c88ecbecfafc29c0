"""Over what all ways from the control plane to a node lead, for many nodes of the stored mesh at once.

``risk`` says what each loss would do to the mesh; this says what one node depends on, for its condition SinglePath.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Self

from instances.capacity import CONTROLLING
from instances.planning.risk import Link, Point, counting_links, dominators, standing_before

NAMED = 4  # nodes and links that are named of those over which all ways lead

SOURCE = ("source__hostname", "source__node_type")
TARGET = ("target__instance__hostname", "target__instance__node_type")


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways from the control plane over these links."""

    links: tuple[Link, ...]
    before: dict[Point, Point]  # as ``dominators()`` has it

    @classmethod
    def stored(cls) -> Self:
        """Over the stored links, but for those that are being removed. One query."""
        links = counting_links().order_by("pk")
        ends: list[Link] = []
        controllers: set[str] = set()
        for source, source_type, target, target_type in links.values_list(*SOURCE, *TARGET):
            ends.append(Link(source, target))
            if source_type in CONTROLLING:
                controllers.add(source)
            if target_type in CONTROLLING:
                controllers.add(target)
        return cls(tuple(ends), dominators_of(frozenset(controllers), tuple(ends)))

    def reach(self, hostname: str) -> bool:
        """Whether any leads to this node."""
        return hostname in self.before

    def threads(self, hostname: str) -> str:
        """The other nodes and the links that are on every way to the node, in words, the nearest first; "" if none.

        At most NAMED of them.
        """
        found = list(islice(standing_before(self.before, hostname), NAMED + 1))
        names = [point if isinstance(point, str) else "the link {} → {}".format(*self.links[point]) for point in found]
        more = " and others" if len(names) > NAMED else ""
        return ", ".join(names[:NAMED]) + more


# The mesh seldom changes, and its links are read in any case.
dominators_of = lru_cache(maxsize=1)(dominators)
