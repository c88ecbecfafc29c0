"""awxkit changing things: the ``awx`` command, and its Python API."""

import secrets
from typing import Any

import pytest

from tests.clients.conftest import Awxkit
from tests.clients.test_awxkit import API, decoded

pytestmark = pytest.mark.slow


def told(awxkit: Awxkit, *arguments: str) -> Any:
    """What ``awx`` prints of a record; it would colour what it changed."""
    return decoded(awxkit.awx("--conf.color", "false", *arguments))


def test_an_instance_is_created_and_modified(writing_awxkit: Awxkit) -> None:
    hostname = f"made-{secrets.token_hex(4)}.example.org"
    options = ("--hostname", hostname, "--node_type", "execution", "--listener_port", "27199")
    made = told(writing_awxkit, "instances", "create", *options)
    assert (made["hostname"], made["node_state"], made["listener_port"]) == (hostname, "installed", 27199)
    changed = told(writing_awxkit, "instances", "modify", str(made["id"]), "--enabled", "false")
    assert (changed["enabled"], changed["capacity"]) == (False, 0)
    shown = told(writing_awxkit, "instances", "get", hostname)
    assert (shown["id"], shown["enabled"]) == (made["id"], False)


def test_a_refused_instance_is_a_clear_error(writing_awxkit: Awxkit) -> None:
    done = writing_awxkit.awx("instances", "create", "--hostname", "exec-1.example.org")
    assert done.returncode == 1
    assert "This field must be unique." in done.stdout + done.stderr


def test_a_group_is_created_modified_and_deleted(writing_awxkit: Awxkit) -> None:
    name = f"group-{secrets.token_hex(4)}"
    made = told(writing_awxkit, "instance_groups", "create", "--name", name)
    changed = told(writing_awxkit, "instance_groups", "modify", name, "--max_forks", "7")
    assert (changed["id"], changed["max_forks"]) == (made["id"], 7)
    assert writing_awxkit.awx("instance_groups", "delete", str(made["id"])).returncode == 0
    assert writing_awxkit.awx("instance_groups", "get", str(made["id"])).returncode == 1


def test_the_api_puts_instances_into_groups(writing_awxkit: Awxkit) -> None:
    script = """
group = v2.instance_groups.get(name="empty").results[0]
instance = v2.instances.get(hostname="exec-2.example.org").results[0]
members = lambda: [member.hostname for member in group.get_related("instances").results]
group.add_instance(instance)
added = members()
group.remove_instance(instance)
print(json.dumps({"added": added, "removed": members()}))
"""
    members = writing_awxkit.python(API + CONNECT + script, "admin")
    assert members == {"added": ["exec-2.example.org"], "removed": []}


CONNECT = """
root.connection.login(user, user)
"""
