"""instances/{id}/ping/ below /api/fleet/v1/: for load balancers, whether a node is up, and nothing else."""

import itertools
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from instances.models import Instance

pytestmark = pytest.mark.django_db
UNKNOWN = ("987654", "nobody.example.org", "9" * 40, "a%00b", "exec-1%00", "%F0%9F%90%8D")


@pytest.fixture(autouse=True)
def switched_on(settings: Settings) -> None:
    settings.PUBLIC_INSTANCE_PING = True


def ping(key: object, method: str = "get", **headers: Any) -> Any:
    return getattr(APIClient(), method)(f"/api/fleet/v1/instances/{key}/ping/", **headers)


@pytest.mark.parametrize(
    ("node_state", "enabled", "node_type"),
    list(itertools.product(Instance.NodeState.values, (True, False), Instance.NodeType.values)),
)
def test_a_node_is_up_while_it_is_ready_and_enabled(node_state: str, enabled: bool, node_type: str) -> None:
    node = Instance.objects.create(
        hostname="exec+1.example.org", node_state=node_state, enabled=enabled, node_type=node_type
    )
    up = node_state == "ready" and enabled
    for key in (node.pk, "exec+1.example.org", "exec[+]1.example.org"):
        answer = ping(key)
        assert (answer.status_code, answer.json()) == ((200, {"up": True}) if up else (503, {"up": False}))


@pytest.mark.parametrize("key", UNKNOWN)
def test_a_node_that_does_not_exist_is_down_like_any_other(key: str) -> None:
    Instance.objects.create(hostname="exec-1", node_state="ready")
    down = Instance.objects.create(hostname="down", node_state="installed")
    answer, other = ping(key), ping(down.pk)
    assert (answer.status_code, answer.content) == (other.status_code, other.content) == (503, b'{"up":false}')
    assert answer.headers.keys() == other.headers.keys()


@pytest.mark.parametrize(("node_state", "status"), [("ready", 200), ("installed", 503)])
def test_head_is_answered_likewise(node_state: str, status: int) -> None:
    node = Instance.objects.create(hostname="exec-1", node_state=node_state)
    answer = ping(node.pk, "head")
    assert (answer.status_code, answer.content) == (status, b"")


@pytest.mark.parametrize("authorization", [None, "Bearer nope", "Basic bm9ib2R5Om5vcGU="])
@pytest.mark.parametrize("nodes", [1, 20])
def test_it_takes_one_query_and_reads_no_credentials(
    nodes: int, authorization: str | None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Instance.objects.bulk_create(Instance(hostname=f"exec-{n}", node_state="ready") for n in range(nodes))
    headers = {"HTTP_AUTHORIZATION": authorization} if authorization else {}
    with django_assert_num_queries(1):
        assert ping("exec-0", **headers).status_code == 200


@pytest.mark.parametrize("key", ["exec-1", *UNKNOWN])
def test_while_it_is_switched_off_it_reveals_nothing(
    key: str, settings: Settings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.PUBLIC_INSTANCE_PING = False
    Instance.objects.create(hostname="exec-1", node_state="ready")
    with django_assert_num_queries(0):
        answer = ping(key)
    assert answer.status_code == 404
    assert answer.json() == {"detail": "This service does not answer pings of instances: PUBLIC_INSTANCE_PING is off."}


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_changed_there(method: str) -> None:
    Instance.objects.create(hostname="exec-1", node_state="ready")
    assert ping("exec-1", method).status_code == 405
