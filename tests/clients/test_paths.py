"""AWX's clients, of a service below a path, and by a further path of its API."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from tests.clients.conftest import NEEDED_BY_AWXKIT, Ansible, Awxkit, installed
from tests.path_proxy import served_below
from tests.service import new_database, served

pytestmark = pytest.mark.slow

BASE = "/awx"


@pytest.fixture(scope="module")
def below(dataset24_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The address of the service below ``BASE``."""
    with (
        django_db_blocker.unblock(),
        new_database(dataset24_template) as url,
        served(url, AWX_VERSION="24.6.1", BASE_PATH=BASE, API_PREFIXES="controller") as upstream,
        served_below(upstream, BASE, strips=True) as address,
    ):
        yield address


def test_the_command_line(
    dataset24_template: str, clients_folder: Path, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    """It logs in by the form, lists page by page, and changes a record. It knows no path of a host but /api/."""
    folder = installed(clients_folder / "awxkit-24.6.1", "awxkit==24.6.1", *NEEDED_BY_AWXKIT)
    api = "/api/controller/"
    with (
        new_database(dataset24_template) as url,
        served(url, AWX_VERSION="24.6.1", API_PREFIXES="controller") as address,
    ):
        awxkit = Awxkit(folder, tmp_path, address, {"AWXKIT_API_BASE_PATH": api})

        def run(*arguments: str) -> Any:
            done = awxkit.awx("--conf.color", "f", *arguments, USERNAME="admin", PASSWORD="admin")
            assert done.returncode == 0, done.stderr + done.stdout
            return json.loads(done.stdout)

        listed = run("instances", "list", "--all", "--page_size", "2")["results"]
        assert len(listed) > 2
        assert all(each["url"].startswith(f"{api}v2/instances/") for each in listed)
        assert run("instances", "modify", str(listed[0]["id"]), "--enabled", "false")["enabled"] is False


@pytest.mark.parametrize("api", ["/api/", "/api/controller/"])
def test_the_collection(api: str, below: str, make_ansible: Callable[[str, str], Ansible]) -> None:
    """It finds a record that it has made."""
    path = {"CONTROLLER_OPTIONAL_API_URLPATTERN_PREFIX": f"{BASE}{api}"}
    ansible = replace(make_ansible("24.6.1", below.removesuffix(BASE)), variables=path)
    for changed in (True, False):
        result = ansible.run("instance_group", name=f"made-{api}", policy_instance_minimum=1)
        assert (result["failed"], result["changed"]) == (False, changed), result


def test_the_older_collection(below: str, make_ansible: Callable[[str, str], Ansible]) -> None:
    """It takes the address with the path."""
    ansible = make_ansible("23.6.0", below)
    for changed in (True, False):
        result = ansible.run("instance_group", name="made-by-23.6.0", policy_instance_minimum=1)
        assert (result["failed"], result["changed"]) == (False, changed), result
