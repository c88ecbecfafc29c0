"""The Ansible collection awx.awx: each version changes a service of its own version of AWX."""

import secrets
from typing import Any

import pytest
import requests

from tests.clients.conftest import Ansible

pytestmark = pytest.mark.slow


@pytest.fixture(params=["23.6.0", "24.6.1"])
def ansible(request: pytest.FixtureRequest) -> Ansible:
    """Each version with its service."""
    found: Ansible = request.getfixturevalue("ansible23" if request.param == "23.6.0" else "ansible24")
    return found


@pytest.fixture
def hostname() -> str:
    """A name that no node has yet."""
    return f"made-{secrets.token_hex(4)}.example.org"


def fetched(ansible: Ansible, path: str) -> Any:
    answer = requests.get(f"{ansible.address}/api/v2/{path}", auth=("admin", "admin"), timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def node(ansible: Ansible, hostname: str) -> Any:
    (found,) = fetched(ansible, f"instances/?hostname={hostname}")["results"]
    return found


def changes(ansible: Ansible, **arguments: Any) -> list[bool]:
    """Whether the module ``instance`` reports a change: at first, and when it is run again."""
    results = [ansible.run("instance", **arguments) for _ in range(2)]
    assert not [result for result in results if result["failed"]], results
    return [result["changed"] for result in results]


def test_a_node_is_made_changed_and_removed(ansible: Ansible, hostname: str) -> None:
    options = {"node_type": "execution", "node_state": "installed", "listener_port": 27199}
    assert changes(ansible, hostname=hostname, **options) == [True, False]
    made = node(ansible, hostname)
    assert {name: made[name] for name in options} == options
    assert changes(ansible, hostname=hostname, enabled=False, capacity_adjustment=0.4) == [True, False]
    changed = node(ansible, hostname)
    assert (changed["id"], changed["enabled"], changed["capacity_adjustment"]) == (made["id"], False, "0.40")
    assert changes(ansible, hostname=hostname, node_state="deprovisioning") == [True, False]
    assert node(ansible, hostname)["node_state"] == "deprovisioning"


def test_control_nodes_peer_to_a_node(ansible: Ansible, hostname: str) -> None:
    options = {"node_type": "hop", "listener_port": 27199, "peers_from_control_nodes": True}
    assert changes(ansible, hostname=hostname, **options) == [True, False]
    made = node(ansible, hostname)
    sources = {link["source"] for link in fetched(ansible, "mesh_visualizer/")["links"] if link["target"] == hostname}
    control_nodes = fetched(ansible, "instances/?or__node_type=control&or__node_type=hybrid")["results"]
    assert made["peers_from_control_nodes"] is True
    assert sources == {control["hostname"] for control in control_nodes}


def test_a_group_with_instances(ansible: Ansible, hostname: str) -> None:
    members = ["exec-1.example.org", "exec-2.example.org"]
    for is_first in (True, False):
        assert ansible.run("instance_group", name=hostname, instances=members)["changed"] is is_first
    (group,) = fetched(ansible, f"instance_groups/?name={hostname}")["results"]
    shown = fetched(ansible, f"instance_groups/{group['id']}/instances/?order_by=hostname")["results"]
    assert [member["hostname"] for member in shown] == members
    assert ansible.run("instance_group", name=hostname, state="absent")["changed"] is True
    assert fetched(ansible, f"instance_groups/?name={hostname}")["count"] == 0


def test_the_versions_belong_together(ansible: Ansible) -> None:
    """The collection warns of an AWX of another version; and it leaves no token behind."""
    before = fetched(ansible, "tokens/")["count"]
    result = ansible.run("instance", hostname="exec-1.example.org")
    assert (result["changed"], result.get("warnings", [])) == (False, [])
    assert fetched(ansible, "tokens/")["count"] == before


def test_what_is_refused_fails_with_the_reason(ansible: Ansible) -> None:
    result = ansible.run("instance", hostname="exec-2.example.org", node_type="hop")
    assert result["failed"] is True
    assert result["response"]["json"] == {"node_type": ["Cannot change node type."]}
    assert node(ansible, "exec-2.example.org")["node_type"] == "execution"


# --- peers of 23.6.0, which are nodes


def test_peers_by_hostname(ansible23: Ansible, hostname: str) -> None:
    peers = ["exec-2.example.org", "hop-1.example.org"]
    assert changes(ansible23, hostname=hostname, node_type="execution", peers=peers) == [True, False]
    assert node(ansible23, hostname)["peers"] == peers
    assert changes(ansible23, hostname=hostname, peers=[]) == [True, False]
    assert node(ansible23, hostname)["peers"] == []


# --- peers of 24.6.1, which are addresses


def address_id(ansible: Ansible, address: str) -> int:
    (found,) = fetched(ansible, f"receptor_addresses/?address={address}")["results"]
    pk: int = found["id"]
    return pk


@pytest.mark.parametrize(
    "by",
    [
        pytest.param("hop-1.example.org", id="hostname"),
        pytest.param("exec-1.internal.example.net", id="address"),
        pytest.param("fd00:10::9", id="IPv6"),
    ],
)
def test_a_peer_by_address(by: str, ansible24: Ansible, hostname: str) -> None:
    assert changes(ansible24, hostname=hostname, node_type="execution", peers=[by]) == [True, False]
    assert node(ansible24, hostname)["peers"] == [address_id(ansible24, by)]


def test_a_peer_by_id(ansible24: Ansible, hostname: str) -> None:
    """The module sends the id as a text."""
    pk = address_id(ansible24, "exec-2.example.org")
    assert changes(ansible24, hostname=hostname, node_type="execution", peers=[str(pk)]) == [True, False]
    assert node(ansible24, hostname)["peers"] == [pk]


def test_peers_of_all_kinds_are_set_kept_and_cleared(ansible24: Ansible, hostname: str) -> None:
    addresses = ["exec-2.example.org", "exec-1.public.example.net", "hop-1.example.org"]
    ids = sorted(address_id(ansible24, address) for address in addresses)
    first = str(address_id(ansible24, addresses[0]))
    ansible24.run("instance", hostname=hostname, node_type="execution", peers=[first, *addresses[1:]])
    assert sorted(node(ansible24, hostname)["peers"]) == ids
    for arguments in ({}, {"peers": None}, {"enabled": False}):
        assert ansible24.run("instance", hostname=hostname, **arguments)["failed"] is False
        assert sorted(node(ansible24, hostname)["peers"]) == ids
    assert changes(ansible24, hostname=hostname, peers=[]) == [True, False]
    assert node(ansible24, hostname)["peers"] == []


@pytest.mark.parametrize(
    ("peers", "reason"),
    [
        (["exec-1.example.org", "exec-1.internal.example.net"], "Cannot peer to the same instance more than once."),
        (["99999"], 'Invalid pk "99999" - object does not exist.'),
        (["nowhere.example.org"], "returned 0 items, expected 1"),
    ],
)
def test_refused_peers(peers: list[str], reason: str, ansible24: Ansible, hostname: str) -> None:
    result = ansible24.run("instance", hostname=hostname, node_type="execution", peers=peers)
    assert result["failed"] is True
    assert reason in result["msg"]
    assert fetched(ansible24, f"instances/?hostname={hostname}")["count"] == 0


def test_peers_of_managed_nodes_are_kept(ansible24: Ansible) -> None:
    before = node(ansible24, "control-1.example.org")["peers"]
    result = ansible24.run("instance", hostname="control-1.example.org", peers=["exec-2.example.org"])
    assert result["failed"] is True
    assert result["response"]["json"] == {"peers": ["Setting peers manually for managed nodes is not allowed."]}
    assert node(ansible24, "control-1.example.org")["peers"] == before
