"""The jobs that have ended, copied page by page in the order of their ids, so that a copy can go on where it stopped.

Each page is a transaction of its own. It moves jobs from a baseline into the table: no figure changes by it.
"""

from django.db import transaction

from instances.mirror import baseline, guard
from instances.mirror.differences import Count, by_id, remove, write
from instances.mirror.records import JOBS, Record, job_rows
from instances.models import InstanceGroup, Mirror, UnifiedJob
from instances.primary import rows_of
from instances.snapshot.problems import Problems


def copied_to() -> int:
    """The id up to which every job is here."""
    mirror = guard.current()
    return 0 if mirror is None else mirror.copied_to


def go_on_after(pk: int) -> None:
    """Let the next page be that of the jobs above this id."""
    rows_of(Mirror).update(copied_to=pk)


def kept(up_to: int) -> int:
    """How many jobs there are up to that id."""
    return rows_of(UnifiedJob).filter(pk__lte=up_to).count()


def write_page(jobs: list[Record], up_to: int | None = None) -> Count:
    """Let the jobs above those copied already be exactly ``jobs``, in order of ids, as far as the last, or ``up_to``.

    Jobs beyond, of which AWX said that they have not ended, stay.
    """
    problems = Problems()
    with transaction.atomic(), guard.writing(), baseline.unmoved():
        rows = job_rows(jobs, set(rows_of(InstanceGroup).values_list("pk", flat=True)), problems)
        problems.refuse()
        last = rows[-1]["id"] if up_to is None else up_to
        difference = by_id(rows, rows_of(UnifiedJob).filter(pk__gt=copied_to(), pk__lte=last))
        remove(JOBS, difference)
        write(JOBS, difference)
        go_on_after(last)
    return difference.count
