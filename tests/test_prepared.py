"""Queries that are compiled once: the same records as without, for any values, in any thread."""

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from pytest_django import DjangoAssertNumQueries

from instances import tokens
from instances.models import Instance, InstanceGroup, User
from instances.prepared import prepared, prepared_listing
from instances.reader import Reader
from tests.conftest import client_of
from tests.make import make_jobs, make_link

pytestmark = pytest.mark.django_db


@prepared
def by_name(name: str) -> QuerySet[Instance]:
    return Instance.objects.with_load().with_peers().filter(hostname=name)


@prepared
def by_enabled(enabled: bool, pk: int) -> QuerySet[Instance]:
    return Instance.objects.filter(enabled=enabled, pk=pk)


def test_each_value_finds_its_own_record(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    names = ["exec-1", "exec-2", 'it\'s %s \\ "quoted"', "é😀"]
    for name in names:
        Instance.objects.create(hostname=name)
    for name in [*names, *names]:
        with django_assert_num_queries(1):
            found = by_name(name)
        assert (found.hostname, found.load.jobs_total, found.peer_hostnames) == (name, 0, [])
    assert by_name("nobody") is None
    assert by_name("placeholder") is None


def attributes(record: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if not name.startswith("_")}


ALL: dict[str, Callable[[Reader], QuerySet[Any]]] = {
    "instances": lambda reader: Instance.objects.with_load().with_peers().with_links().order_by("id"),
    "groups": lambda reader: InstanceGroup.objects.with_load().with_administration_by(reader).order_by("id"),
    "users": lambda reader: User.objects.with_rights().order_by("id"),
    "tokens": lambda reader: tokens.every(),
}


@prepared_listing
def all_of(kind: str, reader_id: int) -> QuerySet[Any]:
    return ALL[kind](Reader(reader_id))


@pytest.mark.parametrize("kind", ALL)
def test_a_record_is_what_the_queryset_gives(
    kind: str, admin: User, bob: User, edge: InstanceGroup, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    other = Instance.objects.create(hostname="é😀", cpu=Decimal("0.5"), memory=2**40, errors="%s 'quoted'")
    make_link(source=edge.instances.get(), target=other)
    make_jobs(3, execution_node="exec-1", status="running", instance_group=edge)
    tokens.issue(admin, "read", "note")
    expected = [attributes(record) for record in ALL[kind](bob.reader)]
    for _ in range(2):
        with django_assert_num_queries(1):
            found = all_of(bob.pk, shape=(kind,))[0:100]
        assert [attributes(record) for record in found] == expected
    with django_assert_num_queries(1):
        assert [token.user for token in all_of(bob.pk, shape=("tokens",))[0:1]] == [admin]


def test_the_shape_decides_what_the_query_looks_like() -> None:
    one = Instance.objects.create(hostname="one")
    other = Instance.objects.create(hostname="other", enabled=False)
    assert by_enabled(one.pk, shape=(True,)) == one
    assert by_enabled(one.pk, shape=(False,)) is None
    assert by_enabled(other.pk, shape=(False,)) == other


def test_it_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    by_name("first")
    monkeypatch.setattr(Instance.objects.all().query.__class__, "add_annotation", None)
    by_name("second")


def test_threads_do_not_share_values() -> None:
    built = threading.Barrier(4)
    wrong: list[Any] = []

    def ask(number: int) -> None:
        built.wait()
        own = f"nobody-{number}"

        def check(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            wrong.extend([] if own in params else [params])
            return execute(sql, params, many, context)

        with connection.execute_wrapper(check):
            for _ in range(50):
                by_name(own)
        connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_users_do_not_see_by_the_rights_of_those_before_them(
    admin: User, auditor: User, alice: User, bob: User, edge: InstanceGroup
) -> None:
    """The query is compiled for the first reader of a kind; every other brings an id of their own."""
    path = f"/api/v2/instances/{edge.instances.get().pk}/"
    carol = User.objects.create_user("carol", password="carol")
    expected = {admin: 200, auditor: 200, bob: 200, alice: 403, carol: 403}
    for _ in range(2):
        for user, status in expected.items():
            assert client_of(user).get(path).status_code == status
    group = f"/api/v2/instance_groups/{edge.pk}/"
    told = {user: client_of(user).get(group) for user in (bob, admin, auditor, bob)}
    assert {user.username: each.json()["summary_fields"]["user_capabilities"] for user, each in told.items()} == {
        "bob": {"edit": False, "delete": False},
        "admin": {"edit": True, "delete": True},
        "auditor": {"edit": False, "delete": False},
    }
