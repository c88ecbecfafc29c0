"""The API in a browser: its pages, their forms, and hostile data in them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db.models.functions import Now
from playwright.sync_api import Page, expect
from pytest_django import DjangoDbBlocker

from instances.models import Instance, InstanceGroup
from tests.browser.looking import Problems, assert_accessible, log_in
from tests.service import connected_to, new_database, served

pytestmark = pytest.mark.slow

HOSTILE = '"><script>window.harmed = true</script>\u202egnp.exe'


@pytest.fixture(scope="module")
def url(dataset_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    with django_db_blocker.unblock(), new_database(dataset_template) as url:
        yield url


@pytest.fixture(scope="module")
def own_address(url: str) -> Iterator[str]:
    with served(url) as address:
        yield address


@pytest.fixture
def address(own_address: str) -> str:
    return own_address


def told(page: Page) -> Any:
    return json.loads(page.locator("#answer").inner_text())


def send(page: Page, method: str, body: Any) -> None:
    """Fill in the form of ``method`` and wait for the answer to it."""
    form = page.locator(f"form[data-method={method}]")
    form.get_by_label("JSON").fill(json.dumps(body))
    with page.expect_response(lambda answer: answer.request.method == method):
        form.get_by_role("button").click()
    expect(page.locator("#status")).not_to_have_text("…")


@pytest.mark.parametrize("which", ["page", "phone"])
def test_somebody_follows_the_links_to_an_instance_and_changes_it(
    request: pytest.FixtureRequest, address: str, url: str, which: str
) -> None:
    page: Page = request.getfixturevalue(which)
    log_in(page, address, "admin", "admin", then="/api/")
    page.get_by_role("link", name="/api/v2/", exact=True).first.click()
    page.locator("#answer").get_by_role("link", name="/api/v2/instances/", exact=True).click()
    page.locator("#answer").get_by_role("link", name="/api/v2/instances/5/", exact=True).first.click()
    assert told(page)["id"] == 5
    enabled = not told(page)["enabled"]
    send(page, "PATCH", {"enabled": enabled})
    assert page.locator("#status").inner_text() == "200 OK"
    assert told(page)["enabled"] is enabled
    with connected_to(url):
        assert Instance.objects.get(pk=5).enabled is enabled


def test_a_refusal_is_shown_in_place_and_keeps_what_was_written(page: Page, address: str, problems: Problems) -> None:
    log_in(page, address, "admin", "admin", then="/api/v2/instances/5/")
    send(page, "PATCH", {"hostname": "another.example.org"})
    assert page.locator("#status").inner_text() == "400 Bad Request"
    assert told(page) == {"hostname": ["Cannot change hostname."]}
    assert "another.example.org" in page.locator("#body-PATCH").input_value()
    assert problems.clear()


def test_a_form_that_is_out_of_date_changes_nothing(page: Page, address: str, url: str, problems: Problems) -> None:
    log_in(page, address, "admin", "admin", then="/api/v2/instances/7/")
    send(page, "PATCH", {"capacity_adjustment": "0.50"})
    send(page, "PATCH", {"capacity_adjustment": "0.60"})  # what this page did itself is known to it
    assert page.locator("#status").inner_text() == "200 OK"
    with connected_to(url):
        Instance.objects.filter(pk=7).update(capacity_adjustment="0.25", modified=Now())
    send(page, "PATCH", {"capacity_adjustment": "0.75"})
    assert page.locator("#status").inner_text() == "412 Precondition Failed"
    assert page.get_by_text("The record was changed after this page was loaded.").is_visible()
    assert problems.clear()
    with connected_to(url):
        assert str(Instance.objects.get(pk=7).capacity_adjustment) == "0.25"
    page.get_by_role("link", name="Reload the record").click()
    assert told(page)["capacity_adjustment"] == "0.25"
    send(page, "PATCH", {"capacity_adjustment": "1.00"})
    assert page.locator("#status").inner_text() == "200 OK"


def test_a_form_to_replace_a_record_knows_what_it_was_filled_in_from(
    page: Page, address: str, url: str, problems: Problems
) -> None:
    log_in(page, address, "admin", "admin", then="/api/v2/instances/9/")
    whole = json.loads(page.locator("#body-PUT").input_value())
    send(page, "PATCH", {"managed_by_policy": not whole["managed_by_policy"]})
    send(page, "PUT", whole)  # as it was before
    assert page.locator("#status").inner_text() == "412 Precondition Failed"
    assert problems.clear()
    page.get_by_role("link", name="Reload the record").click()
    whole["managed_by_policy"] = not whole["managed_by_policy"]
    for adjustment in ("0.10", "0.20"):
        send(page, "PUT", {**whole, "capacity_adjustment": adjustment})
        assert page.locator("#status").inner_text() == "200 OK"


def test_a_record_that_changed_meanwhile_is_not_deleted(page: Page, address: str, url: str, problems: Problems) -> None:
    with connected_to(url):
        group = InstanceGroup.objects.create(name="to be deleted").pk
    log_in(page, address, "admin", "admin", then=f"/api/v2/instance_groups/{group}/")
    send(page, "PATCH", {"max_forks": 1})  # what this page did itself is known to it
    with connected_to(url):
        InstanceGroup.objects.filter(pk=group).update(max_forks=2, modified=Now())
    for status in ("412 Precondition Failed", "204 No Content"):
        page.get_by_label("Delete this record").check()
        with page.expect_response(lambda answer: answer.request.method == "DELETE"):
            page.get_by_role("button", name="DELETE").click()
        expect(page.locator("#status")).to_have_text(status)
        if status.startswith("412"):
            page.get_by_role("link", name="Reload the record").click()
    problems.clear()


def test_whose_session_ended_is_shown_the_way_back(page: Page, address: str, problems: Problems) -> None:
    log_in(page, address, "admin", "admin", then="/api/v2/instances/5/")
    page.context.clear_cookies(name="awx_sessionid")
    send(page, "PATCH", {})
    assert page.locator("#status").inner_text() == "401 Unauthorized"
    assert problems.clear()
    page.get_by_role("link", name="Log in again").click()
    page.wait_for_url("**/api/login/?next=/api/v2/instances/5/")


def test_what_is_no_json_is_not_sent(page: Page, address: str) -> None:
    log_in(page, address, "admin", "admin", then="/api/v2/instances/5/")
    form = page.locator("form[data-method=PATCH]")
    form.get_by_label("JSON").fill("{enabled: no}")
    form.get_by_role("button").click()
    assert "Invalid JSON" in page.locator("#body-PATCH").evaluate("area => area.validationMessage")
    assert page.locator("#method").inner_text() == "GET"


def test_the_fields_are_explained(page: Page, address: str) -> None:
    log_in(page, address, "admin", "admin", then="/api/v2/instances/")
    page.get_by_text("Fields", exact=True).click()
    assert page.get_by_text("Role that this node plays in the mesh.").is_visible()


def test_hostile_records_do_no_harm(page: Page, address: str, url: str) -> None:
    with connected_to(url):
        Instance.objects.filter(pk=6).update(errors=HOSTILE)
    log_in(page, address, "admin", "admin", then="/api/v2/instances/6/")
    assert told(page)["errors"] == HOSTILE.replace("\u202e", "\ufffd")
    send(page, "PATCH", {})
    assert told(page)["errors"] == HOSTILE.replace("\u202e", "\ufffd")
    assert page.evaluate("window.harmed") is None


@pytest.mark.parametrize(
    "path", ["/api/v2/", "/api/v2/instances/", "/api/v2/instances/5/", "/api/v2/instance_groups/3/"]
)
@pytest.mark.parametrize("which", ["page", "phone"])
def test_pages_are_accessible(request: pytest.FixtureRequest, address: str, which: str, path: str) -> None:
    page: Page = request.getfixturevalue(which)
    log_in(page, address, "admin", "admin", then=path)
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
