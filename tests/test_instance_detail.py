"""GET /api/v2/instances/{id}/, beyond what the recordings show."""

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries as Queries

from instances.models import Instance, InstanceGroup, User
from tests.conftest import client_of
from tests.make import make_jobs, make_link

pytestmark = pytest.mark.django_db


def url(key: object) -> str:
    return f"/api/v2/instances/{key}/"


@pytest.mark.parametrize("links", [1, 20])
@pytest.mark.parametrize("jobs", [0, 200])
def test_costs_two_queries(
    links: int,
    jobs: int,
    admin: User,
    bob: User,
    edge: InstanceGroup,
    django_assert_num_queries: Queries,
) -> None:
    instance = edge.instances.get()
    for number in range(links):
        make_link(source=instance, target=Instance.objects.create(hostname=f"peer-{number}"))
    make_jobs(jobs, execution_node=instance.hostname, status="running")
    for user in (admin, bob):
        client = client_of(user)
        # the token with its user, the instance with everything that is told of it
        with django_assert_num_queries(2):
            body = client.get(url(instance.pk)).json()
        assert len(body["peers"]) == links
        assert body["jobs_running"] == jobs


def test_counts_jobs_by_hostname_and_status(admin: User) -> None:
    instance = Instance.objects.create(hostname="hybrid-1", node_type="hybrid", capacity=50)
    for status in ("new", "pending", "waiting", "running", "successful", "failed", "error", "canceled"):
        make_jobs(1, execution_node="hybrid-1", controller_node="hybrid-1", status=status, task_impact=6)
    make_jobs(3, execution_node="hybrid-10", status="running", task_impact=100)
    body = client_of(admin).get(url(instance.pk)).json()
    assert (body["jobs_running"], body["jobs_total"]) == (2, 8)
    assert body["consumed_capacity"] == 2 * 6 + 2
    assert body["percent_capacity_remaining"] == 72.0


def test_peers_are_ordered_by_hostname_and_links_by_id(admin: User) -> None:
    source = Instance.objects.create(hostname="source")
    hostnames = ["b", "B", "é", "a", "_", "10", "9"]
    for hostname in hostnames:
        make_link(source=source, target=Instance.objects.create(hostname=hostname))
    body = client_of(admin).get(url(source.pk)).json()
    assert body["peers"] == sorted(hostnames)  # Python orders by code point, as AWX's database does
    assert [link["target"] for link in body["summary_fields"]["links"]] == hostnames


@pytest.mark.parametrize(
    ("started", "finished", "pending"),
    [(None, None, False), (None, 5, False), (5, None, True), (5, 4, True), (5, 5, False), (5, 6, False)],
)
def test_health_check_pending(started: int | None, finished: int | None, pending: bool, admin: User) -> None:
    def at(minute: int | None) -> datetime | None:
        return None if minute is None else datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)

    instance = Instance.objects.create(
        hostname="exec", health_check_started=at(started), last_health_check=at(finished)
    )
    assert client_of(admin).get(url(instance.pk)).json()["health_check_pending"] is pending


@pytest.mark.parametrize("hostname", ["exec 1", "a+b", "fd00:10::3", "ünïcode", "a&b=c", "100%", "'; drop table x --"])
def test_is_found_by_the_named_url_that_it_tells(hostname: str, admin: User) -> None:
    instance = Instance.objects.create(hostname=hostname)
    client = client_of(admin)
    named_url = client.get(url(instance.pk)).json()["related"]["named_url"]
    quoted = named_url if hostname != "100%" else "/api/v2/instances/100%25/"
    assert client.get(quoted).json()["id"] == instance.pk


def test_a_number_is_an_id_before_it_is_a_hostname(admin: User) -> None:
    instance = Instance.objects.create(hostname="other")
    Instance.objects.create(hostname=str(instance.pk))
    assert client_of(admin).get(url(instance.pk)).json()["hostname"] == "other"


@pytest.mark.parametrize(
    "key",
    [
        "0",
        "-1",
        "9" * 18,
        "9" * 19,
        "9" * 20,
        "9" * 5000,
        "1e3",
        "0x1",
        "٣",
        "²",
        "1.0",
        "null",
        "%00",
        "a%00b",
        "%ff",
        "%ED%A0%80",
        "a" * 5000,
    ],
)
def test_an_id_of_any_size_and_shape_is_answered(key: str, admin: User) -> None:
    answer = client_of(admin).get(url(key))
    assert answer.status_code == 404
    assert answer.json() == {"detail": "Not found."}


def test_leading_zeros_are_the_same_id(admin: User) -> None:
    instance = Instance.objects.create(hostname="exec")
    assert client_of(admin).get(url(f"000{instance.pk}")).json()["id"] == instance.pk


def test_who_sees_what(admin: User, auditor: User, alice: User, bob: User, edge: InstanceGroup) -> None:
    member, other = edge.instances.get(), Instance.objects.create(hostname="other")
    for user, statuses in {admin: (200, 200), auditor: (200, 200), bob: (200, 403), alice: (403, 403)}.items():
        client = client_of(user)
        assert tuple(client.get(url(record.pk)).status_code for record in (member, other)) == statuses
        by_name = tuple(200 if status == 200 else 404 for status in statuses)
        assert tuple(client.get(url(record.hostname)).status_code for record in (member, other)) == by_name


def test_the_health_check_is_offered_to_those_who_may_read_it(
    admin: User, auditor: User, bob: User, edge: InstanceGroup
) -> None:
    for user, offered in {admin: True, auditor: True, bob: False}.items():
        related = client_of(user).get(url(edge.instances.get().pk)).json()["related"]
        assert ("health_check" in related) is offered
