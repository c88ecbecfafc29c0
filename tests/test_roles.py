"""Roles on groups: their records, who holds them, granting and revoking them, in both dialects."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from awx_compat.dialects import DIALECTS
from instances import accounts
from instances.models import InstanceGroup, InstanceGroupRole, User
from instances.roles import KINDS, Role, role_id, role_with_id
from tests.conftest import client_of, speaking

ROLES = "/api/v2/roles/"
FORBIDDEN = {"detail": "You do not have permission to perform this action."}


@pytest.fixture(autouse=True, params=DIALECTS)
def dialect(request: pytest.FixtureRequest, db: None) -> Iterator[None]:
    with speaking(request.param):
        yield


@pytest.fixture
def hidden() -> InstanceGroup:
    """A group on which nobody has a role."""
    return InstanceGroup.objects.create(name="hidden")


@pytest.fixture
def manager(edge: InstanceGroup) -> User:
    """An administrator of the group ``edge``."""
    user = User.objects.create_user("manager")
    InstanceGroupRole.objects.create(user=user, instance_group=edge, role=Role.ADMIN)
    return user


def fetched(user: User, path: str, status: int = 200, **query: object) -> Any:
    answer = client_of(user).get(path, query)
    assert answer.status_code == status, answer.content
    return answer.json()


def results(user: User, path: str, **query: object) -> list[Any]:
    page = fetched(user, path, **query)
    assert page["count"] == len(page["results"])
    return list(page["results"])


def held() -> set[tuple[str, str, str]]:
    return set(InstanceGroupRole.objects.values_list("user__username", "instance_group__name", "role"))


def grant_by_user(user: User, holder: User, number: Any, **body: Any) -> Any:
    return client_of(user).post(f"/api/v2/users/{holder.pk}/roles/", {"id": number, **body}, "json")


def grant_by_role(user: User, holder: User, number: Any, **body: Any) -> Any:
    return client_of(user).post(f"{ROLES}{number}/users/", {"id": holder.pk, **body}, "json")


WAYS = pytest.mark.parametrize("grant", [grant_by_user, grant_by_role])


# --- records


def test_numbers_are_unique_and_lead_back() -> None:
    numbers = {role_id(group, role): (group, role) for group in range(1, 200) for role in KINDS}
    assert len(numbers) == 199 * len(KINDS)
    assert min(numbers) == 3  # below are the roles on the whole system
    assert {number: role_with_id(number) for number in numbers} == numbers
    assert all(role_with_id(number)[0] <= 0 for number in (-(10**30), -1, 0, 1, 2))


def test_every_link_to_a_role_answers(admin: User, edge: InstanceGroup, hidden: InstanceGroup) -> None:
    for group in (edge, hidden):
        shown = fetched(admin, f"/api/v2/instance_groups/{group.pk}/")["summary_fields"]["object_roles"]
        records = results(admin, f"/api/v2/instance_groups/{group.pk}/object_roles/")
        assert {role["id"] for role in shown.values()} == {record["id"] for record in records}
        for record in records:
            assert fetched(admin, record["url"]) == record
            for path in record["related"].values():
                fetched(admin, path)


def test_the_list_has_the_roles_of_visible_groups(
    admin: User, auditor: User, alice: User, bob: User, edge: InstanceGroup, hidden: InstanceGroup
) -> None:
    of_edge, of_hidden = (results(admin, f"/api/v2/instance_groups/{one.pk}/object_roles/") for one in (edge, hidden))
    assert results(admin, ROLES) == results(auditor, ROLES) == sorted([*of_edge, *of_hidden], key=lambda one: one["id"])
    assert results(bob, ROLES) == of_edge
    assert results(alice, ROLES) == []


def test_pages_filters_and_order(admin: User, edge: InstanceGroup, hidden: InstanceGroup) -> None:
    every = results(admin, ROLES)
    first = fetched(admin, ROLES, page_size=4)
    second = fetched(admin, first["next"])
    assert (first["count"], [*first["results"], *second["results"]]) == (6, every)
    assert results(admin, ROLES, order_by="-id") == every[::-1]
    assert results(admin, ROLES, object_id=edge.pk) == [
        role for role in every if role["summary_fields"]["resource_id"] == edge.pk
    ]
    for role in every:
        assert results(admin, ROLES, id=role["id"]) == [role]
    for kind in KINDS:
        wanted = [role for role in every if role["name"] == kind.label]
        for query in ({"role_field": kind}, {"role_field__icontains": kind[:4].upper()}, {"role_field__in": kind}):
            if "role_field__in" in query:
                fetched(admin, ROLES, 400, **query)
            else:
                assert results(admin, ROLES, **query) == wanted
    for query in ({"name": "x"}, {"id": "x"}, {"order_by": "role_field"}, {"id__gt": 1}, {"role_field": "\0"}):
        fetched(admin, ROLES, 400, **query)


@pytest.mark.parametrize(("search", "kinds"), [("ADM", [Role.ADMIN]), ("us ro", [Role.USE]), ("zzz", []), (" ", Role)])
def test_a_search_looks_at_what_the_role_is(search: str, kinds: Any, admin: User, edge: InstanceGroup) -> None:
    found = results(admin, ROLES, search=search)
    assert [role["name"] for role in found] == [Role(kind).label for kind in kinds]


def test_a_repeated_filter_wants_all_of_its_values(admin: User, edge: InstanceGroup, hidden: InstanceGroup) -> None:
    every = results(admin, ROLES)
    number = every[0]["id"]
    assert results(admin, ROLES, id=[number, number]) == every[:1]
    assert results(admin, ROLES, role_field__icontains=["adm", "min"]) == [
        role for role in every if role["name"] == Role.ADMIN.label
    ]
    for name, values in {
        "id": [number, every[1]["id"]],
        "object_id": [edge.pk, hidden.pk],
        "role_field": [Role.ADMIN, Role.USE],
        "role_field__icontains": ["min", "use"],
    }.items():
        for order in (values, values[::-1]):
            assert results(admin, ROLES, **{name: order}) == []
    fetched(admin, ROLES, 400, id=[number] * 101)


def test_hidden_roles_and_roles_that_are_not_there(admin: User, bob: User, hidden: InstanceGroup) -> None:
    number = role_id(hidden.pk, Role.USE)
    for below in ("", "users/", "teams/"):
        assert fetched(bob, f"{ROLES}{number}/{below}", 403) == FORBIDDEN
        for key in ("0", "1", "2", "99999", "9" * 30, "x"):
            assert fetched(admin, f"{ROLES}{key}/{below}", 404)["detail"].startswith(("Not found.", "No Role matches"))


def test_who_holds_a_role(admin: User, auditor: User, bob: User, edge: InstanceGroup, hidden: InstanceGroup) -> None:
    number = role_id(edge.pk, Role.USE)
    for reader in (admin, auditor, bob):
        assert [user["username"] for user in results(reader, f"{ROLES}{number}/users/")] == ["bob"]
        assert results(reader, f"{ROLES}{number}/teams/") == []
        assert results(reader, f"{ROLES}{number}/users/", username="alice") == []
        (role,) = results(reader, f"/api/v2/users/{bob.pk}/roles/")
        capabilities = role["summary_fields"].pop("user_capabilities")
        assert role == fetched(reader, f"{ROLES}{number}/")
        assert capabilities == {"unattach": reader == admin}
        assert results(reader, f"/api/v2/users/{bob.pk}/roles/", role_field=Role.ADMIN) == []
    assert results(admin, f"{ROLES}{role_id(edge.pk, Role.READ)}/users/") == []
    assert results(admin, f"/api/v2/users/{admin.pk}/roles/") == []


def test_roles_of_a_hidden_user_or_group(bob: User, alice: User, hidden: InstanceGroup) -> None:
    assert fetched(bob, f"/api/v2/users/{alice.pk}/roles/", 403) == FORBIDDEN
    fetched(bob, "/api/v2/users/alice/roles/", 404)
    InstanceGroupRole.objects.create(user=alice, instance_group=hidden, role=Role.READ)
    User.objects.filter(pk=alice.pk).update(is_superuser=True)  # so that bob sees alice
    assert results(bob, f"/api/v2/users/{alice.pk}/roles/") == []


# --- granting and revoking


@WAYS
@pytest.mark.parametrize("role", KINDS)
def test_a_superuser_grants_and_revokes(
    grant: Any, role: Role, admin: User, alice: User, bob: User, edge: InstanceGroup
) -> None:
    number, before = role_id(edge.pk, role), held()
    client = client_of(alice)
    for body in ({}, {"associate": True}):
        answer = grant(admin, alice, number, **body)
        assert (answer.status_code, answer.content) == (204, b"")
        assert held() == before | {("alice", "edge", role)}
        assert client.get(f"/api/v2/instance_groups/{edge.pk}/").status_code == 200
    for _ in range(2):
        assert grant(admin, alice, number, disassociate=True).status_code == 204
        assert held() == before
    assert client.get(f"/api/v2/instance_groups/{edge.pk}/").status_code == 403


@WAYS
def test_an_administrator_grants_the_roles_of_the_group(
    grant: Any, admin: User, manager: User, edge: InstanceGroup, hidden: InstanceGroup
) -> None:
    """To users whom the administrator sees: superusers and the own account are among them."""
    for role in KINDS:
        assert grant(manager, admin, role_id(edge.pk, role)).status_code == 204
        assert ("admin", "edge", role) in held()
        assert grant(manager, admin, role_id(edge.pk, role), disassociate=True).status_code == 204
        answer = grant(manager, admin, role_id(hidden.pk, role))
        assert (answer.status_code, answer.json()) == (403, FORBIDDEN)
    assert held() == {("manager", "edge", Role.ADMIN)}


@WAYS
@pytest.mark.parametrize("body", [{}, {"disassociate": True}])
def test_others_grant_and_revoke_nothing(
    grant: Any, body: dict[str, Any], auditor: User, alice: User, bob: User, manager: User, edge: InstanceGroup
) -> None:
    """Nor does an administrator to users who are hidden from the administrator."""
    before = held()
    for user, holder in ((auditor, bob), (bob, bob), (alice, alice), (manager, bob), (manager, alice)):
        for role in KINDS:
            answer = grant(user, holder, role_id(edge.pk, role), **body)
            assert (answer.status_code, answer.json()) == (403, FORBIDDEN)
    assert held() == before


@WAYS
def test_a_sync_alone_gives_roles_to_mirrored_users(grant: Any, admin: User, bob: User, edge: InstanceGroup) -> None:
    User.objects.filter(pk=bob.pk).update(mirrored=True)
    before = held()
    for role, body in ((Role.ADMIN, {}), (Role.USE, {"disassociate": True})):
        answer = grant(admin, bob, role_id(edge.pk, role), **body)
        assert (answer.status_code, answer.json()) == (403, {"detail": accounts.MIRRORED.format(name="bob")})
    assert held() == before


@pytest.mark.parametrize("body", [{}, {"disassociate": True}])
@pytest.mark.parametrize(
    ("pk", "user_reason", "role_reason"),
    [
        *((empty, {"msg": "Role 'id' field is missing."}, {"msg": "User 'id' field is missing."})
          for empty in (None, "", 0, [], {})),
        *((text, {"msg": '"id" field must be an integer.'}, {"msg": '"id" field must be an integer.'})
          for text in ("x", "3", 1.5, [1])),
        *((number, {"detail": "Role matching query does not exist."}, {"detail": "User matching query does not exist."})
          for number in (-1, 987654, 10**30)),
    ],
)  # fmt: skip
def test_bodies_that_name_nothing(
    pk: Any, user_reason: Any, role_reason: Any, body: dict[str, Any], admin: User, bob: User, edge: InstanceGroup
) -> None:
    before = held()
    for path, reason in (
        (f"/api/v2/users/{bob.pk}/roles/", user_reason),
        (f"{ROLES}{role_id(edge.pk, Role.USE)}/users/", role_reason),
    ):
        sent = json.dumps({"id": pk, **body})
        answer = client_of(admin).post(path, sent, content_type="application/json")
        assert (answer.status_code, answer.json()) == (400, reason)
    assert held() == before


def test_options_offer_what_may_be_granted(
    admin: User, auditor: User, bob: User, manager: User, edge: InstanceGroup, hidden: InstanceGroup
) -> None:
    def actions(user: User, path: str) -> set[str]:
        return set(client_of(user).options(path).json()["actions"])

    below = f"{ROLES}{role_id(edge.pk, Role.USE)}/users/"
    for user in (admin, manager):
        assert actions(user, below) == actions(user, f"/api/v2/users/{user.pk}/roles/") == {"GET", "POST"}
    for user in (auditor, bob):
        assert actions(user, below) == actions(user, f"/api/v2/users/{user.pk}/roles/") == {"GET"}
    assert actions(manager, f"/api/v2/users/{bob.pk}/roles/") == {"GET"}
    assert list(client_of(admin).options(below).json()["actions"]["POST"]) == ["id"]
