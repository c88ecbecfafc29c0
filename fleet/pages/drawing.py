"""The mesh as a drawing: a column for each layer, a box for each node, a line for each link or bundle of links.

``shapes`` has the parts of a drawing. ``grouping`` decides which nodes share a box,
``layout`` computes the positions, ``names`` shortens the labels.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from math import ceil

from django.utils.text import capfirst

from fleet.pages import layout
from fleet.pages.breaking import NOWHERE, Breaks
from fleet.pages.grouping import Kind, Link, Mesh, Part, group, urgency
from fleet.pages.names import cut, shortened
from fleet.pages.shapes import (
    CHARACTERS,
    Badge,
    Band,
    Box,
    Drawing,
    Line,
    Piece,
    describe_states,
    in_words,
    short_states,
)
from instances.models import Instance
from instances.overview import (
    SEVERITY,
    Tier,
    standing,
    state_in_words,
    sums,
    tier,
)
from instances.planning.in_words import effect
from instances.planning.risk import LinkCut
from instances.text import isolated

# Lengths in pixels.
BOX_WIDTH, BOX_HEIGHT = 208, 44
CLOSED_HEIGHT = 70
PADDING, FRAME_HEADING = 8, 26
ROWS, COLUMNS = 16, 6  # of a frame: columns are added after ROWS boxes, up to COLUMNS; then rows are added
HEADING, TOGGLE = 58, 32  # heights of a tier's heading and of the button that opens or closes the tier
MARGIN = 10
HEADING_CHARACTERS = 36  # that fit over a column
LABEL_CHARACTER, LABEL_LINE, LABEL_GAP = 6.4, 13, 3  # of a line's label: character width, line height, gap to a box
MOST = 300  # nodes of a tier that are drawn; any part of a tier can be opened by itself
NAMED = 4  # neighbours of a node that are listed by name
ALONG = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9)  # positions of a label as shares of a line, the best first

MIXED = "mixed"


def draw(
    instances: Iterable[Instance], links: Iterable[Link], opened: Collection[str], breaks: Breaks = NOWHERE
) -> Drawing:
    """The drawing of these nodes, in their given order, with the links between them, marked with what ``breaks``."""
    return _Drafting(group(instances, links, opened), breaks).drawing()


class _Drafting:
    def __init__(self, mesh: Mesh, breaks: Breaks) -> None:
        self.mesh, self.breaks = mesh, breaks
        by_tier: dict[Tier, list[str]] = defaultdict(list)
        for node in mesh.nodes.values():
            by_tier[tier(node)].append(node.hostname)
        self.names = {which: shortened(hostnames, CHARACTERS) for which, hostnames in by_tier.items()}
        self.room = Counter(dict.fromkeys(by_tier, MOST))  # further nodes that can be drawn, by tier
        self.pieces = {part: self.piece(part) for part in mesh.parts}

    def drawing(self) -> Drawing:
        numbers = {part: number for number, part in enumerate(self.mesh.parts)}
        arranged = layout.arrange(
            layout.Graph(
                sizes=tuple((piece.width, piece.height) for piece in self.pieces.values()),
                layers=tuple(tuple(numbers[part] for part in layer) for layer in self.mesh.layers),
                edges=tuple(sorted((numbers[first], numbers[second]) for first, second in self.mesh.bundles)),
            )
        )
        if arranged is None:
            return Drawing(0, 0, [], [], failed=True)
        top = MARGIN + HEADING + (TOGGLE if self.mesh.has_many else 0)
        for part, piece in self.pieces.items():
            x, y = arranged.centers[numbers[part]]
            place(piece, MARGIN + x - piece.width / 2, top + y - piece.height / 2)
        lines = []
        for (first, second), links in self.mesh.bundles.items():
            curve = arranged.curves[numbers[first], numbers[second]]
            lines.append(self.line(first, second, links, [(MARGIN + x, top + y) for x, y in curve]))
        label_lines(lines, list(self.pieces.values()))
        bands = self.bands()
        width = max([arranged.width + MARGIN, *(band.x + band.heading_width for band in bands)]) + MARGIN
        return Drawing(ceil(width), ceil(top + arranged.height + MARGIN), bands, [line for line, _ in lines])

    def piece(self, part: Part) -> Piece:
        label, summed = self.label(part.nodes[0]), sums(part.nodes)
        if part.kind is Kind.CLOSED:
            return Piece(part, label, summed, BOX_WIDTH, CLOSED_HEIGHT, badge=self.badge_of_all(part.nodes))
        if part.kind is Kind.NODE:
            return Piece(part, label, summed, BOX_WIDTH, BOX_HEIGHT, [self.box(part.nodes[0])])
        shown = part.nodes
        if len(shown) > self.room[part.tier]:
            shown = sorted(shown, key=lambda node: SEVERITY[standing(node)])[: self.room[part.tier]]
        self.room[part.tier] -= len(shown)
        boxes = [self.box(node) for node in shown]
        for box in boxes:
            near = {self.mesh.part_of[pk].key for pk in self.mesh.neighbours[box.instance.pk]} - {part.key}
            box.near = " ".join(sorted(near))
        columns, rows = grid(len(boxes))
        width = columns * (BOX_WIDTH + PADDING) + PADDING
        height = FRAME_HEADING + rows * (BOX_HEIGHT + PADDING)
        return Piece(part, label, summed, width, height, boxes, len(part.nodes) - len(shown))

    def label(self, node: Instance) -> str:
        return self.names[tier(node)].labels[node.hostname]

    def box(self, node: Instance) -> Box:
        state, links = self.describe_state(node), self.describe_links(node)
        description = f"{isolated(node.hostname)}, {node.node_type}, {state}. {links}"
        box = Box(node, self.label(node), standing(node), description)
        loss = self.breaks.nodes.get(node.pk)
        if loss:
            box.badge = Badge(f"cuts off {len(loss.cuts_off)}")
            box.description += f" {capfirst(effect(loss, isolated))}"
        return box

    def badge_of_all(self, nodes: list[Instance]) -> Badge | None:
        number = sum(node.pk in self.breaks.nodes for node in nodes)
        return Badge(f"{number} cut{'s' * (number == 1)} off others") if number else None

    def describe_state(self, node: Instance) -> str:
        load = f", {node.consumed_capacity} of {node.capacity} forks in use" if node.capacity else ""
        return state_in_words(node) + load

    def describe_links(self, node: Instance) -> str:
        """A sentence as "Linked to hop-1, hop-2 (being removed) and 3 more."."""
        near = sorted(self.mesh.neighbours[node.pk].items(), key=lambda item: urgency(item[1]))
        if not near:
            return "Linked to no visible node."
        names = [
            isolated(self.label(self.mesh.nodes[pk])) + ("" if state == "established" else f" ({in_words(state)})")
            for pk, state in near[:NAMED]
        ]
        more = f" and {len(near) - NAMED} more" if len(near) > NAMED else ""
        return f"Linked to {', '.join(names)}{more}."

    def bands(self) -> list[Band]:
        by_tier: dict[Tier, list[Piece]] = defaultdict(list)
        for layer in self.mesh.layers:
            for piece in sorted((self.pieces[part] for part in layer), key=lambda piece: piece.y):
                by_tier[piece.part.tier].append(piece)
        return [self.band(which, pieces) for which, pieces in by_tier.items()]

    def band(self, which: Tier, pieces: list[Piece]) -> Band:
        left = min(piece.x for piece in pieces)
        right = max(piece.x + piece.width for piece in pieces)
        summed = sums(node for piece in pieces for node in piece.part.nodes)
        return Band(which, pieces, summed, cut(self.names[which].pattern, HEADING_CHARACTERS), left, right - left)

    def line(
        self, first: Part, second: Part, links: list[Link], curve: list[layout.Point]
    ) -> tuple[Line, list[layout.Point]]:
        states = Counter(state for *_, state in links)
        state = next(iter(states)) if len(states) == 1 else MIXED
        cuts = self.breaks.of_links(links)
        described = describe_states(states) if len(links) > 1 else in_words(state)
        ends = f"{isolated(self.describe_end(first))} to {isolated(self.describe_end(second))}"
        line = Line(
            key=f"{first.key}--{second.key}",
            ends=f"{first.key} {second.key}",
            path=path(curve),
            state=state,
            is_bundle=len(links) > 1,
            title=f"{ends}: {described}{describe_cuts(cuts, links)}",
            label=(*(short_states(states) if len(links) > 1 else ()), *short_cuts(cuts, links)),
            urgent=states["removing"] > 0,
            breaks=bool(cuts),
        )
        return line, curve

    def describe_end(self, part: Part) -> str:
        if part.kind is Kind.NODE:
            return part.nodes[0].hostname
        return f"{len(part.nodes)} {part.tier.label.lower()} nodes"


def describe_cuts(cuts: list[LinkCut], links: list[Link]) -> str:
    """What the loss of these links cuts off, as the end of a title."""
    if not cuts:
        return ""
    if len(links) == 1:
        return f"; {effect(cuts[0], isolated)}"
    return f"; the loss of each of {len(cuts)} of them cuts off nodes"


def short_cuts(cuts: list[LinkCut], links: list[Link]) -> tuple[str, ...]:
    """What the loss of these links cuts off, as short lines."""
    if not cuts:
        return ()
    if len(links) == 1:
        return (f"cuts off {len(cuts[0].cuts_off)}",)
    return f"{len(cuts)} cut{'s' * (len(cuts) == 1)}", "off nodes"


def grid(number: int) -> tuple[int, int]:
    """The numbers of columns and rows of a frame with this number of boxes."""
    columns = min(COLUMNS, max(1, ceil(number / ROWS)))
    return columns, ceil(number / columns)


def place(piece: Piece, x: float, y: float) -> None:
    """Set the positions of the piece and of its boxes, column by column."""
    piece.x, piece.y = round(x), round(y)
    if not piece.framed:
        for box in piece.boxes:
            box.x, box.y = piece.x, piece.y
        return
    _, rows = grid(len(piece.boxes))
    for number, box in enumerate(piece.boxes):
        box.x = piece.x + PADDING + number // rows * (BOX_WIDTH + PADDING)
        box.y = piece.y + FRAME_HEADING + number % rows * (BOX_HEIGHT + PADDING)


def path(curve: list[layout.Point]) -> str:
    (x, y), *rest = curve
    return f"M{x:.1f} {y:.1f}C" + " ".join(f"{x:.1f} {y:.1f}" for x, y in rest)


def label_lines(lines: list[tuple[Line, list[layout.Point]]], pieces: list[Piece]) -> None:
    """Place each label on its line without covering a box or another label; a label without such a place is removed."""
    taken = [(piece.x, piece.y, piece.x + piece.width, piece.y + piece.height) for piece in pieces]
    ends = Counter(end for line, _ in lines for end in line.ends.split())
    for line, curve in lines:
        if not line.label:
            continue
        width, height = max(map(len, line.label)) * LABEL_CHARACTER, len(line.label) * LABEL_LINE
        fan, end = (ends[key] for key in line.ends.split())
        for x, y in label_places(curve, width, fan - end):
            wanted = (round(x - width / 2), round(y - height / 2), round(x + width / 2), round(y + height / 2))
            if not any(overlap(wanted, other) for other in taken):
                line.label_x, line.label_y = round(x), wanted[1]
                taken.append(wanted)
                break
        else:
            line.label = ()


def label_places(curve: list[layout.Point], width: float, fan: int) -> Iterator[layout.Point]:
    """Possible positions of a label's middle: beside the end with fewer other lines, then along the line."""
    (left, begin), (right, end) = curve[0], curve[-1]
    if fan > 0:
        yield right - width / 2 - LABEL_GAP, end
    if fan < 0:
        yield left + width / 2 + LABEL_GAP, begin
    yield from (point_on(curve, share) for share in ALONG)


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def point_on(curve: list[layout.Point], share: float) -> layout.Point:
    """The point at this share, 0 to 1, of a Bézier curve."""
    pieces = (len(curve) - 1) // 3
    number = min(int(share * pieces), pieces - 1)
    t = share * pieces - number
    a, b, c, d = curve[3 * number : 3 * number + 4]
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
    x, y = (sum(w * p[axis] for w, p in zip(weights, (a, b, c, d), strict=True)) for axis in (0, 1))
    return x, y
