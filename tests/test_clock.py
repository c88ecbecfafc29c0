"""The clock of the machine jumps by an hour, forth and back: of the database, the service and the worker together."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from tests.clock import Clock
from tests.postgresql import Server
from tests.service import DATASET, manage, served
from tests.test_database_away import Site, log_in, works
from tests.test_worker import start_worker
from tests.test_worker import until as until_within

pytestmark = pytest.mark.slow

ADMIN = {"Authorization": "Bearer oracle-admin-token"}
HOUR = 3600
JUMPS = pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forth", "back"])
WINDOW = 5  # seconds for which logins are locked
until = partial(until_within, seconds=120)  # less than any jump, on a busy machine, too


@pytest.fixture(scope="module")
def clock() -> Iterator[Clock]:
    clock = Clock()
    yield clock
    clock.remove()


@pytest.fixture(scope="module")
def server(clock: Clock) -> Iterator[Server]:
    server = Server(clock.variables)
    yield server
    server.remove()


@pytest.fixture(scope="module")
def url(server: Server) -> str:
    url = server.create("clock")
    manage(url, "migrate", "--verbosity", "0")
    manage(url, "import_awx", str(DATASET))
    return url


@pytest.fixture(scope="module")
def address(url: str, clock: Clock) -> Iterator[str]:
    limits = {"LOGIN_FAILURE_LIMIT": "3", "LOGIN_FAILURE_WINDOW": str(WINDOW)}
    with served(url, **clock.variables, **limits) as address:
        yield address


@pytest.fixture
def jumping(clock: Clock) -> Iterator[Clock]:
    """It is as far ahead as it can go back."""
    clock.set(HOUR)
    yield clock
    clock.set(HOUR)


@contextlib.contextmanager
def working(url: str, clock: Clock) -> Iterator[subprocess.Popen[str]]:
    health = {"HEALTH_PROBE": "agent", "CLUSTER_NODE_HEARTBEAT_PERIOD": "2", "WORKER_HEARTBEAT": "5"}
    patience = {"RECEPTOR_SERVICE_ADVERTISEMENT_PERIOD": "600"}  # longer than a test, shorter than an hour
    worker = start_worker(url, **health, **patience, **clock.variables)
    try:
        yield worker
    finally:
        worker.terminate()
        output, _ = worker.communicate(timeout=60)
    assert worker.returncode == 0, output
    assert "Traceback" not in output, output


def one(url: str, query: str, *values: Any) -> Any:
    with psycopg.connect(url, autocommit=True) as database:
        row = database.execute(query.encode(), values).fetchone()
        return row and row[0]


def status(address: str, path: str = "/api/v2/instances/1/") -> int:
    return requests.get(address + path, headers=ADMIN, timeout=30).status_code


@JUMPS
def test_requests_go_on(address: str, jumping: Clock, jump: int) -> None:
    """Their time, and that of queues and statements, is not that of the clock. A session ends by the clock."""
    session = log_in(Site(address, Path()))
    began = time.monotonic()
    jumping.set(HOUR + jump)
    assert [status(address), status(address, "/readyz"), status(address, "/api/v2/metrics/")] == [200, 200, 200]
    answer = requests.patch(f"{address}/api/v2/instances/1/", json={"enabled": True}, headers=ADMIN, timeout=30)
    assert answer.status_code == 200
    assert 0 <= float(answer.headers["X-API-Time"].rstrip("s")) < time.monotonic() - began
    assert session.get(f"{address}/api/v2/me/").status_code == (401 if jump > 0 else 200)


@JUMPS
def test_a_lockout_lasts_no_longer_than_it_shall(address: str, jumping: Clock, jump: int) -> None:
    name = f"nobody-{jump}"

    def tried() -> int:
        return requests.get(f"{address}/api/v2/me/", auth=(name, "wrong"), timeout=30).status_code

    assert [tried() for _ in range(4)] == [401, 401, 401, 429]
    jumping.set(HOUR + jump)
    until(lambda: tried() == 401)


@JUMPS
def test_a_worker_is_seen_and_works_on(url: str, jumping: Clock, jump: int) -> None:
    """Its heartbeats, its inspections and its own node's are those of now; no node is lost by the jump."""

    def checked() -> int:
        return manage(url, "check_worker", check=False).returncode

    def last(column: str, table: str) -> float:
        return abs(float(one(url, f"SELECT extract(epoch FROM now() - max({column})) FROM {table}")))

    ready = "SELECT count(*) FROM instances_instance WHERE node_state = 'ready' AND node_type = 'execution'"
    with working(url, jumping):
        until(lambda: checked() == 0 and works(url))
        until(lambda: last("began", "instances_meshinspection") < 10)
        before = one(url, ready)
        assert before > 0
        jumping.set(HOUR + jump)
        until(lambda: last("began", "instances_meshinspection") < 10)
        until(lambda: checked() == 0 and works(url))
        until(lambda: last("sighted", "instances_nodehealth WHERE instance_id = 1") < 10)
        assert one(url, ready) == before
    until(lambda: checked() == 1)


def test_a_worker_of_before_the_clock_was_set_back_is_missed(url: str, jumping: Clock) -> None:
    """Nor does it count for an hour, if it was killed then."""
    with psycopg.connect(url, autocommit=True) as database:
        database.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
        assert manage(url, "check_worker", check=False).returncode == 0
        jumping.set(0)
        assert manage(url, "check_worker", check=False).returncode == 1
        database.execute("TRUNCATE procrastinate_workers CASCADE")


def test_what_is_tried_again_does_not_wait_for_the_clock(url: str, address: str, jumping: Clock) -> None:
    """A node with a job is to be removed; meanwhile the clock is set back, and then the job ends."""
    body = {"hostname": "goes.example.org", "node_type": "execution"}
    node = requests.post(f"{address}/api/v2/instances/", json=body, headers=ADMIN, timeout=30).json()
    path = f"/api/v2/instances/{node['id']}/"
    job = one(url, "SELECT min(id) FROM instances_unifiedjob")
    run = "UPDATE instances_unifiedjob SET status = %s, execution_node = %s WHERE id = %s RETURNING id"
    one(url, run, "running", body["hostname"], job)
    requests.patch(address + path, json={"node_state": "deprovisioning"}, headers=ADMIN, timeout=30)
    waits = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'deprovision' AND scheduled_at > now()"
    with working(url, jumping):
        until(lambda: one(url, waits))
        jumping.set(0)
        one(url, run, "successful", body["hostname"], job)
        until(lambda: status(address, path) == 404)


def test_the_daily_cleanup_runs_once_a_day(url: str, clock: Clock) -> None:
    """Whether the clock comes to its time for the first time, again, or on the next day."""
    now = datetime.now(UTC)
    due = (now + timedelta(days=1)).replace(hour=2, minute=30, second=0)

    def last_run(from_now: timedelta) -> Any:
        clock.set((due - timedelta(seconds=8) - datetime.now(UTC) + from_now).total_seconds())
        with working(url, clock):
            clock_of_database = "SELECT extract(epoch FROM now())::bigint"
            until(lambda: one(url, clock_of_database) > (due + from_now).timestamp() + 3)
            until(lambda: not one(url, "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"))
        return one(url, "SELECT max(id) FROM procrastinate_jobs WHERE task_name = 'cleanup' AND status = 'succeeded'")

    first, second, third = [last_run(from_now) for from_now in (timedelta(0), timedelta(0), timedelta(days=1))]
    assert first == second
    assert third > second > 0
