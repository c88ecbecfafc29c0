"""Drains in two connections at once, and in a server and a worker that are killed: each ends exactly once."""

import contextlib
import signal
import threading
from collections.abc import Iterator

import psutil
import pytest
import requests
from procrastinate.contrib.django.models import ProcrastinateJob

from instances import drains
from instances.drains import DrainPlan, DrainRefusedError
from instances.models import Drain, Instance
from tests.make import make_node
from tests.service import new_database
from tests.test_races import meanwhile
from tests.test_serve_processes import free_port, started
from tests.test_worker import ADMIN, Database, until, working

NODE = "exec-4.example.org"
GATE = 5_733_999  # an advisory lock of these tests
PLAN = DrainPlan("repair", "enable")

pytestmark = pytest.mark.django_db


# --- two at once


@pytest.fixture
def node(transactional_db: None) -> Instance:
    return make_node("exec-1", node_type="execution", node_state="ready")


def refused(node: Instance) -> str:
    try:
        drains.begin([node.pk], PLAN)
    except DrainRefusedError as error:
        return str(error)
    return ""


def test_of_two_that_drain_a_node_one_is_refused(node: Instance) -> None:
    answer = meanwhile(lambda: drains.begin([node.pk], PLAN), lambda: refused(node))
    assert answer == "exec-1 is being drained already."
    assert Drain.objects.count() == 1


def test_what_is_undone_meanwhile_takes_no_further_step(node: Instance) -> None:
    (drain,) = drains.begin([node.pk], DrainPlan("repair", "deprovision"))
    assert meanwhile(lambda: drains.undo(node.pk), lambda: drains.take_step(drain.pk)) is False
    drain.refresh_from_db()
    node.refresh_from_db()
    assert (drain.ended_how, node.enabled, node.node_state) == ("undone", True, "ready")


def test_what_ends_meanwhile_is_not_undone(node: Instance) -> None:
    drains.begin([node.pk], DrainPlan("repair", "deprovision"))

    def undo() -> str:
        try:
            return str(drains.undo(node.pk).ended_how)
        except Drain.DoesNotExist:
            return "too late"

    assert meanwhile(drains.advance, undo) == "too late"
    node.refresh_from_db()
    assert (Drain.objects.get().ended_how, node.enabled, node.node_state) == ("done", False, "deprovisioning")


def test_of_two_workers_one_takes_each_step(node: Instance) -> None:
    drains.begin([node.pk], DrainPlan("repair", "deprovision"))
    before = ProcrastinateJob.objects.filter(task_name="deprovision").count()
    meanwhile(drains.advance, drains.advance)
    assert ProcrastinateJob.objects.filter(task_name="deprovision").count() == before + 1


def test_two_nodes_that_are_each_not_needed_are_not_drained_at_once(node: Instance) -> None:
    control, other = (make_node(f"control-{n}", node_type="control", node_state="ready") for n in (1, 2))
    answer = meanwhile(lambda: drains.begin([control.pk], PLAN), lambda: refused(other))
    assert "No other control or hybrid node" in answer


# --- killed


@pytest.fixture
def database(dataset_template: str) -> Iterator[Database]:
    """A copy of the recorded AWX's records, in which every step of a drain waits at a gate while that is shut.

    ``steps`` counts what was committed of the next steps.
    """
    with new_database(dataset_template) as url:
        database = Database(url)
        database.connection.execute("DELETE FROM instances_unifiedjob")
        database.connection.execute("UPDATE instances_instance SET node_state = 'ready'")
        database.connection.execute(GATES)
        yield database
        database.connection.close()


GATES = f"""
CREATE TABLE steps (step text);
CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock({GATE});
    RETURN NEW;
END $$;
CREATE FUNCTION step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO steps VALUES (concat_ws(' ', NEW.enabled, NEW.node_state));
    RETURN NEW;
END $$;
CREATE TRIGGER step AFTER UPDATE ON instances_instance FOR EACH ROW
    WHEN ((NEW.enabled, NEW.node_state) IS DISTINCT FROM (OLD.enabled, OLD.node_state)) EXECUTE FUNCTION step();
CREATE TRIGGER begins BEFORE INSERT ON instances_drain FOR EACH ROW EXECUTE FUNCTION gate();
"""
ENDS = """CREATE TRIGGER ends BEFORE UPDATE ON instances_drain FOR EACH ROW
    WHEN (NEW.{0} IS NOT NULL AND OLD.{0} IS NULL) EXECUTE FUNCTION gate()"""


@contextlib.contextmanager
def shut_gate(database: Database) -> Iterator[None]:
    """Context manager: what comes to the gate waits there, for as long as the block takes."""
    database.one("SELECT pg_advisory_lock(%s)", GATE)
    try:
        yield
    finally:
        database.one("SELECT pg_advisory_unlock(%s)", GATE)


def somebody_waits(database: Database) -> bool:
    return bool(database.one("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted", GATE))


def begun(database: Database, then: str) -> None:
    """Let the node have a drain, as a server has left it."""
    database.connection.execute("UPDATE instances_instance SET enabled = false WHERE hostname = %s", [NODE])
    database.connection.execute(
        'INSERT INTO instances_drain (instance_id, hostname, requested_by_name, reason, began, "then", force_reason,'
        " was_enabled, ended_how, ended_by_name)"
        " SELECT id, hostname, 'admin', 'repair', now(), %s, '', true, '', '' FROM instances_instance"
        " WHERE hostname = %s",
        [then, NODE],
    )
    database.connection.execute("DELETE FROM steps")


@pytest.mark.slow
@pytest.mark.parametrize("column", ["drained_at", "ended_at"])
@pytest.mark.parametrize(("then", "step"), [("enable", "t ready"), ("deprovision", "f deprovisioning")])
def test_a_killed_worker_leaves_a_step_that_another_takes_once(
    column: str, then: str, step: str, database: Database
) -> None:
    begun(database, then)
    database.connection.execute(ENDS.format(column))
    with shut_gate(database):
        with working(database.url, signal.SIGKILL):
            until(lambda: somebody_waits(database), seconds=60)
        drained = database.one("SELECT drained_at IS NOT NULL FROM instances_drain")
        assert drained == (column == "ended_at")  # the first transaction was committed, or not
    until(lambda: not somebody_waits(database))
    assert database.one("SELECT ended_at FROM instances_drain") is None
    assert database.one("SELECT count(*) FROM steps") == 0
    database.connection.execute("DELETE FROM procrastinate_workers")
    with working(database.url), working(database.url):
        until(lambda: database.one("SELECT count(*) FROM procrastinate_workers") == 2, seconds=60)
        until(lambda: database.one("SELECT ended_how FROM instances_drain") == "done", seconds=60)
        if then == "deprovision":
            until(lambda: not database.has(NODE))
    assert [row[0] for row in database.connection.execute("SELECT step FROM steps")] == [step]
    assert database.one("SELECT count(*) FROM instances_drain WHERE hostname = %s", NODE) == 1


@pytest.mark.slow
def test_a_killed_server_leaves_nothing_or_a_drain(database: Database) -> None:
    """Killed while it stores the drain, before it disables the node."""
    port = free_port()
    where = f"http://127.0.0.1:{port}/api/fleet/v1/instances/{NODE}/drain/"

    def post() -> None:
        with contextlib.suppress(requests.ConnectionError):
            requests.post(where, json={"reason": "repair"}, headers=ADMIN, timeout=60)

    asking = threading.Thread(target=post)
    with shut_gate(database), started(database.url, port) as server:
        asking.start()
        until(lambda: somebody_waits(database))
        kill_all(server)
    asking.join()
    until(lambda: not somebody_waits(database))
    until(lambda: database.one("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()") == 1)
    assert database.one("SELECT count(*) FROM instances_drain") == 0
    assert database.one("SELECT enabled FROM instances_instance WHERE hostname = %s", NODE)
    with started(database.url, port):
        answer = requests.post(where, json={"reason": "repair", "then": "enable"}, headers=ADMIN, timeout=60)
        assert answer.status_code == 201
    with working(database.url):
        until(lambda: database.one("SELECT ended_how FROM instances_drain") == "done", seconds=60)
    assert [row[0] for row in database.connection.execute("SELECT step FROM steps")] == ["f ready", "t ready"]


def kill_all(server: psutil.Process) -> None:
    """Kill the server with all of its processes, the parent first, which would replace the others."""
    for process in [server, *server.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
