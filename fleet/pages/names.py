"""Short labels for hostnames in the drawing, unique among the nodes of a tier."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from os.path import commonprefix
from typing import NamedTuple

from instances.text import visible

ELLIPSIS = "\u2026"
HEAD = 4  # first characters of a label for names that differ only near their end
FEWEST = 3  # least length of a common beginning that is left out
PARTS = re.compile(r"[^-_.]*[-_.]")  # a part of a name, with the separator after it


class Names(NamedTuple):
    """The labels of some hostnames, and the beginning and ending that were left out."""

    labels: dict[str, str]  # by hostname
    beginning: str
    ending: str

    @property
    def pattern(self) -> str:
        """A pattern as "exec-*.example.org"; "" if nothing was left out."""
        return f"{self.beginning}*{self.ending}" if self.beginning or self.ending else ""


def shortened(hostnames: Collection[str], length: int) -> Names:
    """Unique labels of at most ``length`` characters, without the domain of most names.

    A common beginning is left out too if a label would be too long with it. Characters that change the direction of
    text are replaced.
    """
    ending = usual_ending(hostnames)
    rests = {name: name.removesuffix(ending) or name for name in hostnames}
    beginning = common_beginning(rests.values()) if max(map(len, rests.values()), default=0) > length else ""
    rests = {name: rest.removeprefix(beginning) for name, rest in rests.items()}
    if len(set(rests.values())) < len(rests):  # a.example.org beside a
        rests, beginning, ending = {name: name for name in hostnames}, "", ""
    labels = distinct([visible(rest) for rest in rests.values()], length)
    return Names(dict(zip(rests, labels, strict=True)), visible(beginning), visible(ending))


def usual_ending(hostnames: Collection[str]) -> str:
    """The longest domain, with its dot, of more than half of the hostnames, and of two at least; "" without one."""
    counted = Counter(ending for name in hostnames for ending in domains(name))
    usual = [ending for ending, number in counted.items() if number > 1 and number > len(hostnames) / 2]
    return max(usual, key=len, default="")


def domains(name: str) -> Iterator[str]:
    at = name.find(".", 1)
    while at > 0:
        yield name[at:]
        at = name.find(".", at + 1)


def common_beginning(names: Iterable[str]) -> str:
    """The common beginning in whole parts, as "exec-"; "" if it is a whole name or shorter than FEWEST."""
    several = list(names)
    if len(several) < 2:
        return ""
    beginning = "".join(PARTS.findall(commonprefix(several)))  # noqa: RUF071 - by characters, not by path
    return beginning if len(beginning) >= FEWEST and beginning not in several else ""


def distinct(names: Sequence[str], length: int) -> list[str]:
    """The names, cut to ``length`` in the middle; names that would become equal are cut where they begin to differ."""
    labels = [cut(name, length) for name in names]
    for alike in repeated(labels):
        common = len(commonprefix([names[place] for place in alike]))  # noqa: RUF071
        for place in alike:
            labels[place] = cut(names[place], length, common)
    for alike in repeated(labels):
        for number, place in enumerate(alike[1:], 2):
            mark = f"{ELLIPSIS}#{number}"
            labels[place] = unused(labels[place][: length - len(mark)] + mark, labels, length)
    return labels


def repeated(labels: Sequence[str]) -> list[list[int]]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, label in enumerate(labels):
        places[label].append(place)
    return [alike for alike in places.values() if len(alike) > 1]


def unused(label: str, labels: Collection[str], length: int) -> str:
    """The label, with another number if it is among ``labels``."""
    number = len(labels)
    while label in labels:
        number += 1
        mark = f"{ELLIPSIS}#{number}"
        label = label[: length - len(mark)] + mark
    return label


def cut(name: str, length: int, differs: int | None = None) -> str:
    """The name's beginning and end, or its beginning and the part from the index ``differs`` on."""
    if len(name) <= length:
        return name
    if differs is None:
        tail = (length - 1) // 2
        return name[: length - 1 - tail] + ELLIPSIS + name[len(name) - tail :]
    head = name[:HEAD] + ELLIPSIS
    rest = name[max(HEAD, differs - 2) :]
    return head + cut(rest, length - len(head))
