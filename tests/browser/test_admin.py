"""The administration, as operators use it: on a desktop and on a phone, by light and by dark."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from pytest_django import DjangoDbBlocker

from awx_compat import csp
from tests.browser.conftest import DESKTOP, PHONE, NewPage
from tests.browser.looking import assert_accessible
from tests.service import new_database, served

pytestmark = pytest.mark.slow

NODES = "/admin/instances/instance/"
DEVICES = {"desktop": {"viewport": DESKTOP}, "phone": {"viewport": PHONE, "is_mobile": True, "has_touch": True}}
PAGES = [
    "/admin/",
    NODES,
    "/admin/instances/instancegroup/",
    "/admin/instances/instancelink/",
    "/admin/instances/unifiedjob/",
    "/admin/instances/user/",
    "/admin/oauth2_provider/accesstoken/",
    "/admin/procrastinate/procrastinatejob/",
]
FORMS = [
    f"{NODES}?q=exec",
    f"{NODES}add/",
    f"{NODES}1/history/",
    "/admin/instances/instancelink/add/",
    "/admin/instances/nodetoken/add/",
    "/admin/instances/user/3/change/",
]


@pytest.fixture(scope="module")
def address(dataset_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The address of a service whose records these tests change."""
    with django_db_blocker.unblock(), new_database(dataset_template) as url, served(url) as address:
        yield address


@pytest.fixture(params=DEVICES)
def operator(request: pytest.FixtureRequest, new_page: NewPage) -> Page:
    """A page of a superuser who has logged in."""
    page = new_page(**DEVICES[request.param])
    log_in(page)
    return page


def log_in(page: Page) -> None:
    page.goto("/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("admin")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Overview").wait_for()


def assert_fits(page: Page) -> None:
    """Nothing sticks out of the page: what is too wide scrolls by itself."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_way_in_is_accessible(page: Page) -> None:
    page.goto("/admin/")
    assert_accessible(page)


def test_who_has_no_place_there_is_told_so(page: Page) -> None:
    page.goto("/api/login/?next=/admin/")
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill("alice")
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("not authorized").wait_for()
    assert_accessible(page)


@pytest.mark.parametrize(("device", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_pages_are_accessible_and_fit(device: str, scheme: str, new_page: NewPage) -> None:
    page = new_page(**DEVICES[device], color_scheme=scheme)
    log_in(page)
    for path in (*PAGES, *FORMS):
        page.goto(path)
        assert_accessible(page)
        assert_fits(page)
        first = page.locator("#result_list tbody th a").first
        if first.count():
            first.click()
            page.wait_for_url("**/change/**")
            assert_accessible(page)
            assert_fits(page)


def test_a_node_is_found_disabled_with_a_reason_and_enabled_again(operator: Page) -> None:
    operator.goto(NODES)
    operator.locator("summary", has_text="Filter").click()
    operator.get_by_role("link", name="Execution plane node").click()
    row = operator.get_by_role("row", name="exec").first
    hostname = row.get_by_role("link").first.inner_text()
    row.get_by_role("checkbox").check()
    operator.get_by_label("Action:").select_option(label="Disable …")
    operator.get_by_role("button", name="Go").click()
    operator.get_by_role("heading", name="Disable nodes").wait_for()
    assert_accessible(operator)
    assert_fits(operator)
    operator.get_by_label("Reason").fill("its disk fails")
    operator.get_by_role("button", name="Disable").click()
    operator.get_by_text("1 disabled.").wait_for()
    operator.get_by_role("link", name=hostname, exact=True).click()
    operator.get_by_text("Disabled: its disk fails").wait_for()
    operator.get_by_role("button", name="Enable").click()
    operator.get_by_text("1 enabled.").wait_for()


def test_a_removal_is_asked_for_and_can_be_left(operator: Page) -> None:
    operator.goto(f"{NODES}?node_type__exact=hop")
    operator.locator("#result_list tbody th a").first.click()
    operator.get_by_role("button", name="Deprovision").click()
    operator.get_by_role("heading", name="Deprovision nodes").wait_for()
    assert_accessible(operator)
    operator.get_by_role("link", name="Cancel").click()
    operator.get_by_role("heading", name="Change instance").wait_for()


def test_everything_can_be_done_by_keyboard(page: Page) -> None:
    log_in(page)
    page.goto(NODES)
    page.get_by_label("Select this object for an action").first.focus()
    page.keyboard.press("Space")
    page.get_by_label("Action:").focus()
    page.keyboard.type("Disa")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Disable nodes").wait_for()
    expect(page.get_by_label("Reason")).to_be_focused()


TOPS = """[document.querySelector("#changelist-filter"), document.querySelector("#result_list tbody tr")].map(
    each => each.getBoundingClientRect().top)"""


@pytest.mark.parametrize("width", [390, 1280, 1440])
def test_filters_are_reached_before_the_results(new_page: NewPage, width: int) -> None:
    page = new_page(viewport={"width": width, "height": 800})
    log_in(page)
    page.goto(f"{NODES}?node_type__exact=hop")
    filters, results = page.evaluate(TOPS)
    assert filters < results < 800
    page.get_by_role("link", name="Add instance").focus()
    page.keyboard.press("Tab")
    if width < 1360:
        expect(page.locator(".mesh-filters > summary")).to_have_text(re.compile("Filter: .*Message-passing"))
        expect(page.locator(".mesh-filters > summary")).to_be_focused()
        page.keyboard.press("Enter")
        assert_accessible(page)
        assert_fits(page)
        page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Clear all filters")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{NODES}?")


@pytest.mark.parametrize("width", [800, 1100, 1280])
def test_no_column_is_out_of_sight(new_page: NewPage, width: int) -> None:
    page = new_page(viewport={"width": width, "height": 800})
    log_in(page)
    for path in PAGES[1:]:
        page.goto(path)
        assert_fits(page)
        hidden = "[...document.querySelectorAll('.results')].map(each => each.scrollWidth - each.clientWidth)"
        assert page.evaluate(hidden) in ([0], []), path


def test_pages_keep_a_strict_content_security_policy(page: Page) -> None:
    log_in(page)
    for path in (*PAGES, f"{NODES}add/", "/admin/instances/instancelink/add/"):
        answer = page.goto(path)
        assert answer is not None
        assert answer.headers["content-security-policy"] == csp.header()
    page.goto(NODES)
    page.locator("#result_list tbody th a").last.click()
    page.wait_for_url("**/change/**")


def test_peers_are_found_by_typing(operator: Page) -> None:
    operator.goto(f"{NODES}add/")
    operator.get_by_label("Hostname").fill("exec-new.example.org")
    field = operator.get_by_role("searchbox", name="Peers")
    field.click()
    field.type("hop")
    operator.locator(".select2-results__option--highlighted", has_text="hop").click()
    operator.locator(".select2-selection__choice", has_text="hop").wait_for()
    assert_accessible(operator)


def test_a_new_token_is_shown(operator: Page) -> None:
    operator.goto("/admin/oauth2_provider/accesstoken/add/")
    assert_accessible(operator)
    operator.get_by_label("Description").fill("from a browser")
    operator.get_by_role("button", name="Save", exact=True).click()
    operator.locator("#new-token").wait_for()
    assert_accessible(operator)
    assert_fits(operator)
