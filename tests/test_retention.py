"""What is removed once it is of no use any more, and what stays."""

import io
import logging
import random
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from oauth2_provider.models import AccessToken, Application, Grant, RefreshToken
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob, ProcrastinatePeriodicDefer
from pytest_django import DjangoDbBlocker

from instances import retention, tasks
from instances.models import Drain, LoginFailures, MeshInspection, Mirror, TokenNote, UnifiedJob, User
from instances.tokens import checksum
from tests.conftest import token_for
from tests.make import make_jobs
from tests.service import manage, new_database
from tests.test_counters import another_connection, counted, counted_kinds, recounted, recounted_kinds
from tests.test_worker import Database, until, working

KEPT = 30  # days for which the jobs of these tests stay
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
ENDED = ("successful", "failed", "error", "canceled")


@pytest.fixture(autouse=True)
def jobs_kept_days(settings: Any) -> None:
    settings.JOBS_KEPT_DAYS = KEPT


def owner() -> User:
    return User.objects.get_or_create(username="owner")[0]


def application() -> Application:
    return Application.objects.get_or_create(
        name="app", client_type="public", authorization_grant_type="authorization-code"
    )[0]


def make_session(number: int, end: datetime) -> Session:
    return Session.objects.create(session_key=f"session-{number}", session_data="", expire_date=end)


def make_token(number: int, end: datetime) -> AccessToken:
    """One with a description, which goes with it."""
    raw = token_for(owner(), expires=end)
    token = AccessToken.objects.get(token_checksum=checksum(raw))
    TokenNote.objects.create(token=token, description="of a script")
    return token


def make_grant(number: int, end: datetime) -> Grant:
    return Grant.objects.create(user=owner(), application=application(), code=f"{number}", expires=end, redirect_uri="")


def make_failures(number: int, end: datetime) -> LoginFailures:
    """Every second one of a name whose address was known until the same moment."""
    return LoginFailures.objects.create(
        name=f"{number}", address="", failures=1, until=end, known_until=end if number % 2 else None
    )


def make_background_job(status: str, end: datetime) -> ProcrastinateJob:
    """One that a worker deferred, began and ended, at the same moment."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args, status, attempts) "
            "VALUES ('default', 'any', 0, '{}', %s, 1) RETURNING id",
            [status],
        )
        (pk,) = cursor.fetchone()
        cursor.execute("INSERT INTO procrastinate_events (job_id, type) VALUES (%s, 'started')", [pk])
        cursor.execute("UPDATE procrastinate_events SET at = %s WHERE job_id = %s", [end, pk])
    return ProcrastinateJob.objects.get(pk=pk)


def make_inspection(number: int, end: datetime) -> MeshInspection:
    return MeshInspection.objects.create(inspector=f"control-{number}", began=end, watching_since=end)


def make_drain(number: int, end: datetime) -> Drain:
    return Drain.objects.create(
        hostname=f"node-{number}", reason="repair", began=end - DAY, was_enabled=True, ended_at=end, ended_how="done"
    )


def make_job(number: int, end: datetime) -> UnifiedJob:
    """Every third one without the time of its end; the others were modified since, as by a sync."""
    unknown = number % 3 == 0
    (job,) = make_jobs(
        1, status=ENDED[number % 4], finished=None if unknown else end, modified=end if unknown else timezone.now()
    )
    return job


# Of each kind: how a row is made that ended at a moment, and how long it stays after that.
MADE: dict[str, tuple[Callable[[int, datetime], Any], timedelta]] = {
    "sessions": (make_session, timedelta()),
    "access tokens": (make_token, timedelta()),
    "grants": (make_grant, timedelta()),
    "login failures": (make_failures, timedelta()),
    "background jobs": (
        lambda number, end: make_background_job(("succeeded", "cancelled", "aborted")[number % 3], end),
        retention.DONE_FOR,
    ),
    "failed background jobs": (lambda number, end: make_background_job("failed", end), retention.FAILED_FOR),
    "mesh inspections": (make_inspection, retention.SILENT_FOR),
    "drains": (make_drain, retention.DRAINS_STORED),
    "jobs": (make_job, KEPT * DAY),
}
WITHOUT_END = {"refresh tokens"}


def run(*arguments: str) -> list[str]:
    output = io.StringIO()
    call_command("cleanup", *arguments, stdout=output)
    return output.getvalue().splitlines()


def test_all_kinds_are_tried(db: None) -> None:
    assert {expiry.name for expiry in retention.expiries()} == MADE.keys() | WITHOUT_END


@pytest.mark.django_db
@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("seed", [1, 2])
def test_of_each_kind_what_ended_too_long_ago_is_removed_and_nothing_else(name: str, seed: int) -> None:
    make, stays = MADE[name]
    now, chance = timezone.now(), random.Random(seed)
    ages = [SECOND, *(timedelta(seconds=chance.uniform(1, 1e7)) for _ in range(8))]
    expired = [make(number, now - stays - age) for number, age in enumerate(ages)]
    fresh = [make(100 + number, now - stays + 60 * age) for number, age in enumerate(ages)]
    before = retention.count(now)
    assert before[name] == len(expired)
    assert retention.cleanup(now) == before
    model = type(fresh[0])
    assert set(model._base_manager.values_list("pk", flat=True)) == {row.pk for row in fresh}
    assert retention.cleanup(now)[name] == 0


@pytest.mark.django_db
def test_active_jobs_of_any_age_stay() -> None:
    long_ago = timezone.now() - 4000 * DAY
    for status in UnifiedJob.Status:
        make_jobs(1, status=status, created=long_ago, modified=long_ago)
    retention.cleanup()
    left = set(UnifiedJob.objects.values_list("status", flat=True))
    assert left == set(UnifiedJob.Status.values) - set(ENDED)


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["todo", "doing"])
def test_background_jobs_that_have_not_ended_stay(status: str) -> None:
    make_background_job(status, timezone.now() - 4000 * DAY)
    retention.cleanup()
    assert ProcrastinateJob.objects.get().status == status


@pytest.mark.django_db
def test_events_go_with_their_background_job_and_the_time_of_a_periodic_one_need_not_stay() -> None:
    job = make_background_job("succeeded", timezone.now() - 2 * DAY)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_periodic_defers (task_name, defer_timestamp, job_id) VALUES ('any', 1, %s)",
            [job.pk],
        )
    retention.cleanup()
    assert not ProcrastinateEvent.objects.exists()
    assert not ProcrastinatePeriodicDefer.objects.filter(job=job.pk).exists()


@pytest.mark.django_db
def test_an_address_that_is_known_outlives_its_failures() -> None:
    now = timezone.now()
    LoginFailures.objects.create(name="a", address="b", until=now - DAY, known_until=now + DAY)
    retention.cleanup()
    assert LoginFailures.objects.exists()


@pytest.mark.django_db
def test_a_token_that_can_be_renewed_stays_and_orphans_go() -> None:
    """The owner of a refresh token may come back at any time; a revoked one shows that somebody else has it, too."""
    now = timezone.now()
    expired = make_token(1, now - DAY)

    def refresh(token: str, **values: Any) -> None:
        RefreshToken.objects.create(user=owner(), application=application(), token=token, **values)

    refresh("of the token", access_token=expired)
    refresh("orphan")
    refresh("revoked", revoked=now - DAY)
    assert retention.cleanup(now)["refresh tokens"] == 1
    assert AccessToken.objects.get() == expired
    assert set(RefreshToken.objects.values_list("token", flat=True)) == {"of the token", "revoked"}


# --- jobs stay by default, and in a mirror


@pytest.mark.django_db
def test_jobs_stay_unless_a_number_of_days_is_set(settings: Any) -> None:
    make_job(1, timezone.now() - 4000 * DAY)
    settings.JOBS_KEPT_DAYS = 0
    assert "jobs" not in retention.cleanup()
    assert UnifiedJob.objects.exists()
    assert "they stay, as JOBS_KEPT_DAYS is not set" in "\n".join(run())


@pytest.mark.django_db
def test_the_jobs_of_a_mirror_are_its_awx_s() -> None:
    now = timezone.now()
    make_job(1, now - 4000 * DAY)
    make_session(1, now - DAY)
    Mirror.objects.create(url="https://awx.example.org", version="23.6.0", began=now, finished=now)
    lines = run()
    assert UnifiedJob.objects.exists()
    assert not Session.objects.exists()
    assert "the mirrored AWX decides" in "\n".join(lines)


# --- batches


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["sessions", "jobs"])
def test_each_batch_is_a_transaction_of_its_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows are gone for others before the next batch begins."""
    monkeypatch.setattr(retention, "BATCH", 3)
    make, stays = MADE[name]
    now = timezone.now()
    rows = [make(number, now - stays - DAY) for number in range(8)]
    (expiry,) = (each for each in retention.expiries() if each.name == name)
    count = f"SELECT count(*) FROM {rows[0]._meta.db_table}"
    with another_connection() as other:
        left = [(number, other.execute(count).fetchone()) for number in expiry.remove(now)]
    assert left == [(3, (5,)), (3, (2,)), (2, (0,))]


@pytest.mark.django_db(transaction=True)
def test_rows_that_somebody_has_locked_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without waiting for them; and the others follow."""
    monkeypatch.setattr(retention, "BATCH", 3)
    now = timezone.now()
    for number in range(8):
        make_session(number, now - DAY)
    with another_connection() as other, connection.cursor() as cursor:
        other.execute("BEGIN; UPDATE django_session SET expire_date = now() + '1 day' WHERE session_key = 'session-1'")
        cursor.execute("SET lock_timeout = '5s'")
        assert retention.cleanup(now)["sessions"] == 7
        cursor.execute("RESET lock_timeout")
        other.execute("COMMIT")
    assert Session.objects.get().session_key == "session-1"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_counters_agree_whatever_else_changes_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four writers insert, change and delete jobs while 2,000 old ones are removed."""
    monkeypatch.setattr(retention, "BATCH", 50)
    now = timezone.now()
    for node in ("exec-1", "exec-2"):
        make_jobs(1000, execution_node=node, controller_node="control-1", finished=now - (KEPT + 1) * DAY)
    is_over, errors = threading.Event(), []

    def write(number: int) -> None:
        chance = random.Random(number)
        try:
            with another_connection() as writer:
                while not is_over.is_set():
                    first = chance.randint(1, 2000)
                    ids = [first, first + chance.randint(0, 20)]
                    with writer.transaction():
                        writer.execute(
                            "WITH mine AS (SELECT id FROM instances_unifiedjob WHERE id BETWEEN %s AND %s "
                            "ORDER BY id FOR UPDATE SKIP LOCKED) UPDATE instances_unifiedjob SET execution_node = %s, "
                            "finished = %s, status = %s WHERE id IN (SELECT id FROM mine)",
                            [
                                *ids,
                                chance.choice(("exec-1", "exec-2", "")),
                                chance.choice((now, now - (KEPT + 2) * DAY)),
                                chance.choice(UnifiedJob.Status.values),
                            ],
                        )
        except Exception as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for writer in writers:
        writer.start()
    removed = sum(retention.cleanup(now)["jobs"] for _ in range(3))
    is_over.set()
    for writer in writers:
        writer.join()
    assert errors == []
    assert removed + UnifiedJob.objects.count() == 2000
    assert removed > 500
    assert counted() == recounted()
    assert counted_kinds() == recounted_kinds()
    call_command("verify_counters")
    retention.cleanup(now)
    assert not retention.ended_jobs(now).exists()


# --- the command and the daily job


@pytest.mark.django_db
def test_a_dry_run_counts_the_same_and_removes_nothing() -> None:
    now = timezone.now()
    for make, stays in MADE.values():
        for number in range(3):
            make(number, now - stays - DAY)
    before = retention.count(timezone.now())
    lines = run("--dry-run")
    assert lines[-1] == "Nothing was removed: this was a dry run."
    assert lines[:-1] == [f"{number:>12,} {name}" for name, number in before.items()]
    assert retention.count(timezone.now()) == before
    assert run() == [*lines[:-1], "These rows were removed."]
    assert set(retention.count(timezone.now()).values()) == {0}


@pytest.mark.django_db
def test_the_daily_job_logs_its_numbers_once(caplog: pytest.LogCaptureFixture) -> None:
    now = timezone.now()
    Session.objects.bulk_create(
        Session(session_key=f"{number}", session_data="", expire_date=now - DAY) for number in range(1200)
    )
    make_inspection(1, now - 40 * DAY)
    with caplog.at_level(logging.INFO, "instances.tasks"):
        tasks.cleanup(0)
        tasks.cleanup(0)
    assert [record.getMessage() for record in caplog.records] == [
        "The daily cleanup removed: 1,200 sessions, 1 mesh inspections.",
        "The daily cleanup removed: nothing.",
    ]


def test_it_is_queued_once_a_day() -> None:
    (periodic,) = (each for each in app.periodic_registry.periodic_tasks.values() if each.task.name == "cleanup")
    minute, hour, *others = periodic.cron.split()
    assert minute.isdecimal()
    assert hour.isdecimal()
    assert others == ["*", "*", "*"]


@pytest.mark.django_db(transaction=True)
def test_what_was_removed_before_an_interruption_stays_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a later run removes the rest."""
    monkeypatch.setattr(retention, "BATCH", 3)
    now = timezone.now()
    for number in range(8):
        make_session(number, now - DAY)

    def interrupt(number: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        retention.cleanup(now, interrupt)
    assert Session.objects.count() == 5
    assert retention.cleanup(now)["sessions"] == 5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cleanup", "tidy"])
def test_a_worker_removes_jobs_under_each_name_of_the_task(
    name: str, dataset_template: str, django_db_blocker: DjangoDbBlocker
) -> None:
    """Also under the one by which workers of earlier versions queued it. The recorded jobs are of 2023."""
    queue = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args, status, attempts) "
        "VALUES ('default', %s, 0, '{\"timestamp\": 0}', 'todo', 0)"
    )
    with django_db_blocker.unblock(), new_database(dataset_template) as url:
        database = Database(url)
        active = "SELECT count(*) FROM instances_unifiedjob WHERE status IN ('new', 'pending', 'waiting', 'running')"
        number = database.one(active)
        with database.connection:
            database.connection.execute(queue, [name])
            with working(url, JOBS_KEPT_DAYS="1"):
                until(lambda: database.job(name, status="succeeded"))
            assert database.one("SELECT count(*) FROM instances_unifiedjob") == number == database.one(active)
        assert "All counters agree" in manage(url, "verify_counters").stdout
