"""The pages of the OpenAPI document: trying it out, and reading it."""

import json

from playwright.sync_api import Page

from tests.browser.looking import Problems, log_in
from tests.browser.test_browsable import address as address  # served on records that tests may change
from tests.browser.test_browsable import own_address as own_address
from tests.browser.test_browsable import url as url

PATCH = "#operations-instances-instances_partial_update"


def patched(page: Page, enabled: bool) -> int:
    """Change instance 5 by "Try it out"; the status that the page shows."""
    operation = page.locator(PATCH)
    operation.get_by_role("button", name="Try it out").click()
    operation.locator("input[placeholder=key]").fill("5")
    operation.locator("textarea.body-param__text").fill(json.dumps({"enabled": enabled}))
    with page.expect_response(lambda answer: answer.request.method == "PATCH") as told:
        operation.get_by_role("button", name="Execute").click()
    assert told.value.json()["enabled"] is enabled
    return told.value.status


def test_somebody_who_is_logged_in_tries_a_change(page: Page, address: str, problems: Problems) -> None:
    log_in(page, address, "admin", "admin", then="/api/v2/me/")
    page.goto("/api/docs/#/instances/instances_partial_update")
    assert patched(page, enabled=False) == 200
    # Swagger UI's own words on its own links.
    assert all("Deprecated: escaping deep link" in found for found in problems.clear())


def test_the_document_can_be_read(page: Page, problems: Problems) -> None:
    page.goto("/api/redoc/")
    page.locator("[data-section-id] h2").first.wait_for()
    assert page.locator("li[data-item-id^='tag/']").count() > 5
    # Its own logo comes from another host, and its scroll bar's style is written into the page: both are kept out.
    assert all(
        "violates the following Content Security Policy" in found
        or "Content-Security-Policy" in found
        or "outside: https://cdn.redoc.ly" in found
        or "failed: https://cdn.redoc.ly" in found
        for found in problems.clear()
    )
