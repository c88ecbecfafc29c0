"""AWX 24.6's role definitions and their assignments, which follow from the roles on groups and from the auditors."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from instances.models import InstanceGroup, InstanceGroupRole, User
from tests.conftest import client_of
from tests.contract.recordings import Recordings
from tests.service import PROJECT

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("awx24")]
LIST = "/api/v2/role_user_assignments/"


def recorded(path: str) -> list[dict[str, Any]]:
    """The records that AWX 24.6.1 answered a mirror at ``path``."""
    found = Recordings(PROJECT / "tests" / "awx_sync").exchanges("awx24.jsonl")
    records: list[dict[str, Any]] = next(
        one["response"]["results"] for one in found if one["path"].startswith(f"/api/v2/{path}/")
    )
    return records


def results(reader: User, path: str = LIST, **query: object) -> list[dict[str, Any]]:
    answer = client_of(reader).get(path, query)
    assert answer.status_code == 200, answer.content
    records: list[dict[str, Any]] = answer.json()["results"]
    return records


def test_assignments_are_as_recorded(admin: User, auditor: User, bob: User, edge: InstanceGroup) -> None:
    """With the names and ids of this test; times are not stored here."""
    on_system, on_group = recorded("role_user_assignments")
    found = {record["user"]: record for record in results(admin)}
    assert set(found) == {auditor.pk, bob.pk}
    for record, user, wanted in ((found[auditor.pk], auditor, on_system), (found[bob.pk], bob, on_group)):
        own = f"{LIST}{record['id']}/"
        summary = wanted["summary_fields"] | {
            "user": {"id": user.pk, "username": user.username, "first_name": "", "last_name": ""}
        }
        related = wanted["related"] | {"user": f"/api/v2/users/{user.pk}/"}
        expected = wanted | {"id": record["id"], "url": own, "user": user.pk, "created": None}
        if user == bob:
            related["content_object"] = f"/api/v2/instance_groups/{edge.pk}/"
            summary["content_object"] = {"id": edge.pk, "name": "edge", "is_container_group": False}
            expected["object_id"] = str(edge.pk)
        assert record == expected | {"related": related, "summary_fields": summary}
        assert list(record) == list(wanted)
        assert list(record["summary_fields"]) == list(wanted["summary_fields"])
        assert client_of(admin).get(own).json() == record


def test_definitions_are_as_recorded(admin: User) -> None:
    """Those on groups; of the auditors' the permissions on what is stored here; and one for the role "read"."""
    wanted = {record["name"]: record for record in recorded("role_definitions")}
    found = {record["name"]: record for record in results(admin, "/api/v2/role_definitions/")}
    times = {"created": None, "modified": None}
    for name in ("InstanceGroup Admin", "InstanceGroup Use"):
        assert found[name] == wanted[name] | times
        assert list(found[name]) == list(wanted[name])
    auditors = wanted["System Auditor"]
    assert found["System Auditor"] == auditors | times | {"permissions": ["awx.view_instancegroup"]}
    assert {*found} - {*wanted} == {"InstanceGroup Read"}
    assert results(admin, "/api/v2/role_definitions/", name="InstanceGroup Use") == [found["InstanceGroup Use"]]
    for record in found.values():
        assert client_of(admin).get(record["url"]).json() == record
        for path in record["related"].values():
            assert client_of(admin).get(path).status_code == 200


def test_every_role_has_a_definition(admin: User, alice: User, edge: InstanceGroup) -> None:
    for role in InstanceGroupRole.Role:
        InstanceGroupRole.objects.create(user=alice, instance_group=edge, role=role)
    names = [record["summary_fields"]["role_definition"]["name"] for record in results(admin)]
    assert names == ["InstanceGroup Admin", "InstanceGroup Use", "InstanceGroup Read"]


def test_who_may_read_which(admin: User, auditor: User, alice: User, bob: User) -> None:
    """Superusers and auditors all, others their own; nobody else's is found by its id."""
    of_bob = next(record for record in results(admin) if record["user"] == bob.pk)
    assert results(auditor) == results(admin)
    assert results(bob) == [of_bob]
    assert results(alice) == []
    assert client_of(bob).get(of_bob["url"]).json() == of_bob
    answer = client_of(alice).get(of_bob["url"])
    assert answer.json() == {"detail": "No RoleUserAssignment matches the given query."}
    assert len(results(alice, "/api/v2/role_definitions/")) == 4
    for path in (LIST, of_bob["url"], "/api/v2/role_definitions/", "/api/v2/role_team_assignments/"):
        assert client_of(None).get(path).status_code == 401


def test_filters(admin: User, auditor: User, bob: User, edge: InstanceGroup) -> None:
    def users(**query: object) -> list[int]:
        return [record["user"] for record in results(admin, **query)]

    assert users(user=bob.pk) == users(object_id=edge.pk) == users(role_definition=25) == [bob.pk]
    assert users(role_definition=31) == users(user=auditor.pk) == [auditor.pk]
    assert users(user=bob.pk, role_definition=31) == users(role_definition=99) == users(object_id=10**30) == []
    assert users(order_by="-id") == users(order_by="id")[::-1]
    assert users(order_by="id") != users(order_by="-id")
    of_definition = results(admin, "/api/v2/role_definitions/31/user_assignments/")
    assert [record["user"] for record in of_definition] == [auditor.pk]
    for query in ({"name": "x"}, {"user": "bob"}, {"order_by": "user"}):
        assert client_of(admin).get(LIST, query).status_code == 400, query
    assert client_of(admin).get("/api/v2/role_definitions/", {"managed": "true"}).status_code == 400


def test_pages(admin: User, auditor: User, bob: User) -> None:
    first = client_of(admin).get(LIST, {"page_size": 1}).json()
    second = client_of(admin).get(first["next"]).json()
    assert (first["count"], second["next"]) == (2, None)
    assert [*first["results"], *second["results"]] == results(admin)


@pytest.mark.parametrize("number", [1, 20])
def test_the_queries_do_not_grow(
    number: int,
    admin: User,
    edge: InstanceGroup,
    django_assert_num_queries: Callable[[int], AbstractContextManager[Any]],
) -> None:
    for name in range(number):
        user = User.objects.create_user(f"user-{name}", is_system_auditor=True)
        InstanceGroupRole.objects.create(user=user, instance_group=edge, role="use_role")
    client = client_of(admin)
    with django_assert_num_queries(2):  # the token, and the page
        assert client.get(LIST, {"page_size": 200}).json()["count"] == 2 * number


def test_what_is_not_there(admin: User) -> None:
    client = client_of(admin)
    for path in ("role_definitions/1/", "role_definitions/1/user_assignments/", "role_definitions/1/team_assignments/"):
        assert client.get(f"/api/v2/{path}").json() == {"detail": "No RoleDefinition matches the given query."}
    assert client.get(f"{LIST}{10**30}/").status_code == 404
    for path in ("role_definitions", "role_user_assignments", "role_team_assignments"):
        assert client.post(f"/api/v2/{path}/", {}, "json").status_code == 501
        assert client.get(f"/api/v2/{path}/")["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_the_service_index(admin: User, alice: User, settings: Any) -> None:
    index = client_of(alice).get("/api/v2/service-index/").json()
    assert client_of(alice).get(index["metadata"]).json() == {
        "service_id": settings.INSTALL_UUID,
        "service_type": "awx",
    }
    assert client_of(None).get("/api/v2/service-index/").status_code == 401


def test_a_filter_narrows_the_assignments_of_a_definition(admin: User, auditor: User, bob: User) -> None:
    of_auditors = "/api/v2/role_definitions/31/user_assignments/"
    assert [one["user"] for one in results(admin, of_auditors, role_definition=31)] == [auditor.pk]
    assert results(admin, of_auditors, role_definition=25) == []
    assert results(admin, LIST, user=[auditor.pk, bob.pk]) == results(admin, LIST, user=[bob.pk, auditor.pk]) == []
