"""Prometheus itself, with the files of docs/monitoring/: it scrapes the service and evaluates all expressions."""

import contextlib
import json
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.promtool import PROMETHEUS, needs_prometheus
from tests.service import PROJECT

pytestmark = [pytest.mark.slow, needs_prometheus]
FOLDER = PROJECT / "docs" / "monitoring"


class Asking:
    """Prometheus' own API."""

    def __init__(self, address: str) -> None:
        self.address = address

    def get(self, path: str, **params: str) -> Any:
        answer = requests.get(f"{self.address}/api/v1/{path}", params, timeout=30).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found

    def wait_for(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(requests.ConnectionError):
                if condition():
                    return
            assert time.monotonic() < deadline, self.get("targets")
            time.sleep(0.2)


def configuration(address: str) -> str:
    text = (FOLDER / "prometheus.yml").read_text()
    changes = {"127.0.0.1:8000": address.removeprefix("http://"), "_interval: 60s": "_interval: 1s"}
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def prometheus(module_service: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "awx.token").write_text("oracle-auditor-token\n")
    (folder / "alerts.yml").write_text((FOLDER / "alerts.yml").read_text())
    (folder / "prometheus.yml").write_text(configuration(module_service))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    options = {"config.file": "prometheus.yml", "storage.tsdb.path": "data", "web.listen-address": address}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [str(PROMETHEUS), *(f"--{name}={value}" for name, value in options.items())],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Asking(f"http://{address}")
        finally:
            process.terminate()
            process.wait(timeout=30)
    log_text = (folder / "log").read_text()
    assert "level=error" not in log_text, log_text


def test_all_targets_are_scraped_without_an_error(prometheus: Asking) -> None:
    def are_up() -> bool:
        return [each["health"] for each in prometheus.get("targets")["activeTargets"]] == ["up"] * 3

    prometheus.wait_for(are_up)
    assert {each["lastError"] for each in prometheus.get("targets")["activeTargets"]} == {""}
    (stored,) = prometheus.query('awx_fleet_node_state{state="ready", hostname="exec-1.example.org"}')
    assert (stored["metric"]["job"], stored["value"][1]) == ("awx_fleet", "1")
    assert prometheus.query("awx_system_info")[0]["metric"]["job"] == "awx"


def test_types_and_help_texts_arrive(prometheus: Asking) -> None:
    prometheus.wait_for(lambda: bool(prometheus.get("metadata", metric="awx_fleet_node_up")))
    (found,) = prometheus.get("metadata", metric="awx_fleet_node_up")["awx_fleet_node_up"]
    assert found == {"type": "gauge", "help": "Whether each node is ready and enabled.", "unit": ""}


def test_all_alerts_are_evaluated(prometheus: Asking) -> None:
    def rules() -> list[dict[str, Any]]:
        return [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]

    prometheus.wait_for(lambda: bool(rules()) and all(rule["health"] != "unknown" for rule in rules()))
    assert {rule["health"] for rule in rules()} == {"ok"}


EMPTY = {
    "Age of the mirror",
    "Background jobs",
    "Certificates that expire first",
    "Failed syncs",
    "Heartbeats of workers",
    "Mirror",
}


def test_each_panel_of_the_dashboard_has_data(prometheus: Asking) -> None:
    """But for what this service does not have: a mirror, install bundles and a worker."""
    prometheus.wait_for(lambda: bool(prometheus.query("awx_fleet_links")))
    prometheus.wait_for(lambda: bool(prometheus.query("rate(awx_service_request_duration_seconds_count[5m])")))
    dashboard = json.loads((FOLDER / "dashboard.json").read_text())
    empty = set()
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            if not prometheus.query(re.sub(r"\$\w+", ".+", target["expr"])):
                empty.add(panel["title"])
    assert empty == EMPTY
