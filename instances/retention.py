"""What is removed once it is of no use any more: by a daily job of the worker, and by ``manage.py cleanup``.

The rows of a kind are deleted in the order of their keys, BATCH of them in a transaction, so that no lock is held for
long. Rows that others have locked are left for the next time. The counters of jobs follow by their triggers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from oauth2_provider.models import AccessToken, Grant, RefreshToken
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob

from instances import guessing
from instances.groups import UNFINISHED
from instances.locking import set_statement_timeout
from instances.mirror import guard
from instances.models import Drain, LoginFailures, MeshInspection, UnifiedJob

BATCH = 1_000  # rows
LONGEST = 600  # seconds for a statement: the last one passes over all rows that stay
DONE_FOR = timedelta(days=1)  # for which the administration shows a background job that succeeded or was given up
FAILED_FOR = timedelta(days=30)  # likewise one that failed
DRAINS_STORED = timedelta(days=365)  # after they ended
SILENT_FOR = timedelta(days=30)  # after which a worker without any inspection is gone for good

Rows = QuerySet[Any]


@dataclass(frozen=True)
class Expiry:
    """A kind of rows, and which of them may be removed at a time."""

    name: str  # in the plural
    rows: Callable[[datetime], Rows]

    def remove(self, now: datetime) -> Iterator[int]:
        """Delete the rows; yields how many each transaction deleted."""
        last: Any = None
        while True:
            with transaction.atomic():
                set_statement_timeout(LONGEST)
                rows = self.rows(now) if last is None else self.rows(now).filter(pk__gt=last)
                found = rows.order_by("pk").select_for_update(skip_locked=True).values_list("pk", flat=True)
                batch = list(found[:BATCH])
                rows.model._base_manager.filter(pk__in=batch).delete()
            if batch:
                yield len(batch)
            if len(batch) < BATCH:
                return
            last = batch[-1]


# --- which rows


def ended_sessions(now: datetime) -> Rows:
    return Session.objects.filter(expire_date__lt=now)


def expired_tokens(now: datetime) -> Rows:
    """Access tokens that nobody can renew. django-oauth-toolkit's ``clear_expired`` does the same, without numbers."""
    renewable = Exists(RefreshToken.objects.filter(access_token=OuterRef("pk")))
    tokens: Rows = AccessToken.objects.filter(~renewable, expires__lt=now)
    return tokens


def orphaned_refresh_tokens(now: datetime) -> Rows:
    """Those whose access token was deleted: they must bring no other. By revoked ones, which stay, reuse is noticed."""
    tokens: Rows = RefreshToken.objects.filter(revoked=None, access_token=None)
    return tokens


def expired_grants(now: datetime) -> Rows:
    grants: Rows = Grant.objects.filter(expires__lt=now)
    return grants


def past_login_failures(now: datetime) -> Rows:
    """By the clock of the database, as logins count them."""
    return LoginFailures.objects.filter(guessing.is_past())


def background_jobs(ended_before: datetime, *statuses: str) -> Rows:
    """The background jobs with one of ``statuses`` to which nothing happened since ``ended_before``."""
    since = ProcrastinateEvent.objects.filter(job=OuterRef("pk"), at__gte=ended_before)
    return ProcrastinateJob.objects.filter(~Exists(since), status__in=statuses)


def done_background_jobs(now: datetime) -> Rows:
    return background_jobs(now - DONE_FOR, "succeeded", "cancelled", "aborted")


def failed_background_jobs(now: datetime) -> Rows:
    return background_jobs(now - FAILED_FOR, "failed")


def old_inspections(now: datetime) -> Rows:
    """The last inspections by workers that are gone: each has a row, under the name of its node."""
    return MeshInspection.objects.filter(began__lt=now - SILENT_FOR)


def ended_drains(now: datetime) -> Rows:
    return Drain.objects.filter(ended_at__lt=now - DRAINS_STORED)


def ended_jobs(now: datetime) -> Rows:
    """Jobs that ended more than JOBS_KEPT_DAYS ago; where AWX does not say when, they were modified then."""
    jobs: Rows = UnifiedJob.objects.exclude(status__in=UNFINISHED).annotate(ended=Coalesce("finished", "modified"))
    return jobs.filter(ended__lt=now - timedelta(days=settings.JOBS_KEPT_DAYS))


ALWAYS = (
    Expiry("sessions", ended_sessions),
    Expiry("access tokens", expired_tokens),
    Expiry("refresh tokens", orphaned_refresh_tokens),
    Expiry("grants", expired_grants),
    Expiry("login failures", past_login_failures),
    Expiry("background jobs", done_background_jobs),
    Expiry("failed background jobs", failed_background_jobs),
    Expiry("mesh inspections", old_inspections),
    Expiry("drains", ended_drains),
)
ENDED_JOBS = Expiry("jobs", ended_jobs)


def expiries() -> tuple[Expiry, ...]:
    """What is removed here. A mirror has the jobs of its AWX, which decides what is removed there."""
    removes_jobs = settings.JOBS_KEPT_DAYS and guard.current() is None
    return (*ALWAYS, ENDED_JOBS) if removes_jobs else ALWAYS


# --- removing them


def count(now: datetime) -> dict[str, int]:
    """How many rows of each kind could be removed."""
    return {expiry.name: expiry.rows(now).count() for expiry in expiries()}


def cleanup(now: datetime | None = None, progress: Callable[[int], object] = lambda number: None) -> dict[str, int]:
    """Remove all that can be removed; return how many rows of each kind. ``progress`` is called with each batch's."""
    now = now or timezone.now()
    removed = {}
    for expiry in expiries():
        removed[expiry.name] = 0
        for number in expiry.remove(now):
            removed[expiry.name] += number
            progress(number)
    return removed


def summary(counts: dict[str, int]) -> str:
    """The counts in words, without the kinds that have none."""
    return ", ".join(f"{number:,} {name}" for name, number in counts.items() if number) or "nothing"
