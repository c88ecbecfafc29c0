"""Users are created, changed and deleted over the API, in both dialects."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client, override_settings
from oauth2_provider.models import AccessToken

from awx_compat.dialects import DIALECTS
from instances import accounts, hashing
from instances.models import InstanceGroupRole, User
from tests.conftest import client_of, speaking
from tests.test_races import meanwhile

URL = "/api/v2/users/"
GOOD = "four-Unusual-words"
NEW = {
    "username": "carol.o+1@example.org",
    "first_name": "Cärol",
    "last_name": "O'Hara 🌍",
    "email": "carol@example.org",
    "is_superuser": True,
    "is_system_auditor": True,
}
FORBIDDEN = {"detail": "You do not have permission to perform this action."}


@pytest.fixture(autouse=True, params=DIALECTS)
def dialect(request: pytest.FixtureRequest, db: None) -> Iterator[None]:
    with speaking(request.param):
        yield


def url_of(user: User) -> str:
    return f"{URL}{user.pk}/"


def stored(user: User) -> dict[str, Any]:
    return User.objects.filter(pk=user.pk).values().get()


def sent(user: User | None, method: str, path: str, body: Any = None) -> Any:
    return client_of(user).generic(method, path, json.dumps(body), "application/json")


# --- creation


def test_a_superuser_creates_a_user(admin: User) -> None:
    made = sent(admin, "POST", URL, {**NEW, "password": GOOD})
    body = made.json()
    assert (made.status_code, made["Location"]) == (201, body["url"])
    assert {name: body[name] for name in NEW} == NEW
    assert body["password"] == "$encrypted$"
    assert body == sent(admin, "GET", body["url"]).json()
    user = User.objects.get(pk=body["id"])
    assert GOOD not in made.content.decode() + str(stored(user))
    assert user.check_password(GOOD)
    assert (user.is_active, user.is_staff) == (True, True)


def test_a_user_has_no_rank_unless_it_is_given(admin: User) -> None:
    made = sent(admin, "POST", URL, {"username": "carol", "password": GOOD}).json()
    user = User.objects.get(pk=made["id"])
    assert {user.is_superuser, user.is_system_auditor, user.is_staff} == {False}
    assert sent(user, "GET", URL).status_code == 200


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        *(({"password": password}, "password") for password in ("", None, [], "$encrypted$", "short", "password1234")),
        ({"password": "carol.o+1@example.org"}, "password"),
        ({"password": "a\0bcdefghijkl"}, "password"),
        ({"password": ["four", "words"]}, "password"),
        *(({"username": name}, "username") for name in ("", None, "a b", "a/b", "x" * 151, "alice", {"a": 1})),
        *(({"email": email}, "email") for email in ("nobody", 5)),
        ({"first_name": "x" * 151}, "first_name"),
        ({"is_superuser": "perhaps"}, "is_superuser"),
    ],
)
def test_what_no_user_can_be(changes: dict[str, Any], field: str, admin: User, alice: User) -> None:
    answer = sent(admin, "POST", URL, {**NEW, "password": GOOD, **changes})
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert User.objects.count() == 2


@pytest.mark.parametrize(
    ("field", "reason"), [("username", "This field is required."), ("password", accounts.NO_PASSWORD)]
)
def test_what_a_new_user_needs(field: str, reason: str, admin: User) -> None:
    body = {name: value for name, value in {**NEW, "password": GOOD}.items() if name != field}
    assert sent(admin, "POST", URL, body).json() == {field: [reason]}
    assert User.objects.count() == 1


def test_only_superusers_create_users(auditor: User, bob: User) -> None:
    for user in (auditor, bob):
        answer = sent(user, "POST", URL, {"username": "carol", "password": GOOD})
        assert (answer.status_code, answer.json()) == (403, FORBIDDEN)
    assert User.objects.count() == 2


LIGATURE = "\ufb01ona"  # fiona, with one character for its first two


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_name_is_stored_as_a_login_looks_for_it(method: str, admin: User, alice: User, bob: User) -> None:
    path = URL if method == "POST" else url_of(alice)
    answer = sent(admin, method, path, {"username": LIGATURE, "password": GOOD})
    assert answer.json()["username"] == "fiona"
    assert Client().post("/api/login/", {"username": LIGATURE, "password": GOOD}).status_code == 302
    again = sent(admin, method, URL if method == "POST" else url_of(bob), {"username": LIGATURE, "password": GOOD})
    assert (again.status_code, list(again.json())) == (400, ["username"])


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_an_address_is_stored_as_it_is_sent(method: str, admin: User, alice: User) -> None:
    """Else a client that compares would change it each time."""
    path = URL if method == "POST" else url_of(alice)
    answer = sent(admin, method, path, {"username": "carol", "password": GOOD, "email": "Carol@Example.ORG"})
    assert answer.json()["email"] == "Carol@Example.ORG"


# --- changes


@pytest.mark.parametrize(("name", "value"), NEW.items())
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_superuser_changes_every_field(method: str, name: str, value: Any, admin: User, alice: User) -> None:
    client = client_of(admin)
    before = client.get(url_of(alice)).json()
    body = {"username": "alice", name: value} if method == "PUT" else {name: value}
    changed = sent(admin, method, url_of(alice), body)
    assert (changed.status_code, changed.json()) == (200, client.get(url_of(alice)).json())
    assert changed.json()[name] == value
    own = {"related", "summary_fields", name}
    assert {key: item for key, item in changed.json().items() if key not in own} == {
        key: item for key, item in before.items() if key not in own
    }
    alice.refresh_from_db()
    assert alice.check_password("alice")
    assert alice.is_staff is (name == "is_superuser")


@pytest.mark.parametrize("name", ["first_name", "last_name", "email", "password"])
def test_users_change_of_themselves(name: str, alice: User, auditor: User) -> None:
    for user in (alice, auditor):
        value = GOOD if name == "password" else NEW[name]
        answer = sent(user, "PATCH", url_of(user), {name: value})
        assert answer.status_code == 200
        user.refresh_from_db()
        assert user.check_password(GOOD) if name == "password" else getattr(user, name) == value


@pytest.mark.parametrize("name", accounts.OF_SUPERUSERS)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_users_do_not_change_of_themselves(method: str, name: str, alice: User, auditor: User) -> None:
    for user in (alice, auditor):
        before = stored(user)
        value = "other" if name == "username" else not before[name]
        answer = sent(user, method, url_of(user), {"username": user.username, "email": "a@example.org", name: value})
        assert (answer.status_code, answer.json()) == (403, {"detail": f"Cannot change {name}."})
        assert stored(user) == before


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_was_read_can_be_sent_back(method: str, admin: User, alice: User, auditor: User) -> None:
    for user in (admin, alice, auditor):
        before = stored(user)
        shown = sent(user, "GET", url_of(user)).json()
        assert sent(user, method, url_of(user), shown).status_code == 200
        assert sent(user, "PUT", url_of(user), {**shown, "password": ""}).status_code == 200
        assert stored(user) == before


def test_users_change_nobody_else(admin: User, auditor: User, alice: User) -> None:
    for user, other in ((auditor, alice), (auditor, admin), (alice, admin), (alice, auditor)):
        before = stored(other)
        for method in ("PUT", "PATCH", "DELETE"):
            answer = sent(user, method, url_of(other), {"username": other.username, "last_name": "x"})
            assert (answer.status_code, answer.json()) == (403, FORBIDDEN)
        assert stored(other) == before


@pytest.mark.parametrize("kept", ["", "$encrypted$", None])
def test_no_password_leaves_the_password(kept: str | None, admin: User, alice: User) -> None:
    for user in (admin, alice):
        assert sent(user, "PATCH", url_of(alice), {"password": kept, "first_name": user.username}).status_code == 200
        assert stored(alice)["password"] == alice.password
        assert stored(alice)["first_name"] == user.username


@pytest.mark.parametrize("password", ["short", "password1234", "alice@example.org"])
def test_a_weak_password_changes_nothing(password: str, alice: User) -> None:
    sent(alice, "PATCH", url_of(alice), {"email": "alice@example.org"})
    before = stored(alice)
    answer = sent(alice, "PATCH", url_of(alice), {"password": password, "first_name": "x"})
    assert (answer.status_code, list(answer.json())) == (400, ["password"])
    assert stored(alice) == before


def test_a_new_password_ends_other_sessions(admin: User, alice: User) -> None:
    own, other = Client(), Client()
    for client in (own, other):
        client.force_login(alice)
    changed = own.patch(url_of(alice), {"password": GOOD}, "application/json")
    assert changed.status_code == 200
    assert own.get("/api/v2/me/").status_code == 200
    assert other.get("/api/v2/me/").status_code == 401
    administering = Client()
    administering.force_login(admin)
    assert administering.patch(url_of(alice), {"password": GOOD[::-1]}, "application/json").status_code == 200
    assert own.get("/api/v2/me/").status_code == 401
    assert administering.get("/api/v2/me/").json()["results"][0]["username"] == "admin"


@override_settings(PASSWORD_HASHERS=["instances.hashing.PBKDF2"])
def test_a_password_is_not_hashed_beyond_the_limit(admin: User, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    before = stored(alice)
    monkeypatch.setattr(hashing, "slots", hashing.Slots(0))
    for method, path, body in (
        ("POST", URL, {"username": "carol", "password": GOOD}),
        ("PATCH", url_of(alice), {"password": GOOD, "first_name": "x"}),
    ):
        answer = sent(admin, method, path, body)
        assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert stored(alice) == before
    assert User.objects.count() == 2


# --- the last superuser


@pytest.mark.parametrize(
    ("method", "body"), [("PATCH", {"is_superuser": False}), ("PATCH", {"is_superuser": None}), ("PUT", {})]
)
def test_the_last_superuser_stays_one(method: str, body: dict[str, Any], admin: User, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True, is_active=False)
    answer = sent(admin, method, url_of(admin), {"username": "admin", **body})
    assert (answer.status_code, answer.json()) == (400, {"is_superuser": [accounts.LAST_SUPERUSER]})
    User.objects.filter(pk=alice.pk).update(is_active=True)
    assert sent(admin, method, url_of(admin), {"username": "admin", **body}).status_code == 200
    assert User.objects.filter(is_superuser=True).get() == alice


@pytest.mark.django_db(transaction=True)
def test_two_superusers_do_not_demote_each_other(admin: User, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    alice.refresh_from_db()
    clients = {user: client_of(user) for user in (admin, alice)}

    def demote(user: User, other: User) -> Any:
        return clients[user].patch(url_of(other), {"is_superuser": False}, "json")

    answer = meanwhile(lambda: demote(admin, alice), lambda: demote(alice, admin))
    assert (answer.status_code, answer.json()) == (403, FORBIDDEN)
    assert User.objects.filter(is_superuser=True).get() == admin
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    answer = meanwhile(lambda: demote(admin, admin), lambda: demote(alice, alice))
    assert (answer.status_code, answer.json()) == (400, {"is_superuser": [accounts.LAST_SUPERUSER]})
    assert User.objects.filter(is_superuser=True).get() == alice


@pytest.mark.django_db(transaction=True)
def test_nobody_deletes_whoever_became_the_last_superuser(admin: User, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    alice.refresh_from_db()
    clients = {user: client_of(user) for user in (admin, alice)}
    answer = meanwhile(
        lambda: clients[admin].patch(url_of(alice), {"is_superuser": False}, "json"),
        lambda: clients[alice].delete(url_of(admin)),
    )
    assert (answer.status_code, answer.json()) == (403, FORBIDDEN)
    assert User.objects.filter(pk=admin.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_who_lost_the_rank_meanwhile_changes_nobody(admin: User, alice: User, bob: User) -> None:
    """Else a superuser who is demoted could still demote, or delete, who did that."""
    User.objects.filter(pk__in=[alice.pk, bob.pk]).update(is_superuser=True)
    alice.refresh_from_db()
    clients = {user: client_of(user) for user in (admin, alice)}
    for late in (
        lambda: clients[alice].delete(url_of(admin)),
        lambda: clients[alice].patch(url_of(admin), {"is_superuser": False}, "json"),
        lambda: clients[alice].patch(url_of(alice), {"is_superuser": True}, "json"),
    ):
        User.objects.filter(pk=alice.pk).update(is_superuser=True)
        answer = meanwhile(lambda: clients[admin].patch(url_of(alice), {"is_superuser": False}, "json"), late)
        assert (answer.status_code, answer.json()) == (403, FORBIDDEN)
        assert set(User.objects.filter(is_superuser=True)) == {admin, bob}


# --- deletion


def test_a_superuser_deletes_others(admin: User, bob: User) -> None:
    deleting, client = client_of(admin), client_of(bob)
    assert deleting.delete(url_of(bob)).status_code == 204
    assert not User.objects.filter(pk=bob.pk).exists()
    assert not InstanceGroupRole.objects.exists()
    assert client.get("/api/v2/me/").status_code == 401
    assert deleting.delete(url_of(bob)).status_code == 404


def test_a_user_is_deleted_with_tokens_that_were_made_over_the_api(
    admin: User, alice: User, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any
) -> None:
    for description in ("", "of a script"):
        assert sent(alice, "POST", "/api/v2/tokens/", {"description": description}).status_code == 201
    number = AccessToken.objects.filter(user=alice).count()
    deleting = client_of(admin)
    with django_capture_on_commit_callbacks(execute=True):
        assert deleting.delete(url_of(alice)).status_code == 204
    assert not AccessToken.objects.filter(user__isnull=True).exists()
    assert not User.objects.filter(pk=alice.pk).exists()
    assert caplog.text.count('token revoked user="alice"') == number


def test_nobody_deletes_themselves(admin: User, alice: User) -> None:
    User.objects.create_superuser("second")
    for user in (admin, alice):
        answer = sent(user, "DELETE", url_of(user))
        assert (answer.status_code, answer.json()) == (403, FORBIDDEN)
        assert User.objects.filter(pk=user.pk).exists()


# --- mirrored users


@pytest.mark.parametrize("name", accounts.OF_SYNCS)
def test_a_sync_alone_changes_a_mirrored_user(name: str, admin: User, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(mirrored=True)
    before = stored(bob)
    refused = (403, {"detail": accounts.MIRRORED.format(name="bob")})
    answer = sent(admin, "PATCH", url_of(bob), {name: NEW[name], "password": GOOD})
    assert (answer.status_code, answer.json()) == refused
    answer = sent(admin, "DELETE", url_of(bob))
    assert (answer.status_code, answer.json()) == refused
    assert stored(bob) == before


def test_the_password_of_a_mirrored_user_changes(admin: User, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(mirrored=True)
    shown = sent(admin, "GET", url_of(bob)).json()
    assert sent(admin, "PUT", url_of(bob), {**shown, "password": GOOD}).status_code == 200
    assert sent(bob, "PATCH", url_of(bob), {"password": GOOD[::-1]}).status_code == 200
    bob.refresh_from_db()
    assert bob.check_password(GOOD[::-1])


# --- OPTIONS


def test_options_name_what_may_be_written(admin: User, alice: User) -> None:
    fields = [*list(NEW), "password"]
    made = sent(admin, "OPTIONS", URL).json()["actions"]["POST"]
    assert list(made) == fields
    assert [name for name in fields if made[name]["required"]] == ["username"]
    assert all(made[name].get("help_text") or name in ("first_name", "last_name", "email") for name in fields)
    assert "POST" not in sent(alice, "OPTIONS", URL).json()["actions"]
    assert list(sent(admin, "OPTIONS", url_of(alice)).json()["actions"]["PUT"]) == fields
    own = sent(alice, "OPTIONS", url_of(alice)).json()["actions"]["PUT"]
    assert list(own) == [name for name in fields if name not in accounts.OF_SUPERUSERS]
    assert not any(field["required"] for field in own.values())
    assert "PUT" not in sent(alice, "OPTIONS", url_of(admin)).json()["actions"]
