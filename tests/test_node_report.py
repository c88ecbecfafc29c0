"""``awx-node-report``, as a process that has nothing but its one file, against the service and against worse."""

import contextlib
import email.utils
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from ansible_runner.utils import capacity
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from fleet import node_report
from tests.service import PROJECT, manage, new_database, served

ADMIN = {"Authorization": "Bearer oracle-admin-token"}
NODE = "exec-1.example.org"
TOKEN = "node_for-tests"
GOOD = {"hostname": NODE, "node_state": "ready", "capacity": 7}


# --- the process


class Agent:
    """The script, copied to a folder of its own, with a home and a token file there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = Path(shutil.copy(PROJECT / "fleet" / "node_report.py", folder))
        self.token_file = folder / "token"
        self.token_file.write_text(TOKEN + "\n")

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-I", str(self.script), *arguments]

    def environment(self, **variables: str) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), **variables}

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        env = self.environment(**variables)
        return subprocess.run(self.command(*arguments), env=env, capture_output=True, text=True, timeout=60)

    def report(self, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One report of NODE to ``url``."""
        return self.run(*self.usual(url), *arguments)

    def usual(self, url: str) -> list[str]:
        named = ["--url", url, "--hostname", NODE, "--token-file", str(self.token_file)]
        return [*named, "--backoff", "0.01", "--timeout", "10"]

    @contextlib.contextmanager
    def reporting(self, url: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        command = self.command(*self.usual(url), *arguments)
        process = subprocess.Popen(command, env=self.environment(), stderr=subprocess.PIPE, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path)


# --- a service that does what it is told to


class Asked(NamedTuple):
    """A request that came."""

    path: str
    headers: dict[str, str]
    body: Any
    at: float


class Answer(NamedTuple):
    """``status`` 0 cuts the connection, -1 never answers."""

    status: int = 200
    body: bytes = json.dumps(GOOD).encode()
    headers: dict[str, str] = {}


class Faulty(ThreadingHTTPServer):
    """Gives these answers in turn, the last one for ever, and keeps what was asked."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = list(answers)
        self.asked: list[Asked] = []
        self.came = threading.Condition()
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def wait_for(self, number: int, seconds: float = 30) -> None:
        """Return once so many requests came."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.asked) >= number, seconds), f"only {len(self.asked)} came"


class Handler(BaseHTTPRequestHandler):
    server: Faulty

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")
        with self.server.came:
            answers = self.server.answers
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            self.server.asked.append(Asked(self.path, dict(self.headers), body, time.monotonic()))
            self.server.came.notify_all()
        if answer.status == -1:
            self.server.ended.wait(30)
        if answer.status <= 0:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def do_GET(self) -> None:  # what following a redirect would send
        self.do_POST()

    def log_message(self, *args: Any) -> None:
        pass


@contextlib.contextmanager
def faulty(*answers: Answer) -> Iterator[Faulty]:
    with Faulty(*answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()


# --- against the service


@pytest.fixture(scope="module")
def database_url(dataset_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    with django_db_blocker.unblock(), new_database(dataset_template) as url:
        yield url


@pytest.fixture(scope="module")
def own_address(database_url: str) -> Iterator[str]:
    with served(database_url) as address:
        yield address


def instance(address: str) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{address}/api/v2/instances/{NODE}/", headers=ADMIN).json()
    return found


@pytest.mark.slow
def test_a_node_reports_itself(agent: Agent, own_address: str, database_url: str) -> None:
    agent.token_file.write_text(manage(database_url, "issue_node_token", NODE).stdout)
    done = agent.report(own_address)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    told = instance(own_address)
    assert f"Reported {NODE}: ready, capacity {told['capacity']}." in done.stderr
    assert told["node_state"] == "ready"
    assert told["version"] == f"ansible-runner-{version('ansible-runner')}"
    assert float(told["cpu"]) == capacity.get_cpu_count()
    assert told["memory"] == capacity.get_mem_in_bytes()
    assert told["uuid"] == (agent.folder / ".ansible_runner_uuid").read_text()


@pytest.mark.slow
def test_a_node_without_ansible_runner_says_so(agent: Agent, own_address: str, database_url: str) -> None:
    agent.token_file.write_text(manage(database_url, "issue_node_token", NODE).stdout)
    command = [sys.executable, "-I", "-S", str(agent.script), *agent.usual(own_address)]
    done = subprocess.run(command, env=agent.environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "ansible-runner cannot be used" in done.stderr
    told = instance(own_address)
    assert told["node_state"] == "unavailable"
    assert "ansible-runner cannot be used: PackageNotFoundError" in told["errors"]
    assert agent.report(own_address).returncode == 0
    assert instance(own_address)["node_state"] == "ready"


@pytest.mark.slow
def test_a_token_of_another_node_is_refused_at_once(agent: Agent, own_address: str, database_url: str) -> None:
    agent.token_file.write_text(manage(database_url, "issue_node_token", "exec-2.example.org").stdout)
    done = agent.report(own_address)
    assert done.returncode == 1
    assert done.stderr == (
        "awx-node-report: Not reported: The service answered 403: You do not have permission to perform this action.\n"
    )


@pytest.mark.slow
def test_the_installed_command_takes_the_token_from_the_environment(
    agent: Agent, own_address: str, database_url: str
) -> None:
    token = manage(database_url, "issue_node_token", NODE).stdout.strip()
    command = [str(Path(sys.executable).with_name("awx-node-report")), "--url", own_address, "--hostname", NODE]
    env = agent.environment(AWX_NODE_TOKEN=token)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


# --- against worse


def test_what_is_sent(agent: Agent) -> None:
    with faulty(Answer()) as server:
        assert agent.report(server.url + "/").returncode == 0
    (asked,) = server.asked
    assert asked.path == f"/api/fleet/v1/instances/{NODE}/report/"
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["Content-Type"] == "application/json"
    assert set(asked.body) == {"version", "cpu", "memory", "uuid"}


@pytest.mark.parametrize(
    "fault",
    [Answer(status) for status in (500, 502, 503, 429)] + [Answer(0), Answer(503, b"<html>", {"Retry-After": "soon"})],
    ids=lambda fault: str(fault.status),
)
def test_it_tries_again_where_that_may_help(fault: Answer, agent: Agent) -> None:
    with faulty(fault, fault, Answer()) as server:
        done = agent.report(server.url)
    assert done.returncode == 0, done.stderr
    assert len(server.asked) == 3
    assert done.stderr.count("Trying again in") == 2
    assert TOKEN not in done.stderr


def test_it_gives_up_after_so_many_retries(agent: Agent) -> None:
    with faulty(Answer(503, b'{"detail": "Out of order."}')) as server:
        done = agent.report(server.url, "--retries", "2")
    assert done.returncode == 1
    assert len(server.asked) == 3
    assert done.stderr.splitlines()[-1].endswith("Not reported: The service answered 503: Out of order.")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_what_is_refused_is_not_tried_again(status: int, agent: Agent) -> None:
    with faulty(Answer(status, b'{"cpu": ["Too\\nmany.\\u001b"]}')) as server:
        done = agent.report(server.url)
    assert done.returncode == 1
    assert len(server.asked) == 1
    assert done.stderr.count("\n") == 1
    assert f"answered {status}: " in done.stderr
    assert "\x1b" not in done.stderr


def test_it_waits_as_long_as_it_is_asked_to(agent: Agent) -> None:
    with faulty(Answer(503, headers={"Retry-After": "1"}), Answer()) as server:
        assert agent.report(server.url).returncode == 0
    assert server.asked[1].at - server.asked[0].at >= 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int, agent: Agent) -> None:
    with faulty(Answer()) as other, faulty(Answer(status, headers={"Location": other.url})) as server:
        done = agent.report(server.url)
    assert done.returncode == 1
    assert other.asked == []
    assert len(server.asked) == 1
    assert f"redirects to {other.url}, which is not followed" in done.stderr


def test_a_service_that_does_not_answer_in_time_is_tried_again(agent: Agent) -> None:
    with faulty(Answer(-1), Answer()) as server:
        done = agent.report(server.url, "--timeout", "0.2")
    assert done.returncode == 0, done.stderr
    assert "cannot be reached: timed out" in done.stderr


def test_a_service_that_is_not_there(agent: Agent) -> None:
    with faulty(Answer()) as server:
        url = server.url
    done = agent.report(url, "--retries", "1")
    assert done.returncode == 1
    assert done.stderr.count("cannot be reached") == 2
    assert "Connection refused" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"[]", b"{}", b""])
def test_an_answer_of_something_else_is_no_success(body: bytes, agent: Agent) -> None:
    with faulty(Answer(200, body)) as server:
        done = agent.report(server.url)
    assert done.returncode == 1
    assert "does not come from the service" in done.stderr


def test_an_answer_that_is_cut_is_tried_again(agent: Agent) -> None:
    with faulty(Answer(200, b"{", {"Content-Length": "100"}), Answer()) as server:
        done = agent.report(server.url, "--timeout", "0.5")
    assert done.returncode == 0, done.stderr
    assert len(server.asked) == 2


# --- going on


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=lambda signum: signum.name)
def test_it_reports_until_it_is_ended(signum: signal.Signals, agent: Agent) -> None:
    """A report that fails does not end it; a token that is replaced is used from then on."""
    with (
        faulty(Answer(), Answer(403), Answer()) as server,
        agent.reporting(server.url, "--every", "0.1") as process,
    ):
        server.wait_for(3)
        agent.token_file.write_text("node_replaced")
        server.wait_for(len(server.asked) + 3)
        process.send_signal(signum)
        _, stderr = process.communicate(timeout=5)
    assert process.returncode == 0, stderr
    assert "Not reported: The service answered 403" in stderr
    assert stderr.splitlines()[-1] == f"awx-node-report: Ended by {signum.name}."
    assert server.asked[-1].headers["Authorization"] == "Bearer node_replaced"


@pytest.mark.parametrize("last", [Answer(-1), Answer(503, headers={"Retry-After": "3000"})], ids=["asking", "waiting"])
def test_it_ends_in_the_midst_of_a_report(last: Answer, agent: Agent) -> None:
    with faulty(last) as server, agent.reporting(server.url, "--every", "60") as process:
        server.wait_for(1)
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=5)
    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr


def test_a_single_report_that_is_ended_was_not_sent(agent: Agent) -> None:
    with faulty(Answer(-1)) as server, agent.reporting(server.url) as process:
        server.wait_for(1)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=5)
    assert process.returncode == 1


# --- how it is called


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--url", "awx.example.org"],
        ["--url", "ftp://awx.example.org"],
        ["--url", "https://"],
        ["--url", "https://user:secret@awx.example.org"],
        ["--url", "https://awx.example.org/?x=1"],
        ["--url", "https://awx.example.org:x"],
        ["--url", "https://awx.example.org:0"],
        ["--url", "https://[::1"],
        ["--url", "https://awx example.org"],
        *(["--url", "https://a", "--every", number] for number in ("0", "-1", "nan", "inf", "x")),
        ["--url", "https://a", "--retries", "-1"],
        ["--url", "https://a", "--timeout", "0"],
        ["--url", "https://a", "--token", "node_x"],
        ["--url", "https://a", "--ca-file", "/nowhere"],
        ["--url", "https://a", "--ca-file", "/dev/null"],
    ],
    ids=" ".join,
)
def test_calling_it_wrongly(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWX_NODE_TOKEN", TOKEN)
    with pytest.raises(SystemExit) as ended:
        node_report.main(arguments)
    assert ended.value.code == 2
    assert "usage: awx-node-report" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"", b" \n", b"two words", b"\xff\xfe", "schlüssel".encode()])
def test_a_token_file_that_holds_none(content: bytes | None, agent: Agent) -> None:
    agent.token_file.unlink() if content is None else agent.token_file.write_bytes(content)
    done = agent.report("https://127.0.0.1:1")
    assert done.returncode == 2
    assert str(agent.token_file) in done.stderr
    assert "Traceback" not in done.stderr


def test_no_token_at_all(agent: Agent) -> None:
    done = agent.run("--url", "https://127.0.0.1:1")
    assert done.returncode == 2
    assert "AWX_NODE_TOKEN does not contain a token" in done.stderr


@pytest.mark.parametrize(
    ("url", "warns"),
    [
        ("http://awx.invalid", True),
        ("http://192.0.2.1:8052", True),
        ("https://awx.invalid", False),
        ("http://localhost:8052", False),
        ("http://127.0.0.2", False),
        ("http://[::1]:8052", False),
    ],
)
def test_it_warns_of_a_token_in_the_clear(
    url: str, warns: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def report_once(service: node_report.ReportTarget, token_file: str | None) -> bool:
        return True

    monkeypatch.setenv("AWX_NODE_TOKEN", TOKEN)
    monkeypatch.setattr(node_report, "report_once", report_once)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert node_report.main(["--url", url]) == 0
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
    assert ("unencrypted" in capsys.readouterr().err) is warns


# --- its parts


@pytest.mark.parametrize(
    ("header", "expected"),
    [("", 0), ("0", 0), (" 12 ", 12), ("999999999", 3600), ("-5", 0), ("1.5", 0), ("soon", 0), ("²", 0), ("9" * 99, 0)],
)
def test_the_pause_that_is_asked_for(header: str, expected: float) -> None:
    assert node_report.retry_after(header) == expected


@pytest.mark.parametrize(("ahead", "expected"), [(90, 90), (-90, 0), (86400, 3600)])
def test_the_pause_that_is_asked_for_by_a_date(ahead: int, expected: float) -> None:
    header = email.utils.format_datetime(timezone.now() + timedelta(seconds=ahead), usegmt=True)
    assert node_report.retry_after(header) == pytest.approx(expected, abs=2)


def test_pauses_grow_and_are_spread() -> None:
    service = node_report.ReportTarget("https://a", NODE, 1, 5, 0.5, ssl.create_default_context())
    for attempt, longest in enumerate([0.5, 1, 2, 4, 8, 16, 32, 60, 60]):
        pauses = {service.pause(attempt, 0) for _ in range(50)}
        assert longest / 2 <= min(pauses) < max(pauses) <= longest
    assert service.pause(10**6, 0) <= 60
    assert service.pause(0, 100) == 100


@pytest.mark.parametrize("hostname", ["a/b", "a?b", "ä", "a b", "[+]"])
def test_a_hostname_is_one_segment_of_the_path(hostname: str) -> None:
    service = node_report.ReportTarget("https://a/awx/", hostname, 1, 5, 0.5, ssl.create_default_context())
    head, _, tail = service.address.removeprefix("https://a/awx/api/fleet/v1/instances/").partition("/")
    assert requests.utils.unquote(head) == hostname
    assert tail == "report/"


def test_figures_that_cannot_be_found_are_errors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(capacity, "get_mem_in_bytes", lambda: "The /proc/meminfo file could not found.")
    body = node_report.report()
    assert body["errors"] == [
        "ansible-runner cannot determine memory: ValueError: The /proc/meminfo file could not found."
    ]
    assert "memory" not in body
    assert body["cpu"] == capacity.get_cpu_count()


def test_a_machine_larger_than_the_service_can_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(capacity, "get_cpu_count", lambda: 1024)
    assert node_report.report()["cpu"] == 999.9


def test_a_node_that_can_keep_no_uuid_reports_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    body = node_report.report()
    assert set(body) == {"version", "cpu", "memory"}
    assert "has no uuid" in capsys.readouterr().err
