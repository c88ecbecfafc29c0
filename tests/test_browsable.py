"""Who gets pages instead of JSON, and what they show to whom."""

import json
import re
from html import unescape
from typing import Any

import pytest
from django.utils.html import escape
from rest_framework.test import APIClient

from instances.models import Instance, InstanceGroup, InstanceGroupRole, User
from tests.conftest import client_of, token_for
from tests.make import make_jobs

pytestmark = pytest.mark.django_db
BROWSER = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"  # as Chromium and Firefox send it
)
URL = "/api/v2/instances/"


@pytest.fixture
def instance(db: None) -> Instance:
    return Instance.objects.create(hostname="exec-9", node_type="execution")


def page(client: APIClient, path: str, **options: str) -> str:
    answer = client.get(path, **{"HTTP_ACCEPT": BROWSER, **options})
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in answer["Content-Security-Policy"]
    return answer.content.decode()


def forms(client: APIClient, path: str) -> dict[str, Any]:
    """The methods that the page has forms for, each with the body that it begins with."""
    told = re.findall(r'<form class="change" data-method="(\w+)"(.*?)</form>', page(client, path), re.DOTALL)
    bodies = {method: re.search(r"<textarea[^>]*>(.*?)</textarea>", form, re.DOTALL) for method, form in told}
    return {method: json.loads(unescape(body[1])) if body else None for method, body in bodies.items()}


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/html;q=0.9", ""])
def test_who_does_not_prefer_html_reads_json(admin: User, instance: Instance, accept: str) -> None:
    answer = client_of(admin).get(URL, HTTP_ACCEPT=accept)
    assert answer["Content-Type"] == "application/json"
    assert answer["Vary"].startswith("Accept")


def test_format_chooses_without_a_header(admin: User, instance: Instance) -> None:
    assert client_of(admin).get(f"{URL}?format=api")["Content-Type"].startswith("text/html")
    assert client_of(admin).get(f"{URL}?format=json", HTTP_ACCEPT=BROWSER)["Content-Type"] == "application/json"


def test_the_page_shows_the_json_with_links(admin: User, instance: Instance) -> None:
    shown = page(client_of(admin), f"{URL}?order_by=id&page_size=1")
    path = f"/api/v2/instances/{instance.pk}/"
    assert f'&quot;url&quot;: &quot;<a href="{path}">{path}</a>&quot;' in shown


def test_every_link_leads_somewhere(admin: User, edge: InstanceGroup) -> None:
    make_jobs(3, execution_node="exec-1", instance_group=edge)  # whose paths are AWX's alone
    client, ahead, seen = client_of(admin), {"/api/"}, set()
    while ahead:
        path = ahead.pop()
        seen.add(path)
        answer = client.get(path, HTTP_ACCEPT=BROWSER)
        assert answer.status_code == 200 or path.endswith("/install_bundle/"), path  # for that the mesh needs a CA
        ahead |= set(map(unescape, re.findall(r'<a href="([^"]+)"', told(answer)))) - seen
    assert f"{URL}{edge.instances.get().pk}/peers/" in seen


def told(answer: Any) -> str:
    """The body of the answer, as the page shows it."""
    return str(answer.content.decode().partition('id="answer"')[2].partition("</pre>")[0])


def test_there_are_forms_for_what_the_reader_may_change(
    admin: User, auditor: User, bob: User, instance: Instance, edge: InstanceGroup
) -> None:
    def methods(user: User, path: str) -> list[str]:
        return list(forms(client_of(user), path))

    assert methods(admin, URL) == ["POST"]
    assert methods(admin, f"{URL}{instance.pk}/") == ["PUT", "PATCH"]
    assert methods(admin, f"/api/v2/instance_groups/{edge.pk}/") == ["PUT", "PATCH", "DELETE"]
    for user in (auditor, bob):
        assert methods(user, URL) == []


@pytest.mark.parametrize("path", ["/api/v2/instance_groups/{edge.pk}/", "/api/v2/instance_groups/edge/"])
def test_who_administers_a_group_is_offered_what_the_service_allows(edge: InstanceGroup, bob: User, path: str) -> None:
    InstanceGroupRole.objects.update(role=InstanceGroupRole.Role.ADMIN)
    client, path = client_of(bob), path.format(edge=edge)
    member = Instance.objects.get(hostname="exec-1")
    assert forms(client, path).keys() == {"PUT", "PATCH"}
    assert forms(client, f"{path}instances/").keys() == {"POST"}
    assert client.patch(path, {"max_forks": 3}, "json").status_code == 200
    assert client.delete(path).status_code == (403 if str(edge.pk) in path else 404)
    assert client.post(f"{path}instances/", {"id": member.pk, "disassociate": True}, "json").status_code == 204
    assert client.options(path).json()["actions"].keys() == {"GET", "PUT"}


def test_who_may_only_use_a_group_is_offered_nothing(edge: InstanceGroup, bob: User) -> None:
    for path in (f"/api/v2/instance_groups/{edge.pk}/", "/api/v2/instance_groups/edge/instances/"):
        assert forms(client_of(bob), path) == {}


@pytest.mark.parametrize("path", ["config/", "settings/system/", "organizations/"])
def test_there_are_no_forms_for_what_is_always_refused(admin: User, path: str) -> None:
    assert forms(client_of(admin), f"/api/v2/{path}") == {}


def test_a_user_is_changed_by_superusers_and_the_user(admin: User, alice: User) -> None:
    assert forms(client_of(admin), "/api/v2/users/").keys() == {"POST"}
    assert forms(client_of(admin), f"/api/v2/users/{alice.pk}/").keys() == {"PUT", "PATCH", "DELETE"}
    assert forms(client_of(alice), f"/api/v2/users/{alice.pk}/").keys() == {"PUT", "PATCH"}
    for path in ("/api/v2/users/", f"/api/v2/users/{admin.pk}/"):
        assert forms(client_of(alice), path) == {}


def test_a_token_is_changed_by_who_made_it(admin: User, auditor: User, alice: User) -> None:
    token = client_of(alice).post("/api/v2/tokens/", {}, "json").json()
    assert forms(client_of(alice), token["url"]).keys() == {"PUT", "PATCH", "DELETE"}
    assert forms(client_of(auditor), token["url"]) == {}
    for user in (admin, alice):
        assert forms(client_of(user), f"/api/v2/users/{alice.pk}/tokens/").keys() == {"POST"}


def test_a_token_for_reading_is_offered_no_changes(admin: User) -> None:
    reading = APIClient()
    reading.credentials(HTTP_AUTHORIZATION=f"Bearer {token_for(admin, 'read')}")
    assert forms(reading, URL) == {}


@pytest.mark.parametrize(
    ("path", "required", "status"),
    [
        ("instances/", {"hostname": "exec-10"}, 201),
        ("instances/{pk}/instance_groups/", {"id": "edge"}, 204),
        ("instances/{pk}/health_check/", {}, 200),
        ("instance_groups/", {"name": "north"}, 201),
        ("instance_groups/edge/instances/", {"id": "instance"}, 204),
        ("tokens/", {}, 201),
        ("users/admin/tokens/", {}, 201),
    ],
)
def test_a_new_record_needs_no_more_than_its_required_fields(
    path: str,
    required: dict[str, str],
    status: int,
    admin: User,
    instance: Instance,
    edge: InstanceGroup,
    settings: Any,
) -> None:
    settings.IS_K8S, settings.HEALTH_PROBE = True, "tests.probe"
    Instance.objects.update(node_state="ready")
    ids = {"edge": edge.pk, "instance": instance.pk}
    client, path = client_of(admin), f"/api/v2/{path.format(pk=instance.pk)}"
    body = forms(client, path)["POST"]
    assert [body[name] for name in required] == [""] * len(required)
    answer = client.post(path, {**body, **{name: ids.get(value, value) for name, value in required.items()}}, "json")
    assert (answer.status_code, answer.content if status == 204 else b"") == (status, b"")


def fields(client: APIClient, path: str) -> list[tuple[str, str]]:
    """The fields of all forms of the page, each with what is said of it."""
    told = re.findall(r"<dt><code>(\w+)</code></dt><dd>(.*?)</dd>", page(client, path), re.DOTALL)
    return [(name, unescape(text)) for name, text in told]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("instances/", 9),
        ("instances/exec-9/", 18),
        ("instances/exec-9/instance_groups/", 1),
        ("instance_groups/", 9),
        ("instance_groups/edge/", 18),
        ("instance_groups/edge/instances/", 1),
        ("tokens/", 3),
        ("tokens/{token}/", 6),
        ("users/admin/tokens/", 3),
    ],
)
def test_every_field_of_every_form_has_help(
    path: str, names: int, admin: User, instance: Instance, edge: InstanceGroup
) -> None:
    client = client_of(admin)
    token = client.post("/api/v2/tokens/", {}, "json").json()["id"]
    told = fields(client, f"/api/v2/{path.format(token=token)}")
    assert len(told) == names
    for name, text in told:
        _, _, said = text.partition(". ")
        assert said.strip(), name
        assert not said.strip().startswith("One of"), name


def test_the_help_of_a_field_is_that_of_options_or_of_the_document(admin: User, instance: Instance) -> None:
    told = dict(fields(client_of(admin), f"{URL}exec-9/"))
    assert told["enabled"] == "boolean. Whether it is given jobs."
    assert told["listener_port"].startswith("integer, at least 0, at most 65535. Port that")
    assert told["peers"].endswith(". Hostnames of the nodes that it opens links to.")


@pytest.mark.parametrize("path", ["instance_groups/edge/", "instances/exec-9/"])
def test_the_form_to_replace_a_record_holds_it(
    admin: User, instance: Instance, edge: InstanceGroup, path: str, settings: Any
) -> None:
    settings.IS_K8S = True
    client, path = client_of(admin), f"/api/v2/{path}"
    body = forms(client, path)["PUT"]
    answer = client.put(path, body, "json")
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in body} == body


def test_the_headers_are_those_that_a_client_of_the_json_gets(admin: User, instance: Instance) -> None:
    client, path = client_of(admin), f"{URL}{instance.pk}/"
    shown = page(client, path)
    told = client.get(path)
    assert "<dt>Content-Type</dt><dd>application/json</dd>" in shown
    assert f"<dt>ETag</dt><dd>{escape(told['ETag'])}</dd>" in shown
    assert f'data-etag="{escape(told["ETag"])}"' in shown
    assert "ETag" not in client.get(path, HTTP_ACCEPT=BROWSER)
    assert "<dt>ETag" not in page(client, URL)


def test_who_is_not_logged_in_is_shown_the_way(instance: Instance) -> None:
    answer = client_of(None).get(f"{URL}?page=2", HTTP_ACCEPT=BROWSER)
    assert answer.status_code == 401
    assert b'href="/api/login/?next=/api/v2/instances/%3Fpage%3D2"' in answer.content


def test_nothing_stored_becomes_markup(admin: User, instance: Instance) -> None:
    Instance.objects.update(errors='</pre><script>alert(1)</script>"/api/<b>"&quot;/api/x&quot;')
    shown = page(client_of(admin), f"{URL}{instance.pk}/")
    assert "<script>alert" not in shown
    assert "<b>" not in shown


@pytest.mark.parametrize(
    "text",
    [
        '/api/v2/instances/a"b/',
        'see "/api/v2/instances/1/',
        'see "/api/v2/instances/1/" there',
        "/api/v2/instances/\u202eb/",
        "/api/v2/instances/a\\",
    ],
)
def test_only_whole_strings_are_links(admin: User, instance: Instance, text: str) -> None:
    Instance.objects.update(errors=text)
    answer = client_of(admin).get(f"{URL}{instance.pk}/", HTTP_ACCEPT=BROWSER)
    addresses = re.findall(r'href="([^"]+)"', told(answer))
    assert len(addresses) == 7  # url and related
    assert all(address.startswith((f"{URL}{instance.pk}/", f"{URL}exec-9/")) for address in addresses)


def test_an_error_is_a_page_too(admin: User) -> None:
    shown = page(client_of(admin), f"{URL}999/")
    assert "404 Not Found" in shown
    assert "<form" not in shown
