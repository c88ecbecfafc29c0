"""``python -m tests.browser.measure [NODES]``: how long the dashboard of a hostile mesh takes until it is seen."""

import os
import shutil
import statistics
import sys

import django
from playwright.sync_api import Page, sync_playwright

from tests.browser.filling import fill
from tests.browser.looking import log_in
from tests.service import manage, new_database, served

TIMES = 7
TIMING = """() => {
    const page = performance.getEntriesByType('navigation')[0];
    const paint = performance.getEntriesByName('first-contentful-paint')[0];
    return [page.responseEnd - page.requestStart, paint.startTime, page.loadEventEnd, page.encodedBodySize];
}"""


def measure(page: Page, address: str) -> None:
    told = []
    for _ in range(TIMES):
        page.goto(address, wait_until="load")
        page.wait_for_timeout(300)
        told.append(page.evaluate(TIMING))
    answered, painted, loaded, size = (statistics.median(each) for each in zip(*told, strict=True))
    print(
        f"{address}: answered {answered:.0f} ms, painted {painted:.0f} ms, loaded {loaded:.0f} ms, {size / 1000:.0f} kB"
    )


def main(nodes: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.test")
    django.setup()
    with new_database() as url:
        manage(url, "migrate", "--verbosity", "0")
        fill(url, "hostile", nodes)
        with served(url) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
            page = browser.new_page(base_url=address, viewport={"width": 1280, "height": 800})
            log_in(page, address, "admin", "admin")
            for path in ("/", "/?open=control&open=hop&open=execution", "/?sort=-used&q=00", "/nodes/4/"):
                measure(page, address + path)
            browser.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
