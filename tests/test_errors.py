"""Whatever goes wrong, a client reads JSON, and neither a traceback nor a secret."""

import socket
from urllib.parse import urlsplit

import pytest
import requests
from rest_framework.test import APIClient

from instances.models import User
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


@pytest.mark.parametrize(
    "path", ["/api/nothing/", "/api/v2/nothing/", "/api/v2/instances/1/2/3/", "/api/v2/%00/", "/api/v2/%ff%fe/"]
)
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
def test_an_unknown_path(path: str, method: str) -> None:
    answer = getattr(APIClient(), method)(path)
    assert (answer.status_code, answer.json()) == (404, {"detail": "The requested resource could not be found."})
    assert "Allow" not in answer
    assert "X-API-Node" not in answer


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
    query = "&".join(f"a{n}=1" for n in range(1001))
    for path in ("/api/v2/ping/", "/api/v2/instances/"):
        assert client_of(admin).get(f"{path}?{query}").status_code in (200, 400)


@pytest.mark.parametrize("path", ["token", "revoke_token", "introspect"])
def test_null_characters_in_a_form(path: str) -> None:
    form = {"grant_type": "authorization_code", "code": "a\0b", "client_id": "a\0b", "token": "a\0b"}
    assert APIClient().post(f"/api/o/{path}/", form, format="multipart").status_code == 400
