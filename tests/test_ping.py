"""ping/: for anybody, what the service is and what it serves."""

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from instances.models import Instance, InstanceGroup
from tests.conftest import client_of

pytestmark = pytest.mark.django_db
URL = "/api/v2/ping/"


@pytest.mark.parametrize(
    ("node_types", "ha"),
    [
        ([], False),
        (["control"], False),
        (["control", "execution", "hop"], False),
        (["control", "control"], True),
        (["hybrid", "control"], True),
    ],
)
def test_ha_is_more_than_one_node_that_controls(node_types: list[str], ha: bool) -> None:
    for n, node_type in enumerate(node_types):
        Instance.objects.create(hostname=f"node-{n}", node_type=node_type)
    assert APIClient().get(URL).json()["ha"] is ha


def test_hop_nodes_are_left_out_and_names_are_in_order() -> None:
    for hostname, node_type in {"b": "execution", "a": "control", "C": "hybrid", "hop": "hop"}.items():
        Instance.objects.create(hostname=hostname, node_type=node_type)
    assert [node["node"] for node in APIClient().get(URL).json()["instances"]] == ["C", "a", "b"]


def test_a_groups_capacity_is_that_of_all_members_in_any_state() -> None:
    group = InstanceGroup.objects.create(name="b")
    for hostname, state in {"x": "ready", "w": "unavailable"}.items():
        group.instances.add(Instance.objects.create(hostname=hostname, node_state=state, capacity=7, enabled=False))
    InstanceGroup.objects.create(name="a", is_container_group=True, max_forks=3)
    assert APIClient().get(URL).json()["instance_groups"] == [
        {"name": "a", "capacity": 3, "instances": []},
        {"name": "b", "capacity": 14, "instances": ["w", "x"]},
    ]


def test_groups_come_by_name_whatever_its_case() -> None:
    for name in ("b", "C", "a"):
        InstanceGroup.objects.create(name=name)
    assert [group["name"] for group in APIClient().get(URL).json()["instance_groups"]] == ["a", "b", "C"]


def test_wrong_credentials_do_not_matter() -> None:
    assert APIClient().get(URL, HTTP_AUTHORIZATION="Bearer nope").status_code == 200


def test_instances_and_groups_are_of_one_moment(
    edge: InstanceGroup, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Instance.objects.update(last_seen="2026-01-02T03:04:05.600Z")
    with django_assert_num_queries(1):  # a statement sees one state of the database
        told = client_of(None).get("/api/v2/ping/").json()
    (node,), (group,) = told["instances"], told["instance_groups"]
    assert (node["node"], node["heartbeat"]) == ("exec-1", "2026-01-02T03:04:05.600000Z")
    assert group == {"name": "edge", "capacity": 100, "instances": ["exec-1"]}
