"""The pages of the OpenAPI document: trying it out, and reading it."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from playwright.sync_api import Locator, Page

from bench.sites import connected_to
from instances.models import Instance
from tests.browser.conftest import NewPage
from tests.browser.looking import Problems, assert_accessible, log_in
from tests.browser.test_browsable import address as address  # served on records that tests may change
from tests.browser.test_browsable import own_address as own_address
from tests.browser.test_browsable import url as url

pytestmark = pytest.mark.slow

RETRIEVE, CHANGE = "instances_retrieve", "instances_partial_update"

# What Swagger UI draws by itself, in its words, and breaks.
SWAGGER_UI = {
    "heading-order": "a tag is an h3 below the title, an h1 or h2",
    "label": "the field of the body has none",
    "landmark-unique": "the answers of two operations are regions of one name",
    "nested-interactive": "an operation's summary is a button around a link and another button",
    "region": "the description and the filter stand outside its own main",
    "scrollable-region-focusable": "examples and answers scroll",
    "select-name": "those of servers and examples have no label",
}
SHOWN_WITH_AN_ANSWER = {"landmark-unique"}
# What Redoc breaks.
REDOC = {
    "heading-order": "an h5 stands below an h2",
    "target-size": "the buttons that open parts of an example are 15 px wide",
}


def open_to_try(page: Page, operation: str) -> Locator:
    """The operation's place, opened, with its fields to fill in."""
    place = page.locator(f"#operations-instances-{operation}")
    opener = place.locator("button.opblock-summary-control")
    if opener.get_attribute("aria-expanded") == "false":
        opener.click()
    place.get_by_role("button", name="Try it out").click()
    return place


def execute(page: Page, operation: str, body: dict[str, bool] | None = None) -> dict[str, object]:
    """Try the operation out on instance 5; what is shown below it as the answer, which is 200."""
    place = open_to_try(page, operation)
    place.locator("input[placeholder=key]").fill("5")
    if body is not None:
        place.locator("textarea.body-param__text").fill(json.dumps(body))
    place.get_by_role("button", name="Execute").click()
    answer = place.locator(".live-responses-table .response")
    answer.locator(".highlight-code code").first.wait_for()
    assert answer.locator(".response-col_status").inner_text().strip() == "200"
    shown: dict[str, object] = json.loads(answer.locator(".highlight-code code").first.inner_text())
    return shown


def enabled_in_database(url: str) -> bool:
    with connected_to(url):
        return Instance.objects.get(pk=5).enabled


def no_wider_than_the_screen(page: Page) -> bool:
    fits: bool = page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    return fits


def forget_the_words_on_links(problems: Problems) -> None:
    """Swagger UI warns, at each link to an operation with "_" in its name, that it will not read "_" as a space."""
    problems.found = [found for found in problems.found if "Deprecated: escaping deep link" not in found]


def forget_what_redoc_may_not(problems: Problems) -> None:
    """Its own logo from another host, which no option of its leaves out."""
    logo = "https://cdn.redoc.ly/redoc/logo-mini.svg"
    meant = (f"console: Loading the image '{logo}' violates", f"outside: {logo}", f"failed: {logo} csp")
    problems.found = [found for found in problems.found if not found.startswith(meant)]


# Of the operations, which are all drawn alike, this one is looked at.
OTHERS = f"[data-section-id*='/operation/']:not([data-section-id$='/{CHANGE}'])"


def test_somebody_who_is_logged_in_reads_and_changes(page: Page, address: str, url: str, problems: Problems) -> None:
    log_in(page, address, "admin", "admin", then="/api/v2/me/")
    page.goto(f"/api/docs/#/instances/{CHANGE}")
    changed = not enabled_in_database(url)
    assert execute(page, CHANGE, {"enabled": changed})["enabled"] is changed
    assert enabled_in_database(url) is changed
    assert execute(page, RETRIEVE)["enabled"] is changed
    assert no_wider_than_the_screen(page)
    page.locator(f"#operations-instances-{RETRIEVE} .opblock-summary").hover()  # shows a button to copy the path
    assert_accessible(page, known=SWAGGER_UI)
    forget_the_words_on_links(problems)


def test_a_list_is_asked_for_without_conditions_that_nobody_wrote(page: Page, address: str, problems: Problems) -> None:
    log_in(page, address, "admin", "admin", then="/api/v2/me/")
    page.goto("/api/docs/#/instances/instances_list")
    place = open_to_try(page, "instances_list")
    with page.expect_response("**/api/v2/instances/**") as answer:
        place.get_by_role("button", name="Execute").click()
    assert set(parse_qs(urlsplit(answer.value.url).query)) <= {"page_size"}
    assert answer.value.json()["count"] == 15
    forget_the_words_on_links(problems)


def test_somebody_with_a_token_reads_and_changes(phone: Page, address: str, url: str, problems: Problems) -> None:
    login = ("admin", "admin")
    made = requests.post(f"{address}/api/v2/tokens/", json={"scope": "write"}, auth=login, timeout=30).json()
    phone.goto(f"/api/docs/#/instances/{CHANGE}")
    phone.get_by_role("button", name="Authorize").first.click()
    form = phone.locator(".auth-container").filter(has_text="An OAuth2 personal token")
    form.locator("input").fill(made["token"])
    form.locator("button[type=submit]").click()
    form.get_by_text("Authorized").wait_for()
    phone.locator("button.btn-done").last.click()
    changed = not enabled_in_database(url)
    assert execute(phone, CHANGE, {"enabled": changed})["enabled"] is changed
    assert enabled_in_database(url) is changed
    assert execute(phone, RETRIEVE)["enabled"] is changed
    assert "awx_sessionid" not in {cookie.get("name") for cookie in phone.context.cookies()}
    assert no_wider_than_the_screen(phone)
    assert_accessible(phone, known=SWAGGER_UI)
    forget_the_words_on_links(problems)


@pytest.mark.parametrize("which", ["page", "phone"])
def test_the_document_can_be_read(request: pytest.FixtureRequest, which: str, address: str, problems: Problems) -> None:
    page: Page = request.getfixturevalue(which)
    page.goto("/api/redoc/")
    page.locator("[data-section-id] h2").first.wait_for()
    document = requests.get(f"{address}/api/schema/?format=json", timeout=30).json()
    operations = {
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
        if "operationId" in operation
    }
    listed = page.locator("li[data-item-id*='/operation/']").evaluate_all("all => all.map(one => one.dataset.itemId)")
    assert {item.rpartition("/")[2] for item in listed} == operations
    assert no_wider_than_the_screen(page)
    if which == "page":  # a phone shows the same elements, and each look takes seconds
        assert_accessible(page, known=REDOC, exclude=[OTHERS])
    forget_what_redoc_may_not(problems)


def test_the_document_is_dark_for_who_likes_it_so(new_page: NewPage, problems: Problems) -> None:
    page = new_page(color_scheme="dark")
    page.goto("/api/redoc/")
    page.locator("[data-section-id] h2").first.wait_for()
    assert is_light(page, "main h2")
    assert_accessible(page, known=REDOC, exclude=[OTHERS])
    forget_what_redoc_may_not(problems)


def test_trying_out_is_dark_for_who_likes_it_so(new_page: NewPage, problems: Problems) -> None:
    page = new_page(color_scheme="dark")
    page.goto(f"/api/docs/#/instances/{CHANGE}")
    open_to_try(page, CHANGE)
    assert is_light(page, ".swagger-ui .info .title")
    assert_accessible(page, known=SWAGGER_UI.keys() - SHOWN_WITH_AN_ANSWER)
    page.emulate_media(color_scheme="light")
    assert not is_light(page, ".swagger-ui .info .title")
    forget_the_words_on_links(problems)


@pytest.mark.parametrize("path", ["/api/docs/", "/api/redoc/"])
def test_the_pages_lead_back_to_the_service_and_to_each_other(page: Page, path: str, problems: Problems) -> None:
    page.goto(path)
    links = page.get_by_role("navigation", name="Service").get_by_role("link")
    leads_to = links.evaluate_all("all => all.map(one => one.getAttribute('href'))")
    assert leads_to == ["/", "/api/v2/", "/api/docs/", "/api/redoc/", "/api/schema/", "/admin/"]
    page.wait_for_load_state("networkidle")
    forget_what_redoc_may_not(problems)


def is_light(page: Page, selector: str) -> bool:
    """Whether the text is lighter than grey; that its ground is not, its contrast tells."""
    color: str = page.locator(selector).first.evaluate("element => getComputedStyle(element).color")
    return sum(map(int, re.findall(r"\d+", color)[:3])) > 3 * 128
