"""The metrics of a server with several processes: each request counts once, whoever answers, and however they end."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.promtool import needs_prometheus, promtool
from tests.test_serve_processes import ADMIN, free_port, started, workers_of
from tests.test_worker import until

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

INSTANCE = ("GET", "api/v2/instances/<key>/", "2xx")


class Server:
    """``serve`` with two processes. Each request has a connection of its own, so that either may get it."""

    def __init__(self, port: int, process: psutil.Process) -> None:
        self.address, self.process = f"http://127.0.0.1:{port}", process
        self.sent = self.cut = 0

    def get(self, path: str, method: str = "GET", authorization: dict[str, str] = ADMIN) -> requests.Response:
        """The answer. A connection that a process accepts just as it ends is cut, and the request sent again."""
        while True:
            try:
                return requests.request(method, self.address + path, headers=authorization, timeout=30)
            except requests.ConnectionError:
                self.cut += 1
                assert self.cut < 20

    def ask(self, number: int = 20) -> None:
        for _ in range(number):
            assert self.get("/api/v2/instances/1/").status_code == 200
        self.sent += number

    def text(self) -> str:
        answer = self.get("/api/fleet/v1/metrics/process/?format=txt")
        assert answer.status_code == 200
        return answer.text

    def counts(self) -> dict[tuple[str, str, str], float]:
        """Requests by method, route and status."""
        families = {family.name: family for family in text_string_to_metric_families(self.text())}
        samples = families["awx_service_request_duration_seconds"].samples
        return {
            (each.labels["method"], each.labels["route"], each.labels["status"]): each.value
            for each in samples
            if each.name.endswith("_count")
        }

    def wait_for_processes(self, number: int) -> None:
        """Until so many have started, with four threads each."""
        until(lambda: self.value("threads", pool="requests") == 4 * number, 60)

    def value(self, name: str, **labels: str) -> float | None:
        found = [each for family in text_string_to_metric_families(self.text()) for each in family.samples]
        return next((each.value for each in found if (each.name, each.labels) == (f"awx_service_{name}", labels)), None)


@contextlib.contextmanager
def serving(url: str, folder: Path, **changes: str) -> Iterator[Server]:
    port = free_port()
    with started(url, port, TMPDIR=str(folder), **changes) as process:
        until(lambda: len(workers_of(process)) == 2)
        yield Server(port, process)


def files(folder: Path) -> int:
    return len(list(folder.glob("awx-instance-service-*/histogram_*.db")))


def test_each_request_counts_once_whichever_process_answers(dataset_url: str, tmp_path: Path) -> None:
    with serving(dataset_url, tmp_path) as server:
        server.ask(60)
        for _ in range(7):
            server.get("/nowhere")
        server.get("/api/v2/instances/1/", "HEAD")
        server.get("/api/v2/instances/1/", authorization={})
        server.get("/healthz")
        for scrapes in range(10):
            counts = server.counts()
            assert counts.pop(("GET", "api/fleet/v1/metrics/process/", "2xx"), 0) == scrapes
            counts.pop(("GET", "api/v2/ping/", "2xx"))  # by which the start is waited for
            assert counts == {
                INSTANCE: 60,
                ("GET", "none", "4xx"): 7,
                ("HEAD", *INSTANCE[1:]): 1,
                ("GET", INSTANCE[1], "4xx"): 1,
            }
        assert files(tmp_path) == 2
        server.wait_for_processes(2)
        until(lambda: server.value("database_connections"), 60)
        assert 1 <= (server.value("database_connections") or 0) <= 14  # two processes with six threads and a probe's
        server.process.terminate()
        server.process.wait(30)
        assert list(tmp_path.glob("awx-instance-service-*")) == []


def test_replaced_and_killed_processes_change_no_count(dataset_url: str, tmp_path: Path) -> None:
    with serving(dataset_url, tmp_path, DRAIN_SECONDS="2") as server:
        server.wait_for_processes(2)
        server.ask()
        for _ in range(2):
            before = workers_of(server.process)
            server.process.send_signal(signal.SIGHUP)
            while any(each.is_running() for each in before):
                server.ask(1)
                assert server.sent <= server.counts()[INSTANCE] <= server.sent + server.cut
            server.wait_for_processes(2)
        workers_of(server.process)[0].kill()
        server.wait_for_processes(1)
        server.ask()
        server.wait_for_processes(2)
        server.ask()
        assert server.sent <= server.counts()[INSTANCE] <= server.sent + server.cut
        assert files(tmp_path) <= 4


@needs_prometheus
def test_promtool_has_no_objection_to_what_is_served(dataset_url: str, tmp_path: Path) -> None:
    with serving(dataset_url, tmp_path) as server:
        server.ask()
        assert promtool("check", "metrics", given=server.text().encode()) == ""


def test_the_setting_turns_it_off(dataset_url: str, tmp_path: Path) -> None:
    with serving(dataset_url, tmp_path, PROCESS_METRICS="false") as server:
        assert server.get("/api/fleet/v1/metrics/process/").status_code == 404
        assert list(tmp_path.glob("awx-instance-service-*")) == []
