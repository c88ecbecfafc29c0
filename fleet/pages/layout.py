"""Positions of boxes and lines in a layered drawing, computed by Graphviz's dot.

dot runs in a process of its own: the C library is not thread-safe, and a crash or an endless loop in it must not affect
the service. It runs once for each graph; the states of nodes are not part of a graph.
"""

import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

logger = logging.getLogger(__name__)

TIMEOUT = 10  # seconds; the largest graphs take one
RETRY_AFTER = 60  # seconds after a failure
MOST_CACHED = 64  # layouts in memory, of about ten kilobytes each
BETWEEN_BOXES, BETWEEN_LAYERS = 14, 100  # pixels
INCH = 72  # pixels per inch of dot's lengths
DOT = """
import sys, pygraphviz
graph = pygraphviz.AGraph(sys.stdin.read())
sys.stdout.buffer.write(graph.draw(format="plain", prog="dot"))
"""

Point = tuple[float, float]
Edge = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Graph:
    """The graph to lay out. Boxes are numbered by their index in ``sizes``; layers are ordered from left to right."""

    sizes: tuple[tuple[int, int], ...]  # width and height, in pixels
    layers: tuple[tuple[int, ...], ...]  # the boxes of each
    edges: tuple[Edge, ...]  # without duplicates and loops


failed: dict[Graph, float] = {}  # graphs that dot failed on, with the time of the next attempt (monotonic clock)


@dataclass(frozen=True, slots=True)
class Layout:
    """Positions in pixels from the upper left corner of the drawing."""

    width: float
    height: float
    centers: dict[int, Point]
    curves: dict[Edge, tuple[Point, ...]]  # Bézier control points: the start, then three for each segment


def arrange(graph: Graph) -> Layout | None:
    """The layout; None if dot fails, which is logged. After RETRY_AFTER seconds dot is run again."""
    if time.monotonic() < failed.get(graph, 0):
        return None
    try:
        return run_dot(graph)
    except (OSError, subprocess.SubprocessError) as error:
        logger.error("The mesh cannot be drawn: dot failed on %s boxes: %s", len(graph.sizes), error)
    if len(failed) >= MOST_CACHED:
        failed.clear()
    failed[graph] = time.monotonic() + RETRY_AFTER
    return None


@lru_cache(maxsize=MOST_CACHED)
def run_dot(graph: Graph) -> Layout:
    """The layout. Raises OSError or SubprocessError if dot fails."""
    if not graph.sizes:
        return Layout(0, 0, {}, {})
    command = [sys.executable, "-c", DOT]
    done = subprocess.run(  # noqa: S603 - the command is the same for all graphs
        command, input="\n".join(dot_source(graph)), capture_output=True, text=True, timeout=TIMEOUT, check=True
    )
    return normalized(parse_plain(done.stdout), graph)


def dot_source(graph: Graph) -> Iterator[str]:
    """The graph in dot's language."""
    yield f"graph {{ rankdir=LR nodesep={BETWEEN_BOXES / INCH:.4f} ranksep={BETWEEN_LAYERS / INCH:.4f}"
    yield 'node [shape=box fixedsize=true label=""]'
    for number, (width, height) in enumerate(graph.sizes):
        yield f"{number} [width={width / INCH:.4f} height={height / INCH:.4f}]"
    # Each layer has an invisible box of the same rank, and a chain of invisible edges orders these boxes.
    for number, layer in enumerate(graph.layers):
        yield f"{{ rank=same layer{number} [width=0.01 height=0.01 style=invis] {' '.join(map(str, layer))} }}"
    if len(graph.layers) > 1:
        yield f"{' -- '.join(f'layer{number}' for number in range(len(graph.layers)))} [style=invis]"
    place = {box: number for number, layer in enumerate(graph.layers) for box in layer}
    for begin, end in graph.edges:
        sides = " [tailport=e headport=w]" if place[begin] < place[end] else ""
        yield f"{begin} -- {end}{sides}"
    yield "}"


def parse_plain(plain: str) -> Layout:
    """The layout from dot's format "plain": lines of words, lengths in inches from the lower left corner."""
    lines = [line.split() for line in plain.splitlines()]
    width, height = (float(word) * INCH for word in lines[0][2:4])

    def points(words: list[str]) -> tuple[Point, ...]:
        numbers = [float(word) * INCH for word in words]
        return tuple((x, height - y) for x, y in zip(numbers[::2], numbers[1::2], strict=True))

    centers = {int(line[1]): points(line[2:4])[0] for line in lines if line[0] == "node" and line[1].isdigit()}
    curves = {
        (int(line[1]), int(line[2])): points(line[4 : 4 + 2 * int(line[3])])
        for line in lines
        if line[0] == "edge" and line[1].isdigit()
    }
    return Layout(width, height, centers, curves)


def normalized(layout: Layout, graph: Graph) -> Layout:
    """The layout, or its mirror image if that keeps the order of more boxes.

    The space of invisible boxes above and below the drawing is removed.
    """
    ys = {box: y for box, (_, y) in layout.centers.items()}
    steps = [ys[lower] - ys[upper] for layer in graph.layers for upper, lower in pairwise(layer)]
    sign = 1 if sum(step > 0 for step in steps) * 2 >= len(steps) else -1
    halves = {box: height / 2 for box, (_, height) in enumerate(graph.sizes)}
    heights = [sign * y for curve in layout.curves.values() for _, y in curve]
    heights += [sign * y + half for box, y in ys.items() for half in (-halves[box], halves[box])]
    top = min(heights)
    return Layout(
        layout.width,
        max(heights) - top,
        {box: (x, sign * y - top) for box, (x, y) in layout.centers.items()},
        {edge: tuple((x, sign * y - top) for x, y in curve) for edge, curve in layout.curves.items()},
    )
