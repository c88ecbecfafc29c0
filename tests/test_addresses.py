"""Addresses of nodes: without port they are there for what refers to them; AWX 23 shows nodes instead."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client

from instances import deprovisioning, provisioning
from instances.mirror.records import MirroredRows, Records
from instances.mirror.writing import write_rows
from instances.models import Instance, InstanceLink, ReceptorAddress, User
from instances.snapshot import SnapshotError, import_snapshot
from tests.conftest import client_of
from tests.factories import instance, link
from tests.make import listen, make_link, make_node

pytestmark = pytest.mark.django_db

INSTANCES = "/api/v2/instances/"


def source() -> Instance:
    found: Instance = Instance.objects.get(hostname="source")
    return found


def target() -> Instance:
    found: Instance = Instance.objects.get(hostname="target")
    return found


def patch(node: Instance, **values: Any) -> None:
    admin = User.objects.get(username="admin")
    answer = client_of(admin).patch(f"{INSTANCES}{node.pk}/", values, format="json")
    assert answer.status_code == 200, answer.json()


# --- addresses without port


@pytest.fixture
def only_link(admin: User) -> InstanceLink:
    """The one link to a node without port."""
    return make_link(make_node("source", node_type="execution"), make_node("target", node_type="hop"))


def delete_in_admin() -> None:
    browser = Client()
    browser.force_login(User.objects.get(username="admin"))
    pk = InstanceLink.objects.get(source__hostname="source").pk
    assert browser.post(f"/admin/instances/instancelink/{pk}/delete/", {"post": "yes"}).status_code == 302


def deprovision_in_time() -> None:
    Instance.objects.update(node_state="deprovisioning")
    assert deprovisioning.deprovision(source().pk)


def load(replace: bool = False, **lists: Any) -> None:
    import_snapshot(io.BytesIO(json.dumps(lists).encode()), replace=replace)


def turn_by_snapshot() -> None:
    other = make_node("other", listener_port=27199)
    load(instance_links=[link(InstanceLink.objects.get(source=source()).pk, source().pk, other.pk)])


WAYS: dict[str, Callable[[], object]] = {
    "PATCH": lambda: patch(source(), peers=[]),
    "admin": delete_in_admin,
    "deprovision_instance": lambda: provisioning.deprovision("source"),
    "deprovisioning in time": deprovision_in_time,
    "register_peers --disconnect": lambda: provisioning.connect("source", [], severed=["target"]),
    "register_peers --exact": lambda: provisioning.connect("source", [], exactly=True),
    "import_awx": turn_by_snapshot,
    "import_awx --replace": lambda: load(replace=True, instances=[instance(target().pk, hostname="target")]),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_address_without_port_goes_with_the_last_link(way: str, only_link: InstanceLink) -> None:
    assert ReceptorAddress.objects.get(port=None).instance == target()
    WAYS[way]()
    assert not InstanceLink.objects.filter(target__port=None).exists()
    assert not ReceptorAddress.objects.filter(port=None).exists()
    assert target().canonical_address is None


@pytest.mark.parametrize("way", ["PATCH", "admin", "deprovision_instance", "import_awx"])
@pytest.mark.parametrize("other", ["a link", "peers_from_control_nodes", "a port"])
def test_it_stays_while_anything_needs_it(way: str, other: str, only_link: InstanceLink) -> None:
    address = ReceptorAddress.objects.get()
    match other:
        case "a link":
            make_link(make_node("third"), target())
        case "peers_from_control_nodes":
            listen(target(), None, peers_from_control_nodes=True)
        case "a port":
            listen(target(), 27199)
    WAYS[way]()
    assert target().canonical_address == address


def test_a_port_makes_the_canonical_address_and_takes_it_away(admin: User) -> None:
    node = make_node("target", node_type="execution")
    patch(node, listener_port=27199)
    address = ReceptorAddress.objects.get()
    assert (address.instance, address.address, address.port, address.protocol) == (node, "target", 27199, "tcp")
    assert address.canonical
    patch(node, listener_port=None)
    assert not ReceptorAddress.objects.exists()


# --- several addresses of a node, as AWX 23 shows them


@pytest.fixture
def links(admin: User) -> dict[int, int]:
    """From one node to two addresses of another and to a third node: the addresses by the ids of the links."""
    dialling = make_node("source", node_type="execution")
    dialled, third = (make_node(name, listener_port=1024) for name in ("target", "another"))
    further = ReceptorAddress.objects.create(instance=dialled, address="further", port=443, protocol="wss")
    make_link(dialling, dialled, link_state="established")
    InstanceLink.objects.create(source=dialling, target=further)
    make_link(dialling, third)
    return stored()


def stored() -> dict[int, int]:
    return dict(InstanceLink.objects.values_list("pk", "target"))


def test_a_peer_with_several_addresses_is_shown_once(links: dict[int, int], admin: User) -> None:
    client = client_of(admin)
    assert client.get(f"{INSTANCES}{source().pk}/").json()["peers"] == ["another", "target"]
    listed = client.get(INSTANCES, {"hostname": "source"}).json()["results"]
    assert [one["peers"] for one in listed] == [["another", "target"]]
    below = client.get(f"{INSTANCES}{source().pk}/peers/").json()
    assert sorted(one["hostname"] for one in below["results"]) == ["another", "target"]
    assert below["count"] == 2


def test_the_same_peers_again_drop_no_link(links: dict[int, int]) -> None:
    patch(source(), peers=["target", "another"])
    assert stored() == links


def test_of_fewer_peers_those_that_stay_keep_all_their_links(links: dict[int, int]) -> None:
    patch(source(), peers=["target"])
    assert stored() == {pk: address for pk, address in links.items() if address in addresses_of("target")}
    assert len(stored()) == 2
    patch(source(), peers=[])
    assert stored() == {}


def test_a_further_peer_gets_a_link_to_its_canonical_address(links: dict[int, int]) -> None:
    new = make_node("new", listener_port=2222)
    ReceptorAddress.objects.create(instance=new, address="not-canonical", port=443)
    patch(source(), peers=["target", "another", "new"])
    added = {pk: address for pk, address in stored().items() if pk not in links}
    assert list(added.values()) == [Instance.objects.get(hostname="new").canonical_address.pk]
    assert stored() == {**links, **added}


def addresses_of(hostname: str) -> set[int]:
    return set(ReceptorAddress.objects.filter(instance__hostname=hostname).values_list("pk", flat=True))


def test_a_link_to_a_node_with_a_plain_address_of_its_own_name_leads_there() -> None:
    """As AWX 24 may have it: there is no other address of this name to make."""
    node = Instance.objects.create(hostname="target", node_type="hop")
    plain = ReceptorAddress.objects.create(instance=node, address="target", port=27200)
    Instance.objects.create(hostname="source", node_type="execution")
    provisioning.connect("source", ["target"])
    assert InstanceLink.objects.get().target == plain
    plain.refresh_from_db()
    assert (plain.canonical, plain.port) == (False, 27200)


# --- addresses of AWX 24


@pytest.fixture
def plain(admin: User) -> ReceptorAddress:
    """An address of its node's own hostname that is not canonical, to which control nodes peer."""
    node = Instance.objects.create(pk=900, hostname="target", node_type="execution")
    control = Instance.objects.create(hostname="control", node_type="control", managed=True)
    address = ReceptorAddress.objects.create(
        instance=node, address="target", port=27200, protocol="ws", peers_from_control_nodes=True
    )
    InstanceLink.objects.create(source=control, target=address)
    return address


@pytest.mark.usefixtures("awx24")
def test_an_address_that_becomes_canonical_keeps_what_is_not_given(plain: ReceptorAddress) -> None:
    patch(target(), listener_port=27199)
    plain.refresh_from_db()
    assert (plain.canonical, plain.port, plain.protocol, plain.peers_from_control_nodes) == (True, 27199, "ws", True)
    assert InstanceLink.objects.filter(target=plain).count() == 1


@pytest.mark.usefixtures("awx24")
def test_a_node_that_controls_does_not_peer_to_itself(admin: User) -> None:
    one, other = (make_node(name, node_type="control", listener_port=27199) for name in ("one", "other"))
    patch(one, peers_from_control_nodes=True)
    assert list(InstanceLink.objects.values_list("source", "target__instance")) == [(other.pk, one.pk)]


def test_a_snapshot_of_23_takes_over_a_plain_address(plain: ReceptorAddress) -> None:
    load(instances=[instance(900, hostname="target", listener_port=27199)], instance_links=[])
    found = ReceptorAddress.objects.get()
    assert (found.pk, found.canonical, found.port, found.protocol) == (plain.pk, True, 27199, "ws")


def test_a_snapshot_of_23_that_has_only_a_link_changes_no_address(plain: ReceptorAddress) -> None:
    node = make_node("exec-1", listener_port=27199)
    ReceptorAddress.objects.filter(instance=node).update(address="edge.example.net", port=443)
    before = list(ReceptorAddress.objects.order_by("pk").values())
    load(instance_links=[link(970, node.pk, 900), link(971, 900, node.pk)])
    assert list(ReceptorAddress.objects.order_by("pk").values()) == before
    assert InstanceLink.objects.get(pk=970).target == plain


def test_a_second_canonical_address_is_named(plain: ReceptorAddress) -> None:
    ReceptorAddress.objects.update(canonical=True)
    record = {"id": 77, "instance": 900, "address": "else", "canonical": True}
    with pytest.raises(SnapshotError, match=rf"canonical: its instance has .* already, with the id {plain.pk}"):
        load(receptor_addresses=[record])


@pytest.mark.usefixtures("awx24")
def test_nothing_is_imported_with_which_the_service_would_not_start(plain: ReceptorAddress) -> None:
    one, other = (Instance.objects.create(hostname=name, node_type="execution") for name in ("one", "other"))
    with pytest.raises(SnapshotError, match=r"AWX 24\.6\.1 cannot show the link from one to other"):
        load(instance_links=[link(970, one.pk, other.pk)])
    assert not ReceptorAddress.objects.filter(port=None).exists()


def test_a_name_that_is_an_address_of_another_is_refused_in_words(plain: ReceptorAddress) -> None:
    Instance.objects.create(hostname="taken")
    ReceptorAddress.objects.update(address="taken")
    with pytest.raises(CommandError, match=r"Another node has the address taken\."):
        call_command("register_peers", "control", "--peers", "taken")


def test_a_node_may_get_the_name_of_a_further_address_of_its_own(plain: ReceptorAddress) -> None:
    uuid = "11111111-2222-4333-8444-555555555555"
    Instance.objects.filter(pk=900).update(uuid=uuid)
    ReceptorAddress.objects.create(instance_id=900, address="new")
    provisioning.provision("new", None, {"uuid": uuid})
    assert set(ReceptorAddress.objects.values_list("address", flat=True)) == {"target", "new"}


def test_a_link_stays_when_its_address_goes_to_another_node_and_the_earlier_one_is_gone() -> None:
    """In one sync: the removal of a node would take along the link, of which nothing changed."""
    sources = [1, 2, 3]
    link_of_one = {"id": 7, "source": 1, "target": 40, "link_state": "established"}
    for owner, nodes in ((3, sources), (2, sources[:2])):
        with transaction.atomic():
            write_rows(MirroredRows(of_awx_24(nodes, owner, [link_of_one])))
        assert ReceptorAddress.objects.get().instance_id == owner
        assert list(InstanceLink.objects.values_list("pk", "source", "target")) == [(7, 1, 40)]


def of_awx_24(nodes: list[int], owner: int, links: list[dict[str, Any]]) -> Records:
    """The records of a mesh in which one node has the address with the id 40."""
    load = {"managed": False, "jobs_total": 0, "jobs_running": 0, "consumed_capacity": 0}
    address = {
        "id": 40,
        "instance": owner,
        "address": "edge",
        "port": 27199,
        "protocol": "tcp",
        "websocket_path": "",
        "is_internal": False,
        "canonical": True,
        "peers_from_control_nodes": False,
    }
    instances = [{**instance(pk), **load} for pk in nodes]
    return Records("24.6.1", instances, links, groups=[], users=[], addresses=[address])
