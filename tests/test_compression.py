"""Compression of responses, and static files that browsers keep: what changes for clients, and what does not."""

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.handlers.wsgi import WSGIHandler
from django.templatetags.static import static
from django.test import Client
from rest_framework.test import APIClient

from awx_compat import compression
from awx_compat.answer_cache import AnswerCache
from awx_compat.compression import ACCEPTED, COMPRESSIBLE, LEAST
from instances import tokens
from instances.models import Instance, User
from tests.conftest import client_of
from tests.make import make_node
from tests.wsgi import WSGIResponse, environ, send

pytestmark = pytest.mark.django_db(transaction=True)

GZIP = {"HTTP_ACCEPT_ENCODING": "gzip, deflate, br"}
LIST = "/api/v2/instances/"
UNCHANGING = (LIST, "/api/v2/mesh_visualizer/", "/api/v2/ping/", "/api/schema/")
PATHS = (*UNCHANGING, "/api/v2/metrics/", "/api/fleet/v1/metrics/", "/", "/admin/")


@pytest.fixture
def mesh(db: None) -> Instance:
    nodes = [make_node(hostname=f"exec-{number}", node_type="execution") for number in range(20)]
    return nodes[0]


def body(response: Any) -> bytes:
    return gzip.decompress(response.content)


# --- responses


@pytest.mark.parametrize("path", PATHS)
def test_a_large_response_is_compressed_for_those_who_can_read_it(path: str, admin: User, mesh: Instance) -> None:
    client = APIClient()
    client.force_login(admin)
    headers = {"HTTP_ACCEPT": "text/html"} if path in ("/", "/admin/") else {}
    plain, packed = client.get(path, **headers), client.get(path, **headers, **GZIP)
    assert len(plain.content) >= LEAST
    assert "Content-Encoding" not in plain
    assert "Accept-Encoding" not in plain["Vary"]
    assert packed["Content-Encoding"] == "gzip"
    assert packed["Vary"] == f"{plain['Vary']}, Accept-Encoding"
    assert int(packed["Content-Length"]) == len(packed.content) < len(plain.content)
    assert abs(len(body(packed)) - len(plain.content)) < 100  # figures of the process, and times
    if path in UNCHANGING:
        assert body(packed) == plain.content


@pytest.mark.parametrize("path", [f"{LIST}exec-0/", "/api/v2/nowhere/", "/api/v2/me/"])
def test_a_small_one_stays_as_it_is(path: str, admin: User, mesh: Instance) -> None:
    client = client_of(admin)
    plain, packed = client.get(path), client.get(path, **GZIP)
    assert len(plain.content) < LEAST
    assert "Content-Encoding" not in packed
    assert (packed.content, packed.get("Vary"), packed.get("ETag")) == (
        plain.content,
        plain.get("Vary"),
        plain.get("ETag"),
    )


def test_a_response_with_a_secret_is_not_compressed(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large: here all are large enough."""
    monkeypatch.setattr(compression, "LEAST", 1)
    client = client_of(admin)
    issued = client.post("/api/v2/tokens/", {"scope": "read"}, "json", **GZIP)
    assert (issued.status_code, issued["Cache-Control"]) == (201, "no-store")
    assert "Content-Encoding" not in issued
    assert client.get(issued["Location"], **GZIP)["Content-Encoding"] == "gzip"


def test_it_can_be_left_to_the_proxy(admin: User, mesh: Instance, settings: Any) -> None:
    settings.COMPRESSION = False
    assert "Content-Encoding" not in client_of(admin).get(LIST, **GZIP)
    assert "Content-Encoding" not in fetch(static("awx_compat/pages.css"), **GZIP).headers


@pytest.mark.parametrize(
    ("header", "accepts"),
    [
        ("gzip", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("gzip; q=0.001", True),
        ("gzip;q=0", False),
        ("deflate, gzip;q=0.000, br", False),
        ("gzip ; q=0", False),
        ("br", False),
        ("", False),
    ],
)
def test_who_can_read_it(header: str, accepts: bool) -> None:
    assert (ACCEPTED.search(header) is not None) == accepts


@pytest.mark.parametrize(
    ("content_type", "compresses"),
    [
        ("application/json", True),
        ("text/html; charset=utf-8", True),
        ("text/plain; version=0.0.4", True),
        ("application/vnd.oai.openapi", True),
        ("application/vnd.oai.openapi+json", True),
        ("image/svg+xml", True),
        ("application/gzip", False),
        ("application/x-compressed", False),
        ("application/octet-stream", False),
        ("image/png", False),
        ("font/woff2", False),
    ],
)
def test_what_is_compressed(content_type: str, compresses: bool) -> None:
    """Install bundles are archives already."""
    assert (COMPRESSIBLE.match(content_type) is not None) == compresses


def test_a_response_from_memory_is_the_compressed_one(admin: User, mesh: Instance) -> None:
    asked = []

    def django(environ: dict[str, Any], start_response: Any) -> Any:
        asked.append(environ["PATH_INFO"])
        return WSGIHandler()(environ, start_response)

    cache, authorization = AnswerCache(django, 1_000_000), f"Bearer {tokens.issue(admin)[1]}"
    packed = [send(cache, environ(LIST, HTTP_AUTHORIZATION=authorization, **GZIP)) for _ in range(4)]
    assert len(asked) == 2
    plain = send(cache, environ(LIST, HTTP_AUTHORIZATION=authorization))
    assert "Content-Encoding" not in plain.headers
    assert {gzip.decompress(each.body) for each in packed} == {plain.body}
    assert packed[3].headers["Vary"] == packed[0].headers["Vary"]


# --- ETags, which are weak in compressed responses


@pytest.fixture
def large(mesh: Instance) -> Instance:
    """A node whose record is worth compressing."""
    Instance.objects.filter(pk=mesh.pk).update(errors="x" * 2 * LEAST)
    return mesh


def test_the_weak_etag_of_a_compressed_record_is_recognised(admin: User, large: Instance) -> None:
    client, path = client_of(admin), f"{LIST}{large.pk}/"
    strong, weak = client.get(path)["ETag"], client.get(path, **GZIP)["ETag"]
    assert weak == f"W/{strong}"
    for etag in (strong, weak):
        for headers in ({}, GZIP):
            answer = client.get(path, HTTP_IF_NONE_MATCH=etag, **headers)
            assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", etag)


@pytest.mark.parametrize("is_weak", [False, True])
def test_a_change_is_guarded_by_either_form(is_weak: bool, admin: User, large: Instance) -> None:
    client, path = client_of(admin), f"{LIST}{large.pk}/"
    etag = client.get(path, **(GZIP if is_weak else {}))["ETag"]
    assert etag.startswith("W/") == is_weak
    assert client.patch(path, {"enabled": False}, "json", HTTP_IF_MATCH=etag).status_code == 200
    assert client.patch(path, {"enabled": True}, "json", HTTP_IF_MATCH=etag).status_code == 412


# --- static files

NAMES = [
    "awx_compat/pages.css",
    "awx_compat/icon.svg",
    "pages/panzoom/panzoom.min.js",
    "admin/css/base.css",
    "drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js",
]


def fetch(url: str, **more: str) -> WSGIResponse:
    return send(WSGIHandler(), environ(url, **more))


@pytest.mark.parametrize("name", NAMES)
def test_a_static_file_is_kept_for_a_year_under_the_name_that_pages_have(name: str) -> None:
    url, content = static(name), Path(str(finders.find(name))).read_bytes()
    assert re.fullmatch(r"/static/.*\.[0-9a-f]{12}\.\w+", url)
    kept, plain, packed = fetch(url), fetch(f"/static/{name}"), fetch(url, **GZIP)
    assert kept.headers["Cache-Control"] == packed.headers["Cache-Control"] == "max-age=31536000, public, immutable"
    assert plain.headers["Cache-Control"] == "max-age=60, public"
    assert kept.body == plain.body == content
    for response in (kept, plain, packed):
        assert re.fullmatch("[0-9a-f]{32}", response.headers["X-API-Request-Id"])
    if len(content) < LEAST:
        assert "Content-Encoding" not in packed.headers
    else:
        assert packed.headers["Vary"] == "Accept-Encoding"
        assert packed.headers["Content-Type"] == kept.headers["Content-Type"]
        assert int(packed.headers["Content-Length"]) == len(packed.body) < len(content)
        assert gzip.decompress(packed.body) == content


def test_all_that_pages_load_is_kept(admin: User, mesh: Instance) -> None:
    client = Client()
    client.force_login(admin)
    found = set()
    for path in ("/", "/admin/", "/api/docs/", "/api/redoc/", "/api/v2/", "/admin/instances/instance/"):
        page = client.get(path, headers={"Accept": "text/html"}).content.decode()
        found |= set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
    assert len(found) > 10
    for url in found:
        assert fetch(url).headers["Cache-Control"].endswith("immutable"), url


def test_parts_and_unchanged_files_are_not_compressed() -> None:
    url = static("awx_compat/pages.css")
    part = fetch(url, HTTP_RANGE="bytes=0-9", **GZIP)
    assert (part.status, len(part.body)) == (206, 10)
    unchanged = fetch(url, HTTP_IF_NONE_MATCH=part.headers["ETag"], **GZIP)
    assert (unchanged.status, unchanged.body) == (304, b"")
    assert "Content-Encoding" not in unchanged.headers


def test_a_file_that_no_package_has_is_named() -> None:
    with pytest.raises(ValueError, match=r"nothing/here\.css"):
        staticfiles_storage.url("nothing/here.css")
    assert fetch("/static/awx_compat/pages.000000000000.css").status == 404
