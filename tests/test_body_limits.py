"""Bodies that are too large are refused before they are read; nothing is a file; half characters are found."""

import io
import json
import socket
import tempfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from awx_compat.parsers import BodyError, JSONParser
from bench import processes
from fleet.views import LARGEST_REPORT
from instances import node_tokens
from instances.models import Instance, User
from tests import slow
from tests.conftest import client_of

pytestmark = pytest.mark.django_db

ADMIN = {"Authorization": "Bearer oracle-admin-token"}
TARGETS = (
    ("POST", "/api/v2/instances/"),
    ("PATCH", "/api/v2/instances/5/"),
    ("POST", "/api/v2/tokens/"),
    ("POST", "/api/login/"),
    ("POST", "/admin/login/"),
    ("POST", "/api/o/token/"),
    ("POST", "/api/fleet/v1/instances/5/report/"),
    ("GET", "/api/v2/ping/"),
    ("POST", "/nowhere/"),
)
TOO_LARGE = settings.MAX_BODY_SIZE + 1


def in_pieces(size: int) -> Iterator[bytes]:
    piece = b"[]," * 20_000
    for _ in range(size // len(piece) + 1):
        yield piece


@pytest.mark.parametrize(("method", "path"), TARGETS)
def test_a_body_that_is_too_large_is_refused_unread(service: str, method: str, path: str) -> None:
    """Its length alone is sent, and the answer comes."""
    parts = urlsplit(service)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.sendall(slow.body_of(f"{method} {path}", length=TOO_LARGE))
        answer = connection.recv(65_536).decode()
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 413 "), answer
    assert json.loads(body) == {
        "detail": f"The request's body is larger than {TOO_LARGE - 1:,} bytes; nothing was changed."
    }
    assert "x-api-request-id: " in head.lower()
    assert "x-api-total-time: " in head.lower()


@pytest.mark.parametrize(("method", "path"), TARGETS[:4])
def test_one_in_pieces_is_refused_once_it_is_too_large(service: str, method: str, path: str) -> None:
    answer = requests.request(method, service + path, data=in_pieces(TOO_LARGE), headers=ADMIN, timeout=30)
    assert answer.status_code == 413


def test_a_browser_is_shown_a_page(service: str) -> None:
    headers = {**ADMIN, "Accept": "text/html", "Content-Type": "application/json"}
    answer = requests.post(f"{service}/api/v2/tokens/", data=b" " * TOO_LARGE, headers=headers, timeout=30)
    assert answer.status_code == 413
    assert "Request too large" in answer.text


def test_the_memory_of_a_process_stays_as_it_was(service: str) -> None:
    (worker,) = processes.workers_of(service)
    url, headers = f"{service}/api/v2/tokens/", {**ADMIN, "Content-Type": "application/json"}
    requests.post(url, data=b"[]", headers=headers, timeout=30)
    before = processes.resident(worker)
    for _ in range(3):
        assert requests.post(url, data=in_pieces(60_000_000), headers=headers, timeout=60).status_code == 413
    assert processes.resident(worker) - before < 30


def test_any_other_server_refuses_them_too(admin: User) -> None:
    answer = client_of(admin).post("/api/v2/tokens/", b" " * TOO_LARGE, content_type="application/json")
    assert answer.status_code == 413


def test_a_report_of_a_node_is_small(db: None) -> None:
    raw = node_tokens.issue(Instance.objects.create(hostname="exec-1", node_type="execution"))
    client = APIClient(headers={"Authorization": f"Bearer {raw}"})
    for size, status in ((LARGEST_REPORT, 400), (LARGEST_REPORT + 1, 413)):
        answer = client.generic(
            "POST", "/api/fleet/v1/instances/exec-1/report/", b"x" * size, content_type="application/json"
        )
        assert answer.status_code == status


def test_no_file_is_written(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", lambda *_, **__: written.append(None))
    for path in ("/api/login/", "/admin/login/", "/api/o/token/"):
        file = SimpleUploadedFile("x", b"x" * 4_000_000)
        answer = client.post(path, {"username": "x", "password": "y", "file": file})
        assert answer.status_code < 500
        assert not answer.wsgi_request.FILES
    assert written == []


def parsed(text: str) -> Any:
    return JSONParser().parse(io.BytesIO(text.encode()))


TEXTS = st.text(st.characters(codec=None) | st.sampled_from('\ud800\udbff\udc00\udfff\\u"\n😀'), max_size=20)


@given(st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS, max_size=3), max_size=3), st.booleans())
def test_half_a_character_anywhere_is_refused(data: dict[str, Any], upper: bool) -> None:
    """As Python itself judges: what it can write as UTF-8 is text."""
    text = json.dumps(data)
    read = json.loads(text)
    try:
        json.dumps(read, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        with pytest.raises(BodyError, match="surrogate"):
            parsed(text)
    else:
        assert parsed(text) == read
