"""Lists by pages: which records come, how often and in what order."""

from typing import Any

import pytest
from oauth2_provider.models import AccessToken
from pytest_django import DjangoAssertNumQueries

from instances.listing import Listing, listing_of
from instances.models import Instance, InstanceGroup, InstanceGroupRole, User
from tests.conftest import client_of
from tests.make import make_jobs, make_link

pytestmark = pytest.mark.django_db

LIST = "/api/v2/instances/"


def test_records_come_by_slices() -> None:
    Instance.objects.bulk_create(Instance(hostname=f"node-{n}") for n in range(5))
    listing = Listing(Instance.objects.order_by("hostname"))
    assert [record.hostname for record in listing[1:3]] == ["node-1", "node-2"]
    assert (len(listing[4:14]), listing[5:15], listing.count()) == (1, [], 5)
    assert Listing(Instance.objects.none())[0:10] == []


@pytest.mark.parametrize(
    ("order", "is_total"),
    [
        (["id"], True),
        (["-pk"], True),
        (["node_type", "-hostname"], True),
        (["node_type"], False),
        ([], False),
        (["rampart_groups__name", "id"], False),
        (["rampart_groups", "id"], False),
    ],
)
def test_an_order_is_total_where_no_two_rows_are_equal(order: list[str], is_total: bool) -> None:
    listing = Listing(Instance.objects.order_by(*order))
    assert listing.is_totally_ordered == is_total
    assert listing.totally_ordered().queryset.query.order_by[-1:] == (tuple(order[-1:]) if is_total else ("pk",))


def test_keys_decide_which_records_come_how_often_and_in_what_order(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    nodes = Instance.objects.bulk_create(Instance(hostname=f"node-{n}") for n in range(4))
    for name, members in {"b": nodes[:2], "a": nodes[1:3]}.items():
        InstanceGroup.objects.create(name=name).instances.set(members)
    records = Instance.objects.with_load().order_by("id")
    chosen = records.filter(hostname__lt="node-3").order_by("rampart_groups__name", "-hostname")
    listing = listing_of(records, chosen)
    with django_assert_num_queries(3):
        found = [record.hostname for record in listing[0:10]]
        assert (found, listing.count()) == (["node-2", "node-1", "node-1", "node-0"], 3)
    assert [record.load.jobs_total for record in listing[1:3]] == [0, 0]
    assert [record.pk for record in listing[1:2]] == [nodes[1].pk]
    assert listing[4:14] == []
    assert not listing.is_totally_ordered


def told(client: Any) -> dict[str, Any]:
    return {record["hostname"]: record for record in client.get(LIST).json()["results"]}


def test_a_page_tells_every_change_at_once(admin: User, edge: InstanceGroup) -> None:
    client = client_of(admin)
    node, other = edge.instances.get(), Instance.objects.create(hostname="other")
    assert told(client)["exec-1"]["jobs_total"] == 0
    make_jobs(2, execution_node="exec-1", status="running", instance_group=edge)
    assert (told(client)["exec-1"]["jobs_total"], told(client)["exec-1"]["jobs_running"]) == (2, 2)
    make_link(source=node, target=other)
    assert told(client)["exec-1"]["peers"] == ["other"]
    Instance.objects.filter(pk=node.pk).update(errors="broken")  # leaves ``modified`` alone
    assert told(client)["exec-1"]["errors"] == "broken"
    Instance.objects.filter(pk=other.pk).update(hostname="renamed")
    assert told(client)["exec-1"]["peers"] == ["renamed"]


def test_each_reader_is_told_as_one_of_the_kind(admin: User, auditor: User, bob: User, edge: InstanceGroup) -> None:
    def roads(user: User) -> bool:
        return "health_check" in told(client_of(user))["exec-1"]["related"]

    for _ in range(2):
        assert [roads(user) for user in (admin, bob, auditor, bob)] == [True, False, True, False]


def test_groups_are_told_by_what_the_reader_may_do(admin: User, bob: User, edge: InstanceGroup) -> None:
    def capabilities(user: User) -> dict[str, bool]:
        (group,) = client_of(user).get("/api/v2/instance_groups/").json()["results"]
        return group["summary_fields"]["user_capabilities"]  # type: ignore[no-any-return]

    for _ in range(2):
        assert capabilities(admin) == {"edit": True, "delete": True}
        assert capabilities(bob) == {"edit": False, "delete": False}
    InstanceGroupRole.objects.create(user=bob, instance_group=edge, role=InstanceGroupRole.Role.ADMIN)
    assert capabilities(bob) == {"edit": True, "delete": False}


def test_what_else_decides_is_looked_at(admin: User, settings: Any) -> None:
    Instance.objects.create(hostname="control", node_type="control")
    make_jobs(1, controller_node="control", status="running")
    client = client_of(admin)
    for impact in (1, 5):
        settings.AWX_CONTROL_NODE_TASK_IMPACT = impact
        assert told(client)["control"]["consumed_capacity"] == impact


def test_the_same_page_is_told_in_the_same_bytes_indented_or_not(admin: User, edge: InstanceGroup) -> None:
    client = client_of(admin)
    first, again = client.get(LIST), client.get(LIST)
    indented = client.get(LIST, HTTP_ACCEPT="application/json; indent=4")
    assert first.content == again.content
    assert indented.content.startswith(b'{\n    "count": 1,')
    assert indented.json() == first.json()


def test_a_first_page_that_holds_all_is_not_counted(
    admin: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Instance.objects.bulk_create(Instance(hostname=f"node-{n}") for n in range(10))
    client = client_of(admin)
    for size, queries, following in ((10, 2, None), (9, 3, f"{LIST}?page=2&page_size=9")):
        with django_assert_num_queries(queries):
            body = client.get(f"{LIST}?page_size={size}").json()
        assert (body["count"], body["next"], len(body["results"])) == (10, following, size)
    assert AccessToken.objects.count() == 1
