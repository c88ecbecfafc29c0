"""Whether the figures that the database keeps are those which a recount of the jobs gives, and mending them.

What is counted is written in one place, migration 0004_counters: its triggers add the changes up, and its
functions ``instances_count_…()`` all jobs, by the same SQL. They can differ only where the triggers did not run: while
they were disabled (as ``pg_restore --disable-triggers`` does), or where somebody wrote to the tables of counters.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from instances.models import UnifiedJob


@dataclass(frozen=True)
class Counters:
    """A table of counters. A baseline is none: its rows have no slot."""

    of: str
    table: str
    keys: tuple[str, ...]
    figures: tuple[str, ...]

    def compare(self) -> str:
        """SQL: the keys with any figure that is not what a recount gives, its kept and its counted figures."""
        keys, figures = ", ".join(self.keys), ", ".join(self.figures)
        zeros = ", ".join("0" for _ in self.figures)
        kept, counted = ([f"sum({side}_{name})" for name in self.figures] for side in ("kept", "counted"))
        columns = ", ".join(f"{side}_{name}" for side in ("kept", "counted") for name in self.figures)
        differ = " OR ".join(f"{one} <> {other}" for one, other in zip(kept, counted, strict=True))
        return f"""
            SELECT {keys}, {", ".join(kept)}, {", ".join(counted)}
            FROM (
                SELECT {keys}, {figures}, {zeros} FROM {self.table} WHERE slot IS NOT NULL
                UNION ALL
                SELECT {keys}, {zeros}, {figures} FROM {self.table.replace("_", "_count_", 1)}()
            ) AS sides ({keys}, {columns})
            GROUP BY {keys} HAVING {differ} ORDER BY {keys}
        """  # noqa: S608 - made of this module's names

    def add(self) -> str:
        """SQL: add what is missing, which may be negative, to the row of a key in the first slot."""
        names = (*self.keys, *self.figures)
        added = ", ".join(f"{name} = kept.{name} + EXCLUDED.{name}" for name in self.figures)
        return f"""
            INSERT INTO {self.table} AS kept (slot, {", ".join(names)}) VALUES (0, {", ".join("%s" for _ in names)})
            ON CONFLICT ({", ".join(self.keys)}, slot) DO UPDATE SET {added}
        """  # noqa: S608


ALL = (
    Counters("node", "instances_nodeload", ("node",), ("jobs_total", "jobs_running", "impact", "jobs_controlled")),
    Counters("group", "instances_groupload", ('"group"',), ("jobs_total", "jobs_running", "impact")),
    Counters("jobs", "instances_jobcount", ("node", "status", "launch_type"), ("jobs",)),
)


@dataclass(frozen=True)
class CounterDrift:
    """The figures of one node, group or kind of job, of which at least one is wrong."""

    counters: Counters
    key: tuple[Any, ...]
    kept: tuple[int, ...]
    counted: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.counters.of} {', '.join(str(part) or 'none' for part in self.key)}"

    def figures(self) -> Iterator[tuple[str, int, int]]:
        """The name of each wrong figure, what is kept and what was counted."""
        for name, kept, counted in zip(self.counters.figures, self.kept, self.counted, strict=True):
            if kept != counted:
                yield name, kept, counted


def find_drift(counters: Counters) -> list[CounterDrift]:
    """What is kept wrongly in this table. Both sides are of the same moment: that of one statement."""
    keys, figures = len(counters.keys), len(counters.figures)
    with connection.cursor() as cursor:
        cursor.execute(counters.compare())
        rows = cursor.fetchall()
    return [
        CounterDrift(counters, row[:keys], tuple(map(int, row[keys:-figures])), tuple(map(int, row[-figures:])))
        for row in rows
    ]


def lock() -> None:
    """Until the transaction ends, let writers of jobs wait: no change is then counted that the recount has not seen.

    It waits for those that have written already; readers go on. Whoever has written to the counters has written to the
    jobs before and still holds that lock, so nobody can wait for a row of the counters meanwhile.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {UnifiedJob._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")


def repair(found: list[CounterDrift]) -> None:
    """Add what is missing to the counters; to be called in the transaction that called ``lock()`` and then compared."""
    with connection.cursor() as cursor:
        for each in found:
            missing = (counted - kept for kept, counted in zip(each.kept, each.counted, strict=True))
            cursor.execute(each.counters.add(), [*each.key, *missing])


def fold() -> None:
    """Bring the rows of each node, group and kind of job into one again, as far as no writer has them."""
    while fold_some():
        pass


def fold_some() -> bool:
    """Fold what one transaction can have locks for; whether there may be more."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT instances_fold_loads()")
        (more,) = cursor.fetchone()
    return bool(more)
