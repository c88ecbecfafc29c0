"""What a drawing of the mesh is made of: boxes, lines and columns, and what is written into them."""

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

CHARACTERS, FIGURES = 24, 32  # of a name, and of what stands below it, that fit into a box
HEADING_WIDTH = 256  # which the columns of a tier have at least
COUNT_WIDTH, DIGIT = 20, 6  # of a mark and the space beside it; of a digit of its number
IN_WORDS = {"removing": "being removed", "adding": "being added", "established": "established"}


@dataclass(slots=True)
class Box:
    """A node."""

    instance: Instance
    label: str
    standing: Standing
    told: str  # all of its name, how it is, and its links
    x: int = 0
    y: int = 0
    near: str = ""  # keys of the parts it is linked to, where not all lines of its own part are its lines

    @property
    def key(self) -> str:
        return f"node-{self.instance.pk}"

    @property
    def shows_load(self) -> bool:
        """Whether a node's load is written into its box; otherwise its state matters more."""
        return self.standing == Standing.READY and self.instance.capacity > 0

    @property
    def figures(self) -> str:
        """What is written below the node's name."""
        if self.shows_load:
            return f"{self.instance.consumed_capacity} / {self.instance.capacity}"
        if self.standing == Standing.READY and tier(self.instance) != Tier.HOP:
            return no_capacity_in_words(self.instance).capitalize()
        return cut(state_in_words(self.instance), FIGURES)


@dataclass(slots=True)
class Piece:
    """A part of the mesh as it is drawn: the box of a node, a frame around several, or one box for several."""

    part: Part
    label: str  # of its first node
    sums: Sums
    width: int
    height: int
    boxes: list[Box] = field(default_factory=list)
    left_out: int = 0
    x: int = 0
    y: int = 0
    query: str = ""  # of the address that opens or closes it; "" where that cannot be done

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
        """How many nodes it stands for beside the one that it names."""
        return self.number - 1

    @property
    def close_x(self) -> int:
        """Where what closes a frame stands, in its upper right corner."""
        return self.x + self.width - 58

    @property
    def counts(self) -> list[tuple[int, Standing, int]]:
        """The standings, each with the place in the box where it stands."""
        right = self.width - 12
        places = []
        for each, number in reversed(self.standings):
            right -= COUNT_WIDTH + DIGIT * len(str(number))
            places.append((right, each, number))
        return places[::-1]

    @property
    def standings(self) -> list[tuple[Standing, int]]:
        """How many of its nodes stand in each way, the worst first, without those that none does."""
        numbers = self.sums.standings
        return [(each, numbers[each]) for each in Standing if numbers[each]]

    @property
    def load(self) -> str:
        return "" if not self.sums.capacity else f"{self.sums.percent_used:.0f}% in use"

    @property
    def shown(self) -> str:
        """The texts in the box of several nodes, in their order."""
        numbers = [str(number) for _, number in self.standings]
        return " ".join(
            filter(None, [f"{self.label} and {self.more} more", *numbers, self.load, f"Show {self.number}"])
        )

    @property
    def told(self) -> str:
        """What the box of several nodes tells, in words."""
        standings = ", ".join(counted(number, each) for each, number in self.standings)
        texts = [f"{isolated(self.label)} and {self.more} more", standings, self.load, self.told_inner]
        return "; ".join(filter(None, texts))

    @property
    def told_inner(self) -> str:
        """The links between its nodes, which no line shows."""
        return among(self.part.inner)

    @property
    def heading(self) -> str:
        """What stands over the nodes of a frame."""
        hidden = f"{self.left_out} more are in the table below" if self.left_out else ""
        return "; ".join(filter(None, [f"{self.number} nodes", self.told_inner, hidden]))


@dataclass(slots=True)
class Line:
    """The links between two parts."""

    key: str
    ends: str  # the keys of the two
    path: str
    state: str  # of all of them, or MIXED
    is_bundle: bool
    title: str
    label: tuple[str, ...] = ()  # lines of text
    label_x: int = 0  # its middle
    label_y: int = 0  # its upper edge
    urgent: bool = False  # some links are being removed


@dataclass(slots=True)
class Band:
    """The columns of a tier."""

    tier: Tier
    pieces: list[Piece]
    sums: Sums
    names: str  # what was left out of the names
    x: int
    width: int
    opens: str = ""  # queries of addresses that open and close the whole tier; "" where there is nothing to
    closes: str = ""

    @property
    def told(self) -> str:
        """What its heading tells below its name."""
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
    failed: bool = False  # there is no layout, and nothing can be shown

    @property
    def pieces(self) -> Iterator[Piece]:
        return (piece for band in self.bands for piece in band.pieces)


def in_words(state: str) -> str:
    return IN_WORDS.get(state, state)


def changing(states: Counter[str]) -> list[str]:
    """The states of links that are not established, the worst first."""
    return sorted(states.keys() - {"established"}, key=lambda state: (urgency(state), state))


def told_states(states: Counter[str]) -> str:
    """ "2 of 20 being removed, 1 of 20 being added"; "20 established"."""
    total = states.total()
    if not changing(states):
        return f"{total} established"
    return ", ".join(f"{states[state]} of {total} {in_words(state)}" for state in changing(states))


def short_states(states: Counter[str]) -> tuple[str, ...]:
    """The same for where there is little room, as short lines; () where nothing changes."""
    if not changing(states):
        return ()
    first, *others = changing(states)
    return (
        f"{states[first]} of {states.total()}",
        in_words(first),
        *(f"{states[each]} {in_words(each)}" for each in others),
    )


def among(states: Counter[str]) -> str:
    """ "6 links among them", with how many of these change."""
    total = states.total()
    if not total:
        return ""
    told = f", {told_states(states)}" if changing(states) else ""
    return f"{total} link{'s' * (total != 1)} among them{told}"
