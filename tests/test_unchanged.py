"""Who has the answer already is told so by one statement, and only while it is the answer."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from django.db import OperationalError
from django.test import Client
from psycopg.errors import QueryCanceled
from pytest_django import DjangoAssertNumQueries as Queries

from awx_compat import unchanged
from instances import tokens
from instances.models import Instance, InstanceGroup, InstanceGroupRole, User
from tests.make import make_jobs

pytestmark = pytest.mark.django_db
TIMES = ("X-API-Time", "X-API-Total-Time", "X-API-Request-Id", "DJANGO-GUID")


class Asking:
    """Somebody who asks for a record again and again."""

    def __init__(self, user: User, path: str) -> None:
        self.path = path
        self.client = Client(headers={"Authorization": f"Bearer {tokens.issue(user)[1]}"})
        self.etag = self.ask()["ETag"]

    def ask(self, **headers: str) -> Any:
        return self.client.get(self.path, headers=headers)

    def again(self, **headers: str) -> Any:
        return self.ask(**{"If-None-Match": self.etag, **headers})


@pytest.fixture
def node(edge: InstanceGroup) -> Instance:
    return edge.instances.get()


@pytest.fixture
def asking(bob: User, node: Instance) -> Asking:
    """Bob, who sees the node by a role, has asked for it until the short way is taken."""
    asking = Asking(bob, f"/api/v2/instances/{node.pk}/")
    assert [asking.again().status_code for _ in range(2)] == [304, 304]
    return asking


def test_it_takes_one_statement_and_tells_what_the_long_way_tells(
    asking: Asking, django_assert_num_queries: Queries
) -> None:
    with django_assert_num_queries(1):
        short = asking.again()
    unchanged.known.clear()
    long = asking.again()
    assert (short.status_code, short.content) == (long.status_code, long.content) == (304, b"")
    assert short["ETag"] == asking.etag
    assert set(short.headers) == set(long.headers)
    for name in set(long.headers) - set(TIMES):
        assert short[name] == long[name], name


def test_it_is_taken(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("awx_compat.views.instances.InstanceDetail.get", None)
    assert asking.again().status_code == 304


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda user, node: Instance.objects.filter(pk=node.pk).update(errors="broken"), 200),
        (lambda user, node: make_jobs(1, execution_node=node.hostname, status="running"), 200),
        (lambda user, node: node.peers.add(Instance.objects.create(hostname="other")), 200),
        (lambda user, node: tokens.every().delete(), 401),
        (lambda user, node: tokens.every().update(expires="2020-01-01T00:00Z"), 401),
        (lambda user, node: User.objects.filter(pk=user.pk).update(is_active=False), 401),
        (lambda user, node: InstanceGroupRole.objects.all().delete(), 403),
        (lambda user, node: node.delete(), 404),
    ],
)
def test_what_changes_counts_at_once(
    change: Callable[[User, Instance], Any], status: int, asking: Asking, bob: User, node: Instance
) -> None:
    change(bob, node)
    assert [asking.again().status_code for _ in range(3)] == [status] * 3


def test_what_another_reader_saw_is_no_basis(asking: Asking, alice: User, edge: InstanceGroup) -> None:
    role = InstanceGroupRole.objects.create(user=alice, instance_group=edge, role="read_role")
    tokens.every().update(user=alice)
    assert asking.again().status_code == 304
    role.delete()
    assert asking.again().status_code == 403


def test_another_request_is_another(asking: Asking) -> None:
    assert asking.again(Accept="text/html").status_code == 200
    assert asking.again(**{"If-None-Match": '"x"'}).status_code == 200
    assert asking.again(Authorization="Bearer x").status_code == 401
    assert asking.ask().status_code == 200


def test_a_group_is_told_so_too(bob: User, edge: InstanceGroup, django_assert_num_queries: Queries) -> None:
    asking = Asking(bob, f"/api/v2/instance_groups/{edge.pk}/")
    assert [asking.again().status_code for _ in range(2)] == [304, 304]
    with django_assert_num_queries(1):
        assert asking.again().status_code == 304
    InstanceGroup.objects.filter(pk=edge.pk).update(max_forks=7)
    assert asking.again().json()["max_forks"] == 7


def test_passwords_leave_nothing_behind(admin: User, node: Instance) -> None:
    admin.set_password("secret")
    admin.save()
    asking = Asking(admin, f"/api/v2/instances/{node.pk}/")
    asking.client = Client(headers={"Authorization": "Basic YWRtaW46c2VjcmV0"})
    unchanged.known.clear()
    assert [asking.again().status_code for _ in range(3)] == [304] * 3
    assert not unchanged.known


def test_only_so_many_are_kept(bob: User, node: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unchanged, "MOST", 3)
    asking = Asking(bob, f"/api/v2/instances/{node.pk}/")
    unchanged.known.clear()
    for number in range(10):
        for _ in range(2):
            assert asking.again(**{"X-Number": f"{number}"}).status_code == 304
        assert len(unchanged.known) == min(number + 1, 3)


def test_all_nodes_of_a_large_mesh_are_polled_so(admin: User, django_assert_num_queries: Queries) -> None:
    nodes = Instance.objects.bulk_create(Instance(hostname=f"node-{number}") for number in range(1000))
    first, *others = (Asking(admin, f"/api/v2/instances/{node.pk}/") for node in nodes[::50])
    unchanged.known.clear()
    for node in nodes:
        path = f"/api/v2/instances/{node.pk}/"
        tag = first.client.get(path)["ETag"]
        first.client.get(path, headers={"If-None-Match": tag})
    assert len(unchanged.known) == 1000
    for asking in (first, *others):
        asking.client = first.client
        with django_assert_num_queries(1):
            assert asking.again().status_code == 304


def test_traces_make_no_other_request_of_it(asking: Asking, django_assert_num_queries: Queries) -> None:
    known = dict(unchanged.known)
    for number in range(3):
        with django_assert_num_queries(1):
            assert asking.again(**{"traceparent": f"00-{number}", "X-Request-Id": f"{number}"}).status_code == 304
    assert unchanged.known == known


def test_where_it_cannot_be_asked_the_long_way_answers(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*questions: Any) -> None:
        raise OperationalError from QueryCanceled()

    monkeypatch.setattr(unchanged, "both", busy)
    assert asking.again().status_code == 304
    assert asking.again(**{"If-None-Match": '"x"'}).status_code == 200


def test_no_hash_of_a_password_is_kept(asking: Asking, bob: User) -> None:
    bob.refresh_from_db()
    assert bob.password
    kept = [(answered.found, answered.headers, answered.what.values) for answered in unchanged.known.values()]
    assert kept
    assert bob.password not in repr(kept)


def test_a_tag_that_a_proxy_weakened_is_known(asking: Asking) -> None:
    assert asking.ask(**{"If-None-Match": f"W/{asking.etag}"}).status_code == 304
    assert asking.ask(**{"If-None-Match": f'"x", W/{asking.etag}'}).status_code == 304
    assert asking.ask(**{"If-None-Match": 'W/"x"'}).status_code == 200


def test_the_wire_tells_no_length_of_what_is_not_sent(service: str) -> None:
    with requests.Session() as session:
        session.headers["Authorization"] = "Bearer oracle-admin-token"
        whole = session.get(f"{service}/api/v2/instances/1/")
        for _ in range(3):
            known = session.get(f"{service}/api/v2/instances/1/", headers={"If-None-Match": whole.headers["ETag"]})
            assert (known.status_code, known.content, known.headers["ETag"]) == (304, b"", whole.headers["ETag"])
            assert "Content-Length" not in known.headers
