"""The planning pages and the drain of a node, as operators use them: by keyboard, on a phone, without scripts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django import DjangoDbBlocker

from tests.browser.conftest import DESKTOP, NewPage
from tests.browser.filling import fill
from tests.browser.looking import assert_accessible, log_in
from tests.service import new_database, served

pytestmark = pytest.mark.slow

NARROW = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
PLANS = [
    "/planning/",
    "/planning/?q=exec&remove=1&disable=2&over=x&add-0-cpu=2",
    "/planning/?remove=1&disable=4&add-0-cpu=2&add-0-memory=4",
    "/planning/fit/",
    "/planning/fit/?kind=job&impact=5&forks=5&count=0",
    "/planning/fit/?kind=job&impact=500&count=3&group=1",
    "/planning/drains/",
    "/nodes/4/",
    "/nodes/4/drain/",
]


@pytest.fixture(scope="module")
def address(browser: Browser, migrated: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The address of a service with 500 nodes whose names are long and hostile, of which these tests drain some."""
    with django_db_blocker.unblock(), new_database(migrated) as url:
        fill(url, "hostile", 500)
        with psycopg.connect(url) as database:  # a node that others dial needs a port, or no rule lets it be changed
            database.execute("UPDATE instances_receptoraddress SET port = 27199")
        with served(url) as address:
            yield address


def opened(new_page: NewPage, address: str, **options: object) -> Page:
    page = new_page(**options)
    log_in(page, address, "admin", "admin")
    return page


@pytest.mark.parametrize(
    "options",
    [{"viewport": DESKTOP}, {"viewport": DESKTOP, "color_scheme": "dark"}, {**NARROW, "color_scheme": "dark"}, NARROW],
    ids=["desktop", "dark", "dark phone", "phone"],
)
def test_pages_are_accessible_and_fit(options: dict[str, object], new_page: NewPage, address: str) -> None:
    page = opened(new_page, address, **options)
    for path in PLANS:
        page.goto(path)
        for summary in page.locator("main summary").all():
            summary.click()
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        expect(page).not_to_have_title("broken")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_node_is_drained_and_the_drain_is_undone_by_keyboard(scripts: bool, new_page: NewPage, address: str) -> None:
    page = opened(new_page, address, java_script_enabled=scripts)
    page.goto("/nodes/8/")
    page.get_by_text("Drain this node …").focus()
    page.keyboard.press("Enter")  # opens the form
    page.keyboard.press("Tab")
    expect(page.get_by_label("Reason", exact=True)).to_be_focused()
    page.keyboard.type("new cables")
    page.keyboard.press("Tab")
    page.get_by_label("Deadline").fill("2020-01-01T12:00")
    page.get_by_label("Deadline").press("Enter")
    page.wait_for_url("**/nodes/8/drain/")  # where the error is
    expect(page.get_by_text("The deadline must be in the future.")).to_be_visible()
    expect(page.get_by_label("Reason", exact=True)).to_have_value("new cables")
    expect(page.get_by_label("Deadline")).to_have_value("2020-01-01T12:00")
    deadline = datetime.now(UTC).date() + timedelta(days=300)
    page.get_by_label("Deadline").fill(f"{deadline}T12:00")
    page.get_by_label("Once its jobs have ended").select_option("enable")
    page.get_by_role("button", name="Drain the node").press("Enter")
    page.wait_for_url("**/nodes/8/")
    expect(page.get_by_text("The node is being drained: it gets no new jobs.")).to_be_visible()
    section = page.get_by_role("region", name="Drain")
    expect(section).to_contain_text("by admin: new cables")
    expect(section).to_contain_text(f"{deadline} 12:00:00 UTC")
    if scripts:  # which axe is
        assert_accessible(page)
    page.get_by_role("button", name="Undo the drain").press("Enter")
    expect(page.get_by_text("The drain was undone.")).to_be_visible()
    expect(page.get_by_text("Drain this node …")).to_be_visible()


@pytest.mark.parametrize("options", [{"viewport": DESKTOP}, {**NARROW, "java_script_enabled": False}])
def test_a_plan_is_made_step_by_step(options: dict[str, object], new_page: NewPage, address: str) -> None:
    page = opened(new_page, address, **options)
    page.goto("/planning/")
    page.get_by_role("searchbox", name="Name").fill("00004")
    page.get_by_role("searchbox", name="Name").press("Enter")
    expect(page.get_by_text("1 of 500 nodes shown")).to_be_visible()
    page.get_by_label("Remove 00004").check()
    page.get_by_label("CPUs").fill("8")
    page.get_by_label("Memory in GiB").fill("16")
    page.get_by_role("button", name="Add another row").first.click()
    expect(page.get_by_label("CPUs")).to_have_count(2)
    expect(page.get_by_label("CPUs").first).to_have_value("8")
    expect(page.get_by_label("Remove 00004")).to_be_checked()
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_role("heading", name="What would change")).to_be_in_viewport()
    row = page.get_by_role("row", name="The fleet")
    expect(row).to_contain_text("500")
    expect(page.get_by_text("new-1 would need links to be reached")).to_be_visible()
    kept = page.url
    page.goto("/")
    page.goto(kept)  # as from a bookmark
    expect(page.get_by_role("heading", name="What would change")).to_be_visible()
    expect(page.get_by_label("Remove 00004")).to_be_checked()


def test_whether_a_job_would_run_is_asked_by_keyboard(new_page: NewPage, address: str) -> None:
    page = opened(new_page, address)
    page.goto("/planning/")
    page.get_by_role("link", name="Would it run?").press("Enter")
    page.get_by_label("Impact").fill("5")
    page.get_by_label("First").press("ArrowDown")
    page.get_by_label("Impact").press("Enter")
    expect(page.get_by_role("heading", name="Answer")).to_be_visible()
    expect(page.get_by_label("Impact")).to_have_value("5")
    expect(page.get_by_label("First")).not_to_have_value("")
