"""Dumps of databases of this service, as one text of SQL that a database reads in one statement."""

import re
from datetime import timedelta

import psycopg
from django.contrib.sessions.models import Session
from django.utils import timezone

from instances import tasks
from instances.models import (
    Condition,
    Instance,
    LoginFailures,
    MeshInspection,
    NodeHealth,
    NodeToken,
    UnifiedJob,
    User,
)
from tests.conftest import token_for
from tests.make import record_bundle
from tests.postgresql import run_program
from tests.service import PROJECT

RELEASES = PROJECT / "tests" / "releases"
MIGRATIONS = sorted(path.stem for path in (PROJECT / "instances" / "migrations").glob("0*.py"))
JOBS = 24  # that a dump has, so that it stays small


def fill() -> None:
    """Add to the recorded AWX's records a row of each kind that only this service stores."""
    now = timezone.now()
    node = Instance.objects.get(pk=5)
    token_for(User.objects.get(username="auditor"))
    record_bundle(node)
    tasks.queue_policies()
    Session.objects.create(session_key="a" * 32, session_data="data", expire_date=now + timedelta(days=1))
    LoginFailures.objects.create(name="a" * 64, address="192.0.2.7", failures=3, until=now)
    MeshInspection.objects.create(inspector="control-1", began=now, watching_since=now)
    NodeHealth.objects.create(instance=node, sighted=now, disabled_reason="a new disk")
    NodeToken.objects.create(instance=node, checksum="0" * 64)
    Condition.objects.create(instance=node, type="Seen", status="True", reason="NodeSeen", last_transition=now)


def remove_jobs() -> None:
    """Let JOBS remain."""
    UnifiedJob.objects.filter(pk__in=UnifiedJob.objects.order_by("pk").values("pk")[JOBS:]).delete()


def dump(url: str) -> str:
    """The database as INSERT statements, without commands of psql and without the settings that come first."""
    text = run_program("pg_dump", "--inserts", "--no-owner", "--no-privileges", url)
    statements = text[text.index("\nCREATE ") :]
    return re.sub(r"^\\(un)?restrict .*\n", "", statements, flags=re.MULTILINE)


def load(url: str, text: str) -> None:
    """Write what ``dump()`` returned into the empty database at ``url``."""
    with psycopg.connect(url) as database:
        database.execute("SET LOCAL check_function_bodies = false")  # functions stand before their tables there
        database.execute(text.encode())
