"""While a disk is full, and once there is space again: the service, its worker, its commands and its log.

The disk is a small one in memory, with the embedded PostgreSQL on it.
"""

import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from settings import embedded
from tests.service import DATASET, logging_into, manage
from tests.test_database_away import BROWSER, Site, log_in
from tests.test_embedded import demo, ended
from tests.test_worker import start_worker, until

pytestmark = pytest.mark.slow

ADMIN = {"Authorization": "Bearer oracle-admin-token"}
SERVE = [sys.executable, "manage.py", "serve", "--workers", "1"]
FULL = "The disk of the database is full; nothing was changed. Try again once there is space."
SAID = "No space left on device"


class Disk:
    """A file system in memory, which can be filled."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ballast = folder, folder / "ballast"

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        with self.ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        try:
            yield
        finally:
            self.ballast.unlink(missing_ok=True)


@contextlib.contextmanager
def mounted(megabytes: int) -> Iterator[Disk]:
    with tempfile.TemporaryDirectory(prefix="disk-", dir="/tmp") as name:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", name]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("no small disk can be mounted, as only root can")
        try:
            yield Disk(Path(name))
        finally:
            ended(Path(name))
            subprocess.run(["umount", name], check=True)


@pytest.fixture(scope="module")
def disk() -> Iterator[Disk]:
    with mounted(160) as disk:
        yield disk


@pytest.fixture(scope="module")
def site(disk: Disk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    path = tmp_path_factory.mktemp("site") / "log"
    manage("", "migrate", "--verbosity", "0", DATA_DIR=str(disk.folder))
    manage("", "import_awx", str(DATASET), DATA_DIR=str(disk.folder))
    with path.open("w+") as log, logging_into(log, SERVE, "", DATA_DIR=str(disk.folder)) as address:
        site = Site(address, path)
        site.logged()
        yield site
    ended(disk.folder / "tests")


def socket_folder(disk: Disk) -> Path:
    return Path((disk.folder / "tests" / "postgresql.lock").read_text())


def connected(disk: Disk) -> psycopg.Connection[Any]:
    """To the database, as root."""
    return psycopg.connect(
        host=str(socket_folder(disk)), port=embedded.PORT, user=embedded.USER, dbname="postgres", autocommit=True
    )


def add_group(site: Site, name: str) -> requests.Response:
    """Answered 201, a group that takes 200 kB."""
    pod = f"metadata: {{name: {secrets.token_hex(100_000)}}}\n"
    body = {"name": name, "is_container_group": True, "pod_spec_override": pod}
    return requests.post(f"{site.address}/api/v2/instance_groups/", json=body, headers=ADMIN, timeout=30)


def get(site: Site, path: str = "/api/v2/instances/1/") -> int:
    return requests.get(site.address + path, headers=ADMIN, timeout=30).status_code


def change(site: Site) -> int:
    body = {"enabled": True}
    return requests.patch(f"{site.address}/api/v2/instances/1/", json=body, headers=ADMIN, timeout=30).status_code


def test_a_change_is_refused_and_reads_go_on(site: Site, disk: Disk) -> None:
    session = log_in(site)
    with disk.full():
        refused = add_group(site, "large")
        assert (refused.status_code, refused.json()) == (503, {"detail": FULL})
        assert int(refused.headers["Retry-After"]) >= 30
        (line,) = site.logged()
        assert " ERROR " in line
        assert SAID in line
        assert [get(site, path) for path in ("/api/v2/instances/1/", "/api/v2/instances/", "/readyz")] == [200] * 3
        assert session.get(f"{site.address}/").status_code == 200
    assert get(site, "/api/v2/instance_groups/large/") == 404
    assert add_group(site, "large").status_code == 201
    assert site.logged() == []


def test_a_page_says_it_too(site: Site, disk: Disk) -> None:
    session = log_in(site)
    page = f"{site.address}/api/v2/instance_groups/"
    session.headers.update({"Accept": BROWSER, "X-CSRFToken": session.cookies["csrftoken"], "Referer": page})
    body = {"name": "shown", "is_container_group": True, "pod_spec_override": f"a: {secrets.token_hex(100_000)}\n"}
    with disk.full():
        answer = session.post(page, json=body)
    assert answer.status_code == 503
    assert "<h1>The disk of the database is full</h1>" in answer.text
    assert "nothing was changed" in answer.text
    site.logged()


def test_a_command_says_it_in_one_line(site: Site, disk: Disk) -> None:
    with disk.full():
        done = manage("", "import_awx", str(DATASET), check=False, DATA_DIR=str(disk.folder))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert done.stderr.startswith("The database has no space left: ")
    assert SAID in done.stderr
    manage("", "import_awx", str(DATASET), DATA_DIR=str(disk.folder))


def test_the_worker_waits_for_space(site: Site, disk: Disk) -> None:
    """Jobs that could not be ended are done afterwards."""
    queue = "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('default', 'deprovision', %s)"
    with connected(disk) as database:
        worker = start_worker("", DATA_DIR=str(disk.folder))
        assert worker.stdout is not None
        with disk.full():
            with pytest.raises(psycopg.errors.DiskFull):  # noqa: PT012 - the row that does not fit is not known
                for number in range(10_000):
                    database.execute(queue, [f'{{"pk": {1000 + number}}}'])
            failed = next(line for line in worker.stdout if "The database failed; the worker waits for it." in line)
            assert SAID in failed
        assert any("The database answers again." in line for line in worker.stdout)
        waiting = "SELECT count(*) FROM procrastinate_jobs WHERE status <> 'succeeded'"
        until(lambda: database.execute(waiting).fetchone() == (0,))
    worker.terminate()
    rest, _ = worker.communicate(timeout=30)
    assert worker.returncode == 0
    assert "Traceback" not in rest


def has_given_up(disk: Disk) -> bool:
    """Write until PostgreSQL fails: whether it has ended, and not only closed all connections."""
    with contextlib.suppress(psycopg.OperationalError), connected(disk) as database:
        while True:
            database.execute("SELECT pg_logical_emit_message(true, 'test', repeat('x', 1000000))")
    return not (socket_folder(disk) / f".s.PGSQL.{embedded.PORT}").exists()


def test_a_database_that_gives_up_comes_back_by_itself(site: Site, disk: Disk) -> None:
    """PostgreSQL ends where there is no space for its log of changes, and cannot start without."""
    assert change(site) == 200
    with disk.full():
        until(lambda: has_given_up(disk))
        assert [get(site), change(site), get(site, "/readyz"), get(site, "/healthz")] == [503, 503, 503, 200]
        assert all("The database failed: " in line for line in site.logged())
    until(lambda: get(site, "/readyz") == 200, seconds=60)
    assert [get(site), change(site)] == [200, 200]
    manage("", "verify_counters", DATA_DIR=str(disk.folder))


def test_the_key_of_the_demonstration_is_made_once_there_is_space() -> None:
    """The first try leaves an empty file; the next one goes on until the database needs more space than there is."""
    with mounted(1) as disk:
        with disk.full():
            said = demo(disk.folder / "data", 8173).communicate(timeout=60)[0]
        assert said == f"{disk.folder}/data: {SAID}; correct this, or set DATA_DIR to another folder.\n"
        said = demo(disk.folder / "data", 8173).communicate(timeout=60)[0]
        assert said.startswith("The embedded PostgreSQL cannot run: there is no space left for ")
        assert len(said.splitlines()) == 1


def test_files_with_keys_are_whole_or_not_there() -> None:
    with mounted(1) as disk:
        with disk.full():
            done = manage("", "create_mesh_ca", str(disk.folder / "ca"), check=False)
        assert (done.returncode, done.stderr) == (1, f"CommandError: {disk.folder}/ca: {SAID}; nothing was written.\n")
        manage("", "create_mesh_ca", str(disk.folder / "ca"))


def test_a_full_disk_below_the_log_stops_nobody(dataset_url: str) -> None:
    with mounted(1) as disk, (disk.folder / "log").open("w+") as log:
        with logging_into(log, SERVE, dataset_url) as address, disk.full():
            answers = [requests.get(f"{address}/api/v2/instances/1/", headers=ADMIN).status_code for _ in range(50)]
            assert os.statvfs(disk.folder).f_bavail == 0
            assert set(answers) == {200}
        log.seek(0)
