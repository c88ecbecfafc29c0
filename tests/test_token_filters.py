"""Tokens are filtered, ordered and searched by the fields of AWX's OAuth2AccessToken, in both dialects."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from oauth2_provider.models import AccessToken, Application
from rest_framework.test import APIClient

from awx_compat.dialects import DIALECTS
from instances import tokens
from instances.models import TokenNote, User
from tests.conftest import client_of, speaking

URL = "/api/v2/tokens/"
DESCRIPTIONS = ("backup", "grafana", "grafana of bob", "")


@pytest.fixture(autouse=True, params=DIALECTS)
def dialect(request: pytest.FixtureRequest, db: None) -> Iterator[None]:
    with speaking(request.param):
        yield


@pytest.fixture
def client(admin: User, alice: User) -> APIClient:
    """A client of the administrator, where alice has these tokens: the last has no note, the second an application."""
    client = client_of(admin)
    for n, description in enumerate(DESCRIPTIONS):
        token, _ = tokens.issue(alice, "read" if n % 2 else "write", description)
        times = {"created": token.created + timedelta(hours=n), "updated": token.created + timedelta(days=10 - n)}
        AccessToken.objects.filter(pk=token.pk).update(**times)
    TokenNote.objects.filter(description="").delete()
    application = Application.objects.create(
        name="portal", client_type="public", authorization_grant_type="password", user=admin
    )
    AccessToken.objects.filter(note__description="grafana").update(application=application)
    return client


@pytest.fixture(params=["tokens", "users/alice/tokens", "users/alice/personal_tokens", "users/alice/authorized_tokens"])
def path(request: pytest.FixtureRequest) -> str:
    return f"/api/v2/{request.param}/"


def found(client: APIClient, path: str = URL, **query: object) -> list[str]:
    """The descriptions of alice's tokens that a list has."""
    answer = client.get(path, query)
    assert answer.status_code == 200, answer.content
    shown = [token for token in answer.json()["results"] if token["summary_fields"]["user"]["username"] == "alice"]
    return [token["description"] for token in shown]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"description": "grafana"}, {"grafana"}),
        ({"description__iexact": "GRAFANA"}, {"grafana"}),
        ({"description__icontains": "graf"}, {"grafana", "grafana of bob"}),
        ({"description__in": "backup,grafana"}, {"backup", "grafana"}),
        ({"description__regex": "b$"}, {"grafana of bob"}),
        ({"description": ""}, {""}),
        ({"not__description__icontains": "graf"}, {"backup", ""}),
        ({"or__description": "backup", "or__scope": "read"}, {"backup", "grafana", ""}),
        ({"search": "graf,bob"}, {"grafana of bob"}),
        ({"search": "BACK"}, {"backup"}),
        ({"user__username": "alice", "scope": "write"}, {"backup", "grafana of bob"}),
        ({"user__search": "ali"}, set(DESCRIPTIONS)),
        ({"last_used__isnull": "true"}, set(DESCRIPTIONS)),
        ({"last_used__isnull": "false"}, set()),
        ({"last_used__gt": "2020-01-01"}, set()),
        ({"not__last_used__gt": "2020-01-01"}, set(DESCRIPTIONS)),
        ({"or__not__last_used": "2020-01-01"}, set(DESCRIPTIONS)),
        ({"chain__not__last_used": ["2020-01-01", "2021-01-01"]}, set(DESCRIPTIONS)),
        ({"not__last_used__isnull": "true"}, set()),
        ({"not__application": "987654"}, set(DESCRIPTIONS)),
        ({"not__application__name": "portal"}, {"backup", "grafana of bob", ""}),
        ({"application__isnull": "true"}, {"backup", "grafana of bob", ""}),
        ({"application": "null"}, {"backup", "grafana of bob", ""}),
        ({"application__isnull": "false"}, {"grafana"}),
        ({"application__name": "portal"}, {"grafana"}),
        ({"application__name__icontains": "PORT"}, {"grafana"}),
        ({"application__search": "port"}, {"grafana"}),
        ({"application__id": "987654"}, set()),
        ({"modified__gt": "2999-01-01"}, set()),
        ({"modified__gte": "2000-01-01", "created__gte": "2000-01-01"}, set(DESCRIPTIONS)),
    ],
)
def test_filters_and_search(query: dict[str, str], wanted: set[str], path: str, client: APIClient) -> None:
    assert set(found(client, path, **query)) == wanted


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        ("description", ["", "backup", "grafana", "grafana of bob"]),
        ("created", list(DESCRIPTIONS)),
        ("modified", list(DESCRIPTIONS)[::-1]),
        ("scope,created", ["grafana", "", "backup", "grafana of bob"]),
        ("application__name,created", ["grafana", "backup", "grafana of bob", ""]),
        ("application,created", ["grafana", "backup", "grafana of bob", ""]),
        ("last_used,created", list(DESCRIPTIONS)),
    ],
)
def test_orders(order: str, wanted: list[str], path: str, client: APIClient) -> None:
    assert found(client, path, order_by=order) == wanted
    *others, last = order.split(",")
    reverse = ",".join(f"-{name}" for name in [*others, last])
    if not {"application", "application__name", "last_used"} & set(others):  # NULLs come first then
        assert found(client, path, order_by=reverse) == wanted[::-1]
    assert set(found(client, path, order_by=reverse)) == set(wanted)


def test_pages_in_any_order_have_every_token_once(client: APIClient) -> None:
    for order in ("application__name", "last_used", "description", "modified"):
        shown: list[int] = []
        page: Any = URL
        while page:
            body = client.get(page, {} if "?" in page else {"order_by": order, "page_size": 2}).json()
            shown += [token["id"] for token in body["results"]]
            page = body["next"]
        assert sorted(shown) == list(AccessToken.objects.order_by("id").values_list("id", flat=True)), order


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ({"colour": "x"}, 400, "OAuth2AccessToken has no field named 'colour'"),
        ({"order_by": "token_checksum"}, 400, "OAuth2AccessToken has no field named 'token_checksum'"),
        ({"token": "x"}, 400, "OAuth2AccessToken has no field named 'token'"),
        ({"application__colour": "x"}, 400, "OAuth2Application has no field named 'colour'"),
        ({"application__client_secret": "x"}, 403, "Filtering on password fields is not allowed."),
        ({"user__password": "x"}, 403, "Filtering on password is not allowed."),
    ],
)
def test_what_tokens_are_not_found_by(query: dict[str, str], status: int, detail: str, client: APIClient) -> None:
    answer = client.get(URL, query)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


def test_others_search_their_own_alone(client: APIClient, bob: User) -> None:
    tokens.issue(bob, "read", "grafana too")
    answer = client_of(bob).get(URL, {"search": "grafana"}).json()
    assert [token["description"] for token in answer["results"]] == ["grafana too"]
    assert client_of(bob).get(URL, {"created__lte": timezone.now().isoformat()}).status_code == 200


def test_options_name_the_searches(client: APIClient) -> None:
    body = client.options(URL).json()
    assert body["search_fields"] == ["description"]
    assert body["related_search_fields"] == ["user__search", "application__search"]
    filterable = {name for name, field in body["actions"]["GET"].items() if field.get("filterable")}
    assert {"description", "application", "modified", "created", "expires", "scope", "user"} <= filterable
    assert not {"token", "refresh_token"} & filterable
