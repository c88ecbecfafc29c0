"""Backup and restore by the commands of docs/operations.md: the restored database is the same, and goes on."""

import contextlib
import io
import itertools
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone
from psycopg import sql
from pytest_django import DjangoDbBlocker

from instances.mirror import guard
from instances.models import Mirror
from settings import embedded
from tests.make import make_jobs
from tests.postgresql import dumped_schema
from tests.releases.dumping import fill
from tests.service import PROJECT, connected_to, environment, in_process, new_database

pytestmark = pytest.mark.slow

PATHS = (
    "/api/v2/ping/",
    "/api/v2/metrics/",
    "/api/v2/mesh_visualizer/",
    *(f"/api/v2/{name}/?page_size=200" for name in ("instances", "instance_groups", "unified_jobs", "users", "tokens")),
    "/api/v2/instances/5/jobs/?page_size=200",
)
ADMIN = {"Authorization": "Bearer oracle-admin-token"}
PASSING = r'(?:"elapsed":|awx_mirror_age_seconds )[\d.]+'


@pytest.fixture
def service(dataset_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The URL of a database with records in most tables."""
    with django_db_blocker.unblock(), new_database(dataset_template) as url:
        with connected_to(url):
            fill()
            make_jobs(
                300, execution_node="exec-1.example.org", status="running", controller_node="control-1.example.org"
            )
        yield url


@pytest.fixture(params=["a service", "a mirror"])
def source(request: pytest.FixtureRequest, service: str) -> str:
    """The same, of a service of its own or of a mirror."""
    if request.param == "a mirror":
        with connected_to(service), transaction.atomic():
            now = timezone.now()
            Mirror.objects.create(url="https://awx.example.org", version="23.6.0", began=now, finished=now, every=30)
            guard.enable_guard()
    return service


def documented(heading: str) -> list[str]:
    """The blocks of commands below this heading of docs/operations.md."""
    page = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", page.partition(f"\n## {heading}\n")[2], flags=re.MULTILINE)[0]
    return re.findall(r"(?:^    .+\n)+", section, re.MULTILINE)


def run(commands: str, folder: Path, url: str, restored: str = "") -> str:
    """Run the commands as they stand, in a folder of their own; what they print."""
    paths = (Path(sys.executable).parent, embedded.programs(), os.environ["PATH"])
    variables = {**environment(url), "RESTORED_URL": restored, "PATH": ":".join(map(str, paths))}
    done = subprocess.run(
        ["sh", "-ec", commands], cwd=folder, env=variables, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def verify(url: str, *arguments: str) -> str:
    """The last line of ``verify_counters``; "" if it finds wrong figures and does not repair them."""
    output = io.StringIO()
    with connected_to(url), contextlib.suppress(SystemExit):
        call_command("verify_counters", *arguments, stdout=output)
        return output.getvalue().splitlines()[-1]
    return ""


def contents(url: str) -> dict[str, list[Any]]:
    """The rows of each table and the state of each sequence, by its name."""
    found: dict[str, list[Any]] = {}
    with psycopg.connect(url) as database:
        relations = database.execute(
            "SELECT relname, CASE relkind WHEN 'r' THEN '*' ELSE 'last_value, is_called' END FROM pg_class "
            "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')"
        ).fetchall()
        for name, columns in relations:
            read = f"SELECT to_jsonb(t) FROM (SELECT {columns} FROM {{}}) AS t ORDER BY t::text"
            rows = database.execute(sql.SQL(read).format(sql.Identifier(name)))
            found[name] = [row for (row,) in rows]
    return found


def answers(url: str) -> dict[str, str]:
    """What an administrator is answered at each path, but for the time that has passed."""
    with in_process(url) as client:
        responses = {path: client.get(path, headers=ADMIN) for path in PATHS}
        assert {response.status_code for response in responses.values()} == {200}
        return {path: re.sub(PASSING, "", response.text) for path, response in responses.items()}


def created(url: str) -> tuple[int, Any]:
    """The status and the id, if any, of the next instance."""
    with in_process(url) as client:
        new = {"hostname": "new.example.org", "node_type": "execution", "node_state": "installed"}
        response = client.post("/api/v2/instances/", json=new, headers=ADMIN)
    return response.status_code, response.json().get("id")


(BACKUP,) = documented("Backup")
WHOLE, ROWS_ALONE = documented("Restore")


@pytest.mark.parametrize("way", [WHOLE, ROWS_ALONE], ids=["whole", "its rows alone"])
def test_a_restored_database_is_the_same_and_goes_on(way: str, source: str, tmp_path: Path) -> None:
    run(BACKUP, tmp_path, source)
    with new_database() as url:
        assert "All counters agree with the jobs." in run(way, tmp_path, source, url)
        if way == WHOLE:
            assert dumped_schema(url) == dumped_schema(source)
        before = contents(source)
        assert len(before["instances_unifiedjob"]) > 300
        assert contents(url) == before
        with connected_to(url):
            call_command("migrate", check_unapplied=True, verbosity=0)
        assert answers(url) == answers(source)
        is_mirror = bool(before["instances_mirror"])
        status, pk = created(url)
        assert (status, pk) == created(source)
        assert status == (403 if is_mirror else 201)
        if is_mirror:
            return
        last = max(job["id"] for job in before["instances_unifiedjob"])
        with connected_to(url):
            make_jobs(2, first=last + 1, execution_node="exec-1.example.org")
        assert verify(url)


def test_a_dump_while_jobs_are_written_is_of_one_moment(service: str, tmp_path: Path) -> None:
    """Jobs and counters agree, although each changes with every statement."""
    is_over = threading.Event()
    with new_database() as url:

        def write() -> None:
            with psycopg.connect(service, autocommit=True) as database:
                for number in itertools.count(10_000):
                    if is_over.is_set():
                        return
                    database.execute(
                        "INSERT INTO instances_unifiedjob (id, type, name, description, launch_type, status, created, "
                        "modified, elapsed, failed, job_explanation, execution_node, controller_node, task_impact, "
                        "representation) VALUES (%s, 'job', '', '', 'manual', 'running', now(), now(), 0, false, '', "
                        "'exec-1.example.org', '', 1, '{}')",
                        [number],
                    )

        writer = threading.Thread(target=write)
        writer.start()
        try:
            run(BACKUP, tmp_path, service)
        finally:
            is_over.set()
            writer.join()
        run(WHOLE, tmp_path, service, url)
        assert len(contents(url)["instances_unifiedjob"]) < len(contents(service)["instances_unifiedjob"])


def test_figures_that_a_restored_table_lacks_are_repaired(service: str, tmp_path: Path) -> None:
    """As where the tables of counters were left out of the dump."""
    run(BACKUP, tmp_path, service)
    with new_database() as url:
        run(WHOLE, tmp_path, service, url)
        with psycopg.connect(url) as database:
            database.execute("DELETE FROM instances_nodeload WHERE NOT baseline; DELETE FROM instances_jobcount")
        assert not verify(url)
        assert "were wrong and have been repaired" in verify(url, "--repair")
        assert verify(url)
