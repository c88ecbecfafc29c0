"""Users, and the empty lists of what this service does not keep about them."""

import pytest

from awx_compat.urls import NOTHING_OF_USER
from instances.models import User
from tests.conftest import client_of

pytestmark = pytest.mark.django_db
EMPTY = {"count": 0, "next": None, "previous": None, "results": []}


def test_who_sees_whom(admin: User, auditor: User, alice: User, bob: User) -> None:
    def seen_by(user: User) -> list[str]:
        return [told["username"] for told in client_of(user).get("/api/v2/users/").json()["results"]]

    assert seen_by(admin) == seen_by(auditor) == ["admin", "alice", "auditor", "bob"]
    assert seen_by(alice) == ["admin", "alice", "auditor"]
    assert client_of(alice).get(f"/api/v2/users/{bob.pk}/").status_code == 403
    assert client_of(alice).get("/api/v2/users/bob/").status_code == 404
    assert client_of(alice).get("/api/v2/users/alice/").json()["related"]["named_url"] == "/api/v2/users/alice/"


def test_no_password_is_told(admin: User, alice: User) -> None:
    answer = client_of(admin).get("/api/v2/users/")
    assert {told["password"] for told in answer.json()["results"]} == {"$encrypted$"}
    assert alice.password not in answer.content.decode()


@pytest.mark.parametrize("name", NOTHING_OF_USER)
def test_what_is_not_kept_is_an_empty_list(name: str, admin: User, alice: User, bob: User) -> None:
    assert client_of(admin).get(f"/api/v2/users/{alice.pk}/{name}/").json() == EMPTY
    assert client_of(alice).get(f"/api/v2/users/{bob.pk}/{name}/").status_code == 403


def test_every_related_path_of_a_user_answers(admin: User) -> None:
    client = client_of(admin)
    for path in client.get(f"/api/v2/users/{admin.pk}/").json()["related"].values():
        assert client.get(path).status_code == 200, path
