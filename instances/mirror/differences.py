"""The difference between a table and the rows of AWX: what to insert, to update and to delete."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from instances.snapshot import database
from instances.snapshot.tables import Table, TableRow

Values = dict[str, Any]


@dataclass(frozen=True)
class Count:
    """How many records of a kind there are after a sync, and how many it inserted, updated and deleted."""

    total: int = 0
    new: int = 0
    changed: int = 0
    gone: int = 0


@dataclass(frozen=True)
class Difference:
    """The difference between the rows wanted and the rows stored, by a key."""

    new: list[Values] = field(default_factory=list)
    changed: list[Values] = field(default_factory=list)
    gone: list[Any] = field(default_factory=list)  # the keys
    total: int = 0

    @classmethod
    def of(cls, wanted: Mapping[Any, Values], stored: Mapping[Any, Values]) -> "Difference":
        return cls(
            new=[values for key, values in wanted.items() if key not in stored],
            changed=[values for key, values in wanted.items() if key in stored and values != stored[key]],
            gone=[key for key in stored if key not in wanted],
            total=len(wanted),
        )

    @property
    def count(self) -> Count:
        return Count(self.total, len(self.new), len(self.changed), len(self.gone))


def keyed(rows: Iterable[Values], *key: str) -> dict[Hashable, Values]:
    """The rows by one column, or by several."""
    if len(key) == 1:
        return {row[key[0]]: row for row in rows}
    return {tuple(row[name] for name in key): row for row in rows}


def by_id(wanted: list[Values], stored: "QuerySet[Any]") -> Difference:
    """The difference between the rows ``wanted`` and the rows ``stored``, by id, in the columns of ``wanted``."""
    rows = stored.values(*wanted[0]) if wanted else stored.values("id")
    return Difference.of(keyed(wanted, "id"), keyed(rows, "id"))


def remove(table: Table, difference: Difference) -> None:
    if difference.gone:
        table.model._default_manager.filter(pk__in=difference.gone).delete()


def write(table: Table, difference: Difference) -> None:
    """Insert the new rows and update the changed ones; stored rows may swap their unique values."""
    database.upsert(table, [TableRow("", values) for values in (*difference.changed, *difference.new)])


def exchange(table: Table, difference: Difference) -> None:
    """Write a table of references: delete the gone and changed rows, then insert, since rows may swap references."""
    replaced = [*difference.gone, *(values["id"] for values in difference.changed)]
    inserted = [TableRow("", values) for values in (*difference.changed, *difference.new)]
    database.exchange(table, "id", replaced, inserted)
