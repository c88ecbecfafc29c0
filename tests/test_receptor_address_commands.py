"""The commands that add and remove addresses of nodes: as AWX 24.6.1 has them, all or nothing, twice is like once."""

import threading
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError
from django.db import connection

from instances import provisioning_addresses
from instances.models import Instance, InstanceLink, ReceptorAddress
from tests.conftest import speaking
from tests.make import make_link, make_node
from tests.test_provisioning import run, run_and_warn, stored

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("awx24")]

NEW = {
    "port": 27199,
    "protocol": "tcp",
    "websocket_path": "",
    "is_internal": False,
    "canonical": False,
    "peers_from_control_nodes": False,
}


def everything() -> dict[str, Any]:
    """Every row of the mesh, addresses included."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM instances_receptoraddress ORDER BY id")
        return {**stored(), "addresses": cursor.fetchall()}


def values_of(address: str) -> dict[str, Any]:
    return ReceptorAddress.objects.values("instance__hostname", *NEW).get(address=address)


def links() -> set[tuple[str, str]]:
    return set(InstanceLink.objects.values_list("source__hostname", "target__address"))


@pytest.fixture
def mesh(db: None) -> None:
    """Two nodes that control and two others: hop-1 listens at its name and control-1 dials it; exec-1 does not."""
    control = make_node("control-1", node_type="control", listener_port=27199)
    make_node("hybrid-1", node_type="hybrid")
    make_node("exec-1", node_type="execution")
    hop = make_node("hop-1", node_type="hop", listener_port=27199)
    make_link(source=control, target=hop)


@pytest.mark.parametrize(
    ("options", "values"),
    [
        ("", {}),
        ("--port 443 --protocol wss --websocket_path socket/v1", {"port": 443, "protocol": "wss"}),
        ("--port 0 --protocol ws --is_internal", {"port": 0, "protocol": "ws", "is_internal": True}),
        ("--port 65535 --canonical", {"port": 65535, "canonical": True}),
        ("--peers_from_control_nodes", {"peers_from_control_nodes": True}),
    ],
)
def test_an_address_has_the_values_that_were_given(options: str, values: dict[str, Any], mesh: None) -> None:
    printed = run(f"add_receptor_address --instance exec-1 --address exec-1.example.net {options}")
    assert printed == "exec-1 has the address exec-1.example.net now.\n(changed: True)\n"
    path = "socket/v1" if "path" in options else ""
    expected = {**NEW, **values, "websocket_path": path, "instance__hostname": "exec-1"}
    assert values_of("exec-1.example.net") == expected


@pytest.mark.parametrize(
    "command",
    [
        "add_receptor_address --instance exec-1 --address exec-1.example.net",
        "add_receptor_address --instance exec-1 --address fd00::9 --peers_from_control_nodes --canonical",
        "add_receptor_address --instance hop-1 --address hop-1 --port 443 --protocol ws --websocket_path a --canonical",
        "remove_receptor_address --address hop-1",
    ],
)
def test_twice_is_like_once(command: str, mesh: None) -> None:
    before = everything()
    assert "(changed: True)" in run(command)
    once = everything()
    assert once != before
    again = run(command)
    assert "nothing was changed" in again
    assert "(changed: True)" not in again
    assert everything() == once


ADD = "add_receptor_address --instance exec-1 --address"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("add_receptor_address --address a", "--instance"),
        ("add_receptor_address --instance exec-1", "--address"),
        ("add_receptor_address --instance nobody --address a", "No instance is named nobody"),
        (f"{ADD} hop-1", "address: hop-1 has the address hop-1 already"),
        (f"{ADD} a --port -1", "port: A port is a number from 0 to 65535"),
        (f"{ADD} a --port 65536", "port: A port is a number from 0 to 65535"),
        (f"{ADD} a --port {2**70}", "port: "),
        (f"{ADD} a --port x", "--port"),
        (f"{ADD} a --protocol udp", "udp"),
        (f"{ADD} a --websocket_path p", "websocket_path: An address of protocol tcp has no path"),
        (f"{ADD} a --protocol ws --websocket_path /p", "no slash at its beginning"),
        (f"{ADD} a --protocol ws --websocket_path p\x00q", "no spaces"),
        (f"{ADD} a --protocol ws --websocket_path {'p' * 256}", "websocket_path: .*at most 255"),
        (f"{ADD}=", "address: This field cannot be blank"),
        (f"{ADD} {'a' * 256}", "address: .*at most 255"),
        (f"{ADD} wss://a/b", "without scheme, port and path"),
        (f"{ADD} a\x1bb", "without scheme, port and path"),
        (f"{ADD} a\x00b", "without scheme, port and path"),
        ("add_receptor_address --instance hop-1 --address a --canonical", "hop-1 is the canonical address of hop-1"),
        (
            "add_receptor_address --instance hybrid-1 --address a --peers_from_control_nodes",
            "peers_from_control_nodes: .*execution or hop nodes",
        ),
        ("remove_receptor_address", "--address"),
    ],
)
def test_a_refusal_gives_the_reason_and_leaves_everything_as_it_was(command: str, reason: str, mesh: None) -> None:
    before = everything()
    with pytest.raises(CommandError, match=reason):
        run(command)
    assert everything() == before


@pytest.mark.parametrize("command", [f"{ADD} a", "remove_receptor_address --address hop-1"])
def test_a_service_that_speaks_as_awx_23_has_no_such_addresses(command: str, mesh: None) -> None:
    before = everything()
    with speaking("23.6.0"), pytest.raises(CommandError, match="where a node has one address"):
        run(command)
    assert everything() == before


def test_control_nodes_are_linked_and_unlinked_with_the_flag(mesh: None) -> None:
    before = links()
    run("add_receptor_address --instance exec-1 --address a --peers_from_control_nodes")
    run("add_receptor_address --instance exec-1 --address b --peers_from_control_nodes")
    assert links() == before | {(node, address) for node in ("control-1", "hybrid-1") for address in "ab"}
    run("add_receptor_address --instance exec-1 --address a")
    assert links() == before | {("control-1", "b"), ("hybrid-1", "b")}
    run("remove_receptor_address --address b")
    assert links() == before


def test_links_that_the_flag_did_not_make_stay(mesh: None) -> None:
    run("add_receptor_address --instance hop-1 --address hop-1 --port 443 --canonical")
    assert links() == {("control-1", "hop-1")}


def test_the_mesh_ingress_of_the_operator(mesh: None) -> None:
    """The commands by which the operator of AWX registers one."""
    run("provision_instance --hostname ingress --node_type hop")
    internal = "--port 27199 --protocol ws --peers_from_control_nodes --is_internal --canonical"
    run(f"add_receptor_address --instance ingress --address ingress {internal}")
    run("add_receptor_address --instance ingress --address ingress.apps.example.org --port 443 --protocol ws")
    node = Instance.objects.get(hostname="ingress")
    assert (node.managed, node.listener_port, node.peers_from_control_nodes) == (True, 27199, True)
    addresses = node.receptor_addresses.order_by("pk")
    assert [each.full_address for each in addresses] == ["wss://ingress:27199", "wss://ingress.apps.example.org:443"]
    assert links() == {("control-1", "hop-1"), ("control-1", "ingress"), ("hybrid-1", "ingress")}


# --- the other commands, as AWX 24.6.1 has them


@pytest.mark.parametrize("node_type", Instance.NodeType.values)
@pytest.mark.parametrize(
    ("version", "managed"), [("23.6.0", {"control", "hybrid"}), ("24.6.1", set(Instance.NodeType))]
)
def test_whom_the_control_plane_owns(version: str, managed: set[str], node_type: str) -> None:
    with speaking(version):
        run(f"provision_instance --hostname new --node_type {node_type}")
    node = Instance.objects.get(hostname="new")
    assert node.managed == (node_type in managed)
    assert not node.receptor_addresses.exists()  # which add_receptor_address adds


@pytest.mark.parametrize(("node_type", "peers"), [("control", {"a", "b"}), ("hybrid", {"a", "b"}), ("hop", set())])
def test_a_new_control_node_peers_to_every_address_that_wants_it(node_type: str, peers: set[str], mesh: None) -> None:
    for address in "ab":
        run(f"add_receptor_address --instance exec-1 --address {address} --peers_from_control_nodes")
    run(f"provision_instance --hostname new --node_type {node_type}")
    assert {target for source, target in links() if source == "new"} == peers


@pytest.mark.parametrize("port", [0, 80, 27199])
def test_a_port_is_that_of_the_canonical_address(port: int, mesh: None) -> None:
    run(f"provision_instance --hostname new --node_type hop --listener_port {port}")
    assert values_of("new") == {**NEW, "instance__hostname": "new", "port": port, "canonical": True}


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("provision_instance --hostname new --listener_port 65536", "listener_port: A port is a number"),
        ("provision_instance --hostname new --listener_port -5", "listener_port: A port is a number"),
        ("provision_instance --hostname taken --listener_port 27199", "exec-1 has the address taken already"),
        (f"provision_instance --hostname taken --uuid {'1' * 32}", "exec-1 has the address taken already"),
        ("register_peers hop-1 --peers exec-1", "exec-1 has no canonical address"),
        ("register_peers hop-1 --exact hybrid-1", "hybrid-1 has no canonical address"),
    ],
)
def test_what_addresses_do_not_allow(command: str, reason: str, mesh: None) -> None:
    run(f"{ADD} taken")
    Instance.objects.filter(hostname="hop-1").update(uuid="11111111-1111-1111-1111-111111111111")
    before = everything()
    with pytest.raises(CommandError, match=reason):
        run(command)
    assert everything() == before


def test_peers_are_registered_by_hostname_at_their_canonical_addresses(mesh: None) -> None:
    run(f"{ADD} exec-1.example.net --canonical")
    run(f"{ADD} exec-1.internal")
    printed, warned = run_and_warn("register_peers hop-1 --peers exec-1")
    assert (printed.splitlines()[0], warned) == ("1 links of hop-1 were added, 0 removed.", "")
    assert ("hop-1", "exec-1.example.net") in links()


def test_a_link_to_another_address_of_the_peer_is_a_link_to_the_peer(mesh: None) -> None:
    run(f"{ADD} exec-1.internal")
    hop = Instance.objects.get(hostname="hop-1")
    InstanceLink.objects.create(source=hop, target=ReceptorAddress.objects.get(address="exec-1.internal"))
    run("register_peers hop-1 --peers exec-1")
    assert links() == {("control-1", "hop-1"), ("hop-1", "exec-1.internal")}
    run("register_peers hop-1 --exact")
    assert links() == {("control-1", "hop-1")}


def test_a_node_that_listens_elsewhere_is_renamed_with_the_address_of_its_name(mesh: None) -> None:
    run("add_receptor_address --instance hop-1 --address hop.example.net")
    Instance.objects.filter(hostname="hop-1").update(uuid="11111111-1111-1111-1111-111111111111")
    run(f"provision_instance --hostname hop-9 --uuid {'1' * 32}")
    node = Instance.objects.get(hostname="hop-9")
    assert set(node.receptor_addresses.values_list("address", flat=True)) == {"hop-9", "hop.example.net"}
    run("remove_receptor_address --address hop-9")
    assert links() == set()


# --- at the same time


@pytest.mark.django_db(transaction=True)
def test_of_two_canonical_addresses_at_the_same_moment_one_is_refused() -> None:
    """Both see that there is none; with the database's constraint alone, the other would be an error of its own."""
    make_node("exec-1", node_type="execution")
    begin, outcomes = threading.Barrier(2), []

    def add(address: str) -> None:
        begin.wait()
        try:
            outcomes.append(provisioning_addresses.add("exec-1", address, {"canonical": True}).outcome.value)
        except ValidationError as error:
            outcomes.append(error.messages[0].split(" ", 1)[1])
        finally:
            connection.close()

    threads = [threading.Thread(target=add, args=address) for address in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["created", "is the canonical address of exec-1 already."]
    assert ReceptorAddress.objects.count() == 1
