"""The clients of README.md and docs/clients.md, as they are written there."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoDbBlocker

from tests.clients.conftest import COLLECTIONS, NEEDED_BY_ANSIBLE, installed, unpacked_collection
from tests.service import DATASET, PROJECT, new_database, served

pytestmark = pytest.mark.slow

ADDRESS = "http://127.0.0.1:8000"
INSTANCES: list[dict[str, Any]] = json.loads(DATASET.read_text())["instances"]
EXECUTION = [node["hostname"] for node in INSTANCES if node["node_type"] == "execution"]
UNAVAILABLE = {node["hostname"] for node in INSTANCES if node["node_state"] == "unavailable"}


README, CLIENTS = "README.md", "docs/clients.md"


def snippets(heading: str, page: str = CLIENTS) -> list[str]:
    """The fenced blocks below the heading of the page, up to the next heading of any level."""
    text = (PROJECT / page).read_text(encoding="utf-8")
    below = re.split(rf"^##+ {re.escape(heading)}$", text, flags=re.MULTILINE)[1]
    return re.findall(r"^```\w+\n(.*?)^```$", re.split(r"^##", below, flags=re.MULTILINE)[0], re.MULTILINE | re.DOTALL)


def run(*command: str, folder: Path, path: str = os.defpath, **variables: str) -> str:
    """What the command prints. It finds programs on ``path``, an empty home, and no proxy."""
    done = subprocess.run(
        command,
        env={"PATH": path, "HOME": str(folder), "LC_ALL": "C.UTF-8", **variables},
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def address(dataset_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The address of a service whose nodes are those of the recorded AWX."""
    with django_db_blocker.unblock(), new_database(dataset_template) as url, served(url) as address:
        yield address


@pytest.fixture
def token(address: str) -> str:
    answer = requests.post(f"{address}/api/v2/tokens/", json={"scope": "read"}, auth=("admin", "admin"), timeout=30)
    assert answer.status_code == 201
    return str(answer.json()["token"])


@pytest.fixture
def exec_1_enabled(address: str) -> Iterator[str]:
    """The address of exec-1, which is in service before and afterwards."""
    url = f"{address}/api/v2/instances/exec-1.example.org/"
    yield url
    requests.patch(url, json={"enabled": True}, auth=("admin", "admin"), timeout=30).raise_for_status()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_makes_a_token_and_reads_with_it(address: str, tmp_path: Path) -> None:
    make, read = (snippet.replace(ADDRESS, address) for snippet in snippets("curl"))
    made = json.loads(run("sh", "-c", make, folder=tmp_path))
    told = json.loads(run("sh", "-c", read.replace("…", made["token"]), folder=tmp_path))
    assert made["scope"] == "read"
    assert {node["hostname"] for node in told["results"]} == set(EXECUTION)
    capacities = [node["capacity"] for node in told["results"]]
    assert capacities == sorted(capacities, reverse=True)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_reads_as_the_readme_says(address: str, tmp_path: Path) -> None:
    (read,) = snippets("curl", README)
    listed = json.loads(run("sh", "-c", read.replace(ADDRESS, address), folder=tmp_path))
    assert {node["hostname"] for node in listed["results"]} == set(EXECUTION)


@pytest.mark.parametrize("heading", ["awx, the command line", "Ansible"])
def test_the_readme_shows_clients_that_are_tested(heading: str) -> None:
    shown = snippets(heading, README)
    assert len(shown) == 1
    assert set(shown) <= set(snippets(heading))


@pytest.mark.parametrize("query", ["node_type=execution", "node_type=execution&page_size=3"], ids=["whole", "paged"])
def test_python_prints_the_nodes_of_every_page(query: str, address: str, tmp_path: Path) -> None:
    (script,) = snippets("Python")
    asked = script.replace(ADDRESS, address).replace("node_type=execution", query)
    printed = run(sys.executable, "-c", asked, folder=tmp_path).splitlines()
    assert len(printed) == len(EXECUTION)
    assert {line.partition(" ")[0] for line in printed} == set(EXECUTION)
    assert all(re.fullmatch(r"\S+ \d+ of \d+", line) for line in printed)


def test_awx_lists_the_instances(awxkit_folder: Path, address: str, tmp_path: Path) -> None:
    """That this command line works in everything else, the other tests of this folder say."""
    (command,) = snippets("awx, the command line")
    programs = f"{awxkit_folder / 'bin'}{os.pathsep}{os.defpath}"
    told = json.loads(run("sh", "-c", command.replace(ADDRESS, address), folder=tmp_path, path=programs))
    assert {node["hostname"] for node in told["results"]} == {node["hostname"] for node in INSTANCES}


def run_playbook(playbook: str, clients_folder: Path, folder: Path) -> str:
    """What ansible-playbook prints, with the collection awx.awx at hand."""
    ansible = installed(clients_folder / "ansible-core", *NEEDED_BY_ANSIBLE) / "bin"
    collections = unpacked_collection(clients_folder / "awx.awx-23.6.0", COLLECTIONS["23.6.0"])
    (folder / "playbook.yml").write_text(playbook)
    variables = {
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }
    return run(str(ansible / "ansible-playbook"), "playbook.yml", folder=folder, **variables)


def test_ansible_tells_the_lost_nodes(clients_folder: Path, address: str, tmp_path: Path) -> None:
    playbook, _ = snippets("Ansible")
    told = run_playbook(playbook.replace(ADDRESS, address), clients_folder, tmp_path)
    assert set(re.findall(r'^ +"([^"]+)",?$', told, re.MULTILINE)) == UNAVAILABLE, told


def test_the_collection_takes_a_node_out_of_service(
    exec_1_enabled: str, clients_folder: Path, address: str, tmp_path: Path
) -> None:
    _, playbook = snippets("Ansible")
    run_playbook(playbook.replace(ADDRESS, address), clients_folder, tmp_path)
    assert requests.get(exec_1_enabled, auth=("admin", "admin"), timeout=30).json()["enabled"] is False


def login_of(job: dict[str, Any]) -> dict[str, Any]:
    """How Prometheus logs in, in the words of requests."""
    if "basic_auth" in job:
        return {"auth": (job["basic_auth"]["username"], job["basic_auth"]["password"])}
    return {"headers": {"Authorization": f"Bearer {job['authorization']['credentials']}"}}


@pytest.mark.parametrize("page", [README, CLIENTS])
def test_prometheus_reads_what_it_is_pointed_at(page: str, address: str, token: str) -> None:
    (configuration,) = snippets("Prometheus", page)
    (job,) = yaml.safe_load(configuration.replace("…", token).replace(ADDRESS.split("//")[1], address.split("//")[1]))[
        "scrape_configs"
    ]
    ((target,),) = [group["targets"] for group in job["static_configs"]]
    answer = requests.get(f"http://{target}{job['metrics_path']}", **login_of(job), timeout=30)
    assert answer.status_code == 200
    assert "awx_instance_capacity" in {family.name for family in text_string_to_metric_families(answer.text)}
