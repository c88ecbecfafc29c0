"""Whatever goes wrong, a client reads JSON and a person a page, and neither a traceback nor a secret."""

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.templatetags.static import static
from django.test import Client, RequestFactory
from rest_framework.test import APIClient

from awx_compat.views import errors
from fleet.pages import views
from instances.models import InstanceGroup, User
from instances.querysets import InstanceQuerySet
from tests.conftest import client_of

pytestmark = pytest.mark.django_db


def test_a_failure_nobody_foresaw(
    admin: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: InstanceQuerySet) -> None:
        raise RuntimeError("secret detail")

    client = client_of(admin)
    client.raise_request_exception = False
    monkeypatch.setattr(InstanceQuerySet, "with_load", fail)
    answer = client.get("/api/v2/instances/?hostname=a")
    assert (answer.status_code, answer.json()) == (500, {"detail": "A server error has occurred."})
    assert caplog.text.count("Traceback") == 1
    assert "secret detail" in caplog.text
    assert "Bearer" not in caplog.text


@pytest.mark.parametrize("method", ["get", "patch"])
def test_a_database_that_is_away_is_no_fault_of_the_service(
    method: str, admin: User, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*statement: Any) -> None:
        raise OperationalError("couldn't get a connection after 10.00 sec")

    client, group = client_of(admin), InstanceGroup.objects.create(name="edge")
    with connection.execute_wrapper(fail):
        answer = getattr(client, method)(f"/api/v2/instance_groups/{group.pk}/", {"name": "x"}, format="json")
    assert answer.status_code == 503
    assert answer.json()["detail"].startswith("The database is unavailable or failed. Try again.")
    assert "couldn't get a connection" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_mistake_of_a_browser_is_answered_and_not_logged(admin: User, caplog: pytest.LogCaptureFixture) -> None:
    browser = Client()
    assert browser.post("/api/login/", {f"field{n}": "" for n in range(3000)}).status_code == 400
    browser.force_login(admin)
    assert browser.get("/admin/instances/instance/?bogus=1").status_code == 400
    assert not caplog.records


@pytest.mark.parametrize(
    "body", ['{"hostname": "\\ud800a"}', '{"hostname": "a", "node_type": "\\ud800"}', '{"\\udfff": 1}']
)
def test_half_a_character_in_a_body(body: str, admin: User) -> None:
    answer = client_of(admin).post("/api/v2/instances/", body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("JSON parse error - ")


@pytest.mark.parametrize(
    ("body", "has_hint"),
    [
        (b'{"hostname": ', True),
        (b'{"hostname": "a",}', True),
        (b'{"listener_port": ' + b"9" * 5000 + b"}", False),
        (b'{"a": {"b": [-' + b"9" * 5000 + b"]}}", False),
        (b'{"hostname": "\\ud800a"}', False),
        (b'{"hostname": "\xff"}', False),
        (b'{"a":' * 100_000, False),
    ],
)
@pytest.mark.parametrize("path", ["/api/v2/instances/", "/api/v2/tokens/"])
def test_a_comma_is_blamed_for_broken_json_alone_and_python_not_advertised(
    path: str, body: bytes, has_hint: bool, admin: User
) -> None:
    answer = client_of(admin).post(path, body, content_type="application/json")
    assert answer.status_code == 400
    told = answer.json()["detail"]
    assert told.startswith("JSON parse error - ")
    assert ("trailing comma" in told) == has_hint
    assert "sys." not in told
    assert "limit" not in told


DIGITS = "9" * 5000


@pytest.mark.parametrize(
    "path",
    [
        f"/api/v2/instances/?{name}={DIGITS}"
        for name in ("id", "id__in", "cpu__gt", "page", "page_size", "capacity_adjustment", "jobs_running", "peers")
    ]
    + [f"/api/v2/instances/{DIGITS}/", f"/api/v2/unified_jobs/?elapsed__gt={DIGITS}", f"/api/v2/tokens/{DIGITS}/"],
)
def test_no_query_is_told_of_pythons_switches(path: str, admin: User) -> None:
    answer = client_of(admin).get(path)
    assert answer.status_code < 500
    assert b"sys." not in answer.content
    assert b"integer string conversion" not in answer.content


@pytest.mark.parametrize(
    "path", ["/api/nothing/", "/api/v2/nothing/", "/api/v2/instances/1/2/3/", "/api/v2/%00/", "/api/v2/%ff%fe/"]
)
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
def test_an_unknown_path(path: str, method: str) -> None:
    answer = getattr(APIClient(), method)(path)
    assert (answer.status_code, answer.json()) == (404, {"detail": "The requested resource could not be found."})
    assert "Allow" not in answer
    assert "X-API-Node" not in answer


# What browsers send, and a few that leave the choice.
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
PROGRAMS = ("*/*", "application/json", "application/json, text/html;q=0.9", "text/plain", "application/json,text/html")
FAULTS = [
    ("/admin/instances/instance/?bogus=1", 400, "The request could not be understood."),
    ("/admin/", 403, "You don't have permission to access the requested resource."),
    ("/nope/", 404, "The requested resource could not be found."),
    ("/api/nope/", 404, "The requested resource could not be found."),
    ("/", 500, "A server error has occurred."),
]


@pytest.fixture
def faulty(admin: User, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Somebody logged in, to whom each of the FAULTS happens."""

    def fail() -> None:
        raise RuntimeError("secret detail")

    def refuse(*args: Any) -> None:
        raise PermissionDenied

    monkeypatch.setattr(views, "all_links", fail)
    monkeypatch.setattr(AdminSite, "index", refuse)
    client = Client(raise_request_exception=False)
    client.force_login(admin)
    return client


@pytest.mark.parametrize(("path", "status", "detail"), FAULTS)
def test_people_read_a_page_that_leads_back(faulty: Client, path: str, status: int, detail: str) -> None:
    answer = faulty.get(path, headers={"Accept": BROWSER})
    assert answer.status_code == status
    assert is_page(answer)
    assert detail not in answer.content.decode()


@pytest.mark.parametrize(("path", "status", "detail"), FAULTS)
@pytest.mark.parametrize("accept", PROGRAMS)
def test_programs_read_json(faulty: Client, path: str, status: int, detail: str, accept: str) -> None:
    answer = faulty.get(path, headers={"Accept": accept})
    assert answer.status_code == status
    assert answer.content.decode() == f'{{"detail": "{detail}"}}'
    assert answer["Content-Type"] == "application/json"
    assert answer["Vary"].startswith("Accept")


def test_a_form_that_is_refused_leads_back_too() -> None:
    client = Client(enforce_csrf_checks=True)
    form = {"username": "admin", "password": "admin"}
    answer = client.post("/api/login/", form, headers={"Accept": BROWSER})
    assert answer.status_code == 403
    assert is_page(answer)
    assert "CSRF verification failed" in client.post("/api/login/", form).content.decode()


def test_the_page_of_a_failure_needs_nobody() -> None:
    """Neither who asks nor the database that would tell may be there."""
    answer = errors.server_error(RequestFactory().get("/", headers={"Accept": BROWSER}))
    assert is_page(answer)
    assert "Log in" not in answer.content.decode()


def is_page(answer: HttpResponse) -> bool:
    """Whether it is one of the service's pages, which are not kept and lead back."""
    text = answer.content.decode()
    assert " style=" not in text
    assert "no-store" in answer["Cache-Control"]
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    parts = ('<main id="main"', "<h1>", '<a href="/">Back to the mesh</a>', static("awx_compat/pages.css"))
    return all(part in text for part in parts)


def test_the_front_page_leads_on() -> None:
    answer = APIClient().get("/")
    assert answer.status_code == 200
    for path in ("/api/v2/", "/api/docs/", "/admin/", "/api/login/"):
        assert path in answer.content.decode()
        assert APIClient().get(path).status_code in (200, 302)


def raw(service: str, request: bytes) -> bytes:
    """What the service answers to these bytes."""
    where = urlsplit(service)
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /api/v2/ping/ HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n",
        b"GET /api/v2/ping/ HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\nConnection: close\r\n\r\n",
        b"GET /api/v2/ping/ HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\nConnection: close\r\n\r\n",
        b"GET /api/v2/instances/\xff\xfe/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /api/v2/instances/1/ HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \xff\xff\r\nConnection: close\r\n\r\n",
        b'GET /api/v2/instances/1/ HTTP/1.1\r\nHost: x\r\nCookie: awx_sessionid="\xff;;=\r\nConnection: close\r\n\r\n',
        b"GET /api/v2/instances/1/ HTTP/1.1\r\nHost: x\r\nAccept: ;;;,/,*\r\nConnection: close\r\n\r\n",
        b"GET /api/v2/instances/1/ HTTP/1.1\r\nHost: x\r\nAccept-Language: "
        + b"a," * 3000
        + b"\r\nConnection: close\r\n\r\n",
        b"GET /api/v2/instances/1/ HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\nConnection: close\r\n\r\n",
        b"GET /api/v2/instances/1/ HTTP/1.1\r\nHost: x\r\nX-API-Request-Id: '\"<script>\r\nConnection: close\r\n\r\n",
        b"GARBAGE\r\n\r\n",
        b"GET /api/v2/instances/" + b"9" * 9000 + b"/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
)
def test_broken_requests_are_answered_and_the_service_lives_on(request_bytes: bytes, service: str) -> None:
    answer = raw(service, request_bytes)
    status = answer.split(b" ", 2)[1] if answer else b"closed"
    assert status in (b"200", b"400", b"401", b"404", b"406", b"414", b"431", b"closed")
    assert b"Traceback" not in answer
    assert b"<script>" not in answer
    assert requests.get(f"{service}/api/v2/ping/", timeout=10).status_code == 200


def test_more_parameters_than_anybody_needs(admin: User) -> None:
    query = "&".join(f"a{n}=1" for n in range(2001))
    for path in ("/api/v2/ping/", "/api/v2/instances/"):
        assert client_of(admin).get(f"{path}?{query}").status_code in (200, 400)


@pytest.mark.parametrize("path", ["token", "revoke_token", "introspect"])
def test_null_characters_in_a_form(path: str) -> None:
    form = {"grant_type": "authorization_code", "code": "a\0b", "client_id": "a\0b", "token": "a\0b"}
    assert APIClient().post(f"/api/o/{path}/", form, format="multipart").status_code == 400
