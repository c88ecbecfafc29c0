"""The versions of AWX that the service speaks as: what each says differently, and that nothing else depends on them."""

import ast
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.urls import get_resolver
from rest_framework.test import APIClient

from awx_compat.answer_cache import cache_key
from awx_compat.dialects import DIALECTS
from awx_compat.renderers import with_query
from instances import tokens
from instances.models import Instance, InstanceGroup, User
from tests.conftest import client_of, speaking
from tests.routes import filled_in, routes
from tests.service import PROJECT, served

pytestmark = pytest.mark.django_db
AWX23, AWX24 = "23.6.0", "24.6.1"
ROUTES_OF_OTHERS = {"receptor_addresses"}  # listed here, and served with the addresses


@pytest.fixture(params=DIALECTS)
def version(request: pytest.FixtureRequest) -> Iterator[str]:
    with speaking(request.param):
        yield request.param


# --- the choice


def test_every_answer_names_the_version(version: str, admin: User) -> None:
    client = client_of(admin)
    ping, config = (client.get(f"/api/v2/{name}/") for name in ("ping", "config"))
    assert (ping.json()["version"], config.json()["version"]) == (version, version)
    assert config["X-API-Product-Version"] == version


def test_a_dialect_is_named_by_its_version() -> None:
    assert list(DIALECTS) == [AWX23, AWX24]
    assert all(dialect.version == version for version, dialect in DIALECTS.items())


def test_no_code_but_the_declarations_knows_a_version() -> None:
    """Neither compares the setting, nor names a version; an example aside."""
    allowed = {"fleet/openapi.py"}
    paths = (path for app in ("awx_compat", "fleet", "instances", "settings") for path in (PROJECT / app).rglob("*.py"))
    for path in paths:
        name = str(path.relative_to(PROJECT))
        if name.startswith(("awx_compat/dialects/", "instances/rules/")):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.Compare) and "AWX_VERSION" in ast.unparse(node)), name
            assert not (isinstance(node, ast.Compare) and "current().version" in ast.unparse(node)), name
            assert not (isinstance(node, ast.Constant) and node.value in (AWX23, AWX24)) or name in allowed, name


def test_no_answer_of_one_is_cached_for_another() -> None:
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/api/v2/"}
    keys = set()
    for version in DIALECTS:
        with speaking(version):
            keys.add(cache_key(environ))
    assert len(keys) == len(DIALECTS)


# --- paths


def test_the_collections(version: str, admin: User) -> None:
    client = client_of(admin)
    listed = client.get("/api/v2/").json()
    assert ("receptor_addresses" in listed) is (version == AWX24)
    if version == AWX24:
        assert list(listed)[3] == "receptor_addresses"
        assert listed["service_index"] == "/api/v2/service-index/"
        assert list(listed)[-4:] == [
            "service_index",
            "role_definitions",
            "role_user_assignments",
            "role_team_assignments",
        ]
    for name in listed.keys() - ROUTES_OF_OTHERS:
        assert client.get(listed[name]).status_code == 200, name


def test_routes_of_24_are_not_those_of_23(admin: User) -> None:
    for name in ("service-index", "role_definitions", "role_user_assignments", "role_team_assignments"):
        assert client_of(admin).get(f"/api/v2/{name}/").status_code == 404


@pytest.mark.parametrize("path", ["/api/nothing/", "/api/v2/nothing/", "/api/v1/", "/api/v2/instances/1/bogus/"])
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_an_unknown_route(path: str, accept: str, version: str, admin: User) -> None:
    answer = client_of(admin).get(path, HTTP_ACCEPT=accept)
    assert answer.status_code == 404
    assert not {"X-API-Product-Name", "X-API-Product-Version", "X-API-Node", "Allow"} & {*answer.headers}
    if version == AWX24:
        assert answer["Content-Type"] == "text/html; charset=utf-8"
        assert answer["Vary"] == "Accept-Language, origin"
        assert "<h1>Not Found</h1>" in answer.content.decode()
    elif accept == "application/json":
        assert answer.json() == {"detail": "The requested resource could not be found."}


@pytest.mark.usefixtures("awx24")
def test_an_unknown_page_beside_the_api_is_our_own(client: Any) -> None:
    assert client.get("/nothing/", headers={"Accept": "application/json"}).json() == {
        "detail": "The requested resource could not be found."
    }


def test_paths_without_their_last_slash(version: str, admin: User, edge: InstanceGroup) -> None:
    client, node = client_of(admin), edge.instances.get()
    below = [f"instances/{node.pk}", "instances/exec-1", f"instances/{node.pk}/jobs", f"instance_groups/{edge.pk}"]
    below += ["instance_groups/edge/instances", f"users/{admin.pk}", "users/admin/tokens"]
    for path in below:
        whole = client.get(f"/api/v2/{path}/")
        answer = client.get(f"/api/v2/{path}")
        assert whole.status_code == 200
        if version == AWX24:
            assert (answer.status_code, answer.json()) == (200, whole.json()), path
            assert APIClient().get(f"/api/v2/{path}").status_code == 401
        else:
            assert (answer.status_code, answer["Location"]) == (301, f"/api/v2/{path}/")
    token = tokens.issue(admin)[0]
    for path in ("instances", "metrics", "ping", "mesh_visualizer", f"tokens/{token.pk}", "settings/all"):
        assert client.get(f"/api/v2/{path}").status_code == 301, path


@pytest.mark.usefixtures("awx24")
def test_a_change_without_the_last_slash_is_made(admin: User, edge: InstanceGroup) -> None:
    answer = client_of(admin).patch(f"/api/v2/instance_groups/{edge.pk}", {"max_forks": 7}, "json")
    assert (answer.status_code, answer.json()["max_forks"]) == (200, 7)


# --- headers and errors


def test_the_header_vary(version: str, admin: User) -> None:
    spelled = "origin" if version == AWX24 else "Origin"
    assert client_of(admin).get("/api/v2/instances/")["Vary"] == f"Accept, Accept-Language, {spelled}"


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("instances/99999/", "Instance"),
        ("instances/nowhere/", "Instance"),
        ("instances/99999/jobs/", "Instance"),
        ("instances/99999/health_check/", "Instance"),
        ("instance_groups/99999/", "InstanceGroup"),
        ("instance_groups/nothing/instances/", "InstanceGroup"),
        ("users/99999/", "User"),
        ("users/99999/tokens/", "User"),
        ("tokens/99999/", "OAuth2AccessToken"),
    ],
)
def test_a_record_that_does_not_exist(path: str, model: str, version: str, admin: User, alice: User) -> None:
    message = f"No {model} matches the given query." if version == AWX24 else "Not found."
    for user in (admin, alice):
        if user == admin or "health_check" not in path:
            answer = client_of(user).get(f"/api/v2/{path}")
            assert (answer.status_code, answer.json()) == (404, {"detail": message})
            assert ("X-API-Product-Name" in answer) is ("99999" in path)


def test_a_hidden_record(version: str, alice: User, edge: InstanceGroup) -> None:
    """By its name it is not found, as the recordings have it, though with other words than a name that nothing has."""
    client, node = client_of(alice), edge.instances.get()
    assert client.get(f"/api/v2/instances/{node.pk}/").status_code == 403
    answer = client.get("/api/v2/instances/exec-1/")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})


def test_a_node_that_no_health_check_is_for(version: str, admin: User) -> None:
    node = Instance.objects.create(hostname="control-1", node_type="control")
    message = "No Instance matches the given query." if version == AWX24 else "Not found."
    assert client_of(admin).get(f"/api/v2/instances/{node.pk}/health_check/").json() == {"detail": message}


def test_an_empty_page_number(version: str, admin: User) -> None:
    answer = client_of(admin).get("/api/v2/users/?page=")
    assert answer.status_code == (200 if version == AWX24 else 404)
    assert client_of(admin).get("/api/v2/users/?page=x").json() == {"detail": "Invalid page."}


def test_a_parameter_that_is_not_ascii(version: str, admin: User) -> None:
    name = "é" if version == AWX24 else "'é'"
    assert client_of(admin).get("/api/v2/users/", {"é": 1}).json() == {
        "detail": f"{name} is not an allowed field name. Must be ascii encodable."
    }


# --- bodies


def paths_in(record: dict[str, Any]) -> list[str]:
    return [record["url"], *record["related"].values()]


def test_the_format_in_paths(version: str, admin: User, edge: InstanceGroup) -> None:
    client = client_of(admin)
    end = "/?format=json" if version == AWX24 else "/"
    for path in ("instances", "instance_groups", "users", "tokens"):
        for record in client.get(f"/api/v2/{path}/?format=json").json()["results"]:
            assert all(told.endswith(end) for told in paths_in(record)), record
        plain = client.get(f"/api/v2/{path}/").json()["results"]
        assert not [told for record in plain for told in paths_in(record) if "format" in told]
    one = client.get("/api/v2/instances/exec-1/?format=json").json()
    assert one["related"]["named_url"] == f"/api/v2/instances/exec-1{end}"
    page = client.get("/api/v2/users/?format=json&page_size=1&count_disabled=1").json()["results"]
    assert page[0]["url"] == f"/api/v2/users/{admin.pk}{end}"


def test_nothing_but_paths_of_the_api_gets_the_format() -> None:
    """Not the address of a mirrored AWX, an empty path or a text; but the links of a node, too."""
    body = {
        "url": "https://awx.example.org",
        "hostname": "/api/v2/",
        "results": [{"url": "", "related": {"jobs": "/api/v2/instances/1/jobs/"}}],
        "summary_fields": {"links": [{"related": {"source_instance": "/api/v2/instances/1/"}}]},
    }
    assert with_query(body, "?format=json") == {
        "url": "https://awx.example.org",
        "hostname": "/api/v2/",
        "results": [{"url": "", "related": {"jobs": "/api/v2/instances/1/jobs/?format=json"}}],
        "summary_fields": {"links": [{"related": {"source_instance": "/api/v2/instances/1/?format=json"}}]},
    }


def options_of(client: APIClient, keys: dict[str, int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The body of OPTIONS of each path of the API."""
    for route in routes(get_resolver().url_patterns, "/"):
        kind = route.partition("<")[0].rstrip("/").rpartition("/")[2]
        if not route.startswith("/api/v2/") or ("<" in route and kind not in keys):
            continue
        answer = client.options(filled_in(route, key=keys.get(kind)))
        if answer.status_code == 200:
            yield route, answer.json()


def test_options_of_every_field(version: str, admin: User, edge: InstanceGroup) -> None:
    keys = {"instances": edge.instances.get().pk, "instance_groups": edge.pk, "users": admin.pk}
    checked = 0
    for route, body in options_of(client_of(admin), keys):
        for method, fields in body.get("actions", {}).items():
            for name, field in fields.items():
                checked += 1
                names = list(field)
                after = "required" if "required" in names else "type"
                if version == AWX24:
                    assert field["hidden"] is False
                    assert names[names.index(after) + 1] == "hidden", (route, method, name)
                else:
                    assert "hidden" not in field
                if "child" in field:
                    assert ("hidden" in field["child"]) is (version == AWX24)
    assert checked > 200


# --- users


def test_who_sees_the_auditors(version: str, admin: User, auditor: User, alice: User, bob: User) -> None:
    def seen_by(user: User) -> list[str]:
        return [record["username"] for record in client_of(user).get("/api/v2/users/").json()["results"]]

    assert seen_by(admin) == seen_by(auditor) == ["admin", "alice", "auditor", "bob"]
    assert seen_by(alice) == (["admin", "alice"] if version == AWX24 else ["admin", "alice", "auditor"])
    by_id, by_name = (client_of(alice).get(f"/api/v2/users/{key}/").status_code for key in (auditor.pk, "auditor"))
    assert (by_id, by_name) == ((403, 404) if version == AWX24 else (200, 200))
    total = client_of(alice).get("/api/v2/dashboard/").json()["users"]["total"]
    assert total == len(seen_by(alice))


def test_users_as_resources(version: str, admin: User, alice: User, edge: InstanceGroup, settings: Any) -> None:
    """Each has an id of its own, which is the same wherever the user is shown, and as long as INSTALL_UUID is."""
    client = client_of(admin)

    def resources() -> dict[int, dict[str, str]]:
        users = client.get("/api/v2/users/").json()["results"]
        return {user["id"]: user["summary_fields"]["resource"] for user in users}

    one = client.get(f"/api/v2/users/{admin.pk}/").json()["summary_fields"]
    listed = client.get(f"/api/v2/instance_groups/{edge.pk}/access_list/").json()["results"][0]["summary_fields"]
    if version == AWX23:
        assert "resource" not in {*one, *listed}
        return
    first = resources()
    assert list(one) == ["resource", "user_capabilities"]
    assert list(listed) == ["resource", "direct_access", "indirect_access"]
    assert one["resource"] == listed["resource"] == first[admin.pk]
    assert len({resource["ansible_id"] for resource in first.values()}) == 2
    assert {resource["resource_type"] for resource in first.values()} == {"shared.user"}
    assert resources() == first
    settings.INSTALL_UUID = str(uuid.uuid4())
    assert not {*map(str, first.values())} & {*map(str, resources().values())}


def test_the_ids_of_system_roles(version: str, admin: User, auditor: User, bob: User, edge: InstanceGroup) -> None:
    users = client_of(admin).get(f"/api/v2/instance_groups/{edge.pk}/access_list/").json()["results"]
    roles = {
        user["username"]: [
            right["role"] for kind in ("direct_access", "indirect_access") for right in user["summary_fields"][kind]
        ]
        for user in users
    }
    of_system = [roles["admin"][0]["id"], roles["auditor"][0]["id"]]
    assert of_system == ([None, None] if version == AWX24 else [1, 2])
    assert roles["bob"][0]["id"] > 2


# --- a process that serves one


@pytest.mark.slow
def test_a_served_process_speaks_as_the_version_that_is_set(dataset_url: str) -> None:
    """Twice each, as the second answer comes from memory."""
    plain = {"Accept-Encoding": "identity"}  # a compressed answer has a longer Vary
    with served(dataset_url, AWX_VERSION=AWX24) as address, httpx.Client(base_url=address, headers=plain) as client:
        authorization = {"Authorization": "Bearer oracle-admin-token"}
        for _ in range(3):
            node = client.get("/api/v2/instances/1?format=json", headers=authorization)
            assert node.headers["X-API-Product-Version"] == AWX24
            assert node.headers["Vary"] == "Accept, Accept-Language, origin"
            assert node.json()["url"] == "/api/v2/instances/1/?format=json"
            assert client.get("/api/v2/instances/1/", headers=authorization).json()["url"] == "/api/v2/instances/1/"
            assert client.get("/api/nothing/").headers["Content-Type"] == "text/html; charset=utf-8"
            assert client.get("/api/schema/").text == (PROJECT / "openapi-24.yaml").read_text()
