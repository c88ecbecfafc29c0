"""compose.yaml: about commands, settings, secrets and files that there are, and as confined as it may be."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.commands import AWX_INSTANCES, default, parse, unknown_settings
from tests.service import PROJECT

COMPOSE = PROJECT / "compose.yaml"
DOCUMENT = yaml.safe_load(COMPOSE.read_text())
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
OWN = {name: service for name, service in SERVICES.items() if service["image"] == "awx-instances"}


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_compose_lint_finds_no_fault(tmp_path: Path) -> None:
    def code(text: str) -> int:
        (tmp_path / "compose.yaml").write_text(text)
        lint = [Path(sys.executable).parent / "compose-lint", tmp_path / "compose.yaml"]
        return subprocess.run(lint, stdout=subprocess.DEVNULL, timeout=60).returncode

    assert code(COMPOSE.read_text()) == 0
    assert code(COMPOSE.read_text().replace("read_only: true", "privileged: true")) == 1


def test_these_are_the_services() -> None:
    assert set(SERVICES) == {"database", "migrate", "server-one", "server-two", "worker", "sync", "proxy"}
    assert set(OWN) == set(SERVICES) - {"database", "proxy"}
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["sync"]


@pytest.mark.parametrize("name", OWN)
def test_a_service_runs_a_command_that_there_is(name: str) -> None:
    service = OWN[name]
    assert "entrypoint" not in service
    assert parse(service.get("command", ["serve"]))
    match service.get("healthcheck"):
        case {"test": ["CMD", program, *arguments]}:
            assert program == AWX_INSTANCES
            assert parse(arguments)


@pytest.mark.parametrize("name", [*OWN, "proxy"])
def test_a_service_may_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", OWN)
def test_settings_are_of_the_service(name: str) -> None:
    assert unknown_settings(OWN[name]["environment"]) == set()


@pytest.mark.parametrize("name", SERVICES)
def test_files_of_secrets_are_given(name: str) -> None:
    """Of each /run/secrets/NAME that a service reads, and of no other."""
    service = SERVICES[name]
    parts = [*service.get("environment", {}).values(), *service.get("command", [])]
    read = {found for part in map(str, parts) for found in re.findall("/run/secrets/([a-z-]+)", part)}
    assert read == set(service.get("secrets", []))
    assert read <= DOCUMENT["secrets"].keys()


def test_the_proxy_is_given_what_its_example_reads() -> None:
    proxy = SERVICES["proxy"]
    (volume,) = proxy["volumes"]
    example = PROJECT / volume.split(":")[0]
    assert set(proxy["environment"]) == set(re.findall(r"presetenv (\S+)", example.read_text()))
    servers = [proxy["environment"][name] for name in ("SERVER_ONE", "SERVER_TWO")]
    assert servers == [f"{name}:8000" for name in proxy["depends_on"]]
    assert [port.split(":", 1)[1] for port in proxy["ports"]] == [
        proxy["environment"][name].removeprefix(":") for name in ("HTTP", "HTTPS")
    ]


def test_processes_are_given_the_time_that_they_need_to_stop() -> None:
    for name in ("server-one", "server-two"):
        assert seconds(OWN[name]["stop_grace_period"]) >= 2 * OWN[name]["environment"]["DRAIN_SECONDS"] + 15
    assert seconds(OWN["worker"]["stop_grace_period"]) >= default("HEALTH_CHECK_TIMEOUT") + 10
