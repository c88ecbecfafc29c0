"""``manage.py sync_awx`` as an operator runs it, and what a mirror shows of itself."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoDbBlocker

from instances import tasks
from instances.health import checks, periodic
from instances.mirror import guard
from instances.models import Instance, InstanceGroup, Mirror, User
from tests.conftest import client_of
from tests.make import make_jobs
from tests.service import PROJECT, connected_to, environment, manage, new_database, served

ADMIN, BOB = "oracle-admin-token", "oracle-bob-token"


class Mirroring:
    """The recorded AWX's records, served, and an empty database that is to mirror them."""

    def __init__(self, address: str, url: str, folder: Path) -> None:
        self.address, self.url, self.folder = address, url, folder

    def file(self, content: str) -> str:
        path = self.folder / "secret"
        path.write_text(content)
        return str(path)

    def arguments(self, *options: str, token: str = ADMIN) -> list[str]:
        return ["sync_awx", "--url", self.address, "--token-file", self.file(f"{token}\n"), *options]

    def run(self, *options: str, token: str = ADMIN) -> subprocess.CompletedProcess[str]:
        return manage(self.url, *self.arguments(*options, token=token), check=False)

    def start(self, *options: str, **streams: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "manage.py", *self.arguments(*options)]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
        return subprocess.Popen(command, cwd=PROJECT, env=environment(self.url), text=True, **streams)


@pytest.fixture
def mirroring(service: str, migrated: str, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Mirroring]:
    with django_db_blocker.unblock(), new_database(migrated) as url:
        yield Mirroring(service, url, tmp_path)


def events(stderr: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stderr.splitlines()]


@pytest.mark.slow
def test_without_a_terminal_each_line_is_a_json_object(mirroring: Mirroring) -> None:
    done = mirroring.run()
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    *read, synced = events(done.stderr)
    assert {event["list"]: event["records"] for event in read if event["event"] == "read"}["instances"] == 15
    assert synced["event"] == "synced"
    assert synced["records"]["instances"] == {"total": 15, "new": 15, "changed": 0, "gone": 0}
    assert (
        "15 instances (15 new, 0 changed, 0 gone), 9 addresses (9 new, 0 changed, 0 gone), 19 links"
        in synced["message"]
    )
    again = events(mirroring.run().stderr)[-1]
    assert not any(count["new"] or count["changed"] or count["gone"] for count in again["records"].values())


@pytest.mark.slow
def test_on_a_terminal_there_is_a_bar_and_a_summary(mirroring: Mirroring) -> None:
    terminal, child = pty.openpty()
    termios.tcsetwinsize(child, (24, 80))
    with mirroring.start(stderr=child) as running:
        os.close(child)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while part := os.read(terminal, 4096):
                shown += part
        stdout, _ = running.communicate(timeout=60)
    os.close(terminal)
    assert b"instances: 15/15" in shown
    assert stdout.startswith(f"Synced {mirroring.address} in ")
    assert stdout.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--url", "ftp://x"], 2, "--url must be the address"),
        (["--url", "https://u:p@x"], 2, "--url must not have a user or password"),
        (["--url", "https://x:abc"], 2, "--url must be the address"),
        (["--url", "https://[::1"], 2, "--url must be the address"),
        (["--url", "https://x/api/v1"], 2, "--url must be the address"),
        (["--url", "https://x"], 2, "Either --token-file is needed"),
        (["--url", "https://x", "--token-file", "nowhere"], 1, "nowhere cannot be read: No such file"),
        (["--url", "https://x", "--username", "u"], 2, "Either --token-file is needed"),
        (["--url", "https://x", "--token-file", "f", "--insecure", "--ca-file", "f"], 2, "exclude each other"),
        (["--follow", "0"], 2, "is not a number above 0"),
    ],
)
def test_arguments_that_cannot_be_used_are_told(mirroring: Mirroring, options: list[str], code: int, told: str) -> None:
    done = manage(mirroring.url, "sync_awx", *options, check=False)
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_who_sees_only_a_part_cannot_mirror_the_whole(mirroring: Mirroring) -> None:
    done = mirroring.run(token=BOB)
    assert done.returncode == 3
    failed = events(done.stderr)[-1]
    assert (failed["event"], failed["exit_code"]) == ("failed", 3)
    assert '"bob" sees only a part of' in failed["message"]
    assert BOB not in done.stderr
    with connected_to(mirroring.url):
        assert not Mirror.objects.exists()


@pytest.mark.slow
def test_a_user_and_a_password_do_as_well(mirroring: Mirroring) -> None:
    arguments = ["--url", mirroring.address, "--username", "auditor", "--password-file", mirroring.file("auditor")]
    done = manage(mirroring.url, "sync_awx", *arguments, check=False)
    assert done.returncode == 0, done.stderr
    wrong = ["--url", mirroring.address, "--username", "auditor", "--password-file", mirroring.file("another")]
    done = manage(mirroring.url, "sync_awx", *wrong, check=False)
    assert done.returncode == 3
    assert "not accepted" in done.stderr
    assert "another" not in done.stderr


@pytest.mark.slow
def test_following_goes_on_until_it_is_stopped(mirroring: Mirroring) -> None:
    with mirroring.start("--follow", "1") as running:
        assert running.stderr is not None
        seen = 0
        for line in running.stderr:
            seen += json.loads(line)["event"] == "synced"
            if seen == 3:
                break
        running.send_signal(signal.SIGTERM)
        rest, _ = running.communicate(timeout=30)
    assert running.returncode == 0
    assert rest == ""
    with connected_to(mirroring.url):
        assert Mirror.objects.get().every == 1


@pytest.mark.slow
def test_following_outlives_an_awx_that_goes_away(
    dataset_template: str, migrated: str, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock(), new_database(dataset_template) as source, new_database(migrated) as url:
        with contextlib.ExitStack() as stack:
            address = stack.enter_context(served(source))
            following = Mirroring(address, url, tmp_path).start("--follow", "1")
            lines = (json.loads(line) for line in following.stderr or ())
            assert any(line["event"] == "synced" for line in lines)
        try:
            waiting = next(line for line in lines if line["event"] == "waiting")
            assert "127.0.0.1" in waiting["message"]
        finally:
            following.send_signal(signal.SIGTERM)
            following.communicate(timeout=30)
    assert following.returncode == 0


@pytest.mark.slow
def test_following_goes_on_after_the_database_dropped_its_connections(mirroring: Mirroring) -> None:
    with mirroring.start("--follow", "3") as running:
        lines = (json.loads(line) for line in running.stderr or ())
        told = (line for line in lines if line["event"] in ("synced", "failed"))
        assert next(told)["event"] == "synced"
        with psycopg.connect(mirroring.url) as database:
            others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            dropped = database.execute(f"SELECT count(pg_terminate_backend(pid)) {others}").fetchone()
        again = next(told)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)
    assert dropped
    assert dropped[0] > 0
    assert again["event"] == "synced", again["message"]


@pytest.mark.slow
def test_following_ends_at_once_where_nothing_would_ever_come(mirroring: Mirroring) -> None:
    arguments = mirroring.arguments("--follow", "60", token="wrong")
    done = manage(mirroring.url, *arguments, check=False)
    assert done.returncode == 3
    assert "not accepted" in done.stderr


# --- what a mirror shows of itself


def test_the_administration_says_in_its_own_words_that_nothing_is_mirrored(admin: User) -> None:
    client = client_of(None)
    client.force_login(admin)
    page = client.get("/admin/instances/mirror/").content.decode()
    assert "This service does not mirror an AWX." in page
    assert "There are no mirror" not in page


@pytest.fixture
def mirror(db: None) -> Mirror:
    """A mirror as the last sync left it, a minute ago, with an instance."""
    now = timezone.now()
    instance = Instance.objects.create(hostname="exec-1", node_type="execution", node_state="ready", capacity=10)
    group = InstanceGroup.objects.create(name="edge")
    group.instances.add(instance)
    connection.check_constraints()  # a table with constraints to be checked yet cannot be altered
    guard.enable_guard()
    return Mirror.objects.create(
        url="https://awx.example.org",
        version="23.6.0",
        began=now - timedelta(seconds=60),
        finished=now - timedelta(seconds=58),
        every=30,
        records={"instances": {"total": 1, "new": 0, "changed": 1, "gone": 0}},
    )


def test_its_state_is_for_superusers_and_auditors(admin: User, auditor: User, alice: User, mirror: Mirror) -> None:
    state = client_of(auditor).get("/api/fleet/v1/mirror/").json()
    assert state["url"] == "https://awx.example.org"
    assert state["records"] == mirror.records
    assert 60 <= state["age"] < 90
    assert (state["seconds"], state["oldest"], state["stale"]) == (2, 92, False)
    assert client_of(alice).get("/api/fleet/v1/mirror/").status_code == 403
    assert client_of(None).get("/api/fleet/v1/mirror/").status_code == 401
    assert "mirror" in client_of(admin).get("/api/fleet/v1/").json()


@pytest.mark.parametrize(
    ("age", "every", "at_most", "status"),
    [(60, 30, 0, 200), (93, 30, 0, 503), (93, None, 0, 200), (93, None, 90, 503), (93, 30, 100, 200)],
)
def test_anybody_may_ask_whether_it_is_stale(
    mirror: Mirror, settings: Any, age: float, every: float | None, at_most: float, status: int
) -> None:
    """Stale is what missed three syncs, or is older than MIRROR_STALE_AFTER."""
    settings.MIRROR_STALE_AFTER = at_most
    began = timezone.now() - timedelta(seconds=age)
    Mirror.objects.update(began=began, finished=began + timedelta(seconds=2), every=every)
    answer = client_of(None).get("/api/fleet/v1/mirror/ping/")
    assert answer.status_code == status
    assert answer.json()["stale"] is (status == 503)
    assert set(answer.json()) == {"age", "oldest", "stale"}


@pytest.mark.django_db
def test_who_mirrors_nothing_says_so(admin: User) -> None:
    for path in ("/api/fleet/v1/mirror/", "/api/fleet/v1/mirror/ping/"):
        answer = client_of(admin).get(path)
        assert (answer.status_code, answer.json()) == (404, {"detail": "This service is no mirror."})
    assert b"awx_mirror" not in client_of(admin).get("/api/v2/metrics/").content


@pytest.mark.parametrize("instances", [0, 1])
def test_metrics_tell_of_the_last_sync(admin: User, mirror: Mirror, instances: int) -> None:
    if not instances:
        guard.disable_guard()
        Instance.objects.all().delete()
    text = client_of(admin).get("/api/v2/metrics/").content.decode()
    told = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("awx_mirror")
    }
    assert 60 <= told.pop(("awx_mirror_age_seconds",)) < 90
    assert told == {
        ("awx_mirror_stale",): 0,
        ("awx_mirror_sync_duration_seconds",): 2,
        ("awx_mirror_sync_failures",): 0,
        ("awx_mirror_sync_failures_total",): 0,
        ("awx_mirror_records", "instances"): 1,
    }


# --- what leaves it alone


@pytest.mark.parametrize("mirrored", [True, False])
def test_the_background_work_leaves_it_alone(mirror: Mirror, settings: Any, mirrored: bool) -> None:
    """There is a policy to be applied, a node to be removed, one to report itself, and a check that is overdue."""
    settings.CLUSTER_HOST_ID = "control-1"
    guard.disable_guard()
    InstanceGroup.objects.create(name="all", policy_instance_percentage=100)
    going = Instance.objects.create(hostname="exec-2", node_type="execution", node_state="deprovisioning")
    long_ago = timezone.now() - timedelta(days=1)
    Instance.objects.create(hostname="exec-3", node_type="execution", health_check_started=long_ago)
    Instance.objects.create(hostname="control-1", node_type="control")
    connection.check_constraints()
    if mirrored:
        guard.enable_guard()
    else:
        Mirror.objects.all().delete()

    def state() -> list[Any]:
        return [*Instance.objects.order_by("pk").values(), *InstanceGroup.instances.through.objects.values()]

    acts = (tasks.apply_policies, lambda: tasks.deprovision(going.pk), periodic.report_own_node, checks.expire)
    for act in acts if not mirrored else (*acts[:2], periodic.heartbeat, checks.expire, tasks.queue_missed):
        before = state()
        act()
        assert (state() == before) is mirrored


def test_the_administration_shows_and_changes_nothing(admin: User, mirror: Mirror) -> None:
    client = client_of(None)
    client.force_login(admin)
    instance = Instance.objects.get()
    page = client.get(f"/admin/instances/instance/{instance.pk}/change/")
    assert page.status_code == 200
    assert b'name="_save"' not in page.content
    assert client.get("/admin/instances/instance/add/").status_code == 403
    assert client.post(f"/admin/instances/instance/{instance.pk}/delete/", {"post": "yes"}).status_code == 403


def test_enabled_triggers_alone_make_no_mirror(db: None) -> None:
    """Restoring a database enables all that there are."""
    guard.enable_guard()
    Instance.objects.create(hostname="new")


@pytest.mark.parametrize("statement", ["insert", "update", "delete", "truncate", "jobs"])
def test_the_database_itself_refuses_changes(mirror: Mirror, statement: str) -> None:
    def act() -> None:
        match statement:
            case "insert":
                Instance.objects.create(hostname="new")
            case "update":
                Instance.objects.update(enabled=False)
            case "delete":
                InstanceGroup.objects.all().delete()
            case "truncate":
                with connection.cursor() as cursor:
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE instances_instancelink")
            case "jobs":
                make_jobs(1)

    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        act()
    assert guard.error_message(refused.value).startswith(
        "This service mirrors https://awx.example.org and changes nothing"
    )
    guard.disable_guard()
    act()


def test_two_mirrors_are_one_too_many(mirror: Mirror) -> None:
    with pytest.raises(IntegrityError):
        Mirror.objects.create(pk=2, url="x", version="x", began=mirror.began, finished=mirror.finished)


@pytest.mark.slow
def test_pages_of_200_are_asked_for_one_at_a_time_unless_more_are_wanted(mirroring: Mirroring) -> None:
    """Counted by a server that stands before the source."""
    under_way, most, lock = 0, 0, threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal under_way, most
            with lock:
                under_way += 1
                most = max(most, under_way)
            answer = requests.get(mirroring.address + self.path, headers=dict(self.headers), timeout=60)
            agents.add(self.headers["User-Agent"])
            asked.add(self.path)
            with lock:
                under_way -= 1
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            pass

    agents: set[str] = set()
    asked: set[str] = set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        before = Mirroring(f"http://127.0.0.1:{server.server_port}", mirroring.url, mirroring.folder)
        for concurrency in (1, 3):
            most = 0
            done = before.run("--concurrency", str(concurrency))
            assert done.returncode == 0, done.stderr
            assert most == concurrency
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert agents == {"awx-instance-service sync_awx"}
    without_pages = {"/api/v2/", "/api/v2/ping/", "/api/v2/mesh_visualizer/"}
    assert {path for path in asked if "page_size=200" not in path} == without_pages
