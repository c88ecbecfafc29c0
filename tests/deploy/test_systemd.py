"""The units in deploy/systemd/: systemd's own judgement, and what they run."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.commands import default, parse, unknown_settings
from tests.deploy.programs import environment, needs, program
from tests.service import PROJECT

UNITS = PROJECT / "deploy" / "systemd"
COMMON = UNITS / "awx-instances-.service.d" / "common.conf"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
INSTALLED = "/opt/awx-instances/bin/awx-instances"


def values(path: Path, name: str) -> list[str]:
    """What a unit says of ``name``."""
    lines = path.read_text().splitlines()
    return [line.partition("=")[2] for line in lines if line.partition("=")[0] == name]


def settings() -> dict[str, str]:
    lines = (UNITS / "environment").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def seconds(path: Path, name: str) -> int:
    (value,) = values(path, name)
    return int(value.removesuffix("s"))


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, as if the service was installed, and ``kill``, which a container may lack."""
    installed = tmp_path / "awx-instances"
    installed.symlink_to(sys.executable)
    folder = tmp_path / "units"
    shutil.copytree(UNITS, folder)
    for path in folder.glob("*.service"):
        text = path.read_text().replace(INSTALLED, str(installed))
        path.write_text(text.replace("ExecReload=kill", f"ExecReload={installed}"))
    return folder


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program("systemd-analyze"), *map(str, arguments)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )


def test_these_are_the_units() -> None:
    parts = ("cleanup", "server", "sync", "worker")
    assert [f"awx-instances-{part}.service" for part in parts] == SERVICES
    assert [path.name for path in UNITS.glob("*.timer")] == ["awx-instances-cleanup.timer"]


@needs("systemd-analyze")
def test_systemd_finds_no_fault(units: Path) -> None:
    done = analyze("verify", *units.glob("*.service"), *units.glob("*.timer"))
    assert (done.returncode, done.stdout) == (0, "")


@needs("systemd-analyze")
@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_is_exposed_little(name: str, units: Path) -> None:
    """By what all have in common, without which systemd calls each of them unsafe."""
    security = ("security", "--offline=true", "--threshold=25", units / name)
    done = analyze(*security)
    assert done.returncode == 0, done.stdout
    shutil.rmtree(units / COMMON.parent.name)
    assert analyze(*security).returncode != 0


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_runs_a_command_that_there_is(name: str) -> None:
    (line,) = values(UNITS / name, "ExecStart")
    command, *arguments = shlex.split(line)
    assert command == INSTALLED
    assert parse(arguments)


def test_the_environment_has_settings() -> None:
    assert values(COMMON, "EnvironmentFile") == ["/etc/awx-instances/environment"]
    assert unknown_settings(settings()) == set()


def test_processes_are_given_the_time_that_they_need_to_stop() -> None:
    server, worker = (UNITS / f"awx-instances-{part}.service" for part in ("server", "worker"))
    assert seconds(server, "TimeoutStopSec") >= 2 * int(settings()["DRAIN_SECONDS"]) + 15
    assert seconds(worker, "TimeoutStopSec") >= default("HEALTH_CHECK_TIMEOUT") + 10


def test_a_token_of_the_mirrored_awx_is_where_the_command_reads_it() -> None:
    sync = UNITS / "awx-instances-sync.service"
    (credential,), (command,) = values(sync, "LoadCredential"), values(sync, "ExecStart")
    assert f"--token-file %d/{credential.partition(':')[0]} " in command
