"""A change of rights holds for each request that begins once it is committed, in each worker, beside other requests."""

import http.client
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client
from pytest_django import DjangoDbBlocker
from requests.auth import _basic_auth_str

from bench.processes import workers_of
from instances import tokens
from instances.models import InstanceGroup, InstanceGroupRole, User
from tests.service import connected_to, new_database, served

pytestmark = pytest.mark.slow

READ = "GET /api/v2/instances/5/"
WRITE = "POST /api/v2/tokens/"
CREDENTIALS = ("token", "basic", "session")
HELD = 920  # answers of each way of asking and each change that are judged: 20,240 of all
CLIENTS = 4
# Passwords that were right a moment ago are many wrong ones here.
LIMITS = ("LOGIN_FAILURE_LIMIT", "LOGIN_FAILURE_LIMIT_BY_NAME", "LOGIN_FAILURE_LIMIT_BY_ADDRESS")
UNTHROTTLED = {**dict.fromkeys(LIMITS, "1000000"), "PASSWORD_HASHES_AT_ONCE": str(CLIENTS)}
ASKED_AT_ONCE = 10  # over one connection; the next may be another worker's
ANSWERS_BETWEEN = 40  # two changes
LONGEST = 120  # seconds
OWN, ANOTHER = make_password("member"), make_password("another")


class Change(NamedTuple):
    """Takes a right of ``reader`` away, and gives it back; what is answered meanwhile is ``denied``.

    ``given`` is whether answers tell when it was given back: Django deletes a session whose user has another password,
    and a request that began before may do so after.
    """

    reader: str
    lose: str
    give: str
    denied: int
    request: str = READ
    given: bool = True


def updated(reader: str, change: str, lost: str, given: str, denied: int, request: str = READ) -> Change:
    return Change(reader, change.format(lost), change.format(given), denied, request)


def removed(reader: str, table: str, condition: str, denied: int) -> Change:
    """The rows of the table with this condition go, and come back."""
    move = "WITH gone AS (DELETE FROM {} WHERE {} RETURNING *) INSERT INTO {} SELECT * FROM gone"
    kept = f"kept.{table}"
    return Change(reader, move.format(table, condition, kept), move.format(kept, "true", table), denied)


def of(reader: str) -> str:
    return f"user_id = (SELECT id FROM instances_user WHERE email = '{reader}@example.org')"


def user(reader: str) -> str:
    return f"UPDATE instances_user SET {{}} WHERE email = '{reader}@example.org'"


def token(reader: str) -> str:
    return f"UPDATE oauth2_provider_accesstoken SET {{}} WHERE {of(reader)}"


CHANGES = {
    "deactivated": updated("member", user("member"), "is_active = false", "is_active = true", 401),
    "no superuser": updated("super", user("super"), "is_superuser = false", "is_superuser = true", 403),
    "no auditor": updated("audit", user("audit"), "is_system_auditor = false", "is_system_auditor = true", 403),
    "role lost": removed("member", "instances_instancegrouprole", of("member"), 403),
    "node out of the group": removed("member", "instances_instancegroup_instances", "instance_id = 5", 403),
}
PASSWORD = updated("member", user("member"), f"password = '{ANOTHER}'", f"password = '{OWN}'", 401)
SESSION = "; INSERT INTO django_session SELECT * FROM kept.first_sessions ON CONFLICT DO NOTHING"
CHANGES_OF_ONE = {
    ("basic", "password"): PASSWORD,
    ("basic", "renamed"): updated("member", user("member"), "username = 'x'", "username = 'member'", 401),
    ("session", "password"): PASSWORD._replace(give=PASSWORD.give + SESSION, given=False),
    ("session", "logged out"): removed("member", "django_session", "true", 401),
    ("token", "revoked"): removed("member", "oauth2_provider_accesstoken", of("member"), 401),
    ("token", "expired"): updated(
        "member", token("member"), "expires = now() - interval '1 s'", "expires = now() + interval '1 day'", 401
    ),
    ("token", "scope"): updated("super", token("super"), "scope = 'read'", "scope = 'write'", 403, WRITE),
}
ALL = {(credential, name): change for name, change in CHANGES.items() for credential in CREDENTIALS} | CHANGES_OF_ONE
TABLES = (
    "instances_instancegrouprole",
    "instances_instancegroup_instances",
    "django_session",
    "oauth2_provider_accesstoken",
)


class Readers(NamedTuple):
    url: str
    address: str
    headers: dict[tuple[str, str], dict[str, str]]  # by credential and reader


@pytest.fixture(scope="module")
def readers(dataset_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Readers]:
    """Three users who may read node 5: a member of a group of it, a superuser and an auditor; served by two workers."""
    with django_db_blocker.unblock(), new_database(dataset_template) as url:
        with connected_to(url):
            headers = dict(made_readers())
        with psycopg.connect(url, autocommit=True) as database:
            database.execute("CREATE SCHEMA kept")
            database.execute("DELETE FROM instances_tokennote")  # which refer to tokens
            database.execute("CREATE TABLE kept.first_sessions AS SELECT * FROM django_session")
            for table in TABLES:
                database.execute(f"CREATE TABLE kept.{table} (LIKE {table})")  # type: ignore[arg-type]
        with served(url, workers=2, **UNTHROTTLED) as address:
            yield Readers(url, address, headers)


def made_readers() -> Iterator[tuple[tuple[str, str], dict[str, str]]]:
    group = InstanceGroup.objects.create(name="of the member")
    group.instances.add(5)
    for name, ranks in (
        ("member", {}),
        ("super", {"is_superuser": True}),
        ("audit", {"is_system_auditor": True}),
    ):
        reader = User(username=name, email=f"{name}@example.org", password=OWN, **ranks)
        reader.save()
        if name == "member":
            InstanceGroupRole.objects.create(user=reader, instance_group=group, role="read_role")
        _, raw = tokens.issue(reader)
        browser = Client()
        browser.force_login(reader)
        yield ("token", name), {"Authorization": f"Bearer {raw}"}
        yield ("basic", name), {"Authorization": _basic_auth_str(name, "member")}
        yield ("session", name), {"Cookie": f"awx_sessionid={browser.cookies['awx_sessionid'].value}"}


class Answer(NamedTuple):
    began: float
    ended: float
    status: int


class Asking:
    """Clients that ask without end, each over a connection of its own; every other one with the ETag that it has."""

    def __init__(self, address: str, request: str, headers: dict[str, str]) -> None:
        self.netloc, self.headers = address.removeprefix("http://"), headers
        self.method, self.path = request.split()
        self.answers: list[Answer] = []
        self.end = threading.Event()
        self.threads = [threading.Thread(target=self.ask, args=(bool(n % 2),)) for n in range(CLIENTS)]

    def __enter__(self) -> "Asking":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end.set()
        for thread in self.threads:
            thread.join()

    def ask(self, conditional: bool) -> None:
        headers = {**self.headers, "Content-Type": "application/json"}
        while not self.end.is_set():
            connection = http.client.HTTPConnection(self.netloc, timeout=30)
            for _ in range(ASKED_AT_ONCE):
                began = time.monotonic()
                connection.request(self.method, self.path, "{}" if self.method == "POST" else None, headers)
                response = connection.getresponse()
                response.read()
                self.answers.append(Answer(began, time.monotonic(), response.status))
                if conditional and "ETag" in response.headers:
                    headers["If-None-Match"] = response.headers["ETag"]
            connection.close()

    def wait_for_answers(self, number: int) -> None:
        end, wanted = time.monotonic() + LONGEST, len(self.answers) + number
        while len(self.answers) < wanted:
            assert time.monotonic() < end, f"{len(self.answers)} answers only"
            time.sleep(0.002)


class Period(NamedTuple):
    """The time between two changes of a right."""

    begin: float
    end: float

    def holds(self, answer: Answer) -> bool:
        return self.begin <= answer.began and answer.ended <= self.end


@pytest.mark.parametrize(("credential", "name"), [pytest.param(*each, id=" ".join(each)) for each in ALL])
def test_no_answer_is_stale(credential: str, name: str, readers: Readers) -> None:
    change = ALL[credential, name]
    judged, stale = 0, []
    with (
        psycopg.connect(readers.url, autocommit=True) as database,
        Asking(readers.address, change.request, readers.headers[credential, change.reader]) as asking,
    ):
        end = time.monotonic() + LONGEST
        asking.wait_for_answers(ANSWERS_BETWEEN)
        while judged < HELD:
            assert time.monotonic() < end, f"{judged} answers judged only"
            for statement, granted in ((change.lose, False), (change.give, True)):
                database.execute(statement)  # type: ignore[arg-type]
                begin = time.monotonic()
                asking.wait_for_answers(ANSWERS_BETWEEN)
                if granted and not change.given:
                    continue
                period = Period(begin, time.monotonic())
                answers = [answer for answer in asking.answers[-3 * ANSWERS_BETWEEN :] if period.holds(answer)]
                allowed = (200, 201, 304) if granted else (change.denied,)
                stale += [answer for answer in answers if answer.status not in allowed]
                judged += len(answers)
    assert stale == []


def test_both_workers_were_asked(readers: Readers) -> None:
    """Each has taken a fair part of the CPU time that the tests above took."""
    with Asking(readers.address, READ, readers.headers["token", "member"]) as asking:
        asking.wait_for_answers(ANSWERS_BETWEEN * ASKED_AT_ONCE)
    ticks = [cpu(worker) for worker in workers_of(readers.address)]
    assert len(ticks) == 2
    assert min(ticks) > sum(ticks) / 10


def cpu(worker: int) -> int:
    """What the process has taken of a CPU, in the system's ticks."""
    fields = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
