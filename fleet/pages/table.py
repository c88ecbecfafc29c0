"""The filters and the order of the dashboard's table, from the parameters of the address."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.core.paginator import Page, Paginator
from django.http import QueryDict

from instances.models import Instance
from instances.node_list import COLUMNS, STATES, NodeFilter

ROWS = 100  # of a page


@dataclass(frozen=True, slots=True)
class Heading:
    """A column's heading: a link that sorts by the column, or reverses the order if it is the sorted column."""

    name: str
    label: str
    query: str
    direction: str  # value of aria-sort; "" if the table is not sorted by the column


class Selection(NodeFilter):
    """The filters and the order in the address. Invalid values are ignored."""

    def __init__(self, parameters: QueryDict) -> None:
        super().__init__(text=parameters.get("q", "").strip())
        self.parameters = parameters
        self.node_type = self._one_of("type", Instance.NodeType.values)
        self.state = self._one_of("state", STATES)
        group = parameters.get("group", "")
        self.group = int(group) if re.fullmatch(r"[0-9]{1,18}", group) else None
        sort = parameters.get("sort", "")
        if sort.removeprefix("-") in COLUMNS:
            self.column, self.reverse = sort.removeprefix("-"), sort.startswith("-")

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
    def all_pages(self) -> str:
        """The query string with the filters and the order alone."""
        return self.query(page=None, open=None, risk=None)

    @property
    def unfiltered(self) -> str:
        return self.query(q=None, type=None, state=None, group=None, page=None)

    def only(self, state: str) -> str:
        """The query string with a filter by ``state``, or without it if the filter is set already."""
        return self.query(state=None if state == self.state else str(state), page=None)

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """The hidden fields of the filter's form: parameters that it does not change."""
        return [(name, value) for name in ("sort", "open", "risk") for value in self.parameters.getlist(name)]

    def headings(self) -> list[Heading]:
        return [self._heading(name, label, high_first) for name, (label, _, high_first) in COLUMNS.items()]

    def _heading(self, name: str, label: str, high_first: bool) -> Heading:
        is_sorted = name == self.column
        reverse = not self.reverse if is_sorted else high_first
        direction = ("descending" if self.reverse else "ascending") if is_sorted else ""
        return Heading(name, label, self.query(sort=f"{'-' * reverse}{name}", page=None), direction)

    def page(self, instances: Iterable[Instance]) -> Page[Instance]:
        """The requested page of matching nodes. ``instances`` must be ordered by hostname."""
        return Paginator(self.choose(instances), ROWS).get_page(self.parameters.get("page"))
