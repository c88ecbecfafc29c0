"""Comparing the stored counters with a recount of the jobs, and repairing them.

Migration 0004_counters alone says what is counted: its triggers add up changes, and its functions
``instances_count_…()`` all jobs, by the same SQL. They can differ only where the triggers did not run: while they were
disabled (as ``pg_restore --disable-triggers`` does), or where somebody wrote to the tables of counters.
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
        """SQL: the keys with a figure that differs from the recount, with their stored and their counted figures."""
        keys, figures = ", ".join(self.keys), ", ".join(self.figures)
        zeros = ", ".join("0" for _ in self.figures)
        stored, counted = ([f"sum({side}_{name})" for name in self.figures] for side in ("stored", "counted"))
        columns = ", ".join(f"{side}_{name}" for side in ("stored", "counted") for name in self.figures)
        differ = " OR ".join(f"{one} <> {other}" for one, other in zip(stored, counted, strict=True))
        return f"""
            SELECT {keys}, {", ".join(stored)}, {", ".join(counted)}
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
        added = ", ".join(f"{name} = stored.{name} + EXCLUDED.{name}" for name in self.figures)
        return f"""
            INSERT INTO {self.table} AS stored (slot, {", ".join(names)}) VALUES (0, {", ".join("%s" for _ in names)})
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
    stored: tuple[int, ...]
    counted: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.counters.of} {', '.join(str(part) or 'none' for part in self.key)}"

    def figures(self) -> Iterator[tuple[str, int, int]]:
        """The name of each wrong figure, its stored and its counted value."""
        for name, stored, counted in zip(self.counters.figures, self.stored, self.counted, strict=True):
            if stored != counted:
                yield name, stored, counted


def find_drift(counters: Counters) -> list[CounterDrift]:
    """The keys of this table whose figures are wrong. One statement reads both sides, so they are of one moment."""
    keys, figures = len(counters.keys), len(counters.figures)
    with connection.cursor() as cursor:
        cursor.execute(counters.compare())
        rows = cursor.fetchall()
    return [
        CounterDrift(counters, row[:keys], tuple(map(int, row[keys:-figures])), tuple(map(int, row[-figures:])))
        for row in rows
    ]


def lock() -> None:
    """Lock the jobs against writers until the transaction ends, so that no job changes after the recount.

    It waits for transactions that have written jobs; readers are not blocked. Who writes counters has written jobs
    before, so that no transaction waits for a row of the counters meanwhile.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {UnifiedJob._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")


def repair(found: list[CounterDrift]) -> None:
    """Add what is missing to the counters; to be called in the transaction that called ``lock()`` and then compared."""
    with connection.cursor() as cursor:
        for each in found:
            missing = (counted - stored for stored, counted in zip(each.stored, each.counted, strict=True))
            cursor.execute(each.counters.add(), [*each.key, *missing])


def fold() -> None:
    """Merge the rows of each node, group and kind of job into one, but for those that a writer has locked."""
    while fold_some():
        pass


def fold_some() -> bool:
    """Merge as many rows as one transaction can lock; return whether there may be more."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT instances_fold_loads()")
        (more,) = cursor.fetchone()
    return bool(more)
