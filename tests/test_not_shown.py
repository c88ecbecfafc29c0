"""What an AWX of either line cannot show of a mesh is named, and nothing else is lost on the way there and back."""

import io
import json
from operator import itemgetter
from typing import Any

import pytest
from django.core.management import CommandError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from instances import not_shown
from instances.models import Instance, InstanceLink, ReceptorAddress
from instances.not_shown import MOST_NAMED
from instances.snapshot import import_snapshot
from instances.startup import refuse_what_is_not_shown
from tests import factories
from tests.factories import Record
from tests.make import listen, make_link, make_node

pytestmark = pytest.mark.django_db

CONTROLLING = ("control", "hybrid")
TYPES = (*CONTROLLING, "execution", "hop")
STATES = ("adding", "established", "removing")


def snapshot_of(instances: list[Record], addresses: list[Record] | None, links: list[Record]) -> Record:
    lists: Record = {"users": [], "instances": instances, "instance_links": links}
    return lists if addresses is None else {**lists, "receptor_addresses": addresses}


def load(content: Record) -> None:
    import_snapshot(io.BytesIO(json.dumps(content).encode()), replace=True)


@st.composite
def meshes_of_24(draw: st.DrawFn) -> Record:
    """The snapshot of a mesh of addresses; of a plain one AWX 23 can show everything."""
    plain = draw(st.booleans())
    odd = st.just(False) if plain else st.booleans()
    instances, addresses = [], []
    for pk in range(1, draw(st.integers(2, 5)) + 1):
        node_type = draw(st.sampled_from(TYPES))
        managed = (node_type in CONTROLLING) != (draw(odd) and draw(odd))
        instance = factories.instance(pk, hostname=f"node-{pk}", node_type=node_type, managed=managed)
        del instance["listener_port"], instance["peers_from_control_nodes"]
        instances.append(instance)
        for number in range(draw(st.integers(0, 1 if plain else 3))):
            addresses.append(draw(addresses_of(pk, number, plain, odd)))
    pairs = [(node["id"], each["id"]) for node in instances for each in addresses if each["instance"] != node["id"]]
    linked = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    links = [
        factories.link(pk, source, target, link_state=draw(st.sampled_from(STATES)))
        for pk, (source, target) in enumerate(linked, start=1)
    ]
    return snapshot_of(instances, addresses, links)


@st.composite
def addresses_of(draw: st.DrawFn, node: int, number: int, plain: bool, odd: st.SearchStrategy[bool]) -> Record:
    """The canonical address of a node if ``number`` is 0, or a further one; or none canonical."""
    other_name = number > 0 or draw(odd)
    return {
        "id": 10 * node + number,
        "address": f"dial-{node}-{number}" if other_name else f"node-{node}",
        "port": draw(st.sampled_from((0, 80, 27199, 65535))),
        "protocol": draw(st.sampled_from(("tcp",) if plain else ("tcp", "tcp", "ws", "wss"))),
        "websocket_path": "mesh" if draw(odd) and draw(odd) else "",
        "is_internal": draw(odd) and draw(odd),
        "canonical": number == 0 and not (draw(odd) and draw(odd)),
        "instance": node,
        "peers_from_control_nodes": draw(st.booleans()),
    }


def as_awx_23_shows_it(content: Record) -> Record:
    """The snapshot of what is stored in the words of AWX 23; of several links between two nodes the first."""
    instances = [
        {
            **{name: value for name, value in record.items() if name != "managed"},
            "listener_port": node.listener_port,
            "peers_from_control_nodes": node.peers_from_control_nodes,
        }
        for record in content["instances"]
        for node in Instance.objects.filter(pk=record["id"])
    ]
    links: dict[tuple[int, int], Record] = {}
    for pk, source, target, state in InstanceLink.objects.order_by("pk").values_list(
        "pk", "source", "target__instance", "link_state"
    ):
        links.setdefault((source, target), factories.link(pk, source, target, link_state=state))
    return snapshot_of(instances, None, list(links.values()))


def stored() -> dict[str, list[Record]]:
    """All records by kind, without the ids of addresses."""
    columns = [field.attname for field in ReceptorAddress._meta.concrete_fields if field.name != "id"]
    return {
        "instances": list(Instance.objects.order_by("pk").values()),
        "addresses": sorted(ReceptorAddress.objects.values(*columns), key=itemgetter("address")),
        "links": list(InstanceLink.objects.order_by("pk").values("id", "source", "target__address", "link_state")),
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=meshes_of_24())
def test_a_mesh_of_24_comes_back_from_23_or_what_is_lost_is_named(content: Record) -> None:
    load(content)
    assert not_shown.by_awx_24() == []
    lost, before = not_shown.by_awx_23(), stored()
    load(as_awx_23_shows_it(content))
    after = stored()
    assert (after == before) == (lost == [])
    labels = {"instances": "hostname", "addresses": "address", "links": "target__address"}
    for kind, label in labels.items():
        for record in before[kind]:
            assert record in after[kind] or any(record[label] in each for each in lost), f"{record} of {lost}"
    assert not_shown.by_awx_23() == []


# --- one by one


@pytest.fixture
def node() -> Instance:
    """One to which another is linked, of which all is shown."""
    node = make_node("exec-1", node_type="execution", listener_port=27199)
    make_link(make_node("hop-1", node_type="hop"), node)
    assert not_shown.by_awx_23() == not_shown.by_awx_24() == []
    return node


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"address": "10.0.0.1"}, ["that exec-1 is dialled as 10.0.0.1"]),
        ({"protocol": "wss"}, ["the protocol wss of exec-1"]),
        ({"websocket_path": "mesh"}, ["the path mesh of exec-1"]),
        ({"is_internal": True}, ["that exec-1 is internal"]),
        ({"canonical": False}, ["the address exec-1 of exec-1"]),
        ({"protocol": "ws", "websocket_path": "a/b"}, ["the protocol ws of exec-1", "the path a/b of exec-1"]),
        ({"port": 0, "peers_from_control_nodes": True}, []),
    ],
)
def test_what_23_does_not_show_of_an_address(changes: dict[str, Any], lost: list[str], node: Instance) -> None:
    ReceptorAddress.objects.filter(instance=node).update(**changes)
    assert not_shown.by_awx_23() == lost
    assert not_shown.by_awx_24() == []


def test_what_23_does_not_show_of_several_addresses(node: Instance) -> None:
    second = ReceptorAddress.objects.create(instance=node, address="second", port=443)
    assert not_shown.by_awx_23() == ["the address second of exec-1"]
    InstanceLink.objects.create(source=Instance.objects.get(hostname="hop-1"), target=second)
    assert not_shown.by_awx_23() == ["the address second of exec-1", "the further link from hop-1 to second"]


@pytest.mark.parametrize("node_type", TYPES)
def test_what_23_does_not_show_of_managed_nodes(node_type: str) -> None:
    expected = node_type in CONTROLLING
    make_node("as-expected", node_type=node_type, managed=expected)
    make_node("odd", node_type=node_type, managed=not expected)
    assert not_shown.by_awx_23() == [f"that odd is {'not managed' if expected else 'managed'}"]


@pytest.mark.parametrize("number", [1, 20])
def test_what_24_does_not_show(number: int, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    names = []
    for n in range(number):
        make_link(make_node(f"source-{n}"), make_node(f"target-{n}"))
        names.append(f"the link from source-{n} to target-{n}, which has no port")
    listen(make_node("flagged"), None, peers_from_control_nodes=True)
    with django_assert_num_queries(2):
        assert not_shown.by_awx_24() == [*names, "peers_from_control_nodes of flagged, which has no port"]


@pytest.mark.parametrize("number", [1, 20])
def test_what_23_does_not_show_costs_three_queries(
    number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    nodes = [make_node(f"node-{n}", node_type="hop", managed=True, listener_port=1024) for n in range(number)]
    ReceptorAddress.objects.update(is_internal=True)
    with django_assert_num_queries(3):
        assert len(not_shown.by_awx_23()) == 2 * len(nodes)


# --- the start


@pytest.mark.usefixtures("awx24")
def test_a_service_that_speaks_24_does_not_start_where_a_node_without_port_is_linked(node: Instance) -> None:
    refuse_what_is_not_shown()
    make_link(node, make_node("hop-2", node_type="hop"))
    with pytest.raises(
        CommandError, match=r"AWX 24\.6\.1 cannot show the link from exec-1 to hop-2, which has no port\."
    ):
        refuse_what_is_not_shown()


@pytest.mark.usefixtures("awx24")
def test_it_names_no_more_than_a_message_bears(node: Instance) -> None:
    for n in range(MOST_NAMED + 2):
        make_link(node, make_node(f"node-{n}"))
    with pytest.raises(CommandError, match=f"to node-{MOST_NAMED - 1}, which has no port, and 2 more\\. "):
        refuse_what_is_not_shown()
