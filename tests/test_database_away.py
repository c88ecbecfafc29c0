"""While the database is away, and when it is back: every face of the service, its commands, and the worker.

The PostgreSQL is one that only these tests use, and it is really stopped and started.
"""

import re
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import DjangoDbBlocker

from manage import main
from tests.postgresql import Server
from tests.service import DATASET, connected_to, logging_into, manage
from tests.test_worker import start_worker, until

pytestmark = pytest.mark.slow

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ADMIN = "oracle-admin-token"
SECONDS = 2


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def url(server: Server) -> str:
    url = server.create("away")
    manage(url, "migrate", "--verbosity", "0")
    manage(url, "import_awx", str(DATASET))
    return url


@dataclass
class Site:
    """The service, and what it logged since it was looked at last."""

    address: str
    log: Path
    read: int = 0

    def logged(self) -> list[str]:
        """The lines since the last look, without those of requests, of logins and of changes that were made."""
        text = self.log.read_text()
        new, self.read = text[self.read :], len(text)
        return [line for line in new.splitlines() if " INFO " not in line]

    def warm(self) -> set[int]:
        """Let all threads ask the database something; returns what is answered."""
        with ThreadPoolExecutor(8) as clients:
            ask = f"{self.address}/api/v2/ping/"
            return set(clients.map(lambda _: requests.get(ask, timeout=30).status_code, range(16)))


@pytest.fixture(scope="module")
def site(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    path = tmp_path_factory.mktemp("site") / "log"
    command = [sys.executable, "manage.py", "serve", "--workers", "1"]
    with path.open("w+") as log, logging_into(log, command, url) as address:
        yield Site(address, path)


def log_in(site: Site) -> requests.Session:
    session = requests.Session()
    session.get(f"{site.address}/api/login/")
    form = {"username": "admin", "password": "admin", "csrfmiddlewaretoken": session.cookies["csrftoken"]}
    assert session.post(f"{site.address}/api/login/", form, allow_redirects=False).status_code == 302
    return session


# --- the faces


@dataclass(frozen=True)
class Face:
    """A way in which somebody asks. ``needs`` the database or not."""

    name: str
    path: str
    method: str = "GET"
    who: str = "nobody"
    as_browser: bool = False
    body: Any = None
    known: bool = False  # whether the answer was had before, and its ETag is sent

    def asked_by(self, site: Site) -> Callable[[], requests.Response]:
        """The request, prepared while the database is there."""
        session = log_in(site) if self.who == "session" else requests.Session()
        headers = {"Accept": BROWSER if self.as_browser else "application/json"}
        options: dict[str, Any] = {}
        if self.who == "bearer":
            headers["Authorization"] = f"Bearer {ADMIN}"
        if self.who == "basic":
            session.auth = ("admin", "admin")
        address = site.address + self.path
        if self.body is not None and self.path.startswith(("/api/v2/", "/api/fleet/")):
            options["json"] = self.body
            headers["X-CSRFToken"] = session.cookies.get("csrftoken", "")
        elif self.body is not None:
            page = session.get(address, headers=headers)
            token = session.cookies.get("csrftoken", "")
            options["data"] = {**self.body, "csrfmiddlewaretoken": token, **hidden(page.text)}
            headers["Referer"] = address
        if self.known:
            for _ in range(3):
                headers["If-None-Match"] = session.get(address, headers=headers).headers["ETag"]
        return lambda: session.request(
            self.method, address, headers=headers, allow_redirects=False, timeout=30, **options
        )

    def __str__(self) -> str:
        return self.name


def hidden(page: str) -> dict[str, str]:
    """The formset's hidden fields of a page of the administration."""
    return dict(re.findall(r'<input type="hidden" name="([\w-]+_FORMS)" value="(\d*)"', page))


LOGIN = {"username": "admin", "password": "admin"}
FACES = [
    Face("a record by bearer", "/api/v2/instances/1/", who="bearer"),
    Face("a record by bearer that is known", "/api/v2/instances/1/", who="bearer", known=True),
    Face("a record by basic", "/api/v2/instances/1/", who="basic"),
    Face("a record by session", "/api/v2/instances/1/", who="session"),
    Face("a list by bearer", "/api/v2/instances/", who="bearer"),
    Face("a filtered list by bearer", "/api/v2/instances/?hostname__contains=e", who="bearer"),
    Face("a change by bearer", "/api/v2/instances/1/", "PATCH", "bearer", body={"enabled": True}),
    Face("a change by session", "/api/v2/instances/1/", "PATCH", "session", body={"enabled": True}),
    Face("a change of members", "/api/v2/instance_groups/1/instances/", "POST", "bearer", body={"id": 1}),
    Face("OPTIONS", "/api/v2/instances/1/", "OPTIONS", "bearer"),
    Face("the API as a page, by bearer", "/api/v2/instances/1/", who="bearer", as_browser=True),
    Face("the API as a page, by session", "/api/v2/instances/1/", who="session", as_browser=True),
    Face("ping", "/api/v2/ping/"),
    Face("ping by session", "/api/v2/ping/", who="session"),
    Face("metrics", "/api/v2/metrics/", who="bearer"),
    Face("metrics as JSON", "/api/v2/metrics/?format=json", who="bearer"),
    Face("metrics of the fleet", "/api/fleet/v1/metrics/", who="bearer"),
    Face("metrics of the server", "/api/fleet/v1/metrics/process/", who="bearer"),
    Face("the mirror's ping", "/api/fleet/v1/mirror/ping/"),
    Face("conditions", "/api/fleet/v1/instances/1/conditions/", who="bearer"),
    Face("the front page by session", "/", who="session", as_browser=True),
    Face("a node's page", "/nodes/1/", who="session", as_browser=True),
    Face("the administration", "/admin/", who="session", as_browser=True),
    Face("a list of the administration", "/admin/instances/instance/", who="session", as_browser=True),
    Face("a record of the administration", "/admin/instances/instance/1/change/", who="session", as_browser=True),
    Face(
        "a change in the administration",
        "/admin/instances/instance/1/change/",
        "POST",
        "session",
        as_browser=True,
        body={"enabled": "on", "capacity_adjustment": "1.00"},
    ),
    Face("the administration's login", "/admin/login/", "POST", as_browser=True, body=LOGIN),
    Face("the API's login", "/api/login/", "POST", as_browser=True, body=LOGIN),
    Face("the API's login, by a program", "/api/login/", "POST", body=LOGIN),
    Face("the form of the API's login, by session", "/api/login/", who="session", as_browser=True),
    Face("a token by OAuth2", "/api/o/token/", "POST", body={"grant_type": "client_credentials", "client_id": "x"}),
    Face("the document, by session", "/api/schema/", who="session"),
    Face("no such page, by session", "/nope/", who="session", as_browser=True),
    Face("no such path, by session", "/api/v2/nope/", who="session"),
]
WITHOUT = [
    Face("the front page", "/", as_browser=True),
    Face("the form of the API's login", "/api/login/", as_browser=True),
    Face("the form of the administration's login", "/admin/login/", as_browser=True),
    Face("the document", "/api/schema/"),
    Face("no such page", "/nope/", as_browser=True),
    Face("no such path", "/api/v2/nope/"),
    Face("a record by nobody", "/api/v2/instances/1/"),
]


@dataclass
class Outage:
    """What a face answered before, while the database was away and as the first after it was back."""

    before: int
    answer: requests.Response
    seconds: float
    logged: list[str]
    after: int = 0


@pytest.fixture(scope="module")
def outages(site: Site, server: Server) -> dict[str, Outage]:
    faces = (*FACES, *WITHOUT)
    before = {face.name: face.asked_by(site)().status_code for face in faces}
    meanwhile, afterwards = ({face.name: face.asked_by(site) for face in faces} for _ in range(2))
    found = {}
    site.warm()
    with server.away():
        site.logged()
        for name, ask in meanwhile.items():
            began = time.monotonic()
            answer = ask()
            found[name] = Outage(before[name], answer, time.monotonic() - began, site.logged())
    for name, ask in afterwards.items():
        found[name].after = ask().status_code
    assert site.logged() == []
    return found


@pytest.mark.parametrize("face", FACES, ids=str)
def test_away(face: Face, outages: dict[str, Outage]) -> None:
    """503 at once, with when to ask again and one line in the log; nobody's session ends for it."""
    outage = outages[face.name]
    answer = outage.answer
    assert outage.before < 500
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert outage.seconds < SECONDS
    assert len(outage.logged) == 1, outage.logged
    assert " ERROR " in outage.logged[0]
    assert "The database failed: " in outage.logged[0]
    assert "awx_sessionid" not in answer.headers.get("Set-Cookie", "")
    if face.as_browser:
        assert "<h1>The database does not answer</h1>" in answer.text
        assert answer.headers["Content-Security-Policy"]
    else:
        assert answer.json() == {"detail": "The database is unavailable or failed. Try again."}
    assert outage.after == outage.before


@pytest.mark.parametrize("face", WITHOUT, ids=str)
def test_what_needs_no_database_is_answered(face: Face, outages: dict[str, Outage]) -> None:
    outage = outages[face.name]
    assert (outage.answer.status_code, outage.after) == (outage.before, outage.before)
    assert outage.logged == []


@pytest.mark.parametrize("face", FACES, ids=str)
def test_back(face: Face, site: Site, server: Server, outages: dict[str, Outage]) -> None:
    """All connections were closed meanwhile, and nobody notices, not even who asks first."""
    ask = face.asked_by(site)
    assert site.warm() == {200}
    server.restart()
    site.logged()
    assert ask().status_code == outages[face.name].before
    assert site.warm() == {200}
    assert site.logged() == []


def test_every_path_there_is(site: Site, server: Server) -> None:
    session = log_in(site)
    paths = sorted({f"/{path}" for path in paths_of(get_resolver().url_patterns)})
    assert len(paths) > 100
    with server.away():
        site.logged()
        answers = [
            session.get(site.address + path, headers={"Accept": accept}, allow_redirects=False, timeout=30)
            for path in paths
            for accept in (BROWSER, "application/json")
        ]
        assert {(answer.status_code, "Retry-After" in answer.headers) for answer in answers} == {(503, True)}
        assert len(site.logged()) == len(answers)
        headers = {"Authorization": f"Bearer {ADMIN}"}
        answers = [requests.get(site.address + path, headers=headers, allow_redirects=False) for path in paths]
        logged = site.logged()
    unavailable = [answer for answer in answers if answer.status_code == 503]
    assert len(unavailable) == len(logged)
    assert all("Retry-After" in answer.headers for answer in unavailable)
    assert not [answer.url for answer in answers if answer.status_code >= 500 and answer not in unavailable]


def paths_of(patterns: Iterable[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    """A path for each pattern, with 1 wherever it takes something."""
    for pattern in patterns:
        path = before + re.sub(r"<[^>]+>", "1", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from paths_of(pattern.url_patterns, path)
        else:
            yield re.sub(r"\(\?P1.*", "nope", path)


def test_many_at_once(site: Site, server: Server) -> None:
    """Nobody waits for a connection that there is not: more than there are threads are refused as fast."""
    with server.away():
        began = time.monotonic()
        assert site.warm() == {503}
        assert time.monotonic() - began < SECONDS
    assert site.warm() == {200}


def test_a_database_that_is_there_and_says_nothing(site: Site, server: Server) -> None:
    """A connection is waited for as long as DATABASE_CONNECT_TIMEOUT says."""
    with server.away():
        site.warm()
    with server.hanging():
        began = time.monotonic()
        assert requests.get(f"{site.address}/api/v2/ping/", timeout=30).status_code == 503
        assert 1.5 < time.monotonic() - began < 3
    assert site.warm() == {200}


# --- the worker


def test_the_worker_waits_for_the_database(url: str, server: Server) -> None:
    """For a moment, for longer than anything waits for a connection, and, if it is asked to end, no longer."""
    worker = start_worker(url)
    lines: list[str] = []

    def logs(text: str) -> str:
        """The next line with this text; all that is logged before it is in ``lines``, too."""
        assert worker.stdout is not None
        for line in worker.stdout:
            lines.append(line)
            if text in line:
                return line
        raise AssertionError(lines)

    until(lambda: works(url))
    for seconds in (0, 6):
        with server.away():
            assert "WARNING" in logs("The database failed; the worker waits for it. ")
            time.sleep(seconds)
        logs("The database answers again.")
        until(lambda: works(url))
    with server.away():
        logs("The database failed")
        worker.send_signal(signal.SIGTERM)
        rest, _ = worker.communicate(timeout=10)
    assert (worker.returncode, rest) == (0, "")
    assert len([line for line in lines if "The database" in line]) == 5
    assert not [line for line in lines if "Traceback" in line or "procrastinate" in line or "psycopg" in line]


def works(url: str) -> bool:
    """Whether a job that is queued now is done."""
    with psycopg.connect(url, autocommit=True) as connection:
        queue = (
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('default', 'apply_policies', '{}')"
        )
        number = connection.execute(f"{queue} RETURNING id").fetchone()[0]  # type: ignore[index]
        for _ in range(40):
            time.sleep(0.1)
            query = "SELECT status FROM procrastinate_jobs WHERE id = %s"
            if connection.execute(query, [number]).fetchone() == ("succeeded",):
                return True
    return False


# --- commands

COMMANDS = [
    "migrate",
    "showmigrations",
    "createsuperuser --noinput --username x --email x@example.org",
    "changepassword admin",
    "clearsessions",
    f"import_awx {shlex.quote(str(DATASET))}",
    "sync_awx --url http://127.0.0.1:1 --username x --password-file manage.py",
    "sync_awx --detach",
    "verify_counters",
    "list_instances",
    "list_groups",
    "list_jobs",
    "export_awx -",
    "provision_instance --hostname x --node_type execution",
    "deprovision_instance --hostname x",
    "register_queue --queuename x",
    "register_peers x --peers y",
    "issue_node_token exec-1.example.org",
    "serve",
    "worker",
]


@pytest.fixture(scope="module")
def stopped(url: str, server: Server, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """With the database away, for commands in this process."""
    with django_db_blocker.unblock(), connected_to(url), server.away():
        yield


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_tells_in_one_line(
    command: str, stopped: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["manage.py", *shlex.split(command)])
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "x")
    with pytest.raises(SystemExit) as ended:
        main()
    assert str(ended.value.code).startswith("The database cannot be reached: ")
    assert "\n" not in str(ended.value.code)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("command", ["migrate", "serve"])
def test_a_command_ends_with_that_line(command: str, url: str, stopped: None) -> None:
    done = manage(url.replace("user=postgres", "user=postgres password=hunter2"), command, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("The database cannot be reached: ")
    assert len(done.stderr.splitlines()) == 1
    assert "hunter2" not in done.stderr
