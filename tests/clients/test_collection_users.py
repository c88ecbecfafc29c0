"""The Ansible collection awx.awx: users, roles on groups, and tokens; run again, a task changes nothing."""

import secrets
from typing import Any

import pytest
import requests

from tests.clients.conftest import Ansible
from tests.clients.test_collection import ansible, fetched

__all__ = ["ansible"]  # a fixture
pytestmark = pytest.mark.slow
PASSWORD = "four-Unusual-words"


@pytest.fixture
def username() -> str:
    """A name that no user has yet."""
    return f"user-{secrets.token_hex(4)}"


def changes(ansible: Ansible, module: str, **arguments: Any) -> list[bool]:
    """Whether the module reports a change: at first, and when it is run again."""
    results = [ansible.run(module, **arguments) for _ in range(2)]
    assert not [result for result in results if result["failed"]], results
    return [result["changed"] for result in results]


def users(ansible: Ansible, username: str) -> list[Any]:
    found: list[Any] = fetched(ansible, f"users/?username={username}")["results"]
    return found


def test_a_user_is_made_changed_and_removed(ansible: Ansible, username: str) -> None:
    options: dict[str, Any] = {"username": username, "email": "u@example.org", "first_name": "Ünï"}
    given = {"password": PASSWORD, "update_secrets": False}
    assert changes(ansible, "user", **options, **given) == [True, False]
    (user,) = users(ansible, username)
    assert {name: user[name] for name in options} == options
    assert requests.get(f"{ansible.address}/api/v2/me/", auth=(username, PASSWORD), timeout=30).status_code == 200
    assert changes(ansible, "user", username=username, is_superuser=True, last_name="O") == [True, False]
    assert changes(ansible, "user", username=username, is_superuser=False, is_system_auditor=True) == [True, False]
    (changed,) = users(ansible, username)
    assert [changed[name] for name in ("id", "is_superuser", "is_system_auditor")] == [user["id"], False, True]
    assert ansible.run("user", username=username, new_username=f"{username}-2")["changed"] is True
    assert changes(ansible, "user", username=f"{username}-2", state="absent") == [True, False]
    assert users(ansible, f"{username}-2") == []


def test_a_refused_user_fails_with_the_reason(ansible: Ansible, username: str) -> None:
    result = ansible.run("user", username=username, password="tiny-1")
    assert result["failed"] is True
    assert "This password is too short." in str(result)
    assert users(ansible, username) == []


@pytest.mark.parametrize("role", ["admin", "use", "read"])
def test_a_role_on_groups_is_granted_and_revoked(role: str, ansible: Ansible, username: str) -> None:
    ansible.run("user", username=username, password=PASSWORD)
    (user,) = users(ansible, username)
    options: dict[str, Any] = {"user": username, "role": role, "instance_groups": ["default", "empty"]}
    assert changes(ansible, "role", **options) == [True, False]
    held = fetched(ansible, f"users/{user['id']}/roles/")["results"]
    assert {(one["summary_fields"]["resource_name"], one["name"]) for one in held} == {
        (group, role.title()) for group in options["instance_groups"]
    }
    assert changes(ansible, "role", **options, state="absent") == [True, False]
    assert fetched(ansible, f"users/{user['id']}/roles/")["count"] == 0
    assert ansible.run("user", username=username, state="absent")["changed"] is True


def test_a_token_is_made_and_removed(ansible: Ansible) -> None:
    description = secrets.token_hex(4)
    made = ansible.run("token", description=description, scope="read")
    assert (made["failed"], made["changed"]) == (False, True)
    token = made["ansible_facts"]["controller_token"]
    (shown,) = fetched(ansible, f"tokens/?description={description}")["results"]
    assert (shown["id"], shown["scope"]) == (token["id"], "read")
    bearer = {"Authorization": f"Bearer {token['token']}"}
    assert requests.get(f"{ansible.address}/api/v2/me/", headers=bearer, timeout=30).status_code == 200
    assert changes(ansible, "token", existing_token_id=str(token["id"]), state="absent") == [True, False]
    assert requests.get(f"{ansible.address}/api/v2/me/", headers=bearer, timeout=30).status_code == 401
