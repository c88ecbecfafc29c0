"""The access log: a record for each request, whoever answers it, with its cost and without a secret."""

import base64
import io
import itertools
import json
import logging
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver

from awx_compat.access_log import LONGEST_PATH, AccessLog
from awx_compat.answer_cache import AnswerCache
from awx_compat.views.root import Ping
from instances import node_tokens, tokens
from instances.logs import FIELDS, LineFormatter, ObjectFormatter, RequestIdFilter
from instances.models import Instance, InstanceGroup, User
from tests.conftest import speaking
from tests.routes import routes
from tests.service import PROJECT, environment, logging_into
from tests.test_text import HARMFUL, ODD
from tests.wsgi import WSGIResponse, environ, send

pytestmark = pytest.mark.django_db(transaction=True)

SERVE = [sys.executable, "manage.py", "serve", "--workers", "1"]
SECRET = "s3cret-that-nobody-may-read"
INSTANCE = "/api/v2/instances/exec-1/"


class Site:
    """The WSGI application as it is served, and what it logs as JSON and as text."""

    def __init__(self) -> None:
        self.application = AccessLog(AnswerCache(WSGIHandler(), 1_000_000))
        self.json, self.text = io.StringIO(), io.StringIO()

    def ask(self, path: str, method: str = "GET", **more: Any) -> WSGIResponse:
        return send(self.application, environ(path, method, **more))

    def records(self) -> list[dict[str, Any]]:
        """What was logged since the last call."""
        lines = self.json.getvalue().splitlines()
        self.json.truncate(self.json.seek(0))
        return [json.loads(line) for line in lines]

    def requests(self) -> list[dict[str, Any]]:
        return [record for record in self.records() if record["logger"] == "access"]


@pytest.fixture
def site(settings: Any) -> Iterator[Site]:
    made = Site()
    text = LineFormatter(settings.LOGGING["formatters"]["text"]["format"])
    handlers = []
    for stream, formatter in ((made.json, ObjectFormatter()), (made.text, text)):
        handler = logging.StreamHandler(stream)
        handler.setFormatter(formatter)
        handler.addFilter(RequestIdFilter())
        logging.getLogger().addHandler(handler)
        handlers.append(handler)
    yield made
    for handler in handlers:
        logging.getLogger().removeHandler(handler)


def bearer(user: User) -> str:
    return f"Bearer {tokens.issue(user)[1]}"


# --- what a record says


def test_a_request_has_its_user_route_and_cost_and_from_memory_as_well(site: Site, bob: User) -> None:
    authorization = bearer(bob)
    for times in range(3):
        with CaptureQueriesContext(connection) as captured:
            response = site.ask(f"{INSTANCE}?page_size=1", HTTP_AUTHORIZATION=authorization)
        (record,) = site.requests()
        assert (record["method"], record["path"], record["status"]) == ("GET", INSTANCE, 200)
        assert record["route"] == "api/v2/instances/<key>/"
        assert record["user_id"] == bob.pk
        assert record["client"] == "127.0.0.1"
        assert record["request_id"] == response.headers["X-API-Request-Id"]
        assert record["bytes"] == len(response.body)
        statements = [query["sql"] for query in captured if query["sql"] not in ("BEGIN", "COMMIT")]
        assert record["sql_count"] == len(statements) > 0
        assert 0 < record["sql_time"] < record["duration"] < 10
        assert record["cached"] == (times == 2)


@pytest.mark.parametrize(
    ("path", "method", "status", "more"),
    [
        ("/api/v2/instances/", "GET", 401, {}),
        ("/api/v2/instances/", "GET", 401, {"HTTP_AUTHORIZATION": "Bearer nobody's"}),
        ("/api/v2/nowhere/", "GET", 404, {}),
        ("/nowhere", "POST", 404, {}),
        ("/api/v2/instances", "GET", 301, {}),
        ("/api/v2/instances/", "GET", 400, {"HTTP_HOST": "a b"}),
        ("/api/v2/instances/", "POST", 413, {"CONTENT_LENGTH": "9999999999"}),
        ("/static/awx_compat/pages.css", "GET", 200, {}),
        ("/api/v2/ping/", "HEAD", 200, {}),
    ],
)
def test_requests_of_nobody_and_refusals_are_logged(
    path: str, method: str, status: int, more: dict[str, str], site: Site
) -> None:
    response = site.ask(path, method, **more)
    (record,) = site.requests()
    assert (record["method"], record["path"], record["status"]) == (method, path, status)
    assert response.status == status
    assert record["bytes"] == len(response.body)
    assert "user_id" not in record


def test_the_user_of_a_session_is_named(site: Site, admin: User, client: Any) -> None:
    client.force_login(admin)
    cookie = f"awx_sessionid={client.cookies['awx_sessionid'].value}"
    for path in ("/", "/api/v2/me/", "/admin/"):
        site.ask(path, HTTP_COOKIE=cookie, HTTP_ACCEPT="*/*")
    assert [record["user_id"] for record in site.requests()] == [admin.pk] * 3
    assert cookie.partition("=")[2] not in site.text.getvalue()


@pytest.mark.parametrize("peer", ["127.0.0.1", "192.0.2.1"])
def test_the_client_is_the_one_behind_a_trusted_proxy(peer: str, site: Site, bob: User) -> None:
    for _ in range(3):  # the last from memory
        site.ask(INSTANCE, REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR="203.0.113.9", HTTP_AUTHORIZATION=bearer(bob))
    clients = {record["client"] for record in site.requests()}
    assert clients == {"203.0.113.9" if peer == "127.0.0.1" else peer}


def test_an_error_of_the_service_has_its_traceback_in_the_same_object(site: Site, monkeypatch: Any) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError(f"{ODD}\n\n")

    monkeypatch.setattr(Ping, "get", fail)
    assert site.ask("/api/v2/ping/").status == 500
    assert not HARMFUL.search(site.json.getvalue() + site.text.getvalue())
    error, access = site.records()
    assert error["level"] == "ERROR"
    assert error["exc_info"].startswith("Traceback")
    assert ODD in error["exc_info"]
    assert error["request_id"] == access["request_id"]
    assert (access["status"], access["level"]) == (500, "INFO")


@pytest.mark.parametrize("path", [f"/{ODD}", "/é", "/" + "x" * 100_000, "/\udcff"])
def test_no_path_forges_or_floods(path: str, site: Site) -> None:
    site.ask(path.encode("utf-8", "surrogateescape").decode("latin-1"))
    assert not HARMFUL.search(site.json.getvalue() + site.text.getvalue())
    (record,) = site.requests()
    assert len(record["path"]) <= LONGEST_PATH
    assert len(site.text.getvalue().splitlines()) == 1


def test_what_a_library_adds_to_a_record_is_left_out(site: Site) -> None:
    logging.getLogger("tests").warning("It happened", extra={"request": SECRET, "sql": SECRET, "status_code": 7})
    (record,) = site.records()
    assert record.keys() <= set(FIELDS)
    assert SECRET not in site.text.getvalue()


# --- no secrets


def plain(*parts: str) -> str:
    return base64.b64encode(":".join(parts).encode()).decode()


@pytest.mark.slow
@pytest.mark.parametrize("version", ["23.6.0", "24.6.1"])
def test_no_secret_is_in_any_line(version: str, site: Site, admin: User, edge: InstanceGroup, client: Any) -> None:
    """Of all routes: in the query, in the body, in cookies and other headers, valid or not."""
    client.force_login(admin)
    session = client.cookies["awx_sessionid"].value
    token, node_token = tokens.issue(admin)[1], node_tokens.issue(Instance.objects.get(hostname="exec-1"))
    admin.set_password(SECRET)
    admin.save()
    secrets = [SECRET, plain("admin", SECRET), session, token, str(node_token), admin.password]
    query = f"token={token}&password={SECRET}&access_token={token}&next={session}&page_size={SECRET}&{SECRET}={SECRET}"
    form = f"username=admin&password={SECRET}&token={token}&client_secret={SECRET}".encode()
    document = json.dumps(
        {"username": SECRET, "password": SECRET, "token": token, "hostname": SECRET, SECRET: 1}
    ).encode()
    credentials = {
        "bearer": {"HTTP_AUTHORIZATION": f"Bearer {token}"},
        "session": {"HTTP_COOKIE": f"awx_sessionid={session}; csrftoken={SECRET}", "HTTP_X_CSRFTOKEN": SECRET},
        "wrong": {"HTTP_AUTHORIZATION": f"Bearer {SECRET}", "HTTP_REFERER": f"http://x/?{SECRET}", "HTTP_HOST": SECRET},
    }
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("GET", {}),
        ("POST", {"body": document}),
        ("POST", {"body": form, "CONTENT_TYPE": "application/x-www-form-urlencoded"}),
    ]
    number = 0
    with speaking(version):
        for route in routes(get_resolver().url_patterns, "/"):
            for method, body in bodies:
                for headers in credentials.values():
                    site.ask(f"{re.sub('<[^>]*>', '1', route)}?{query}", method, **headers, **body)
                    number += 1
    logged = site.json.getvalue() + site.text.getvalue()
    assert logged.count('"logger": "access"') == number > 500
    assert [secret for secret in secrets if secret in logged] == []


# --- as it is served


@pytest.mark.slow
@pytest.mark.parametrize("is_on", [True, False])
def test_each_line_of_the_server_is_an_object(is_on: bool, dataset_url: str, tmp_path: Path) -> None:
    path, changes = tmp_path / "log", {"LOG_FORMAT": "auto", "ACCESS_LOG": str(is_on), "BODY_TIMEOUT": "1"}
    with path.open("w+") as log, logging_into(log, SERVE, dataset_url, **changes) as address:
        requests.post(f"{address}/api/login/", data=late_body(), timeout=30)
        requests.get(f"{address}/api/v2/nowhere/?token={SECRET}", timeout=30)
        records = [json.loads(line) for line in path.read_text().splitlines()]
    assert {"_granian"} <= {record["logger"] for record in records}
    found = [(r["method"], r["path"], r["status"]) for r in records if r["logger"] == "access"]
    assert (("GET", "/api/v2/nowhere/", 404) in found) == is_on
    assert (("POST", "/api/login/", 408) in found) == is_on
    assert bool(found) == is_on


def late_body() -> Iterator[bytes]:
    """The body of a request that does not arrive in time."""
    yield b"username="
    time.sleep(2)
    yield b"admin"


@pytest.mark.slow
@pytest.mark.parametrize(("form", "at_terminal"), [*itertools.product(["auto", "text", "json"], [False, True])])
def test_logs_are_text_for_people_alone(form: str, at_terminal: bool) -> None:
    script = "import django, logging; django.setup(); logging.getLogger('tests').warning('It happened')"
    own, other = pty.openpty() if at_terminal else os.pipe()[:2]
    subprocess.run([sys.executable, "-c", script], cwd=PROJECT, env=environment("", LOG_FORMAT=form), stderr=other)
    os.close(other)
    line = os.read(own, 10_000).decode()
    os.close(own)
    is_text = form == "text" or (form == "auto" and at_terminal)
    assert line.startswith("{") != is_text
    assert "It happened" in line
