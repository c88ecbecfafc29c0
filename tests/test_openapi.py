"""The OpenAPI document: complete, as committed, and true to what AWX was recorded to answer."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client
from django.urls import get_resolver
from django.urls import path as route
from django.utils import translation
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import EndpointEnumerator, SchemaGenerator
from drf_spectacular.utils import extend_schema
from pytest_django import Settings
from rest_framework import serializers
from rest_framework.exceptions import NotAcceptable

from awx_compat.dialects.awx23_instances import ListeningInstanceSerializer
from awx_compat.metadata import HELP_TEXTS
from awx_compat.openapi import descriptions, errors, examples, serving
from awx_compat.openapi.errors import ErrorResponse, ErrorSerializer
from awx_compat.openapi.example_records import JOB
from awx_compat.process_metrics import ProcessMetrics
from awx_compat.serializers.group import InstanceGroupSerializer
from awx_compat.serializers.job import COLLECTIONS_OF_JOBS, UnifiedJobSerializer
from awx_compat.serializers.token import TokenSerializer
from awx_compat.serializers.user import UserSerializer
from awx_compat.views.base import ApiView, not_implemented
from instances import drains
from instances.models import Instance, InstanceGroup, InstanceGroupRole, User
from instances.roles import role_id, role_with_id
from tests.conftest import client_of
from tests.contract.comparison import Exchange
from tests.contract.recordings import AWX23
from tests.make import make_jobs, make_link
from tests.service import PROJECT
from tests.wsgi import environ, send

METHODS = ("get", "post", "put", "patch", "delete")
RECORDS = (ListeningInstanceSerializer, InstanceGroupSerializer, UnifiedJobSerializer, UserSerializer, TokenSerializer)


@pytest.fixture(scope="module")
def document() -> Any:
    document = yaml.safe_load(serving.document(serving.YAML))
    assert not GENERATOR_STATS._warn_cache
    assert not GENERATOR_STATS._error_cache
    return document


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def resolved(document: Any, value: Any) -> Any:
    """``value``, or what it refers to."""
    while "$ref" in value:
        _, *names = value["$ref"].split("/")
        target = document
        for name in names:
            target = target[name]
        value = target
    return value


def faults(document: Any, schema: Any, body: Any) -> list[str]:
    """Why ``body`` is not as ``schema`` says, properties that it does not name included."""
    closed = {name: without_more(schema) for name, schema in document["components"]["schemas"].items()}
    validator = jsonschema.Draft202012Validator({**schema, "components": {"schemas": closed}})
    return [f"{error.json_path}: {error.message:.300}" for error in validator.iter_errors(body)]


def without_more(schema: Any) -> Any:
    """The schema of an object that has no other properties; jobs also have the fields of their kinds."""
    if "properties" not in schema or "elapsed" in schema["properties"]:
        return schema
    return {"additionalProperties": False, **schema}


# --- the document


def test_the_committed_document_is_the_served_one(document: Any) -> None:
    assert (PROJECT / "openapi.yaml").read_bytes() == serving.document(serving.YAML), "run: make openapi"


def test_every_method_of_every_path_is_described(document: Any) -> None:
    offered = {
        (path, method.lower())
        for path, _, method, _ in EndpointEnumerator(get_resolver().url_patterns).get_api_endpoints()
    }
    assert {(path, method) for path, method, _ in operations(document)} == offered
    for path, method, operation in operations(document):
        assert operation["summary"], (method, path)
        assert operation["tags"][0] in descriptions.TAGS, (method, path)
        assert operation["responses"]["406"] == {"$ref": "#/components/responses/NotAcceptable"}, (method, path)
        for parameter in operation.get("parameters", ()):
            assert resolved(document, parameter)["description"], (method, path, parameter)


def test_operations_have_names_that_clients_can_be_generated_from(document: Any) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]+_(list|retrieve|create|update|partial_update|destroy)", n) for n in names)


def test_every_field_of_every_body_is_described(document: Any) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, told in schema.get("properties", {}).items():
            assert told.get("description"), f"{name}.{field}"
    assert len(document["components"]["schemas"]["Instance"]["properties"]) == 33


@pytest.mark.parametrize("serializer", RECORDS)
def test_no_field_is_described_twice(serializer: Any) -> None:
    fields = serializer().fields
    for name in descriptions.FIELDS[serializer.Meta.model].keys() & fields.keys():
        assert not fields[name].help_text, name
        assert name not in HELP_TEXTS, name


def test_what_cannot_be_written_is_in_no_request(document: Any) -> None:
    schemas = document["components"]["schemas"]
    written = {"capacity_adjustment", "enabled", "managed_by_policy", "node_state", "listener_port", "peers"}
    written.add("peers_from_control_nodes")
    assert set(schemas["InstanceRequest"]["properties"]) == written | {"hostname", "node_type"}
    assert set(schemas["PatchedInstanceRequest"]["properties"]) == written
    assert not any("default" in field for field in schemas["PatchedInstanceRequest"]["properties"].values())


def test_what_becomes_of_fields_that_are_left_out_is_told(document: Any) -> None:
    """A default counts for PUT too; what counts on creation alone is told in words."""
    told = document["components"]["schemas"]["InstanceRequest"]["properties"]
    assert {name: field["default"] for name, field in told.items() if "default" in field} == {
        "node_type": "execution",
        "node_state": "installed",
        "listener_port": None,
        "peers_from_control_nodes": False,
        "capacity_adjustment": "1.00",
        "enabled": True,
        "managed_by_policy": True,
    }
    told = document["components"]["schemas"]["InstanceGroupRequest"]["properties"]["is_container_group"]
    assert told["description"].endswith("If omitted on creation: `false`.")


def test_what_is_left_out_is_as_told(admin: User, settings: Any) -> None:
    settings.IS_K8S = True
    client = client_of(admin)
    made = client.post("/api/v2/instances/", {"hostname": "exec-1"}, "json").json()
    assert (made["capacity_adjustment"], made["enabled"], made["managed_by_policy"]) == ("1.00", True, True)
    changed = {"capacity_adjustment": "0.50", "enabled": False, "managed_by_policy": False}
    assert client.patch(made["url"], changed, "json").status_code == 200
    replaced = client.put(made["url"], {"hostname": "exec-1"}, "json").json()
    assert {name: replaced[name] for name in changed} == {name: made[name] for name in changed}


def test_what_may_not_be_negative_has_no_sign(document: Any) -> None:
    for name in ("Instance", "InstanceRequest", "PatchedInstanceRequest"):
        pattern = document["components"]["schemas"][name]["properties"]["capacity_adjustment"]["pattern"]
        assert [bool(re.fullmatch(pattern, value)) for value in ("0.50", "-0.50")] == [True, False]


def test_refusals_are_shown_in_english_whoever_asks_first() -> None:
    """A view, and with it what it refuses, may be imported while somebody's own language is active."""
    with translation.override("es"):
        assert str(NotAcceptable.default_detail) != "Could not satisfy the request Accept header."
        assert errors.detail(NotAcceptable.default_detail) == {"detail": "Could not satisfy the request Accept header."}


def test_no_keyword_is_of_an_older_openapi(document: Any) -> None:
    assert "nullable" not in yaml.safe_dump(document)


def test_every_body_has_examples_that_are_as_its_schema_says(document: Any) -> None:
    for path, method, operation in operations(document):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for body in (resolved(document, body) for body in bodies):
            for media_type, content in body.get("content", {}).items():
                examples = [example["value"] for example in content.get("examples", {}).values()]
                examples += [content["example"]] if "example" in content else []
                assert examples or media_type == "application/gzip", (method, path)
                for example in examples:
                    assert not faults(document, content["schema"], example), (method, path)


class ShiftSerializer(serializers.Serializer[Any]):
    """Who watches the mesh."""

    watcher = serializers.CharField(help_text="Who it is.")


@extend_schema(methods=["PUT"], summary="Send the watcher home")
class Shift(ApiView):
    """The present shift."""

    title = "Shift"
    put = not_implemented

    @extend_schema(
        request=ShiftSerializer,
        responses={
            200: ShiftSerializer,
            409: ErrorResponse("AtNight", "Nobody watches at night.", (ErrorSerializer,), {"detail": "It is night."}),
        },
        summary="Begin a shift",
    )
    def post(self, request: Any) -> Any:
        raise NotImplementedError


def test_what_a_new_view_declares_is_all_that_the_document_needs() -> None:
    """Its own words and refusals, and beside them what holds for all."""
    with serving.generation:
        told = SchemaGenerator(patterns=[route("api/v2/shift/", Shift.as_view())]).get_schema(public=True)
    begin, send = (told["paths"]["/api/v2/shift/"][method] for method in ("post", "put"))
    assert (begin["summary"], begin["description"]) == ("Begin a shift", "The present shift.")
    assert begin["operationId"] == "shift_create"
    assert set(begin["responses"]) == {"200", "400", "401", "403", "404", "406", "409", "415", "429", "503"}
    assert begin["responses"]["409"] == {"$ref": "#/components/responses/AtNight"}
    assert told["components"]["responses"]["AtNight"]["content"]["application/json"]["example"] == {
        "detail": "It is night."
    }
    assert told["components"]["schemas"]["Shift"]["properties"]["watcher"]["description"] == "Who it is."
    assert (send["summary"], set(send["responses"])) == (
        "Send the watcher home",
        {"401", "403", "404", "406", "429", "501", "503"},
    )
    assert "requestBody" not in send


# --- what is answered


def test_what_is_answered_here_is_as_described(
    document: Any,
    admin: User,
    edge: InstanceGroup,
    measured: ProcessMetrics,
    subtests: pytest.Subtests,
    settings: Settings,
) -> None:
    """Each path that GET answers: as its schema says, with no property more."""
    settings.PUBLIC_INSTANCE_PING = True
    User.objects.update(email="somebody@example.org")
    client = client_of(admin)
    token = client.post("/api/v2/tokens/", {}, "json").json()
    nodes = [Instance.objects.create(hostname=name, node_type="execution", cpu=4, memory=2**30) for name in "ab"]
    make_link(source=nodes[0], target=nodes[1])
    edge.instances.set(nodes)
    make_jobs(1, status="running", execution_node="b", representation=JOB)
    drains.begin([node.pk for node in nodes], drains.DrainPlan("repair"))
    drains.undo(nodes[0].pk)
    jobs = {name: make_jobs(1, type=kind, representation=JOB)[0].pk for name, kind in COLLECTIONS_OF_JOBS.items()}
    InstanceGroup.objects.create(name="pods", is_container_group=True, credential=3)
    keys = {
        **jobs,
        "credentials": 3,
        "instances": nodes[0].pk,
        "instance_groups": edge.pk,
        "users": admin.pk,
        "tokens": token["id"],
        "roles": role_id(edge.pk, InstanceGroupRole.Role.USE),
    }
    queries = {"/api/fleet/v1/fit/": {"job": make_jobs(1, status="pending", representation=JOB)[0].pk}}
    checked = set()
    for where, method, operation in operations(document):
        content = operation["responses"].get("200", {}).get("content", {}).get("application/json")
        if method != "get" or content is None:
            continue
        kind = next((kind for kind in keys if f"/{kind}/{{key}}/" in where), "")
        with subtests.test(where):
            answer = client.get(
                where.format(key=keys.get(kind), slug="all"), {"format": "json", **queries.get(where, {})}
            )
            if answer.status_code == 404 and "mirror" in where:
                continue  # this is none; tests/test_mirror.py asks one
            assert answer.status_code == 200
            assert not faults(document, content["schema"], answer.json())
            checked.add(where)
    assert len(checked) > 40


RECORDED = [
    exchange
    for name in ("reads.jsonl", "boot.jsonl", "writes.jsonl", "writes_no_k8s.jsonl")
    for exchange in AWX23.exchanges(name)
    if exchange["method"].lower() in METHODS
]


def operation_of(document: Any, exchange: Exchange) -> Any:
    """What is said of the exchange's method and path; None where no such thing is offered."""
    asked = exchange["path"].partition("?")[0]
    for path, item in document["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), asked):
            return item.get(exchange["method"].lower())
    return None


def test_recorded_answers_are_as_described(document: Any, subtests: pytest.Subtests) -> None:
    """Statuses and bodies of AWX itself, but for methods and paths that are not offered (404, 405)."""
    checked = 0
    for exchange in RECORDED:
        operation = operation_of(document, exchange)
        if operation is None:
            continue
        statuses = exchange["status"] if isinstance(exchange["status"], list) else [exchange["status"]]
        with subtests.test(exchange["id"]):
            described = [operation["responses"][str(s)] for s in statuses if str(s) in operation["responses"]]
            assert described
            content = resolved(document, described[0]).get("content", {}).get("application/json")
            if content and "response" in exchange and len(statuses) == 1 and not exchange.get("subset"):
                checked += 1
                assert not faults(document, content["schema"], exchange["response"])
    assert checked > 900


@pytest.mark.parametrize(
    ("query", "accept", "status", "media_type", "words"),
    [
        ("", "*/*", 200, "application/json", "Answers are `application/json`"),
        ("", "text/html", 200, "text/html; charset=utf-8", "clients that prefer `text/html`"),
        ("?format=json", "text/html, */*;q=0.8", 200, "application/json", "`format=json`"),
        ("?format=api", "*/*", 200, "text/html; charset=utf-8", "`format=api` for the page"),
        ("", "image/png", 406, "application/json", "An unsupported `Accept` gets 406"),
        ("?format=xml", "*/*", 404, "application/json", "an unknown `format` 404"),
    ],
)
def test_formats_are_as_the_text_at_the_beginning_says(
    query: str, accept: str, status: int, media_type: str, words: str, admin: User
) -> None:
    answer = client_of(admin).get(f"/api/v2/instances/{query}", HTTP_ACCEPT=accept)
    assert (answer.status_code, answer["Content-Type"]) == (status, media_type)
    assert words in " ".join(descriptions.ABOUT.split())


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("cpu=0e-500", True),
        ("cpu=5.5e-192", False),
        ("cpu__lt=5.5e-192", True),
        ("cpu=1e132", False),
        ("cpu__lt=1e999999", True),
        ("cpu__gt=-1e999999", True),
        ("created__gt=0347-09-24T04:20:00-23:03", True),
        ("created__gt=0001-01-01T00:00:00%2B23:59", True),
        ("created__gt=9999-12-31T23:59:59-23:59", False),
    ],
)
def test_every_number_and_every_time_is_compared_with(query: str, is_found: bool, admin: User) -> None:
    """Whatever JSON Schema calls a number or a date-time, however large."""
    Instance.objects.create(hostname="exec-1", cpu=0)
    answer = client_of(admin).get(f"/api/v2/instances/?{query}")
    assert (answer.status_code, answer.json().get("count")) == (200, int(is_found))


def test_no_parameter_may_hold_what_no_text_of_the_database_can(document: Any) -> None:
    checked = 0
    for path, method, operation in operations(document):
        for parameter in (resolved(document, parameter) for parameter in operation.get("parameters", ())):
            schema = resolved(document, parameter["schema"])
            if parameter["in"] == "query" and schema.get("type") == "string" and not {"enum", "format"} & schema.keys():
                checked += 1
                assert not re.search(schema["pattern"], "\0"), (method, path, parameter["name"])
    assert checked > 100


def examples_of_parameters(document: Any) -> Iterator[tuple[str, str, Any, dict[str, Any]]]:
    """For each parameter with examples: its operation's path, its name, its schema, and each example."""
    for path, _, operation in operations(document):
        for parameter in (resolved(document, parameter) for parameter in operation.get("parameters", ())):
            schema = {**resolved(document, parameter["schema"]), **parameter["schema"]}
            if parameter["in"] == "query":
                for example in schema.get("examples", ()):
                    yield path, parameter["name"], schema, example


def test_examples_of_parameters_are_valid_and_accepted(document: Any, admin: User, subtests: pytest.Subtests) -> None:
    client, sent = client_of(admin), set()
    token = client.post("/api/v2/tokens/", {}, "json").json()
    Instance.objects.create(hostname=examples.KEYS["instances"])
    group_pk, _ = role_with_id(int(examples.KEYS["roles"]))
    name = examples.KEYS["instance_groups"]
    InstanceGroup.objects.create(pk=group_pk, name=name, is_container_group=True, credential=3)
    for name, kind in COLLECTIONS_OF_JOBS.items():
        make_jobs(1, first=int(examples.KEYS[name]), type=kind)
    for path, name, schema, example in examples_of_parameters(document):
        with subtests.test(f"{path}?{name}={example}"):
            assert not faults(document, schema, example)
            kind = next((kind for kind in examples.KEYS if f"/{kind}/{{key}}/" in path), None)
            key = token["id"] if kind == "tokens" else examples.KEYS.get(kind, "")
            assert client.get(path.format(key=key), {name: json.dumps(example).strip('"')}).status_code == 200
            sent.add((path, name))
    lists = {path for path, name in sent if name == "order_by"}
    assert len(lists) == 22
    assert all({(path, "type"), (path, "id")} <= sent for path in lists)
    assert ("/api/v2/instances/", "search") in sent


def test_what_may_be_empty_is_accepted_so(document: Any, admin: User, measured: ProcessMetrics) -> None:
    client, asked = client_of(admin), set()
    for path, _, operation in operations(document):
        for parameter in (resolved(document, parameter) for parameter in operation.get("parameters", ())):
            if parameter.get("allowEmptyValue") and "{" not in path:
                asked.add(parameter["name"])
                assert client.get(path, {parameter["name"]: ""}).status_code == 200, path
    assert asked == {"count_disabled", "format"}


# --- the pages that show it


@pytest.mark.parametrize("page", ["docs", "redoc"])
def test_pages_load_nothing_from_elsewhere_and_nothing_inline(page: str, client: Client) -> None:
    answer = client.get(f"/api/{page}/")
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    text = answer.content.decode()
    assert not re.search(r"<style|<script(?! src)|\bon\w+=|\bstyle=|//", text)
    for path in re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"]+)"', text):
        assert send(WSGIHandler(), environ(path)).status == 200, path
    for path in re.findall(r'<a href="([^"]+)"', text):
        assert client.get(path).status_code < 400, path


def test_the_page_that_tries_out_has_what_a_session_needs_for_changes(client: Client) -> None:
    assert "csrftoken" in client.get("/api/docs/").cookies


@pytest.mark.parametrize(
    ("query", "accept", "media_type"),
    [
        ("", "*/*", serving.YAML),
        ("?format=json", "*/*", serving.JSON),
        ("", "application/json", serving.JSON),
    ],
)
def test_the_document_comes_as_yaml_or_json(query: str, accept: str, media_type: str, client: Client) -> None:
    answer = client.get(f"/api/schema/{query}", headers={"Accept": accept})
    assert (answer.status_code, answer["Content-Type"]) == (200, media_type)
    read = yaml.safe_load if media_type == serving.YAML else json.loads
    assert read(answer.content)["openapi"] == "3.1.0"
    assert client.post("/api/schema/").status_code == 405
