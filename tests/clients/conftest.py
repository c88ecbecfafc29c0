"""Real clients as published, unchanged: each in a virtual environment of its own, asking the served application."""

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from tests.cache_folder import cache_folder, filled_once
from tests.service import new_database, served

AWXKIT_VERSIONS = ("23.6.0", "24.6.1")
# Later releases of setuptools have no pkg_resources, which awxkit imports.
NEEDED_BY_AWXKIT = ("setuptools==80.9.0", "PyYAML==6.0.3", "requests==2.34.2")


# The packages of PyPI that carry the collection awx.awx, by its version.
COLLECTIONS = {"23.6.0": "ansible==9.2.0", "24.6.1": "ansible==10.7.0"}
NEEDED_BY_ANSIBLE = ("ansible-core==2.19.14", "Jinja2==3.1.6", "PyYAML==6.0.3")
PIP_OPTIONS = ("--disable-pip-version-check", "--no-input")


def run_to_install(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


def installed(folder: Path, *pins: str) -> Path:
    """The virtual environment ``folder`` with these packages; one that is complete is used again."""
    with filled_once(folder, "\n".join([sys.version, sys.base_prefix, *pins])) as is_missing:
        if is_missing:
            run_to_install(sys.executable, "-m", "venv", "--clear", str(folder))
            run_to_install(f"{folder}/bin/python", "-m", "pip", "install", *PIP_OPTIONS, *pins)
    return folder


def unpacked_collection(folder: Path, pin: str) -> Path:
    """``folder`` with the collection awx.awx as this package carries it, without the other hundred collections."""
    with filled_once(folder, pin) as is_missing:
        if is_missing:
            folder.mkdir(exist_ok=True)
            run_to_install(sys.executable, "-m", "pip", "download", *PIP_OPTIONS, "--no-deps", "-d", str(folder), pin)
            (wheel,) = folder.glob("*.whl")
            with zipfile.ZipFile(wheel) as packed:
                own = [name for name in packed.namelist() if name.startswith("ansible_collections/awx/awx/")]
                packed.extractall(folder, own)
            wheel.unlink()
    return folder


@dataclass(frozen=True)
class Awxkit:
    """awxkit in the virtual environment ``folder``, with an empty home, and the service that it asks."""

    folder: Path
    home: Path
    address: str
    variables: Mapping[str, str] = field(default_factory=dict)  # further ones of the environment

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
            env={"PATH": os.defpath, "HOME": str(self.home), "PYTHONUTF8": "1", **self.variables, **variables},
            cwd=self.home,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )


@dataclass(frozen=True)
class Ansible:
    """ansible-core with one version of the collection awx.awx, and the service that it changes, as admin."""

    program: Path
    collections: Path
    home: Path
    address: str
    variables: Mapping[str, str] = field(default_factory=dict)  # further ones of the environment

    def run(self, module: str, **arguments: Any) -> dict[str, Any]:
        """The result of the module, and whether it ``failed``."""
        login = {"HOST": self.address, "USERNAME": "admin", "PASSWORD": "admin"}
        done = subprocess.run(
            [self.program, "localhost", "-m", f"awx.awx.{module}", "-a", json.dumps(arguments)],
            env={
                "PATH": os.defpath,
                "HOME": str(self.home),
                "LC_ALL": "C.UTF-8",
                "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
                "ANSIBLE_LOCALHOST_WARNING": "false",
                "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
                **{f"CONTROLLER_{name}": value for name, value in login.items()},
                **self.variables,
            },
            cwd=self.home,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
        found = re.search(r"^localhost \| (\w+)!? => (\{.*\})$", done.stdout, re.MULTILINE | re.DOTALL)
        assert found, done.stdout + done.stderr
        return {**json.loads(found[2]), "failed": found[1] == "FAILED"}


@pytest.fixture(scope="session")
def clients_folder(request: pytest.FixtureRequest) -> Path:
    """Where the virtual environments of clients are kept between runs."""
    return cache_folder("clients", request.config)


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


@pytest.fixture(scope="session")
def service24_to_change(dataset24_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The same in the dialect 24.6.1, on the records of the AWX 24.6.1 that was recorded."""
    with (
        django_db_blocker.unblock(),
        new_database(dataset24_template) as url,
        served(url, AWX_VERSION="24.6.1") as address,
    ):
        yield address


@pytest.fixture
def awxkit24(clients_folder: Path, tmp_path: Path, service24_to_change: str) -> Awxkit:
    """awxkit 24.6.1, asking a service of its own version, which it may change."""
    folder = installed(clients_folder / "awxkit-24.6.1", "awxkit==24.6.1", *NEEDED_BY_AWXKIT)
    return Awxkit(folder, tmp_path, service24_to_change)


@pytest.fixture
def make_ansible(clients_folder: Path, tmp_path: Path) -> Callable[[str, str], Ansible]:
    """Makes Ansible with this version of the collection, for the service at this address."""

    def make(version: str, address: str) -> Ansible:
        program = installed(clients_folder / "ansible-core", *NEEDED_BY_ANSIBLE) / "bin" / "ansible"
        collections = unpacked_collection(clients_folder / f"awx.awx-{version}", COLLECTIONS[version])
        return Ansible(program, collections, tmp_path, address)

    return make


@pytest.fixture
def ansible23(make_ansible: Callable[[str, str], Ansible], service_to_change: str) -> Ansible:
    return make_ansible("23.6.0", service_to_change)


@pytest.fixture
def ansible24(make_ansible: Callable[[str, str], Ansible], service24_to_change: str) -> Ansible:
    return make_ansible("24.6.1", service24_to_change)
