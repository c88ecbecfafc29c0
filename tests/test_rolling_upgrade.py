"""The earlier release serves while its database is migrated, and then beside the code of today: nobody notices.

Each reads what the other has written, and neither fails. What is compared are the fields that both have.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from pytest_django import DjangoDbBlocker

from tests.releases.earlier import earlier_code, manage_by, migrations_of, served_from, tasks_of, working_from
from tests.service import DATASET, PROJECT, new_database
from tests.test_database_away import Site, log_in
from tests.test_upgrade import NEEDS_STOP
from tests.test_worker import until

pytestmark = pytest.mark.slow

TOKEN = "oracle-admin-token"
# What the next additive migration may do to each table, and what statements prepared before it must survive.
ADDITIVE = """
ALTER TABLE {0} ADD COLUMN later integer DEFAULT 0 NOT NULL;
ALTER TABLE {0} ADD COLUMN later_text text NULL;
CREATE INDEX later_{0} ON {0} (later);
"""
NOT_COMPARED = {"related", "url", "elapsed"}  # links are of each release's own; of running jobs the time goes on
# Jobs that a worker of the earlier release cannot run: it gives them up.
UNKNOWN_JOBS = {"cleanup"}  # queued at 2:30 UTC alone, and again on the next day


@dataclass
class Release:
    """The service as one of the two serves it."""

    name: str
    code: Path
    address: str
    token: str = TOKEN
    session: requests.Session = field(default_factory=requests.Session)

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.session.request(method, self.address + path, json=body, headers=headers, timeout=30)

    def read(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()

    def write(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.ask(method, path, body)
        assert answer.status_code in (200, 201, 204), (path, answer.text)
        return answer.json() if answer.content else None


@pytest.fixture(scope="module")
def code() -> Iterator[Path]:
    with earlier_code() as code:
        missing = NEEDS_STOP.keys() - set(migrations_of(code))
        assert not missing, f"No release before {missing} can serve what there is today: COMMIT must be one with it."
        yield code


@pytest.fixture(scope="module")
def url(code: Path, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A database of the earlier release, with its records."""
    with django_db_blocker.unblock(), new_database() as url:
        manage_by(code, url, "migrate", "--verbosity", "0")
        manage_by(code, url, "import_awx", str(DATASET))
        yield url


@pytest.fixture(scope="module")
def earlier(code: Path, url: str) -> Iterator[Release]:
    with served_from(code, url) as address:
        yield Release("earlier", code, address)


@pytest.fixture(scope="module")
def answered_meanwhile(earlier: Release, url: str) -> list[int]:
    """The statuses of the earlier release while the database was migrated."""
    with asking(earlier) as answered:
        manage_by(PROJECT, url, "migrate", "--verbosity", "0")
        with psycopg.connect(url, autocommit=True) as database:
            tables = database.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'instances_%'").fetchall()
            for (table,) in tables:
                database.execute(ADDITIVE.format(table).encode())
        reached = len(answered)
        until(lambda: len(answered) > reached + 20)
    return answered


@contextlib.contextmanager
def asking(release: Release) -> Iterator[list[int]]:
    """Requests, one after the other, each a read or a change, for as long as the block takes; their statuses."""
    answered: list[int] = []
    end = threading.Event()
    paths = ("/api/v2/instances/", "/api/v2/instances/5/", "/api/v2/instance_groups/", "/api/v2/ping/")

    def go_on() -> None:
        while not end.is_set():
            answered.extend(release.ask("GET", path).status_code for path in paths)
            enabled = {"enabled": bool(len(answered) % 2)}
            answered.append(release.ask("PATCH", "/api/v2/instances/5/", enabled).status_code)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield answered
    finally:
        end.set()
        thread.join()


@pytest.fixture(scope="module")
def today(answered_meanwhile: list[int], url: str) -> Iterator[Release]:
    with served_from(PROJECT, url) as address:
        yield Release("today", PROJECT, address)


@pytest.fixture(params=["earlier writes", "today writes"])
def sides(request: pytest.FixtureRequest, earlier: Release, today: Release) -> tuple[Release, Release]:
    """Who writes, and who reads."""
    return (earlier, today) if request.param == "earlier writes" else (today, earlier)


def shared(one: Any, other: Any) -> Any:
    """``one`` without the fields that ``other`` does not have, at any depth, and without NOT_COMPARED."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {name: shared(one[name], other[name]) for name in one.keys() & other.keys() - NOT_COMPARED}
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [shared(*pair) for pair in zip(one, other, strict=True)]
    return one


def by_type(answer: Any) -> Any:
    """Conditions by their type, as a later release has more; any other answer as it is."""
    rows = answer.get("results", []) if isinstance(answer, dict) else []
    return {row["type"]: row for row in rows} if rows and "last_transition" in rows[0] else answer


def assert_same(one: Release, other: Release, path: str) -> Any:
    """Both answer the same of what both have; returns what ``other`` answers."""
    mine, theirs = (by_type(each.read(path)) for each in (one, other))
    assert shared(mine, theirs) == shared(theirs, mine), path
    return theirs


def test_nobody_notices_the_migration(answered_meanwhile: list[int]) -> None:
    assert set(answered_meanwhile) == {200}
    assert len(answered_meanwhile) > 20


def test_both_read_the_same(earlier: Release, today: Release) -> None:
    """Each collection that the earlier release names, its records, and what is below nodes and groups."""
    collections = [path for path in earlier.read("/api/v2/").values() if isinstance(path, str) and path.endswith("/")]
    paths = [path for path in collections if earlier.ask("OPTIONS", path).json().get("actions", {}).get("GET")]
    stored = [path for path in paths if earlier.read(path).get("count")]
    assert {"/api/v2/instances/", "/api/v2/instance_groups/", "/api/v2/users/"} <= set(stored)
    records = [record["url"] for path in stored for record in earlier.read(path)["results"] if record.get("url")]
    related = [
        below
        for path in ("/api/v2/instances/", "/api/v2/instance_groups/")
        for record in earlier.read(path)["results"]
        for below in record["related"].values()
        if isinstance(below, str) and "install_bundle" not in below
    ]
    pages = ["/api/fleet/v1/mesh/", "/api/fleet/v1/instances/5/conditions/"]
    for path in [*stored, *records, *related, *pages]:
        if earlier.ask("GET", path).status_code == 200:
            assert_same(earlier, today, path)
    assert len(records) > 20
    for release in (earlier, today):
        assert release.ask("GET", "/api/v2/metrics/").status_code == 200
        assert release.ask("GET", "/api/v2/ping/").status_code == 200


def test_a_node_of_one_is_a_node_of_the_other(sides: tuple[Release, Release]) -> None:
    writer, reader = sides
    body = {"hostname": f"new-{writer.name}.example.org", "node_type": "execution", "node_state": "installed"}
    node = writer.write("POST", "/api/v2/instances/", {**body, "listener_port": 27199})
    path = f"/api/v2/instances/{node['id']}/"
    assert assert_same(writer, reader, path)["listener_port"] == 27199
    peers = [reader.read("/api/v2/instances/?node_type=hop")["results"][0]["hostname"]]
    writer.write("PATCH", path, {"capacity_adjustment": "0.50", "enabled": False, "peers": peers})
    seen = assert_same(writer, reader, path)
    assert (seen["capacity_adjustment"], seen["enabled"], seen["peers"]) == ("0.50", False, peers)
    assert_same(writer, reader, f"{path}peers/")
    reader.write("PATCH", path, {"enabled": True, "peers": []})
    assert assert_same(reader, writer, path)["enabled"] is True


def test_groups_and_members(sides: tuple[Release, Release]) -> None:
    writer, reader = sides
    group = writer.write("POST", "/api/v2/instance_groups/", {"name": f"group of {writer.name}"})
    path = f"/api/v2/instance_groups/{group['id']}/"
    writer.write("POST", f"{path}instances/", {"id": 5})
    assert assert_same(writer, reader, f"{path}instances/")["count"] == 1
    writer.write("PATCH", path, {"policy_instance_percentage": 7})
    assert assert_same(writer, reader, path)["policy_instance_percentage"] == 7
    reader.write("POST", f"{path}instances/", {"id": 5, "disassociate": True})
    assert assert_same(reader, writer, path)["instances"] == 0
    reader.write("DELETE", path)
    assert [each.ask("GET", path).status_code for each in sides] == [404, 404]


def test_tokens_and_sessions(sides: tuple[Release, Release]) -> None:
    writer, reader = sides
    me = writer.read("/api/v2/me/")["results"][0]["id"]
    token = writer.write("POST", f"/api/v2/users/{me}/personal_tokens/", {"scope": "write"})["token"]
    assert Release(reader.name, reader.code, reader.address, token).read("/api/v2/me/")["count"] == 1
    session = log_in(Site(writer.address, Path()))
    assert session.get(f"{reader.address}/api/v2/me/").json()["results"][0]["username"] == "admin"


def test_reports_of_nodes(sides: tuple[Release, Release], url: str) -> None:
    """With a token of the one to the other."""
    writer, reader = sides
    hostname = reader.read("/api/v2/instances/5/")["hostname"]
    token = manage_by(writer.code, url, "issue_node_token", hostname).split()[-1]
    node = Release(reader.name, reader.code, reader.address, token)
    report = {"cpu": 6, "memory": 12_000_000_000, "version": "ansible-runner-2.4.0", "errors": ""}
    node.write("POST", "/api/fleet/v1/instances/5/report/", report)
    assert assert_same(reader, writer, "/api/v2/instances/5/")["memory"] == report["memory"]
    assert_same(reader, writer, "/api/fleet/v1/instances/5/conditions/")


def test_commands(sides: tuple[Release, Release], url: str) -> None:
    """An import writes to all tables. The earlier one cannot if jobs have a further column that must not be null."""
    writer, reader = sides
    manage_by(writer.code, url, "provision_instance", "--hostname=by-command.example.org", "--node_type=execution")
    manage_by(writer.code, url, "register_queue", "--queuename=by-command", "--hostnames=by-command.example.org")
    group = reader.read("/api/v2/instance_groups/?name=by-command")["results"][0]
    assert assert_same(writer, reader, f"/api/v2/instance_groups/{group['id']}/")["policy_instance_list"]
    manage_by(PROJECT, url, "import_awx", str(DATASET), "--replace")
    manage_by(reader.code, url, "verify_counters")
    assert assert_same(writer, reader, "/api/v2/instances/?page_size=200")["count"] == 15
    assert reader.read("/api/v2/instance_groups/?name=by-command")["count"] == 0


def test_the_worker_of_one_does_the_jobs_of_the_other(sides: tuple[Release, Release], url: str) -> None:
    writer, worker = sides
    node = writer.write("POST", "/api/v2/instances/", {"hostname": "goes.example.org", "node_type": "execution"})
    path = f"/api/v2/instances/{node['id']}/"
    group = {"name": f"filled by {worker.name}", "policy_instance_minimum": 2}
    last_seen = writer.read("/api/v2/instances/1/")["last_seen"]  # of the node that the worker runs on
    filled = writer.write("POST", "/api/v2/instance_groups/", group)
    writer.write("PATCH", path, {"node_state": "deprovisioning"})
    with working_from(worker.code, url, HEALTH_PROBE="local"):
        until(lambda: writer.ask("GET", path).status_code == 404)
        until(lambda: writer.read(f"/api/v2/instance_groups/{filled['id']}/")["instances"] >= 2)
        until(lambda: writer.read("/api/v2/instances/1/")["last_seen"] != last_seen)
    writer.write("DELETE", f"/api/v2/instance_groups/{filled['id']}/")


def test_jobs_that_the_earlier_worker_does_not_know(code: Path, url: str) -> None:
    """A new kind of job is queued by the release after the one that can run it, or stands in UNKNOWN_JOBS."""
    assert tasks_of(PROJECT, url) - tasks_of(code, url) == UNKNOWN_JOBS
