"""A start with values that cannot be used stops, naming every one of them and telling none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from settings import env
from tests.service import PROJECT

KEPT = ("PATH", "HOME", "LANG")


def start(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: os.environ[name] for name in KEPT if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *(command or ("check",))],
        cwd=PROJECT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.slow
def test_a_secret_key_is_enough() -> None:
    assert start(SECRET_KEY="a secret").returncode == 0


def test_there_is_no_default_secret_key() -> None:
    done = start()
    assert done.returncode == 1
    assert "SECRET_KEY" in done.stderr
    assert "Traceback" not in done.stderr


def test_all_bad_values_are_named_at_once_and_none_is_told() -> None:
    done = start(
        SECRET_KEY="",
        DEBUG="perhaps",
        IS_K8S="kubernetes",
        DATABASE_URL="mysql://root:hunter2@db/awx",
        INSTALL_UUID="not-a-uuid",
        SYSTEM_TASK_FORKS_CPU="0",
        SYSTEM_TASK_FORKS_MEM="many",
        AWX_CONTROL_NODE_TASK_IMPACT="-1",
        SESSION_COOKIE_AGE="soon",
        LOG_LEVEL="LOUD",
        LOG_FORMAT="xml",
        CLUSTER_HOST_ID="",
        DATABASE_CONNECT_TIMEOUT="-1",
    )
    named = {line.split(":")[0].strip() for line in done.stderr.splitlines()[1:]}
    assert named == {
        "SECRET_KEY",
        "DEBUG",
        "IS_K8S",
        "DATABASE_URL",
        "INSTALL_UUID",
        "SYSTEM_TASK_FORKS_CPU",
        "SYSTEM_TASK_FORKS_MEM",
        "AWX_CONTROL_NODE_TASK_IMPACT",
        "SESSION_COOKIE_AGE",
        "LOG_LEVEL",
        "LOG_FORMAT",
        "CLUSTER_HOST_ID",
        "DATABASE_CONNECT_TIMEOUT",
    }
    assert done.returncode == 1
    for value in ("hunter2", "perhaps", "kubernetes", "not-a-uuid", "LOUD"):
        assert value not in done.stderr


@pytest.mark.parametrize("version", ["24.6.0", "23.6", ""])
def test_the_version_of_awx_is_one_that_the_service_speaks(version: str) -> None:
    done = start(SECRET_KEY="x", AWX_VERSION=version)
    assert done.returncode == 1
    assert "  AWX_VERSION: Must be one of: 23.6.0, 24.6.1." in done.stderr.splitlines()


@pytest.mark.parametrize(
    "name",
    ["STATEMENT_TIMEOUT", "SESSION_COOKIE_AGE", "OAUTH2_ACCESS_TOKEN_EXPIRE_SECONDS", "CLUSTER_NODE_HEARTBEAT_PERIOD"],
)
def test_a_number_is_not_larger_than_what_it_counts_can_be(name: str) -> None:
    done = start(SECRET_KEY="x", **{name: "99999999999999999"})
    assert done.returncode == 1
    assert f"{name}: Must be from " in done.stderr
    assert done.stderr.count("Must be from ") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("of_url", "waits"), [("", 3), (" connect_timeout=7 tcp_user_timeout=9000", "7")])
def test_a_connection_is_waited_for_as_the_environment_says(of_url: str, waits: object) -> None:
    database = env.database(f"dbname=x{of_url}", connect_timeout=3, settings={}, pooler="")
    assert database["OPTIONS"]["connect_timeout"] == waits
    assert database["OPTIONS"]["tcp_user_timeout"] == ("9000" if of_url else 4_000)


@pytest.mark.parametrize(
    ("mode", "url", "reason"),
    [("session", "", "Needs DATABASE_URL"), ("statement", "dbname=x", "Must be one of: , session, transaction.")],
)
def test_a_pooler_has_a_mode_and_an_address(mode: str, url: str, reason: str) -> None:
    done = start(SECRET_KEY="x", DATABASE_POOLER=mode, DATABASE_URL=url)
    assert done.returncode == 1
    assert f"  DATABASE_POOLER: {reason}" in done.stderr


@pytest.mark.slow
def test_the_data_lie_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        done = start(SECRET_KEY="x", DATA_DIR=str(folder))
        assert done.returncode == 1
        assert done.stderr.splitlines()[1:] == ["  DATA_DIR: Must be a writable folder, or one that can be created."]
        assert start(SECRET_KEY="x", DATA_DIR=str(folder), DATABASE_URL="dbname=x").returncode == 0
    assert start(SECRET_KEY="x", DATA_DIR=str(tmp_path / "new" / "folder")).returncode == 0


@pytest.mark.parametrize(
    "url", ["postgresql://user@host/", "postgresql://user@host", "host=x", "nonsense", "postgresql://[::1"]
)
def test_a_database_url_must_name_a_database(url: str) -> None:
    done = start(SECRET_KEY="x", DATABASE_URL=url)
    assert done.returncode == 1
    assert "DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("a secret\n")
    assert start(SECRET_KEY_FILE=str(secret)).returncode == 0
    done = start(SECRET_KEY_FILE=str(tmp_path / "missing"))
    assert done.returncode == 1
    assert "SECRET_KEY_FILE" in done.stderr


HSTS = """
from django.http import HttpResponse
from django.middleware.security import SecurityMiddleware
from django.test import RequestFactory
answer = SecurityMiddleware(lambda request: HttpResponse())(RequestFactory().get("/", secure=True))
print(answer["Strict-Transport-Security"])
"""
BOTH = {"SECURE_HSTS_INCLUDE_SUBDOMAINS": "true", "SECURE_HSTS_PRELOAD": "true"}


@pytest.mark.slow
@pytest.mark.parametrize(("wanted", "told"), [({}, ""), (BOTH, "; includeSubDomains; preload")])
def test_other_hosts_are_bound_to_https_by_choice(wanted: dict[str, str], told: str) -> None:
    done = start("shell", "--no-imports", "-c", HSTS, SECRET_KEY="x", HTTPS="true", **wanted)
    assert done.stdout.strip() == f"max-age=31536000{told}", done.stderr
