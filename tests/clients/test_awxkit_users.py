"""awxkit, in both versions, each with a service of both dialects: users, their roles on groups, and tokens."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.clients.conftest import Awxkit
from tests.clients.test_awxkit import API, decoded
from tests.clients.test_awxkit_writes import CONNECT, told

pytestmark = pytest.mark.slow
PASSWORD = "four-Unusual-words"


@pytest.fixture(params=["service_to_change", "service24_to_change"])
def awxkit(request: pytest.FixtureRequest, awxkit_folder: Any, tmp_path: Any) -> Awxkit:
    return Awxkit(awxkit_folder, tmp_path, request.getfixturevalue(request.param))


@pytest.fixture
def username() -> str:
    """A name that no user has yet."""
    return f"user-{secrets.token_hex(4)}"


@pytest.fixture
def made(awxkit: Awxkit, username: str) -> Iterator[Any]:
    """A user whom ``awx`` creates, and deletes after the test."""
    user = told(awxkit, "users", "create", "--username", username, "--password", PASSWORD, "--email", "u@example.org")
    yield user
    assert awxkit.awx("users", "delete", str(user["id"])).returncode == 0
    assert awxkit.awx("users", "get", str(user["id"])).returncode == 1


def logged_in(awxkit: Awxkit, username: str, password: str) -> bool:
    return requests.get(f"{awxkit.address}/api/v2/me/", auth=(username, password), timeout=30).status_code == 200


def test_a_user_is_created_modified_and_deleted(awxkit: Awxkit, username: str, made: Any) -> None:
    assert (made["username"], made["email"], made["is_superuser"]) == (username, "u@example.org", False)
    assert logged_in(awxkit, username, PASSWORD)
    changed = told(awxkit, "users", "modify", username, "--first_name", "Ünï", "--is_system_auditor", "true")
    assert (changed["first_name"], changed["is_system_auditor"], changed["id"]) == ("Ünï", True, made["id"])
    assert told(awxkit, "users", "get", username) == changed
    told(awxkit, "users", "modify", str(made["id"]), "--password", PASSWORD[::-1])
    assert logged_in(awxkit, username, PASSWORD[::-1])
    assert not logged_in(awxkit, username, PASSWORD)


def test_a_user_changes_the_own_password_and_no_more(awxkit: Awxkit, username: str, made: Any) -> None:
    own = {"USERNAME": username, "PASSWORD": PASSWORD}
    assert awxkit.awx("users", "modify", username, "--password", PASSWORD[::-1], **own).returncode == 0
    own["PASSWORD"] = PASSWORD[::-1]
    refused = awxkit.awx("users", "modify", username, "--is_superuser", "true", **own)
    assert refused.returncode != 0
    assert told(awxkit, "users", "get", username)["is_superuser"] is False


def test_a_refused_user_is_a_clear_error(awxkit: Awxkit, username: str) -> None:
    done = awxkit.awx("users", "create", "--username", username, "--password", "short")
    assert done.returncode == 1
    assert "This password is too short." in done.stdout + done.stderr
    done = awxkit.awx("users", "create", "--username", "alice", "--password", PASSWORD)
    assert done.returncode == 1
    assert "A user with that username already exists." in done.stdout + done.stderr


@pytest.mark.parametrize("role", ["admin", "use", "read"])
def test_a_role_on_a_group_is_granted_and_revoked(role: str, awxkit: Awxkit, username: str, made: Any) -> None:
    own = {"USERNAME": username, "PASSWORD": PASSWORD}
    options = (username, "--instance_group", "default", "--role", role)
    group = told(awxkit, "instance_groups", "get", "default")
    number = group["summary_fields"]["object_roles"][f"{role}_role"]["id"]

    def seen() -> list[str]:
        groups = decoded(awxkit.awx("instance_groups", "list", **own))["results"]
        return [group["name"] for group in groups]

    for action, wanted in (("grant", ["default"]), ("grant", ["default"]), ("revoke", []), ("revoke", [])):
        done = awxkit.awx("users", action, *options)
        assert done.returncode == 0, done.stdout + done.stderr
        assert seen() == wanted
        holders = requests.get(
            f"{awxkit.address}/api/v2/roles/{number}/users/",
            {"username": username},
            headers={"Authorization": "Bearer oracle-admin-token"},
            timeout=30,
        ).json()
        assert holders["count"] == len(wanted)


def test_roles_are_listed(awxkit: Awxkit) -> None:
    listed = decoded(awxkit.awx("roles", "list"))
    groups = decoded(awxkit.awx("instance_groups", "list"))
    assert listed["count"] == 3 * groups["count"]
    (first, *_) = listed["results"]
    del first["related"]  # which ``get`` leaves out
    assert decoded(awxkit.awx("roles", "get", str(first["id"]))) == first


def test_tokens_are_filtered_and_ordered(awxkit: Awxkit) -> None:
    name = secrets.token_hex(4)
    made = [told(awxkit, "tokens", "create", "--description", f"{name}-{letter}") for letter in "abc"]
    (found,) = decoded(awxkit.awx("tokens", "list", "--description", f"{name}-b"))["results"]
    assert found["id"] == made[1]["id"]
    for order in ("application__name", "-description", "last_used", "modified", "created"):
        listed = decoded(awxkit.awx("tokens", "list", "--all", f"--order_by={order}"))["results"]
        assert {token["id"] for token in made} <= {token["id"] for token in listed}, order
    script = f"""
conditions = {{"description__startswith": {name!r}, "application__isnull": "true", "order_by": "-description"}}
found = v2.tokens.get(**conditions).results
print(json.dumps([token.description for token in found]))
"""
    found = awxkit.python(API + CONNECT + script, "admin")
    assert found == [f"{name}-{letter}" for letter in "cba"]
    for token in made:
        assert awxkit.awx("tokens", "delete", str(token["id"])).returncode == 0
