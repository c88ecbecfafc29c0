"""Who gets pages instead of JSON, and what they show to whom."""

import pytest
from rest_framework.test import APIClient

from instances.models import Instance, InstanceGroup, User
from tests.conftest import client_of

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


def test_there_are_forms_for_what_the_reader_may_change(
    admin: User, auditor: User, bob: User, instance: Instance, edge: InstanceGroup
) -> None:
    def methods(user: User, path: str) -> list[str]:
        shown = page(client_of(user), path)
        return [method for method in ("POST", "PUT", "PATCH", "DELETE") if f'data-method="{method}"' in shown]

    assert methods(admin, URL) == ["POST"]
    assert methods(admin, f"{URL}{instance.pk}/") == ["PUT", "PATCH"]
    assert methods(admin, f"/api/v2/instance_groups/{edge.pk}/") == ["PUT", "PATCH", "DELETE"]
    for user in (auditor, bob):
        assert methods(user, URL) == []


def test_who_is_not_logged_in_is_shown_the_way(instance: Instance) -> None:
    answer = client_of(None).get(f"{URL}?page=2", HTTP_ACCEPT=BROWSER)
    assert answer.status_code == 401
    assert b'href="/api/login/?next=/api/v2/instances/%3Fpage%3D2"' in answer.content


def test_nothing_stored_becomes_markup(admin: User, instance: Instance) -> None:
    Instance.objects.update(errors='</pre><script>alert(1)</script>"/api/<b>"&quot;/api/x&quot;')
    shown = page(client_of(admin), f"{URL}{instance.pk}/")
    assert "<script>alert" not in shown
    assert "<b>" not in shown


def test_an_error_is_a_page_too(admin: User) -> None:
    shown = page(client_of(admin), f"{URL}999/")
    assert "404 Not Found" in shown
    assert "<form" not in shown
