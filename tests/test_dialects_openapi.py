"""The OpenAPI document of each dialect: committed, complete, and true to what is answered."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from django.urls import get_resolver
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import EndpointEnumerator

from awx_compat.dialects import DIALECTS
from awx_compat.openapi import descriptions, serving
from instances.models import InstanceGroup, InstanceGroupRole, User
from instances.roles import role_id
from tests.conftest import client_of, speaking
from tests.service import PROJECT
from tests.test_openapi import faults, operations, resolved

DOCUMENTS = {"23.6.0": "openapi.yaml", "24.6.1": "openapi-24.yaml"}


@pytest.fixture(params=DIALECTS)
def version(request: pytest.FixtureRequest) -> Iterator[str]:
    with speaking(request.param):
        yield request.param


@pytest.fixture
def document(version: str) -> Any:
    read = yaml.safe_load(serving.document(serving.YAML))
    assert not GENERATOR_STATS._warn_cache
    assert not GENERATOR_STATS._error_cache
    return read


def test_each_has_a_document_that_is_committed(version: str) -> None:
    assert set(DOCUMENTS) == set(DIALECTS)
    assert (PROJECT / DOCUMENTS[version]).read_bytes() == serving.document(serving.YAML), "run: make openapi"


def test_the_served_document_is_that_of_the_dialect(version: str, client: Any) -> None:
    served = client.get("/api/schema/", headers={"Accept": "*/*"})
    assert served.content == (PROJECT / DOCUMENTS[version]).read_bytes()
    assert f"The instance API of AWX {version}:" in served.content.decode()


def test_every_method_is_described(document: Any) -> None:
    offered = {
        (path, method.lower())
        for path, _, method, _ in EndpointEnumerator(get_resolver().url_patterns).get_api_endpoints()
    }
    assert {(path, method) for path, method, _ in operations(document)} == offered
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]+", name) for name in names)
    for path, method, operation in operations(document):
        assert operation["summary"], (method, path)
        assert operation["tags"][0] in descriptions.TAGS, (method, path)
    for name, schema in document["components"]["schemas"].items():
        for field, shown in schema.get("properties", {}).items():
            assert shown.get("description"), f"{name}.{field}"


def test_examples_are_as_their_schemas_say(document: Any) -> None:
    for path, method, operation in operations(document):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for body in (resolved(document, body) for body in bodies):
            for media_type, content in body.get("content", {}).items():
                shown = [example["value"] for example in content.get("examples", {}).values()]
                shown += [content["example"]] if "example" in content else []
                assert shown or media_type == "application/gzip", (method, path)
                for example in shown:
                    assert not faults(document, content["schema"], example), (method, path)


def test_no_text_of_a_query_has_what_the_database_cannot_store(document: Any) -> None:
    for path, method, operation in operations(document):
        for parameter in (resolved(document, parameter) for parameter in operation.get("parameters", ())):
            schema = resolved(document, parameter["schema"])
            if parameter["in"] == "query" and schema.get("type") == "string" and not {"enum", "format"} & schema.keys():
                assert not re.search(schema["pattern"], "\0"), (method, path, parameter["name"])


@pytest.mark.django_db
def test_answers_are_as_described(
    document: Any, admin: User, auditor: User, bob: User, edge: InstanceGroup, subtests: pytest.Subtests
) -> None:
    """Of what differs between the dialects."""
    User.objects.update(email="somebody@example.org")
    client = client_of(admin)
    keys = {"users": admin.pk, "instance_groups": edge.pk, "role_definitions": 25}
    keys["roles"] = role_id(edge.pk, InstanceGroupRole.Role.USE)
    assigned = client.get("/api/v2/role_user_assignments/")
    if assigned.status_code == 200:
        keys["role_user_assignments"] = assigned.json()["results"][0]["id"]
    checked = set()
    for path, method, operation in operations(document):
        kind = next((kind for kind in keys if f"/{kind}/{{key}}/" in path), "")
        if method == "get" and (kind or any(f"/{name}/" in path for name in ("users", "me", "service-index"))):
            content = operation["responses"]["200"].get("content", {}).get("application/json")
            with subtests.test(path):
                answer = client.get(path.format(key=keys.get(kind)))
                assert answer.status_code == 200
                assert not faults(document, content["schema"], answer.json())
                checked.add(path)
    assert len(checked) >= 19
