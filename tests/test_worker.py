"""``manage.py worker``, as a process on a database of its own."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from instances.locks import Lock
from tests.receptor import Behaviour, FakeReceptor
from tests.service import PROJECT, environment, manage, new_database, served, wait_for

pytestmark = pytest.mark.django_db

ADMIN = {"Authorization": "Bearer oracle-admin-token"}


class Database:
    """The database at ``url``, as the tests look at it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = psycopg.connect(url, autocommit=True)

    def one(self, query: str, *values: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.connection.execute(query, values).fetchone()
        return row and row[0]

    def job(self, task: str, *, status: str) -> bool:
        return bool(
            self.one("SELECT count(*) FROM procrastinate_jobs WHERE task_name = %s AND status::text = %s", task, status)
        )

    def has(self, hostname: str) -> bool:
        return self.one("SELECT id FROM instances_instance WHERE hostname = %s", hostname) is not None


@pytest.fixture
def database(dataset_template: str) -> Iterator[Database]:
    """A copy of the recorded AWX's records."""
    with new_database(dataset_template) as url:
        database = Database(url)
        yield database
        database.connection.close()


def start_worker(url: str, **changes: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "worker"],
        cwd=PROJECT,
        env=environment(url, **{"WORKER_HEARTBEAT": "1", "HEALTH_PROBE": "", **changes}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextlib.contextmanager
def working(url: str, signum: signal.Signals = signal.SIGTERM, **changes: str) -> Iterator[subprocess.Popen[str]]:
    """A worker, which must end cleanly on ``signum``."""
    worker = start_worker(url, **changes)
    try:
        yield worker
    finally:
        worker.send_signal(signum)
        output, _ = worker.communicate(timeout=30)
    assert worker.returncode == (0 if signum != signal.SIGKILL else -signal.SIGKILL), output
    assert "Traceback" not in output, output


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


@pytest.mark.slow
def test_refuses_to_start_on_unapplied_migrations() -> None:
    with new_database() as url:
        done = manage(url, "worker", check=False)
    assert done.returncode == 1
    assert "migrations are not applied" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", ["0", "x"])
def test_refuses_a_concurrency_that_it_cannot_use(number: str, dataset_url: str) -> None:
    done = manage(dataset_url, "worker", "--concurrency", number, check=False)
    assert done.returncode == 2
    assert "--concurrency" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=lambda signum: signum.name)
def test_a_worker_ends_cleanly(signum: signal.Signals, database: Database) -> None:
    with working(database.url, signum):
        until(lambda: database.job("apply_policies", status="succeeded"))
    assert database.one("SELECT count(*) FROM procrastinate_workers") == 0


@pytest.mark.slow
def test_what_clients_change_is_done(database: Database) -> None:
    """A node is removed, and a minimum is filled."""
    with served(database.url) as address, working(database.url):
        node = requests.get(f"{address}/api/v2/instances/?hostname=exec-4.example.org", headers=ADMIN).json()
        path = f"{address}/api/v2/instances/{node['results'][0]['id']}/"
        assert requests.patch(path, json={"node_state": "deprovisioning"}, headers=ADMIN).status_code == 200
        until(lambda: requests.get(path, headers=ADMIN).status_code == 404)
        group = requests.get(f"{address}/api/v2/instance_groups/?name=empty", headers=ADMIN).json()["results"][0]
        path = f"{address}/api/v2/instance_groups/{group['id']}/"
        assert requests.patch(path, json={"policy_instance_minimum": 2}, headers=ADMIN).status_code == 200
        until(lambda: requests.get(path, headers=ADMIN).json()["instances"] == 2)


def deprovision(database: Database, hostname: str) -> None:
    """As ``lifecycle.change`` leaves it; a worker that starts queues the removal."""
    database.connection.execute(
        "UPDATE instances_instance SET node_state = 'deprovisioning' WHERE hostname = %s", [hostname]
    )


@pytest.mark.slow
def test_a_removal_waits_for_the_jobs_of_the_node(database: Database) -> None:
    database.connection.execute(
        "UPDATE instances_unifiedjob SET status = 'running', execution_node = 'exec-3.example.org' "
        "WHERE id = (SELECT min(id) FROM instances_unifiedjob)"
    )
    deprovision(database, "exec-3.example.org")
    with working(database.url):
        until(lambda: database.one("SELECT attempts FROM procrastinate_jobs WHERE task_name = 'deprovision'"))
        assert database.has("exec-3.example.org")
        database.connection.execute("UPDATE instances_unifiedjob SET status = 'successful'")
        until(lambda: not database.has("exec-3.example.org"))


@pytest.mark.slow
def test_what_a_killed_worker_had_begun_is_finished_by_another(database: Database) -> None:
    """Killed between the two steps of a removal, which this test delays by holding the lock of the memberships."""
    others = (
        "SELECT count(*) FROM instances_instancelink AS link JOIN instances_instance AS node "
        "ON node.id IN (source_id, target_id) WHERE hostname = 'exec-4.example.org' AND link_state <> 'removing'"
    )
    removal = (
        "SELECT job.id FROM procrastinate_jobs AS job JOIN instances_instance AS node ON args->>'pk' = node.id::text "
        "WHERE hostname = 'exec-4.example.org' AND task_name = 'deprovision' AND status = 'doing'"
    )
    deprovision(database, "exec-4.example.org")
    assert database.one(others)
    database.one("SELECT pg_advisory_lock(%s)", Lock.MEMBERSHIPS)
    with working(database.url, signal.SIGKILL):
        until(lambda: not database.one(others))
        until(lambda: database.job("apply_policies", status="doing"))
    first = database.one(removal)
    assert first is not None
    database.one("SELECT pg_advisory_unlock(%s)", Lock.MEMBERSHIPS)
    with working(database.url):
        until(lambda: not database.has("exec-4.example.org"))
        until(lambda: database.one("SELECT status::text FROM procrastinate_jobs WHERE id = %s", first) == "succeeded")
        until(lambda: not database.one("SELECT 1 FROM procrastinate_jobs WHERE status IN ('doing', 'todo')"))


@pytest.mark.slow
@pytest.mark.parametrize("has_begun", [False, True], ids=["before the first step", "between the steps"])
def test_what_a_killed_worker_left_is_undone_or_finished(has_begun: bool, database: Database) -> None:
    """Killed before a step of a removal, which waits for a lock that this test has."""
    lock = Lock.MEMBERSHIPS if has_begun else Lock.LINKS
    node = database.one("SELECT id FROM instances_instance WHERE hostname = 'exec-4.example.org'")
    removing = (
        "SELECT count(*) FROM instances_instancelink WHERE link_state = 'removing' AND "
        f"(source_id = {node} OR target_id IN (SELECT id FROM instances_receptoraddress WHERE instance_id = {node}))"
    )
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"
    before = database.one(removing)
    with served(database.url) as address:
        path = f"{address}/api/fleet/v1/instances/{node}/deprovision/"
        assert requests.post(path, json={}, headers=ADMIN).status_code == 200
        database.one("SELECT pg_advisory_lock(%s)", lock)
        with working(database.url, signal.SIGKILL):
            until(lambda: database.job("deprovision", status="doing") and database.one(waiting))
            until(lambda: (database.one(removing) > before) == has_begun)
        database.one("SELECT pg_advisory_unlock(%s)", lock)
        answer = requests.delete(path, headers=ADMIN)
        assert answer.status_code == (409 if has_begun else 200), answer.text
        with working(database.url):
            until(lambda: not database.one("SELECT 1 FROM procrastinate_jobs WHERE status IN ('doing', 'todo')"))
        assert database.has("exec-4.example.org") == (not has_begun)
        if not has_begun:
            assert requests.get(path.removesuffix("deprovision/") + "conditions/", headers=ADMIN).status_code == 200
            assert database.one(removing) == before


@pytest.mark.slow
def test_the_demo_has_a_worker_which_ends_with_it(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = environment("", DJANGO_SETTINGS_MODULE="settings.demo", DATA_DIR=str(tmp_path / "data"))
    for name in ("DATABASE_URL", "SECRET_KEY", "CLUSTER_HOST_ID", "INSTALL_UUID", "ALLOWED_HOSTS"):
        env.pop(name, None)
    address = f"http://127.0.0.1:{port}"
    demo = subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--port", str(port)],
        cwd=PROJECT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_for(address, demo, seconds=180)
    path = f"{address}/api/v2/instances/exec-new.demo/"
    login = ("admin", "admin")
    assert requests.patch(path, json={"node_state": "deprovisioning"}, auth=login).status_code == 200
    until(lambda: requests.get(path, auth=login).status_code == 404)
    demo.send_signal(signal.SIGINT)
    output, _ = demo.communicate(timeout=30)  # waits for the end of every process that holds the output
    assert demo.returncode == 0, output
    assert "Traceback" not in output


# --- health


@pytest.mark.slow
def test_the_worker_checks_a_node_that_a_client_asks_for(database: Database) -> None:
    """With the local probe: CPUs, memory and version are there within ten seconds."""
    database.connection.execute("UPDATE instances_instance SET cpu = 0, memory = 0, version = '' WHERE id = 5")
    patient = {"HEALTH_PROBE": "local", "STATEMENT_TIMEOUT": "30000"}  # a look may hold the row on a busy machine
    with served(database.url, **patient) as address, working(database.url, HEALTH_PROBE="local"):
        path = f"{address}/api/v2/instances/5/"
        until(lambda: database.job("apply_policies", status="succeeded"))
        assert requests.post(f"{path}health_check/", headers=ADMIN).status_code == 200
        until(lambda: not requests.get(path, headers=ADMIN).json()["health_check_pending"], seconds=10)
        told = requests.get(path, headers=ADMIN).json()
    assert told["node_state"] == "ready"
    assert float(told["cpu"]) > 0
    assert told["memory"] > 0
    assert told["version"].startswith("ansible-runner-")


@pytest.mark.slow
def test_the_worker_reports_its_own_node(database: Database) -> None:
    before = database.one("SELECT last_seen FROM instances_instance WHERE hostname = 'control-1.example.org'")
    with working(database.url):
        seen = "SELECT last_seen > %s FROM instances_instance WHERE hostname = 'control-1.example.org'"
        until(lambda: database.one(seen, before))


PENDING = (
    "SELECT count(*) FROM instances_instance WHERE health_check_started IS NOT NULL "
    "AND (last_health_check IS NULL OR health_check_started > last_health_check)"
)


@pytest.fixture
def receptor() -> Iterator[FakeReceptor]:
    with FakeReceptor() as receptor:
        yield receptor


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before it begins", "while it runs", "after it ended"])
def test_a_worker_that_is_killed_leaves_no_check_pending(
    moment: str, database: Database, receptor: FakeReceptor
) -> None:
    """Another one finishes it, or ends it when its time is over."""
    receptor.nodes["exec-1.example.org"] = Behaviour(never_ends="Running")
    receptor.status["RoutingTable"] = {"exec-1.example.org": "exec-1.example.org"}
    environment = {"HEALTH_PROBE": "receptor", "HEALTH_CHECK_TIMEOUT": "5", "RECEPTOR_SOCKET": receptor.path}
    with served(database.url, **environment) as address:
        check = f"{address}/api/v2/instances/5/health_check/"
        if moment == "before it begins":
            until(lambda: requests.post(check, headers=ADMIN).ok)
        with working(database.url, signal.SIGKILL, **environment):
            if moment != "before it begins":
                until(lambda: database.job("apply_policies", status="succeeded"))
                until(lambda: requests.post(check, headers=ADMIN).ok)
                until(lambda: receptor.units)
            if moment == "after it ended":
                until(lambda: not database.one(PENDING))
    with working(database.url, signal.SIGKILL, **environment):  # it may not have started wholly when that is done
        until(lambda: not database.one(PENDING))
    late = "SELECT extract(epoch FROM last_health_check - health_check_started) FROM instances_instance WHERE id = 5"
    assert 0 < database.one(late) < 10  # the second worker needs some time to start
    outcome = database.one("SELECT check_outcome FROM instances_nodehealth WHERE instance_id = 5")
    assert outcome in ("CheckTimedOut", "CheckExpired")


@pytest.mark.slow
def test_what_a_killed_worker_left_at_receptor_is_released_by_the_next(
    database: Database, receptor: FakeReceptor
) -> None:
    """The unit that ran, and one that ended."""
    receptor.nodes["exec-1.example.org"] = Behaviour(never_ends="Running")
    receptor.status["RoutingTable"] = {"exec-1.example.org": "exec-1.example.org"}
    environment = {
        "HEALTH_PROBE": "receptor",
        "HEALTH_CHECK_TIMEOUT": "5",
        "RECEPTOR_SOCKET": receptor.path,
        "CLUSTER_NODE_HEARTBEAT_PERIOD": "1",
    }
    with served(database.url, **environment) as address, working(database.url, signal.SIGKILL, **environment):
        until(lambda: requests.post(f"{address}/api/v2/instances/5/health_check/", headers=ADMIN).ok)
        until(lambda: receptor.units)
    receptor.new_unit("exec-1.example.org", Behaviour())
    with working(database.url, **environment):
        until(lambda: not receptor.units and not database.one(PENDING))


@pytest.mark.slow
def test_a_check_goes_to_the_worker_whose_receptor_answers(database: Database, receptor: FakeReceptor) -> None:
    """Of two control nodes, the Receptor of one is down."""
    receptor.nodes["exec-1.example.org"] = Behaviour()
    receptor.status["RoutingTable"] = {"exec-1.example.org": "exec-1.example.org"}
    shared = {"HEALTH_PROBE": "receptor", "CLUSTER_NODE_HEARTBEAT_PERIOD": "5"}
    well = {**shared, "RECEPTOR_SOCKET": receptor.path, "CLUSTER_HOST_ID": "control-2.example.org"}
    broken = {**shared, "RECEPTOR_SOCKET": f"{receptor.path}-missing"}
    with served(database.url, **well) as address, working(database.url, **well), working(database.url, **broken):
        until(lambda: database.one("SELECT count(*) FROM instances_meshinspection") == 2)
        for number in range(1, 7):
            assert requests.post(f"{address}/api/v2/instances/5/health_check/", headers=ADMIN).ok
            until(lambda: not database.one(PENDING))
            outcome = database.one("SELECT check_outcome FROM instances_nodehealth WHERE instance_id = 5")
            assert (number, outcome) == (number, "CheckPassed")


@pytest.mark.slow
def test_the_worker_inspects_the_mesh(database: Database, receptor: FakeReceptor) -> None:
    """A silent node is lost; when it advertises itself again it is checked through Receptor, and back."""
    name, stranger = "exec-1.example.org", "stranger.example.org"
    receptor.nodes[name] = Behaviour()

    def advertise(*hostnames: str) -> bool:
        at = datetime.now(UTC).isoformat()
        receptor.status = {"Advertisements": [{"NodeID": hostname, "Time": at} for hostname in hostnames]}
        return True

    state = "SELECT node_state FROM instances_instance WHERE id = 5"
    environment = {
        "HEALTH_PROBE": "receptor",
        "RECEPTOR_SOCKET": receptor.path,
        "HEALTH_CHECK_TIMEOUT": "5",  # the nodes that nobody answers for are checked, too
        "CLUSTER_NODE_HEARTBEAT_PERIOD": "1",
        "RECEPTOR_SERVICE_ADVERTISEMENT_PERIOD": "1",
    }
    with working(database.url, **environment):
        until(lambda: database.one(state) == "unavailable")
        until(lambda: advertise(name, stranger) and database.one(state) == "ready")
        until(lambda: database.one("SELECT unknown_nodes FROM instances_meshinspection") == [stranger])
    assert database.one("SELECT version FROM instances_instance WHERE id = 5") == "ansible-runner-2.4.0"
    assert not receptor.units  # released
