"""A database of an earlier release, with its records, becomes by ``migrate`` what a new one is.

``releases/`` has a dump of a database for each, under the name of the last migration it has. The dump of a release is
written by ``python -m tests.releases``.
"""

import gzip
import io
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from pytest_django import DjangoDbBlocker

from tests.postgresql import dumped_schema
from tests.releases.dumping import MIGRATIONS, RELEASES, dump, fill, load, remove_jobs
from tests.service import connected_to, in_process, manage, new_database

STORED = {path.name.partition(".")[0]: path for path in RELEASES.glob("*.sql.gz")}
TODAY = "today"  # a dump that is made for the test, as the next release will be
# Columns that mean something else after the upgrade; test_migration_of_addresses.py has what becomes of them.
MOVED = {"instances_instancelink": {"target_id"}}
OF_MIGRATIONS = {"django_migrations", "django_content_type", "auth_permission"}
ADMIN = {"Authorization": "Bearer oracle-admin-token"}

Rows = list[dict[str, Any]]


@pytest.fixture(params=[*sorted(STORED), TODAY])
def released(
    request: pytest.FixtureRequest, dataset_template: str, django_db_blocker: DjangoDbBlocker
) -> Iterator[str]:
    """The URL of a database of a release, as it was."""
    with django_db_blocker.unblock(), new_database() as url:
        if request.param == TODAY:
            load(url, dump_of_today(dataset_template))
        else:
            load(url, gzip.decompress(STORED[request.param].read_bytes()).decode())
        yield url


def dump_of_today(template: str) -> str:
    with new_database(template) as url:
        with connected_to(url):
            fill()
            remove_jobs()
        return dump(url)


def contents(url: str) -> dict[str, Rows]:
    """The rows of each table with any, but for those that Django writes as it migrates."""
    found = {}
    with psycopg.connect(url) as database:
        tables = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for name in {name for (name,) in tables} - OF_MIGRATIONS:
            found[name] = [row for (row,) in database.execute(f"SELECT to_jsonb(t) FROM {name} AS t")]
    return {name: rows for name, rows in found.items() if rows}


def parts(rows: Rows, columns: set[str]) -> list[str]:
    """The rows with these columns alone, in an order that their columns determine."""
    return sorted(str({name: row.get(name) for name in sorted(columns)}) for row in rows)


@pytest.mark.slow
def test_a_release_becomes_what_a_new_database_is(released: str, migrated: str) -> None:
    manage(released, "migrate", "--verbosity", "0")
    with new_database(migrated) as new:
        assert dumped_schema(released) == dumped_schema(new)


@pytest.mark.slow
def test_no_record_of_a_release_is_lost(released: str) -> None:
    before = contents(released)
    assert len(before) > 20
    manage(released, "migrate", "--verbosity", "0")
    after = contents(released)
    for table, rows in before.items():
        shared = (rows[0].keys() & after[table][0].keys()) - MOVED.get(table, set())
        assert parts(after[table], shared) == parts(rows, shared), table
    manage(released, "verify_counters")


@pytest.mark.slow
@pytest.mark.parametrize("released", ["0007_bundles"], indirect=True)
def test_the_service_shows_ports_and_peers_as_the_release_did(released: str) -> None:
    """With the token of before, as AWX 23.6.0, where a node has one port; so had that release."""
    before = contents(released)
    names = {node["id"]: node["hostname"] for node in before["instances_instance"]}
    peers: dict[int, list[str]] = {pk: [] for pk in names}
    for link in before["instances_instancelink"]:
        peers[link["source_id"]].append(names[link["target_id"]])
    expected = {
        node["hostname"]: (node["listener_port"], node["peers_from_control_nodes"], sorted(peers[node["id"]]))
        for node in before["instances_instance"]
    }
    assert any(port for port, *_ in expected.values())
    assert any(linked for *_, linked in expected.values())
    manage(released, "migrate", "--verbosity", "0")
    with in_process(released) as client:
        nodes = client.get("/api/v2/instances/?page_size=200", headers=ADMIN).json()["results"]
    shown = {
        node["hostname"]: (node["listener_port"], node["peers_from_control_nodes"], sorted(node["peers"]))
        for node in nodes
    }
    assert shown == expected


# --- upgrading while the earlier version serves

# What the code of before cannot work with: what it reads is gone, or what it writes is refused.
INCOMPATIBLE = {
    "removes": r"\bDROP (?:TABLE|COLUMN) \S+",
    "renames": r"\bRENAME (?:COLUMN \S+ )?TO \S+",
    "changes the type of": r"\bALTER COLUMN \S+ TYPE\b",
    "makes required": r"\bALTER COLUMN \S+ SET NOT NULL",
    "adds a column without a default": r"\bADD COLUMN (?![^;]*\bDEFAULT\b)[^;]*\bNOT NULL|\bDROP DEFAULT",
    "restricts": r"\bADD CONSTRAINT \S+|\bCREATE UNIQUE INDEX \S+",
    "keeps writers waiting": r"\bCREATE INDEX (?!CONCURRENTLY )\S+",
}
# The migrations with which the service must be stopped, and why that was worth it.
NEEDS_STOP = {
    "0008_addresses": "ports and the targets of links move to a table of addresses, as AWX 24 has them",
}


def incompatible(sql: str) -> list[str]:
    """What the statements of a migration do to tables that were there before it, and to code that uses these."""
    created = set(re.findall(r'CREATE TABLE "?(\w+)', sql))
    statements = [line for line in re.sub(r"--[^\n]*", "", sql).split(";\n") if line.strip()]
    altering = [text for text in statements if not set(re.findall(r'(?:ALTER TABLE|\bON) "?(\w+)', text)) & created]
    return [
        f"{what}: {match[0]}"
        for text in altering
        for what, pattern in INCOMPATIBLE.items()
        if (match := re.search(pattern, text))
    ]


@pytest.mark.django_db(transaction=True)  # within another, indexes are not made concurrently
@pytest.mark.parametrize("name", MIGRATIONS[1:])
def test_a_migration_is_additive_unless_it_is_named(name: str) -> None:
    """So that the earlier version goes on serving while a database is migrated, and until the last process is new."""
    output = io.StringIO()
    call_command("sqlmigrate", "instances", name, stdout=output)
    found = incompatible(output.getvalue())
    assert bool(found) == (name in NEEDS_STOP), found


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ('ALTER TABLE "a" DROP COLUMN "b" CASCADE;', "removes"),
        ('DROP TABLE "a" CASCADE;', "removes"),
        ('ALTER TABLE "a" RENAME COLUMN "b" TO "c";', "renames"),
        ('ALTER TABLE "a" RENAME TO "b";', "renames"),
        ('ALTER TABLE "a" ALTER COLUMN "b" TYPE bigint USING "b"::bigint;', "changes the type of"),
        ('ALTER TABLE "a" ALTER COLUMN "b" SET NOT NULL;', "makes required"),
        ('ALTER TABLE "a" ADD COLUMN "b" integer NOT NULL;', "adds a column without a default"),
        ('ALTER TABLE "a" ALTER COLUMN "b" DROP DEFAULT;', "adds a column without a default"),
        ('ALTER TABLE "a" ADD CONSTRAINT "c" CHECK ("b" > 0);', "restricts"),
        ('CREATE UNIQUE INDEX "c" ON "a" ("b") WHERE "d";', "restricts"),
        ('CREATE TABLE "new" ("a" integer);\nALTER TABLE "a" ADD CONSTRAINT "c" CHECK ("b" > 0);', "restricts"),
        ('ALTER TABLE "a" ADD COLUMN "b" integer NULL;', None),
        ('ALTER TABLE "a" ADD COLUMN "b" integer DEFAULT 0 NOT NULL;', None),
        ('CREATE INDEX "c" ON "a" ("b");', "keeps writers waiting"),
        ('CREATE INDEX CONCURRENTLY "c" ON "a" ("b");', None),
        ('CREATE TABLE "a" ("b" integer NOT NULL);\nALTER TABLE "a" ADD CONSTRAINT "c" CHECK ("b" > 0);', None),
        ('-- Remove field b: ALTER TABLE "a" DROP COLUMN "b"\nALTER TABLE "a" DROP CONSTRAINT "c";', None),
    ],
)
def test_what_is_incompatible_is_found_in_sql(sql: str, what: str | None) -> None:
    assert [found.partition(":")[0] for found in incompatible(sql)] == ([what] if what else [])
