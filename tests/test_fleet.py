"""What AWX has not, below /api/fleet/v1/."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from instances import node_tokens
from instances.health.report import LONGEST_ERRORS, LONGEST_VERSION, RUNNER
from instances.models import Condition, Instance, InstanceGroup, MeshInspection, NodeHealth, User
from tests.conftest import client_of, token_for

pytestmark = pytest.mark.django_db

FLEET = "/api/fleet/v1/"
GIB = 2**30
BODY = {"version": "2.4.0", "cpu": 4, "memory": 8 * GIB, "uuid": "11111111-2222-3333-4444-555555555555"}


@pytest.fixture
def node() -> Instance:
    return Instance.objects.create(hostname="exec+1.example.org", node_type="execution", node_state="installed")


@pytest.fixture
def agent(node: Instance) -> APIClient:
    """Who asks with the token of ``node``."""
    return with_token(node_tokens.issue(node))


def with_token(raw: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {raw}")
    return client


def report_path(key: object) -> str:
    return f"{FLEET}instances/{key}/report/"


def post(client: APIClient, key: object, body: Any) -> Any:
    return client.post(report_path(key), json.dumps(body), content_type="application/json")


# --- reports


def test_a_report_makes_an_installed_node_ready(agent: APIClient, node: Instance) -> None:
    answer = post(agent, node.pk, BODY)
    assert answer.status_code == 200
    assert answer.json() == {
        "hostname": "exec+1.example.org",
        "node_state": "ready",
        "capacity": 81,  # the memory's, in forks of 100 MiB
        "health_check_pending": False,
        "errors": "",
        "next_report_within": 60,
    }
    node.refresh_from_db()
    assert node.version == "ansible-runner-2.4.0"
    assert (node.cpu, node.memory, node.uuid) == (4, 8 * GIB, BODY["uuid"])
    assert node.health.check_outcome == NodeHealth.Check.PASSED


def test_the_service_tells_when_it_expects_the_next(agent: APIClient, node: Instance, settings: Settings) -> None:
    settings.CLUSTER_NODE_HEARTBEAT_PERIOD = 15
    assert post(agent, node.pk, BODY).json()["next_report_within"] == 15


@pytest.mark.parametrize("key", ["exec+1.example.org", "exec[+]1.example.org"])
def test_a_node_may_be_named_by_its_hostname(key: str, agent: APIClient) -> None:
    assert post(agent, key, BODY).status_code == 200


@pytest.mark.parametrize("errors", ["no podman\nno space", ["no podman", "no space"]])
def test_errors_take_a_node_offline(errors: Any, agent: APIClient, node: Instance) -> None:
    answer = post(agent, node.pk, {"errors": errors})
    assert answer.status_code == 200
    assert answer.json()["node_state"] == "unavailable"
    assert answer.json()["errors"] == "no podman\nno space"
    node.refresh_from_db()
    assert node.capacity == 0
    assert node.health.check_outcome == NodeHealth.Check.NODE_ERRORS


@pytest.mark.parametrize("errors", ["", []])
def test_no_errors_are_none(errors: Any, agent: APIClient, node: Instance) -> None:
    assert post(agent, node.pk, {**BODY, "errors": errors}).json()["node_state"] == "ready"


@pytest.mark.parametrize(
    ("node_type", "stored"), [("execution", "ansible-runner-9.9"), ("control", "9.9"), ("hybrid", "9.9")]
)
def test_only_nodes_that_run_jobs_alone_have_the_version_of_ansible_runner(node_type: str, stored: str) -> None:
    node = Instance.objects.create(hostname="n", node_type=node_type)
    post(with_token(node_tokens.issue(node)), node.pk, {**BODY, "version": "9.9"})
    node.refresh_from_db()
    assert node.version == stored


def test_what_newer_agents_tell_besides_is_ignored(agent: APIClient, node: Instance) -> None:
    assert post(agent, node.pk, {**BODY, "disk": {"free": 1}, "hostname": "other"}).status_code == 200
    node.refresh_from_db()
    assert node.hostname == "exec+1.example.org"


@pytest.mark.parametrize(
    "body",
    [
        {"cpu": 999.9},
        {"cpu": 0.5},
        {"memory": 1},
        {"memory": 2**63 - 1},
        {"uuid": ""},
        {"uuid": "u" * 40},
        {"version": "v" * (LONGEST_VERSION - len(RUNNER))},
        {"errors": "e" * LONGEST_ERRORS},
    ],
    ids=str,
)
def test_what_is_just_within_bounds_is_stored(body: dict[str, Any], agent: APIClient, node: Instance) -> None:
    assert post(agent, node.pk, {**BODY, **body}).status_code == 200
    node.refresh_from_db()
    for name in body.keys() - {"version", "errors"}:
        expected = Decimal(str(body[name])) if name == "cpu" else body[name] or node.uuid
        assert getattr(node, name) == expected


BAD = [
    *(("cpu", value) for value in (None, True, "4", 0, -1, 999.95, 1000, 10**400, [4], {})),
    *(("memory", value) for value in (None, True, "1024", 0, -1, 1.5, 2**63, 10**400, [])),
    *(("version", value) for value in (None, 2.4, True, [], "2\0", "v" * 120)),
    *(("uuid", value) for value in (None, 1, "u" * 41, "u\0")),
    *(("errors", value) for value in (1, True, {}, [1], [None], "e" * (LONGEST_ERRORS + 1), ["ok", "\0"])),
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=lambda value: str(value)[:20])
def test_what_cannot_be_stored_is_refused_by_the_name_of_its_field(
    name: str, value: Any, agent: APIClient, node: Instance
) -> None:
    before = Instance.objects.values().get()
    answer = post(agent, node.pk, {**BODY, name: value})
    assert answer.status_code == 400
    assert list(answer.json()) == [name]
    assert Instance.objects.values().get() == before


@pytest.mark.parametrize("name", ["cpu", "memory"])
def test_a_node_without_errors_tells_its_figures(name: str, agent: APIClient, node: Instance) -> None:
    body = {key: value for key, value in BODY.items() if key != name}
    answer = post(agent, node.pk, body)
    assert answer.status_code == 400
    assert answer.json() == {name: ["This field is required."]}
    assert post(agent, node.pk, {**body, "errors": "broken"}).status_code == 200


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "-1e999"])
def test_numbers_beyond_all_bounds_are_refused(number: str, agent: APIClient, node: Instance) -> None:
    body = json.dumps({**BODY, "cpu": "?"}).replace('"?"', number)
    assert agent.post(report_path(node.pk), body, content_type="application/json").status_code == 400


@pytest.mark.parametrize("body", ["", "[]", "{", '"x"', "null", "\ufeff{}", "[" * 60_000])
def test_a_body_that_is_no_report_is_refused(body: str, agent: APIClient, node: Instance) -> None:
    answer = agent.post(report_path(node.pk), body, content_type="application/json")
    assert answer.status_code == 400
    assert isinstance(answer.json(), dict)


# --- who may report


def refused_credentials(node: Instance, admin: User) -> Iterator[dict[str, str]]:
    raw = node_tokens.issue(node)
    yield {}
    yield {"HTTP_AUTHORIZATION": "Bearer"}
    yield {"HTTP_AUTHORIZATION": "Bearer "}
    yield {"HTTP_AUTHORIZATION": f"Bearer {raw}x"}
    yield {"HTTP_AUTHORIZATION": f"Token {raw}"}
    yield {"HTTP_AUTHORIZATION": raw}
    yield {"HTTP_AUTHORIZATION": "Bearer \udcff\xff"}
    yield {"HTTP_AUTHORIZATION": f"Bearer {token_for(admin)}"}
    yield {"HTTP_AUTHORIZATION": "Basic YWRtaW46YWRtaW4="}  # admin:admin


def test_nothing_but_a_node_token_is_accepted(node: Instance, admin: User) -> None:
    before = Instance.objects.values().get()
    for headers in refused_credentials(node, admin):
        answer = APIClient().post(report_path(node.pk), BODY, format="json", **headers)
        assert answer.status_code == 401, headers
        assert answer["WWW-Authenticate"] == "Bearer realm=api"
        assert list(answer.json()) == ["detail"]
        assert "/api/login/" not in answer.json()["detail"]
    assert Instance.objects.values().get() == before


def test_a_session_does_not_report(node: Instance, admin: User) -> None:
    client = APIClient()
    client.force_login(admin)
    assert post(client, node.pk, BODY).status_code == 401


def test_the_scheme_is_written_in_any_case(node: Instance) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"bearer  {node_tokens.issue(node)} ")
    assert post(client, node.pk, BODY).status_code == 200


def test_a_revoked_token_is_none(agent: APIClient, node: Instance) -> None:
    node_tokens.revoke(node)
    assert post(agent, node.pk, BODY).status_code == 401


@pytest.mark.parametrize("key", ["{other}", "other.example.org", "0", "99999999999999999999999", "nobody", "%20"])
def test_a_token_reports_its_own_node_and_tells_nothing_of_others(key: str, agent: APIClient) -> None:
    other = Instance.objects.create(hostname="other.example.org", node_type="execution", node_state="installed")
    answer = post(agent, key.format(other=other.pk), BODY)
    assert answer.status_code == 403
    assert answer.json() == {"detail": "You do not have permission to perform this action."}
    other.refresh_from_db()
    assert other.node_state == "installed"


def test_a_node_token_opens_nothing_else(agent: APIClient, node: Instance) -> None:
    for path in (
        "/api/v2/instances/",
        "/api/v2/me/",
        FLEET,
        f"{FLEET}mesh/",
        f"{FLEET}instances/{node.pk}/conditions/",
    ):
        assert agent.get(path).status_code == 401, path


def test_reports_are_posted(agent: APIClient, node: Instance) -> None:
    assert agent.get(report_path(node.pk)).status_code == 405
    options = agent.options(report_path(node.pk))
    assert options.status_code == 200
    assert options["Allow"] == "POST, OPTIONS"


# --- conditions


@pytest.fixture
def exec_1(edge: InstanceGroup) -> Instance:
    return Instance.objects.get(hostname="exec-1")


def conditions_of(client: APIClient, key: object) -> Any:
    return client.get(f"{FLEET}instances/{key}/conditions/")


@pytest.mark.parametrize("by_name", [False, True])
def test_the_conditions_come_in_their_order(by_name: bool, exec_1: Instance, bob: User) -> None:
    answer = conditions_of(client_of(bob), "exec-1" if by_name else exec_1.pk)
    assert answer.status_code == 200
    assert answer.json()["count"] == 9
    assert [each["type"] for each in answer.json()["results"]] == Condition.Type.values
    for each in answer.json()["results"]:
        assert list(each) == ["type", "status", "reason", "message", "last_transition"]
        assert each["status"] in Condition.Status.values


def test_a_report_shows_in_the_conditions(exec_1: Instance, admin: User) -> None:
    post(with_token(node_tokens.issue(exec_1)), exec_1.pk, BODY)
    told = {each["type"]: each for each in conditions_of(client_of(admin), exec_1.pk).json()["results"]}
    assert {kind: each["status"] for kind, each in told.items()} == {
        **dict.fromkeys(Condition.Type.values, "True"),
        "BundleCurrent": "Unknown",
        "SinglePath": "Unknown",
        "Draining": "False",
        "Drained": "False",
    }
    assert told["HealthChecked"]["reason"] == "CheckPassed"
    post(with_token(node_tokens.issue(exec_1)), exec_1.pk, {"errors": "no podman"})
    told = {each["type"]: each for each in conditions_of(client_of(admin), exec_1.pk).json()["results"]}
    assert told["HealthChecked"]["status"] == "False"
    assert told["HealthChecked"]["reason"] == "NodeReportedErrors"
    assert told["HealthChecked"]["message"] == "no podman"


def test_conditions_are_seen_by_who_sees_the_instance(exec_1: Instance, alice: User, auditor: User) -> None:
    assert conditions_of(client_of(None), exec_1.pk).status_code == 401
    assert conditions_of(client_of(alice), exec_1.pk).status_code == 403
    assert conditions_of(client_of(alice), "exec-1").status_code == 404
    assert conditions_of(client_of(auditor), exec_1.pk).status_code == 200
    assert conditions_of(client_of(auditor), 0).status_code == 404
    assert conditions_of(client_of(auditor), "nobody").status_code == 404


# --- the mesh


def mesh(client: APIClient) -> Any:
    return client.get(f"{FLEET}mesh/")


def test_no_inspection_is_told_as_such(auditor: User) -> None:
    answer = mesh(client_of(auditor))
    assert answer.status_code == 200
    assert answer.json() == {
        "began": None,
        "seconds": 0.0,
        "error": "",
        "unknown_nodes": [],
        "overdue": False,
        "inspectors": [],
    }


def inspected(inspector: str, age: float, error: str = "", *unknown: str) -> dict[str, Any]:
    """An inspection of so many seconds ago; what is to be told of it."""
    began = timezone.now() - timedelta(seconds=age)
    figures = {"seconds": 0.5, "error": error, "unknown_nodes": list(unknown)}
    MeshInspection.objects.create(inspector=inspector, began=began, watching_since=began, **figures)
    return {"began": began.isoformat().replace("+00:00", "Z"), **figures, "overdue": age > 30, "inspector": inspector}


def without_inspector(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name != "inspector"}


@pytest.mark.parametrize(("age", "overdue"), [(0, False), (29, False), (31, True)])
def test_the_last_inspection(age: int, overdue: bool, admin: User, settings: Settings) -> None:
    settings.CLUSTER_NODE_HEARTBEAT_PERIOD = 10
    told = inspected("control-1", age, "no socket", "stray")
    assert told["overdue"] is overdue
    assert mesh(client_of(admin)).json() == {**without_inspector(told), "inspectors": [told]}


WORKS, FAILS, OVERDUE, FAILED = (5, ""), (3, "no socket"), (40, ""), (50, "no socket")


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        (WORKS, WORKS, "control-1"),
        (WORKS, FAILS, "control-1"),
        (FAILS, WORKS, "control-2"),
        (FAILS, FAILS, "control-1"),
        (OVERDUE, WORKS, "control-2"),
        (OVERDUE, FAILS, "control-2"),
        (FAILED, OVERDUE, "control-1"),
        (FAILED, FAILS, "control-2"),
    ],
)
def test_the_mesh_is_shown_for_each_control_node(
    one: Any, other: Any, shown: str, admin: User, settings: Settings
) -> None:
    """Whoever inspected it last, the same one stands for all: the first that works."""
    settings.CLUSTER_NODE_HEARTBEAT_PERIOD = 10
    each = [inspected("control-2", *other, "stray", "z"), inspected("control-1", *one, "a", "stray")][::-1]
    answer = mesh(client_of(admin)).json()
    assert answer["inspectors"] == each
    expected = next(told for told in each if told["inspector"] == shown)
    assert {**answer, "unknown_nodes": expected["unknown_nodes"]} == {**without_inspector(expected), "inspectors": each}
    both_count = (one == other) or {one, other} == {OVERDUE, FAILED}
    assert answer["unknown_nodes"] == (["a", "stray", "z"] if both_count else expected["unknown_nodes"])


def test_the_mesh_does_not_flip_with_who_inspected_last(admin: User, settings: Settings) -> None:
    shown = set()
    inspected("control-1", 2, "no socket")
    inspected("control-2", 1, "", "stray")
    for inspector in ("control-1", "control-2", "control-1"):
        MeshInspection.objects.filter(inspector=inspector).update(began=timezone.now())
        answer = mesh(client_of(admin)).json()
        shown.add((answer["error"], *answer["unknown_nodes"]))
    assert shown == {("", "stray")}


@pytest.mark.parametrize("number", [1, 20])
def test_the_mesh_takes_one_query(number: int, admin: User) -> None:
    for n in range(number):
        inspected(f"control-{n:02}", 1)
    client = client_of(admin)
    mesh(client)
    with CaptureQueriesContext(connection) as queries:
        assert len(mesh(client).json()["inspectors"]) == number
    assert sum("meshinspection" in str(query["sql"]) for query in queries) == 1


def test_the_mesh_is_shown_to_superusers_and_auditors(alice: User) -> None:
    assert mesh(client_of(None)).status_code == 401
    assert mesh(client_of(alice)).status_code == 403


# --- what there is


def test_the_root_lists_what_there_is(alice: User) -> None:
    assert client_of(None).get(FLEET).status_code == 401
    assert client_of(alice).get(FLEET).json() == {
        "bundles": "/api/fleet/v1/bundles/",
        "drains": "/api/fleet/v1/drains/",
        "fit": "/api/fleet/v1/fit/",
        "mesh": "/api/fleet/v1/mesh/",
        "mesh_risk": "/api/fleet/v1/mesh/risk/",
        "metrics": "/api/fleet/v1/metrics/",
        "process_metrics": "/api/fleet/v1/metrics/process/",
        "mirror": "/api/fleet/v1/mirror/",
        "what_if": "/api/fleet/v1/what_if/",
        "conditions": "/api/fleet/v1/instances/{key}/conditions/",
        "deprovision": "/api/fleet/v1/instances/{key}/deprovision/",
        "drain": "/api/fleet/v1/instances/{key}/drain/",
        "ping": "/api/fleet/v1/instances/{key}/ping/",
        "report": "/api/fleet/v1/instances/{key}/report/",
    }


def test_the_schema_describes_all_of_it(admin: User) -> None:
    schema = client_of(admin).get("/api/schema/?format=json").json()
    told = {path: set(item) for path, item in schema["paths"].items() if path.startswith(FLEET)}
    assert told == {
        FLEET: {"get"},
        f"{FLEET}bundles/": {"get"},
        f"{FLEET}drains/": {"get", "post"},
        f"{FLEET}fit/": {"get", "post"},
        f"{FLEET}mesh/": {"get"},
        f"{FLEET}mesh/risk/": {"get"},
        f"{FLEET}metrics/": {"get"},
        f"{FLEET}metrics/process/": {"get"},
        f"{FLEET}mirror/": {"get"},
        f"{FLEET}mirror/ping/": {"get"},
        f"{FLEET}what_if/": {"post"},
        f"{FLEET}instances/{{key}}/drain/": {"get", "post", "delete"},
        f"{FLEET}instances/{{key}}/report/": {"post"},
        f"{FLEET}instances/{{key}}/conditions/": {"get"},
        f"{FLEET}instances/{{key}}/deprovision/": {"post", "delete"},
        f"{FLEET}instances/{{key}}/ping/": {"get"},
    }
    parts = schema["components"]["schemas"]
    assert parts["ReportRequest"]["properties"]["memory"]["maximum"] == 2**63 - 1
    assert set(parts["Condition"]["properties"]) == {"type", "status", "reason", "message", "last_transition"}


def test_awxs_root_does_not_tell_of_it() -> None:
    assert "fleet" not in client_of(None).get("/api/").content.decode()


# --- costs


@pytest.mark.parametrize("rows", [1, 20])
@pytest.mark.parametrize(
    ("path", "queries"),
    [("", 1), ("drains/", 2), ("mesh/", 2), ("instances/{pk}/conditions/", 6), ("instances/exec-1/conditions/", 6)],
)
def test_an_answer_costs_the_same_in_any_fleet(
    path: str,
    queries: int,
    rows: int,
    exec_1: Instance,
    admin: User,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    fleet(rows, exec_1)
    client = client_of(admin)
    with django_assert_num_queries(queries):
        assert client.get((FLEET + path).format(pk=exec_1.pk)).status_code == 200


@pytest.mark.parametrize("rows", [1, 20])
def test_a_report_costs_the_same_in_any_fleet(
    rows: int, exec_1: Instance, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The token with its node; then one transaction: the node, its health (read, written), the looks at the mesh, the
    node, its conditions.
    """
    fleet(rows, exec_1)
    client = with_token(node_tokens.issue(exec_1))
    post(client, exec_1.pk, BODY)
    with django_assert_num_queries(1 + 2 + 6):
        assert post(client, exec_1.pk, BODY).status_code == 200


def fleet(rows: int, member: Instance) -> None:
    """So many other instances, all with conditions and tokens, and so many tokens of ``member``."""
    for number in range(rows):
        other = Instance.objects.create(hostname=f"node-{number}", node_type="execution")
        post(with_token(node_tokens.issue(other)), other.pk, BODY)
        node_tokens.issue(member)
