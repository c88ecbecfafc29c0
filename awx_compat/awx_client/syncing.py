"""One sync: reads AWX, then writes its records here."""

import threading
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone

from awx_compat.awx_client import draining
from awx_compat.awx_client.client import Access, Source
from awx_compat.awx_client.copying import EndedJobs
from awx_compat.awx_client.errors import SourceError
from awx_compat.awx_client.limits import Limits
from awx_compat.awx_client.reading import AWXReader, OnProgress
from instances import drains
from instances.mirror import history, writing
from instances.mirror.baseline import ImpactError
from instances.mirror.guard import sync_lock
from instances.mirror.spoken import NotShownError
from instances.mirror.writing import Counts, OccupiedError, Plan
from instances.snapshot import SnapshotError


@dataclass(frozen=True)
class Sync:
    """One AWX, how to read it, and how to write its records here."""

    access: Access
    plan: Plan
    stopping: threading.Event
    on_progress: OnProgress
    concurrency: int = 1
    pause: float = 1.0  # seconds, at first, before a request is tried again

    def run(self) -> Counts:
        """Copy AWX's records. Returns how many records of each kind there are, and how many changed.

        Raises SyncRunningError, OccupiedError, SnapshotError, ImpactError, NotShownError, SourceError or StoppedError.
        Then nothing is changed but by complete pages of jobs that have ended.
        """
        with sync_lock():
            try:
                return self.read_and_write()
            except (SourceError, SnapshotError, ImpactError, NotShownError, OccupiedError) as error:
                writing.store_failure(str(error))
                raise

    def read_and_write(self) -> Counts:
        writing.refuse_if_occupied(self.plan)
        copies_all = writing.copies_all_jobs(self.plan)
        began = timezone.now()
        limits = Limits(settings.MIRROR_MAX_RECORDS, settings.MIRROR_MAX_BYTES, settings.MIRROR_MAX_SECONDS)
        with Source(self.access, self.stopping, limits, self.pause) as source:
            draining.send_changes(source, self.access, self.plan.url, limits)
            reader = AWXReader(source, self.on_progress, self.concurrency)
            records = reader.records(writing.unfinished(self.plan))
            counts = writing.write_records(self.plan, records, began)
            drains.advance_all()
            if copies_all:
                counts[history.ALL] = EndedJobs(reader, self.plan.every).copy()
        return counts
