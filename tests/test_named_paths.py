"""Records that a path names by their name: what is told of them, and what is not told to those who may not know."""

from typing import Any

import pytest

from instances.models import Instance, InstanceGroup, User
from tests.conftest import client_of
from tests.make import make_link

pytestmark = pytest.mark.django_db

LISTS = {
    "instances/exec-1/peers/": "instances/{instance}/peers/",
    "instances/exec-1/instance_groups/": "instances/{instance}/instance_groups/",
    "instance_groups/edge/instances/": "instance_groups/{group}/instances/",
    "instance_groups/edge/access_list/": "instance_groups/{group}/access_list/",
}


@pytest.fixture
def named(edge: InstanceGroup) -> dict[str, int]:
    """The ids of exec-1 and of its group edge, each with three of everything below it."""
    instance = edge.instances.get()
    for n in range(3):
        peer = Instance.objects.create(hostname=f"peer-{n}")
        make_link(source=instance, target=peer)
        edge.instances.add(peer)
        InstanceGroup.objects.create(name=f"group-{n}").instances.add(instance)
        User.objects.create_superuser(f"root-{n}")
    return {"instance": instance.pk, "group": edge.pk}


@pytest.mark.parametrize(("path", "by_id"), LISTS.items())
def test_next_and_previous_go_by_id(path: str, by_id: str, named: dict[str, int], admin: User) -> None:
    body = client_of(admin).get(f"/api/v2/{path}?page_size=1&page=2&search=&id__gt=0").json()
    address = f"/api/v2/{by_id.format(**named)}"
    assert body["next"] == f"{address}?id__gt=0&page=3&page_size=1&search="
    assert body["previous"] == f"{address}?id__gt=0&page=1&page_size=1&search="
    assert client_of(admin).get(body["next"]).json()["previous"] == body["next"].replace("page=3", "page=2")


def tells_nothing(answer: Any) -> bool:
    """Whether the answer is AWX's to a path that does not exist."""
    return answer.status_code == 404 and not {"Allow", "X-API-Product-Name", "X-API-Product-Version"} & {
        *answer.headers
    }


@pytest.mark.parametrize(("path", "by_id"), LISTS.items())
def test_a_page_that_is_not_there(path: str, by_id: str, named: dict[str, int], admin: User) -> None:
    client = client_of(admin)
    for page in ("", "9", "abc", "0"):
        by_name = client.get(f"/api/v2/{path}?page={page}")
        assert tells_nothing(by_name)
        assert by_name.json() == {"detail": "Invalid page."}
        answer = client.get(f"/api/v2/{by_id.format(**named)}?page={page}")
        assert (answer.status_code, answer.json()) == (404, {"detail": "Invalid page."})
        assert answer["X-API-Product-Version"]


@pytest.mark.parametrize(
    ("user", "method", "path", "by_id"),
    [
        *(("alice", "get", path, by_id) for path, by_id in LISTS.items()),
        ("alice", "get", "instances/exec-1/", "instances/{instance}/"),
        ("alice", "get", "instances/exec-1/health_check/", "instances/{instance}/health_check/"),
        ("bob", "get", "instances/exec-1/health_check/", "instances/{instance}/health_check/"),
        ("bob", "get", "instances/exec-1/install_bundle/", "instances/{instance}/install_bundle/"),
        ("auditor", "head", "instances/exec-1/health_check/", "instances/{instance}/health_check/"),
        (
            "admin",
            "get",
            "instances/exec-1/instance_groups/?pod_spec_override=x",
            "instances/{instance}/instance_groups/?pod_spec_override=x",
        ),
    ],
)
def test_what_is_refused_by_id_is_not_there_by_name(
    user: str, method: str, path: str, by_id: str, named: dict[str, int], request: pytest.FixtureRequest
) -> None:
    client = client_of(request.getfixturevalue(user))
    answer = getattr(client, method)(f"/api/v2/{path}")
    assert tells_nothing(answer)
    assert method == "head" or answer.json() == {"detail": "Not found."}
    answer = getattr(client, method)(f"/api/v2/{by_id.format(**named)}")
    assert answer.status_code == 403
    assert answer["X-API-Product-Version"]


@pytest.mark.parametrize("path", ["instances/", "instance_groups/", "unified_jobs/", "users/", "tokens/", "me/"])
def test_an_empty_page_is_no_page(path: str, admin: User) -> None:
    answer = client_of(admin).get(f"/api/v2/{path}?page=&page_size=2")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Invalid page."})


def test_who_may_see_a_group_is_told_as_awx_tells_it(admin: User, bob: User, edge: InstanceGroup) -> None:
    path = f"/api/v2/instance_groups/{edge.pk}/access_list/"
    for user in client_of(admin).get(path).json()["results"]:
        assert "auth" not in user
        assert list(user["summary_fields"]) == ["direct_access", "indirect_access"]
    found = client_of(admin).get(f"{path}?order_by=-username&is_superuser=false").json()
    assert [user["username"] for user in found["results"]] == ["bob"]
    (user,) = client_of(admin).get(f"/api/v2/users/?username={bob.username}").json()["results"]
    assert (user["auth"], list(user["summary_fields"])) == ([], ["user_capabilities"])


@pytest.mark.django_db
def test_a_path_of_digits_is_an_id_whatever_hostnames_there_are(admin: User, settings: Any) -> None:
    """As in AWX, which takes such hostnames: its recordings have one."""
    settings.IS_K8S = True
    client = client_of(admin)
    first = Instance.objects.create(hostname="exec-1")
    for hostname in (str(first.pk), "12345678"):
        body = {"hostname": hostname, "node_type": "execution", "node_state": "installed"}
        assert client.post("/api/v2/instances/", body, format="json").status_code == 201
        assert client.get("/api/v2/instances/", {"hostname": hostname}).json()["count"] == 1
    assert client.get(f"/api/v2/instances/{first.pk}/").json()["hostname"] == "exec-1"
    assert client.get("/api/v2/instances/12345678/").status_code == 404
