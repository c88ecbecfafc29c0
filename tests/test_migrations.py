"""What migrations do to databases, new and old; and that they stay as they are, since none is applied twice."""

import hashlib
import importlib
import itertools
from collections.abc import Iterator

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from instances.mirror import guard
from instances.models import Instance, Mirror
from instances.upgrading import refuse_unfinished_history, replaced_migrations
from tests.service import PROJECT, manage, new_database
from tests.test_counters import INSERT

FOLDER = PROJECT / "instances" / "migrations"
FROZEN = PROJECT / "tests" / "migrations.sha256"
COUNTED_BEFORE = PROJECT / "tests" / "upgrade" / "counters_before_0004.sql"
LAST_REPLACED = "0012_length_of_token_notes"
LAST_REPLACING = "0004_counters"

SCHEMA = """
SELECT 'column', table_name::text, to_jsonb(columns) - '{table_catalog,udt_catalog,collation_catalog}'::text[]
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT 'table', oid::regclass::text, to_jsonb(reloptions)
FROM pg_class WHERE relkind = 'r' AND relnamespace = to_regnamespace('public')
UNION ALL
SELECT 'constraint', conrelid::regclass::text, to_jsonb(concat(conname, ' ', pg_get_constraintdef(oid)))
FROM pg_constraint WHERE connamespace = to_regnamespace('public')
UNION ALL
SELECT 'index', tablename::text, to_jsonb(indexdef) FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'trigger', tgrelid::regclass::text, to_jsonb(concat(tgenabled, ' ', pg_get_triggerdef(oid)))
FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'function', proname::text, to_jsonb(pg_get_functiondef(oid))
FROM pg_proc WHERE pronamespace = to_regnamespace('public') AND prokind = 'f'
UNION ALL
SELECT 'collation', collname::text, to_jsonb(concat(collprovider, ' ', collcollate))
FROM pg_collation WHERE collnamespace = to_regnamespace('public')
"""


def schema(url: str) -> set[tuple[str, str, str]]:
    with psycopg.connect(url) as database:
        return {(kind, name, str(definition)) for kind, name, definition in database.execute(SCHEMA)}


@pytest.fixture
def old_url(db: None) -> Iterator[str]:
    """One that was migrated step by step, by what the first migrations replace, and has counted a job."""
    with new_database() as url:
        manage(url, "migrate", "--verbosity", "0", "instances", LAST_REPLACING)
        with psycopg.connect(url) as database:
            database.execute("DELETE FROM django_migrations WHERE app = 'instances'")
            record(database, sorted(replaced_migrations()))
            database.execute(COUNTED_BEFORE.read_text())
            database.execute(INSERT.replace("%s", "1"))
            database.execute(
                "INSERT INTO instances_nodeload (node, jobs_total, jobs_running, impact, jobs_controlled, baseline) "
                "VALUES ('busy', 9, 9, 9, 9, true)"
            )
        yield url


def record(database: psycopg.Connection, names: list[str]) -> None:
    for name in names:
        database.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('instances', %s, now())", [name])


def totals(url: str) -> tuple[int, int]:
    """The jobs of all kinds, and those of all nodes, as the database has counted them."""
    with psycopg.connect(url) as database:
        numbers = database.execute(
            "SELECT (SELECT sum(jobs) FROM instances_jobcount), (SELECT sum(jobs_total) FROM instances_nodeload)"
        ).fetchone()
    assert numbers is not None
    return int(numbers[0] or 0), int(numbers[1] or 0)


def test_migrations_stay_as_they_are() -> None:
    """A database that has one would not get the change, and nothing would say so."""
    frozen = dict(line.split()[::-1] for line in FROZEN.read_text().splitlines())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FOLDER.glob("0*.py")}
    changed = [name for name, digest in frozen.items() if found.get(name) != digest]
    assert not changed, f"{changed} were changed after they were applied: add a new migration instead."
    new = sorted(found.keys() - frozen.keys())
    assert not new, f"Once {new} are as they shall be, add them: (cd {FOLDER} && sha256sum 0*.py) > {FROZEN}"


@pytest.mark.django_db
def test_the_migrations_are_those_of_the_models() -> None:
    call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)


@pytest.mark.slow
def test_a_database_that_was_migrated_step_by_step_becomes_what_a_new_one_is(migrated: str, old_url: str) -> None:
    assert totals(old_url) == (1, 10)
    manage(old_url, "migrate", "--verbosity", "0")
    assert "[ ]" not in manage(old_url, "showmigrations", "instances").stdout
    with new_database(migrated) as new_url:
        assert schema(old_url) ^ schema(new_url) == set()
    assert totals(old_url) == (1, 10)
    manage(old_url, "verify_counters")


def test_an_older_database_is_refused_in_words(old_url: str) -> None:
    with psycopg.connect(old_url) as database:
        database.execute("DELETE FROM django_migrations WHERE app = 'instances' AND name > '0006_counting_slots'")
    before = schema(old_url)
    done = manage(old_url, "migrate", check=False)
    assert done.returncode == 1
    assert "migrated up to instances.0006_counting_slots by an older version" in done.stderr
    assert f"upgrades from {LAST_REPLACED} on" in done.stderr
    assert "Traceback" not in done.stderr
    assert schema(old_url) == before


@pytest.mark.django_db
def test_so_is_every_older_one_but_a_new_one() -> None:
    rows = MigrationRecorder.Migration.objects.filter(app="instances")
    assert refuse_unfinished_history(["default"]) == []
    rows.all().delete()
    assert refuse_unfinished_history(["default"]) == []
    for name in sorted(replaced_migrations()):
        rows.create(app="instances", name=name)
        messages = [error.msg for error in refuse_unfinished_history(["default"])]
        assert [f"instances.{name} " in message for message in messages] == [True] * (name != LAST_REPLACED)


def test_what_was_replaced_ends_where_it_did() -> None:
    assert len(replaced_migrations()) == 12
    assert max(replaced_migrations()) == LAST_REPLACED


@pytest.mark.slow
def test_migrating_counts_the_jobs_that_there_are_and_back_again(old_url: str) -> None:
    manage(old_url, "migrate", "--verbosity", "0")
    manage(old_url, "migrate", "--verbosity", "0", "instances", "0003")
    with psycopg.connect(old_url) as database:
        database.execute(INSERT.replace("%s", "2"))
    assert totals(old_url) == (1, 10)
    manage(old_url, "migrate", "--verbosity", "0")
    assert totals(old_url) == (2, 11)
    manage(old_url, "verify_counters")


@pytest.mark.django_db
@pytest.mark.parametrize("mirrored", [False, True])
def test_hop_nodes_that_joined_before_get_their_capacity(mirrored: bool) -> None:
    """But in a mirror, whose guard refuses changes: what it holds is its AWX's."""
    for number, (node_type, node_state) in enumerate(itertools.product(Instance.NodeType, Instance.NodeState)):
        Instance.objects.create(hostname=f"node-{number}", node_type=node_type, node_state=node_state)
    if mirrored:
        now = timezone.now()
        Mirror.objects.create(url="https://awx.example.org", version="23.6.0", began=now, finished=now, every=30)
        guard.enable_guard()
    module = importlib.import_module(f"instances.migrations.{next(FOLDER.glob('0*_mesh.py')).stem}")
    with connection.cursor() as cursor:
        cursor.execute(module.REPAIR)
    joined = {"hop": set(Instance.NodeState.values) - {"installed"}} if not mirrored else {}
    for instance in Instance.objects.all():
        repaired = instance.node_state in joined.get(instance.node_type, ())
        assert instance.capacity == (0 if repaired else 100)
