"""Copies the jobs that have ended, of which an AWX may have millions: for a limited time in each sync."""

import time

from awx_compat.awx_client.reading import AWXReader
from instances.mirror import history
from instances.mirror.differences import Count
from instances.mirror.jobs import Record


class EndedJobs:
    """Copies from ``reader``; where ``seconds`` are given, it stops after the page at which they are over."""

    def __init__(self, reader: AWXReader, seconds: float | None = None) -> None:
        self.reader = reader
        self.until = None if seconds is None else time.monotonic() + seconds
        self.counts: list[Count] = []

    def copy(self) -> Count:
        """Copy the jobs that are not here yet, and delete those that AWX has deleted. Returns the counts."""
        end = history.copied_to()
        if not self.agrees(end):
            self.recopy(end)
        for jobs in self.reader.ended_jobs(history.copied_to()):
            self.write(jobs)
            if self.is_late:
                break
        return Count(
            total=history.count_copied(history.copied_to()),
            new=sum(count.new for count in self.counts),
            changed=sum(count.changed for count in self.counts),
            gone=sum(count.gone for count in self.counts),
        )

    def agrees(self, up_to: int) -> bool:
        """Whether AWX has as many jobs with ids up to ``up_to`` as were read."""
        return self.reader.count_jobs(up_to) == history.count_read(up_to)

    def recopy(self, end: int) -> None:
        """Copy again from the first job up to ``end`` that differs from AWX, until the counts agree.

        A binary search finds that job. As AWX deletes its oldest jobs, one page often covers all that were deleted.
        """
        low, high = 0, end
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.agrees(middle) else (low, middle)
        history.set_copied_to(low)
        for jobs in self.reader.ended_jobs(low):
            self.write(jobs)
            if self.agrees(end):
                history.set_copied_to(max(end, history.copied_to()))
                return
            if self.is_late:
                return
        if history.copied_to() < end:
            self.write([], up_to=end)

    def write(self, jobs: list[Record], up_to: int | None = None) -> None:
        self.counts.append(history.write_page(jobs, up_to))

    @property
    def is_late(self) -> bool:
        """Whether the time is over."""
        return self.until is not None and time.monotonic() > self.until
