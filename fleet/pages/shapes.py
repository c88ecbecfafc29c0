"""The parts of a drawing of the mesh: boxes, lines and columns, and their texts."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from fleet.pages.grouping import Kind, Part, urgency
from fleet.pages.names import cut
from instances.models import Instance
from instances.overview import (
    Standing,
    Sums,
    Tier,
    counted,
    no_capacity_in_words,
    state_in_words,
    tier,
)
from instances.text import isolated

CHARACTERS, FIGURES = 24, 32  # that fit into a box: of the name, and of the figures below it
HEADING_WIDTH = 256  # least width of a tier's columns
BADGE_PADDING, BADGE_CHARACTER = 12, 5.6
COUNT_WIDTH, DIGIT = 20, 6  # widths of a mark with its space, and of a digit of the number beside it
IN_WORDS = {"removing": "being removed", "adding": "being added", "established": "established"}


@dataclass(frozen=True, slots=True)
class Badge:
    """What the loss of a node cuts off, or how many of several nodes cut off others: on the upper edge of a box."""

    text: str

    @property
    def width(self) -> int:
        return BADGE_PADDING + round(BADGE_CHARACTER * len(self.text))

    @property
    def middle(self) -> float:
        return self.width / 2


@dataclass(slots=True)
class Box:
    """A node."""

    instance: Instance
    label: str
    standing: Standing
    description: str  # full name, state and links, as text
    x: int = 0
    y: int = 0
    near: str = ""  # keys of linked parts, if the node does not share all lines of its own part
    badge: Badge | None = None

    @property
    def key(self) -> str:
        return f"node-{self.instance.pk}"

    @property
    def shows_load(self) -> bool:
        """Whether the box shows the node's load; otherwise the box shows the state."""
        return self.standing == Standing.READY and self.instance.capacity > 0

    @property
    def figures(self) -> str:
        """The text below the node's name."""
        if self.shows_load:
            return f"{self.instance.consumed_capacity} / {self.instance.capacity}"
        if self.standing == Standing.READY and tier(self.instance) != Tier.HOP:
            return no_capacity_in_words(self.instance).capitalize()
        return cut(state_in_words(self.instance), FIGURES)


@dataclass(slots=True)
class Piece:
    """A drawn part of the mesh: the box of a node, a frame around several nodes, or one box for several nodes."""

    part: Part
    label: str  # of its first node
    sums: Sums
    width: int
    height: int
    boxes: list[Box] = field(default_factory=list)
    left_out: int = 0
    x: int = 0
    y: int = 0
    query: str = ""  # query string of the address that opens or closes the part; "" if there is none
    badge: Badge | None = None

    @property
    def key(self) -> str:
        return self.part.key

    @property
    def closed(self) -> bool:
        return self.part.kind is Kind.CLOSED

    @property
    def framed(self) -> bool:
        return self.part.kind is Kind.FRAME

    @property
    def number(self) -> int:
        return len(self.part.nodes)

    @property
    def more(self) -> int:
        """The number of nodes beside the one that the label names."""
        return self.number - 1

    @property
    def close_x(self) -> int:
        """The position of the button that closes a frame, in its upper right corner."""
        return self.x + self.width - 58

    @property
    def counts(self) -> list[tuple[int, Standing, int]]:
        """The numbers of nodes by standing, each with its position in the box."""
        right = self.width - 12
        places = []
        for each, number in reversed(self.standings):
            right -= COUNT_WIDTH + DIGIT * len(str(number))
            places.append((right, each, number))
        return places[::-1]

    @property
    def standings(self) -> list[tuple[Standing, int]]:
        """The numbers of nodes by standing, the worst first, without zeros."""
        numbers = self.sums.standings
        return [(each, numbers[each]) for each in Standing if numbers[each]]

    @property
    def load(self) -> str:
        return "" if not self.sums.capacity else f"{self.sums.percent_used:.0f}% in use"

    @property
    def shown(self) -> str:
        """The texts in the box of several nodes, in reading order."""
        numbers = [str(number) for _, number in self.standings]
        badge = self.badge.text if self.badge else ""
        return " ".join(
            filter(None, [f"{self.label} and {self.more} more", *numbers, self.load, f"Show {self.number}", badge])
        )

    @property
    def description(self) -> str:
        """The box of several nodes, in words."""
        standings = ", ".join(counted(number, each) for each, number in self.standings)
        texts = [f"{isolated(self.label)} and {self.more} more", standings, self.load, self.inner_links]
        return "; ".join(filter(None, texts))

    @property
    def inner_links(self) -> str:
        """The links between the part's own nodes, which are not drawn as lines."""
        return among(self.part.inner)

    @property
    def heading(self) -> str:
        """The heading of a frame."""
        hidden = f"{self.left_out} more are in the table below" if self.left_out else ""
        return "; ".join(filter(None, [f"{self.number} nodes", self.inner_links, hidden]))


@dataclass(slots=True)
class Line:
    """The links between two parts."""

    key: str
    ends: str  # the keys of both parts
    path: str
    state: str  # of all links, or MIXED
    is_bundle: bool
    title: str
    label: tuple[str, ...] = ()  # lines of text
    label_x: int = 0  # of the label's middle
    label_y: int = 0  # of the label's upper edge
    urgent: bool = False  # some links are being removed
    breaks: bool = False  # the loss of one of the links cuts off nodes


@dataclass(slots=True)
class Band:
    """The columns of a tier."""

    tier: Tier
    pieces: list[Piece]
    sums: Sums
    names: str  # the pattern of the names: beginning and ending that the labels leave out
    x: int
    width: int
    opens: str = ""  # query strings of the addresses that open and close the whole tier; "" if not applicable
    closes: str = ""

    @property
    def summary(self) -> str:
        """The text of the heading below the tier's name."""
        sums = self.sums
        nodes = f"{sums.nodes} node{'s' * (sums.nodes != 1)}"
        return nodes if self.tier == Tier.HOP else f"{nodes}, {sums.consumed} of {sums.capacity} forks"

    @property
    def heading_width(self) -> int:
        return max(HEADING_WIDTH, self.width)

    @property
    def has_closed(self) -> bool:
        return any(piece.closed for piece in self.pieces)


@dataclass(slots=True)
class Drawing:
    width: int
    height: int
    bands: list[Band]
    lines: list[Line]
    failed: bool = False  # without a layout nothing can be drawn

    @property
    def pieces(self) -> Iterator[Piece]:
        return (piece for band in self.bands for piece in band.pieces)


def in_words(state: str) -> str:
    return IN_WORDS.get(state, state)


def changing(states: Counter[str]) -> list[str]:
    """The states of links that are not established, the worst first."""
    return sorted(states.keys() - {"established"}, key=lambda state: (urgency(state), state))


def describe_states(states: Counter[str]) -> str:
    """A text as "2 of 20 being removed, 1 of 20 being added" or "20 established"."""
    total = states.total()
    if not changing(states):
        return f"{total} established"
    return ", ".join(f"{states[state]} of {total} {in_words(state)}" for state in changing(states))


def short_states(states: Counter[str]) -> tuple[str, ...]:
    """The states of a bundle as short lines; () if all links are established."""
    if not changing(states):
        return ()
    first, *others = changing(states)
    return (
        f"{states[first]} of {states.total()}",
        in_words(first),
        *(f"{states[each]} {in_words(each)}" for each in others),
    )


def among(states: Counter[str]) -> str:
    """A text as "6 links among them", with the numbers of links that are changing."""
    total = states.total()
    if not total:
        return ""
    changes = f", {describe_states(states)}" if changing(states) else ""
    return f"{total} link{'s' * (total != 1)} among them{changes}"
