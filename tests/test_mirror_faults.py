"""A sync of which any request goes wrong in any way: it is tried again where that helps, and else changes nothing."""

import contextlib
import dataclasses
import gzip
import io
import itertools
import json
import signal
import ssl
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.management import call_command
from pytest_django import DjangoDbBlocker, Settings

from awx_compat.awx_client import client, consistency, reading
from awx_compat.awx_client.client import ATTEMPTS, LONGEST_RETRY_AFTER, Source
from awx_compat.awx_client.errors import (
    AccessRefusedError,
    ChangingError,
    LimitError,
    NotAWXError,
    RetryLaterError,
    SourceError,
    StoppedError,
    UnreachableError,
)
from instances.mirror.baseline import ImpactError
from instances.mirror.guard import SyncRunningError
from instances.snapshot import SnapshotError, import_snapshot
from tests import mirroring
from tests.factories import TIME, Record, group, instance, job, link, snapshot, user
from tests.proxy import (
    Answer,
    Exchange,
    Fault,
    Hold,
    Plan,
    Proxy,
    Recording,
    after,
    at,
    broken_json,
    cut,
    cut_in_body,
    drips,
    for_ever,
    nobody_asks,
    once,
    says,
    silent,
    tells,
)
from tests.service import PROJECT, connected_to, environment, manage, new_database, served

pytestmark = pytest.mark.slow

TOKEN = "token-of-admin"
PASSWORD = "password-of-nobody"
STOPPED = 128 + signal.SIGTERM  # the exit code of what is stopped before it is done
DRIPPING = 15  # seconds; what drips ends by itself only later
SOON = 20  # seconds, for a process on a busy machine


# --- one mesh before and after changes of every kind

ADMIN = user(1, username="admin", is_superuser=True, token=TOKEN, token_id=1)
EDGE = {"instance_group": 1, "summary_fields": {"instance_group": {"id": 1}}}
JOB = job(11, status="running", execution_node="exec-1", controller_node="control-1", **EDGE)
DETAIL = {**JOB["representation"], "forks": 3, "instance_group": 1}  # what the list tells too little of
# It is looked for in /api/ where there is no ping/: nowhere else.
DETAILS = {"/api/v2/jobs/11/": Answer(200, json.dumps(DETAIL).encode()), "/api/": Answer(404)}

BEFORE = snapshot(
    users=[
        ADMIN,
        user(2, username="bob", instance_group_roles=[{"instance_group": 1, "role": "use_role"}]),
    ],
    instances=[
        instance(1, hostname="control-1", node_type="control"),
        instance(2, hostname="exec-1"),
        instance(3, hostname="hop-1", node_type="hop", capacity=0),
        instance(4, hostname="exec-2"),
        instance(5, hostname="exec-3"),
    ],
    instance_links=[link(1, 1, 3), link(2, 3, 2)],
    instance_groups=[group(1, name="edge", instances=[2]), group(2, name="cloud", is_container_group=True)],
    unified_jobs=[
        JOB,
        job(12, type="system_job", status="running", execution_node="exec-2", task_impact=5, **EDGE),
        job(13, type="project_update", status="pending"),
        *(job(pk, type="project_update", execution_node="exec-2", finished=TIME) for pk in (*range(20, 25), 40)),
    ],
)
AFTER = snapshot(
    users=[
        BEFORE["users"][0],
        user(3, username="eve", instance_group_roles=[{"instance_group": 2, "role": "use_role"}]),
    ],
    instances=[
        instance(1, hostname="control-1", node_type="control"),
        instance(2, hostname="exec-1", enabled=False),
        instance(3, hostname="hop-1", node_type="hop", capacity=0),
        instance(4, hostname="renamed"),
        instance(6, hostname="exec-6"),
    ],
    instance_links=[link(1, 1, 3, link_state="removing"), link(3, 3, 4)],
    instance_groups=[
        group(1, name="edges", instances=[4, 6]),
        group(2, name="cloud", is_container_group=True, max_forks=7),
    ],
    unified_jobs=[
        JOB,
        job(12, type="system_job", status="failed", execution_node="renamed", finished=TIME, **EDGE),
        job(14, type="project_update", status="waiting", execution_node="exec-6", **EDGE),
        *(
            job(pk, type="project_update", execution_node="exec-2", finished=TIME)
            for pk in (20, 21, 22, 23, 24, 25, 26, 27, 40)
        ),
    ],
)
MESHES = {"before": BEFORE, "after": AFTER}

HELD = {
    "instances": "SELECT * FROM instances_instance ORDER BY id",
    "links": "SELECT l.id, link_state, source_id, address, instance_id FROM instances_instancelink l "
    "JOIN instances_receptoraddress a ON a.id = target_id ORDER BY 1",
    "groups": "SELECT * FROM instances_instancegroup ORDER BY id",
    "members": "SELECT instancegroup_id, instance_id FROM instances_instancegroup_instances ORDER BY 1, 2",
    "users": "SELECT username, email, is_superuser, is_system_auditor FROM instances_user ORDER BY 1",
    "roles": "SELECT username, instance_group_id, role FROM instances_instancegrouprole r "
    "JOIN instances_user u ON u.id = r.user_id ORDER BY 1, 2, 3",
    "active jobs": "SELECT id, type, status, name, execution_node, controller_node, instance_group_id "
    "FROM instances_unifiedjob WHERE status IN ('new', 'pending', 'waiting', 'running') ORDER BY id",
    "loads of nodes": "SELECT node, sum(jobs_total), sum(jobs_running) FROM instances_nodeload l "
    "JOIN instances_instance i ON i.hostname = l.node GROUP BY node HAVING sum(jobs_total) > 0 ORDER BY node",
    "loads of groups": "SELECT l.group, sum(jobs_total), sum(jobs_running) FROM instances_groupload l "
    "GROUP BY l.group HAVING sum(jobs_total) > 0 ORDER BY 1",
}
ENDED = (
    "SELECT id, type, status, name, execution_node, instance_group_id FROM instances_unifiedjob "
    "WHERE finished IS NOT NULL ORDER BY id"
)
TABLES = (
    "instance",
    "receptoraddress",
    "instancelink",
    "instancegroup",
    "instancegroup_instances",
    "user",
    "instancegrouprole",
    "unifiedjob",
    "nodeload",
    "groupload",
)
MIRROR = "SELECT url, version, all_jobs, copied_to, began, finished, records FROM instances_mirror"


Database = psycopg.Connection[Any]


def ask(database: Database, query: str) -> list[Any]:
    return database.execute(query).fetchall()


def held(database: Database) -> dict[str, list[Any]]:
    """What the service on this database tells of its mesh."""
    return {name: ask(database, query) for name, query in HELD.items()}


def dump(database: Database) -> list[Any]:
    """Every row of the mirrored tables, to the last column."""
    queries = [f"SELECT * FROM instances_{table} ORDER BY id" for table in TABLES]
    return [ask(database, query) for query in (*queries, MIRROR)]


def change(url: str, *statements: str) -> Callable[[], None]:
    """What changes the records of the database at ``url``, when called."""

    def act() -> None:
        with psycopg.connect(url) as database:
            for statement in statements:
                database.execute(statement)

    return act


def load(url: str, mesh: Record) -> None:
    with connected_to(url):
        import_snapshot(io.BytesIO(json.dumps(mesh).encode()), replace=True)


# --- the services


@dataclass
class Site:
    """A served service, the proxy before it, and a database that mirrors it through the proxy; both by their URLs.

    ``there`` and ``here``: looks into the two databases. Of the two meshes: what the service answered to a sync, how
    many requests that took, and what the service held.
    """

    source: str
    there: Database
    address: str
    mirror: str
    here: Database
    proxy: Proxy
    recordings: dict[str, Recording] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    held: dict[str, dict[str, list[Any]]] = field(default_factory=dict)

    def sync(self, **options: Any) -> None:
        mirroring.sync(self.mirror, self.proxy.address, TOKEN, **options)

    def record(self, name: str) -> None:
        """Let the service have the mesh of that name, and mirror it."""
        load(self.source, MESHES[name])
        self.held[name] = held(self.there)
        self.tell(name)
        self.sync(replace=True)
        self.requests[name] = len(self.proxy.asked)
        self.recordings[name] = MappingProxyType(self.recordings[name])  # the service will not stay as it is

    def tell(self, name: str, plan: Plan | None = None) -> None:
        """Answer from now on as the service did when it had the mesh of that name, disturbed by ``plan``."""
        self.proxy.begin(plan, self.recordings.setdefault(name, {}))

    def mirror_before(self) -> None:
        """Let the mirror hold the mesh before the changes."""
        if held(self.here) != self.held["before"]:
            self.tell("before")
            self.sync()
        assert held(self.here) == self.held["before"]

    @contextlib.contextmanager
    def unchanged(self) -> Iterator[None]:
        """Every row of what is mirrored is the same afterwards."""
        stored = dump(self.here)
        yield
        assert dump(self.here) == stored

    def assert_asked_again(self, number: int) -> None:
        assert self.proxy.asked[number] == self.proxy.asked[number + 1]

    def refused(
        self, plan: Plan, kind: type[Exception] | tuple[type[Exception], ...] = SourceError, **options: Any
    ) -> Any:
        """The error of a sync with the changed service, disturbed by ``plan``, that changes nothing."""
        self.mirror_before()
        self.tell("after", plan)
        with self.unchanged(), pytest.raises(kind) as caught:
            self.sync(**options)
        return caught.value


@pytest.fixture(scope="module")
def served_site(dataset_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(django_db_blocker.unblock())
        source, mirror = (stack.enter_context(new_database(dataset_template)) for _ in range(2))
        empty(mirror)
        there, here = (stack.enter_context(psycopg.connect(url, autocommit=True)) for url in (source, mirror))
        address = stack.enter_context(served(source))
        site = Site(source, there, address, mirror, here, stack.enter_context(Proxy(address, DETAILS)))
        for name in MESHES:
            site.record(name)
            assert held(site.here) == site.held[name]
        yield site


@pytest.fixture
def site(served_site: Site) -> Site:
    served_site.proxy.begin()
    return served_site


@pytest.fixture
def live(site: Site) -> Site:
    """The site, mirrored as it was before the changes, and answering what it holds at the moment."""
    load(site.source, BEFORE)
    site.mirror_before()
    site.proxy.begin()
    return site


@pytest.fixture
def new_site(site: Site, dataset_template: str) -> Iterator[Site]:
    """The site, with another database that mirrors nothing yet."""
    with new_database(dataset_template) as mirror:
        empty(mirror)
        with psycopg.connect(mirror, autocommit=True) as here:
            yield dataclasses.replace(site, mirror=mirror, here=here)


def empty(url: str) -> None:
    change(
        url,
        "TRUNCATE instances_instance, instances_instancegroup, instances_user, instances_unifiedjob, "
        "instances_nodeload, instances_groupload CASCADE",
    )()


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that syncs would have slept, which they do not."""
    slept: list[float] = []
    monkeypatch.setattr(Source, "sleep", lambda self, seconds: slept.append(seconds))
    return slept


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of another host; that nobody asked it anything is asserted in the end."""
    monkeypatch.setattr(client, "SILENCE_TIMEOUT", 0.5)
    with nobody_asks() as address:
        yield address


# --- what passes: the request is made again

PASSING: dict[str, tuple[Fault, str]] = {
    "cut": (cut, "The request to "),
    "cut in the body": (cut_in_body, "The request to "),
    "broken JSON": (broken_json, "with broken JSON"),
    "empty": (says(200, b""), "with broken JSON"),
    "500": (says(500), "with 500"),
    "502": (says(502, b"<html>"), "with 502"),
    "429": (says(429, Retry_After="0"), "with 429"),
    "429 without Retry-After": (says(429), "with 429"),
    "silence": (silent, "did not answer"),
}


OF_ONE_RECORD = ("/instance_groups/1/", "/instance_groups/2/", "/jobs/11/")


@pytest.fixture
def fault(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Fault:
    if request.param == "silence":
        monkeypatch.setattr(client, "SILENCE_TIMEOUT", 0.1)
    return PASSING[request.param][0]


@pytest.mark.parametrize("fault", PASSING, indirect=True)
def test_what_goes_wrong_once_at_any_request_is_asked_again(fault: Fault, site: Site) -> None:
    site.mirror_before()
    for name, number in zip(["after", "before"] * site.requests["after"], range(site.requests["after"]), strict=False):
        site.tell(name, once(number, fault))
        site.sync()
        assert held(site.here) == site.held[name], number
        site.assert_asked_again(number)


@pytest.mark.parametrize(
    ("fault", "reason"), [(name, reason) for name, (_, reason) in PASSING.items()], indirect=["fault"]
)
def test_what_goes_wrong_for_ever_from_any_request_on_changes_nothing(fault: Fault, reason: str, site: Site) -> None:
    for number in range(site.requests["after"]):
        error = site.refused(for_ever(number, fault), UnreachableError)
        path = site.proxy.asked[number]
        if reason in ("with 500", "with 502") and any(part in path for part in OF_ONE_RECORD):
            assert site.proxy.asked.count(path) == ATTEMPTS
            path = "/api/v2/ping/"  # it is not the record: nothing else is answered either
            del site.proxy.asked[0]  # which was answered once
        assert reason in str(error)
        assert path.partition("?")[0] in str(error)
        assert_tells_no_secret(str(error))
        attempts = site.proxy.asked.count(path)
        if fault is silent:  # a busy machine may not read a request before it is given up
            assert 1 < attempts <= ATTEMPTS
        else:
            assert attempts == ATTEMPTS
        assert ask(site.here, "SELECT failure FROM instances_mirror") == [(str(error),)]


def assert_tells_no_secret(text: str) -> None:
    for secret in (TOKEN, PASSWORD, "Bearer", "Traceback"):
        assert secret not in text


def test_a_sync_of_several_requests_at_once_asks_each_of_them_again(site: Site) -> None:
    seen: set[str] = set()

    def first_time(_: int, path: str) -> Fault | None:
        is_first = path not in seen
        seen.add(path)
        return cut if is_first else None

    site.mirror_before()
    site.tell("after", first_time)
    site.sync(concurrency=3)
    assert held(site.here) == site.held["after"]
    assert len(site.proxy.asked) == 2 * site.requests["after"]


def test_several_requests_at_once_that_fail_change_nothing(site: Site) -> None:
    for number in range(site.requests["after"]):
        site.refused(for_ever(number, cut_in_body), UnreachableError, concurrency=3)


def test_nobody_there(site: Site) -> None:
    site.mirror_before()
    with nobody_asks() as address:
        pass
    with site.unchanged(), pytest.raises(UnreachableError, match=r"The request to .* failed"):
        mirroring.sync(site.mirror, address, TOKEN, url=site.proxy.address)


def test_the_pauses_grow_at_random(site: Site, naps: list[float]) -> None:
    site.refused(for_ever(0, says(500)))
    assert len(naps) == ATTEMPTS - 1
    assert all(0 <= nap <= mirroring.PAUSE * 2**n for n, nap in enumerate(naps))
    assert len(set(naps)) == len(naps)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("seconds", [7, int(LONGEST_RETRY_AFTER)])
def test_a_wish_to_be_left_alone_is_heard(status: int, seconds: int, site: Site, naps: list[float]) -> None:
    site.mirror_before()
    site.tell("after", once(3, says(status, Retry_After=str(seconds))))
    site.sync()
    assert naps == [seconds]
    assert held(site.here) == site.held["after"]


@pytest.mark.parametrize("wish", ["Wed, 21 Oct 2099 07:28:00 GMT", "-5", "1e3", "", "²", "soon"])
def test_a_wish_that_is_no_number_of_seconds_is_a_pause_like_others(wish: str, site: Site, naps: list[float]) -> None:
    site.mirror_before()
    site.tell("after", once(3, says(429, Retry_After=wish)))
    site.sync()
    assert len(naps) == 1
    assert naps[0] <= mirroring.PAUSE


@pytest.mark.parametrize("seconds", [str(int(LONGEST_RETRY_AFTER) + 1), "9" * 400])
def test_a_wish_for_too_long_ends_the_sync_at_once(seconds: str, site: Site, naps: list[float]) -> None:
    for number in range(site.requests["after"]):
        error = site.refused(once(number, says(429, Retry_After=seconds)), RetryLaterError)
        assert "requests a pause of" in str(error)
        assert site.proxy.asked.count(site.proxy.asked[number]) == 1
    assert naps == []


# --- what does not pass: one request, and what to do about it

LASTING: dict[str, tuple[Fault, type[SourceError], int, str]] = {
    "401": (says(401), AccessRefusedError, 3, "the token, or the user and password, are not accepted"),
    "403": (says(403), AccessRefusedError, 3, "the token, or the user and password, are not accepted"),
    "400": (says(400), NotAWXError, 4, "no AWX is there"),
    "405": (says(405), NotAWXError, 4, "no AWX is there"),
    "301": (says(301, Location="https://awx.example.org/x"), NotAWXError, 4, "to https://awx.example.org: give the"),
    "302": (says(302, Location="https://awx.example.org/x"), NotAWXError, 4, "to https://awx.example.org: give the"),
    "307": (says(307, Location="https://awx.example.org/x"), NotAWXError, 4, "to https://awx.example.org: give the"),
    "a list": (says(200, b"[]"), NotAWXError, 4, "something that is no"),
    "a word": (says(200, b'"awx"'), NotAWXError, 4, "something that is no"),
    "a page": (says(200, b"\n<!DOCTYPE html><html>", Content_Type="text/plain"), NotAWXError, 4, "no AWX is there"),
    "a page by its type": (says(200, b"Hello", Content_Type="text/html; charset=utf-8"), NotAWXError, 4, "is there"),
}


@pytest.mark.parametrize("what", LASTING)
def test_what_does_not_pass_is_not_asked_again(what: str, site: Site, naps: list[float]) -> None:
    fault, kind, exit_code, advice = LASTING[what]
    for number in range(site.requests["after"]):
        error = site.refused(once(number, fault), kind)
        assert error.exit_code == exit_code
        assert advice in str(error)
        assert_tells_no_secret(str(error))
        assert site.proxy.asked.count(site.proxy.asked[number]) == 1
    assert naps == []


def test_a_sync_of_one_request_at_a_time_asks_nothing_more_after_a_failure(site: Site) -> None:
    for number in range(site.requests["after"]):
        site.refused(for_ever(number, says(403)), AccessRefusedError)
        assert len(site.proxy.asked) == number + 1


def test_where_nothing_is_is_no_awx(site: Site) -> None:
    error = site.refused(for_ever(0, says(404)), NotAWXError)
    assert error.exit_code == 4
    assert site.proxy.asked == ["/api/v2/ping/", "/api/"]


@pytest.mark.parametrize("name", ["me", "instances", "instance_groups", "users", "unified_jobs", "mesh_visualizer"])
def test_what_lacks_one_of_the_lists_is_no_awx(name: str, site: Site) -> None:
    path = f"/api/v2/{name}/"
    error = site.refused(lambda _, asked: says(404) if asked.partition("?")[0] == path else None, NotAWXError)
    assert error.exit_code == 4
    assert [asked.partition("?")[0] for asked in site.proxy.asked].count(path) == 1


@pytest.mark.parametrize(
    "location",
    [
        "//login.example.org/",
        "",
        "/login",
        "http://[broken",
        "https://u:secret@awx.example.org/",
    ],
)
def test_a_redirect_to_anywhere_is_one_clear_line(location: str, site: Site) -> None:
    error = site.refused(for_ever(0, says(302, Location=location)), NotAWXError)
    assert "with 302" in str(error)
    assert "secret" not in str(error)
    assert "://:" not in str(error)


def test_a_redirect_does_not_take_the_token_along(site: Site, elsewhere: str) -> None:
    site.refused(for_ever(2, says(307, Location=f"{elsewhere}/api/v2/")), NotAWXError)


# --- answers of another shape than AWX's


def with_first(change: dict[str, Any]) -> Callable[[Any], Any]:
    """The first record of a page, changed."""
    return lambda page: {**page, "results": [{**one, **change} for one in page["results"][:1]] + page["results"][1:]}


SHAPES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "a page without count": ("/v2/instances/", lambda page: {"results": page["results"], "next": None}),
    "a page without results": ("/users/", lambda page: {**page, "results": None}),
    "a record without id": ("/v2/instance_groups/?", with_first({"id": None})),
    "a page of words": ("/unified_jobs/", lambda page: {**page, "results": ["job"]}),
    "an instance without hostname": ("/v2/instances/", with_first({"hostname": None})),
    "a hostname of half a character": ("/v2/instances/", with_first({"hostname": "\ud800"})),
    "a hostname with a null character": ("/v2/instances/", with_first({"hostname": "a\0b"})),
    "a capacity beyond all": ("/v2/instances/", with_first({"capacity": 10**30})),
    "members that are no instances": ("/instance_groups/1/instances/", with_first({"id": 77})),
    "rights of nothing": ("/access_list/", with_first({"summary_fields": None})),
    "a mesh without links": ("/mesh_visualizer/", lambda mesh: {**mesh, "links": None}),
    "a mesh of words": ("/mesh_visualizer/", lambda mesh: {**mesh, "nodes": ["node"]}),
    "a link to a list": ("/mesh_visualizer/", lambda mesh: {**mesh, "links": [{**mesh["links"][0], "target": []}]}),
    "a job without url": ("/unified_jobs/", with_first({"url": None})),
    "a job of nothing": ("/jobs/11/", lambda job: {}),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_another_shape_than_awxs_is_refused(shape: str, site: Site) -> None:
    part, change = SHAPES[shape]
    error = site.refused(at(part, tells(change)), (NotAWXError, ChangingError, SnapshotError))
    assert_tells_no_secret(str(error))


WRONG = {int: ("1", 1.5, None, [], {}), str: (1, None, [], {}), bool: ("true", 1, None, [])}
ODD_FIELDS = [
    (part, listed, field, value)
    for part, listed, shape in (
        ("/v2/me/", "me", reading.ME),
        ("/v2/instances/?", "instances", consistency.NODE),
        ("/mesh_visualizer/", "nodes", consistency.NODE),
        ("/mesh_visualizer/", "links", reading.LINK),
    )
    for field, kind in shape.items()
    for value in WRONG[kind]
    if not (listed == "links" and value is None)  # that link is left out
]


def with_last(listed: str, field: str, value: Any) -> Callable[[Any], Any]:
    """The list of that name with another value in its last record."""

    def change(told: Any) -> Any:
        records = told["results" if "results" in told else listed]
        records[-1][field] = value
        return told

    return change


@pytest.mark.parametrize(("part", "listed", "field", "value"), ODD_FIELDS)
def test_a_field_of_a_wrong_type_is_named_at_once(part: str, listed: str, field: str, value: Any, site: Site) -> None:
    error = site.refused(at(part, tells(with_last(listed, field, value))), NotAWXError)
    assert error.exit_code == 4
    assert f"].{field} must be" in str(error)
    assert len([path for path in site.proxy.asked if part in path]) == 1


@pytest.mark.parametrize(
    "told",
    [
        {"url": None},
        {"summary_fields": [1]},
        {"type": "system_job", "status": ["running"]},
        {"type": "system_job", "id": 10**30},
    ],
)
def test_an_ended_job_of_another_shape_is_refused(told: dict[str, Any], new_site: Site) -> None:
    load(new_site.source, AFTER)
    fault = tells(with_first(told))
    new_site.proxy.begin(lambda _, path: fault if "id__gt" in path and "status__in" not in path else None)
    with pytest.raises((NotAWXError, SnapshotError)):
        new_site.sync(all_jobs=True)


@pytest.mark.parametrize("figure", [float("nan"), float("inf")])
def test_what_no_json_has_is_broken_json(figure: float, site: Site) -> None:
    error = site.refused(at("/v2/instances/?", tells(with_first({"jobs_total": figure}))), UnreachableError)
    assert "broken JSON" in str(error)


def test_a_version_that_is_not_known_is_refused(site: Site) -> None:
    error = site.refused(at("/ping/", tells(lambda ping: {**ping, "version": "17.1.0"})), NotAWXError)
    assert "17.1.0" in str(error)
    assert "23.x" in str(error)


def test_who_sees_only_a_part_is_refused(site: Site) -> None:
    error = site.refused(at("/me/", tells(with_first({"is_superuser": False}))), AccessRefusedError)
    assert "a superuser or a system auditor is needed" in str(error)


def test_what_does_not_fit_after_all_was_written_is_taken_back(site: Site, settings: Settings) -> None:
    settings.AWX_CONTROL_NODE_TASK_IMPACT = 1000
    site.refused(at("/v2/instances/?", tells(with_first({"consumed_capacity": 1001}))), ImpactError)


# --- paths that lead elsewhere


@pytest.mark.parametrize(
    "form",
    ["{}/api/v2/instances/?page=2", "//{host}/api/v2/instances/", "{host}/api/v2/", "\\\\{host}/", "", "@{host}/"],
)
def test_the_next_page_is_not_asked_of_another_host(form: str, site: Site, elsewhere: str) -> None:
    path = form.format(elsewhere, host=elsewhere.removeprefix("http://"))
    error = site.refused(at("/v2/instances/?", tells(lambda page: {**page, "next": path})), NotAWXError)
    assert "instead of a path" in str(error)


def test_a_job_is_not_asked_of_another_host(site: Site, elsewhere: str) -> None:
    site.refused(at("/unified_jobs/", tells(with_first({"url": f"{elsewhere}/api/v2/jobs/11/"}))), NotAWXError)


@pytest.mark.parametrize("path", ["/api/v2/instances/?page=2\n", "/" + "x" * 70_000, "/\ud800", "/\0"])
def test_a_path_that_nobody_can_ask_for_is_refused(path: str, site: Site) -> None:
    error = site.refused(at("/v2/instances/?", tells(lambda page: {**page, "next": path})), NotAWXError)
    assert len(str(error)) < 500


# --- lists that change while they are read

ADD = (
    "INSERT INTO instances_instance SELECT (jsonb_populate_record(i, jsonb_build_object("
    "'id', n, 'hostname', 'new-' || n, 'uuid', '00000000-0000-4000-8000-' || lpad(n::text, 12, '0')))).* "
    "FROM instances_instance i, (SELECT max(id) + 1 AS n FROM instances_instance) m WHERE id = 5"
)
REMOVE = (
    "DELETE FROM instances_instancelink WHERE id = 2",
    "DELETE FROM instances_receptoraddress WHERE instance_id = 2",
    "DELETE FROM instances_instancegroup_instances WHERE instance_id = 2",
    "DELETE FROM instances_instance WHERE id = 2",
)
INSTANCES = "/api/v2/instances/?"
CHANGES = {"one goes": REMOVE, "one comes": (ADD,), "one goes, another comes": (*REMOVE, ADD)}


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    set_page_size(monkeypatch, 2)


def set_page_size(monkeypatch: pytest.MonkeyPatch, records: int) -> None:
    for module in (client, reading):
        monkeypatch.setattr(module, "PAGE_SIZE", records, raising=False)


@pytest.mark.parametrize("page", [2, 3])
@pytest.mark.parametrize("what", CHANGES)
def test_a_list_that_changes_between_two_pages_is_read_again(
    what: str, page: int, live: Site, small_pages: None
) -> None:
    act = once_only(change(live.source, *CHANGES[what]))
    live.proxy.begin(lambda _, path: after(act) if path.startswith(INSTANCES) and f"&page={page}" in path else None)
    live.sync()
    assert act.done
    assert held(live.here) == held(live.there) != live.held["before"]


def test_an_active_job_is_not_missed_where_another_ends_and_one_begins(live: Site, small_pages: None) -> None:
    """Between two pages, so that the list is as long as before."""
    act = once_only(
        change(
            live.source,
            "UPDATE instances_unifiedjob SET status = 'successful', finished = now() WHERE id = 12",
            "INSERT INTO instances_unifiedjob SELECT (jsonb_populate_record(j, jsonb_build_object("
            "'id', 99, 'representation', j.representation::jsonb || '{\"id\": 99}'))).* "
            "FROM instances_unifiedjob j WHERE id = 13",
        )
    )
    pages = itertools.count(1)
    live.proxy.begin(lambda _, path: after(act) if "/unified_jobs/" in path and next(pages) == 2 else None)
    live.sync()
    assert act.done
    assert {row[0] for row in held(live.here)["active jobs"]} >= {11, 13}


def test_a_list_that_changes_for_ever(live: Site, small_pages: None) -> None:
    numbers = itertools.count(100)
    load(live.source, AFTER)
    live.proxy.begin(at("/v2/instances/?", tells(lambda page: {**page, "count": next(numbers)})))
    with live.unchanged(), pytest.raises(ChangingError, match="keeps changing"):
        live.sync()


def test_a_mesh_that_changes_for_ever(site: Site) -> None:
    error = site.refused(at("/mesh_visualizer/", tells(lambda mesh: {**mesh, "nodes": mesh["nodes"][1:]})))
    assert isinstance(error, ChangingError)
    assert error.exit_code == 5
    assert [path.partition("?")[0] for path in site.proxy.asked].count("/api/v2/mesh_visualizer/") == ATTEMPTS


def test_a_list_without_end_is_not_read_for_ever(site: Site) -> None:
    def plan(number: int, path: str) -> Fault | None:
        if number > 200:
            return cut
        return tells(lambda page: {**page, "results": [], "next": path}) if "/users/" in path else None

    site.refused(plan, (ChangingError, NotAWXError))


REMOVE_GROUP = (
    "DELETE FROM instances_instancegrouprole WHERE instance_group_id = 1",
    "DELETE FROM instances_instancegroup_instances WHERE instancegroup_id = 1",
    "UPDATE instances_unifiedjob SET instance_group_id = NULL WHERE instance_group_id = 1",
    "DELETE FROM instances_instancegroup WHERE id = 1",
)


@pytest.mark.parametrize("part", ["instances", "access_list"])
def test_a_group_that_goes_between_the_list_and_its_members(part: str, live: Site) -> None:
    act = once_only(change(live.source, *REMOVE_GROUP))
    live.proxy.begin(at(f"/instance_groups/1/{part}/", after(act)))
    live.sync()
    assert act.done
    there, here = held(live.there), held(live.here)
    assert [row[0] for row in here["groups"]] == [2]
    for name in ("groups", "members", "roles", "instances"):
        assert here[name] == there[name]


class once_only:  # noqa: N801, it is used as a function
    """An act that is done at the first call alone."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act
        self.done = False

    def __call__(self) -> None:
        if not self.done:
            self.act()
            self.done = True


# --- answers without end


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers must be whole after so short a time, and are asked for once."""
    monkeypatch.setattr(client, "RESPONSE_TIMEOUT", 0.1)
    monkeypatch.setattr(client, "ATTEMPTS", 1)


def test_a_body_that_drips_is_not_waited_for(site: Site, hasty: None) -> None:
    began = time.monotonic()
    error = site.refused(for_ever(4, drips(lambda answer: answer.head + answer.half, b" ")), UnreachableError)
    assert "did not answer" in str(error)
    assert time.monotonic() - began < DRIPPING


def test_a_head_that_drips_is_not_waited_for(site: Site, hasty: None) -> None:
    began = time.monotonic()
    error = site.refused(
        for_ever(4, drips(lambda answer: b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x", seconds=2)), UnreachableError
    )
    assert "did not answer" in str(error)
    assert time.monotonic() - began < 2


def in_gzip(body: bytes) -> Fault:
    return says(200, gzip.compress(body, 1), Content_Encoding="gzip")


@pytest.mark.parametrize("fault", [says, in_gzip], ids=["plain", "gzip"])
def test_an_answer_that_is_too_large_is_not_kept_nor_asked_again(
    fault: Callable[..., Fault], site: Site, settings: Settings, naps: list[float]
) -> None:
    site.mirror_before()
    settings.MIRROR_MAX_BYTES = 100
    body = b" " * 101
    error = site.refused(for_ever(0, in_gzip(body) if fault is in_gzip else says(200, body)), LimitError)
    assert "more than 100 bytes" in str(error)
    assert "MIRROR_MAX_BYTES" in str(error)
    assert error.exit_code == 7
    assert (len(site.proxy.asked), naps) == (1, [])


def test_what_a_small_answer_unpacks_to_is_never_held(site: Site, settings: Settings) -> None:
    packed = in_gzip(b" " * 2**30)  # made once: as a body of a megabyte it comes in parts that unpack to 60
    site.mirror_before()
    settings.MIRROR_MAX_BYTES = 2**20
    tracemalloc.start()
    try:
        site.refused(for_ever(0, packed), LimitError)
        assert tracemalloc.get_traced_memory()[1] < 30 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packed", [b"no gzip", gzip.compress(b"{}")[:-9]], ids=["no gzip", "half"])
def test_an_answer_that_cannot_be_unpacked_is_asked_again(packed: bytes, site: Site) -> None:
    site.mirror_before()
    site.tell("after", once(0, says(200, packed, Content_Encoding="gzip")))
    site.sync()
    assert held(site.here) == site.held["after"]


def test_answers_in_gzip_are_read(site: Site) -> None:
    def pack(exchange: Exchange) -> None:
        in_gzip(exchange.answer().body)(exchange)

    site.mirror_before()
    site.tell("after", for_ever(0, pack))
    site.sync()
    assert held(site.here) == site.held["after"]


@pytest.mark.parametrize("name", ["MIRROR_MAX_RECORDS", "MIRROR_MAX_BYTES"])
def test_a_mesh_is_read_that_is_exactly_as_large_as_may_be(name: str, site: Site, settings: Settings) -> None:
    def sync() -> None:
        site.mirror_before()
        site.tell("after")
        site.sync()

    sync()
    held_then, asked = held(site.here), site.proxy.asked
    about = asked[asked.index(next(path for path in asked if "/v2/instances/" in path)) :]  # who asks was known before
    read = [DETAILS.get(path) or site.recordings["after"][path] for path in about]
    most = {
        "MIRROR_MAX_RECORDS": sum(len(json.loads(answer.body).get("results", ())) for answer in read),
        "MIRROR_MAX_BYTES": sum(len(answer.body) for answer in read),
    }[name]
    setattr(settings, name, most)
    sync()
    assert held(site.here) == held_then
    settings.MIRROR_MAX_RECORDS, settings.MIRROR_MAX_BYTES = 10**6, 10**9
    site.mirror_before()
    setattr(settings, name, most - 1)
    error = site.refused(nothing_wrong, LimitError)
    assert f"more than {most - 1:,}" in str(error)
    assert name in str(error)


def nothing_wrong(number: int, path: str) -> None:
    """A plan of a proxy that disturbs nothing."""


@pytest.mark.parametrize("count", [10**9, 10**30])
def test_a_count_is_not_believed(count: int, site: Site) -> None:
    error = site.refused(at("/v2/instances/?", tells(lambda page: {**page, "count": count})), LimitError)
    assert "more than 500,000 records" in str(error)
    assert len([path for path in site.proxy.asked if "/v2/instances/?" in path]) == 1


def test_a_sync_ends_in_time_though_answers_keep_coming(site: Site, settings: Settings) -> None:
    site.mirror_before()
    settings.MIRROR_MAX_SECONDS = 1
    began = time.monotonic()
    error = site.refused(for_ever(4, drips(lambda answer: answer.head + answer.half, b" ")), LimitError)
    assert "MIRROR_MAX_SECONDS" in str(error)
    assert time.monotonic() - began < DRIPPING


# --- stopping


def test_a_sync_can_be_stopped_between_any_two_requests(site: Site) -> None:
    for number in range(site.requests["after"] - 1):
        stopping = threading.Event()
        site.refused(once(number, after(stopping.set)), StoppedError, stopping=stopping)
        assert len(site.proxy.asked) == number + 1


def test_a_sync_can_be_stopped_in_a_pause(site: Site) -> None:
    stopping = threading.Event()

    def busy(exchange: Exchange) -> None:
        stopping.set()
        says(429, Retry_After="300")(exchange)

    site.refused(once(3, busy), StoppedError, stopping=stopping)
    assert len(site.proxy.asked) == 4


# --- all jobs, page by page


def test_a_copy_of_all_jobs_that_was_interrupted_anywhere_goes_on(
    new_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_page_size(monkeypatch, 4)
    site = dataclasses.replace(new_site, recordings={}, requests={}, held={})
    jobs = {}
    for name in MESHES:
        load(site.source, MESHES[name])
        jobs[name] = ask(site.there, ENDED)
        site.held[name] = held(site.there)
    site.tell("after")
    site.sync(all_jobs=True)
    interrupted = 0
    for number, name in enumerate(itertools.cycle(["before", "after"])):
        old = dump(site.here)
        load(site.source, MESHES[name])
        site.tell(name, for_ever(number, cut))
        try:
            site.sync()
        except UnreachableError:
            interrupted += 1
        else:
            break
        assert dump(site.here) == old or held(site.here) == site.held[name], number
        site.tell(name)
        site.sync()
        assert held(site.here) == site.held[name], number
        assert ask(site.here, ENDED) == jobs[name], number
    assert interrupted > new_site.requests["after"] + 3


def test_a_deleted_job_goes_though_it_was_the_newest(new_site: Site) -> None:
    load(new_site.source, AFTER)
    new_site.sync(all_jobs=True)
    change(new_site.source, "DELETE FROM instances_unifiedjob WHERE id = 40")()
    new_site.sync()
    assert ask(new_site.here, ENDED) == ask(new_site.there, ENDED)


# --- the command, as a process


@dataclass
class Secrets:
    token: Path
    password: Path


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    files = Secrets(tmp_path / "token", tmp_path / "password")
    files.token.write_text(TOKEN + "\n")
    files.password.write_text(PASSWORD + "\n")
    return files


def arguments(site: Site, secrets: Secrets) -> list[str]:
    return ["sync_awx", "--url", site.proxy.address, "--token-file", str(secrets.token)]


def failed(done: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    """The exit code, and what the last line, which tells both, says of why."""
    assert_tells_no_secret(done.stdout + done.stderr)
    last = [json.loads(line) for line in done.stderr.splitlines()][-1]
    assert (last["event"], last["exit_code"]) == ("failed", done.returncode)
    return done.returncode, last["message"]


@pytest.mark.parametrize(
    ("fault", "exit_code", "reason"),
    [
        (says(404), 4, "{} answers /api/v2/ping/ with 404: no AWX is there."),
        (
            says(503, Retry_After="999"),
            5,
            "{} answers /api/v2/ping/ with 503 and requests a pause of 999 seconds.",
        ),
    ],
)
def test_the_command_says_why_it_fails(fault: Fault, exit_code: int, reason: str, site: Site, secrets: Secrets) -> None:
    site.mirror_before()
    site.tell("after", for_ever(0, fault))
    with site.unchanged():
        done = manage(site.mirror, *arguments(site, secrets), check=False)
    assert failed(done) == (exit_code, reason.format(site.proxy.address.removeprefix("http://")))


def test_what_is_too_much_is_not_followed(site: Site, secrets: Secrets) -> None:
    """The first sync of ``--follow`` succeeds; the next is told too much, and then it ends."""
    site.mirror_before()
    first = site.requests["after"]
    fault = tells(lambda page: {**page, "count": 10**9})
    site.tell("after", lambda number, path: fault if number >= first and "/v2/users/" in path else None)
    done = manage(site.mirror, *arguments(site, secrets), "--follow", "1", check=False)
    assert done.returncode == 7
    assert "MIRROR_MAX_RECORDS" in done.stderr.splitlines()[-1]


def test_the_command_does_not_tell_a_password(site: Site, secrets: Secrets) -> None:
    site.mirror_before()
    options = ("--username", "nobody", "--password-file", str(secrets.password))
    site.proxy.begin()
    with site.unchanged():
        done = manage(site.mirror, "sync_awx", "--url", site.proxy.address, *options, check=False)
    exit_code, reason = failed(done)
    assert exit_code == 3
    assert reason.endswith("with 401: the token, or the user and password, are not accepted.")


@contextlib.contextmanager
def syncing(site: Site, secrets: Secrets) -> Iterator[subprocess.Popen[str]]:
    """The command as a process, which is gone afterwards."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", *arguments(site, secrets)],
        cwd=PROJECT,
        env=environment(site.mirror),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def hold(site: Site) -> Iterator[Hold]:
    """Holds the tenth request of a sync with the changed service."""
    site.mirror_before()
    held_back = Hold()
    site.tell("after", once(9, held_back))
    yield held_back
    held_back.release()


def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens in the database, which tells nobody."""
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def locks(database: Database, which: str) -> int:
    """How many locks in this database are as ``which`` says. Other tests' databases of the same server do not count."""
    here = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    return int(ask(database, f"SELECT count(*) FROM pg_locks WHERE {here} AND {which}")[0][0])


def is_free(database: Database) -> bool:
    return not locks(database, "locktype = 'advisory'")


def test_only_one_sync_at_a_time_and_sigterm_ends_it(site: Site, hold: Hold, secrets: Secrets) -> None:
    with site.unchanged(), syncing(site, secrets) as process:
        assert hold.reached.wait(SOON)
        with pytest.raises(SyncRunningError):
            site.sync()
        assert failed(manage(site.mirror, *arguments(site, secrets), check=False)) == (
            6,
            "Another sync is under way.",
        )
        process.send_signal(signal.SIGTERM)
        hold.release()
        _, printed = process.communicate(timeout=SOON)
    assert process.returncode == STOPPED
    assert "Stopped" in json.loads(printed.splitlines()[-1])["message"]
    assert len(site.proxy.asked) == 10


def test_sigterm_ends_a_sync_that_waits_for_an_answer(site: Site, hold: Hold, secrets: Secrets) -> None:
    with site.unchanged(), syncing(site, secrets) as process:
        assert hold.reached.wait(SOON)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=5)
    assert process.returncode == STOPPED


def test_sigterm_ends_a_sync_whose_parent_holds_it_back(site: Site, hold: Hold, secrets: Secrets) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        with site.unchanged(), syncing(site, secrets) as process:
            assert hold.reached.wait(SOON)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=5)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert process.returncode == STOPPED


def test_a_second_sigterm_ends_a_sync_that_has_not_ended(site: Site, hold: Hold, secrets: Secrets) -> None:
    with site.unchanged(), psycopg.connect(site.mirror) as other:
        other.execute("LOCK TABLE instances_mirror IN ACCESS EXCLUSIVE MODE")
        with syncing(site, secrets) as process:
            until(lambda: locks(site.here, "NOT granted") > 0)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=5)
    assert process.returncode == -signal.SIGTERM


def test_a_sync_that_is_killed_while_it_reads(site: Site, hold: Hold, secrets: Secrets) -> None:
    with site.unchanged(), syncing(site, secrets) as process:
        assert hold.reached.wait(SOON)
        assert not is_free(site.here)
        process.kill()
    until(lambda: is_free(site.here))
    site.tell("after")
    site.sync()
    assert held(site.here) == site.held["after"]


def test_a_sync_that_is_killed_while_it_writes(site: Site, secrets: Secrets) -> None:
    site.mirror_before()
    site.tell("after")
    with site.unchanged():
        with psycopg.connect(site.mirror) as other:
            other.execute("LOCK TABLE instances_groupload IN ACCESS EXCLUSIVE MODE")
            with syncing(site, secrets) as process:
                until(lambda: locks(site.here, "NOT granted") > 0)
                process.kill()
        until(lambda: is_free(site.here))
    site.sync()
    assert held(site.here) == site.held["after"]


# --- TLS


@dataclass
class Certified:
    """The changed service behind HTTPS, with a certificate that only ``ca_file`` trusts; nothing mirrors it yet."""

    site: Site
    ca_file: Path


@pytest.fixture
def certified(new_site: Site, tmp_path: Path) -> Iterator[Certified]:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    write_certificate(certificate, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Proxy(new_site.address, DETAILS, context) as proxy:
        proxy.begin(recording=new_site.recordings["after"])
        yield Certified(dataclasses.replace(new_site, proxy=proxy), certificate)


def write_certificate(certificate: Path, key: Path) -> None:
    """A self-signed one for 127.0.0.1."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def command(site: Site, secrets: Secrets, *options: str) -> tuple[object, str]:
    """Run the command in this process; its exit code, and what it printed."""
    printed, exit_code = io.StringIO(), None
    try:
        with connected_to(site.mirror), contextlib.redirect_stderr(printed):
            call_command(*arguments(site, secrets), *options, stdout=printed, stderr=printed)
    except SystemExit as end:
        exit_code = end.code
    assert_tells_no_secret(printed.getvalue())
    return exit_code or 0, printed.getvalue()


def test_a_certificate_that_nobody_trusts_is_refused(certified: Certified, secrets: Secrets) -> None:
    with certified.site.unchanged():
        exit_code, printed = command(certified.site, secrets)
    assert exit_code == 3
    assert "is not trusted" in printed
    assert "--ca-file" in printed
    assert certified.site.proxy.asked == []


def test_a_certificate_is_trusted_by_its_ca(certified: Certified, secrets: Secrets) -> None:
    exit_code, printed = command(certified.site, secrets, "--ca-file", str(certified.ca_file))
    assert exit_code == 0
    assert "not verified" not in printed
    assert held(certified.site.here) == certified.site.held["after"]


def test_a_certificate_that_is_not_verified_is_warned_of(certified: Certified, secrets: Secrets) -> None:
    exit_code, printed = command(certified.site, secrets, "--insecure")
    assert exit_code == 0
    assert "The certificate of the AWX is not verified" in printed
    assert held(certified.site.here) == certified.site.held["after"]
