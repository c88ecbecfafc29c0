"""The mesh as a drawing: a band for each tier, a box for each node, a line for each link. Geometry only.

A tier of many nodes is closed: one box tells what its nodes add up to, and the lines of its nodes end there. Opened, it
shows its nodes in groups of those that are linked to the same nodes above, instead of hundreds of lines.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from awx_compat.pages.table import natural
from instances.models import Instance
from instances.overview import SEVERITY, Standing, Sums, Tier, counted, standing, sums, tier
from instances.text import isolated, visible

COLUMNS = 8
BOX_WIDTH, BOX_HEIGHT, GAP = 136, 42, 12
WIDTH = COLUMNS * (BOX_WIDTH + GAP)
SUMMARY_WIDTH, SUMMARY_ROW, SUMMARY_FOOT = 336, 22, 38  # narrow enough for a phone
LABEL = 26  # how far below a box the label of its line stands
HEADING = 28  # of a tier
SUBHEADING = 22  # of a group of nodes
BETWEEN_TIERS = 64
ARC = 26  # how far a line between boxes side by side hangs below them
FEW = 3 * COLUMNS  # nodes that are always shown
MOST = 600  # nodes of a tier that are drawn
NAME_CHARACTER, NAME_GAP, CHARACTER = 9, 20, 7  # widths in headings
CHARACTERS = 15  # of a hostname that fit into a box
WORST_FIRST = ("removing", "adding", "established")

Link = tuple[int, int, str]  # ids of source and target, state


@dataclass(slots=True)
class Box:
    """A node, or what stands for all nodes of a tier."""

    key: str
    x: int
    y: int
    width: int
    height: int
    instance: Instance | None = None
    label: str = ""
    standing: Standing | None = None
    link_state: str = ""  # the worst of its links that no line shows; "" where all are established

    @property
    def shows_load(self) -> bool:
        """Whether a node's load is written into its box; otherwise its state matters more."""
        return self.standing == Standing.READY and tier(self.instance) != Tier.HOP if self.instance else False

    @property
    def figures(self) -> str:
        """What is written below the node's name."""
        if self.instance is None:
            return ""
        if self.shows_load:
            return f"{self.instance.consumed_capacity} / {self.instance.capacity}"
        return "Disabled" if self.standing == Standing.DISABLED else self.instance.get_node_state_display()

    @property
    def center(self) -> float:
        return self.x + self.width / 2

    @property
    def bottom(self) -> int:
        return self.y + self.height


@dataclass(slots=True)
class Line:
    """The links between two boxes."""

    key: str
    path: str
    state: str  # the worst one
    title: str
    label: str = ""  # where it stands for the links of whole tiers
    label_x: float = 0
    label_y: float = 0


class Gate(NamedTuple):
    """Where a line passes a tier: between its boxes, so that it does not seem to end at one of them."""

    x: float
    top: int
    bottom: int


@dataclass(slots=True)
class Group:
    """A heading over boxes of an opened tier."""

    key: str
    y: int
    text: str


@dataclass(slots=True)
class Band:
    """A tier."""

    tier: Tier
    y: int
    sums: Sums
    closed: bool
    can_toggle: bool
    query: str = ""  # of the address that opens or closes it
    frame: Box | None = None  # where lines end, unless each node has its own
    boxes: list[Box] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    left_out: int = 0
    bottom: int = 0
    inner: Counter[str] = field(default_factory=Counter)  # states of the links within the tier that no line shows

    @property
    def standings(self) -> list[tuple[int, int, Standing, str]]:
        """For each standing of a node of the tier, where in the summary it is written how many have it."""
        present = [each for each in Standing if self.sums.standings[each]]
        places = [(number % 2 * SUMMARY_WIDTH // 2, number // 2 * SUMMARY_ROW) for number in range(len(present))]
        return [
            (x, y, each, counted(self.sums.standings[each], each)) for (x, y), each in zip(places, present, strict=True)
        ]

    @property
    def gaps(self) -> list[float]:
        """Where lines may pass between its boxes, from the right to the left."""
        boxes = self.boxes or ([self.frame] if self.frame else [])
        sides = {box.x - GAP / 2 for box in boxes} | {box.x + box.width + GAP / 2 for box in boxes}
        return sorted(sides, reverse=True)

    @property
    def load(self) -> str:
        return "carry no jobs" if self.tier == Tier.HOP else f"{self.sums.percent_used:.0f}% in use"

    @property
    def summary(self) -> str:
        """What is written into the box of a closed tier, as one text."""
        return " ".join([*(text for *_, text in self.standings), self.load, f"Show all {self.sums.nodes}"])

    @property
    def told(self) -> str:
        """What its heading tells beside its name."""
        nodes = f"{self.sums.nodes} node{'s' * (self.sums.nodes != 1)}"
        load = "" if self.tier == Tier.HOP else f", {self.sums.consumed} of {self.sums.capacity} forks"
        return f"{nodes}{load}. {self.told_inner}" if self.told_inner else f"{nodes}{load}"

    @property
    def heading_width(self) -> int:
        """What the heading takes in a wide font, so that no line is seen through it."""
        return len(self.tier.label) * NAME_CHARACTER + NAME_GAP + len(self.told) * CHARACTER

    @property
    def told_inner(self) -> str:
        """The links within the tier, where no line shows them."""
        number = self.inner.total()
        return f"{number} link{'s' * (number != 1)} within it: {in_words(self.inner)}" if number else ""


@dataclass(slots=True)
class Drawing:
    width: int
    height: int
    bands: list[Band]
    lines: list[Line]
    domain: str  # that is left out of the labels


def usual_domain(hostnames: Collection[str]) -> str:
    """The domain, with its dot, of more than half of the hostnames; "" where there is none, or only one name."""
    counted = Counter(name[name.index(".") :] for name in hostnames if "." in name)
    domain, number = max(counted.items(), key=lambda item: item[1], default=("", 0))
    return domain if number > 1 and number > len(hostnames) / 2 else ""


def labels(hostnames: Collection[str]) -> tuple[dict[str, str], str]:
    """What stands for each hostname, short enough for a box, and the domain that was left out of them."""
    domain = usual_domain(hostnames)
    taken = {name for name in hostnames if not name.endswith(domain)}
    found = {}
    for name in hostnames:
        own = name.removesuffix(domain)
        found[name] = shortened(visible(name if own in taken or not own else own))
    return found, domain


def shortened(name: str) -> str:
    return name if len(name) <= CHARACTERS else name[: CHARACTERS - 1] + "…"


def draw(instances: Iterable[Instance], links: Iterable[Link], opened: Collection[str]) -> Drawing:
    """The drawing of these nodes, ordered as they come, with the links between any two of them."""
    return _Drafting(list(instances), links, opened).drawing()


class _Drafting:
    def __init__(self, instances: list[Instance], links: Iterable[Link], opened: Collection[str]) -> None:
        self.by_pk = {instance.pk: instance for instance in instances}
        self.links = [link for link in links if link[0] in self.by_pk and link[1] in self.by_pk]
        self.opened = opened
        self.labels, self.domain = labels([instance.hostname for instance in instances])
        self.tiers: dict[Tier, list[Instance]] = defaultdict(list)
        for instance in instances:
            self.tiers[tier(instance)].append(instance)
        self.neighbours: dict[int, dict[int, str]] = defaultdict(dict)
        for source, target, state in self.links:
            self.neighbours[source][target] = self.neighbours[target][source] = state
        self.bands: list[Band] = []
        self.anchors: dict[int, Box] = {}  # where the lines of a node end

    def drawing(self) -> Drawing:
        y = 0
        for each in Tier:
            if self.tiers[each]:
                self.bands.append(self.band(each, y))
                y = self.bands[-1].bottom + BETWEEN_TIERS
        lines = list(self.lines({band.frame.key: band for band in self.bands if band.frame}))
        return Drawing(WIDTH, max(0, y - BETWEEN_TIERS) + ARC, self.bands, lines, self.domain)

    def band(self, which: Tier, y: int) -> Band:
        nodes = self.tiers[which]
        many = len(nodes) > FEW
        band = Band(which, y, sums(nodes), closed=many and which not in self.opened, can_toggle=many)
        if band.closed:
            self.close(band, nodes)
        elif many:
            self.open(band, nodes)
        else:
            band.boxes = self.grid(nodes, y + HEADING, centered=True)
            band.bottom = band.boxes[-1].bottom
            self.anchors |= {box.instance.pk: box for box in band.boxes if box.instance}
        return band

    def close(self, band: Band, nodes: list[Instance]) -> None:
        x = (WIDTH - SUMMARY_WIDTH) // 2
        height = (len(band.standings) + 1) // 2 * SUMMARY_ROW + SUMMARY_FOOT
        band.frame = Box(f"tier-{band.tier}", x, band.y + HEADING, SUMMARY_WIDTH, height)
        band.bottom = band.frame.bottom
        self.anchors |= dict.fromkeys([node.pk for node in nodes], band.frame)

    def open(self, band: Band, nodes: list[Instance]) -> None:
        shown = sorted(nodes, key=lambda node: SEVERITY[standing(node)])[:MOST] if len(nodes) > MOST else nodes
        band.left_out = len(nodes) - len(shown)
        y = band.y + HEADING
        for number, (text, members) in enumerate(self.grouped(shown, band.tier)):
            if text:
                band.groups.append(Group(f"group-{band.tier}-{number}", y, text))
                y += SUBHEADING
            boxes = self.grid(members, y, centered=False)
            for box in boxes:
                box.link_state = self.worst_link(box)
            band.boxes += boxes
            y = boxes[-1].bottom + GAP
        band.bottom = y
        band.frame = Box(f"tier-{band.tier}", 0, band.y + HEADING - 6, WIDTH, y - band.y - HEADING + 6)
        self.anchors |= dict.fromkeys([node.pk for node in nodes], band.frame)

    def grouped(self, nodes: list[Instance], which: Tier) -> list[tuple[str, list[Instance]]]:
        """Nodes by what they are linked to in the tiers above; one group without a heading where that tells nothing."""
        groups: dict[tuple[int, ...], list[Instance]] = defaultdict(list)
        above = list(Tier)[: list(Tier).index(which)]
        for node in nodes:
            uplinks = [pk for pk in self.neighbours[node.pk] if tier(self.by_pk[pk]) in above]
            groups[tuple(sorted(uplinks, key=lambda pk: self.by_pk[pk].hostname))].append(node)
        if len(groups) == 1 or len(groups) > len(nodes) / 2:
            return [("", nodes)]
        by_name = sorted(groups.items(), key=lambda group: [natural(self.by_pk[pk].hostname) for pk in group[0]])
        return [(self.over(uplinks, len(members)), members) for uplinks, members in by_name]

    def over(self, uplinks: tuple[int, ...], number: int) -> str:
        names = [self.labels[self.by_pk[pk].hostname] for pk in uplinks[:4]]
        names += [f"{len(uplinks) - 4} more"] if len(uplinks) > 4 else []
        nodes = f"{number} node" + "s" * (number != 1)
        return f"Over \u2068{', '.join(names)}\u2069: {nodes}" if names else f"Linked to nothing above: {nodes}"

    def grid(self, nodes: list[Instance], y: int, centered: bool) -> list[Box]:
        columns = min(COLUMNS, len(nodes)) if centered else COLUMNS
        left = (WIDTH - columns * (BOX_WIDTH + GAP) + GAP) // 2
        return [
            Box(
                key=f"node-{node.pk}",
                x=left + number % columns * (BOX_WIDTH + GAP),
                y=y + number // columns * (BOX_HEIGHT + GAP),
                width=BOX_WIDTH,
                height=BOX_HEIGHT,
                instance=node,
                label=self.labels[node.hostname],
                standing=standing(node),
            )
            for number, node in enumerate(nodes)
        ]

    def worst_link(self, box: Box) -> str:
        states = self.neighbours[box.instance.pk].values() if box.instance else ()
        return next((state for state in WORST_FIRST[:-1] if state in states), "")

    def lines(self, framed: dict[str, Band]) -> Iterator[Line]:
        """One line for all links between two boxes; links within a frame are only counted."""
        between: dict[tuple[str, str], list[Link]] = defaultdict(list)
        ends: dict[str, Box] = {}
        for link in self.links:
            source, target = self.anchors[link[0]], self.anchors[link[1]]
            if source is target:
                framed[source.key].inner[link[2]] += 1
                continue
            upper, lower = sorted((source, target), key=lambda box: (box.y, box.x))
            ends[upper.key], ends[lower.key] = upper, lower
            between[upper.key, lower.key].append(link)
        for (upper_key, lower_key), joined in between.items():
            yield self.line(ends[upper_key], ends[lower_key], joined)

    def line(self, upper: Box, lower: Box, joined: list[Link]) -> Line:
        states = Counter(state for _, _, state in joined)
        state = next((each for each in WORST_FIRST if each in states), joined[0][2])
        told = self.told(joined, states)
        gates = self.gates(upper, lower)
        line = Line(f"{upper.key}-{lower.key}", curve(upper, lower, gates), state, told)
        if upper.instance is None and lower.instance is None:
            line.label = f"{len(joined)} link{'s' * (len(joined) != 1)}: {in_words(states)}"
            line.label_x, top = (gates[-1].x, gates[-1].bottom) if gates else (upper.center, upper.bottom)
            line.label_y = top + LABEL
        return line

    def gates(self, upper: Box, lower: Box) -> list[Gate]:
        straight = (upper.center + lower.center) / 2
        passed = [band for band in self.bands if upper.bottom < band.y and band.bottom < lower.y]
        return [Gate(min(band.gaps, key=lambda x: abs(x - straight)), band.y + HEADING, band.bottom) for band in passed]

    def told(self, joined: list[Link], states: Counter[str]) -> str:
        if len(joined) > 2:
            return f"{len(joined)} links: {in_words(states)}"
        return "; ".join(
            f"{isolated(self.by_pk[source].hostname)} to {isolated(self.by_pk[target].hostname)}: {state}"
            for source, target, state in joined
        )


def in_words(states: Counter[str]) -> str:
    """ "3 established, 1 adding"."""
    return ", ".join(f"{states[state]} {state}" for state in reversed(WORST_FIRST) if states[state])


def curve(upper: Box, lower: Box, gates: list[Gate]) -> str:
    """From the bottom of one box through the gates to the top of a lower one, or below two that stand side by side."""
    x, y = upper.center, upper.bottom
    if lower.y < y:
        return f"M{x:g} {y}C{x:g} {y + ARC} {lower.center:g} {y + ARC} {lower.center:g} {y}"
    path = f"M{x:g} {y}"
    for gate in [*gates, Gate(lower.center, lower.y - HEADING, lower.y)]:  # straight past the heading, not along it
        middle = (y + gate.top) / 2
        path += f"C{x:g} {middle:g} {gate.x:g} {middle:g} {gate.x:g} {gate.top}V{gate.bottom}"
        x, y = gate.x, gate.bottom
    return path
