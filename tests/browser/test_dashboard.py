"""The mesh's pages in a browser: on the recorded mesh of 15 nodes, and on one of 130 that is out to break them."""

import contextlib
import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django import DjangoDbBlocker

from tests.browser.conftest import DESKTOP, PHONE, NewPage
from tests.browser.filling import fill
from tests.browser.looking import Problems, assert_accessible, log_in
from tests.browser.meshes import SCRIPT
from tests.service import new_database, served

pytestmark = pytest.mark.slow

ADMIN = ("admin", "admin")
HIDE = """hidden => {
    Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""
# Of each name in the table: whether all of it is seen, and how many lines it takes.
FITTING = """links => links.map(link => [
    link.scrollWidth <= link.clientWidth && link.scrollHeight <= link.clientHeight,
    Math.round(link.clientHeight / parseFloat(getComputedStyle(link).lineHeight))])"""
COLOURS = """all => [...new Set(all.map(one => getComputedStyle(one)).flatMap(
    look => [look.color, look.backgroundColor, look.borderColor, look.fill, look.stroke]))].sort()"""
FORMULA = (
    "39 of 655 forks in use (6.0%), 616 free",
    "16 cores \u00d7 4 forks for each",
    "64 + (655 \u2212 64) \u00d7 1.00",
)


@dataclass(frozen=True)
class Service:
    address: str
    url: str  # of its database
    cookies: Any  # of the administrator, as Playwright keeps them

    def execute(self, sql: str, *values: object) -> None:
        with psycopg.connect(self.url, autocommit=True) as database:
            database.execute(sql, values)


def signed_in(browser: Browser, address: str) -> Any:
    context = browser.new_context(base_url=address)
    log_in(context.new_page(), address, *ADMIN)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture(scope="module")
def recorded(browser: Browser, dataset_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Service]:
    """The recorded mesh, which tests may change in a way that does not disturb the others."""
    with django_db_blocker.unblock(), new_database(dataset_template) as url, served(url) as address:
        yield Service(address, url, signed_in(browser, address))


@contextlib.contextmanager
def serving_hostile(number: int, browser: Browser, template: str) -> Iterator[Service]:
    with new_database(template) as url:
        fill(url, "hostile", number)
        with served(url) as address:
            yield Service(address, url, signed_in(browser, address))


@pytest.fixture(scope="module")
def hostile(browser: Browser, migrated: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Service]:
    with django_db_blocker.unblock(), serving_hostile(130, browser, migrated) as service:
        yield service


@pytest.fixture(scope="module")
def huge(browser: Browser, migrated: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Service]:
    with django_db_blocker.unblock(), serving_hostile(5000, browser, migrated) as service:
        yield service


@pytest.fixture
def address(request: pytest.FixtureRequest) -> str:
    name = next((each for each in ("huge", "hostile") if f"of_{each}" in request.fixturenames), "recorded")
    address: str = request.getfixturevalue(name).address
    return address


@pytest.fixture
def of_hostile() -> None:
    """The test looks at the hostile mesh."""


@pytest.fixture
def of_huge() -> None:
    """The test looks at the hostile mesh of 5,000 nodes."""


@pytest.fixture
def mesh(new_page: NewPage, recorded: Service) -> Page:
    """The dashboard of the recorded mesh, as the administrator sees it; its clock is the test's."""
    page = new_page(storage_state=recorded.cookies)
    page.clock.install()
    page.goto("/")
    return page


@pytest.fixture
def large(new_page: NewPage, hostile: Service, of_hostile: None) -> Page:
    """The dashboard of the hostile mesh."""
    page = new_page(storage_state=hostile.cookies)
    page.goto("/")
    return page


def hostnames(page: Page) -> list[str]:
    return page.locator("table.nodes tbody th a").all_inner_texts()


def column(page: Page, name: str) -> list[str]:
    return page.locator(f"table.nodes tbody .of-{name}").all_inner_texts()


def row(page: Page, hostname: str) -> Any:
    return page.locator("table.nodes tbody tr").filter(has=page.get_by_role("link", name=hostname, exact=True))


def heading(page: Page, label: str) -> Any:
    return page.get_by_role("columnheader", name=label)


# --- finding in


def test_somebody_finds_in_from_the_first_page(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Log in to see the mesh").click()
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("admin")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("15 nodes")
    assert len(hostnames(page)) == 15
    page.get_by_role("link", name="Log out").click()
    page.goto("/")
    expect(page.get_by_role("link", name="Log in to see the mesh")).to_be_visible()


@pytest.mark.parametrize("which", ["page", "phone"])
def test_somebody_logs_in_looks_at_a_node_and_opens_a_tier(
    request: pytest.FixtureRequest, hostile: Service, of_hostile: None, which: str
) -> None:
    page: Page = request.getfixturevalue(which)
    page.goto("/")
    page.get_by_role("link", name="Log in to see the mesh").click()
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("admin")
    page.get_by_role("button", name="Log in").click()
    name = page.locator("table.nodes tbody th a").first
    hostname = name.inner_text()
    name.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(hostname)
    page.get_by_role("navigation", name="Path").get_by_role("link", name="Mesh").click()
    page.get_by_role("button", name="Fit").click()
    page.get_by_role("link", name="Show all 109 of the tier Execution").click()
    expect(page.locator("svg.topology a.box")).to_have_count(130)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_user_with_a_role_sees_the_nodes_of_the_group(page: Page, address: str) -> None:
    log_in(page, address, "bob", "bob")
    seen = set(hostnames(page))
    assert seen
    assert "control-1.example.org" not in seen
    drawn = page.locator("svg.topology a.box title").all_text_contents()
    assert {name.strip("\u2068\u2069") for name in drawn} == seen


def test_a_user_without_a_role_is_told_what_to_do(page: Page, address: str) -> None:
    log_in(page, address, "alice", "alice")
    expect(page.get_by_role("heading", name="No nodes are visible to you")).to_be_visible()
    assert "example.org" not in page.locator("main").inner_text()


# --- the table


def test_a_heading_sorts_and_sorts_the_other_way_round(mesh: Page) -> None:
    heading(mesh, "Capacity").get_by_role("link").click()
    expect(heading(mesh, "Capacity")).to_have_attribute("aria-sort", "descending")
    capacities = [int(text) for text in column(mesh, "capacity")]
    assert capacities == sorted(capacities, reverse=True)
    heading(mesh, "Capacity").get_by_role("link").click()
    expect(heading(mesh, "Capacity")).to_have_attribute("aria-sort", "ascending")
    assert [int(text) for text in column(mesh, "capacity")] == capacities[::-1]
    expect(heading(mesh, "Node")).not_to_have_attribute("aria-sort", re.compile("."))
    assert mesh.url.endswith("?sort=capacity")


def test_sorting_and_filtering_by_keyboard(mesh: Page) -> None:
    mesh.keyboard.press("Tab")
    mesh.keyboard.press("Tab")
    expect(mesh.get_by_role("link", name="Skip to the table of nodes")).to_be_focused()
    mesh.keyboard.press("Enter")
    mesh.keyboard.press("Tab")
    expect(mesh.get_by_label("Name")).to_be_focused()
    mesh.keyboard.type("exec-")
    mesh.clock.run_for(500)
    expect(mesh.get_by_role("status")).to_have_text("7 of 15 nodes")
    expect(mesh.get_by_label("Name")).to_be_focused()
    sorting = heading(mesh, "Running jobs").get_by_role("link")
    for _ in range(20):
        mesh.keyboard.press("Tab")
        if sorting.evaluate("link => link === document.activeElement"):
            break
    mesh.keyboard.press("Enter")
    expect(heading(mesh, "Running jobs")).to_have_attribute("aria-sort", "descending")
    expect(sorting).to_be_focused()
    assert hostnames(mesh)[0] == "exec-3.example.org"
    assert len(hostnames(mesh)) == 7


def test_filters_are_kept_in_the_address(mesh: Page) -> None:
    mesh.get_by_label("Type").select_option("execution")
    mesh.get_by_label("State").select_option("Unavailable")
    expect(mesh.get_by_role("status")).to_have_text("1 of 15 nodes")
    assert hostnames(mesh) == ["exec-3.example.org"]
    mesh.reload()
    assert hostnames(mesh) == ["exec-3.example.org"]
    mesh.get_by_role("link", name="Show all").click()
    expect(mesh.get_by_role("status")).to_have_text("15 nodes")
    expect(mesh.get_by_label("Type")).to_have_value("")
    mesh.go_back()
    expect(mesh.get_by_role("status")).to_have_text("1 of 15 nodes")
    expect(mesh.get_by_label("Type")).to_have_value("execution")


def test_a_group_and_a_total_filter(mesh: Page) -> None:
    mesh.get_by_label("Group").select_option("controlplane")
    expect(mesh.get_by_role("status")).to_have_text("4 of 15 nodes")
    assert all(name.startswith(("control", "hybrid")) for name in hostnames(mesh))
    mesh.get_by_label("Group").select_option("Any")
    expect(mesh.get_by_role("status")).to_have_text("15 nodes")
    mesh.locator("#totals").get_by_role("link", name="Needs attention").click()
    expect(mesh.get_by_role("status")).to_have_text("5 of 15 nodes")  # of which one is over its capacity
    expect(mesh.get_by_label("State")).to_have_value("fault")


def assert_table_in_sight(page: Page) -> None:
    """The count is read, and the first row that was found is seen."""
    expect(page.get_by_role("status")).to_be_in_viewport()
    expect(page.locator("table.nodes tbody tr").first).to_be_in_viewport()


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
@pytest.mark.parametrize("total", ["Ready", "Capacity in use"])
def test_what_a_total_leads_to_is_seen(
    new_page: NewPage, hostile: Service, of_hostile: None, total: str, viewport: Any, scripts: bool
) -> None:
    """By a click on the number, and by keyboard."""
    page = new_page(storage_state=hostile.cookies, viewport=viewport, java_script_enabled=scripts)
    page.goto("/")
    card = page.locator(".card").filter(has=page.get_by_role("link", name=total))
    card.locator("dd").click(force=True)  # the link of the card lies over its number
    assert_table_in_sight(page)
    page.goto("/")
    card.get_by_role("link").focus()
    page.keyboard.press("Enter")
    assert_table_in_sight(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox")).to_be_focused()


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_what_a_search_finds_is_seen(
    new_page: NewPage, hostile: Service, of_hostile: None, viewport: Any, scripts: bool
) -> None:
    page = new_page(storage_state=hostile.cookies, viewport=viewport, java_script_enabled=scripts)
    page.goto("/")
    page.get_by_role("searchbox").focus()
    page.keyboard.type("e")
    if not scripts:
        page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text(" of ")
    assert_table_in_sight(page)


def test_nothing_that_matches_is_said_so(mesh: Page) -> None:
    mesh.get_by_label("Name").fill("nowhere")
    mesh.clock.run_for(500)
    expect(mesh.get_by_text("No node matches.")).to_be_visible()
    mesh.get_by_role("link", name="Show all 15").click()
    expect(mesh.get_by_label("Name")).to_be_focused()
    expect(mesh.get_by_role("status")).to_have_text("15 nodes")
    expect(mesh.get_by_label("Name")).to_have_value("")


def test_everything_works_without_scripts(new_page: NewPage, recorded: Service) -> None:
    page = new_page(storage_state=recorded.cookies, java_script_enabled=False)
    page.goto("/?sort=-capacity")
    page.get_by_label("Name").fill("hop")
    page.get_by_role("button", name="Filter").click()
    assert hostnames(page) == ["hop-1.example.org", "hop-2.example.org", "hop-3"]
    assert "sort=-capacity" in page.url
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_what_is_filtered_is_downloaded(new_page: NewPage, recorded: Service, viewport: Any, scripts: bool) -> None:
    """By keyboard, after the filter has changed the page."""
    page = new_page(storage_state=recorded.cookies, viewport=viewport, java_script_enabled=scripts)
    page.goto("/?sort=-node")
    page.get_by_label("Name").fill("hop")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("3 of 15 nodes")
    for form in ("CSV", "JSON"):
        page.get_by_role("link", name=form).focus()
        with page.expect_download() as download:
            page.keyboard.press("Enter")
        text = download.value.path().read_text(encoding="utf-8")
        rows = csv.DictReader(io.StringIO(text)) if form == "CSV" else json.loads(text)
        assert [each["hostname"] for each in rows] == ["hop-3", "hop-2.example.org", "hop-1.example.org"]
        assert download.value.suggested_filename.endswith(f"Z.{form.lower()}")
    assert hostnames(page) == ["hop-3", "hop-2.example.org", "hop-1.example.org"]


# --- up to date without being loaded again


def test_a_change_appears_and_nothing_else_moves(mesh: Page, recorded: Service) -> None:
    mesh.evaluate("window.loadedOnce = true")
    heading(mesh, "Type").get_by_role("link").click()
    mesh.get_by_label("Name").fill("example")
    mesh.clock.run_for(500)
    expect(mesh.get_by_role("status")).to_have_text("13 of 15 nodes")
    heading(mesh, "Last seen").get_by_role("link").focus()
    mesh.mouse.wheel(0, 300)
    scrolled = mesh.wait_for_function("window.scrollY").json_value()
    recorded.execute("UPDATE instances_instance SET enabled = NOT enabled WHERE hostname = 'exec-1.example.org'")
    try:
        with mesh.expect_response(recorded.address + "/?*"):
            mesh.clock.run_for(10_000)
        expect(row(mesh, "exec-1.example.org")).to_contain_text("Ready, disabled")
    finally:
        recorded.execute("UPDATE instances_instance SET enabled = NOT enabled WHERE hostname = 'exec-1.example.org'")
    assert mesh.evaluate("window.loadedOnce")
    assert mesh.evaluate("window.scrollY") == scrolled
    expect(heading(mesh, "Last seen").get_by_role("link")).to_be_focused()
    expect(heading(mesh, "Type")).to_have_attribute("aria-sort", "ascending")
    expect(mesh.get_by_label("Name")).to_have_value("example")


def test_a_node_s_page_is_kept_up_to_date(mesh: Page, recorded: Service) -> None:
    mesh.goto("/nodes/6/")
    recorded.execute("UPDATE instances_instance SET errors = 'disk full' WHERE id = 6")
    with mesh.expect_response("**/nodes/6/"):
        mesh.clock.run_for(10_000)
    expect(mesh.locator("pre.errors")).to_have_text("disk full")
    recorded.execute("UPDATE instances_instance SET errors = '' WHERE id = 6")


def test_old_figures_are_called_old(mesh: Page, problems: Problems) -> None:
    mesh.route("**/*", lambda route: route.abort("connectionrefused"))
    mesh.clock.run_for(10_000)
    expect(mesh.get_by_role("alert")).to_have_text(  # and a little older: the clock runs meanwhile
        re.compile(r"^The service cannot be reached\. The data shown are 1\d s old\.$"), use_inner_text=True
    )
    assert len(hostnames(mesh)) == 15
    mesh.unroute("**/*")
    mesh.clock.run_for(10_000)
    expect(mesh.get_by_role("alert")).to_be_hidden()
    assert all("ERR_CONNECTION_REFUSED" in problem for problem in problems.clear())


def test_a_session_that_has_ended_is_told(mesh: Page) -> None:
    mesh.context.clear_cookies()
    mesh.clock.run_for(10_000)
    expect(mesh.get_by_role("alert")).to_contain_text("Your session has ended.")
    assert len(hostnames(mesh)) == 15


@pytest.mark.parametrize("path", ["/?state=fault&sort=-used", "/nodes/5/?state=fault&sort=-used"])
def test_who_logs_in_again_is_where_they_were(mesh: Page, path: str) -> None:
    mesh.goto(path)
    mesh.context.clear_cookies()
    mesh.clock.run_for(10_000)
    mesh.get_by_role("alert").get_by_role("link", name="Log in again").click()
    mesh.get_by_label("Username").fill("admin")
    mesh.get_by_label("Password").fill("admin")
    mesh.get_by_role("button", name="Log in").click()
    mesh.wait_for_url(f"**{path}")


def test_the_way_back_from_a_node_keeps_the_filter(mesh: Page) -> None:
    mesh.goto("/?state=fault&sort=-used")
    before = hostnames(mesh)
    mesh.locator("table.nodes tbody th a").first.click()
    mesh.get_by_role("navigation", name="Path").get_by_role("link", name="Mesh").click()
    expect(mesh.get_by_label("State")).to_have_value("fault")
    assert hostnames(mesh) == before


def test_nothing_is_asked_while_nobody_looks(mesh: Page) -> None:
    asked: list[str] = []
    mesh.on("request", lambda request: asked.append(request.url) if request.resource_type == "fetch" else None)
    mesh.evaluate(HIDE, True)
    mesh.clock.run_for(60_000)
    assert asked == []
    with mesh.expect_response("**/"):
        mesh.evaluate(HIDE, False)
    mesh.get_by_role("button", name="Pause updates").click()
    asked.clear()
    mesh.clock.run_for(60_000)
    assert asked == []
    with mesh.expect_response("**/"):
        mesh.get_by_role("button", name="Resume updates").click()


# --- the topology


def test_lines_tell_the_states_of_links(mesh: Page) -> None:
    line = mesh.locator("svg.topology path.link", has_text="control-2.example.org")
    assert "established" in line.first.text_content()
    for state in ("established", "adding", "removing"):
        assert mesh.locator(f"svg.topology path.link-{state}").count() > 0
    box = mesh.get_by_role("link", name="exec-1 39 / 655: \u2068exec-1.example.org\u2069, execution, Ready")
    box.click()
    expect(mesh.get_by_role("heading", name="exec-1.example.org")).to_be_visible()


def test_a_closed_tier_opens_by_keyboard_and_stays_open(large: Page, hostile: Service) -> None:
    closed = large.get_by_role("link", name=re.compile("Show all 109"))
    expect(large.locator("svg.topology a.box")).to_have_count(28)  # 21 nodes, and seven parts of the closed tier
    closed.focus()
    large.keyboard.press("Enter")
    expect(large.locator("svg.topology a.box")).to_have_count(130)
    expect(large.get_by_role("link", name="Close the tier Execution")).to_be_focused()
    large.reload()
    expect(large.locator("svg.topology a.box")).to_have_count(130)
    large.get_by_role("link", name="Close the tier Execution").click()
    expect(closed).to_be_visible()


@pytest.mark.parametrize(
    "path",
    [
        "/nodes/{pk}/",
        "/admin/",
        "/admin/instances/instance/",
        "/admin/instances/instance/{pk}/change/",
        "/admin/instances/instancegroup/",
        "/admin/instances/instancelink/",
        "/admin/instances/unifiedjob/",
        "/admin/instances/instance/{pk}/history/",
        "/admin/instances/instancegroup/1/change/",
        "/admin/instances/instancegroup/1/delete/",
        "/admin/instances/instancelink/4/change/",
        "/admin/instances/unifiedjob/1/change/",
        "/api/v2/instances/?page_size=200",
        "/api/v2/instances/{pk}/",
        "/api/v2/mesh_visualizer/",
        "/api/v2/instance_groups/",
    ],
)
def test_names_do_no_harm_on_other_pages(large: Page, path: str) -> None:
    for pk in (1, 2, 3, 4):  # markup, an override of the direction, a long name; errors and jobs
        large.goto(path.format(pk=pk))
        large.get_by_role("heading", level=1).first.wait_for()
        assert not large.title().startswith("broken")
        assert "\u202e" not in large.title() + large.locator("body").inner_text()
        assert large.locator("main img, main script[src*='x']").count() == 0
        assert large.evaluate("document.documentElement.scrollWidth") <= 1280
        if "{pk}" not in path:
            break


# --- a node


def test_a_node_s_capacity_is_explained(mesh: Page) -> None:
    row(mesh, "exec-1.example.org").get_by_role("link").click()
    capacity = mesh.locator("#capacity")
    for told in FORMULA:
        assert told in capacity.inner_text()
    jobs = mesh.locator("#jobs")
    assert "job 170" in jobs.inner_text()
    assert re.search(r"Total\s+39", jobs.inner_text())
    mesh.get_by_role("link", name="hop-3").click()
    expect(mesh.get_by_role("heading", name="hop-3")).to_be_visible()
    expect(mesh.get_by_text("Hop nodes relay messages")).to_be_visible()


# --- for everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible(new_page: NewPage, recorded: Service, scheme: str) -> None:
    page = new_page(storage_state=recorded.cookies, color_scheme=scheme)
    for path in ("/", "/?q=nowhere", "/?state=fault&sort=-used", "/nodes/5/", "/nodes/7/", "/api/login/"):
        page.goto(path)
        assert_accessible(page)
    anonymous = new_page(color_scheme=scheme)
    anonymous.goto("/")
    assert_accessible(anonymous)
    log_in(anonymous, recorded.address, "alice", "alice")  # who sees no node
    assert_accessible(anonymous)


def test_the_page_of_an_error_is_accessible_and_leads_back(mesh: Page, problems: Problems) -> None:
    for path in ("/nope/", "/api/nope/", "/nodes/0/"):
        mesh.goto(path)
        assert_accessible(mesh)
        mesh.get_by_role("link", name="Back to the mesh").click()
        expect(mesh.get_by_role("heading", name="Topology")).to_be_visible()
    assert all("status 40" in problem or "console: Failed to load" in problem for problem in problems.clear())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_large_mesh_is_accessible(new_page: NewPage, hostile: Service, of_hostile: None, scheme: str) -> None:
    page = new_page(storage_state=hostile.cookies, color_scheme=scheme)
    for path in ("/", "/?open=execution", "/nodes/4/"):
        page.goto(path)
        assert_accessible(page)


def test_dark_is_dark(new_page: NewPage, recorded: Service) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        page = new_page(storage_state=recorded.cookies, color_scheme=scheme)
        page.goto("/")
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    light, dark = (sum(map(int, re.findall(r"\d+", ground))) for ground in grounds)
    assert light > 600
    assert dark < 120


def test_a_phone_shows_it_without_scrolling_sideways(new_page: NewPage, hostile: Service, of_hostile: None) -> None:
    page = new_page(storage_state=hostile.cookies, viewport=PHONE, is_mobile=True, has_touch=True)
    for path in ("/", "/?open=execution", "/nodes/1/", "/nodes/4/"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
    page.goto("/")
    page.get_by_label("State").select_option("Unavailable")
    expect(page.get_by_role("status")).to_contain_text("of 130 nodes")
    assert_accessible(page)


@pytest.mark.parametrize("media", ["screen", "print"])
def test_a_name_of_ordinary_length_fits_into_its_column(mesh: Page, media: Any) -> None:
    mesh.emulate_media(media=media)
    for width in (620, 740, 741, 768, 870, 900, 901, 1024, 1100, 1101, 1280):
        mesh.set_viewport_size({"width": width, "height": 800})
        assert mesh.locator("table.nodes tbody th a").evaluate_all(FITTING) == [[True, 1]] * 15, width
        assert mesh.evaluate("document.documentElement.scrollWidth") <= width


def test_paper_shows_the_longest_names_too(large: Page) -> None:
    large.emulate_media(media="print")
    large.set_viewport_size({"width": 720, "height": 1000})
    told = large.locator("table.nodes tbody th a").evaluate_all(FITTING)
    assert all(is_whole for is_whole, _ in told)
    assert max(lines for _, lines in told) > 3


def test_paper_is_light_whatever_the_screen_is(new_page: NewPage, recorded: Service) -> None:
    looks = []
    for scheme in ("light", "dark"):
        page = new_page(storage_state=recorded.cookies, color_scheme=scheme)
        page.emulate_media(media="print", color_scheme=scheme)
        page.goto("/")
        looks.append(page.locator("main *").evaluate_all(COLOURS))
    assert looks[0] == looks[1]
    assert looks[0]


def test_print_leaves_out_what_cannot_be_clicked_on_paper(mesh: Page) -> None:
    mesh.emulate_media(media="print")
    expect(mesh.get_by_role("button", name="Pause updates")).to_be_hidden()
    expect(mesh.locator("#filter")).to_be_hidden()
    expect(mesh.get_by_text("Download as")).to_be_hidden()
    expect(row(mesh, "exec-1.example.org")).to_be_visible()


def test_a_hostile_mesh_does_no_harm(large: Page) -> None:
    expect(large).to_have_title(re.compile("Mesh"))
    assert len(hostnames(large)) == 100
    assert any(SCRIPT in name for name in hostnames(large))
    large.get_by_role("link", name="Next").click()
    expect(large.get_by_text("Page 2 of 2")).to_be_visible()
    assert len(hostnames(large)) == 30
    assert large.locator("main img, main script").count() == 0
    large.goto("/nodes/4/")
    expect(large.locator("pre.errors")).to_contain_text(SCRIPT)
    assert large.locator("main img, main script").count() == 0
    assert large.evaluate("document.documentElement.scrollWidth") <= 1280


@pytest.mark.parametrize(
    ("path", "most_elements"),  # of which the second draws hundreds of boxes
    [("/", 2_500), ("/?open=control&open=hop&open=execution", 10_000)],
)
def test_a_mesh_of_5000_nodes_is_a_page_like_others(
    new_page: NewPage, huge: Service, of_huge: None, path: str, most_elements: int
) -> None:
    page = new_page(storage_state=huge.cookies)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(path)
    assert page.evaluate("document.querySelectorAll('*').length") < most_elements
    expect(page.get_by_role("status")).to_have_text("5000 nodes")
    assert "broken" not in page.title()
    assert page.locator("main img, main script").count() == 0
    assert not dialogs
