"""``/healthz`` and ``/readyz``, in this process and served; and how a server that stops treats its connections."""

import asyncio
import contextlib
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
import requests
from django.db import connection
from django.test import override_settings

from awx_compat import probes
from instances import startup
from tests import slow
from tests.postgresql import Server
from tests.service import manage, new_database, served, served_by
from tests.test_serve_processes import workers_of
from tests.test_worker import until
from tests.wsgi import environ, send

ADMIN = {"Authorization": "Bearer oracle-admin-token"}
STRANGER = {"Host": "10.1.2.3:8000"}  # as Kubernetes asks
FORMS = [*probes.PATHS, *(f"/awx{path}" for path in probes.PATHS)]


def application(environ: object, start_response: object) -> list[bytes]:
    raise AssertionError("the probe was not answered")


# --- the answers


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", FORMS)
def test_a_probe_is_answered_before_the_application(path: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "database_word", lambda: probes.OK)
    with override_settings(FORCE_SCRIPT_NAME="/awx"):
        response = send(probes.Probes(application), environ(path, method))
    assert (response.status, response.body) == (200, b"ok" if method == "GET" else b"")
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", probes.PATHS)
def test_a_probe_is_only_read(path: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "database_word", lambda: probes.OK)
    response = send(probes.Probes(application), environ(path, method))
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/healthz/", "/healthzz", "/awx/readyz", "/api/healthz", "/HEALTHZ", "/"])
def test_any_other_path_is_the_applications(path: str) -> None:
    def teapot(environ: object, start_response: object) -> list[bytes]:
        start_response("418 Teapot", [])  # type: ignore[operator]
        return []

    assert send(probes.Probes(teapot), environ(path)).status == 418


@pytest.mark.parametrize("word", [probes.DATABASE, probes.MIGRATIONS])
def test_what_is_missing_is_a_word(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "database_word", lambda: word)
    response = send(probes.Probes(application), environ(probes.READINESS))
    assert (response.status, response.body) == (503, word.encode())
    assert int(response.headers["Retry-After"]) > 0
    assert send(probes.Probes(application), environ(probes.HEALTH)).status == 200


def test_a_draining_process_is_alive_and_not_ready() -> None:
    readiness = probes.Readiness(lambda: True)
    assert readiness.word() == asyncio.run(readiness.word_on_loop()) == probes.DRAINING


def test_checks_that_hang_are_one_check_and_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks meanwhile waits for the same check; the next one follows when it has ended."""
    end, begun = threading.Event(), []

    def hang() -> str:
        begun.append(1)
        end.wait(30)
        return probes.OK

    monkeypatch.setattr(probes, "database_word", hang)
    readiness = probes.Readiness()

    async def ask() -> list[str]:
        return list(await asyncio.gather(*(readiness.word_on_loop() for _ in range(20))))

    started = time.monotonic()
    with ThreadPoolExecutor(20) as threads:
        words = [*threads.map(lambda _: readiness.word(), range(20)), *asyncio.run(ask())]
    assert set(words) == {probes.DATABASE}
    assert time.monotonic() - started < 3 * probes.LONGEST_CHECK
    assert len(begun) == 1
    end.set()
    until(lambda: readiness.word() == probes.OK)


@pytest.mark.django_db
def test_a_migration_that_is_not_applied_is_missing() -> None:
    assert startup.has_all_migrations()
    for app, name in sorted(startup.newest_migrations()):
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE app = %s AND name = %s", [app, name])
            assert cursor.rowcount == 1
            assert not startup.has_all_migrations(), app
            cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, now())", [app, name])
            cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES (%s, 'later', now())", [app])
    assert startup.has_all_migrations()  # one of a later release besides is none of this one's concern


@pytest.mark.django_db
def test_a_database_without_tables_misses_migrations() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE django_migrations")
    assert not startup.has_all_migrations()


# --- served


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    server = Server()
    yield server
    server.remove()


SERVERS = {
    "serve": [sys.executable, "manage.py", "serve", "--workers", "1"],
    "gunicorn": [sys.executable, "-m", "gunicorn", "settings.wsgi", "--worker-class", "gthread"],
}


@pytest.mark.slow
@pytest.mark.parametrize("command", SERVERS.values(), ids=SERVERS)
def test_probes_need_neither_credentials_nor_a_known_host_nor_https(command: list[str], own_server: Server) -> None:
    """Nor the database, to say what is the matter; not even where it hangs is the answer late."""
    url = own_server.create(f"probed_by_{command[2].replace('.', '_')}")
    manage(url, "migrate", "--verbosity", "0")
    strict = {"HTTPS": "true", "ALLOWED_HOSTS": "awx.example.org", "BASE_PATH": "/awx", "TRUSTED_PROXIES": ""}
    with served_by(command, url, **strict) as address:

        def ask(path: str, method: str = "GET") -> tuple[int, str]:
            response = requests.request(method, address + path, headers=STRANGER, allow_redirects=False, timeout=1.5)
            assert ("Retry-After" in response.headers) == (response.status_code == 503)
            return response.status_code, response.text

        assert requests.get(f"{address}/awx/api/v2/ping/", headers=STRANGER, allow_redirects=False).status_code == 400
        for path in FORMS:
            assert ask(path) == (200, "ok")
            assert ask(path, "HEAD") == (200, "")
        with own_server.away():
            assert [ask(path) for path in FORMS[:2]] == [(200, "ok"), (503, "database")]
            assert ask("/readyz", "HEAD") == (503, "")
        until(lambda: ask("/readyz") == (200, "ok"))
        with own_server.hanging():
            assert [ask(path) for path in FORMS[:2] * 3] == [(200, "ok"), (503, "database")] * 3
        until(lambda: ask("/readyz") == (200, "ok"))


@pytest.mark.slow
@pytest.mark.django_db
def test_probes_are_answered_while_all_threads_wait(dataset_template: str) -> None:
    with (
        new_database(dataset_template) as url,
        served(url) as address,
        ThreadPoolExecutor(8) as clients,
        psycopg.connect(url) as locking,
    ):
        locking.execute("LOCK TABLE instances_instance IN ACCESS EXCLUSIVE MODE")
        waiting = [clients.submit(requests.get, f"{address}/api/v2/instances/{n}/", headers=ADMIN) for n in range(1, 9)]
        time.sleep(0.2)
        assert [requests.get(address + path, timeout=1).text for path in probes.PATHS] == ["ok", "ok"]
        assert not any(each.done() for each in waiting[4:])


# --- the end of a server


class Client(threading.Thread):
    """Repeats a request on one connection every PAUSE seconds, and counts how its connection ended.

    ``announced``: the last response said so. ``idle``: the server closed it between two requests. ``lost``: a request
    was sent and not answered as a whole, which no client can repeat if it was a change.
    """

    PAUSE = 0.05

    def __init__(self, address: str, headers: dict[str, str], counts: Counter[str], most: int = 10_000) -> None:
        super().__init__()
        parts = urlsplit(address)
        self.connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        self.connection.connect()
        self.headers_, self.counts, self.most = headers, counts, most

    def run(self) -> None:
        with contextlib.closing(self.connection):
            self.counts[self.outcome()] += 1

    def outcome(self) -> str:
        for _ in range(self.most):
            if self.is_closed():
                return "idle"
            try:
                self.connection.request("GET", "/api/v2/instances/1/", headers=self.headers_)
                response = self.connection.getresponse()
                body = response.read()
            except (ConnectionError, OSError):
                return "lost"
            if response.status != 200 or not body:
                return f"status {response.status}"
            self.counts["answered"] += 1
            if response.will_close:
                return "announced"
            time.sleep(self.PAUSE)
        return "done"

    def is_closed(self) -> bool:
        self.connection.sock.setblocking(False)
        try:
            return self.connection.sock.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        finally:
            self.connection.sock.settimeout(10)


def slowly_changed(address: str, seconds: float) -> int:
    """The status of a PATCH whose body takes so long to arrive."""
    parts, body = urlsplit(address), b'{"enabled": true}'
    bearer = [f"Authorization: {ADMIN['Authorization']}"]
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.sendall(slow.body_of(slow.PATCH, bearer, len(body)))
        for byte in body:
            time.sleep(seconds / len(body))
            connection.sendall(bytes([byte]))
        return int(connection.recv(65_536).split()[1])


def main_process(address: str) -> psutil.Process:
    port = urlsplit(address).port
    return next(child for child in psutil.Process().children() if any(f":{port}" in part for part in child.cmdline()))


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("to_all", [False, True], ids=["main process", "all processes"])
def test_sigterm_loses_no_request(to_all: bool, dataset_template: str) -> None:
    """Nor those that are still received; connections are closed with an announcement, or between two requests."""
    counts: Counter[str] = Counter()
    with (
        new_database(dataset_template) as url,
        served(url, workers=2, DRAIN_SECONDS="2") as address,
        ThreadPoolExecutor(8) as slow_clients,
    ):
        clients = [Client(address, ADMIN, counts) for _ in range(20)]
        idle = [socket.create_connection((urlsplit(address).hostname, urlsplit(address).port)) for _ in range(5)]
        for client in clients:
            client.start()
        changes = [slow_clients.submit(slowly_changed, address, seconds) for seconds in (1, 2, 3, 4, 5)]
        until(lambda: counts["answered"] > 100)
        server, began = main_process(address), time.monotonic()
        for process in [server, *(server.children() if to_all else [])]:
            process.terminate()
        until(lambda: requests.get(f"{address}/readyz", timeout=1).text == "draining", 1.5)
        assert requests.get(f"{address}/healthz", timeout=1).text == "ok"
        assert requests.get(f"{address}/api/v2/ping/", timeout=1).headers["Connection"] == "close"
        for client in clients:
            client.join(10)
        assert [change.result() for change in changes] == [200] * 5
        for connection in idle:
            with contextlib.closing(connection):
                assert connection.recv(1) == b""
        server.wait(10)
        assert 2 < time.monotonic() - began < 10
    assert counts["announced"] == 20, counts
    assert not counts["lost"] + counts["idle"], counts


@pytest.mark.slow
@pytest.mark.django_db
def test_sighup_loses_no_request(dataset_url: str) -> None:
    """Readiness is not affected, as another process answers; clients connect again when they are told to."""
    counts: Counter[str] = Counter()
    with served(dataset_url, workers=2, DRAIN_SECONDS="2") as address:
        server = main_process(address)
        until(lambda: len(workers_of(server)) == 2)
        before = workers_of(server)
        server.send_signal(signal.SIGHUP)
        while any(process.is_running() for process in before):
            clients = [Client(address, ADMIN, counts, most=20) for _ in range(10)]
            for client in clients:
                client.start()
            assert requests.get(f"{address}/readyz", timeout=2).text == "ok"
            for client in clients:
                client.join(10)
        assert len(workers_of(server)) == 2
    assert counts["announced"]
    assert not {"lost", "idle"} & counts.keys(), counts


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("seconds", ["0", "30"])
def test_sigint_does_not_wait(seconds: str, dataset_url: str) -> None:
    with served(dataset_url, DRAIN_SECONDS=seconds) as address:
        server = main_process(address)
        server.send_signal(signal.SIGINT)
        server.wait(5)
