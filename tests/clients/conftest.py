"""Real clients as published, unchanged: each in a virtual environment of its own, asking the served application."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from tests.service import PROJECT, new_database, served

AWXKIT_VERSIONS = ("23.6.0", "24.6.1")
# Later releases of setuptools have no pkg_resources, which awxkit imports.
NEEDED_BY_AWXKIT = ("setuptools==80.9.0", "PyYAML==6.0.3", "requests==2.34.2")


def installed(folder: Path, *pins: str) -> Path:
    """The virtual environment ``folder`` with these packages; one that is complete is used again."""
    marker = folder / "installed.txt"
    wanted = "\n".join([sys.version, sys.base_prefix, *pins])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not marker.exists() or marker.read_text() != wanted:
            pip = [f"{folder}/bin/python", "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
            for command in ([sys.executable, "-m", "venv", "--clear", str(folder)], [*pip, *pins]):
                done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                assert done.returncode == 0, done.stdout
            marker.write_text(wanted)
    return folder


@dataclass(frozen=True)
class Awxkit:
    """awxkit in the virtual environment ``folder``, with an empty home, and the service that it asks."""

    folder: Path
    home: Path
    address: str

    def awx(self, *arguments: str, prefix: str = "CONTROLLER", **login: str) -> subprocess.CompletedProcess[str]:
        """Run ``awx``, its host and login in variables with this prefix; as admin, by token, unless told otherwise."""
        settings = {"HOST": self.address, **(login or {"OAUTH_TOKEN": "oracle-admin-token"})}
        variables = {f"{prefix}_{name}": value for name, value in settings.items()}
        return self._run("awx", *arguments, **variables)

    def python(self, script: str, *arguments: str) -> Any:
        """What ``script`` prints, which is JSON, given the address and these arguments."""
        done = self._run("python", "-c", script, self.address, *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def _run(self, program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / "bin" / program, *arguments],
            env={"PATH": os.defpath, "HOME": str(self.home), "PYTHONUTF8": "1", **variables},
            cwd=self.home,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )


@pytest.fixture(scope="session")
def clients_folder(request: pytest.FixtureRequest) -> Path:
    """Where the virtual environments of clients are kept between runs."""
    own = PROJECT / ".venv"
    return own / "clients" if own.is_dir() else Path(request.config.cache.mkdir("clients"))


@pytest.fixture(scope="session", params=AWXKIT_VERSIONS)
def awxkit_folder(request: pytest.FixtureRequest, clients_folder: Path) -> Path:
    """The virtual environment of each version of awxkit."""
    return installed(clients_folder / f"awxkit-{request.param}", f"awxkit=={request.param}", *NEEDED_BY_AWXKIT)


@pytest.fixture
def awxkit(awxkit_folder: Path, tmp_path: Path, service: str) -> Awxkit:
    """awxkit, asking the shared service: it may only read, by token, so that the records stay as recorded."""
    return Awxkit(awxkit_folder, tmp_path, service)


@pytest.fixture
def writing_awxkit(awxkit_folder: Path, tmp_path: Path, service_to_change: str) -> Awxkit:
    """awxkit, asking a service that it may log in to and change."""
    return Awxkit(awxkit_folder, tmp_path, service_to_change)


@pytest.fixture(scope="session")
def service_to_change(dataset_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The address of a service like ``service``, on a database that tests may change."""
    with django_db_blocker.unblock(), new_database(dataset_template) as url, served(url) as address:
        yield address
