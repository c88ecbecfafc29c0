"""Requests that have waited for a thread for too long are refused, never begun; probes and metrics are answered."""

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import requests
from django.test import override_settings

from awx_compat import buffered, probes
from awx_compat.draining import Draining, State
from tests.service import new_database, served

ADMIN = {"Authorization": "Bearer oracle-admin-token"}


class Protocol:
    """What granian gives an application to respond with."""

    def __init__(self, body: bytes) -> None:
        self.chunks = [body]
        self.status, self.headers, self.body = 0, {}, b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        assert not self.status, "it was answered twice"
        self.status, self.headers, self.body = int(status), dict(headers), body

    def response_str(self, status: int, headers: list[tuple[str, str]], body: str) -> None:
        self.response_bytes(status, headers, body.encode())


def scope(path: str, body: bytes = b"") -> SimpleNamespace:
    headers = [("content-length", str(len(body)))] if body else []
    return SimpleNamespace(
        method="PATCH" if body else "GET",
        path=path,
        query_string="",
        http_version="1.1",
        client="127.0.0.1:4711",
        server="127.0.0.1:8000",
        scheme="http",
        authority=None,
        headers=SimpleNamespace(items=lambda: headers),
    )


class Stuck:
    """A WSGI application that answers none but metrics until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.begun: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        self.begun.append(environ["PATH_INFO"])
        if environ["PATH_INFO"] not in buffered.METRICS:
            self.released.wait(30)
        start_response("200 OK", [])
        return [b"answered"]


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    stuck = Stuck()
    yield stuck
    stuck.released.set()


def ask(application: buffered.Application, path: str, body: bytes = b"") -> Any:
    async def asked() -> Protocol:
        protocol = Protocol(body)
        await application(scope(path, body), protocol)
        return protocol

    return asked()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("body", [b"", b'{"enabled": true}'], ids=["GET", "PATCH"])
def test_who_waits_too_long_is_refused_and_not_begun(
    threads: int, body: bytes, stuck: Stuck, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "database_word", lambda: probes.OK)
    monkeypatch.setattr(buffered, "REPORT_PERIOD", 0.1)
    paths = [f"/api/v2/instances/{number}/" for number in range(20)]

    async def overload() -> tuple[list[Protocol], list[Protocol], float]:
        began = time.monotonic()
        waiting = [asyncio.create_task(ask(application, path, body)) for path in paths]
        done, _ = await asyncio.wait(waiting, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        gone = time.monotonic() - began
        assert done
        urgent = [await ask(application, path) for path in (*probes.PATHS, *buffered.METRICS)]
        await asyncio.wait(waiting[threads:])
        stuck.released.set()
        responses = await asyncio.gather(*waiting)
        await asyncio.sleep(0.3)  # for the last line in the log
        return responses, urgent, gone

    with override_settings(QUEUE_SECONDS=0.3), caplog.at_level(logging.WARNING):
        application = buffered.Application(stuck, threads)
        free = application.free
        responses, urgent, gone = asyncio.run(overload())
    assert [response.status for response in responses] == [200] * threads + [503] * (20 - threads)
    assert 0.3 <= gone < 2
    assert sorted(stuck.begun) == sorted([*paths[:threads], *buffered.METRICS])
    for response in responses[threads:]:
        assert json.loads(response.body) == {"detail": buffered.OVERLOADED}
        assert int(response.headers["Retry-After"]) > 0
        assert "Connection" not in response.headers
    assert [response.status for response in urgent] == [200] * len([*probes.PATHS, *buffered.METRICS])
    assert application.free == free
    lines = [record.getMessage().rpartition(": ") for record in caplog.records]
    assert {text for text, _, _ in lines} == {"Requests refused after 0.3 seconds in the queue"}
    assert sum(int(number.rstrip(".")) for _, _, number in lines) == application.threads.refused == 20 - threads
    assert len(lines) <= 3, "each is logged on its own"
    assert application.threads.usage().oldest == 0


def test_only_the_oldest_are_refused_and_who_comes_in_time_is_answered(stuck: Stuck) -> None:
    """One timer serves all: it must come back for those that arrive later, and again after a time without any."""

    async def arrive(number: int, pause: float) -> list[asyncio.Task[Any]]:
        tasks = []
        for _ in range(number):
            tasks.append(asyncio.create_task(ask(application, "/")))
            await asyncio.sleep(pause)
        return tasks

    async def overload() -> list[int]:
        busy = await arrive(1, 0)
        late = await arrive(3, 0.2)
        assert 0.4 <= application.threads.usage().oldest < 1
        await asyncio.wait(late[:1])
        assert not any(task.done() for task in late[1:])
        await asyncio.wait(late[:2])
        stuck.released.set()
        statuses = [response.status for response in await asyncio.gather(*busy, *late)]
        stuck.released.clear()
        again = await arrive(2, 0)
        await asyncio.wait(again[1:])
        stuck.released.set()
        return statuses + [response.status for response in await asyncio.gather(*again)]

    with override_settings(QUEUE_SECONDS=1):
        application = buffered.Application(stuck, 1)
        assert asyncio.run(overload()) == [200, 503, 503, 200, 200, 503]
    assert not application.threads.waiting


def test_who_is_refused_by_a_server_that_stops_leaves_it(stuck: Stuck) -> None:
    """Or the client would send its next request to the server that was busy, and soon is gone."""

    async def overload() -> list[Protocol]:
        waiting = [asyncio.create_task(ask(application, "/")) for _ in range(3)]
        await asyncio.wait(waiting[1:])
        stuck.released.set()
        return list(await asyncio.gather(*waiting))

    with override_settings(QUEUE_SECONDS=0.2):
        draining = Draining()
        draining.shared.state = State.DRAINING
        application = buffered.Application(stuck, 1, draining)
        responses = asyncio.run(overload())
    assert [(response.status, response.headers["Connection"]) for response in responses] == [
        (200, "close"),
        (503, "close"),
        (503, "close"),
    ]


def test_a_client_that_has_gone_is_not_answered(stuck: Stuck) -> None:
    async def leave() -> Protocol:
        busy = asyncio.create_task(ask(application, "/"))
        await asyncio.sleep(0.05)
        protocol = Protocol(b"")
        gone: asyncio.Task[None] = asyncio.create_task(application(scope("/"), protocol))
        await asyncio.sleep(0.05)
        gone.cancel()
        await asyncio.sleep(0.4)
        stuck.released.set()
        await busy
        return protocol

    with override_settings(QUEUE_SECONDS=0.2):
        application = buffered.Application(stuck, 1)
        assert not asyncio.run(leave()).status
    assert application.threads.refused == 0


def test_without_a_limit_nobody_is_refused(stuck: Stuck) -> None:
    async def wait() -> list[Protocol]:
        waiting = [asyncio.create_task(ask(application, "/")) for _ in range(20)]
        done, _ = await asyncio.wait(waiting, timeout=0.5)
        assert not done
        stuck.released.set()
        return list(await asyncio.gather(*waiting))

    with override_settings(QUEUE_SECONDS=0):
        application = buffered.Application(stuck, 1)
        assert {response.status for response in asyncio.run(wait())} == {200}


@pytest.mark.slow
@pytest.mark.django_db
def test_the_service_refuses_while_the_database_does_not_go_on(dataset_template: str) -> None:
    with (
        new_database(dataset_template) as url,
        served(url, QUEUE_SECONDS="1", STATEMENT_TIMEOUT="0") as address,
        ThreadPoolExecutor(30) as clients,
    ):

        def get(number: int) -> requests.Response:
            return requests.get(f"{address}/api/v2/instances/{number % 8 + 1}/", headers=ADMIN, timeout=30)

        with psycopg.connect(url) as locking:
            locking.execute("LOCK TABLE instances_instance IN ACCESS EXCLUSIVE MODE")
            waiting = [clients.submit(get, number) for number in range(30)]
            time.sleep(2.5)
            assert requests.get(f"{address}/readyz", timeout=1).text == "ok"
            done = [each.result() for each in waiting if each.done()]
        assert len(done) == 26
        assert {(response.status_code, response.headers["Retry-After"]) for response in done} == {(503, "2")}
        assert max(response.elapsed.total_seconds() for response in done) < 2
        assert sorted({each.result().status_code for each in waiting}) == [200, 503]
        assert get(1).status_code == 200
