"""metrics/process/ below /api/fleet/v1/: what a server measures of itself; its labels have few values."""

import asyncio
import contextlib
import errno
import logging
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.test import override_settings
from django.urls import get_resolver
from prometheus_client import parser as prometheus
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries

from awx_compat import access_log, buffered, process_metrics
from awx_compat.access_log import AccessLog
from awx_compat.answer_cache import AnswerCache
from awx_compat.process_metrics import PoolUsage, ProcessMetrics
from awx_compat.views.root import Ping
from instances import tokens
from instances.models import User
from tests.conftest import client_of, speaking
from tests.promtool import needs_prometheus, promtool
from tests.routes import TAKEN, routes
from tests.service import PROJECT
from tests.test_overload import Stuck, ask, stuck  # noqa: F401 - a fixture
from tests.wsgi import environ, send

pytestmark = pytest.mark.django_db
URL = "/api/fleet/v1/metrics/process/"
DURATIONS = "awx_service_request_duration_seconds"
Labels = tuple[tuple[str, str], ...]


def samples(metrics: ProcessMetrics) -> dict[tuple[str, Labels], float]:
    """By name and labels, as any process answers them."""
    found = [sample for family in metrics.families() for sample in family.samples]
    values = {(each.name, tuple(sorted(each.labels.items()))): each.value for each in found}
    assert len(values) == len(found), "a sample is there twice"
    return values


def counts(metrics: ProcessMetrics) -> dict[tuple[str, str, str], float]:
    """Requests by method, route and status."""
    return {
        tuple(value for _, value in labels): number  # type: ignore[misc]
        for (name, labels), number in samples(metrics).items()
        if name == f"{DURATIONS}_count"
    }


def value(metrics: ProcessMetrics, name: str, **labels: str) -> float:
    return samples(metrics)[f"awx_service_{name}", tuple(labels.items())]


@pytest.fixture
def site() -> Any:
    return AccessLog(AnswerCache(WSGIHandler(), 1_000_000))


# --- labels


@pytest.mark.parametrize("version", ["23.6.0", "24.6.1"])
def test_each_route_has_its_label(version: str, site: Any, measured: ProcessMetrics) -> None:
    with speaking(version):
        there = set(routes(get_resolver().url_patterns, ""))
        for route in there:
            send(site, environ(f"/{re.sub('<[^>]*>', '1', route)}"))
    labels = {label for _, label, _ in counts(measured)} - {process_metrics.NO_ROUTE}
    plain = {TAKEN.sub(lambda found: f"<{found[1] or found[2]}>", label.strip("^$")) for label in labels}
    assert plain <= there
    assert len(plain) > 100
    assert sum(counts(measured).values()) == len(there)


@pytest.mark.django_db(transaction=True)
def test_what_clients_choose_makes_no_series(site: Any, measured: ProcessMetrics, admin: User) -> None:
    authorization = f"Bearer {tokens.issue(admin)[1]}"
    numbers = []
    for batch in range(2):
        for n in range(20):
            send(site, environ(f"/{batch}/{n}", HTTP_AUTHORIZATION=authorization))
            send(site, environ(f"/api/v2/{batch}{n}/", HTTP_AUTHORIZATION=authorization))
            send(site, environ(f"/api/v2/instances/{batch}{n}/?page={n}", HTTP_AUTHORIZATION=authorization))
            send(site, environ("/api/v2/instances/", f"METHOD{batch}{n}", HTTP_AUTHORIZATION=authorization))
            send(site, environ("/api/v2/ping/", HTTP_HOST=f"{batch} {n}"))
        numbers.append(len(samples(measured)))
    assert numbers[0] == numbers[1]
    assert counts(measured) == {
        ("GET", "none", "4xx"): 120,
        ("GET", "api/v2/instances/<key>/", "4xx"): 40,
        ("other", "api/v2/instances/", "4xx"): 40,
    }


@pytest.mark.django_db(transaction=True)
def test_answers_from_memory_count_as_well(site: Any, measured: ProcessMetrics, admin: User) -> None:
    authorization = f"Bearer {tokens.issue(admin)[1]}"
    for _ in range(5):
        send(site, environ("/api/v2/instances/", HTTP_AUTHORIZATION=authorization))
    assert counts(measured) == {("GET", "api/v2/instances/", "2xx"): 5}


# --- errors


def test_failures_are_counted(site: Any, measured: ProcessMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    assert value(measured, "request_failures_total") == 0
    monkeypatch.setattr(Ping, "get", lambda *args: 1 / 0)
    assert send(site, environ("/api/v2/ping/")).status == 500
    assert counts(measured) == {("GET", "api/v2/ping/", "5xx"): 1}
    assert value(measured, "request_failures_total") == 1


def test_an_application_that_raises_has_failed(measured: ProcessMetrics) -> None:
    def fails(environ: Any, start_response: Any) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        send(AccessLog(fails), environ("/"))
    assert value(measured, "request_failures_total") == 1


@pytest.mark.parametrize("is_logged", [True, False])
def test_refusals_are_counted_whether_they_are_logged_or_not(
    is_logged: bool, measured: ProcessMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    with override_settings(ACCESS_LOG=is_logged), caplog.at_level(logging.INFO):
        access_log.log_refusal(environ("/"), "127.0.0.1", 503, 10, 0.0)
        send(AccessLog(lambda environ, start: [start("204 No Content", []), b""][1:]), environ("/"))
    assert len(caplog.records) == (2 if is_logged else 0)
    refused = {status: value(measured, "requests_refused_total", status=status) for status in ("408", "429", "503")}
    assert refused == {"408": 0, "429": 0, "503": 1}
    assert counts(measured) == {("GET", "none", "2xx"): 1}


# --- threads and connections


def test_threads_and_the_requests_that_wait_for_them(stuck: Stuck, measured: ProcessMetrics) -> None:  # noqa: F811
    async def overload(application: buffered.Application) -> None:
        waiting = [asyncio.create_task(ask(application, f"/{n}")) for n in range(8)]
        await asyncio.sleep(0.3)
        measured.sample(application.pools)
        assert gauges("requests") == (3, 3, 5)
        assert gauges("metrics") == (1, 0, 0)
        assert 0.2 < value(measured, "oldest_waiting_request_age_seconds", pool="requests") < 10
        assert value(measured, "oldest_waiting_request_age_seconds", pool="passwords") == 0
        await asyncio.sleep(1)  # five are refused
        measured.sample(application.pools)
        assert gauges("requests") == (3, 3, 0)
        stuck.released.set()
        await asyncio.gather(*waiting)

    def gauges(pool: str) -> tuple[float, ...]:
        return tuple(value(measured, name, pool=pool) for name in ("threads", "threads_busy", "requests_waiting"))

    with override_settings(QUEUE_SECONDS=1):
        application = buffered.Application(stuck, 3)
        asyncio.run(overload(application))
    for _ in range(100):  # a thread is free a moment after its answer
        measured.sample(application.pools)
        if gauges("requests") == (3, 0, 0):
            break
        time.sleep(0.05)
    assert gauges("requests") == (3, 0, 0)
    assert value(measured, "oldest_waiting_request_age_seconds", pool="requests") == 0
    assert value(measured, "requests_refused_total", status="503") == 5


@pytest.mark.django_db(transaction=True)
def test_connections_are_those_that_are_open(measured: ProcessMetrics) -> None:
    connection.close()
    numbers = []
    for act in (connection.close, connection.connect, connection.close, connection.connect):
        act()
        measured.sample({})
        numbers.append(value(measured, "database_connections"))
    assert numbers == [0, 1, 0, 1]


# --- several processes


# One that has answered two requests, has sampled its gauges or not yet, and lives until it is killed.
OTHER_PROCESS = """
import pathlib, sys, types
from awx_compat import process_metrics
process_metrics.start(pathlib.Path(sys.argv[1]))
for _ in range(2):
    process_metrics.current.observe("GET", "a/", 200, 0.5)
usage = process_metrics.PoolUsage(threads=1, busy=1, waiting=1, oldest=7.0)
if sys.argv[2] == "sampled":
    process_metrics.current.sample({"requests": types.SimpleNamespace(usage=lambda: usage)})
print("ready", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def other_process(folder: Path, state: str = "sampled") -> Iterator[None]:
    command = [sys.executable, "-c", OTHER_PROCESS, str(folder), state]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
        process.kill()


def test_counts_of_processes_that_have_ended_stay_and_their_gauges_go(measured: ProcessMetrics, tmp_path: Path) -> None:
    measured.observe("GET", "a/", 200, 0.5)
    for times in range(1, 4):
        with other_process(tmp_path):
            assert counts(measured) == {("GET", "a/", "2xx"): 1 + 2 * times}
            assert value(measured, "threads", pool="requests") == 1
            assert value(measured, "oldest_waiting_request_age_seconds", pool="requests") == 7
        assert counts(measured) == {("GET", "a/", "2xx"): 1 + 2 * times}
        assert not [name for name, _ in samples(measured) if "thread" in name or "waiting" in name]
    assert len(list(tmp_path.glob("histogram_*.db"))) == len(list(tmp_path.glob("*.lock"))) == 2


def test_gauges_of_all_processes_are_added_and_the_oldest_request_is_that_of_one(
    measured: ProcessMetrics, tmp_path: Path
) -> None:
    with other_process(tmp_path), other_process(tmp_path):
        assert value(measured, "threads", pool="requests") == 2
        assert value(measured, "requests_waiting", pool="requests") == 2
        assert value(measured, "oldest_waiting_request_age_seconds", pool="requests") == 7


def test_a_process_does_not_begin_with_the_gauges_of_another(measured: ProcessMetrics, tmp_path: Path) -> None:
    with other_process(tmp_path):
        pass
    with other_process(tmp_path, "not yet"):
        assert not [name for name, _ in samples(measured) if "thread" in name or "waiting" in name]


# --- where it is not measured


def test_another_server_says_that_it_measures_nothing(admin: User) -> None:
    answer = client_of(admin).get(URL)
    assert (answer.status_code, answer.json()) == (404, {"detail": process_metrics.NOT_MEASURED})


def test_the_setting_turns_it_off() -> None:
    with override_settings(PROCESS_METRICS=False), process_metrics.shared_folder() as folder:
        assert folder is None
    with process_metrics.shared_folder() as folder:
        assert folder
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_a_server_starts_where_no_folder_can_be_made(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**options: Any) -> None:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(process_metrics.tempfile, "TemporaryDirectory", fail)
    with process_metrics.shared_folder() as folder:
        assert folder is None
    assert ["No usable temporary directory" in each.getMessage() for each in caplog.records] == [True]


def test_the_space_of_the_files_is_reserved(measured: ProcessMetrics, tmp_path: Path) -> None:
    """Else a full disk would end the process."""
    files = [path.stat() for path in tmp_path.glob("*.db")]
    assert len(files) == len(process_metrics.SIZES)
    assert all(file.st_blocks * 512 >= file.st_size > 0 for file in files)


def test_a_process_starts_where_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(process_metrics.os, "posix_fallocate", fail)
    monkeypatch.setattr(process_metrics, "current", None)
    process_metrics.start(tmp_path)
    assert process_metrics.current is None
    assert ["No space left on device" in each.getMessage() for each in caplog.records] == [True]


def test_the_module_is_imported_before_settings_are_read() -> None:
    """A process of ``serve`` starts to measure before it imports the application."""
    script = "import awx_compat.process_metrics, django.conf; assert not django.conf.settings.configured"
    subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=True)


# --- who reads it, in which format


@pytest.mark.parametrize(("who", "status"), [("admin", 200), ("auditor", 200), ("alice", 403), ("bob", 403)])
def test_who_may_read(who: str, status: int, measured: ProcessMetrics, request: pytest.FixtureRequest) -> None:
    answer = client_of(request.getfixturevalue(who)).get(URL)
    assert answer.status_code == status
    assert (b"awx_service_" in answer.content) == (status == 200)


def test_nobody_reads_it_without_credentials(measured: ProcessMetrics) -> None:
    assert client_of(None).get(URL).status_code == 401


def test_an_answer_costs_the_look_up_of_the_token(
    measured: ProcessMetrics, admin: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_of(admin)
    with django_assert_num_queries(1):
        assert client.get(URL).status_code == 200


def whole(measured: ProcessMetrics, admin: User, **headers: str) -> bytes:
    """The answer of a process that has a sample of each metric."""
    measured.observe("GET", "api/v2/instances/<key>/", 200, 0.5)
    measured.sample({"requests": SimpleNamespace(usage=lambda: PoolUsage(1, 1, 1, 7.0))})
    return bytes(client_of(admin).get(URL, **headers).content)


@needs_prometheus
@pytest.mark.parametrize("name", ["text", "openmetrics"])
def test_promtool_has_no_objection(name: str, measured: ProcessMetrics, admin: User) -> None:
    accept = {"text": "text/plain", "openmetrics": "application/openmetrics-text"}[name]
    text = whole(measured, admin, HTTP_ACCEPT=accept)
    assert text.endswith(b"# EOF\n") == (name == "openmetrics")
    if name == "text":
        assert promtool("check", "metrics", given=text) == ""
    parser = {"text": prometheus, "openmetrics": openmetrics}[name]
    assert len(list(parser.text_string_to_metric_families(text.decode()))) == 8


def test_the_page_describes_all_families_and_no_other(measured: ProcessMetrics, admin: User) -> None:
    page = (PROJECT / "docs" / "monitoring.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(awx_service_\w+)` \| (.*?) \|", page, re.MULTILINE))
    families = list(text_string_to_metric_families(whole(measured, admin).decode()))
    names = [f"{family.name}_total" if family.type == "counter" else family.name for family in families]
    assert sorted(rows) == sorted(names)
    for family, name in zip(families, names, strict=True):
        assert family.documentation.endswith(".")
        for sample in family.samples:
            assert set(re.findall(r"`(\w+)`", rows[name])) == set(sample.labels) - {"le"}, sample.name
