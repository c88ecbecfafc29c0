"""Copying the jobs that have ended, page by page in the order of their ids, so that a copy can be resumed.

Each page is a transaction of its own. Its jobs move from the baselines into the table, so that no total changes.
"""

from django.db import transaction
from django.db.models import QuerySet

from instances.groups import UNFINISHED
from instances.mirror import baseline, guard
from instances.mirror.differences import Count, by_id, exchange, remove, write
from instances.mirror.jobs import Record, Values, job_rows
from instances.mirror.left_out import KINDS, MOST_NAMED, log
from instances.mirror.reported import JOBS
from instances.models import InstanceGroup, LeftOutJob, Mirror, UnifiedJob
from instances.snapshot.tables import Table, columns

ALL = "all jobs"
ENDED = "jobs that have ended"
LEFT_OUT_JOBS = Table(LeftOutJob, columns(LeftOutJob))


def copied_to() -> int:
    """The id up to which all jobs were copied."""
    mirror = guard.current()
    return 0 if mirror is None else mirror.copied_to


def set_copied_to(pk: int) -> None:
    """Store that all jobs up to this id were copied."""
    Mirror.objects.update(copied_to=pk)


def count_copied(up_to: int) -> int:
    """How many stored jobs have an id up to this one."""
    return UnifiedJob.objects.filter(pk__lte=up_to).count()


def count_read(up_to: int) -> int:
    """How many jobs with an id up to this one were read: the stored ones, and those that were left out."""
    return count_copied(up_to) + LeftOutJob.objects.filter(pk__lte=up_to).count()


def write_page(jobs: list[Record], up_to: int | None = None) -> Count:
    """Make the stored jobs above ``copied_to()``, as far as the last of ``jobs`` or ``up_to``, equal to ``jobs``.

    ``jobs`` are ordered by id. Stored jobs with higher ids, which AWX reported as not ended, stay.
    """
    with transaction.atomic(), guard.allow_writes(), baseline.preserve_totals():
        rows, left_out = job_rows(jobs, set(InstanceGroup.objects.values_list("pk", flat=True)))
        last = jobs[-1]["id"] if up_to is None else up_to
        page = {"pk__gt": copied_to(), "pk__lte": last}
        difference = by_id(rows, UnifiedJob.objects.filter(**page))
        remove(JOBS, difference)
        write(JOBS, difference)
        write_left_out(jobs, rows, LeftOutJob.objects.filter(**page))
        set_copied_to(last)
        if mirror := guard.current():
            Mirror.objects.update(left_out={**mirror.left_out, **count_left_out()})
    log(left_out)
    return difference.count


# --- the jobs that are left out


def store_left_out(jobs: list[Record], rows: list[Values]) -> None:
    """Store which of ``jobs`` have no row, as far as jobs were copied: they count as read, and may fit once ended."""
    copied = [job for job in jobs if job["id"] <= copied_to()]
    write_left_out(copied, rows, LeftOutJob.objects.filter(pk__in=[job["id"] for job in copied]))


def write_left_out(jobs: list[Record], rows: list[Values], stored: "QuerySet[LeftOutJob]") -> None:
    """Make the rows ``stored`` equal to those of ``jobs`` that have no row in ``rows``."""
    with_row = {row["id"] for row in rows}
    wanted = [
        {"id": job["id"], "ended": job["representation"].get("status") not in UNFINISHED}
        for job in jobs
        if job["id"] not in with_row
    ]
    exchange(LEFT_OUT_JOBS, by_id(wanted, stored))


def count_left_out() -> dict[str, int]:
    """How many of all jobs are left out, in the form of ``Mirror.left_out``."""
    return {ALL: LeftOutJob.objects.count()}


def left_out_by_kind(mirror: Mirror) -> dict[str, int]:
    """How many records of the last sync, and ended jobs, are left out, for each kind that has any. One query.

    A job that has not ended is among the jobs of the last sync, wherever else it is counted.
    """
    numbers = {kind: mirror.left_out.get(kind, 0) for kind in KINDS}
    numbers[ENDED] = LeftOutJob.objects.filter(ended=True).count()
    return {kind: number for kind, number in numbers.items() if number}


def number_left_out(mirror: Mirror) -> int:
    """How many records are left out. One query."""
    return sum(left_out_by_kind(mirror).values())


def left_out_names(mirror: Mirror) -> list[str]:
    """A line for each of the first of these records; the reasons of ended jobs were logged when they were read."""
    ended = LeftOutJob.objects.filter(ended=True).order_by("pk").values_list("pk", flat=True)[:MOST_NAMED]
    return [*map(str, mirror.left_out_names), *(f"job {pk}, which has ended, is left out." for pk in ended)]


def left_out_unfinished() -> list[int]:
    """The ids of the jobs that were left out before they had ended."""
    return list(LeftOutJob.objects.filter(ended=False).order_by("pk").values_list("pk", flat=True))


def delete_left_out() -> None:
    LeftOutJob.objects.all().delete()
