"""Of what may be slow, a process answers one request at a time; all else is answered meanwhile."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.http import QueryDict
from oauth2_provider.models import AccessToken
from rest_framework.test import APIClient

from awx_compat import filters, turns
from awx_compat.exceptions import TryAgain
from awx_compat.turns import SLOW, Turns
from instances.database import limit_statements
from instances.models import Instance, InstanceGroup, User
from tests.conftest import client_of

SLOW_QUERIES = (
    "instances/?search=a",
    "instances/?errors__iregex=a",
    "instances/?not__hostname__contains=a",
    "instances/?rampart_groups=1",
    "instances/?order_by=peers",
    "instances/?order_by=-id,rampart_groups__name",
    "instance_groups/?unifiedjob=1",
    "unified_jobs/?name=a",
    "unified_jobs/?order_by=name",
    "users/?username__search=a",
)
OTHERS = (
    "ping/",
    "instances/",
    "instances/?page_size=200&page=1",
    "instances/?hostname=exec-1&enabled=true",
    "instances/?order_by=-capacity",
    "instances/exec-1/",
    "instance_groups/",
    "unified_jobs/?page_size=1",
    "me/",
    "metrics/",
)


@pytest.fixture
def client(admin: User) -> APIClient:
    Instance.objects.create(hostname="exec-1", node_type="execution")
    return client_of(admin)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONGEST_WAIT", 0.01)


@pytest.mark.django_db
def test_what_may_be_slow_waits_and_is_told_when_to_try_again(client: APIClient, impatient: None) -> None:
    with SLOW.turn():
        for path in SLOW_QUERIES:
            answer = client.get(f"/api/v2/{path}")
            assert (answer.status_code, answer["Retry-After"]) == (503, "2"), path
            assert "Try again" in answer.json()["detail"]


@pytest.mark.django_db
def test_nothing_else_waits(client: APIClient, impatient: None) -> None:
    with SLOW.turn():
        assert {path: client.get(f"/api/v2/{path}").status_code for path in OTHERS} == dict.fromkeys(OTHERS, 200)


@pytest.mark.django_db
def test_a_turn_ends_with_its_answer_whatever_that_is(client: APIClient, impatient: None) -> None:
    for path in ("instances/?errors__regex=(", "instances/?bogus__x=1", "instances/?id__gt=0&page=9", *SLOW_QUERIES):
        assert client.get(f"/api/v2/{path}").status_code in (200, 400, 404), path


@pytest.mark.django_db
def test_what_is_asked_together_has_one_limit(client: APIClient, settings: Any) -> None:
    """The page and the count of a list, each of which the database would answer."""
    Instance.objects.create(hostname="exec-2", errors="ab" * 100_000)
    asked = {"not__errors__icontains": [f"z{n}" for n in range(20)], "page_size": 1, "order_by": "errors"}
    assert client.get("/api/v2/instances/", asked).status_code == 200
    settings.STATEMENT_TIMEOUT = 1
    answer = client.get("/api/v2/instances/", asked)
    assert (answer.status_code, answer.json()) == (
        400,
        {"detail": "The query takes too long. Use fewer conditions or a smaller page."},
    )


@pytest.mark.django_db(transaction=True)
def test_a_limit_is_for_all_statements_and_ends_with_them() -> None:
    def ask() -> None:
        with connection.cursor() as cursor, limit_statements(400):
            for _ in range(100):
                cursor.execute("SELECT pg_sleep(0.05)")

    with pytest.raises(OperationalError, match="statement timeout"):
        ask()
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


@pytest.mark.django_db
@pytest.mark.parametrize("milliseconds", [0, 60_000])
def test_a_limit_that_is_far_away_costs_no_statement(milliseconds: int) -> None:
    with connection.cursor() as cursor, limit_statements(milliseconds):
        cursor.execute("SELECT 1")
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_one_is_answered_at_a_time_and_few_wait() -> None:
    own, begun, may_end = Turns(), threading.Semaphore(0), threading.Event()
    at_once, most = 0, 0

    def answer() -> str:
        nonlocal at_once, most
        try:
            with own.turn():
                at_once += 1
                most = max(most, at_once)
                begun.release()
                may_end.wait(10)
                at_once -= 1
        except TryAgain:
            return "refused"
        return "answered"

    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(answer) for _ in range(8)]
        begun.acquire()
        refused = [each.result() for each in wait(asked, timeout=1).done]
        may_end.set()
        results = [each.result(10) for each in asked]
    assert refused == ["refused"] * 5
    assert sorted(results) == ["answered"] * 3 + ["refused"] * 5
    assert most == 1


def test_what_is_short_is_never_refused() -> None:
    """Every thread of a process asks at the same moment, again and again."""
    own, together = Turns(), threading.Barrier(4)

    def answer(_: int) -> bool:
        for _ in range(100):
            together.wait(10)
            with own.turn():
                pass
        return True

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(answer, range(4)))


@pytest.mark.parametrize(
    "filterset",
    [
        filters.filterset(Instance),
        filters.filterset(InstanceGroup),
        filters.filterset(User),
        filters.filterset(AccessToken),
    ],
)
def test_every_relation_and_every_lookup_may_be_slow(filterset: Any) -> None:
    for name, column in filterset.base_filters.items():
        may_be = column.crosses or "__" in name
        assert filters.may_be_slow(filterset, QueryDict(f"{name}=1")) is may_be, name
        assert filters.may_be_slow(filterset, QueryDict(f"order_by=id,-{name}")) is may_be, name
        assert filters.may_be_slow(filterset, QueryDict(f"{name}__regex=1")), name
