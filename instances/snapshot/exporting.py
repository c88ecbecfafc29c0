"""Exporting a snapshot: what ``import_snapshot`` reads, as it was at one moment, row by row.

Each record is checked by the columns that would read it. What they refuse, or would store otherwise, is an error here
rather than a file that cannot be imported.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, BinaryIO

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, QuerySet
from django.db.models.functions import JSONObject

from instances.database import consistent_read
from instances.rules import Rules
from instances.snapshot.columns import Column, clean, written
from instances.snapshot.importing import refuse_what_is_not_shown
from instances.snapshot.jobs import job_values
from instances.snapshot.problems import Problems, shown
from instances.snapshot.tables import (
    ADDRESSES,
    GROUP_SUMMARY,
    GROUPS,
    HASHED_TOKENS,
    INSTANCES,
    JOB_REPRESENTATION,
    JOBS,
    LINKS,
    LISTENING,
    MEMBERS,
    PASSWORD,
    ROLES,
    TO_INSTANCES,
    USERS,
    Table,
)

CHUNK = 1000  # rows that are in memory at once

Record = dict[str, Any]

# The lists of a snapshot, in the order of the file. AWX 23 has instances that listen, and links to instances.
ACCOUNTS = {"users": replace(USERS, columns=tuple(each for each in USERS.columns if each is not PASSWORD))}
OF_23 = {"instances": LISTENING, "instance_links": TO_INSTANCES}
OF_24 = {"instances": INSTANCES, "receptor_addresses": ADDRESSES, "instance_links": LINKS}
OTHERS = {"instance_groups": GROUPS, "tokens": HASHED_TOKENS, "unified_jobs": JOBS}
PARTS = {"users": ROLES, "instance_groups": MEMBERS}
BESIDE = {"instance_groups": GROUP_SUMMARY, "unified_jobs": JOB_REPRESENTATION}
"""Columns whose values an object within the record has."""


def export_snapshot(
    stream: BinaryIO, version: Rules, advance: Callable[[int], object] = lambda records: None
) -> Counter[str]:
    """Write all records in the format of this version of AWX; return how many each list has.

    ``advance`` is called after each chunk with the number of its records. There is a query for each list, and two or
    three for what the format has no place for.

    Raises SnapshotError if the format has no place for what is stored, or a record could not be imported again.
    """
    counts: Counter[str] = Counter()
    problems = Problems()
    with consistent_read():
        refuse_what_is_not_shown(version)
        beginning = b"{"
        for name, table in lists(version).items():
            stream.write(beginning + f'\n"{name}": ['.encode())
            separator = b"\n"
            for record in checked(name, table, problems):
                stream.write(separator + written(record).encode())
                separator = b",\n"
                counts[name] += 1
                if counts[name] % CHUNK == 0:
                    advance(CHUNK)
            advance(counts[name] % CHUNK)
            problems.raise_if_any()
            stream.write(b"\n]")
            beginning = b","
        stream.write(b"\n}\n")
    return counts


def lists(version: Rules) -> dict[str, Table]:
    has_addresses = not version.NO_ADDRESSES
    return ACCOUNTS | (OF_24 if has_addresses else OF_23) | OTHERS


def number_of_records(version: Rules) -> int:
    return sum(stored(table).count() for table in lists(version).values())


def stored(table: Table) -> QuerySet[Any]:
    """The rows of the table that a snapshot has; tokens of applications, which are not in it, are left out."""
    everything = table.model._default_manager.order_by("pk")
    return everything.filter(application=None, user__isnull=False) if table is HASHED_TOKENS else everything


def checked(name: str, table: Table, problems: Problems) -> Iterator[Record]:
    """The records of the list ``name``; what could not be imported is added to ``problems`` instead."""
    beside = BESIDE.get(name, ())
    for row in fetch(stored(table), (*table.columns, *beside), table.paths, PARTS.get(name)):
        record = {column.key: as_json(row[column.attname]) for column in table.columns}
        place = f"{name}[id {row['id']}]"
        match name:
            case "unified_jobs":
                values = job_values(record, table.columns, place, problems)
                add_differences(values, row, place, problems)
            case "instance_groups":
                summary = {column.key: row[column.attname] for column in beside if row[column.attname] is not None}
                record["summary_fields"] = summary
                values = clean(record, table.columns, place, problems)
                values |= clean(summary, beside, f"{place}.summary_fields", problems)
            case _:
                values = clean(record, table.columns, place, problems)
        if name in PARTS:
            record[PARTS[name].key] = row["parts"]
        if len(values) == len(table.columns) + len(beside):
            yield record


def fetch(
    rows: QuerySet[Any], columns: tuple[Column, ...], paths: Any, parts: Table | None
) -> Iterator[dict[str, Any]]:
    """The values of the columns by attname, and of ``parts``, by one query that is read in chunks."""
    names = [column.attname for column in columns]
    selected = [paths.get(name, name) for name in names]
    if parts is not None:
        names.append("parts")
        selected.append(parts_of_row(parts))
    for values in rows.values_list(*selected).iterator(chunk_size=CHUNK):
        yield dict(zip(names, values, strict=True))


def parts_of_row(table: Table) -> ArraySubquery:
    """The records of ``table`` that belong to the row, in the order of their values."""
    paths = {column.key: column.attname for column in table.columns}
    rows = table.model._default_manager.filter(**{table.owner: OuterRef("pk")}).order_by(*paths.values())
    part = F(paths[""]) if "" in paths else JSONObject(**paths)
    return ArraySubquery(rows.values_list(part))


def as_json(value: Any) -> Any:
    """The JSON of a column's value, from which its column makes the value again."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Decimal():
            return str(value)
        case _:
            return value


def add_differences(values: dict[str, Any], row: dict[str, Any], place: str, problems: Problems) -> None:
    """Add a problem for each column of a job that has another value than its representation."""
    for column in JOB_REPRESENTATION:
        name = column.attname
        if name in values and values[name] != row[name]:
            reason = f"is {shown(as_json(values[name]))}, and {shown(as_json(row[name]))} in its column"
            problems.add(f"{place}.representation.{column.key}", reason)
