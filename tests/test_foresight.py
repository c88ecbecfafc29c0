"""Who asks and what is asked for, by one statement: guessed by whose the credentials were, and never trusted."""

import base64
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import OperationalError
from django.test import RequestFactory
from psycopg.errors import QueryCanceled
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from awx_compat import foresight
from awx_compat.views.base import ApiView
from instances import tokens
from instances.models import Instance, InstanceGroup, InstanceGroupRole, User
from instances.prepared import Asked, both, prepared

pytestmark = pytest.mark.django_db
Queries = DjangoAssertNumQueries


def bearer(user: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.issue(user)[1]}")
    return client


def basic(user: User) -> APIClient:
    client = APIClient()
    user.set_password("secret")
    user.save()
    credentials = base64.b64encode(f"{user.username}:secret".encode()).decode()
    client.credentials(HTTP_AUTHORIZATION=f"Basic {credentials}")
    return client


@pytest.fixture
def node(edge: InstanceGroup) -> Instance:
    return edge.instances.get()


def detail(node: Instance) -> str:
    return f"/api/v2/instances/{node.pk}/"


@pytest.mark.parametrize("by", [bearer, basic])
def test_the_second_answer_takes_one_statement(
    by: Callable[[User], APIClient], admin: User, node: Instance, django_assert_num_queries: Queries
) -> None:
    client = by(admin)
    first = client.get(detail(node))
    for path in (detail(node), f"/api/v2/instances/{node.hostname}/", f"/api/v2/instance_groups/{node.pk}999/"):
        with django_assert_num_queries(1):
            answer = client.get(path)
        assert answer.status_code == (404 if "groups" in path else 200)
        assert "groups" in path or answer.content == first.content


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"is_superuser": False}, 403),
        ({"is_superuser": False, "is_system_auditor": True}, 200),
        ({"is_active": False}, 401),
    ],
)
@pytest.mark.parametrize("by", [bearer, basic])
def test_a_right_that_is_lost_is_lost_at_once(
    by: Callable[[User], APIClient], change: dict[str, Any], status: int, admin: User, node: Instance
) -> None:
    client = by(admin)
    assert [client.get(detail(node)).status_code for _ in range(2)] == [200, 200]
    User.objects.filter(pk=admin.pk).update(**change)
    assert [client.get(detail(node)).status_code for _ in range(2)] == [status, status]


def test_a_role_counts_at_once(alice: User, node: Instance, edge: InstanceGroup) -> None:
    InstanceGroupRole.objects.filter(user=alice).delete()
    client = bearer(alice)
    assert [client.get(detail(node)).status_code for _ in range(2)] == [403, 403]
    role = InstanceGroupRole.objects.create(user=alice, instance_group=edge, role="read_role")
    assert client.get(detail(node)).status_code == 200
    role.delete()
    assert client.get(detail(node)).status_code == 403


def test_a_token_that_is_revoked_is_refused_at_once(admin: User, node: Instance) -> None:
    client = bearer(admin)
    assert [client.get(detail(node)).status_code for _ in range(2)] == [200, 200]
    tokens.every().delete()
    assert client.get(detail(node)).status_code == 401


def test_a_token_that_becomes_another_s_shows_what_that_one_sees(admin: User, bob: User, node: Instance) -> None:
    InstanceGroupRole.objects.filter(user=bob).delete()
    client = bearer(admin)
    assert [client.get(detail(node)).status_code for _ in range(2)] == [200, 200]
    tokens.every().update(user=bob)
    assert client.get(detail(node)).status_code == 403


def test_changes_are_seen_at_once(admin: User, node: Instance) -> None:
    client = bearer(admin)
    for number in range(3):
        Instance.objects.filter(pk=node.pk).update(cpu=number, errors=f"{number}")
        told = client.get(detail(node)).json()
        assert (told["cpu"], told["errors"]) == (f"{number}.0", f"{number}")


@prepared
def by_hostname(hostname: str) -> Any:
    return Instance.objects.with_load().filter(hostname=hostname)


@prepared
def by_username(username: str) -> Any:
    return User.objects.filter(username=username)


def test_each_of_both_may_find_nothing(admin: User, node: Instance, django_assert_num_queries: Queries) -> None:
    for username, hostname in (
        (admin.username, node.hostname),
        (admin.username, "x"),
        ("x", node.hostname),
        ("x", "y"),
    ):
        with django_assert_num_queries(1):
            user, instance = both(by_username.asked(username), by_hostname.asked(hostname))
        assert (user and user.record) == User.objects.filter(username=username).first()
        assert (instance and instance.record) == Instance.objects.filter(hostname=hostname).first()
        if instance:
            alone = by_hostname(hostname)
            assert {**vars(instance.record), "_state": 0} == {**vars(alone), "_state": 0}


@pytest.mark.parametrize("foreseen", [True, False])
def test_an_error_of_the_database_is_told_once_and_as_what_it_is(
    foreseen: bool, admin: User, node: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, asked = bearer(admin), []
    if foreseen:
        client.get(detail(node))

    def slow(*questions: Any) -> None:
        asked.append(questions)
        raise OperationalError from QueryCanceled()

    monkeypatch.setattr(foresight, "both", slow)
    monkeypatch.setattr(Asked, "row", slow)
    answer = client.get(detail(node))
    assert (answer.status_code, len(asked)) == (503, 1)
    assert answer["X-API-Product-Name"] == "AWX"
    assert "too long" in answer.json()["detail"]


@pytest.mark.django_db(transaction=True)
def test_an_answer_is_freed_without_the_collector(admin: User, node: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[weakref.ref[Any]] = []
    let_go = ApiView.let_go

    def watched(view: ApiView, response: Any) -> None:
        held.extend(map(weakref.ref, (view, view.request, response)))
        let_go(view, response)

    monkeypatch.setattr(ApiView, "let_go", watched)
    application, token = WSGIHandler(), tokens.issue(admin)[1]
    gc.disable()
    try:
        for path in (
            detail(node),
            "/api/v2/instances/",
            "/api/v2/metrics/",
        ):  # not by Django's client, which holds them
            asked = RequestFactory().get(path, headers={"Authorization": f"Bearer {token}"})
            application(asked.environ, lambda status, headers: None).close()
        assert len(held) == 9
        assert [reference() for reference in held] == [None] * 9
    finally:
        gc.enable()
