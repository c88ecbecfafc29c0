"""One sync: reading AWX, then writing what it told."""

import threading
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone

from awx_compat.awx_client.client import Access, Source
from awx_compat.awx_client.copying import EndedJobs
from awx_compat.awx_client.errors import SourceError
from awx_compat.awx_client.limits import Limits
from awx_compat.awx_client.reading import Announce, AWXReader
from instances.mirror import history, writing
from instances.mirror.baseline import ImpactError
from instances.mirror.guard import sync_lock
from instances.mirror.writing import Counts, OccupiedError, Plan
from instances.snapshot import SnapshotError


@dataclass(frozen=True)
class Sync:
    """How to read which AWX, and what to make of it here."""

    access: Access
    plan: Plan
    stopping: threading.Event
    announce: Announce
    concurrency: int = 1
    pause: float = 1.0  # seconds, at first, before a request is tried again

    def run(self) -> Counts:
        """Make this service tell what AWX tells; how many records of each kind there are, and what changed.

        Raises SyncRunningError, OccupiedError, SnapshotError, ImpactError, SourceError or StoppedError: then nothing is
        changed, but for whole pages of jobs that have ended.
        """
        with sync_lock():
            try:
                return self.read_and_write()
            except (SourceError, SnapshotError, ImpactError, OccupiedError) as error:
                writing.store_failure(str(error))
                raise

    def read_and_write(self) -> Counts:
        writing.refuse_if_occupied(self.plan)
        keeps_ended = writing.copies_all_jobs(self.plan)
        began = timezone.now()
        limits = Limits(settings.MIRROR_MAX_RECORDS, settings.MIRROR_MAX_BYTES, settings.MIRROR_MAX_SECONDS)
        with Source(self.access, self.stopping, limits, self.pause) as source:
            reader = AWXReader(source, self.announce, self.concurrency)
            records = reader.records(writing.unfinished(self.plan))
            counts = writing.write_records(self.plan, records, began)
            if keeps_ended:
                counts[history.ALL] = EndedJobs(reader, self.plan.every).copy()
        return counts
