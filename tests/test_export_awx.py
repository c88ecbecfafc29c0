"""``manage.py export_awx``: what it writes ``import_awx`` reads, and the records are then the same."""

import io
import json
import re
import stat
import subprocess
import sys
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
from pytest_django import DjangoDbBlocker

from instances import not_shown, tokens
from instances.database import consistent_read
from instances.mirror import guard
from instances.models import Instance, Mirror, ReceptorAddress, UnifiedJob, User
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
    "instances_instancegrouprole": "- 'id'",
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
    assert {response.status_code for response in responses.values()} == {200}
    return {path: re.sub(PASSING, "", response.text) for path, response in responses.items()}


def add_what_only_this_service_has() -> None:
    """Tokens that were issued here, and users as they are after a while."""
    for number, user in enumerate(User.objects.order_by("pk")):
        tokens.issue(user, "read", "" if number else "of the “dashboard”")
    now = timezone.now()
    User.objects.filter(pk=User.objects.earliest("pk").pk).update(last_login=now)
    tokens.AccessToken.objects.filter(scope="read").update(expires=now, created=now - timedelta(days=9))
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
        assert tokens.AccessToken.objects.count() == 8
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
