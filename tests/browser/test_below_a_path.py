"""The scripts of the pages, where a proxy serves the service below a path of its host."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.looking import Problems
from tests.browser.test_browsable import send, told
from tests.browser.test_browsable import url as url
from tests.browser.test_docs import RETRIEVE, execute, forget_the_words_on_links, forget_what_redoc_may_not
from tests.path_proxy import served_below
from tests.service import served

pytestmark = pytest.mark.slow

BASE = "/awx"
LIVE = 15_000  # milliseconds, in which a page refreshes itself


@pytest.fixture(scope="module", params=[True, False], ids=["stripped", "passed on"])
def own_address(request: pytest.FixtureRequest, url: str) -> Iterator[str]:
    with (
        served(url, BASE_PATH=BASE, API_PREFIXES="controller") as upstream,
        served_below(upstream, BASE, strips=request.param) as address,
    ):
        yield address


@pytest.fixture
def address(own_address: str) -> str:
    return own_address


def log_in(page: Page) -> None:
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("admin")
    page.get_by_role("button", name="Log in").click()


def test_the_dashboard(page: Page, address: str, problems: Problems) -> None:
    """It refreshes itself, filters in place, and offers the login once the session has ended."""
    page.goto(f"{address}/")
    page.get_by_role("link", name="Log in to see the mesh").click()
    log_in(page)
    page.wait_for_url(f"{address}/")
    with page.expect_response(re.compile(rf"{BASE}/$"), timeout=LIVE) as refreshed:
        pass
    assert refreshed.value.request.resource_type == "fetch"
    with page.expect_response(re.compile(rf"{BASE}/\?.*q=exec")):
        page.get_by_role("searchbox").fill("exec")
    page.locator("table.nodes tbody a").first.click()
    page.wait_for_url(re.compile(rf"{BASE}/nodes/\d+/"))
    page.go_back()
    page.context.clear_cookies()
    again = page.get_by_role("link", name="Log in again")
    again.wait_for(timeout=LIVE)
    again.click()
    log_in(page)
    page.wait_for_url(re.compile(rf"{re.escape(address)}/\?.*q=exec"))
    problems.clear()


@pytest.mark.parametrize("prefix", ["", "controller/"])
def test_pages_of_the_api(page: Page, address: str, prefix: str) -> None:
    """Links of an answer that a script has shown lead on, in the same form."""
    api = f"{BASE}/api/{prefix}"
    page.goto(f"{address}/api/{prefix}login/")
    log_in(page)
    page.wait_for_url(f"{address}/api/{prefix}")
    page.locator("#answer").get_by_role("link", name=f"{api}v2/", exact=True).first.click()
    page.locator("#answer").get_by_role("link", name=f"{api}v2/instances/", exact=True).click()
    page.locator("#answer").get_by_role("link", name=f"{api}v2/instances/5/", exact=True).first.click()
    enabled = not told(page)["enabled"]
    send(page, "PATCH", {"enabled": enabled})
    assert told(page)["enabled"] is enabled
    page.locator("#answer").get_by_role("link", name=f"{api}v2/instances/5/jobs/", exact=True).click()
    expect(page.locator("#status")).to_have_text("200 OK")
    page.get_by_role("link", name="Log out").click()
    page.wait_for_url(f"{address}/")


def test_the_documentation(page: Page, address: str, problems: Problems) -> None:
    page.goto(f"{address}/api/docs/")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="log in", exact=True).click()
    log_in(opened.value)
    opened.value.wait_for_url(f"{address}/api/docs/")
    page.goto(f"{address}/api/docs/#/instances/{RETRIEVE}")
    page.reload()
    assert execute(page, RETRIEVE)["url"] == f"{BASE}/api/v2/instances/5/"
    page.goto(f"{address}/api/redoc/")
    page.get_by_role("heading", name="AWX-compatible instance service").first.wait_for()
    forget_the_words_on_links(problems)
    forget_what_redoc_may_not(problems)


def test_the_administration(page: Page, address: str) -> None:
    page.goto(f"{address}/admin/")
    log_in(page)
    page.wait_for_url(f"{address}/admin/")
    page.get_by_role("link", name="View site").click()
    page.wait_for_url(f"{address}/")
