"""What schemathesis finds where the service and openapi.yaml disagree. tests/schemathesis.toml says what it looks for.

``openapi.yaml`` itself is what the service tells: ``tests/test_openapi.py``. Here it is read as JSON, which is faster.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from awx_compat.openapi import serving
from tests.service import PROJECT, manage, new_database, served

pytestmark = pytest.mark.slow

NODE = "exec-1.example.org"


@pytest.fixture
def fuzzed(dataset_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[dict[str, str]]:
    """The address of a service for one run, which changes and deletes its records, and a token of one of its nodes."""
    switched_on = {"PUBLIC_INSTANCE_PING": "true"}
    with django_db_blocker.unblock(), new_database(dataset_template) as url, served(url, **switched_on) as address:
        yield {"address": address, "NODE_TOKEN": manage(url, "issue_node_token", NODE).stdout.strip()}


@pytest.fixture
def document() -> Any:
    return json.loads(serving.document(serving.JSON))


class Run:
    """``schemathesis run`` with a document, as a user whose password is the name."""

    def __init__(self, fuzzed: dict[str, str], folder: Path) -> None:
        self.fuzzed, self.path = fuzzed, folder / "openapi.json"

    def __call__(self, document: Any, user: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        self.path.write_text(json.dumps(document))
        config = str(PROJECT / "tests" / "schemathesis.toml")
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", config, "run", str(self.path)]
        asked = ["--url", self.fuzzed["address"], "--auth", f"{user}:{user}", "--continue-on-failure", *arguments]
        environment = {**os.environ, "NODE_TOKEN": self.fuzzed["NODE_TOKEN"]}
        return subprocess.run([*command, *asked], env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture
def run(fuzzed: dict[str, str], tmp_path: Path) -> Run:
    return Run(fuzzed, tmp_path)


def limit_conditions(document: Any) -> None:
    """Ask for no more conditions on related records than a query may have: no schema counts over several parameters.

    Instances have eight such parameters beside those of ``filters``, and ten are taken.
    """
    for name, schema in document["components"]["schemas"].items():
        if name.endswith("Filters"):
            schema["maxProperties"] = 2


@pytest.mark.parametrize("user", ["admin", "auditor", "alice"])  # alice has no right
def test_finds_no_difference(user: str, document: Any, run: Run) -> None:
    limit_conditions(document)
    done = run(document, user, "--phases", "examples,coverage,fuzzing,stateful")
    assert done.returncode == 0, done.stdout


def say_that_hostnames_are_numbers(document: Any) -> None:
    document["components"]["schemas"]["Instance"]["properties"]["hostname"]["type"] = "integer"


def forget_404(document: Any) -> None:
    del document["paths"]["/api/v2/instances/{key}/"]["get"]["responses"]["404"]


def say_that_everybody_may_ask(document: Any) -> None:
    document["paths"]["/api/v2/instances/{key}/"]["get"]["security"] = [{}]
    del document["paths"]["/api/v2/instances/{key}/"]["get"]["responses"]["401"]


@pytest.mark.parametrize(
    ("spoil", "user", "found"),
    [
        (say_that_hostnames_are_numbers, "admin", "Response violates schema"),
        (forget_404, "alice", "Undocumented status code"),
        (say_that_everybody_may_ask, "nobody", "Undocumented status code"),
    ],
)
def test_finds_a_difference_that_there_is(
    spoil: Callable[[Any], None], user: str, found: str, document: Any, run: Run
) -> None:
    spoil(document)
    done = run(document, user, "--include-operation-id", "instances_retrieve", "--phases", "examples")
    assert done.returncode == 1
    assert found in done.stdout
