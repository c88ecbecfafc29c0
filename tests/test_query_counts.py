"""What each answer costs in SQL queries, however many records and jobs there are."""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries, DjangoDbBlocker

from awx_compat.pagination import Pagination
from instances.addresses import address_to_link
from instances.models import Instance, InstanceGroup, InstanceGroupRole, InstanceLink, ReceptorAddress, User
from instances.roles import role_id
from tests.conftest import client_of, rolled_back, token_for
from tests.make import make_jobs

pytestmark = pytest.mark.django_db

# The token with its user is one; a list adds its page, and its count where that is not all or the order leaves records
# equal; an order by related records adds the keys of the page; a record below another adds that.
COSTS = {
    "/api/": 1,
    "/api/v2/": 1,
    "/api/v2/ping/": 1,
    "/api/v2/me/": 2,
    "/api/v2/config/": 1,
    "/api/v2/settings/": 1,
    "/api/v2/settings/all/": 1,
    "/api/v2/teams/": 1,
    "/api/v2/activity_stream/?order_by=-timestamp&search=node": 1,
    "/api/v2/dashboard/": 2,
    "/api/v2/dashboard/graphs/jobs/": 3,
    "/api/v2/instances/": 2,
    "/api/v2/instances/?rampart_groups__name=edge&search=node&order_by=-capacity": 2,
    "/api/v2/instances/?rampart_groups__name=edge&order_by=-rampart_groups__name,peers": 4,
    "/api/v2/instances/{instance}/": 2,
    "/api/v2/instances/node-0/": 2,
    "/api/v2/instances/{instance}/peers/": 3,
    "/api/v2/instances/{instance}/instance_groups/": 3,
    "/api/v2/instances/{instance}/jobs/": 3,
    "/api/v2/instances/{instance}/health_check/": 2,
    "/api/v2/instance_groups/": 2,
    "/api/v2/instance_groups/{group}/": 2,
    "/api/v2/instance_groups/edge/": 2,
    "/api/v2/instance_groups/{group}/instances/": 3,
    "/api/v2/instance_groups/{group}/jobs/": 3,
    "/api/v2/instance_groups/{group}/object_roles/": 2,
    "/api/v2/instance_groups/{group}/access_list/": 3,
    "/api/v2/mesh_visualizer/": 2,
    "/api/v2/unified_jobs/": 2,
    "/api/v2/credentials/3/": 2,
    "/api/v2/jobs/": 2,
    "/api/v2/jobs/{job}/": 2,
    "/api/v2/metrics/": 3,
    "/api/v2/metrics/?format=json": 3,
    "/api/fleet/v1/metrics/": 10,
    "/api/v2/users/": 2,
    "/api/v2/users/admin/": 2,
    "/api/v2/users/user-0/roles/": 3,
    "/api/v2/roles/?page_size=200": 2,
    "/api/v2/roles/{role}/": 2,
    "/api/v2/roles/{role}/users/": 3,
    "/api/v2/tokens/": 2,
    "/api/v2/tokens/?user__username__contains=user&order_by=-application__name,description": 4,
}


# In the dialect 24.6.1 everything costs the same, and so do addresses.
COSTS_OF_ADDRESSES = {
    "/api/v2/receptor_addresses/": 2,
    "/api/v2/receptor_addresses/?instance__hostname=node-0&search=node&order_by=-port": 2,
    "/api/v2/receptor_addresses/{address}/": 2,
    "/api/v2/instances/{instance}/receptor_addresses/": 3,
}
COSTS_OF_24 = {path.replace(",peers", ",peers__address"): cost for path, cost in COSTS.items()} | COSTS_OF_ADDRESSES


# A page adds what decides its forms: the record once for each of them, and once for their fields.
PAGES = {
    "/api/v2/": 1,
    "/api/v2/instances/": 2,
    "/api/v2/instances/{instance}/": 5,
    "/api/v2/instances/{instance}/peers/": 3,
    "/api/v2/instance_groups/": 2,
    "/api/v2/instance_groups/{group}/": 6,
    "/api/v2/instance_groups/{group}/instances/": 5,
    "/api/v2/metrics/": 3,
}


SIZES = [(1, 1), (20, 1), (1, 2000), (20, 2000)]


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size[0]}-rows-{size[1]}-jobs")
def mesh(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[dict[str, Any]]:
    """So many instances, links, groups and users, and so many jobs on the first instance, for all paths."""
    with django_db_blocker.unblock(), rolled_back():
        yield build(*request.param)


def build(rows: int, jobs: int) -> dict[str, Any]:
    instances = Instance.objects.bulk_create(Instance(hostname=f"node-{n}", node_type="execution") for n in range(rows))
    hub = Instance.objects.create(hostname="hub")
    InstanceLink.objects.bulk_create(
        InstanceLink(source=instances[0], target=address_to_link(one)) for one in [hub, *instances[1:]]
    )
    groups = [InstanceGroup.objects.create(name="edge" if n == 0 else f"group-{n}") for n in range(rows)]
    for group in groups:
        group.instances.set(instances)
    InstanceGroup.objects.create(name="pods", is_container_group=True, credential=3)
    for n in range(rows):
        user = User.objects.create(username=f"user-{n}")
        token_for(user)
        InstanceGroupRole.objects.create(user=user, instance_group=groups[0], role="use_role")
    fields = {"execution_node": "node-0", "controller_node": "hub", "status": "running", "instance_group": groups[0]}
    made = make_jobs(jobs, **fields)
    ReceptorAddress.objects.bulk_create(
        ReceptorAddress(instance=instances[0], address=f"address-{n}", protocol="ws") for n in range(min(rows, 4))
    )
    address = ReceptorAddress.objects.get(instance__hostname="hub").pk
    role = role_id(groups[0].pk, InstanceGroupRole.Role.USE)
    ids = {"instance": instances[0].pk, "group": groups[0].pk, "address": address, "role": role, "job": made[0].pk}
    return {**ids, "jobs": jobs}


@pytest.mark.parametrize("path", sorted(COSTS))
def test_an_answer_costs_the_same_in_any_mesh(
    path: str, mesh: dict[str, Any], admin: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_of(admin)
    with django_assert_num_queries(COSTS[path] + has_more_pages(path, mesh)):
        answer = client.get(path.format(**mesh))
    assert answer.status_code == 200


@pytest.mark.usefixtures("awx24")
@pytest.mark.parametrize("path", sorted(COSTS_OF_24))
def test_so_it_does_in_24(
    path: str, mesh: dict[str, Any], admin: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_of(admin)
    with django_assert_num_queries(COSTS_OF_24[path] + has_more_pages(path, mesh)):
        answer = client.get(path.format(**mesh))
    assert answer.status_code == 200


def has_more_pages(path: str, mesh: dict[str, Any]) -> bool:
    return path.endswith("jobs/") and "graphs" not in path and mesh["jobs"] > Pagination.page_size


@pytest.mark.parametrize("path", sorted(PAGES))
def test_a_page_costs_the_same_in_any_mesh(
    path: str, mesh: dict[str, Any], admin: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_of(admin)
    with django_assert_num_queries(PAGES[path]):
        answer = client.get(path.format(**mesh), HTTP_ACCEPT="text/html")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize("path", ["/api/v2/instances/", "/api/v2/instances/{instance}/", "/api/v2/instance_groups/"])
def test_options_costs_at_most_two(
    path: str, mesh: dict[str, Any], admin: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_of(admin)
    with django_assert_max_num_queries(2):
        assert client.options(path.format(**mesh)).status_code == 200
