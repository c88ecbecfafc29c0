"""What caches may keep: no secret at all, and of the rest nothing for others, nor without asking again."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from instances.models import Instance, User
from tests.conftest import client_of

pytestmark = pytest.mark.django_db
ASKED = "private, no-cache"


@pytest.mark.parametrize("media_type", ["application/json", "text/html"])
def test_a_new_token_is_not_stored(media_type: str, alice: User) -> None:
    for path in ("/api/v2/tokens/", f"/api/v2/users/{alice.pk}/personal_tokens/"):
        made = client_of(alice).post(path, {"scope": "read"}, format="json", HTTP_ACCEPT=media_type)
        assert made.status_code == 201
        assert made["Cache-Control"] == "no-store"


@pytest.mark.parametrize("media_type", ["application/json", "text/html"])
@pytest.mark.parametrize("method", ["get", "head", "options", "delete"])
def test_all_else_is_for_who_asked_alone(method: str, media_type: str, admin: User, alice: User) -> None:
    node = Instance.objects.create(hostname="exec-1", node_type="execution")
    paths = (
        "",
        "o/",
        "v2/",
        "v2/ping/",
        "v2/instances/",
        f"v2/instances/{node.pk}/",
        "v2/users/",
        "v2/tokens/",
        "v2/x/",
    )
    for client in (client_of(admin), client_of(alice), client_of(None)):
        for path in paths:
            answer = getattr(client, method)(f"/api/{path}", HTTP_ACCEPT=media_type)
            assert answer["Cache-Control"] in (ASKED, "max-age=0, no-cache, no-store, must-revalidate, private"), path
            if answer.status_code < 300:
                assert answer["Cache-Control"] == ASKED


def told(client: APIClient, etag: str = "") -> Any:
    return client.get("/api/v2/instances/exec-1/", **({"HTTP_IF_NONE_MATCH": etag} if etag else {}))


def test_what_is_unchanged_is_still_not_sent_again(admin: User) -> None:
    Instance.objects.create(hostname="exec-1", node_type="execution")
    client = client_of(admin)
    etag = told(client)["ETag"]
    for _ in range(3):
        answer = told(client, etag)
        assert (answer.status_code, answer["Cache-Control"], answer["ETag"]) == (304, ASKED, etag)
