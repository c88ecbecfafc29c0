"""Answers from memory: the same that Django would give now, whatever was committed and by whom."""

import base64
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.contrib.sessions.models import Session
from django.core.handlers.wsgi import WSGIHandler
from django.db import Error, connection
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver, resolve
from django.utils import timezone

from awx_compat import answer_cache
from awx_compat.answer_cache import AnswerCache, CacheEntry
from instances import tokens, versions
from instances.models import (
    Instance,
    InstanceGroup,
    InstanceGroupRole,
    InstanceLink,
    JobCount,
    Mirror,
    UnifiedJob,
    User,
)
from instances.prepared import preparing_cursor
from instances.versions import Computed, Rows
from tests.make import make_jobs, make_link, make_node
from tests.wsgi import WSGIResponse, environ, send

pytestmark = pytest.mark.django_db(transaction=True)

READ = re.compile(r'(?:FROM|JOIN) "(\w+)"')  # the tables of a statement
INSTANCE, LIST, GROUP = "/api/v2/instances/exec-1/", "/api/v2/instances/", "/api/v2/instance_groups/edge/"
CACHED = {  # of each path, whether bob, who sees one group, is answered 200
    INSTANCE: True,
    f"{INSTANCE}peers/": True,
    f"{INSTANCE}instance_groups/": True,
    LIST: True,
    f"{LIST}?page_size=1&page=2": False,
    f"{LIST}?page_size=200": True,
    f"{LIST}?node_type=execution&order_by=-hostname": True,
    f"{LIST}?enabled=true&count_disabled=1": True,
    "/api/v2/instance_groups/": True,
    GROUP: True,
    f"{GROUP}instances/": True,
    "/api/v2/mesh_visualizer/": False,
    "/api/v2/metrics/": False,
    "/api/v2/metrics/?format=json": False,
    "/api/v2/me/": True,
    "/api/v2/ping/": True,
}


def lasting_headers(response: WSGIResponse) -> dict[str, str]:
    """The headers that are the same for each request."""
    return {name: value for name, value in response.headers.items() if name not in answer_cache.PER_REQUEST_HEADERS}


class Asking:
    """Somebody who asks the WSGI application, and what of it Django had to answer."""

    def __init__(self, user: User | None, size: int = 1_000_000) -> None:
        self.authorization = f"Bearer {tokens.issue(user)[1]}" if user else ""
        self.handler, self.by_django = WSGIHandler(), 0
        self.cache = AnswerCache(self.django, size)
        self.before: Callable[[], Any] = lambda: None
        self.after: Callable[[], Any] = lambda: None

    def django(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.by_django += 1
        self.before()
        response = self.handler(environ, start_response)
        self.after()
        return response

    def environ(self, path: str, method: str = "GET", **more: Any) -> dict[str, Any]:
        return environ(path, method, **{"HTTP_AUTHORIZATION": self.authorization, **more})

    def ask(self, path: str, method: str = "GET", to: Any = None, **more: Any) -> WSGIResponse:
        return send(to or self.cache, self.environ(path, method, **more))

    def fill(self, path: str, method: str = "GET", **more: Any) -> WSGIResponse:
        """Ask until the answer comes from memory."""
        for _ in range(3):
            before = self.by_django
            answer = self.ask(path, method, **more)
            if self.by_django == before:
                return answer
        raise AssertionError(f"{path} is never kept")

    def is_kept(self, path: str, method: str = "GET", **more: Any) -> bool:
        for _ in range(3):
            before = self.by_django
            self.ask(path, method, **more)
            if self.by_django == before:
                return True
        return False


@pytest.fixture
def node(edge: InstanceGroup) -> Instance:
    return edge.instances.get()


@pytest.fixture
def mesh(node: Instance, edge: InstanceGroup) -> Instance:
    """exec-1 with a peer, a node elsewhere, and jobs on it."""
    hop = make_node(hostname="hop-1", node_type="hop", listener_port=27199)
    Instance.objects.create(hostname="control-1", node_type="control")
    make_link(source=node, target=hop)
    make_jobs(2, execution_node="exec-1", controller_node="control-1", status="running", instance_group=edge)
    return node


@pytest.fixture
def asking(bob: User, mesh: Instance) -> Asking:
    """Bob, who sees exec-1 by a role."""
    return Asking(bob)


# --- the same answer


@pytest.mark.parametrize(
    "method", ["GET", *(pytest.param(name, marks=pytest.mark.slow) for name in ("HEAD", "OPTIONS"))]
)
@pytest.mark.parametrize("path", CACHED)
def test_it_takes_one_statement_and_is_what_django_answers(path: str, method: str, admin: User, mesh: Instance) -> None:
    asking = Asking(admin)
    asking.fill(path, method)
    with CaptureQueriesContext(connection) as captured:
        kept = asking.ask(path, method)
    assert len(captured) == 1
    made = asking.ask(path, method, to=asking.handler)
    assert (kept.status, kept.body) == (made.status, made.body)
    assert lasting_headers(kept) == lasting_headers(made)
    assert kept.headers.keys() == made.headers.keys()


@pytest.mark.parametrize("path", [path for path, is_bobs in CACHED.items() if is_bobs])
def test_who_sees_a_part_is_answered_from_memory_too(path: str, asking: Asking) -> None:
    kept = asking.fill(path)
    assert (kept.status, kept.body) == (200, asking.ask(path, to=asking.handler).body)


def test_who_has_the_answer_already_is_told_so(asking: Asking) -> None:
    etag = asking.ask(INSTANCE).headers["ETag"]
    for tag in (etag, f"W/{etag}", f'"x", {etag}'):
        known = asking.fill(INSTANCE, HTTP_IF_NONE_MATCH=tag)
        told = f"W/{etag}" if tag.startswith("W/") else etag  # as the client knows it
        assert (known.status, known.body, known.headers["ETag"]) == (304, b"", told)
        assert "Content-Length" not in known.headers
    assert asking.fill(INSTANCE, HTTP_IF_NONE_MATCH='W/"x"').status == 200


def test_each_request_has_its_own_id_and_times(asking: Asking) -> None:
    asking.fill(INSTANCE)
    before = asking.by_django
    answers = [asking.ask(INSTANCE) for _ in range(3)]
    assert len({answer.headers["X-API-Request-Id"] for answer in answers}) == 3
    own = str(uuid.uuid4())
    assert asking.ask(INSTANCE, HTTP_X_API_REQUEST_ID=own).headers["X-API-Request-Id"] == own
    odd = asking.ask(INSTANCE, HTTP_X_API_REQUEST_ID="x").headers["X-API-Request-Id"]
    assert uuid.UUID(odd)
    assert re.fullmatch(r"\d\.\d{3}s", answers[0].headers["X-API-Time"])
    assert asking.by_django == before


def test_traces_make_no_other_request_of_it(asking: Asking) -> None:
    asking.fill(INSTANCE)
    before = asking.by_django
    for number in range(3):
        asking.ask(INSTANCE, HTTP_TRACEPARENT=f"00-{number}", HTTP_X_REQUEST_ID=f"{number}")
    assert asking.by_django == before


# --- what changes counts at once


def mirror() -> None:
    now = timezone.now()
    Mirror.objects.create(url="https://awx.example.org", every=60, began=now, finished=now)


def session(life: timedelta) -> None:
    Session.objects.create(session_key="key", session_data="", expire_date=timezone.now() + life)


CHANGES: dict[str, Callable[[User, Instance], Any]] = {
    "a column": lambda user, node: Instance.objects.filter(pk=node.pk).update(errors="broken"),
    "another node": lambda user, node: Instance.objects.filter(hostname="hop-1").update(enabled=False),
    "the name of a peer": lambda user, node: Instance.objects.filter(hostname="hop-1").update(hostname="a-hop"),
    "a job": lambda user, node: make_jobs(1, 100, execution_node="exec-1", status="running"),
    "the end of a job": lambda user, node: UnifiedJob.objects.filter(pk=1).update(status="successful"),
    "a job controlled": lambda user, node: make_jobs(1, 100, controller_node="control-1", status="running"),
    "a job of a group": lambda user, node: make_jobs(
        1, 100, instance_group=InstanceGroup.objects.get(), status="running"
    ),
    "a peer": lambda user, node: make_link(node, make_node("other")),
    "a peer less": lambda user, node: InstanceLink.objects.all().delete(),
    "a link's state": lambda user, node: InstanceLink.objects.update(link_state="removing"),
    "a node more": lambda user, node: Instance.objects.create(hostname="aaa", node_type="execution"),
    "a node less": lambda user, node: Instance.objects.filter(hostname="control-1").delete(),
    "a member more": lambda user, node: InstanceGroup.objects.get().instances.add(
        Instance.objects.get(hostname="hop-1")
    ),
    "a member less": lambda user, node: InstanceGroup.objects.get().instances.clear(),
    "a group": lambda user, node: InstanceGroup.objects.filter(name="edge").update(max_forks=7),
    "a group more": lambda user, node: InstanceGroup.objects.create(name="another").instances.add(node),
    "a group less": lambda user, node: InstanceGroup.objects.all().delete(),
    "a name": lambda user, node: InstanceGroup.objects.update(name="renamed"),
    "two names": lambda user, node: (
        Instance.objects.filter(pk=node.pk).update(hostname="exec-2"),
        Instance.objects.create(hostname="exec-1", node_type="execution"),
    ),
    "a role": lambda user, node: InstanceGroupRole.objects.update(role="admin_role"),
    "no role": lambda user, node: InstanceGroupRole.objects.all().delete(),
    "a rank": lambda user, node: User.objects.filter(pk=user.pk).update(is_superuser=True),
    "an auditor": lambda user, node: User.objects.filter(pk=user.pk).update(is_system_auditor=True),
    "no rank": lambda user, node: User.objects.update(is_superuser=False, is_system_auditor=False),
    "the user's name": lambda user, node: User.objects.filter(pk=user.pk).update(username="renamed"),
    "no user": lambda user, node: User.objects.filter(pk=user.pk).update(is_active=False),
    "no token": lambda user, node: tokens.every().delete(),
    "an old token": lambda user, node: tokens.every().update(expires="2020-01-01T00:00Z"),
    "a token's scope": lambda user, node: tokens.every().update(scope="read"),
    "a mirror": lambda user, node: mirror(),
    "a user more": lambda user, node: User.objects.create(username="another"),
    "a session": lambda user, node: session(timedelta(days=1)),
    "a count": lambda user, node: JobCount.objects.update(jobs=77),
    "nothing": lambda user, node: None,
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_nothing_is_answered_that_does_not_hold(
    change: Callable[[User, Instance], Any], admin: User, auditor: User, bob: User, mesh: Instance
) -> None:
    """For each reader and each kind of answer, after each kind of change: what Django answers then."""
    requests = [*((path, "GET") for path in CACHED), (INSTANCE, "OPTIONS"), (GROUP, "OPTIONS"), (LIST, "OPTIONS")]
    askers = [Asking(user) for user in (bob, admin, auditor)]
    for asking in askers:
        for path, method in requests * 2:
            asking.ask(path, method)
    change(bob, mesh)
    for asking in askers:
        for path, method in requests:
            if "metrics" in path and Mirror.objects.exists():
                continue  # how old a mirror is follows from the time
            kept, made = asking.ask(path, method), asking.ask(path, method, to=asking.handler)
            assert (kept.status, kept.body) == (made.status, made.body), (path, method)
            assert lasting_headers(kept) == lasting_headers(made), (path, method)


def test_figures_that_are_no_rows_count_too(admin: User, mesh: Instance) -> None:
    """Metrics have the number of sessions that have not expired, and that of connections to the database."""
    path = "/api/v2/metrics/?format=json"

    def figures(answer: WSGIResponse) -> tuple[float, float]:
        body = json.loads(answer.body)
        names = ("awx_sessions_total", "awx_database_connections_total")
        sessions, connections = (body[name]["samples"][0]["value"] for name in names)
        return sessions, connections

    asking = Asking(admin)
    session(timedelta(days=1))
    before = figures(asking.fill(path))
    assert before[0] == 1
    Session.objects.update(expire_date=timezone.now())
    assert figures(asking.ask(path)) == (0, before[1])
    asking.fill(path)
    server = connection.connection.info
    with psycopg.connect(server.dsn, dbname=server.dbname, password=server.password):
        assert figures(asking.ask(path)) == (0, before[1] + 1)


def test_what_is_written_without_django_counts_too(asking: Asking, mesh: Instance) -> None:
    asking.fill(INSTANCE)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE instances_instance SET errors = 'by hand' WHERE id = %s", [mesh.pk])
    assert b"by hand" in asking.ask(INSTANCE).body


def elsewhere(statement: str) -> None:
    """Execute and commit it over another connection."""
    server = connection.connection.info
    with psycopg.connect(server.dsn, dbname=server.dbname, password=server.password) as other:
        other.execute(statement)


@pytest.fixture
def within(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], Any]]:
    """What is to be done once the versions were read that an answer will be kept with, and before the rows are."""
    steps: list[Callable[[], Any]] = []
    read = CacheEntry.current_versions

    def read_and_go_on(entry: CacheEntry) -> Any:
        versions = read(entry)
        while connection.in_atomic_block and steps:
            steps.pop()()
        return versions

    monkeypatch.setattr(CacheEntry, "current_versions", read_and_go_on)
    return steps


@pytest.mark.parametrize("when", ["before", "within", "after"])
def test_what_is_committed_while_it_is_made_counts(when: str, asking: Asking, within: list[Callable[[], Any]]) -> None:
    def change() -> None:
        elsewhere("UPDATE instances_instance SET errors = 'meanwhile'")

    asking.ask(INSTANCE)
    if when == "within":
        within.append(change)
    else:
        setattr(asking, when, change)
    asking.ask(INSTANCE)
    asking.before = asking.after = lambda: None
    assert not within
    assert b"meanwhile" in asking.ask(INSTANCE).body
    assert b"meanwhile" in asking.fill(INSTANCE).body


@pytest.mark.parametrize("when", ["before", "within"])
def test_what_comes_and_goes_is_no_state_that_was_before(
    when: str, asking: Asking, within: list[Callable[[], Any]]
) -> None:
    """A right that is given while an answer is made, and taken again, leaves the rows as they were without it."""
    asking.fill(INSTANCE)
    elsewhere("CREATE TABLE role_kept AS SELECT * FROM instances_instancegrouprole")

    def give() -> None:
        elsewhere("INSERT INTO instances_instancegrouprole SELECT * FROM role_kept")

    try:
        elsewhere("DELETE FROM instances_instancegrouprole")
        if when == "within":
            within.append(give)
        else:
            asking.before = give
        asking.ask(INSTANCE)
        asking.before = lambda: None
        elsewhere("DELETE FROM instances_instancegrouprole")
        assert [asking.ask(INSTANCE).status for _ in range(3)] == [404, 404, 404]  # by its name
    finally:
        elsewhere("DROP TABLE role_kept")


@pytest.mark.parametrize("path", [path for path, is_bobs in CACHED.items() if is_bobs])
def test_it_is_kept_while_others_write(path: str, asking: Asking, within: list[Callable[[], Any]]) -> None:
    """What concerns it not, committed while it is made, does not keep it from being kept."""
    asking.ask(path)
    within.append(lambda: elsewhere("UPDATE instances_mirror SET url = url"))
    asking.ask(path)
    before = asking.by_django
    asking.ask(path)
    assert (asking.by_django, within) == (before, [])


def test_an_answer_that_cannot_be_kept_is_an_answer(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its versions cannot be read, as where the database failed in this moment."""
    made = asking.fill(INSTANCE)
    elsewhere("UPDATE instances_instance SET errors = 'changed'")
    read = CacheEntry.current_versions

    def fail(entry: CacheEntry) -> Any:
        if connection.in_atomic_block:
            raise Error
        return read(entry)

    monkeypatch.setattr(CacheEntry, "current_versions", fail)
    for _ in range(3):
        changed = asking.ask(INSTANCE)
        assert (changed.status, b"changed" in changed.body) == (200, True)
    assert made.status == 200


def test_one_thread_makes_what_many_ask_for(asking: Asking) -> None:
    asking.fill(INSTANCE)
    elsewhere("UPDATE instances_instance SET errors = 'changed'")
    before, bodies = asking.by_django, []

    def ask() -> None:
        connection.ensure_connection()
        bodies.append(asking.ask(INSTANCE).body)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asking.by_django < before + 6
    assert all(b"changed" in body for body in bodies)
    assert len(bodies) == 6


def test_who_asks_after_the_state_was_read_is_not_answered_from_it(
    asking: Asking, within: list[Callable[[], Any]]
) -> None:
    """Though the thread that read it makes an answer of it, for which the other waits."""
    asking.fill(INSTANCE)
    elsewhere("UPDATE instances_instance SET errors = 'first'")
    bodies: list[bytes] = []

    def ask() -> None:
        connection.ensure_connection()
        bodies.append(asking.ask(INSTANCE).body)
        connection.close()

    other = threading.Thread(target=ask)

    def change_and_ask() -> None:
        elsewhere("UPDATE instances_instance SET errors = 'second'")
        other.start()
        other.join(0.5)  # it waits

    within.append(change_and_ask)
    assert b"first" in asking.ask(INSTANCE).body
    other.join()
    assert b"second" in bodies[0]


def test_a_statement_that_fails_ends_no_request(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the time for a statement is over: its transaction is of no use for the response."""
    asking.fill(INSTANCE)
    elsewhere("UPDATE instances_instance SET errors = 'changed'")
    read = preparing_cursor

    def failing(connection: Any) -> Any:
        if connection.in_atomic_block:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
        return read(connection)

    with monkeypatch.context() as patch:
        patch.setattr(answer_cache, "preparing_cursor", failing)
        response = asking.ask(INSTANCE)
    assert (response.status, b"changed" in response.body) == (200, True)


def test_a_token_ends_at_its_time(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens.every().update(expires=timezone.now() + timedelta(seconds=60))
    asking.fill(INSTANCE)
    later = SimpleNamespace(time=lambda: timezone.now().timestamp() + 61, perf_counter=lambda: 0.0)
    monkeypatch.setattr(answer_cache, "time", later)
    before = asking.by_django
    asking.ask(INSTANCE)
    assert asking.by_django == before + 1


@pytest.mark.parametrize("path", [path for path in CACHED if "instance" in path])
def test_views_declare_all_tables_that_they_read(path: str, admin: User, bob: User, mesh: Instance) -> None:
    """Of each reader, so that whatever is added to an answer is either declared or found here."""
    check_tables(path, admin, bob)


@pytest.mark.parametrize("path", [path for path in CACHED if "instance" not in path])
def test_so_do_the_others(path: str, admin: User, bob: User, mesh: Instance) -> None:
    check_tables(path, admin, bob)


def test_every_view_with_dependencies_is_among_them() -> None:
    declared = {view for view in views() if getattr(view, "depends_on", None) is not None}
    assert declared == {getattr(resolve(path.partition("?")[0]).func, "view_class", None) for path in CACHED}


def views() -> Iterator[Any]:
    """The classes of all views."""
    for pattern in patterns(get_resolver().url_patterns):
        yield getattr(pattern.callback, "view_class", None)


def patterns(entries: Iterable[Any]) -> Iterator[Any]:
    for entry in entries:
        if hasattr(entry, "url_patterns"):
            yield from patterns(entry.url_patterns)
        else:
            yield entry


def noting_into(statements: list[str]) -> Any:
    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append(sql)
        return execute(sql, params, many, context)

    return note


def check_tables(path: str, *users: User) -> None:
    for user in users:
        asking = Asking(user)
        for method in ("GET", "OPTIONS"):
            asking.ask(path, method)
            statements: list[str] = []
            with connection.execute_wrapper(noting_into(statements)):
                response = asking.handler(asking.environ(path, method), lambda *parts: None)  # type: ignore[arg-type]
                response.close()
            dependencies = getattr(response, "dependencies", None)
            if dependencies is None:
                continue
            read = {table for sql in statements for table in READ.findall(str(sql))}
            assert read or method == "OPTIONS"
            declared = set().union(*(tables_of(part) for part in dependencies.rows.parts))
            assert read <= declared, (path, method, read - declared)


def tables_of(part: Rows | Computed) -> set[str]:
    return {part.model._meta.db_table} if isinstance(part, Rows) else set(READ.findall(part.query))


# --- what is not kept


@pytest.mark.parametrize(
    "path",
    [
        f"{LIST}?search=exec",
        f"{LIST}?rampart_groups__name=edge",
        f"{LIST}?not__rampart_groups__name=edge",
        f"{LIST}?order_by=rampart_groups__name",
        f"{INSTANCE}jobs/",
        "/api/v2/unified_jobs/",
        "/api/v2/tokens/",
        "/api/fleet/v1/conditions/",
        "/api/v2/instances/404/",
        f"{INSTANCE}?format=api",
        "/api/v2/dashboard/",
    ],
)
def test_what_depends_on_more_is_not_kept(path: str, admin: User, mesh: Instance) -> None:
    assert not Asking(admin).is_kept(path)


def test_errors_are_not_kept(asking: Asking) -> None:
    assert not asking.is_kept("/api/v2/mesh_visualizer/")  # 403
    assert not asking.is_kept(INSTANCE, HTTP_AUTHORIZATION="Bearer x")  # 401
    assert not asking.is_kept(f"{LIST}?page=9")  # 404
    assert not asking.is_kept(f"{LIST}?nonsense=1")  # 400


def test_nor_what_is_asked_with_a_password_or_a_session(admin: User, mesh: Instance) -> None:
    asking = Asking(admin)
    basic = "Basic " + base64.b64encode(b"admin:admin").decode()
    assert not asking.is_kept(INSTANCE, HTTP_AUTHORIZATION=basic)
    assert not asking.is_kept("/api/", HTTP_AUTHORIZATION="")  # sets a cookie


def test_a_change_is_never_kept(admin: User, mesh: Instance) -> None:
    asking = Asking(admin)
    body = b'{"enabled": false}'
    for _ in range(3):
        assert asking.ask(INSTANCE, "PATCH", body=body).status == 200
    assert asking.by_django == 3
    for _ in range(3):
        asking.ask(INSTANCE, "GET", body=body)
    assert (asking.by_django, len(asking.cache.entries)) == (6, 0)


def test_a_mirror_tells_how_old_its_figures_are(admin: User, mesh: Instance) -> None:
    mirror()
    assert not Asking(admin).is_kept("/api/v2/metrics/")


def test_another_request_is_another(asking: Asking) -> None:
    asking.fill(INSTANCE)
    for more in (
        {"HTTP_ACCEPT": "application/json; indent=4"},
        {"HTTP_ACCEPT_LANGUAGE": "fr"},
        {"HTTP_IF_NONE_MATCH": '"x"'},
        {"QUERY_STRING": "a=1"},
        {"wsgi.url_scheme": "https"},
        {"HTTP_HOST": "localhost"},
    ):
        before = asking.by_django
        asking.ask(INSTANCE, **more)
        assert asking.by_django == before + 1, more


def test_what_a_proxy_tells_is_another_s_from_another_address(asking: Asking) -> None:
    forwarded = {"HTTP_X_FORWARDED_PROTO": "https"}
    asking.fill(INSTANCE, **forwarded)
    before = asking.by_django
    asking.ask(INSTANCE, REMOTE_ADDR="192.0.2.1", **forwarded)
    assert asking.by_django == before + 1


# --- its bounds


def test_it_is_bounded_in_bytes(bob: User, mesh: Instance) -> None:
    asking = Asking(bob, size=50_000)
    for number in range(40):
        asking.fill(INSTANCE, HTTP_X_NUMBER=f"{number}")
        assert 0 < asking.cache.entries.currsize <= 50_000
    before = asking.by_django
    asking.ask(INSTANCE, HTTP_X_NUMBER="39")
    assert asking.by_django == before
    asking.ask(INSTANCE, HTTP_X_NUMBER="0")
    assert asking.by_django == before + 1


def test_an_answer_that_would_fill_it_is_not_kept(admin: User, mesh: Instance) -> None:
    Instance.objects.bulk_create(Instance(hostname=f"large-{n}") for n in range(30))
    asking = Asking(admin, size=50_000)
    assert not asking.is_kept(LIST)
    assert asking.is_kept(INSTANCE)


def test_of_a_large_mesh_records_are_kept_and_lists_are_not(admin: User, mesh: Instance) -> None:
    Instance.objects.bulk_create(Instance(hostname=f"large-{n}") for n in range(versions.MOST_ROWS))
    asking = Asking(admin)
    assert not asking.is_kept(LIST)
    assert asking.is_kept(INSTANCE)


def test_what_is_asked_once_takes_no_statement_more(admin: User, mesh: Instance) -> None:
    asking = Asking(admin)
    with CaptureQueriesContext(connection) as captured:
        asking.ask(INSTANCE)
    with CaptureQueriesContext(connection) as plain:
        asking.ask(INSTANCE, to=asking.handler)
    assert len(captured) == len(plain) == 2


def test_no_secret_is_kept(asking: Asking, bob: User) -> None:
    asking.fill(INSTANCE)
    kept = repr(list(asking.cache.entries.items()))
    assert asking.authorization.removeprefix("Bearer ") not in kept
    assert bob.password not in kept


# --- a database that fails


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: Any) -> None:
        raise Error

    monkeypatch.setattr(answer_cache, "preparing_cursor", fail)


def test_where_versions_cannot_be_read_django_answers(asking: Asking, failing: None) -> None:
    assert not asking.is_kept(INSTANCE)
    assert asking.ask(INSTANCE).status == 200


def test_without_a_connection_django_makes_one(asking: Asking) -> None:
    asking.fill(INSTANCE)
    connection.close()
    before = asking.by_django
    assert asking.ask(INSTANCE).status == 200
    assert asking.by_django == before + 1


def test_a_connection_that_was_lost_is_no_error(asking: Asking) -> None:
    asking.fill(INSTANCE)
    connection.connection.close()
    assert [asking.ask(INSTANCE).status for _ in range(3)] == [200, 200, 200]
