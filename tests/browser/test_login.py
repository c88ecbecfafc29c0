"""The way in, and that the browser's own watchers see what they are for."""

import pytest
from playwright.sync_api import Page

from tests.browser.looking import Problems, assert_accessible, log_in

pytestmark = pytest.mark.slow


def test_somebody_logs_in_on_a_desktop(page: Page, address: str) -> None:
    log_in(page, address, "admin", "admin", then="/api/v2/me/")
    assert '"username": "admin"' in page.content()


def test_somebody_logs_in_on_a_phone(phone: Page, address: str) -> None:
    log_in(phone, address, "admin", "admin", then="/api/v2/me/")
    assert '"username": "admin"' in phone.content()


def test_a_wrong_password_is_refused(page: Page, problems: Problems) -> None:
    page.goto("/api/login/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("Please enter a correct username and password").wait_for()
    assert any("401" in problem for problem in problems.clear())


def test_the_form_is_accessible(page: Page) -> None:
    page.goto("/api/login/")
    assert_accessible(page)


def test_a_form_without_its_cookie_is_refused_with_a_way_back(page: Page, problems: Problems) -> None:
    page.goto("/api/login/")
    page.context.clear_cookies()
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("admin")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="The form has expired").wait_for()
    assert_accessible(page)
    page.get_by_role("link", name="Back to the mesh").click()
    page.get_by_role("link", name="Log in to see the mesh").wait_for()
    assert any("status 403" in problem for problem in problems.clear())


def test_what_goes_wrong_is_seen(page: Page, problems: Problems) -> None:
    page.goto("/api/schema/?format=json")  # no page, so it has no policy that would refuse what is asked for here
    page.evaluate("console.error('broken'); setTimeout(() => { throw new Error('thrown') })")
    page.evaluate("fetch('/nowhere')")
    page.evaluate("fetch('http://127.0.0.2:9/').catch(() => 0)")
    page.wait_for_timeout(50)
    found = "\n".join(problems.clear())
    for expected in ("console: broken", "script: thrown", "status 404", "outside: http://127.0.0.2:9/"):
        assert expected in found


def test_what_is_not_accessible_is_seen(page: Page) -> None:
    page.goto("/api/login/")
    page.evaluate("document.querySelector('h1').innerHTML = '<img src=\"data:,\">'")
    with pytest.raises(AssertionError, match="image-alt"):
        assert_accessible(page)
