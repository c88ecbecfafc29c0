"""Addresses in the administration and on the pages of nodes: shown in each dialect, changed as the commands do."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from instances.models import Instance, InstanceGroup, InstanceGroupRole, InstanceLink, Mirror, ReceptorAddress, User
from tests.make import listen, make_link, make_node
from tests.test_admin import (
    ADDRESSES,
    browser_of,
    change,
    errors_of,
    history,
    mirror,
    page_of,
    root,
    shown,
)

__all__ = ["mirror", "root"]  # fixtures
pytestmark = pytest.mark.django_db


@pytest.fixture
def ingress(db: None, awx24: None) -> Instance:
    """A node with two addresses, both dialled by control-1; a service that speaks as AWX 24.6.1."""
    node = make_node("ingress", node_type="hop", listener_port=27199)
    public = ReceptorAddress.objects.create(
        instance=node, address="mesh.example.org", port=443, protocol="wss", websocket_path="socket", is_internal=False
    )
    control = make_node("control-1", node_type="control")
    make_link(source=control, target=node, link_state="established")
    InstanceLink.objects.create(source=control, target=public)
    return node


def public() -> ReceptorAddress:
    return ReceptorAddress.objects.get(address="mesh.example.org")


def test_an_address_is_added_as_by_the_command(ingress: Instance, root: Client) -> None:
    values = {"instance": ingress.pk, "address": "fd00::1", "protocol": "ws", "websocket_path": "p"}
    answer = change(root, f"{ADDRESSES}add/", **values, peers_from_control_nodes="on")
    assert answer.status_code == 302, errors_of(answer)
    added = ReceptorAddress.objects.get(address="fd00::1")
    assert (added.instance, added.port, added.protocol, added.canonical) == (ingress, 27199, "ws", False)
    assert [node.hostname for node in added.peers_from.all()] == ["control-1"]
    assert history(added) == ["Added."]


def test_an_address_is_changed_with_what_follows(ingress: Instance, root: Client) -> None:
    hybrid = make_node("hybrid-1", node_type="hybrid")
    answer = change(root, page_of(public()), port=444, peers_from_control_nodes="on")
    assert answer.status_code == 302, errors_of(answer)
    assert (public().port, public().websocket_path, public().instance) == (444, "socket", ingress)
    assert hybrid in public().peers_from.all()
    change(root, page_of(public()), peers_from_control_nodes=None)
    assert not public().peers_from.exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"port": 65536}, "A port is a number from 0 to 65535."),
        ({"port": ""}, "A port is a number from 0 to 65535."),
        ({"protocol": "tcp"}, "An address of protocol tcp has no path."),
        ({"websocket_path": "/a"}, "A path has no slash at its beginning"),
        ({"canonical": "on"}, "ingress is the canonical address of ingress already."),
    ],
)
def test_a_change_is_refused_in_the_words_of_the_command(
    changes: dict[str, Any], reason: str, ingress: Instance, root: Client
) -> None:
    before = ReceptorAddress.objects.values().get(pk=public().pk)
    assert reason in errors_of(change(root, page_of(public()), **changes))
    assert ReceptorAddress.objects.values().get(pk=public().pk) == before


@pytest.mark.parametrize("address", ["mesh.example.org", "ingress", "a/b", ""])
def test_what_is_no_address_of_its_own_is_not_added(address: str, ingress: Instance, root: Client) -> None:
    other = make_node("exec-1", node_type="execution")
    answer = change(root, f"{ADDRESSES}add/", instance=other.pk, address=address)
    assert errors_of(answer)
    assert not other.receptor_addresses.exists()


def test_an_address_is_removed_after_a_question_that_names_its_links(ingress: Instance, root: Client) -> None:
    path = f"{ADDRESSES}{public().pk}/delete/"
    asked = shown(root.get(path))
    assert "mesh.example.org" in asked
    assert "control-1 →" in asked
    assert root.post(path, {"post": "yes"}).status_code == 302
    assert [address.address for address in ingress.receptor_addresses.all()] == ["ingress"]
    assert InstanceLink.objects.count() == 1


def test_nobody_else_changes_them(ingress: Instance, root: Client, auditor: User, mirror: Mirror) -> None:
    User.objects.filter(pk=auditor.pk).update(is_staff=True)
    for browser in (root, browser_of(auditor)):  # nor does anybody on a mirror
        assert browser.get(f"{ADDRESSES}add/").status_code == 403
        assert 'name="_save"' not in shown(browser.get(page_of(public())))
        assert browser.post(f"{ADDRESSES}{public().pk}/delete/", {"post": "yes"}).status_code == 403


def test_as_awx_23_addresses_are_only_shown(root: Client) -> None:
    node = make_node("hop-1", node_type="hop", listener_port=27199)
    address = node.receptor_addresses.get()
    assert root.get(f"{ADDRESSES}add/").status_code == 403
    assert "hop-1:27199" in shown(root.get(page_of(address)))
    assert root.post(page_of(address), {"port": "1024"}).status_code == 403


def test_a_port_that_another_node_has_as_address_is_refused(ingress: Instance, root: Client) -> None:
    node = make_node("mesh.example.org", node_type="execution")
    answer = change(root, page_of(node), listener_port=27199)
    assert "already exists" in errors_of(answer)
    assert not node.receptor_addresses.exists()


def test_who_dials_is_shown_to_those_who_see_it(ingress: Instance, edge: InstanceGroup) -> None:
    seen = edge.instances.get()
    InstanceLink.objects.create(source=seen, target=public())
    edge.instances.add(ingress)
    user = User.objects.create_user("staff", is_staff=True)
    InstanceGroupRole.objects.create(user=user, instance_group=edge, role="read_role")
    page = shown(browser_of(user).get(page_of(public())))
    assert seen.hostname in page
    assert "control-1" not in page


def test_the_administration_of_a_node_lists_its_addresses_and_names_them_at_links(
    ingress: Instance, root: Client
) -> None:
    page = shown(root.get(page_of(ingress)))
    assert page_of(public()) in page
    assert page.count("mesh.example.org:443") == 2  # the address, and the link from control-1


@pytest.mark.parametrize("number", [1, 20])
def test_pages_cost_the_same_for_any_number_of_addresses(number: int, ingress: Instance, root: Client) -> None:
    pages = [page_of(ingress), page_of(public()), ADDRESSES, f"/nodes/{ingress.pk}/"]
    few = [cost(root, page) for page in pages]
    for n in range(number):
        address = ReceptorAddress.objects.create(instance=ingress, address=f"a-{n}")
        InstanceLink.objects.create(source=make_node(f"exec-{n}"), target=address)
    assert [cost(root, page) for page in pages] == few


def cost(browser: Client, path: str) -> int:
    shown(browser.get(path))  # what a process reads once
    with CaptureQueriesContext(connection) as asked:
        shown(browser.get(path))
    return len([query for query in asked if "SAVEPOINT" not in query["sql"]])


# --- the dashboard


def test_the_page_of_a_node_lists_its_addresses(ingress: Instance, root: Client) -> None:
    listen(ingress, 27199, peers_from_control_nodes=True)
    page = shown(root.get(f"/nodes/{ingress.pk}/"))
    assert "ingress:27199</bdi> <span>TCP, <bdi>canonical</bdi>, <bdi>control nodes connect to it</bdi><" in page
    assert "mesh.example.org:443</bdi> <span>WSS, <bdi>path /socket</bdi><" in page


def test_links_between_the_same_nodes_are_told_apart(ingress: Instance, root: Client) -> None:
    single = make_node("exec-1", node_type="execution")
    InstanceLink.objects.create(source=single, target=public())
    page = shown(root.get(f"/nodes/{ingress.pk}/"))
    assert page.count('>at <bdi dir="ltr">ingress:27199</bdi>') == 1
    assert page.count('>at <bdi dir="ltr">mesh.example.org:443</bdi>') == 1
    assert page.count("inbound</span>") == 3  # also of exec-1, which has one link
    control = Instance.objects.get(hostname="control-1")
    assert shown(root.get(f"/nodes/{control.pk}/")).count(">at <bdi") == 2


def test_two_links_between_two_nodes_are_one_line_that_counts_both(ingress: Instance, root: Client) -> None:
    (line,) = root.get("/").context["drawing"].lines
    assert line.is_bundle
    assert line.title.endswith("1 of 2 being added")
    boxes = {box.instance.hostname: box for piece in root.get("/").context["drawing"].pieces for box in piece.boxes}
    assert boxes["control-1"].description.endswith("Linked to \u2068ingress\u2069 (being added).")
    assert boxes["ingress"].description.count("control-1") == 1


def test_a_managed_node_is_neither_peered_by_hand_nor_removed(ingress: Instance, root: Client) -> None:
    assert {"Deprovision", "peers"} <= offered(root, ingress)
    Instance.objects.filter(pk=ingress.pk).update(managed=True)
    assert not {"Deprovision", "peers"} & offered(root, ingress)


def offered(browser: Client, node: Instance) -> set[str]:
    """The fields that can be changed on the page of the node, and the actions there."""
    context = browser.get(page_of(node)).context
    return {*context["adminform"].form.fields, *(label.removesuffix(" …") for _, label in context["offered"])}
