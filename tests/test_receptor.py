"""What is said to Receptor's control socket, and every way in which that fails."""

import contextlib
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from instances.health import periodic, receptor, report, work
from instances.health.report import LARGEST_OUTPUT, Check, ProbeError
from tests.mesh import node as make_node
from tests.receptor import REPORT, Behaviour, FakeReceptor, deaf_socket

LONG, SHORT = 30, 0.4  # seconds: of what ends by itself, and of what has to time out


@pytest.fixture
def fake(settings: Settings) -> Iterator[FakeReceptor]:
    """A Receptor, at which nothing is left when the test ends: no unit, no connection."""
    with FakeReceptor() as started:
        settings.RECEPTOR_SOCKET = started.path
        settings.RECEPTOR_SIGN_WORK = True
        yield started
        assert started.units == {}


def failure(ask: Callable[[], object]) -> ProbeError:
    with pytest.raises(ProbeError) as caught:
        ask()
    assert str(caught.value)
    return caught.value


def worker_info(node: str, timeout: float) -> bytes:
    with contextlib.ExitStack() as cleanup:
        return work.worker_info(node, timeout, cleanup)


def failed_check(timeout: float = LONG, node: str = "exec-1") -> ProbeError:
    return failure(lambda: worker_info(node, timeout))


# --- status


def test_the_status_is_told_as_receptor_tells_it(fake: FakeReceptor) -> None:
    fake.status["Advertisements"] = [{"NodeID": "é", "Time": "2024-01-01T00:00:00.123456789Z", "WorkCommands": None}]
    assert receptor.status() == fake.status
    assert fake.commands == ["status"]


def test_the_status_of_a_large_mesh_is_read_whole(fake: FakeReceptor) -> None:
    fake.status["KnownConnectionCosts"] = {f"node-{n}": {f"node-{n + 1}": 1.0} for n in range(20_000)}
    assert receptor.status() == fake.status


@pytest.mark.parametrize("prefix", ["unix:", "unix://"])
def test_the_socket_may_be_named_as_receptorctl_names_it(prefix: str, fake: FakeReceptor, settings: Settings) -> None:
    settings.RECEPTOR_SOCKET = prefix + fake.path
    assert receptor.status() == fake.status


@pytest.mark.parametrize("answer", [b"[]\n", b"null\n", b"nonsense\n", b"{\n", b'{"a": 1}', b"\xff\n", b"\n", b""])
def test_rubbish_is_no_status(answer: bytes, fake: FakeReceptor) -> None:
    fake.raw["status"] = answer
    assert failure(receptor.status).outcome == Check.NO_RECEPTOR


def test_an_answer_that_nests_too_deeply_is_no_status(fake: FakeReceptor) -> None:
    fake.raw["status"] = b"[" * 100_000 + b"\n"
    assert failure(receptor.status).outcome == Check.NO_RECEPTOR


def test_a_line_without_end_is_not_read_to_its_end(fake: FakeReceptor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receptor, "LONGEST_LINE", 10_000)
    fake.raw["status"] = b"x" * 50_000
    assert "without end" in str(failure(receptor.status))


def test_an_error_of_receptors_is_told(fake: FakeReceptor) -> None:
    fake.raw["status"] = b"ERROR: permission denied\n"
    error = failure(receptor.status)
    assert (error.outcome, "permission denied" in str(error)) == (Check.NO_RECEPTOR, True)


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\n", b"\n", b"", b"\xff\xfe\n"])
def test_who_greets_otherwise_is_no_receptor(greeting: bytes, fake: FakeReceptor) -> None:
    fake.greeting = greeting
    fake.drops.add("status")
    assert failure(lambda: receptor.status(SHORT)).outcome == Check.NO_RECEPTOR
    assert failed_check(SHORT).outcome == Check.NO_RECEPTOR


@pytest.mark.parametrize("silent", ["greeting", "status"])
def test_silence_is_not_waited_for(silent: str, fake: FakeReceptor) -> None:
    fake.silent.add(silent)
    began = time.monotonic()
    assert failure(lambda: receptor.status(SHORT)).outcome == Check.NO_RECEPTOR
    assert time.monotonic() - began < 5


def test_a_socket_that_accepts_nobody_is_not_waited_for(settings: Settings) -> None:
    with deaf_socket() as settings.RECEPTOR_SOCKET:
        assert failure(lambda: receptor.status(SHORT)).outcome == Check.NO_RECEPTOR
        assert failed_check(SHORT).outcome == Check.NO_RECEPTOR


def test_an_answer_that_drips_is_not_waited_for() -> None:
    """Each byte comes in time, and still the whole does not."""
    ours, theirs = socket.socketpair()
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.02):
            theirs.send(b"x")

    dripping = threading.Thread(target=drip)
    dripping.start()
    with ours, theirs, receptor.Control(time.monotonic() + SHORT) as control:
        control._socket, control._sockfile = ours, ours.makefile("rwb")
        with pytest.raises(TimeoutError):
            control.readstr()
        stop.set()
        dripping.join()


def test_without_a_socket_there_is_no_receptor(settings: Settings, tmp_path: Path) -> None:
    settings.RECEPTOR_SOCKET = str(tmp_path / "missing.sock")
    assert failure(receptor.status).outcome == Check.NO_RECEPTOR
    error = failed_check()
    assert (error.outcome, "No such file" in str(error)) == (Check.NO_RECEPTOR, True)


@pytest.mark.parametrize("path", ["", "/" + "x" * 200, "/a\0b"])
def test_a_path_that_cannot_be_one_has_no_receptor(path: str, settings: Settings) -> None:
    settings.RECEPTOR_SOCKET = path
    assert failure(receptor.status).outcome == Check.NO_RECEPTOR


def test_a_socket_that_nobody_listens_to_has_no_receptor(fake: FakeReceptor, settings: Settings) -> None:
    settings.RECEPTOR_SOCKET = fake.path + "2"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(settings.RECEPTOR_SOCKET)
    error = failed_check()
    assert (error.outcome, "refused" in str(error)) == (Check.NO_RECEPTOR, True)


# --- a check that succeeds


def test_the_check_is_signed_work_of_the_type_ansible_runner(fake: FakeReceptor) -> None:
    assert worker_info("exec-1", 20) == REPORT
    assert fake.submitted == [
        {
            "command": "work",
            "subcommand": "submit",
            "node": "exec-1",
            "worktype": "ansible-runner",
            "ttl": "20s",
            "signwork": "true",
            "params": "--worker-info",
        }
    ]
    assert [command for command in fake.commands if not command.startswith("{")] == [
        "status",
        "work status Ab000001",
        "work results Ab000001 0",
        "work release Ab000001",
    ]


def test_work_is_signed_only_where_the_settings_say_so(fake: FakeReceptor, settings: Settings) -> None:
    settings.RECEPTOR_SIGN_WORK = False
    worker_info("exec-1", LONG)
    assert "signwork" not in fake.submitted[0]


def test_work_is_sent_with_the_tls_client_of_the_settings(fake: FakeReceptor, settings: Settings) -> None:
    worker_info("exec-1", LONG)
    settings.RECEPTOR_TLS_CLIENT = "mesh"
    worker_info("exec-1", LONG)
    assert [submitted.get("tlsclient") for submitted in fake.submitted] == [None, "mesh"]


def test_work_for_receptors_own_node_has_no_time_to_live(fake: FakeReceptor) -> None:
    fake.nodes[fake.name] = Behaviour()
    assert worker_info(fake.name, LONG) == REPORT


def test_work_that_takes_a_moment_is_waited_for(fake: FakeReceptor) -> None:
    fake.nodes["exec-1"].delay = 0.1
    assert worker_info("exec-1", LONG) == REPORT
    assert fake.commands.count("work status Ab000001") > 1


def test_any_bytes_are_handed_on_as_they_are(fake: FakeReceptor) -> None:
    fake.nodes["exec-1"].output = bytes(range(256)) * 100
    assert worker_info("exec-1", LONG) == fake.nodes["exec-1"].output


# --- and the ways in which it fails


@pytest.mark.parametrize(
    ("detail", "outcome"),
    [
        ("unknown work type ansible-runner", Check.NO_WORK_TYPE),
        ("could not parse response: ERROR: unknown work type ansible-runner", Check.NO_WORK_TYPE),
        ("no route to node", Check.UNREACHABLE),
        ("service unknown", Check.UNREACHABLE),
        ("Work unit expired on Mon Jan 2 15:04:05", Check.UNREACHABLE),
        ("Error connecting to remote service: timeout", Check.UNREACHABLE),
        ("TLS error connecting to remote service: CRYPTO_ERROR 0x12a", Check.TLS_FAILED),
        ("CRYPTO_ERROR 0x12a (remote): tls: bad certificate", Check.TLS_FAILED),
        ("unknown TLS config x", Check.MISCONFIGURED),
        ("fork/exec /usr/bin/ansible-runner: no such file or directory", Check.NO_RUNNER),
        ('exec: "ansible-runner": permission denied', Check.NO_RUNNER),
        ("blocked by firewall", Check.UNREACHABLE),
        ("could not verify signature: signature is empty", Check.MISCONFIGURED),
        ("cannot sign work: signing key is empty", Check.MISCONFIGURED),
        ("could not verify signature: crypto/rsa: verification error", Check.REFUSED),
        ("extra params not allowed", Check.REFUSED),
        ("x" * 100_000, Check.REFUSED),
        ("exit status 1", Check.REFUSED),
    ],
)
@pytest.mark.parametrize("way", ["refuses", "breaks", "detail"])
def test_receptor_says_why_work_fails(way: str, detail: str, outcome: Check, fake: FakeReceptor) -> None:
    """When it is submitted, when it is started, or in the status of the unit."""
    fake.nodes["exec-1"] = Behaviour(b"", state="Failed", **{way: detail})
    error = failed_check()
    assert error.outcome == outcome
    assert detail[-14:] in str(error)
    assert len(str(error)) < 500


def test_what_a_node_prints_before_it_fails_is_told(fake: FakeReceptor) -> None:
    fake.nodes["exec-1"] = Behaviour(b"Traceback\n  disk \xff full\0" + b"x" * 9999, "Failed", "exit status 1")
    error = failed_check()
    assert error.outcome == Check.REFUSED
    assert "exit status 1" in str(error)
    assert "Traceback disk \ufffd full" in str(error)
    assert len(str(error)) < 500


def test_a_runner_that_knows_no_worker_info_is_too_old(fake: FakeReceptor) -> None:
    usage = b"usage: ansible-runner [-h]\nansible-runner: error: unrecognized arguments: --worker-info\n"
    fake.nodes["exec-1"] = Behaviour(usage, "Failed", "exit status 2")
    assert failed_check().outcome == Check.OLD_RUNNER


def test_a_failure_is_told_also_where_its_output_cannot_be_read(fake: FakeReceptor) -> None:
    fake.nodes["exec-1"] = Behaviour(b"lost", "Failed", "exit status 1")
    fake.drops.add("work results")
    assert failed_check().outcome == Check.REFUSED


def test_work_that_somebody_cancels_has_failed(fake: FakeReceptor) -> None:
    fake.nodes["exec-1"] = Behaviour(b"", "Canceled", "")
    error = failed_check()
    assert (error.outcome, "Canceled" in str(error)) == (Check.REFUSED, True)


@pytest.mark.parametrize("state", ["Pending", "Running"])
def test_work_that_does_not_end_is_cancelled_and_released(state: str, fake: FakeReceptor) -> None:
    fake.nodes["exec-1"].never_ends = state
    began = time.monotonic()
    assert failed_check(SHORT).outcome == Check.TIMED_OUT
    assert time.monotonic() - began < 5
    assert fake.commands[-2:] == ["work cancel Ab000001", "work release Ab000001"]


def test_work_for_a_node_without_a_route_does_not_reach_it(fake: FakeReceptor) -> None:
    """Receptor waits for a route as long as the work may live."""
    assert failed_check(SHORT, "exec-9").outcome == Check.UNREACHABLE


def test_receptors_own_node_needs_no_route(fake: FakeReceptor) -> None:
    fake.nodes[fake.name] = Behaviour(never_ends="Running")
    assert failed_check(SHORT, fake.name).outcome == Check.TIMED_OUT


@pytest.mark.parametrize("answer", [b'{"NodeID": "x"}\n', b'{"RoutingTable": null}\n', b"nonsense\n"])
def test_without_any_routes_slow_work_only_timed_out(answer: bytes, fake: FakeReceptor) -> None:
    fake.nodes["exec-1"].never_ends = "Running"
    fake.raw["status"] = answer
    assert failed_check(SHORT).outcome == (Check.TIMED_OUT if answer.startswith(b"{") else Check.NO_RECEPTOR)


def test_output_that_does_not_end_in_time_is_not_waited_for(fake: FakeReceptor) -> None:
    fake.nodes["exec-1"].stalls = True
    assert failed_check(SHORT).outcome == Check.TIMED_OUT


def test_endless_output_is_read_to_where_it_is_too_much(fake: FakeReceptor) -> None:
    fake.nodes["exec-1"] = Behaviour(b"x" * 2**16, endless=True)
    output = worker_info("exec-1", LONG)
    assert len(output) == LARGEST_OUTPUT + 1
    assert failure(lambda: report.parse_report(output)).outcome == Check.TOO_LARGE


@pytest.mark.parametrize("size", [LARGEST_OUTPUT, LARGEST_OUTPUT + 1, 3_000_000])
def test_output_is_read_to_its_end_before_the_unit_is_released(size: int, fake: FakeReceptor) -> None:
    """Receptor 1.4.4 loses the link to the node otherwise."""
    fake.nodes["exec-1"].output = b"x" * size
    assert len(worker_info("exec-1", LONG)) == min(size, LARGEST_OUTPUT + 1)
    deadline = time.monotonic() + LONG
    while not fake.streamed and time.monotonic() < deadline:  # the other side notices a moment later
        time.sleep(0.01)
    assert fake.streamed == [size]


def test_too_much_output_that_stalls_is_too_much(fake: FakeReceptor) -> None:
    fake.nodes["exec-1"] = Behaviour(b"x" * 100_000, stalls=True)
    assert len(worker_info("exec-1", SHORT)) == LARGEST_OUTPUT + 1


def test_endless_output_of_work_that_failed_is_bounded_too(fake: FakeReceptor) -> None:
    fake.nodes["exec-1"] = Behaviour(b"x" * 2**16, "Failed", "exit status 1", endless=True)
    assert failed_check().outcome == Check.REFUSED


@pytest.mark.parametrize("command", ["greeting", "work submit", "work started", "work status", "work results"])
def test_a_connection_that_breaks_is_the_fault_of_receptor(command: str, fake: FakeReceptor) -> None:
    fake.drops.add(command)
    assert failed_check().outcome == Check.NO_RECEPTOR


@pytest.mark.parametrize("command", ["work submit", "work started", "work status", "work results"])
def test_rubbish_instead_of_an_answer_is_the_fault_of_receptor(command: str, fake: FakeReceptor) -> None:
    fake.raw[command] = b"rubbish\n"
    assert failed_check().outcome == Check.NO_RECEPTOR


@pytest.mark.parametrize("answer", [b"[]\n", b"{}\n", b'{"StateName": 2}\n', b'{"StateName": null}\n'])
def test_a_status_of_work_without_a_state_is_rubbish(answer: bytes, fake: FakeReceptor) -> None:
    fake.raw["work status"] = answer
    assert failed_check().outcome == Check.NO_RECEPTOR


@pytest.mark.parametrize("command", ["greeting", "work submit", "work status", "work results"])
def test_a_receptor_that_falls_silent_is_the_fault_of_receptor(
    command: str, fake: FakeReceptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receptor, "ANSWER_WITHIN", SHORT)
    fake.silent.add(command)
    assert failed_check().outcome == Check.NO_RECEPTOR


def test_a_node_that_stays_silent_at_first_is_waited_for(fake: FakeReceptor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Receptor answers the submission when it has reached the node, or given up after 15 seconds."""
    monkeypatch.setattr(receptor, "ANSWER_WITHIN", SHORT)
    fake.silent.add("work started")
    began = time.monotonic()
    error = failed_check(SHORT * 3)
    assert (error.outcome, "exec-1" in str(error)) == (Check.TIMED_OUT, True)
    assert time.monotonic() - began > SHORT * 2


def test_where_receptor_falls_silent_too_the_node_is_not_blamed(fake: FakeReceptor) -> None:
    fake.silent.add("work started")
    fake.silent_later.add("status")
    assert failed_check(SHORT).outcome == Check.NO_RECEPTOR


@pytest.mark.parametrize("way", ["silent", "drops"])
def test_a_check_does_not_need_the_status(way: str, fake: FakeReceptor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "STATUS_WITHIN", SHORT)
    getattr(fake, way).add("status")
    assert worker_info("exec-1", LONG) == REPORT


def test_a_unit_that_is_unknown_later_is_told(fake: FakeReceptor) -> None:
    fake.raw["work status"] = b"ERROR: unknown work unit Ab000001\n"
    assert failed_check().outcome == Check.REFUSED


@pytest.mark.parametrize("unit", ["a b", "a\tb", "../a", "a;b", "é", "-" * 3 + "\x00"])
def test_an_id_that_is_not_one_word_is_put_into_no_command(unit: str, fake: FakeReceptor) -> None:
    fake.raw["work submit"] = f"Work unit created with ID {unit}. Send stdin data and EOF.\n".encode()
    assert failed_check().outcome == Check.NO_RECEPTOR
    assert len(fake.commands) == 2  # status and the submission


@pytest.mark.parametrize("answer", [b"ERROR: permission denied\n", b"rubbish\n", b"[]\n", b""])
def test_a_release_that_fails_is_only_logged(
    answer: bytes, fake: FakeReceptor, caplog: pytest.LogCaptureFixture
) -> None:
    fake.raw["work release"] = answer
    with caplog.at_level(logging.WARNING):
        assert worker_info("exec-1", LONG) == REPORT
    assert "work release Ab000001" in caplog.text
    fake.units.clear()


def test_a_unit_that_is_released_already_is_no_news(fake: FakeReceptor, caplog: pytest.LogCaptureFixture) -> None:
    fake.raw["work release"] = b"ERROR: unknown work unit Ab000001\n"
    assert worker_info("exec-1", LONG) == REPORT
    assert caplog.text == ""
    fake.units.clear()


def test_a_cancellation_that_fails_does_not_keep_the_unit(fake: FakeReceptor) -> None:
    fake.nodes["exec-1"].never_ends = "Running"
    fake.drops.add("work cancel")
    assert failed_check(SHORT).outcome == Check.TIMED_OUT


def test_an_interrupted_check_leaves_no_unit(fake: FakeReceptor, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(work.WorkUnit, "wait_for_end", interrupt)
    with pytest.raises(KeyboardInterrupt):
        worker_info("exec-1", LONG)


# --- units that nobody knows


def left_unit(fake: FakeReceptor, node: str = "exec-1", **values: str) -> str:
    """A unit as a killed worker leaves it, ended unless its ``never_ends`` names a state."""
    name = fake.new_unit(node, Behaviour(never_ends=values.pop("never_ends", "")))
    for key, value in values.items():
        setattr(fake.units[name], key, value)
    return name


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["", "Pending", "Running"])
def test_units_that_no_check_knows_are_released(state: str, fake: FakeReceptor) -> None:
    """Those of nodes that are gone, too. Active ones are cancelled, once their time is over."""
    make_node("exec-1")
    for name in ("exec-1", "exec-1", "gone"):
        left_unit(fake, name, never_ends=state, expires="2026-01-01T00:00:00Z")
    assert work.release_orphans(timezone.now()) == 3
    assert fake.units == {}
    assert ("work cancel Ab000001" in fake.commands) is bool(state)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "values",
    [
        {"work_type": "kubernetes-runtime-auth"},
        {"parameters": "--private-data-dir=/tmp/awx_1"},
        {"never_ends": "Running"},  # perhaps of another service
        {"never_ends": "Running", "expires": "nonsense"},
        {"node": "pending"},
        {"node": "pending for the first time"},
    ],
)
def test_other_units_are_left_alone(values: dict[str, str], fake: FakeReceptor) -> None:
    now = timezone.now()
    make_node("exec-1")
    make_node("pending", health_check_started=now)
    make_node("pending for the first time", health_check_started=now, last_health_check=None)
    make_node("never checked", health_check_started=None, last_health_check=None)
    left_unit(fake, **values)
    left_unit(fake, "never checked")
    assert work.release_orphans(now) == 1
    assert list(fake.units) == ["Ab000001"]
    fake.units.clear()


@pytest.mark.django_db
@pytest.mark.parametrize("answer", [b'{"a": null}\n', b'{"a": {"ExtraData": null}}\n', b'{"a": {"ExtraData": {}}}\n'])
def test_units_that_cannot_be_read_are_left_alone(answer: bytes, fake: FakeReceptor) -> None:
    fake.raw["work list"] = answer
    assert work.release_orphans(timezone.now()) == 0


@pytest.mark.django_db
@pytest.mark.parametrize("probe", ["receptor", "agent", "local", ""])
def test_a_worker_releases_what_was_left(
    probe: str, fake: FakeReceptor, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.HEALTH_PROBE = probe
    left_unit(fake)
    periodic.release_orphans()
    assert (fake.units == {}) is (probe == "receptor")
    assert ("Released work units" in caplog.text) is (probe == "receptor")
    fake.drops.add("work list")
    periodic.release_orphans()
    fake.units.clear()


# --- a real one

CONFIGURATION = """
- node: {{id: control-1, datadir: {folder}/data}}
- local-only:
- control-service: {{service: control, filename: {folder}/receptor.sock}}
- work-command: {{worktype: ansible-runner, command: {program}, params: worker, allowruntimeparams: true}}
"""


@pytest.fixture
def real(settings: Settings) -> Iterator[None]:
    binary = shutil.which("receptor")
    if binary is None:
        pytest.skip("The program receptor is not in PATH.")
    settings.RECEPTOR_SIGN_WORK = False
    with tempfile.TemporaryDirectory(prefix="rc-", dir="/tmp") as folder:
        program = Path(sys.executable).parent / "ansible-runner"
        configuration = Path(folder, "receptor.conf")
        configuration.write_text(CONFIGURATION.format(folder=folder, program=program))
        settings.RECEPTOR_SOCKET = f"{folder}/receptor.sock"
        with subprocess.Popen([binary, "--config", configuration], env={**os.environ, "HOME": folder}) as process:
            try:
                wait_for(Path(settings.RECEPTOR_SOCKET), process)
                yield
            finally:
                process.terminate()


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_real_receptor_is_understood(real: None) -> None:
    assert receptor.status()["NodeID"] == "control-1"
    told = report.parse_report(worker_info("control-1", LONG))
    assert told.outcome == Check.PASSED
    assert told.cpu > 0
    assert receptor.send_command("work list", time.monotonic() + LONG) == {}
