"""The jobs that have ended, copied page by page in the order of their ids, so that a copy can go on where it stopped.

Each page is a transaction of its own. It moves jobs from a baseline into the table: no figure changes by it.
"""

from django.db import transaction

from instances.mirror import baseline, guard
from instances.mirror.differences import Count, by_id, remove, write
from instances.mirror.records import JOBS, Record, job_rows
from instances.models import InstanceGroup, Mirror, UnifiedJob
from instances.snapshot.database import rows_of
from instances.snapshot.problems import Problems


def copied_to() -> int:
    """The id up to which every job is here."""
    return Mirror.objects.get().copied_to


def restart() -> None:
    """Let the next copy begin anew: AWX has removed jobs that are here."""
    Mirror.objects.update(copied_to=0)


def kept(up_to: int) -> int:
    """How many jobs there are up to that id."""
    return rows_of(UnifiedJob).filter(pk__lte=up_to).count()


def write_page(jobs: list[Record]) -> Count:
    """Let the jobs from the one after the last page's to the last of these be exactly ``jobs``, in order of ids."""
    problems = Problems()
    with transaction.atomic(), guard.writing(), baseline.unmoved():
        rows = job_rows(jobs, set(rows_of(InstanceGroup).values_list("pk", flat=True)), problems)
        problems.refuse()
        last = rows[-1]["id"]
        difference = by_id(rows, rows_of(UnifiedJob).filter(pk__gt=copied_to(), pk__lte=last))
        remove(JOBS, difference)
        write(JOBS, difference)
        Mirror.objects.update(copied_to=last)
    return difference.count
