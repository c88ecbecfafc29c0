"""``manage.py export_awx``: what it writes ``import_awx`` reads, and the records are then the same."""

import io
import json
import os
import pty
import re
import stat
import subprocess
import sys
import termios
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oauth2_provider.models import AccessToken, Application
from pytest_django import DjangoDbBlocker

from instances import not_shown, tokens
from instances.database import consistent_read
from instances.mirror import guard
from instances.models import Instance, InstanceGroupRole, Mirror, ReceptorAddress, UnifiedJob, User
from instances.rules import RULES
from instances.snapshot import SnapshotError, exporting
from tests.conftest import speaking
from tests.make import listen, make_jobs, make_link, make_node
from tests.random_mesh import RandomMesh, RandomMeshOfAddresses
from tests.service import DATASET, DATASET24, PROJECT, connected_to, environment, in_process, new_database

V23, V24 = RULES
ADMIN = {"Authorization": "Bearer oracle-admin-token"}
PATHS = (
    "/api/v2/ping/",
    "/api/v2/metrics/",
    "/api/v2/mesh_visualizer/",
    *(f"/api/v2/{name}/?page_size=200" for name in ("instances", "instance_groups", "unified_jobs", "users", "tokens")),
    "/api/v2/instances/5/jobs/?page_size=200",
)
PASSING = r'"elapsed":[\d.]+'

# The tables that a snapshot fills, and those that follow from them, each with what no record has of their rows.
TABLES = {
    "instances_user": "",
    "oauth2_provider_accesstoken": "",
    "instances_tokennote": "",
    "instances_instancegrouprole": "",
    "instances_instance": "",
    "instances_receptoraddress": "",
    "instances_instancelink": "",
    "instances_instancegroup": "",
    "instances_instancegroup_instances": "- 'id'",
    "instances_unifiedjob": "",
}
COUNTERS = {"instances_nodeload": "- 'id' - 'slot'", "instances_groupload": "- 'id' - 'slot'"}
OF_23 = {
    "instances_receptoraddress": "- 'id'",
    "instances_instancelink": "- 'target_id' || jsonb_build_object('target', "
    "(SELECT address FROM instances_receptoraddress WHERE id = target_id))",
}


@pytest.fixture(scope="module")
def databases(migrated: str, django_db_blocker: DjangoDbBlocker) -> Iterator[tuple[str, str]]:
    """Two databases: what one has is exported, and imported into the other, which is empty."""
    with django_db_blocker.unblock(), new_database(migrated) as source, new_database(migrated) as target:
        yield source, target


def load(url: str, file: Path) -> None:
    with connected_to(url):
        call_command("import_awx", str(file), "--replace", stdout=io.StringIO(), stderr=io.StringIO())


def export(url: str, file: Path, *options: str) -> str:
    """What the command prints."""
    printed = io.StringIO()
    with connected_to(url):
        call_command("export_awx", str(file), "--force", *options, stdout=printed)
    return printed.getvalue()


def rows(url: str, version: str) -> dict[str, list[Any]]:
    """The rows of each table, but for what the format of this version does not have of them."""
    tables = TABLES | (OF_23 if version == V23 else {})
    with psycopg.connect(url) as database:
        return {
            name: database.execute(f"SELECT to_jsonb(t) {change} AS row FROM {name} t ORDER BY 1").fetchall()
            for name, change in tables.items()
        }


def figures(url: str) -> list[Any]:
    """What the database counts of the jobs, however the rows of the counters are divided."""
    with connected_to(url):
        nodes = Instance.objects.with_load().order_by("pk")
        return [(node.hostname, node.load, node.consumed_capacity) for node in nodes]


def answers(url: str, version: str) -> dict[str, str]:
    """What an administrator is answered at each path, but for the time that jobs run so far."""
    with speaking(version), in_process(url) as client:
        responses = {path: client.get(path, headers=ADMIN) for path in PATHS}
        if version == V24:
            responses["assignments"] = client.get("/api/v2/role_user_assignments/", headers=ADMIN)
    assert {response.status_code for response in responses.values()} == {200}
    return {path: re.sub(PASSING, "", response.text) for path, response in responses.items()}


def add_what_only_this_service_has() -> None:
    """Tokens that were issued here, and users as they are after a while."""
    for number, user in enumerate(User.objects.order_by("pk")):
        tokens.issue(user, "read", "" if number else "of the “dashboard”")
    now = timezone.now()
    User.objects.filter(pk=User.objects.earliest("pk").pk).update(last_login=now)
    AccessToken.objects.filter(scope="read").update(expires=now, created=now - timedelta(days=9))
    InstanceGroupRole.objects.filter(pk=InstanceGroupRole.objects.values("pk")[:1]).update(id=977)
    gone = User(username="gone", is_active=False, is_superuser=True, is_staff=False)
    gone.set_unusable_password()
    gone.save()


def assert_round_trip(databases: tuple[str, str], folder: Path, version: str) -> None:
    """What was exported is the same in the other database, and is exported as the same bytes from there."""
    source, target = databases
    first, second = folder / "first.json", folder / "second.json"
    export(source, first, "--awx-version", version)
    load(target, first)
    assert rows(target, version) == rows(source, version)
    assert figures(target) == figures(source)
    export(target, second, "--awx-version", version)
    assert second.read_bytes() == first.read_bytes()


@pytest.mark.parametrize(("dataset", "version"), [(DATASET, V23), (DATASET24, V24)], ids=[V23, V24])
def test_a_recorded_awx_is_the_same_after_export_and_import(
    dataset: Path, version: str, databases: tuple[str, str], tmp_path: Path
) -> None:
    source, target = databases
    load(source, dataset)
    with connected_to(source):
        add_what_only_this_service_has()
        assert UnifiedJob.objects.count() == 72
        assert AccessToken.objects.count() == 8
    assert_round_trip(databases, tmp_path, version)
    assert answers(target, version) == answers(source, version)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), nodes=st.integers(0, 9), kind=st.sampled_from([RandomMesh, RandomMeshOfAddresses]))
def test_any_mesh_is_the_same_after_export_and_import(
    seed: int, nodes: int, kind: type[RandomMesh], databases: tuple[str, str], tmp_path: Path
) -> None:
    """In the format of the version that it is of; in the other one too, unless what that lacks is named."""
    file, versions = tmp_path / "mesh.json", {V24: not_shown.by_awx_24, V23: not_shown.by_awx_23}
    mesh = kind(seed, nodes)
    mesh.change()
    file.write_text(json.dumps(mesh.content))
    load(databases[0], file)
    with connected_to(databases[0]):
        add_what_only_this_service_has()
        lost = {version: by_awx() for version, by_awx in versions.items()}
    assert lost[V24 if kind is RandomMeshOfAddresses else V23] == []
    for version, names in lost.items():
        if names:
            with pytest.raises(CommandError, match=re.escape(f"AWX {version} cannot show {names[0]}")):
                export(databases[0], file, "--awx-version", version)
        else:
            assert_round_trip(databases, tmp_path, version)


# --- the file


@pytest.fixture
def mesh(databases: tuple[str, str]) -> Iterator[str]:
    """The URL of a database with the recorded AWX's records."""
    load(databases[0], DATASET)
    with connected_to(databases[0]):
        yield databases[0]
        with transaction.atomic():
            guard.disable_guard()
            Mirror.objects.all().delete()


def test_only_its_owner_can_read_the_file(mesh: str, tmp_path: Path) -> None:
    file = tmp_path / "snapshot.json"
    printed = io.StringIO()
    call_command("export_awx", str(file), stdout=printed)
    expected = "Exported 4 users, 4 tokens, 15 instances, 19 links, 5 groups, 72 jobs in the format of AWX 23.6.0.\n"
    assert printed.getvalue() == expected
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]
    text = file.read_text()
    assert "pbkdf2_sha256$" in text or "md5$" in text
    assert "oracle-admin-token" not in text


def test_a_file_that_exists_is_replaced_by_force_alone(mesh: str, tmp_path: Path) -> None:
    file, link = tmp_path / "snapshot.json", tmp_path / "link.json"
    file.write_text("earlier")
    link.symlink_to(file)
    for path in (file, link):
        with pytest.raises(CommandError, match=r"snapshot\.json: exists already|link\.json: exists already"):
            call_command("export_awx", str(path))
    assert file.read_text() == "earlier"
    call_command("export_awx", str(link), "--force", stdout=io.StringIO())
    assert link.is_symlink()
    assert file.read_text().startswith('{\n"users": [\n{"id":1,')


@pytest.mark.parametrize(
    ("name", "reason"), [("", "is not a file."), ("missing/file", "No such file or directory"), ("x" * 300, "too long")]
)
def test_what_cannot_be_written_is_an_error_in_one_line(name: str, reason: str, mesh: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=reason) as error:
        call_command("export_awx", str(tmp_path / name), "--force")
    assert error.value.returncode == 1
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_fails_leaves_the_earlier_file(mesh: str, tmp_path: Path) -> None:
    """Here at the last of the jobs, when most of the file was written."""
    file = tmp_path / "snapshot.json"
    file.write_text("earlier")
    make_jobs(1)
    with pytest.raises(CommandError):
        call_command("export_awx", str(file), "--force")
    assert file.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [file]


def run(url: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "manage.py", "export_awx", *arguments]
    return subprocess.run(command, cwd=PROJECT, env=environment(url), timeout=120, **options)


@pytest.mark.slow
def test_the_standard_output_has_the_snapshot_and_nothing_else(mesh: str, tmp_path: Path) -> None:
    done = run(mesh, "-", capture_output=True)
    assert done.returncode == 0
    assert done.stderr.startswith(b"Exported 4 users, ")
    call_command("export_awx", str(tmp_path / "file.json"), stdout=io.StringIO())
    assert done.stdout == (tmp_path / "file.json").read_bytes()


@pytest.mark.slow
def test_a_reader_that_goes_is_an_error_in_one_line(mesh: str) -> None:
    theirs, ours = os.pipe()
    os.close(theirs)
    done = run(mesh, "-", stdout=ours, stderr=subprocess.PIPE)
    os.close(ours)
    assert (done.returncode, done.stderr) == (1, b"CommandError: -: Broken pipe\n")


@pytest.mark.slow
def test_progress_is_shown_on_a_terminal(mesh: str, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    done = run(mesh, str(tmp_path / "snapshot.json"), stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "/119 " in shown
    assert "records/s" in shown


# --- how it is read


class Discarded(io.RawIOBase):
    """A stream that keeps nothing."""

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        return len(content)


@pytest.mark.parametrize("number", [1, 20])
@pytest.mark.parametrize(("version", "not_shown_costs", "lists"), [(V23, 3, 6), (V24, 2, 7)])
def test_a_list_costs_one_query(
    number: int, version: str, not_shown_costs: int, lists: int, databases: tuple[str, str]
) -> None:
    """Beside these there are the beginning, the isolation and the end of the transaction."""
    with connected_to(databases[0]):
        call_command("import_awx", str(DATASET24), "--replace", stdout=io.StringIO())
        ReceptorAddress.objects.all().delete()
        for each in range(number):
            node = make_node(f"node-{each}")
            listen(node)
            make_link(Instance.objects.earliest("pk"), node)
            node.rampart_groups.add(1)
            tokens.issue(User.objects.create_user(f"user-{each}"))
        Instance.objects.update(managed=False, node_type="execution")
        with CaptureQueriesContext(connection) as captured:
            exporting.export_snapshot(io.BufferedWriter(Discarded()), RULES[version])
    assert len(captured) == 3 + not_shown_costs + lists


def test_rows_are_read_in_chunks(mesh: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a cursor of the database's, so that no more than a chunk is in memory."""
    monkeypatch.setattr(exporting, "CHUNK", 10)
    chunks = []

    def advance(records: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_cursors")
            chunks.append((records, *cursor.fetchone()))

    counts = exporting.export_snapshot(io.BufferedWriter(Discarded()), RULES[V23], advance)
    assert max(records for records, _ in chunks) == 10
    assert sum(records for records, _ in chunks) == counts.total() == exporting.number_of_records(RULES[V23])
    assert (10, 1) in chunks


def test_all_is_of_one_moment(mesh: str) -> None:
    """What others write while the first list is read is in no list."""
    stream = io.BytesIO()

    def advance(records: int) -> None:
        with psycopg.connect(mesh) as other:
            other.execute("DELETE FROM instances_unifiedjob")
            other.execute("UPDATE instances_instance SET version = 'later'")

    exporting.export_snapshot(stream, RULES[V23], advance)
    exported = json.loads(stream.getvalue())
    assert len(exported["unified_jobs"]) == 72
    assert "later" not in {instance["version"] for instance in exported["instances"]}
    assert not UnifiedJob.objects.exists()


def test_nothing_can_be_written_meanwhile(mesh: str) -> None:
    with pytest.raises(DatabaseError, match="read-only transaction"), consistent_read():
        Instance.objects.update(version="changed")


# --- what a snapshot cannot have


def test_tokens_of_applications_are_left_out(mesh: str) -> None:
    """As the applications are, for which they were issued, and tokens of nobody."""
    application = Application.objects.create(client_type="public", authorization_grant_type="authorization-code")
    expires = timezone.now()
    for number, owner in enumerate(({"user_id": 1, "application": application}, {"application": application}, {})):
        AccessToken.objects.create(token_checksum=f"{number:064}", expires=expires, **owner)
    stream = io.BytesIO()
    exporting.export_snapshot(stream, RULES[V23])
    assert [token["id"] for token in json.loads(stream.getvalue())["tokens"]] == [1, 2, 3, 4]
    Application.objects.all().delete()


def test_a_job_that_is_not_as_its_representation_says_is_named(mesh: str) -> None:
    UnifiedJob.objects.filter(pk=101).update(representation={"id": 101})
    UnifiedJob.objects.filter(pk=102).update(name="changed")
    with pytest.raises(SnapshotError) as error:
        exporting.export_snapshot(io.BytesIO(), RULES[V23])
    problems = str(error.value).splitlines()
    assert "unified_jobs[id 101].representation.created: is missing" in problems
    assert problems[-1].startswith("unified_jobs[id 102].representation.name: is ")
    assert problems[-1].endswith(', and "changed" in its column')


def test_a_mirror_is_exported_as_what_it_mirrors(mesh: str, tmp_path: Path, databases: tuple[str, str]) -> None:
    """With a warning, since what it knows beside its records is in no snapshot; what is newer than this is named."""
    make_mirror(version="24.6.1")
    before = rows(mesh, V24)
    printed, warned = io.StringIO(), io.StringIO()
    call_command("export_awx", str(tmp_path / "mirror.json"), stdout=printed, stderr=warned)
    assert "in the format of AWX 24.6.1." in printed.getvalue()
    assert "This is a mirror." in warned.getvalue()
    load(databases[1], tmp_path / "mirror.json")
    assert rows(databases[1], V24) == before
    assert figures(databases[1]) == figures(mesh)
    with transaction.atomic(), guard.allow_writes():
        Instance.objects.filter(pk=5).update(node_state="hibernating")
    with pytest.raises(CommandError, match=r'instances\[id 5\]\.node_state: "hibernating" is not one of'):
        call_command("export_awx", str(tmp_path / "new.json"))


def make_mirror(version: str) -> None:
    now = timezone.now()
    with transaction.atomic():
        Mirror.objects.create(url="https://awx.example.org", version=version, began=now, finished=now)
        guard.enable_guard()
