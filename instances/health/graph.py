"""Which lost nodes are cut off by which others, computed from the links of the mesh."""

from collections import defaultdict
from collections.abc import Iterable

Pair = tuple[int, int]


def cut_off(roots: Iterable[int], lost: set[int], links: Iterable[Pair]) -> dict[int, set[int]]:
    """The lost nodes that are unreachable only because others are down: id -> the ids of those others.

    ``roots``: the control plane; ``links``: pairs of ids, whichever dials. A lost node with a neighbour that is
    reached is down itself and is not in the result; nor is one to which no path leads at all.
    """
    neighbours: dict[int, set[int]] = defaultdict(set)
    for one, other in links:
        neighbours[one].add(other)
        neighbours[other].add(one)
    reached = spread(set(roots) - lost, neighbours, within=None, without=lost)
    down = {node for node in lost if neighbours[node] & reached} | (lost & set(roots))
    behind = lost - down
    blocked: dict[int, set[int]] = {}
    while behind:
        part = spread({next(iter(behind))}, neighbours, within=behind, without=set())
        blockers = down & set().union(*(neighbours[node] for node in part))
        blocked |= {node: blockers for node in part if blockers}
        behind -= part
    return blocked


def spread(begin: set[int], neighbours: dict[int, set[int]], within: set[int] | None, without: set[int]) -> set[int]:
    """All nodes to which paths lead from ``begin``, over nodes that are allowed."""
    found = set(begin)
    new = begin
    while new:
        new = set().union(*(neighbours[node] for node in new)) - found - without
        if within is not None:
            new &= within
        found |= new
    return found
