"""awxkit 24.6.1 with receptor addresses: the ``awx`` command, and its Python API."""

import json
import secrets
from typing import Any

import pytest

from tests.clients.conftest import Awxkit
from tests.clients.test_awxkit import API, decoded, ids
from tests.clients.test_awxkit_writes import CONNECT, told
from tests.service import DATASET24

pytestmark = pytest.mark.slow

# Which no test of this folder changes: that of exec-1, by its own name, and two more.
OF_EXEC_1 = {
    record["id"]: record
    for record in json.loads(DATASET24.read_text())["receptor_addresses"]
    if record["instance"] == 5
}


def with_fields_of(records: list[dict[str, Any]], wanted: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """The records by id, each with the fields that the wanted one of this id has."""
    return {record["id"]: {name: record[name] for name in wanted[record["id"]]} for record in records}


def test_addresses_are_listed(awxkit24: Awxkit) -> None:
    listed = decoded(awxkit24.awx("receptor_addresses", "list", "--instance", "5"))
    assert listed["count"] == len(OF_EXEC_1) == 3
    assert with_fields_of(listed["results"], OF_EXEC_1) == OF_EXEC_1
    everything = decoded(awxkit24.awx("receptor_addresses", "list", "--all"))
    assert set(ids(everything)) > OF_EXEC_1.keys()


@pytest.mark.parametrize(
    "options",
    [
        ("--address", "exec-1.public.example.net"),
        ("--port", "443", "--protocol", "ws", "--websocket_path", "rcp/v1"),
        ("--instance", "5", "--canonical", "false", "--peers_from_control_nodes", "true"),
    ],
)
def test_addresses_are_filtered(options: tuple[str, ...], awxkit24: Awxkit) -> None:
    assert ids(decoded(awxkit24.awx("receptor_addresses", "list", *options))) == [39]


def test_an_address_by_id(awxkit24: Awxkit) -> None:
    record = decoded(awxkit24.awx("receptor_addresses", "get", "39"))
    assert OF_EXEC_1[39].items() <= record.items()
    assert record["full_address"] == "wss://exec-1.public.example.net:443/rcp/v1"


def test_an_address_that_is_not_there(awxkit24: Awxkit) -> None:
    done = awxkit24.awx("receptor_addresses", "get", "99999")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"detail": "No ReceptorAddress matches the given query."}


@pytest.mark.parametrize("command", ["create", "modify", "delete"])
def test_addresses_are_only_read(command: str, awxkit24: Awxkit) -> None:
    done = awxkit24.awx("receptor_addresses", command)
    assert done.returncode == 2
    assert "invalid choice" in done.stderr


def test_a_node_with_a_port_has_an_address(awxkit24: Awxkit) -> None:
    hostname = f"made-{secrets.token_hex(4)}.example.org"
    options = ("--hostname", hostname, "--node_type", "execution", "--listener_port", "27199")
    made = told(awxkit24, "instances", "create", *options)
    assert (made["listener_port"], made["protocol"], made["managed"]) == (27199, "tcp", False)
    (address,) = decoded(awxkit24.awx("receptor_addresses", "list", "--address", hostname))["results"]
    assert (address["instance"], address["canonical"]) == (made["id"], True)
    assert address["full_address"] == f"{hostname}:27199"


def test_the_command_sends_a_single_peer_as_no_list(awxkit24: Awxkit) -> None:
    """OPTIONS of AWX calls ``peers`` a field, for which ``awx`` takes one integer: only the API can change peers."""
    done = awxkit24.awx("instances", "modify", "6", "--peers", "39")
    assert done.returncode == 1
    assert 'Expected a list of items but got type \\"int\\".' in done.stdout + done.stderr


def test_the_api_changes_peers(awxkit24: Awxkit) -> None:
    hostname = f"made-{secrets.token_hex(4)}.example.org"
    script = """
made = v2.instances.post({"hostname": hostname, "node_type": "execution", "peers": [37]})
first = made.peers
print(json.dumps([first, sorted(made.patch(peers=[39, 30]).peers), made.patch(peers=[]).peers]))
"""
    shown = awxkit24.python(API + CONNECT + f"hostname = {hostname!r}" + script, "admin")
    assert shown == [[37], [30, 39], []]


@pytest.mark.parametrize("command", ["instances list", "ping", "mesh_visualizer", "metrics", "instance_groups list"])
def test_other_commands(command: str, awxkit24: Awxkit) -> None:
    assert decoded(awxkit24.awx(*command.split()))


def test_the_api_follows_links_to_addresses(awxkit24: Awxkit) -> None:
    script = """
exec_1 = v2.instances.get(hostname="exec-1.example.org").results[0]
addresses = exec_1.get_related("receptor_addresses").results
peers = v2.instances.get(hostname="exec-2.example.org").results[0].get_related("peers").results
print(json.dumps({"addresses": [one.id for one in addresses], "peers": [one.full_address for one in peers]}))
"""
    shown = awxkit24.python(API + CONNECT + script, "admin")
    assert set(shown["addresses"]) == OF_EXEC_1.keys()
    assert set(shown["peers"]) == {"exec-1.example.org:27199", "exec-1.internal.example.net:27200"}
