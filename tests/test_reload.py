"""SIGHUP to ``manage.py serve`` where the new process takes long to start, and how processes end under load."""

import re
import signal
import sys
import tempfile
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests

from awx_compat import draining
from tests.service import logging_into, served
from tests.test_probes_http import ADMIN, main_process
from tests.test_serve_processes import workers_of
from tests.test_worker import until

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

LATER = draining.START_TIME + 4  # seconds
SLOW_START = """
import sys, time
from pathlib import Path

if Path(__file__).with_name("slow").exists() and "--multiprocessing-fork" in sys.argv:
    time.sleep({seconds})
"""

ENDING = """
import atexit, sys
from pathlib import Path

if "--multiprocessing-fork" in sys.argv:
    atexit.register(Path(__file__).with_name("finalized").touch)
"""


def test_a_process_answers_until_its_successor_does(dataset_url: str, tmp_path: Path) -> None:
    """However long that takes to start. Python imports sitecustomize first."""
    (tmp_path / "sitecustomize.py").write_text(SLOW_START.format(seconds=LATER))
    statuses: Counter[object] = Counter()
    ended = threading.Event()

    def ask(address: str) -> None:
        while not ended.wait(0.02):
            try:
                statuses[requests.get(f"{address}/api/v2/instances/1/", headers=ADMIN, timeout=20).status_code] += 1
            except requests.RequestException as error:
                statuses[type(error)] += 1

    with served(dataset_url, PYTHONPATH=str(tmp_path), DRAIN_SECONDS="1") as address, ThreadPoolExecutor(2) as clients:
        server = main_process(address)
        (before,) = workers_of(server)
        (tmp_path / "slow").touch()
        for _ in range(2):
            clients.submit(ask, address)
        server.send_signal(signal.SIGHUP)
        _, left = psutil.wait_procs([before], timeout=60)
        until(lambda: sum(statuses.values()) > 20)
        ended.set()
        assert not left
        assert len(workers_of(server)) == 1
    assert set(statuses) == {200}, statuses


@pytest.mark.parametrize("moment", ["Respawning worker-1", "Stopping old worker-1"])
def test_sigterm_ends_a_reload(moment: str, dataset_url: str) -> None:
    """The process that is being replaced ends with the others, and none is replaced after it."""
    command = [sys.executable, "manage.py", "serve", "--workers", "2"]
    with tempfile.NamedTemporaryFile("w+") as log:

        def logged() -> str:
            return Path(log.name).read_text()

        with logging_into(log, command, dataset_url, DRAIN_SECONDS="2") as address:
            server = main_process(address)
            until(lambda: len(workers_of(server)) == 2)
            server.send_signal(signal.SIGHUP)
            until(lambda: moment in logged())
            server.send_signal(signal.SIGTERM)
            until(lambda: "Shutting down granian" in logged(), seconds=25)  # it would wait for that process for 42
        assert "Respawning worker-2" not in logged()


def test_processes_end_without_a_panic_while_requests_arrive(dataset_url: str, tmp_path: Path) -> None:
    """A thread that answers at that moment must not come back into a Python that has ended."""
    (tmp_path / "sitecustomize.py").write_text(ENDING)
    ended = threading.Event()

    def ask(address: str) -> None:
        with requests.Session() as session:
            while not ended.is_set():
                try:
                    session.get(f"{address}/api/v2/instances/", headers=ADMIN, timeout=20)
                except requests.RequestException:
                    return

    for _ in range(2):
        with tempfile.TemporaryFile("w+") as log, ThreadPoolExecutor(24) as clients:
            ended.clear()
            command = [sys.executable, "manage.py", "serve", "--workers", "2"]
            with logging_into(log, command, dataset_url, PYTHONPATH=str(tmp_path)) as address:
                server = main_process(address)
                until(lambda server=server: len(workers_of(server)) == 2)
                for _ in range(24):
                    clients.submit(ask, address)
                until(lambda address=address: requests.get(f"{address}/healthz", timeout=20).ok)
                workers = workers_of(server)
                server.send_signal(signal.SIGINT)
                assert server.wait(30) in (0, None)
                ended.set()
                assert not psutil.wait_procs(workers, timeout=10)[1]
            log.seek(0)
            assert not (tmp_path / "finalized").exists()  # which is when such a thread would panic
            assert not re.findall("panick|Fatal Python error|Aborted", log.read())
