"""Access tokens: making, seeing, changing and revoking them, and what a scope allows."""

import json
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from oauth2_provider.models import AccessToken, Application, RefreshToken
from rest_framework.test import APIClient

from instances import tokens
from instances.models import TokenNote, User
from tests.conftest import client_of, token_for

pytestmark = pytest.mark.django_db
URL = "/api/v2/tokens/"


def with_token(token: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def test_a_token_is_told_once_and_works(alice: User) -> None:
    client = client_of(alice)
    made = client.post(URL, {"description": "script", "scope": "write"}, format="json")
    assert made.status_code == 201
    body = made.json()
    assert made["Location"] == body["url"] == f"{URL}{body['id']}/"
    assert with_token(body["token"]).get("/api/v2/me/").json()["results"][0]["username"] == "alice"
    again = client.get(body["url"]).json()
    assert (again["token"], again["description"], again["scope"]) == ("************", "script", "write")
    assert body["token"] not in str(AccessToken.objects.values())


def test_a_read_token_changes_nothing(admin: User) -> None:
    client = with_token(token_for(admin, scope="read"))
    assert client.get("/api/v2/instances/").status_code == 200
    assert client.options("/api/v2/instances/").status_code == 200
    for method, path in (("post", URL), ("delete", f"{URL}1/"), ("post", "/api/v2/instances/")):
        answer = getattr(client, method)(path, {}, format="json")
        assert (answer.status_code, answer.json()) == (
            403,
            {"detail": "You do not have permission to perform this action."},
        )
    assert AccessToken.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scope": "admin"}, "scope"),
        ({"scope": "read admin"}, "scope"),
        ({"scope": ""}, "scope"),
        ({"scope": None}, "scope"),
        ({"scope": ["read"]}, "scope"),
        ({"description": {"a": 1}}, "description"),
        ({"description": "a\0b"}, "description"),
        ({"description": "x" * 1_001}, "description"),
    ],
)
def test_what_a_token_cannot_be(body: dict[str, Any], field: str, alice: User) -> None:
    answer = client_of(alice).post(URL, body, format="json")
    assert answer.status_code == 400
    assert list(answer.json()) == [field]
    assert AccessToken.objects.count() == 1


@pytest.mark.parametrize("text", ["", "{", "[", "null", '"x"', "[]", "\xff"])
def test_bodies_that_are_no_objects(text: str, alice: User) -> None:
    answer = client_of(alice).generic("POST", URL, text, content_type="application/json")
    assert answer.status_code == (201 if text == "" else 400)
    assert "Traceback" not in answer.content.decode()


def test_only_json_is_read(alice: User) -> None:
    answer = client_of(alice).post(URL, {"scope": "read"})
    assert answer.status_code == 415


def test_who_sees_and_revokes(admin: User, auditor: User, alice: User, bob: User) -> None:
    clients = {user.username: client_of(user) for user in (admin, auditor, alice, bob)}
    counts = {name: client.get(URL).json()["count"] for name, client in clients.items()}
    assert counts == {"admin": 4, "auditor": 4, "alice": 1, "bob": 1}
    of_bob = AccessToken.objects.get(user=bob).pk
    assert clients["alice"].get(f"{URL}{of_bob}/").status_code == 403
    assert clients["auditor"].get(f"{URL}{of_bob}/").status_code == 200
    assert clients["auditor"].delete(f"{URL}{of_bob}/").status_code == 403
    assert clients["admin"].delete(f"{URL}{of_bob}/").status_code == 204
    assert clients["bob"].get("/api/v2/me/").status_code == 401
    for key in ("0", "99999", "9" * 30, "x"):
        assert clients["admin"].get(f"{URL}{key}/").status_code == 404


def test_the_note_and_the_scope_can_change(alice: User) -> None:
    client = client_of(alice)
    url = client.post(URL, {"description": "one"}, format="json").json()["url"]
    assert client.patch(url, {"description": "two"}, format="json").json()["description"] == "two"
    assert client.patch(url, {"scope": "read"}, format="json").json()["scope"] == "read"
    assert client.get(url).json()["description"] == "two"
    assert client.patch(url, {"scope": "all"}, format="json").status_code == 400
    assert client.patch(url, {"description": "x" * 1_000}, format="json").status_code == 200
    assert client.patch(url, {"description": "x" * 1_001}, format="json").status_code == 400
    with pytest.raises(IntegrityError), transaction.atomic():
        TokenNote.objects.update(description="x" * 1_001)


@pytest.mark.parametrize(
    ("application", "reason"),
    [
        (1, "OAuth2Application matching query does not exist."),
        ("1", "OAuth2Application matching query does not exist."),
        (False, "OAuth2Application matching query does not exist."),
        ("x", "Bad data found in related field application."),
        ([], "Bad data found in related field application."),
        (float("inf"), "Bad data found in related field application."),
    ],
)
def test_a_token_belongs_to_no_application(application: Any, reason: str, admin: User, alice: User) -> None:
    for user in (admin, alice):
        body = json.dumps({"application": application, "scope": "bogus"})
        answer = client_of(user).post(URL, body, content_type="application/json")
        assert (answer.status_code, answer.json()) == (400, {"detail": reason})


@pytest.mark.parametrize("description", [None, "", [], {}, 0])
@pytest.mark.parametrize("application", [None, ""])
def test_what_is_empty_is_left_out(application: Any, description: Any, alice: User) -> None:
    made = client_of(alice).post(URL, {"application": application, "description": description}, format="json")
    assert (made.status_code, made.json()["application"], made.json()["description"]) == (201, None, "")


def test_an_application_cannot_be_set_later(alice: User) -> None:
    made = client_of(alice).post(URL, {"scope": "read"}, format="json").json()
    changed = client_of(alice).put(made["url"], {"application": 99, "description": None}, format="json")
    assert (changed.status_code, changed.json()["application"], changed.json()["scope"]) == (200, None, "write")


def test_who_sees_a_user_makes_a_token_of_their_own_there(admin: User, alice: User, bob: User) -> None:
    for user, path in [(admin, "alice"), (alice, str(admin.pk)), (alice, "alice")]:
        made = client_of(user).post(f"/api/v2/users/{path}/personal_tokens/", {}, format="json")
        assert (made.status_code, made.json()["user"]) == (201, user.pk)
    assert client_of(alice).post(f"/api/v2/users/{bob.pk}/personal_tokens/", {}, format="json").status_code == 403
    assert client_of(alice).post("/api/v2/users/bob/personal_tokens/", {}, format="json").status_code == 404


def test_revoking_all_leaves_nothing_to_make_new_tokens_of(alice: User, bob: User) -> None:
    for user in (alice, bob):
        application = Application.objects.create(client_type="confidential", authorization_grant_type="password")
        token, _ = tokens.issue(user)
        RefreshToken.objects.create(user=user, application=application, token=f"of {user}", access_token=token)
    tokens.revoke_all(alice)
    assert [token.user for token in AccessToken.objects.all()] == [bob]
    assert [token.user for token in RefreshToken.objects.all()] == [bob]
