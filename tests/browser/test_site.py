"""The site that ``make docs`` builds: whole, and from one host."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.service import PROJECT

pytestmark = pytest.mark.slow

# What a browser loads by itself; a link that is followed is not among it.
LOADED = re.compile(r"<(?:script|link|img|source|iframe|video|audio|embed)\b[^>]*?\b(?:src|href|srcset)=\"?([^\"\s>]+)")
STYLED = re.compile(r"(?:url\(\s*|@import\s+)[\"']?([^\"')\s]+)")


def build(folder: Path, pages: Path = PROJECT / "docs") -> subprocess.CompletedProcess[str]:
    """Build the site as the Makefile does."""
    recipe = re.search(r"^\t\$\(BIN\)/sphinx-build (.*)$", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    options = [str(pages) if each == "docs" else each.replace("build/", f"{folder}/") for each in recipe[1].split()]
    command = [sys.executable, "-m", "sphinx", *options]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def service(site: Path) -> Iterator[str]:
    """The site, served; in the place of the service that other modules look at."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_request(self, *arguments: object) -> None:
        pass


def test_no_page_names_another_host_to_load_from(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 14
    loaded = {target for page in pages for target in LOADED.findall(page.read_text(encoding="utf-8"))}
    loaded |= {target for sheet in site.rglob("*.css") for target in STYLED.findall(sheet.read_text(encoding="utf-8"))}
    assert any(target.endswith(".css") or ".css?" in target for target in loaded)
    assert [target for target in loaded if re.match(r"(?!data:)[a-z]+:|//", target)] == []


def test_each_page_opens_and_asks_nobody_else(site: Path, page: Page) -> None:
    """The fixture ``page`` fails on an error, a failed request and a request to another host."""
    for path in sorted(site.rglob("*.html")):
        page.goto(f"/{path.relative_to(site)}")


def test_the_search_finds_a_setting(page: Page) -> None:
    page.goto("/index.html")
    page.get_by_role("textbox", name="Search").first.fill("MIRROR_STALE_AFTER")
    page.keyboard.press("Enter")
    expect(page.get_by_role("main").get_by_role("link", name="Configuration").first).to_be_visible()


@pytest.mark.parametrize("link", ["nowhere.md", "index.md#nowhere"])
def test_a_link_that_leads_nowhere_stops_the_build(link: str, tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "conf.py").write_bytes((PROJECT / "docs" / "conf.py").read_bytes())
    (pages / "index.md").write_text(f"# Here\n\n[there]({link})\n")
    done = build(tmp_path, pages)
    assert done.returncode != 0
    assert "nowhere" in done.stderr
