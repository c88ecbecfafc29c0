"""The whole service below a path of a proxy's host: nothing on any page, and no path in any answer, leads outside."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from pytest_django import DjangoDbBlocker

from tests.path_proxy import served_below
from tests.service import new_database, served

pytestmark = pytest.mark.slow

BASE = "/tools/awx-2.0"
ASKED = 3  # pages of one kind that are looked at
NO_MIRROR = ("/api/fleet/v1/mirror/", "/api/fleet/v1/mirror/ping/")  # there is none
LINKS = {"href", "src", "action", "data-schema"}
ENDS_THE_SESSION = "/logout/"
PATH_KEYS = ("url", "related", "next", "previous", "current_version", "available_versions", "oauth2")


@pytest.fixture(scope="module", params=[True, False], ids=["stripped", "passed on"])
def address(
    request: pytest.FixtureRequest,
    dataset_template: str,
    made_ca: dict[str, str],
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[str]:
    """The address of the service, without a slash at its end."""
    settings = {"BASE_PATH": f"{BASE}/", "API_PREFIXES": "controller", **made_ca}
    with (
        django_db_blocker.unblock(),
        new_database(dataset_template) as url,
        served(url, **settings) as upstream,
        served_below(upstream, BASE, strips=request.param) as address,
    ):
        yield address


class Links(HTMLParser):
    """Where a page leads to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in LINKS and value]


def paths_in(body: Any, is_path: bool = False) -> Iterator[str]:
    """The paths of a JSON body: all texts of a ``related``, and every text that begins as one of an API does."""
    match body:
        case str() if is_path or (body.startswith("/") and "/api/" in body):
            yield body
        case list():
            for each in body:
                yield from paths_in(each, is_path)
        case dict():
            for name, each in body.items():
                yield from paths_in(each, is_path or name in PATH_KEYS)


def kind_of(url: str) -> str:
    """Pages with other ids and parameters are of the same kind."""
    return re.sub(r"\d+", "N", urlsplit(url).path)


class Crawler:
    """Follows what answers lead to, from page to page. ``wrong``: what should not be, and the page that leads there."""

    def __init__(self, client: httpx.Client, address: str, *start: str) -> None:
        self.client, self.address = client, address
        self.waiting = [(f"{address}{path}", "") for path in start]
        self.seen: set[str] = set()
        self.kinds: dict[str, int] = {}
        self.wrong: list[str] = []

    def run(self) -> None:
        while self.waiting:
            url, page = self.waiting.pop()
            if self.is_new(url):
                self.look(url, page)

    def is_new(self, url: str) -> bool:
        kind = kind_of(url)
        self.kinds[kind] = self.kinds.get(kind, 0) + (url not in self.seen)
        is_new = url not in self.seen and self.kinds[kind] <= ASKED and ENDS_THE_SESSION not in url
        self.seen.add(url)
        return is_new

    def look(self, url: str, page: str) -> None:
        for accept in ("text/html", "application/json") if "/api/" in url else ("text/html",):
            answer = self.client.get(url, headers={"Accept": accept})
            if answer.status_code >= 500 or (answer.status_code == 404 and not url.endswith(NO_MIRROR)):
                self.wrong.append(f"{answer.status_code} {url} from {page}")
            kind = answer.headers.get("Content-Type", "").partition(";")[0]
            if answer.is_redirect:
                self.follow(url, answer.headers["Location"])
            elif kind == "text/html":
                for link in Links(answer.text).found:
                    self.follow(url, link)
            elif kind == "text/css":
                for link in re.findall(r"url\(['\"]?([^'\")]+)", answer.text):
                    self.follow(url, link)
            elif kind == "application/json":
                for path in paths_in(answer.json()):
                    self.check(url, urljoin(url, path))

    def follow(self, page: str, link: str) -> None:
        target = urljoin(page, link).partition("#")[0]
        if urlsplit(target).scheme in ("data", "mailto"):
            return
        if self.check(page, target):
            self.waiting.append((target, page))

    def check(self, page: str, target: str) -> bool:
        is_inside = target.startswith(f"{self.address}/")
        if not is_inside:
            self.wrong.append(f"outside: {target} from {page}")
        return is_inside


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    """Somebody who is logged in by the form, as an administrator."""
    with httpx.Client(timeout=60) as client:
        form = f"{address}/api/login/"
        client.get(form)
        assert {cookie.path for cookie in client.cookies.jar} == {BASE}
        sent = {"username": "admin", "password": "admin", "csrfmiddlewaretoken": client.cookies["csrftoken"]}
        answer = client.post(form, data={**sent, "next": f"{BASE}/"}, headers={"Referer": form})
        assert (answer.status_code, answer.headers["Location"]) == (302, f"{BASE}/")
        assert {cookie.path for cookie in client.cookies.jar} == {BASE}
        yield client


def test_nothing_leads_outside(client: httpx.Client, address: str) -> None:
    crawler = Crawler(client, address, "/", "/api/", "/api/controller/", "/admin/", "/api/fleet/v1/", "/favicon.ico")
    crawler.run()
    assert not crawler.wrong, "\n".join(crawler.wrong)
    seen = {urlsplit(url).path.removeprefix(BASE) for url in crawler.seen}
    for path in ("/nodes/1/", "/api/v2/instances/1/", "/api/controller/v2/instances/1/", "/api/docs/", "/api/redoc/"):
        assert path in seen
    assert any(path.startswith("/static/") and path.endswith(".js") for path in seen)
    assert any(path.startswith("/admin/instances/instance/") for path in seen)


@pytest.mark.parametrize(
    "path", ["/", "/nodes/1/", "/api/", "/api/v2/instances/", "/api/docs/", "/nowhere/", "/admin/"]
)
def test_nothing_leads_anonymous_users_outside(path: str, address: str) -> None:
    with httpx.Client(timeout=60) as client:
        answer = client.get(f"{address}{path}", headers={"Accept": "text/html"})
        links = [answer.headers["Location"]] if answer.is_redirect else Links(answer.text).found
        assert links
        for link in links:
            assert urljoin(f"{address}{path}", link).startswith(f"{address}/"), link


@pytest.mark.parametrize("path", ["/api", "/api/v2/instances", "/api/controller", "/api/controller/v2/ping", "/admin"])
def test_missing_slashes_are_redirected_inside(path: str, client: httpx.Client, address: str) -> None:
    answer = client.get(f"{address}{path}")
    assert (answer.status_code, answer.headers["Location"]) == (301, f"{BASE}{path}/")


@pytest.mark.parametrize("prefix", ["", "controller/"])
def test_logout_stays_inside(prefix: str, client: httpx.Client, address: str) -> None:
    for target, location in (("", f"{BASE}/"), (f"?next={BASE}/api/docs/", f"{BASE}/api/docs/")):
        answer = client.get(f"{address}/api/{prefix}logout/{target}", headers={"Accept": "text/html"})
        assert (answer.status_code, answer.headers["Location"]) == (302, location)
        assert f"Path={BASE};" in answer.headers["Set-Cookie"]


def test_the_document_names_where_the_service_is(client: httpx.Client, address: str) -> None:
    document = client.get(f"{address}/api/schema/?format=json").json()
    assert document["servers"] == [{"url": BASE}]
    assert {path.split("/")[1] for path in document["paths"]} == {"api"}
    assert not any(path.startswith("/api/controller/") for path in document["paths"])


def test_a_token_and_changes(client: httpx.Client, address: str) -> None:
    """The requests of AWX's clients, with the paths that answers give them."""
    host = address.removesuffix(BASE)
    with httpx.Client(base_url=host, auth=("admin", "admin"), timeout=60) as basic:
        api = basic.get(f"{BASE}/api/controller/").json()["current_version"]
        root = basic.get(api).json()
        token = basic.post(root["tokens"], json={}).json()["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        made = basic.post(root["instance_groups"], json={"name": f"{BASE}/api/controller/v2/x"}, headers=bearer)
        assert made.status_code == 201
        assert made.json()["name"] == f"{BASE}/api/controller/v2/x"
        url = made.headers["Location"]
        assert url == made.json()["url"] == f"{BASE}/api/controller/v2/instance_groups/{made.json()['id']}/"
        assert basic.patch(url, json={"name": "y"}).json()["related"]["named_url"].endswith("/instance_groups/y/")
        assert basic.delete(url).status_code == 204
