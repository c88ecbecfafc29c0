"""The command ``awx-instances``: its list of commands, its settings, and what it refuses."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands
from pytest_django import DjangoDbBlocker

from settings import commands, env
from tests.make import make_jobs, make_node
from tests.service import PROJECT, connected_to, environment, new_database

OWN_APPS = {"awx_compat", "fleet", "instances"}
PROGRAM = Path(sys.executable).parent / "awx-instances"


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The installed command, in an environment without settings."""
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [PROGRAM, *arguments], cwd="/", env={**clean, **variables}, capture_output=True, text=True, timeout=120
    )


def test_each_command_of_the_product_is_in_one_group() -> None:
    grouped = [name for names in commands.GROUPS.values() for name in names]
    own = {name for name, app in get_commands().items() if app in OWN_APPS}
    assert own == {name for name in grouped if get_commands()[name] in OWN_APPS}, "GROUPS of settings/commands.py"
    assert len(grouped) == len(set(grouped))


def test_what_a_command_does_is_in_the_list() -> None:
    listed = commands.Utility(["awx-instances"]).main_help_text()
    assert "\n  demo                    Migrate the database, load the demonstration mesh" in listed
    assert max(map(len, listed.splitlines())) <= commands.WIDTH


@pytest.mark.parametrize("arguments", [[], ["serve", "--help"], ["demo", "-h"], ["--version"]])
def test_help_needs_no_settings_and_writes_nothing(arguments: list[str], tmp_path: Path) -> None:
    done = run(*arguments, DATA_DIR=str(tmp_path / "data"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
    assert not (tmp_path / "data").exists()


def test_whatever_is_no_help_needs_its_settings() -> None:
    done = run("check")
    assert done.returncode == 1
    assert done.stderr == "The environment cannot be used:\n  SECRET_KEY: Environment variable not set.\n"


def test_manage_py_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "manage.py", "help"], cwd=PROJECT, capture_output=True, text=True)
    assert done.stdout == run("help").stdout.replace("awx-instances", "manage.py")


def test_data_are_in_the_users_folder_where_the_package_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert env.default_data_dir() == PROJECT / ".data"
    monkeypatch.setattr(env, "PROJECT", tmp_path)  # as site-packages, it has no manage.py
    monkeypatch.setenv("XDG_DATA_HOME", "/home/alice/data")
    assert env.default_data_dir() == Path("/home/alice/data/awx-instance-service")


@pytest.mark.slow
def test_an_interrupt_from_the_keyboard_is_no_fault(migrated: str, django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock(), new_database(migrated) as url:
        with connected_to(url):
            make_node("exec-1", node_type="execution")
            make_jobs(1, status="running", execution_node="exec-1")
        # What runs the tests may ignore the signal, and then its processes do.
        command = ["env", "--default-signal=INT", PROGRAM, "drain", "exec-1", "--reason", "x", "--wait"]
        with subprocess.Popen(command, env=environment(url), stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr
                while not process.stderr.readline().endswith("The drains go on once a worker runs.\n"):
                    assert process.poll() is None
                process.send_signal(signal.SIGINT)
                process.wait(timeout=60)
                rest = process.stderr.read()
            finally:
                process.kill()
    assert (process.returncode, rest) == (130, "No longer waited for; the drains go on.\n")


def test_the_demo_prints_no_address_where_another_service_listens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run("demo", "--port", str(port), DATA_DIR=str(tmp_path / "data"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"CommandError: Cannot listen at 127.0.0.1:{port}: Address already in use. "
        "Choose another port by --port, or 'make run PORT=…'.\n"
    )
    assert not (tmp_path / "data" / "postgresql").exists()


@pytest.mark.slow
def test_the_demo_welcomes_only_once_nothing_refuses_to_start(tmp_path: Path, dataset_url: str) -> None:
    done = run("demo", "--port", "1", DATA_DIR=str(tmp_path), DATABASE_URL=dataset_url, SECRET_KEY="x")
    assert done.returncode == 1
    assert "SECRET_KEY must be" in done.stderr
    assert "http://" not in done.stdout


@pytest.mark.parametrize("port", ["0", "65536", "x"])
def test_the_demo_refuses_what_is_no_port(port: str, tmp_path: Path) -> None:
    done = run("demo", "--port", port, DATA_DIR=str(tmp_path))
    assert done.returncode == 2
    assert "argument --port: " in done.stderr.splitlines()[-1]


def test_a_folder_of_data_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("demo", DATA_DIR=str(tmp_path / "file" / "data"))
    assert done.returncode == 1
    assert done.stderr == (f"{tmp_path}/file/data: Not a directory; correct this, or set DATA_DIR to another folder.\n")


def test_a_reader_who_has_had_enough_is_no_failure(dataset_url: str) -> None:
    """As ``head``, which has closed its end before the command writes."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [PROGRAM, "list_jobs"], env=environment(dataset_url), stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("command", ["list_jobs", "list_groups", "list_instances", "mesh_risk", "help"])
def test_an_output_without_space_is_one_line(command: str, dataset_url: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [PROGRAM, command], env=environment(dataset_url), stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (1, "The output: No space left on device\n")
