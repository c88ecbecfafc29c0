"""The drawing of the mesh in a browser: zooming, moving, pointing out, by mouse, keyboard and touch."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django import DjangoDbBlocker

from tests.browser.conftest import PHONE, NewPage
from tests.browser.filling import fill
from tests.browser.looking import assert_accessible
from tests.browser.test_dashboard import Service, signed_in
from tests.service import new_database, served

pytestmark = pytest.mark.slow

# How large the drawing is shown, and where its upper left corner is.
PLACE = "() => { const {a, e, f} = new DOMMatrix(getComputedStyle(stage).transform); return [a, e, f]; }"
# Of each part: its left, top, right and bottom on the screen.
BOXES = """shapes => shapes.map(shape => shape.getBoundingClientRect()).map(
    box => [box.left, box.top, box.right, box.bottom])"""
# Of each text in a box: by how much it is wider than the box.
TOO_WIDE = """texts => texts.map(text => text.getBoundingClientRect().right
    - text.parentElement.getBoundingClientRect().right).filter(over => over > 0)"""
# Two fingers that move apart around the middle of the view.
PINCH = """view => {
    const box = view.getBoundingClientRect(), x = box.left + box.width / 2, y = box.top + box.height / 2;
    const send = (type, id, at) => (type === "pointerdown" ? view : document).dispatchEvent(new PointerEvent(type, {
        pointerId: id, pointerType: "touch", clientX: at, clientY: y, bubbles: true, cancelable: true}));
    send("pointerdown", 11, x - 20); send("pointerdown", 12, x + 20);
    for (let step = 1; step <= 8; step++) { send("pointermove", 11, x - 20 - 12 * step);
        send("pointermove", 12, x + 20 + 12 * step); }
    send("pointerup", 11, x - 116); send("pointerup", 12, x + 116);
}"""
NODES = 60


@pytest.fixture(scope="module")
def company(browser: Browser, migrated: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Service]:
    """A mesh of two sites, one behind a chain of hops, whose 53 execution nodes are closed."""
    with django_db_blocker.unblock(), new_database(migrated) as url:
        fill(url, "realistic", NODES)
        with served(url) as address:
            yield Service(address, url, signed_in(browser, address))


@pytest.fixture
def address(company: Service) -> str:
    return company.address


@pytest.fixture
def mesh(new_page: NewPage, company: Service) -> Page:
    page = new_page(storage_state=company.cookies)
    page.clock.install()
    page.goto("/")
    begun(page)
    return page


@pytest.fixture
def touched(new_page: NewPage, company: Service) -> Page:
    page = new_page(storage_state=company.cookies, viewport=PHONE, is_mobile=True, has_touch=True)
    page.goto("/")
    page.wait_for_function("() => stage.style.transform.includes('scale')")
    page.locator("#view").scroll_into_view_if_needed()
    return page


def begun(page: Page) -> None:
    page.clock.run_for(100)
    page.wait_for_function("() => stage.style.transform.includes('scale')")


def place(page: Page) -> list[float]:
    moved: list[float] = page.evaluate(PLACE)
    return moved


def box(page: Page, name: str) -> Locator:
    return page.locator("svg.topology a.box").filter(has_text=name)


def near(page: Page) -> set[str]:
    """The names in the boxes that stand out."""
    return set(page.locator("svg.topology a.box.near .label").all_text_contents())


def press(page: Page, key: str) -> list[float]:
    page.keyboard.press(key)
    page.clock.run_for(400)
    return place(page)


# --- zooming and moving


def test_it_is_zoomed_moved_and_fitted_by_keyboard(mesh: Page) -> None:
    view = mesh.get_by_role("region", name="Drawing of the mesh")
    view.focus()
    begin = place(mesh)
    larger = press(mesh, "+")
    assert larger[0] > begin[0] * 1.2
    assert press(mesh, "-")[0] == pytest.approx(begin[0], rel=0.01)
    before = place(mesh)
    moved = press(mesh, "ArrowLeft")
    assert moved[1] == pytest.approx(before[1] + 70, abs=1)
    assert press(mesh, "ArrowDown")[2] == pytest.approx(before[2] - 70, abs=1)
    mesh.keyboard.press("+")
    press(mesh, "0")
    edges = view.evaluate_all(BOXES)[0]
    for left, top, right, bottom in mesh.locator("[data-part]").evaluate_all(BOXES):
        assert edges[0] <= left < right <= edges[2]
        assert edges[1] <= top < bottom <= edges[3]
    assert press(mesh, "1")[0] == 1


def test_buttons_zoom_and_fit(mesh: Page) -> None:
    begin = place(mesh)
    for name, compare in (("Zoom in", 1), ("Zoom out", 0), ("Zoom out", -1)):
        mesh.get_by_role("button", name=name).click()
        mesh.clock.run_for(400)
        assert round(place(mesh)[0] / begin[0] - 1, 2) * compare >= 0
    mesh.get_by_role("button", name="100%").click()
    mesh.clock.run_for(400)
    assert place(mesh)[0] == 1
    mesh.get_by_role("button", name="Fit").click()
    mesh.clock.run_for(400)
    assert place(mesh)[0] <= 1


def test_the_wheel_zooms_with_ctrl_and_scrolls_the_page_without(mesh: Page) -> None:
    mesh.locator("#view").hover()
    begin = place(mesh)
    mesh.mouse.wheel(0, 200)
    mesh.wait_for_function("() => window.scrollY > 0")
    assert place(mesh) == begin
    mesh.locator("#view").hover()
    mesh.keyboard.down("Control")
    mesh.mouse.wheel(0, -200)
    mesh.keyboard.up("Control")
    mesh.clock.run_for(100)
    assert place(mesh)[0] > begin[0]


def test_dragging_moves_it_and_is_no_click(mesh: Page) -> None:
    begin = place(mesh)
    at = box(mesh, "frankfurt-00-0").bounding_box()
    assert at
    mesh.mouse.move(at["x"] + 40, at["y"] + 20)
    mesh.mouse.down()
    mesh.mouse.move(at["x"] + 120, at["y"] + 50, steps=6)
    mesh.mouse.up()
    mesh.clock.run_for(100)
    moved = place(mesh)
    assert moved[1] - begin[1] == pytest.approx(80, abs=3)
    assert mesh.url.endswith("/")
    box(mesh, "frankfurt-00-0").click()
    expect(mesh.get_by_role("heading", level=1)).to_contain_text("hop-frankfurt-00-0")


def test_what_gets_the_focus_is_moved_into_sight(mesh: Page) -> None:
    mesh.locator("#view").focus()
    for _ in range(5):
        press(mesh, "+")
    for _ in range(9):
        mesh.keyboard.press("Tab")
        mesh.clock.run_for(100)
        mesh.clock.run_for(100)
        focused = mesh.locator("#view a:focus")
        if focused.count() == 0:
            break
        (left, top, right, bottom), edges = focused.evaluate_all(BOXES)[0], mesh.locator("#view").evaluate_all(BOXES)[0]
        assert edges[0] <= left + 1
        assert edges[1] <= top + 1
        assert left < edges[2]
        assert top < edges[3]
        assert (right - left > edges[2] - edges[0]) or right <= edges[2] + 1
        assert (bottom - top > edges[3] - edges[1]) or bottom <= edges[3] + 1


def test_two_fingers_zoom(touched: Page) -> None:
    begin = place(touched)
    touched.locator("#view").evaluate(PINCH)
    touched.wait_for_function(f"() => new DOMMatrix(getComputedStyle(stage).transform).a > {begin[0]} * 1.3")
    touched.get_by_role("button", name="Fit").tap()
    touched.wait_for_function(f"() => new DOMMatrix(getComputedStyle(stage).transform).a < {begin[0]} * 1.01")


# --- pointing out


def test_a_node_that_is_pointed_at_shows_its_links_and_its_whole_name(mesh: Page) -> None:
    pointed = mesh.locator("#pointed")
    box(mesh, "london-01-0").hover()
    expect(pointed).to_contain_text("\u2068hop-london-01-0.mesh.corp.example.com\u2069, hop, Ready. Linked to")
    assert near(mesh) == {*(f"control-{number:02}" for number in range(3)), "hop-london-01-0", "hop-london-01-1"}
    assert mesh.locator("path.link.near").count() == 2
    assert mesh.locator("path.link:not(.near)").count() > 1
    mesh.mouse.move(5, 5)
    expect(mesh.locator(".near")).to_have_count(0)


def test_the_same_by_keyboard_and_it_stays_while_the_page_is_kept_up_to_date(mesh: Page, company: Service) -> None:
    mesh.locator("#view").focus()
    for _ in range(30):
        mesh.keyboard.press("Tab")
        if (mesh.evaluate("document.activeElement.getAttribute('aria-label')") or "").startswith("hop-london-01-1"):
            break
    expect(mesh.locator("#pointed")).to_contain_text("hop-london-01-1.mesh.corp.example.com")
    shown, begin = near(mesh), place(mesh)
    assert "hop-london-01-1" in shown
    company.execute("UPDATE instances_instance SET enabled = false WHERE hostname LIKE 'control-01.%%'")
    with mesh.expect_response(company.address + "/"):
        mesh.clock.run_for(10_000)
    expect(mesh.locator("svg.topology").get_by_text("Ready, disabled")).to_be_visible()
    company.execute("UPDATE instances_instance SET enabled = true")
    assert near(mesh) == shown
    assert place(mesh) == begin
    mesh.keyboard.press("Enter")
    expect(mesh.get_by_role("heading", level=1)).to_contain_text("hop-london-01-1")


def test_a_tap_points_out_and_a_second_one_opens(touched: Page) -> None:
    hop = box(touched, "frankfurt-00-0")
    hop.tap()
    expect(touched.locator("#pointed")).to_contain_text("hop-frankfurt-00-0.mesh.corp.example.com")
    assert "hop-frankfurt-00-0" in near(touched)
    expect(touched.locator("#pointed").get_by_role("link", name="Open")).to_have_attribute(
        "href", re.compile(r"/nodes/\d+/")
    )
    hop.tap()
    expect(touched.get_by_role("heading", level=1)).to_contain_text("hop-frankfurt-00-0")


def test_a_line_that_is_pointed_at_tells_its_links(mesh: Page) -> None:
    label = mesh.locator("svg.topology .line-label").first
    label.hover()
    expect(mesh.locator("#pointed")).to_contain_text(re.compile(r"\d+ of \d+ being (removed|added)"))
    assert mesh.locator("path.link.near").count() == 1
    assert mesh.locator("[data-part].near").count() == 2


# --- what is seen


def test_a_bundle_of_links_of_which_some_change_is_not_red(mesh: Page) -> None:
    mixed = mesh.locator("svg.topology path.link-mixed")
    assert mixed.count() > 0
    usual = mesh.locator("svg.topology path.bundle.link-established, .legend .bundle.link-established").first
    colour = "line => getComputedStyle(line).stroke"
    assert mixed.first.evaluate(colour) == usual.evaluate(colour)
    texts = mesh.locator("svg.topology .line-label").all_text_contents()
    assert any(re.search(r"\d+ of \d+\s+being removed", text) for text in texts)


def test_names_fit_into_their_boxes(mesh: Page) -> None:
    mesh.goto("/?open=execution")
    assert mesh.locator("svg.topology a.box .label").evaluate_all(TOO_WIDE) == []
    assert mesh.locator("svg.topology .box.near").count() == 0


def test_a_part_of_a_tier_opens_by_keyboard_and_closes_where_it_was(mesh: Page) -> None:
    closed = mesh.locator("svg.topology a.closed").first
    key = closed.get_attribute("data-key")
    closed.focus()
    mesh.keyboard.press("Enter")
    opened = mesh.locator(f'svg.topology a.toggle[data-key="{key}"]')
    expect(opened).to_be_focused()
    expect(mesh.locator(".frame a, a.box[data-near]").first).to_be_visible()
    mesh.keyboard.press("Enter")
    expect(mesh.locator(f'svg.topology a.closed[data-key="{key}"]')).to_be_focused()


def test_without_scripts_it_is_as_large_as_it_is_and_scrolls(new_page: NewPage, company: Service) -> None:
    page = new_page(storage_state=company.cookies, java_script_enabled=False, viewport=PHONE)
    page.goto("/")
    expect(page.get_by_role("button", name="Fit")).to_have_count(0)
    expect(page.locator("#pointed")).to_be_hidden()
    page.locator("svg.topology a.closed").last.click()
    expect(page.locator("svg.topology a.box[data-near]").first).to_be_visible()


def test_on_paper_all_of_it_is_seen(mesh: Page) -> None:
    mesh.get_by_role("button", name="Zoom in").click()
    mesh.clock.run_for(400)
    mesh.emulate_media(media="print")
    mesh.set_viewport_size({"width": 720, "height": 1000})
    expect(mesh.get_by_role("button", name="Fit")).to_be_hidden()
    for left, _, right, _ in mesh.locator("[data-part]").evaluate_all(BOXES):
        assert 0 <= left < right <= 720


@pytest.mark.parametrize("path", ["/", "/?open=execution"])
def test_it_is_accessible_while_something_is_pointed_out(mesh: Page, path: str) -> None:
    mesh.goto(path)
    begun(mesh)
    assert_accessible(mesh)
    mesh.locator("svg.topology a.box").first.hover()
    assert_accessible(mesh, exclude=[".topology a:not(.near)", ".topology .frame:not(.near)", ".line-label"])


# --- where the mesh would break


def test_where_it_would_break_is_shown_and_hidden_by_keyboard(mesh: Page) -> None:
    switch = mesh.get_by_role("link", name="Show where it would break")
    switch.focus()
    mesh.keyboard.press("Enter")
    hides = mesh.get_by_role("link", name="Hide where it would break")
    expect(hides).to_be_focused()
    assert mesh.url.endswith("?risk=1#topology-heading")
    expect(mesh.locator("svg.topology .badge-text").first).to_have_text("cuts off 25")
    expect(mesh.locator("svg.topology g.break")).to_have_count(3)
    expect(mesh.locator("#breaking li").filter(has_text="hop-frankfurt-00-0").first).to_contain_text(
        "its loss cuts off"
    )
    assert_accessible(mesh)
    mesh.keyboard.press("Enter")
    expect(mesh.get_by_role("link", name="Show where it would break")).to_be_focused()
    expect(mesh.locator("svg.topology g.break")).to_have_count(0)
    expect(mesh.locator("#breaking li")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_where_it_would_break_is_shown_without_scripts(scheme: str, new_page: NewPage, company: Service) -> None:
    page = new_page(
        storage_state=company.cookies, java_script_enabled=False, viewport=PHONE, color_scheme=scheme, is_mobile=True
    )
    page.goto("/")
    page.get_by_role("link", name="Show where it would break").click()
    expect(page.locator("svg.topology .badge-text")).to_have_count(3)
    expect(page.locator("#breaking li").first).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
