"""Importing a snapshot: all of it, or nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from django.db import connection, transaction

from instances import audit, rules
from instances.health import conditions
from instances.not_shown import in_a_sentence
from instances.rules import Rules
from instances.snapshot import database
from instances.snapshot.checks import check
from instances.snapshot.content import Content
from instances.snapshot.jobs import Jobs
from instances.snapshot.problems import Problems, SnapshotError, shown
from instances.snapshot.reader import JSONStreamReader
from instances.snapshot.tables import ADDRESSES, GROUPS, INSTANCES, JOBS, LINKS, TO_INSTANCES, TOKENS, USERS

NOT_STORED = ("install_uuid", "cluster_host_id")  # settings of the environment here
LISTS = (*Content.LISTS, "unified_jobs")


@dataclass(frozen=True, slots=True)
class Imported:
    """How many records were read, and the hostnames among them. ``addresses``: None of AWX 23, which has none."""

    users: int
    instances: int
    links: int
    groups: int
    jobs: int
    addresses: int | None = None
    hostnames: tuple[str, ...] = field(default=(), compare=False)


def import_snapshot(
    stream: BinaryIO, *, replace: bool = False, announce: Callable[[str], None] = lambda phase: None
) -> Imported:
    """Read the snapshot in ``stream`` into the database, in one transaction.

    Ids are stored unchanged and no value is computed. Records whose ids are stored are updated and the others stay,
    unless ``replace`` deletes everything first. ``announce`` is called with each phase: "Reading", "Writing".

    Raises SnapshotError if the stream does not hold a snapshot or its records do not fit together, and
    django.db.DatabaseError if the database refuses them for another reason. In both cases nothing is written.
    """
    with audit.suspend_row_events(), transaction.atomic(), connection.wrap_database_errors:
        problems = Problems()
        content, jobs = Content(problems), Jobs(problems)
        announce("Reading")
        read(JSONStreamReader(stream), content, jobs, problems)
        check(content, problems, replace=replace)
        jobs.check(content, replace=replace)
        problems.raise_if_any()
        announce("Writing")
        if replace:
            database.clear()
            database.restart_sequences([ADDRESSES])
        database.write(content)
        conditions.delete_stored(content.ids(INSTANCES))
        refuse_what_this_version_hides()
        jobs.write()
        follow_on = database.restart_sequences if replace else database.move_sequences
        tables = [*content.rows.keys() - {TO_INSTANCES, TOKENS}, JOBS]  # those have the same tables as others
        follow_on(tables)
        database.analyze(tables)
    users, instances, links, groups = (len(content.rows[table]) for table in (USERS, INSTANCES, LINKS, GROUPS))
    links += len(content.rows[TO_INSTANCES])
    hostnames = tuple(row.values["hostname"] for row in content.rows[INSTANCES])
    addresses = len(content.rows[ADDRESSES]) if content.has_addresses else None
    return Imported(users, instances, links, groups, jobs.count, addresses, hostnames)


def refuse_what_this_version_hides() -> None:
    """Raise SnapshotError if a service that speaks as this version would not start with what is stored now."""
    own = rules.current()
    if own.SHOWS_ALL:
        refuse_what_is_not_shown(own)


def refuse_what_is_not_shown(version: Rules) -> None:
    """Raise SnapshotError if an AWX of this version has no place for anything that is stored."""
    if names := version.not_shown():
        raise SnapshotError(f"AWX {version.VERSION} cannot show {in_a_sentence(names)}.")


def read(reader: JSONStreamReader, content: Content, jobs: Jobs, problems: Problems) -> None:
    """Read the lists in the order of the file; raise SnapshotError if any record is invalid by itself."""
    seen = set()
    for key in reader.members():
        if key in seen:
            raise SnapshotError(f"{key}: is given twice")
        seen.add(key)
        if key == "unified_jobs":
            problems.raise_if_any()  # rather than after the minutes that they may take
            jobs.read(reader.items())
        elif key in Content.LISTS:
            content.read(key, reader.items())
        elif key in NOT_STORED:
            reader.value()
        else:
            raise SnapshotError(f"{shown(key)}: is not part of a snapshot, which has {', '.join(LISTS)}")
    content.end()
    problems.raise_if_any()
