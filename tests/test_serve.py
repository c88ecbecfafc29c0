"""``manage.py serve`` and ``manage.py demo``, as processes."""

import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import requests
from django.core.management import call_command
from django.core.management.base import CommandError

from instances import startup
from tests.service import PROJECT, environment, logging_into, manage, new_database, served, wait_for

pytestmark = pytest.mark.django_db


@pytest.mark.slow
def test_refuses_to_start_on_unapplied_migrations() -> None:
    with new_database() as url:
        done = manage(url, "serve", check=False)
    assert done.returncode == 1
    assert "migrations are not applied" in done.stderr
    assert "awx-instances migrate" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_refuses_to_start_without_a_database() -> None:
    done = manage("postgresql://nobody:hunter2@127.0.0.1:1/none", "serve", check=False)
    assert done.returncode == 1
    assert "The database cannot be reached" in done.stderr
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("known", ["", '"x"'])
def test_nobody_notices_that_the_database_dropped_its_connections(dataset_template: str, known: str) -> None:
    headers = {"Authorization": "Bearer oracle-admin-token", **({"If-None-Match": known} if known else {})}
    with new_database(dataset_template) as url, served(url) as address:

        def ask(_: int = 0) -> int:
            return requests.get(f"{address}/api/v2/instances/1/", headers=headers, timeout=30).status_code

        with ThreadPoolExecutor(8) as clients:
            assert set(clients.map(ask, range(64))) == {200}
        with psycopg.connect(url, autocommit=True) as server:
            others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            dropped = server.execute(f"SELECT count(pg_terminate_backend(pid)) {others}").fetchone()
            assert dropped != (0,)
            while server.execute(f"SELECT count(*) {others}").fetchone() != (0,):
                time.sleep(0.01)
        assert [ask() for _ in range(10)] == [200] * 10


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [["--bind", "8000"], ["--bind", "host:port"], ["--bind", "::1"], ["--workers", "0"], ["--workers", "x"]],
)
def test_refuses_arguments_that_it_cannot_use(arguments: list[str], dataset_url: str) -> None:
    done = manage(dataset_url, "serve", *arguments, check=False)
    assert done.returncode == 2
    assert arguments[0] in done.stderr


@pytest.mark.slow
def test_a_port_in_use_is_a_clear_error(dataset_url: str, service: str) -> None:
    done = manage(dataset_url, "serve", "--bind", service.removeprefix("http://"), check=False)
    assert done.returncode == 1
    assert "in use" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_several_workers_answer(dataset_url: str) -> None:
    with served(dataset_url, workers=2) as address:
        headers = {"Authorization": "Bearer oracle-admin-token"}
        ids = {requests.get(f"{address}/api/v2/instances/{n}/", headers=headers).json()["id"] for n in range(1, 16)}
    assert ids == set(range(1, 16))


WEAK = ["x" * 49, "x" * 60, "changeme" * 8, "…" + "abcdefgh" * 8, "django-insecure-" + "abcdefgh" * 8, "abcdefg"]


@pytest.mark.slow
@pytest.mark.parametrize("key", WEAK)
def test_refuses_a_key_that_can_be_guessed(key: str) -> None:
    done = manage("dbname=nothing host=127.0.0.1 port=1", "serve", check=False, SECRET_KEY=key)
    assert done.returncode == 1
    assert "SECRET_KEY must be 50 random characters or more" in done.stderr
    assert key not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.1"])
def test_refuses_to_show_debugging_to_others(host: str) -> None:
    url = "dbname=nothing host=127.0.0.1 port=1"
    done = manage(url, "serve", "--bind", f"{host}:8190", check=False, DEBUG="true")
    assert done.returncode == 1
    assert "DEBUG shows the service's insides" in done.stderr


@pytest.mark.parametrize(("host", "own"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("::", False)])
def test_what_is_reached_from_this_machine_alone(host: str, own: bool) -> None:
    assert startup.is_loopback(host) == own


@pytest.mark.slow
def test_warns_of_the_passwords_of_the_demonstration(dataset_url: str) -> None:
    with tempfile.TemporaryFile("w+") as log:
        with logging_into(log, [sys.executable, "manage.py", "serve", "--workers", "1"], dataset_url):
            pass
        log.seek(0)
        told = log.read()
    assert "These users still have the demonstration's password: admin" in told


@pytest.mark.slow
def test_the_demo_keeps_its_data_and_ends_cleanly(tmp_path: Path) -> None:
    """With an embedded database of its own, twice, as ``make run`` does it."""
    changed = {"DJANGO_SETTINGS_MODULE": "settings.demo", "DATA_DIR": str(tmp_path / "data")}
    env = environment("", **changed)
    for name in ("DATABASE_URL", "SECRET_KEY", "CLUSTER_HOST_ID", "INSTALL_UUID", "ALLOWED_HOSTS"):
        env.pop(name, None)
    outputs = []
    for _ in range(2):
        command = [sys.executable, "manage.py", "demo", "--port", "8931"]
        demo = subprocess.Popen(
            command, cwd=PROJECT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        wait_for("http://127.0.0.1:8931", demo, seconds=180)
        answer = requests.get("http://127.0.0.1:8931/api/v2/instances/1/", auth=("admin", "admin"))
        assert answer.json()["hostname"] == "control-1.demo"
        demo.send_signal(signal.SIGINT)
        outputs.append(demo.communicate(timeout=30)[0])
        assert demo.returncode == 0, outputs[-1]
    assert "Imported" in outputs[0]
    assert "Imported" not in outputs[1]
    assert "curl -u admin:admin http://127.0.0.1:8931/api/v2/instances/1/" in outputs[1]
    assert "Traceback" not in "".join(outputs)
    until_gone(tmp_path / "data" / "postgresql" / "postmaster.pid")  # PostgreSQL ends with its last user, after it


def until_gone(file: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while file.exists():
        assert time.monotonic() < deadline, f"{file.name} is still there"
        time.sleep(0.05)


def test_the_demo_runs_with_its_own_settings_only() -> None:
    with pytest.raises(CommandError, match="known passwords"):
        call_command("demo")
