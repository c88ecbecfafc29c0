"""AWX's collections that this service does not store: empty lists that clients can ask anything, in each dialect."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from awx_compat import dialects
from awx_compat.dialects import DIALECTS
from awx_compat.metadata import KINDS
from awx_compat.not_stored import BY_ROUTE, COLLECTIONS, Collection
from instances.models import User
from tests.conftest import client_of, speaking

pytestmark = pytest.mark.django_db
AWX23, AWX24 = DIALECTS
AWX_SYNC = Path(__file__).with_name("awx_sync")
each_collection = pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda collection: collection.name)
KINDS_OF_FIELDS = {*KINDS.mapping.values(), "field"}


@pytest.fixture(scope="module", params=DIALECTS)
def version(request: pytest.FixtureRequest) -> Iterator[str]:
    with speaking(request.param):
        yield request.param


@pytest.fixture
def client(version: str, admin: User) -> Any:
    return client_of(admin)


def test_the_root_names_what_answers_and_all_that_is_declared(client: Any, version: str) -> None:
    root = client.get("/api/v2/").json()
    assert {name: root.get(name) for name in (collection.name for collection in COLLECTIONS)} == {
        collection.name: f"/api/v2/{collection.route}/" for collection in COLLECTIONS
    }
    assert {path: client.get(path).status_code for path in root.values()} == dict.fromkeys(root.values(), 200)


def test_the_root_is_that_of_awx(version: str, client: Any) -> None:
    """In its order, as recorded; but two, which have no list."""
    with (AWX_SYNC / f"awx{version[:2]}.jsonl").open(encoding="utf-8") as lines:
        exchanges = map(json.loads, lines)
        recorded: dict[str, str] = next(each["response"] for each in exchanges if each["path"] == "/api/v2/")
    expected = {name: path for name, path in recorded.items() if name not in ("bulk", "analytics")}
    assert list(client.get("/api/v2/").json().items()) == list(expected.items())


@each_collection
@pytest.mark.parametrize(
    "query",
    [
        "",
        "?page_size=1&role_level=admin_role",
        "?instance_groups=6",
        "?not__name__icontains=a&or__id__in=1,2&order_by=-name,id",
        "?chain__created_by__username=x&search=a,b&type=nothing&no_such_field__of__anything=%22",
        "?page=7&count_disabled=true&format=json",
    ],
)
def test_a_list_is_empty_whatever_is_searched_for(collection: Collection, query: str, client: Any) -> None:
    answer = client.get(f"/api/v2/{collection.route}/{query}")
    assert (answer.status_code, answer.json()) == (200, {"count": 0, "next": None, "previous": None, "results": []})


@each_collection
def test_options_describes_the_records(collection: Collection, client: Any) -> None:
    told = client.options(f"/api/v2/{collection.route}/").json()
    assert list(told)[:4] == ["name", "description", "renders", "parses"]
    assert told["description"].startswith(f"# {told['name']}\n\n")
    assert (list(told["actions"]), told["types"], told["max_page_size"]) == (["GET"], [collection.record_type], 200)
    fields = told["actions"]["GET"]
    assert list(fields)[:7] == ["id", "type", "url", "related", "summary_fields", "created", "modified"]
    for name, field in fields.items():
        assert {"type", "label"} <= field.keys(), name
        assert field["type"] in KINDS_OF_FIELDS, name
        assert ("choices" in field) is (field["type"] == "choice"), name
        assert all(len(pair) == 2 for pair in field.get("choices", [])), name
        assert ("hidden" in field) is bool(dialects.current().options_of_fields), name
        assert ("filterable" in field) is (name != "type"), name
    assert fields["id"]["help_text"] == f"Database ID for this {collection.noun}."
    assert set(told.get("search_fields", [])) <= fields.keys()
    relations = {name.removesuffix("__search") for name in told.get("related_search_fields", [])}
    assert {fields[name]["type"] for name in relations} <= {"id"}


def test_the_sources_of_inventories_are_those_of_the_version(version: str, client: Any) -> None:
    choices = client.options("/api/v2/inventory_sources/").json()["actions"]["GET"]["source"]["choices"]
    values = [value for value, label in choices]
    assert {"file", "constructed", "scm", "ec2", "controller", "insights"} <= set(values)
    assert ({"terraform", "openshift_virtualization"} <= set(values)) is (version == AWX24)
    types = client.options("/api/v2/notification_templates/").json()["actions"]["GET"]["notification_type"]["choices"]
    assert (["awssns", "AWS SNS"] in types) is (version == AWX24)


@each_collection
def test_no_record_is_found_nor_anything_below_it(collection: Collection, client: Any, version: str) -> None:
    message = "Not found." if version == AWX23 else f"No {collection.model} matches the given query."
    for below in ("5/", "5/users/", "5/a/b/c/", "a name/", "0/object_roles/?search=x"):
        for ask in (client.get, client.options, client.post, client.put, client.patch, client.delete):
            answer = ask(f"/api/v2/{collection.route}/{below}", **({} if ask == client.get else {"format": "json"}))
            assert (answer.status_code, answer.json()) == (404, {"detail": message}), below
            assert answer["X-API-Product-Name"] == "AWX"


def test_the_model_is_named_as_awx_names_it() -> None:
    models = {collection.name: collection.model for collection in COLLECTIONS}
    assert models["applications"] == "OAuth2Application"
    assert models["constructed_inventory"] == models["inventory"] == "Inventory"
    assert models["workflow_job_template_nodes"] == "WorkflowJobTemplateNode"


@each_collection
def test_what_awx_creates_is_refused_as_not_implemented(collection: Collection, client: Any) -> None:
    answer = client.post(f"/api/v2/{collection.route}/", {"name": "a"}, format="json")
    assert answer.status_code == (501 if collection.is_created else 405)
    assert ("POST" in answer["Allow"]) is collection.is_created


@pytest.mark.parametrize("path", ["teams/", "teams/5/", "inventory_sources/", "schedules/5/jobs/"])
def test_anonymous_requests_are_told_to_log_in(path: str, version: str) -> None:
    answer = Client().get(f"/api/v2/{path}")
    assert (answer.status_code, "/api/login/" in answer.json()["detail"]) == (401, True)


def test_each_collection_is_declared_once() -> None:
    assert len(BY_ROUTE) == len({collection.name for collection in COLLECTIONS}) == len(COLLECTIONS)


def test_a_browser_gets_pages(client: Any, version: str) -> None:
    page = client.get("/api/v2/teams/", HTTP_ACCEPT="text/html")
    assert (page.status_code, "<form" in page.content.decode()) == (200, False)
    missing = client.get("/api/v2/teams/5/", HTTP_ACCEPT="text/html")
    assert (missing.status_code, missing["Content-Type"]) == (404, "text/html; charset=utf-8")
