"""The filters and the order of the dashboard's table, from the parameters of the address."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.paginator import Page, Paginator
from django.http import QueryDict

from instances.models import Instance
from instances.overview import SEVERITY, Standing, standing

ROWS = 100  # of a page
LONG_AGO = datetime.min.replace(tzinfo=UTC)
NUMBER = re.compile(r"(\d+)")


def natural(text: str) -> list[tuple[bool, int, str]]:
    """A key by which node-2 comes before node-10."""
    return [
        (True, int(part), "") if number % 2 else (False, 0, part)
        for number, part in enumerate(NUMBER.split(text.casefold()))
    ]


def by_hostname(instance: Instance) -> Any:
    return natural(instance.hostname)


# The sortable columns: label, sort key, and whether the first click sorts in descending order.
COLUMNS: dict[str, tuple[str, Callable[[Instance], Any], bool]] = {
    "node": ("Node", by_hostname, False),
    "type": ("Type", lambda instance: instance.node_type, False),
    "state": ("State", lambda instance: (SEVERITY[standing(instance)], instance.node_state), False),
    "used": ("In use", lambda instance: instance.percent_used, True),
    "capacity": ("Capacity", lambda instance: instance.capacity, True),
    "jobs": ("Running jobs", lambda instance: instance.load.jobs_running, True),
    "seen": ("Last seen", lambda instance: instance.last_seen or LONG_AGO, True),
}
STATES = {**dict(Standing.choices), **{f"state-{value}": label for value, label in Instance.NodeState.choices}}


@dataclass(frozen=True, slots=True)
class Heading:
    """A column's heading: a link that sorts by the column, or reverses the order if it is the sorted column."""

    name: str
    label: str
    query: str
    direction: str  # value of aria-sort; "" if the table is not sorted by the column


class Selection:
    """The filters and the order in the address. Invalid values are ignored."""

    def __init__(self, parameters: QueryDict) -> None:
        self.parameters = parameters
        self.text = parameters.get("q", "").strip()
        self.node_type = self._one_of("type", Instance.NodeType.values)
        self.state = self._one_of("state", STATES)
        group = parameters.get("group", "")
        self.group = int(group) if re.fullmatch(r"[0-9]{1,18}", group) else None
        sort = parameters.get("sort", "")
        self.column, self.reverse = sort.removeprefix("-"), sort.startswith("-")
        if self.column not in COLUMNS:
            self.column, self.reverse = "node", False

    def _one_of(self, name: str, values: Iterable[str]) -> str:
        value = self.parameters.get(name, "")
        return value if value in values else ""

    @property
    def is_filtered(self) -> bool:
        return bool(self.text or self.node_type or self.state or self.group is not None)

    def query(self, **changes: str | list[str] | None) -> str:
        """The query string with these parameters changed; None and [] remove a parameter."""
        changed = self.parameters.copy()
        for name, value in changes.items():
            changed.setlist(name, value if isinstance(value, list) else [] if value is None else [value])
        return "?" + changed.urlencode()

    @property
    def unfiltered(self) -> str:
        return self.query(q=None, type=None, state=None, group=None, page=None)

    def only(self, state: str) -> str:
        """The query string with a filter by ``state``, or without it if the filter is set already."""
        return self.query(state=None if state == self.state else str(state), page=None)

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """The hidden fields of the filter's form: parameters that it does not change."""
        return [(name, value) for name in ("sort", "open") for value in self.parameters.getlist(name)]

    def headings(self) -> list[Heading]:
        return [self._heading(name, label, high_first) for name, (label, _, high_first) in COLUMNS.items()]

    def _heading(self, name: str, label: str, high_first: bool) -> Heading:
        is_sorted = name == self.column
        reverse = not self.reverse if is_sorted else high_first
        direction = ("descending" if self.reverse else "ascending") if is_sorted else ""
        return Heading(name, label, self.query(sort=f"{'-' * reverse}{name}", page=None), direction)

    def matches(self, instance: Instance) -> bool:
        if self.node_type and instance.node_type != self.node_type:
            return False
        if self.state and self.state not in (standing(instance).value, f"state-{instance.node_state}"):
            return False
        return self.text.casefold() in instance.hostname.casefold()

    def page(self, instances: Iterable[Instance]) -> Page[Instance]:
        """The requested page of matching nodes. ``instances`` must be ordered by hostname; equals keep this order."""
        found = list(filter(self.matches, instances))
        if self.column == "node":
            found = found[::-1] if self.reverse else found
        else:
            found.sort(key=COLUMNS[self.column][1], reverse=self.reverse)
        return Paginator(found, ROWS).get_page(self.parameters.get("page"))
