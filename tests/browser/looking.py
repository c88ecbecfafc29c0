"""Looking at pages as somebody does who has a browser: logging in, watching what goes wrong, judging access."""

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import ConsoleMessage, Error, Page, Request, Response

AXE = Path(sys.prefix) / "axe" / "node_modules" / "axe-core" / "axe.min.js"
MISSING = "make .venv/browser installs it, where apt-get and npm can be used"
WCAG_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Without "preload", by which it copies style sheets into the page, which a page's policy refuses.
RUN_AXE = """([tags, exclude]) => axe.run(
    {exclude}, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations'], preload: false}
)"""


@dataclass
class Problems:
    """What went wrong on a page; a test that means it to go wrong looks and clears."""

    served: str  # host and port
    found: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", self._page_error)
        page.on("request", self._request)
        page.on("requestfailed", self._request_failed)
        page.on("response", self._response)

    def clear(self) -> list[str]:
        """Forget what was found, and return it."""
        found, self.found = self.found, []
        return found

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.found.append(f"console: {message.text}")

    def _page_error(self, error: Error) -> None:
        self.found.append(f"script: {error}")

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob", "about") and address.netloc != self.served:
            self.found.append(f"outside: {request.url}")

    def _request_failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page was left before the answer came
            self.found.append(f"failed: {request.url} {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.found.append(f"status {response.status}: {response.url}")


def log_in(page: Page, address: str, username: str, password: str, then: str = "/") -> None:
    """Log in through the form, as somebody does who was asked to on the way to the page ``then``."""
    page.goto(f"{address}/api/login/?next={then}")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{address}{then}")


def assert_accessible(page: Page, known: Collection[str] = (), exclude: Sequence[str] = ()) -> None:
    """No rule of axe-core for WCAG 2.2 AA is broken on the page as it is now.

    ``known``: the rules that others' code breaks there, which has to be so: one that is mended has to go from them.
    ``exclude``: selectors of what is not looked at.
    """
    if not AXE.exists():
        pytest.skip(f"axe-core is not installed: {MISSING}")
    # Evaluated by the debugger, so that a page's Content-Security-Policy does not stand in the way.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(RUN_AXE, [WCAG_AA, list(exclude)])["violations"]
    told = [
        f"{rule['id']} ({rule['impact']}): {rule['help']}\n    "
        + "\n    ".join(f"{node['target']} {node['html'][:200]}" for node in rule["nodes"][:5])
        for rule in found
        if rule["id"] not in known
    ]
    told += [f"{rule} is not broken any more" for rule in set(known) - {rule["id"] for rule in found}]
    assert not told, "\n".join(told)
