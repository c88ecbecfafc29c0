"""``make pictures``: the pictures of the README, of the demonstration mesh."""

import os
import shutil

import django
from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.looking import log_in
from tests.service import PROJECT, connected_to, manage, new_database, served

FOLDER = PROJECT / "docs" / "pictures"
SETTLING = 500  # milliseconds until the drawing of the mesh is where it begins


def take(page: Page, address: str, name: str, path: str, height: int) -> None:
    page.set_viewport_size({"width": page.viewport_size["width"], "height": height})
    page.goto(address + path)
    page.wait_for_timeout(SETTLING)
    page.screenshot(path=FOLDER / f"{name}.png")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.test")
    django.setup()
    from instances import demonstration  # it has models, which need what was set up

    FOLDER.mkdir(exist_ok=True)
    with new_database() as url:
        manage(url, "migrate", "--verbosity", "0")
        with connected_to(url):
            demonstration.load()
        with served(url) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
            for scheme in ("light", "dark"):
                page = browser.new_page(viewport=DESKTOP, color_scheme=scheme)
                log_in(page, address, "admin", "admin")
                take(page, address, f"mesh-{scheme}", "/", 900)
                take(page, address, f"node-{scheme}", "/nodes/6/", 860)
            page = browser.new_page(viewport=PHONE, is_mobile=True, color_scheme="dark")
            log_in(page, address, "admin", "admin")
            take(page, address, "phone-dark", "/", 844)
            browser.close()


if __name__ == "__main__":
    main()
