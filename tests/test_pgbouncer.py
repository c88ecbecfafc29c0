"""The service behind a real PgBouncer: in session mode with any, in transaction mode with one that is new enough.

``PGBOUNCER=/path/of/a/newer/pgbouncer`` runs the tests of transaction mode that Debian's cannot run.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import requests

from instances.locks import Lock
from tests import pooler
from tests.pooler import ROLE, Pooler, needs_pgbouncer, pooled
from tests.postgresql import Server
from tests.service import DATASET, manage, served
from tests.test_worker import ADMIN, Database, until, working

pytestmark = [pytest.mark.slow, needs_pgbouncer]

LIMIT = {"STATEMENT_TIMEOUT": "3000"}  # milliseconds, which a busy machine does not need for a request
SESSION, TRANSACTION = {"DATABASE_POOLER": "session"}, {"DATABASE_POOLER": "transaction", **LIMIT}
STATEMENTS = {} if pooler.PGBOUNCER is None or pooler.version() < (1, 21) else {"max_prepared_statements": "200"}
NAME = "pooled"
INSTANCES = "/api/v2/instances/"
TOO_BUSY = {"detail": "The database is too busy; nothing was changed. Try again."}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = pooler.server_for_poolers()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def in_session_mode(server: Server) -> Iterator[Pooler]:
    """PgBouncer before a database that was migrated and filled through it."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {NAME} OWNER {ROLE}")
    with pooled(server, "session") as bouncer:
        manage(bouncer.url(NAME), "migrate", "--verbosity", "0", **SESSION)
        manage(bouncer.url(NAME), "import_awx", str(DATASET), **SESSION)
        yield bouncer


@pytest.fixture(scope="module")
def direct(server: Server, in_session_mode: Pooler) -> Iterator[Database]:
    """The same database without the pooler."""
    database = Database(server.url(NAME))
    yield database
    database.connection.close()


def test_a_service_in_session_mode_outlives_a_restart_of_the_pooler(in_session_mode: Pooler, direct: Database) -> None:
    with served(in_session_mode.url(NAME), **SESSION, **LIMIT) as address:
        for _ in range(2):
            check_requests(address)
            check_time_limit(address, direct)
            in_session_mode.restart()


def check_requests(address: str) -> None:
    """A list, one that may be slow, a record, and a change of it."""
    for path in (INSTANCES, f"{INSTANCES}?errors__icontains=x&page_size=1", f"{INSTANCES}5/"):
        assert requests.get(f"{address}{path}", headers=ADMIN).status_code == 200, path
    for enabled in (False, True):
        changed = requests.patch(f"{address}{INSTANCES}5/", json={"enabled": enabled}, headers=ADMIN)
        assert (changed.status_code, changed.json()["enabled"]) == (200, enabled)


def check_time_limit(address: str, direct: Database) -> None:
    """STATEMENT_TIMEOUT is in force: a change does not wait for a locked row any longer."""
    with psycopg.connect(direct.url) as other:
        other.execute("SELECT 1 FROM instances_instance WHERE id = 6 FOR UPDATE")
        refused = requests.patch(f"{address}{INSTANCES}6/", json={"enabled": False}, headers=ADMIN, timeout=30)
    assert (refused.status_code, refused.json()) == (503, TOO_BUSY)


def test_a_worker_in_session_mode_outlives_a_restart_of_the_pooler(in_session_mode: Pooler, direct: Database) -> None:
    url = in_session_mode.url(NAME)
    with served(url, **SESSION) as address, working(url, **SESSION):
        for minimum in (1, 2):
            change_minimum(address, minimum)
            in_session_mode.restart()


def change_minimum(address: str, minimum: int) -> None:
    """Change a policy of a group, which a worker applies."""
    group = requests.get(f"{address}/api/v2/instance_groups/?name=empty", headers=ADMIN).json()["results"][0]
    path = f"{address}/api/v2/instance_groups/{group['id']}/"
    assert requests.patch(path, json={"policy_instance_minimum": minimum}, headers=ADMIN).status_code == 200
    until(lambda: requests.get(path, headers=ADMIN).json()["instances"] == minimum)


LOCKED = f"""
from django.db import connection, transaction
from instances.mirror.guard import sync_lock
from instances.models import Instance
other = connection.copy()
with sync_lock():
    for _ in range(5):
        with transaction.atomic():
            Instance.objects.count()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock({int(Lock.SYNC)})")
        print(cursor.fetchone()[0])
with other.cursor() as cursor:
    cursor.execute("SELECT pg_try_advisory_lock({int(Lock.SYNC)})")
    print(cursor.fetchone()[0])
"""


def test_the_lock_of_syncs_works_in_session_mode(in_session_mode: Pooler, direct: Database) -> None:
    url = in_session_mode.url(NAME)
    assert manage(url, "shell", "--no-imports", "-c", LOCKED, **SESSION).stdout.split() == ["False", "True"]
    direct.one("SELECT pg_advisory_lock(%s)", Lock.SYNC)
    try:
        done = manage(url, "sync_awx", "--detach", check=False, **SESSION)
    finally:
        direct.one("SELECT pg_advisory_unlock(%s)", Lock.SYNC)
    assert (done.returncode, "Another sync is under way" in done.stderr) == (6, True), done.stderr


@pytest.mark.parametrize(
    ("mode", "setting", "options", "reason"),
    [
        ("session", "", {}, "set DATABASE_POOLER to its mode"),
        ("transaction", "", {}, "set DATABASE_POOLER to its mode"),
        ("transaction", "", {"ignore_startup_parameters": "options"}, "a pooler ignores what they begin with"),
        ("transaction", "session", {}, "The pooler is not in session mode"),
        ("session", "transaction", {}, "run 'awx-instances configure_database'"),
    ],
)
def test_a_start_that_does_not_fit_the_pooler_is_refused_in_one_line(
    mode: str, setting: str, options: dict[str, str], reason: str, server: Server, in_session_mode: Pooler
) -> None:
    commands = ["serve", "worker"] if setting != "transaction" else ["serve"]
    with pooled(server, mode, **options) as bouncer:
        for command in commands:
            done = manage(bouncer.url(NAME), command, check=False, DATABASE_POOLER=setting)
            assert done.returncode == 1
            assert reason in done.stderr
            assert len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.fixture(scope="module")
def configured(server: Server, in_session_mode: Pooler) -> Iterator[None]:
    """The role has the settings of connections, as an operator writes them through a pooler in transaction mode."""
    with pooled(server, "transaction", **STATEMENTS) as bouncer:
        manage(bouncer.url(NAME), "configure_database", **TRANSACTION)
    in_session_mode.reconnect()  # or its connections would have the settings of before
    yield
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(f"ALTER ROLE {ROLE} IN DATABASE {NAME} RESET ALL")


def test_a_pooler_that_mixes_up_prepared_statements_is_refused(server: Server, configured: None) -> None:
    with pooled(server, "transaction", **dict.fromkeys(STATEMENTS, "0")) as bouncer:
        done = manage(bouncer.url(NAME), "serve", check=False, **TRANSACTION)
    assert done.returncode == 1
    assert "does not support prepared statements" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_commands_in_session_mode_have_no_limit_of_time(in_session_mode: Pooler, configured: None) -> None:
    shown = "from django.db import connection; print(connection.cursor().execute('SHOW statement_timeout').fetchone())"
    done = manage(in_session_mode.url(NAME), "shell", "--no-imports", "-c", shown, **SESSION)
    assert done.stdout.strip() == "('0',)"


@pytest.mark.skipif(not STATEMENTS or pooler.version() < (1, 22), reason="transaction mode needs PgBouncer 1.22")
def test_transaction_mode_serves_more_clients_than_it_has_connections(
    server: Server, direct: Database, configured: None
) -> None:
    with (
        pooled(server, "transaction", size=3, **STATEMENTS) as bouncer,
        served(bouncer.url(NAME), workers=2, **TRANSACTION) as address,
        working(direct.url),
        ThreadPoolExecutor(16) as clients,
    ):
        for _ in range(2):
            for checked in [clients.submit(check_requests_at_once, address, number) for number in range(64)]:
                checked.result()
            check_time_limit(address, direct)
            check_queue(address, direct)
            assert set(limits_of_time(bouncer)) == {"3s"}
            bouncer.restart()


def check_requests_at_once(address: str, number: int) -> None:
    """As ``check_requests``, for many at once."""
    slow = f"{INSTANCES}?errors__icontains={number}&page_size=1"
    for path in (INSTANCES, slow, f"{INSTANCES}?page_size=5&page={1 + number % 2}"):
        answer = requests.get(f"{address}{path}", headers=ADMIN, timeout=30)
        busy = answer.status_code == 503 and "Too many queries like this" in answer.text
        assert busy or answer.status_code == 200, (path, answer.status_code, answer.text)
    path = f"{address}{INSTANCES}{(3, 5)[number % 2]}/"
    assert requests.patch(path, json={"enabled": number % 3 > 0}, headers=ADMIN, timeout=30).status_code == 200


def check_queue(address: str, direct: Database) -> None:
    """A worker that is connected directly executes what was queued through the pooler."""
    done = "SELECT max(id) FROM procrastinate_jobs WHERE task_name = 'apply_policies' AND status = 'succeeded'"
    before = direct.one(done) or 0
    path = f"{address}/api/v2/instance_groups/5/"
    for minimum in (1, 2):
        assert requests.patch(path, json={"policy_instance_minimum": minimum}, headers=ADMIN).status_code == 200
    until(lambda: (direct.one(done) or 0) > before)


def limits_of_time(bouncer: Pooler) -> list[str]:
    """The statement_timeout of each connection that the pooler has to the server."""
    connections = [psycopg.connect(bouncer.url(NAME)) for _ in range(3)]  # each begins a transaction, and so has one
    found = [each.execute("SHOW statement_timeout").fetchone() for each in connections]
    for each in connections:
        each.close()
    return [row[0] for row in found if row]
