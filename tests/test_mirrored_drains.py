"""Draining a node of a mirror: its AWX disables it, however the requests for that end, and whoever is killed."""

import io
import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from pytest_django import DjangoDbBlocker

from awx_compat.awx_client import client
from awx_compat.awx_client.client import Source
from awx_compat.awx_client.errors import SourceError
from instances import drains, provisioning, tokens
from instances.mirror import writing
from instances.mirror.draining import CANNOT_DEPROVISION, CANNOT_DRAIN
from instances.models import User
from instances.snapshot import import_snapshot
from tests import mirroring
from tests.factories import group, instance, job, link, snapshot, user
from tests.proxy import Answer, Exchange, Fault, Hold, Proxy, at, broken_json, cut, nothing, says, silent
from tests.service import PROJECT, connected_to, environment, in_process, new_database, served

pytestmark = pytest.mark.slow

READER, WRITER = "token-of-auditor", "token-of-admin"  # of the sync, and of DRAIN_TOKEN_FILE
NODE = "exec-1"
PATH = "/api/fleet/v1/instances/exec-1/drain/"
PATCH = "PATCH /api/v2/instances/2/"
BUSY = job(12, type="system_job", status="running", execution_node=NODE, controller_node="control-1", task_impact=5)
MESH = snapshot(
    users=[
        user(1, username="admin", is_superuser=True, token=WRITER, token_id=1),
        user(2, username="auditor", is_system_auditor=True, token=READER, token_id=2),
    ],
    instances=[
        instance(1, hostname="control-1", node_type="control"),
        instance(2, hostname=NODE),
        instance(3, hostname="exec-2"),
        instance(4, hostname="exec-3"),
    ],
    instance_links=[link(1, 1, 3)],
    instance_groups=[group(1, name="edge", instances=[2, 3, 4])],
    unified_jobs=[BUSY],
)


@dataclass
class Site:
    """An AWX, and a mirror of it that reads it through a proxy; both by the URLs of their databases."""

    awx: psycopg.Connection[Any]
    mirror: str
    here: psycopg.Connection[Any]
    proxy: Proxy
    headers: dict[str, dict[str, str]] = field(default_factory=dict)  # of requests to the mirror, by user

    def sync(self, **options: Any) -> None:
        mirroring.sync(self.mirror, self.proxy.address, READER, **options)

    def drain(self, **body: Any) -> httpx.Response:
        with in_process(self.mirror) as browser:
            return browser.post(PATH, json={"reason": "repair", **body}, headers=self.headers["admin"])

    def undo(self) -> httpx.Response:
        with in_process(self.mirror) as browser:
            return browser.delete(PATH, headers=self.headers["admin"])

    def shown(self) -> dict[str, Any]:
        """The drain, as the mirror's API shows it."""
        with in_process(self.mirror) as browser:
            body: dict[str, Any] = browser.get(PATH, headers=self.headers["admin"]).json()
        return {name: body[name] for name in ("ended_how", "pending_enabled", "awx_error")}

    def is_enabled(self, database: psycopg.Connection[Any] | None = None) -> bool:
        """Whether the node is enabled: in the AWX, or in this database."""
        row = (database or self.awx).execute("SELECT enabled FROM instances_instance WHERE id = 2").fetchone()
        assert row
        return bool(row[0])

    def patches(self) -> int:
        return self.proxy.asked.count(PATCH)

    def end_job(self) -> None:
        self.awx.execute("UPDATE instances_unifiedjob SET status = 'successful', finished = now()")


OPEN = {"ended_how": "", "pending_enabled": None, "awx_error": ""}
WANTED = {**OPEN, "pending_enabled": False}


@pytest.fixture(scope="module")
def awx(migrated: str, django_db_blocker: DjangoDbBlocker) -> Iterator[tuple[str, str]]:
    """The URL of an AWX's database, and its address."""
    with django_db_blocker.unblock(), new_database(migrated) as url, served(url, API_PREFIXES="controller") as address:
        yield url, address


@pytest.fixture
def site(
    awx: tuple[str, str],
    migrated: str,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Site]:
    """A mirror that may drain, after its first sync."""
    settings.DRAIN_TOKEN = WRITER
    monkeypatch.setattr(Source, "sleep", lambda self, seconds: None)
    url, address = awx
    with django_db_blocker.unblock(), new_database(migrated) as mirror, Proxy(address, {}) as proxy:
        with connected_to(url):
            import_snapshot(io.BytesIO(json.dumps(MESH).encode()), replace=True)
        with (
            psycopg.connect(url, autocommit=True) as there,
            psycopg.connect(mirror, autocommit=True) as here,
        ):
            found = Site(there, mirror, here, proxy)
            found.sync()
            with connected_to(mirror):
                found.headers = {
                    name: {"Authorization": f"Bearer {tokens.issue(User.objects.get(username=name))[1]}"}
                    for name in ("admin", "auditor")
                }
            proxy.begin()
            yield found


# --- what is wanted of the AWX is done by the next sync


def test_the_awx_disables_the_node_and_the_drain_ends_with_its_jobs(site: Site) -> None:
    answer = site.drain()
    assert answer.status_code == 201, answer.text
    assert (site.shown(), site.is_enabled(), site.patches()) == (WANTED, True, 0)
    site.sync()
    assert (site.shown(), site.is_enabled(), site.is_enabled(site.here)) == (OPEN, False, False)
    site.sync()
    site.end_job()
    site.sync()
    assert site.shown() == {**OPEN, "ended_how": "done"}
    site.sync()
    assert (site.is_enabled(), site.patches()) == (False, 1)


def test_the_next_step_can_be_to_enable_it_again(site: Site) -> None:
    site.drain(then="enable")
    site.sync()
    site.end_job()
    site.sync()
    assert site.shown() == {**OPEN, "ended_how": "done", "pending_enabled": True}
    assert not site.is_enabled()
    site.sync()
    assert (site.shown(), site.is_enabled()) == ({**OPEN, "ended_how": "done"}, True)
    site.sync()
    assert site.patches() == 2


@pytest.mark.parametrize("syncs", [0, 1])
@pytest.mark.parametrize("was_enabled", [True, False])
def test_undoing_leaves_the_node_as_it_was(was_enabled: bool, syncs: int, site: Site) -> None:
    site.awx.execute("UPDATE instances_instance SET enabled = %s WHERE id = 2", [was_enabled])
    site.sync()
    site.drain()
    for _ in range(syncs):
        site.sync()
    assert site.undo().json()["pending_enabled"] == (True if was_enabled else None)
    site.sync()
    assert (site.shown(), site.is_enabled()) == ({**OPEN, "ended_how": "undone"}, was_enabled)


def test_a_drain_after_an_undone_one_takes_its_place(site: Site) -> None:
    """Before any sync: the node was to be enabled, and so it is after this drain."""
    site.drain()
    site.sync()
    site.undo()
    site.drain()
    site.sync()
    assert (site.shown(), site.is_enabled()) == (OPEN, False)
    site.undo()
    site.sync()
    assert (site.shown()["ended_how"], site.is_enabled()) == ("undone", True)


def test_whoever_enables_the_node_in_the_awx_ends_the_drain(site: Site) -> None:
    site.drain()
    site.sync()
    site.awx.execute("UPDATE instances_instance SET enabled = true WHERE id = 2")
    site.sync()
    assert (site.shown(), site.is_enabled()) == ({**OPEN, "ended_how": "enabled"}, True)


def test_a_node_that_the_awx_removes_ends_the_drain(site: Site, awx: tuple[str, str]) -> None:
    site.drain()
    with connected_to(awx[0]):
        provisioning.deprovision(NODE)
    site.sync()
    with in_process(site.mirror) as browser:
        (drain,) = browser.get("/api/fleet/v1/drains/", headers=site.headers["admin"]).json()["results"]
    assert (drain["ended_how"], drain["pending_enabled"]) == ("removed", None)


def test_a_worker_does_nothing_to_drains_of_a_mirror(site: Site) -> None:
    site.drain()
    with connected_to(site.mirror):
        drains.advance()
    assert site.shown() == WANTED


# --- what fails


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (says(500), "with 500."),
        (says(503, Retry_After="999"), "with 503 and requests a pause of 999 seconds."),
        (says(401), "with 401: the token, or the user and password, are not accepted. DRAIN_TOKEN_FILE needs"),
        (says(403), "with 403: the token, or the user and password, are not accepted. DRAIN_TOKEN_FILE needs"),
        (says(404), "with 404, although it returned this path a moment ago."),
        (says(400, b'{"__all__": ["Not so."]}'), "refuses to change /api/v2/instances/2/: Not so."),
        (says(302, Location="http://elsewhere.example.org/"), "to http://elsewhere.example.org: give the address"),
        (says(200, b"<html>"), "with HTML instead of JSON"),
        (cut, "failed: "),
        (silent, "did not answer /api/v2/instances/2/ in time."),
        (broken_json, "with broken JSON."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_fails_is_said_at_the_drain_and_tried_again(
    fault: Fault, reason: str, times: int, site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(client, "SILENCE_TIMEOUT", 0.5)
    site.drain()
    site.proxy.begin(at("PATCH", fault, times))
    for _ in range(times):
        site.sync()  # which the failure does not hinder
        shown = site.shown()
        assert reason in shown["awx_error"]
        assert {**shown, "awx_error": ""} == WANTED
    site.sync()
    assert (site.shown(), site.is_enabled()) == (OPEN, False)
    assert site.patches() == times + 1
    warnings = [
        each for each in caplog.records if each.name == "instances.mirror.draining" and each.levelname == "WARNING"
    ]
    assert len(warnings) == 1
    assert WRITER not in caplog.text


def test_an_awx_that_is_away_is_asked_for_one_node_alone(site: Site) -> None:
    with in_process(site.mirror) as browser:
        body = {"reason": "repair", "instances": [NODE, "exec-3"]}
        assert browser.post("/api/fleet/v1/drains/", json=body, headers=site.headers["admin"]).status_code == 201
    site.proxy.begin(at("PATCH", cut, 1))
    site.sync()
    assert [path for path in site.proxy.asked if path.startswith("PATCH")] == [PATCH]
    with in_process(site.mirror) as browser:
        found = browser.get("/api/fleet/v1/drains/", headers=site.headers["admin"]).json()["results"]
    assert ["failed: " in drain["awx_error"] for drain in found] == [True, True]


def test_a_refusal_of_one_node_does_not_concern_others(site: Site) -> None:
    with in_process(site.mirror) as browser:
        body = {"reason": "repair", "instances": [NODE, "exec-3"]}
        browser.post("/api/fleet/v1/drains/", json=body, headers=site.headers["admin"])
    site.proxy.begin(at(PATCH, says(500)))
    site.sync()
    enabled = site.awx.execute("SELECT hostname FROM instances_instance WHERE enabled ORDER BY id").fetchall()
    assert enabled == [("control-1",), (NODE,), ("exec-2",)]


def test_the_awx_s_own_rule_is_said(site: Site) -> None:
    """As AWX 23.6.0 has it: a node to which others peer must listen."""
    with in_process(site.mirror) as browser:
        browser.post("/api/fleet/v1/instances/exec-2/drain/", json={"reason": "x"}, headers=site.headers["admin"])
        site.sync()
        body = browser.get("/api/fleet/v1/instances/exec-2/drain/", headers=site.headers["admin"]).json()
    rule = "Field listener_port must be a valid integer when other nodes peer to it."
    assert body["awx_error"].endswith(f"refuses to change /api/v2/instances/3/: {rule}")


@pytest.mark.parametrize("lost", ["/v2/instance_groups/", "/v2/users/"])
def test_a_sync_that_fails_after_the_change_does_not_end_the_drain(lost: str, site: Site) -> None:
    """The AWX has disabled the node, and the mirror does not know it yet."""
    site.drain()
    site.proxy.begin(at(lost, says(404)))
    for _ in range(2):
        with pytest.raises(SourceError):
            site.sync()
    assert (site.is_enabled(), site.is_enabled(site.here), site.shown()) == (False, True, OPEN)
    site.proxy.begin()
    site.sync()
    assert (site.is_enabled(site.here), site.shown(), site.patches()) == (False, OPEN, 0)


def test_what_is_wanted_meanwhile_counts(site: Site) -> None:
    """It is undone while the AWX answers the request by which the node is disabled."""
    site.drain()

    def undo_meanwhile(exchange: Exchange) -> None:
        with psycopg.connect(site.mirror) as database:  # this process is busy with the sync
            database.execute(
                "UPDATE instances_drain SET pending_enabled = true, ended_at = now(), ended_how = 'undone'"
            )
        nothing(exchange)

    site.proxy.begin(at("PATCH", undo_meanwhile, 1))
    site.sync()
    assert (site.shown()["pending_enabled"], site.is_enabled()) == (True, False)
    site.sync()
    assert (site.shown(), site.is_enabled()) == ({**OPEN, "ended_how": "undone"}, True)


# --- who may, and where it cannot be


def test_without_a_token_the_mirror_says_that_it_cannot(site: Site, settings: Any) -> None:
    settings.DRAIN_TOKEN = ""
    answer = site.drain()
    assert (answer.status_code, answer.json()) == (409, {"detail": CANNOT_DRAIN})
    site.sync()
    assert site.patches() == 0


def test_a_sync_without_the_token_says_so_at_the_drain(site: Site, settings: Any) -> None:
    site.drain()
    settings.DRAIN_TOKEN = ""
    site.sync()
    assert (site.shown(), site.patches()) == ({**WANTED, "awx_error": CANNOT_DRAIN}, 0)


def test_nodes_that_are_yet_to_be_disabled_count_as_gone(site: Site) -> None:
    """Of three nodes a group needs two."""
    site.awx.execute("UPDATE instances_instancegroup SET policy_instance_minimum = 2")
    site.sync()
    assert site.drain().status_code == 201
    with in_process(site.mirror) as browser:
        path = "/api/fleet/v1/instances/exec-3/drain/"
        answer = browser.post(path, json={"reason": "x"}, headers=site.headers["admin"])
    assert answer.status_code == 409
    assert "The group edge would keep 1 of the 2 enabled nodes" in answer.json()["detail"]


def test_so_do_nodes_that_were_disabled_and_not_read_since(site: Site) -> None:
    site.awx.execute("UPDATE instances_instancegroup SET policy_instance_minimum = 2")
    site.sync()
    site.drain()
    with psycopg.connect(site.mirror) as database:
        database.execute("UPDATE instances_drain SET pending_enabled = NULL")
    with in_process(site.mirror) as browser:
        path = "/api/fleet/v1/instances/exec-3/drain/"
        answer = browser.post(path, json={"reason": "x"}, headers=site.headers["admin"])
    assert answer.status_code == 409


def test_a_mirror_does_not_deprovision(site: Site) -> None:
    answer = site.drain(then="deprovision")
    assert (answer.status_code, answer.json()) == (400, {"then": [CANNOT_DEPROVISION]})


def test_who_may_not_disable_nodes_may_not_drain(site: Site) -> None:
    with in_process(site.mirror) as browser:
        path = "/api/fleet/v1/instances/2/drain/"
        answer = browser.post(path, json={"reason": "x"}, headers=site.headers["auditor"])
    assert answer.status_code == 403


def test_a_token_that_may_only_read_changes_nothing(site: Site, settings: Any) -> None:
    settings.DRAIN_TOKEN = READER
    site.drain()
    site.sync()
    assert "with 403: " in site.shown()["awx_error"]
    assert site.is_enabled()


def test_what_was_wanted_of_one_awx_is_not_sent_to_another(site: Site, awx: tuple[str, str]) -> None:
    site.drain()
    with Proxy(awx[1], {}) as other:
        mirroring.sync(site.mirror, other.address, READER, replace=True)
        assert [path for path in other.asked if path.startswith("PATCH")] == []
    assert site.is_enabled()
    assert site.here.execute("SELECT 1 FROM instances_drain WHERE pending_enabled IS NOT NULL").fetchall() == []


def test_a_detached_mirror_wants_nothing_of_its_awx(site: Site) -> None:
    site.drain()
    with connected_to(site.mirror):
        writing.detach()
        drains.advance()
    ended = site.here.execute("SELECT ended_how, pending_enabled FROM instances_drain").fetchall()
    assert ended == [("enabled", None)]  # as it was all the time


class GatewayWithChanges(Proxy):
    """As the gateway of AAP: a controller is below /api/controller/ alone, where ``/api/`` says so."""

    def fetch(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> Answer:
        if path == "/api/":
            return Answer(200, json.dumps({"apis": {"controller": "/api/controller/"}}).encode())
        if not path.startswith("/api/controller/"):
            return Answer(404)
        return super().fetch(method, path, headers, body)


def test_a_controller_behind_a_gateway_is_found(site: Site, awx: tuple[str, str]) -> None:
    with GatewayWithChanges(awx[1], {}) as gateway:
        mirroring.sync(site.mirror, gateway.address, READER, replace=True)
        site.drain()
        mirroring.sync(site.mirror, gateway.address, READER)
        assert "PATCH /api/controller/v2/instances/2/" in gateway.asked
    assert (site.shown(), site.is_enabled()) == (OPEN, False)


# --- who is killed


def pass_on_and(then: Hold) -> Fault:
    """The AWX does what is wanted, and nobody hears of it before ``then`` is released."""

    def fault(exchange: Exchange) -> None:
        exchange.answer()
        then(exchange)

    return fault


@pytest.mark.parametrize("moment", ["before the AWX has it", "before it is recorded", "before it is read"])
def test_a_killed_sync_is_followed_by_one_that_does_what_is_left(moment: str, site: Site, tmp_path: Path) -> None:
    hold = Hold()
    faults = {
        "before the AWX has it": at("PATCH", hold, 1),
        "before it is recorded": at("PATCH", pass_on_and(hold), 1),
        "before it is read": at("/v2/instance_groups/", hold, 1),
    }
    site.drain(then="enable")
    site.proxy.begin(faults[moment])
    for name, token in (("reader", READER), ("writer", WRITER)):
        (tmp_path / name).write_text(f"{token}\n")
    process = subprocess.Popen(
        [
            sys.executable,
            "manage.py",
            "sync_awx",
            "--url",
            site.proxy.address,
            "--token-file",
            str(tmp_path / "reader"),
        ],
        cwd=PROJECT,
        env=environment(site.mirror, DRAIN_TOKEN_FILE=str(tmp_path / "writer")),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert hold.reached.wait(60)
    process.kill()
    process.wait()
    hold.release()
    until_unlocked(site)
    assert site.is_enabled(site.here)
    assert site.is_enabled() == (moment == "before the AWX has it")
    assert site.shown() == (OPEN if moment == "before it is read" else WANTED)
    site.proxy.begin()
    site.sync()
    assert (site.shown(), site.is_enabled()) == (OPEN, False)
    site.end_job()
    for _ in range(3):
        site.sync()
    assert (site.shown(), site.is_enabled()) == ({**OPEN, "ended_how": "done"}, True)
    assert site.here.execute("SELECT count(*) FROM instances_drain").fetchone() == (1,)


def until_unlocked(site: Site) -> None:
    """Wait until PostgreSQL has noticed that the process is gone, and released its lock of syncs."""
    mirrors = "SELECT oid FROM pg_database WHERE datname = current_database()"
    locked = f"SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND database = ({mirrors})"
    end = time.monotonic() + 60
    while site.here.execute(locked).fetchone():
        assert time.monotonic() < end
        time.sleep(0.05)
