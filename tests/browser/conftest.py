"""A real browser, Debian's Chromium, that sees the served pages; nothing but the service answers it."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.looking import MISSING, Problems

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
PATIENCE = 10_000  # milliseconds

NewPage = Callable[..., Page]


# Not the session's: while Playwright runs there is an event loop in this thread, which tests elsewhere do not expect.
# Django has other connections beside such a loop, so no test here may use the fixture "db"; records are changed as an
# operator changes them, or in the service's own database.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium without a screen."""
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip(f"chromium is not installed: {MISSING}")
    with pytest.MonkeyPatch.context() as changed, sync_playwright() as playwright:
        changed.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # for that loop; nothing here is asynchronous
        chromium = playwright.chromium.launch(executable_path=executable)
        yield chromium
        chromium.close()
        connections.close_all()


@pytest.fixture
def problems(address: str) -> Problems:
    """What went wrong on the pages of a test. There must be nothing left of it when the test ends."""
    return Problems(urlsplit(address).netloc)


@pytest.fixture
def new_page(browser: Browser, address: str, problems: Problems) -> Iterator[NewPage]:
    """Opens a page without cookies: ``new_page(viewport=PHONE, color_scheme="dark")``, or Playwright's other options.

    Its paths are relative to ``address``. A console error, a failed request and a request to anybody else fail the
    test.
    """
    contexts: list[BrowserContext] = []

    def open_page(**options: Any) -> Page:
        context = browser.new_context(**{"base_url": address, "viewport": DESKTOP, **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        problems.watch(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not problems.found, "\n".join(problems.found)


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """A page as wide as a desktop's."""
    return new_page(viewport=DESKTOP)


@pytest.fixture
def phone(new_page: NewPage) -> Page:
    """A page as wide as a phone's."""
    return new_page(viewport=PHONE, is_mobile=True, has_touch=True)


@pytest.fixture
def address(service: str) -> str:
    """The address of what is looked at, without a slash at its end; a module that changes records has its own."""
    return service
