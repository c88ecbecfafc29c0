"""GET /api/v2/instances/, beyond what the recordings show."""

import pytest
from pytest_django import DjangoAssertNumQueries as Queries

from instances.addresses import address_to_link
from instances.models import Instance, InstanceGroup, InstanceGroupRole, InstanceLink, User
from tests.conftest import client_of
from tests.make import make_jobs

pytestmark = pytest.mark.django_db
URL = "/api/v2/instances/"


@pytest.mark.parametrize("number", [1, 20, 200])
@pytest.mark.parametrize("jobs", [0, 200])
def test_costs_two_queries_or_three_where_there_are_more_pages(
    number: int,
    jobs: int,
    admin: User,
    bob: User,
    edge: InstanceGroup,
    django_assert_num_queries: Queries,
) -> None:
    instances = Instance.objects.bulk_create(Instance(hostname=f"node-{n}") for n in range(number))
    edge.instances.add(*instances)
    target = address_to_link(edge.instances.first())
    InstanceLink.objects.bulk_create(InstanceLink(source=one, target=target) for one in instances)
    make_jobs(jobs, execution_node="node-0")
    for user in (admin, bob):
        client = client_of(user)
        # the token with its user, the page with everything that is told of its instances, the count if there is more
        with django_assert_num_queries(2 if number < 200 else 3):
            body = client.get(f"{URL}?page_size=200").json()
        assert body["count"] == number + 1
        assert sum(record["jobs_total"] for record in body["results"]) == jobs


def test_pages_neither_overlap_nor_miss_a_record(admin: User) -> None:
    Instance.objects.bulk_create(Instance(hostname=f"node-{n:02}") for n in range(53))
    client, seen, page = client_of(admin), [], f"{URL}?page_size=10"
    while page:
        body = client.get(page).json()
        seen += [record["id"] for record in body["results"]]
        page = body["next"]
    assert seen == list(Instance.objects.order_by("id").values_list("id", flat=True))


def test_two_roles_on_one_group_show_an_instance_once(bob: User, edge: InstanceGroup) -> None:
    InstanceGroupRole.objects.create(user=bob, instance_group=edge, role=InstanceGroupRole.Role.ADMIN)
    second = InstanceGroup.objects.create(name="second")
    second.instances.set(edge.instances.all())
    InstanceGroupRole.objects.create(user=bob, instance_group=second, role=InstanceGroupRole.Role.READ)
    assert client_of(bob).get(URL).json()["count"] == 1


def test_the_count_is_not_asked_for_where_it_is_disabled(admin: User, django_assert_num_queries: Queries) -> None:
    client = client_of(admin)
    with django_assert_num_queries(2):
        assert client.get(f"{URL}?count_disabled=1").json() == {"results": []}


def test_links_to_other_pages_ask_for_no_more_than_a_page_holds(admin: User) -> None:
    Instance.objects.bulk_create(Instance(hostname=f"node-{n:03}") for n in range(201))
    assert client_of(admin).get(f"{URL}?page_size=500").json()["next"] == f"{URL}?page=2&page_size=200"


def test_an_uncounted_list_has_one_page(admin: User) -> None:
    client = client_of(admin)
    assert client.get(f"{URL}?count_disabled=1&page=2").status_code == 404
    assert client.get(f"{URL}?count_disabled=1&page=last").status_code == 200
