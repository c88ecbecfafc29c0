"""The limits of one sync, and how much it has read."""

import threading
import time
from dataclasses import dataclass

from awx_compat.awx_client.errors import LimitError


@dataclass(frozen=True)
class Limits:
    """The most that one sync reads: records, bytes (decompressed) and seconds. The settings are MIRROR_MAX_…"""

    records: int
    bytes: int
    seconds: int


class Meter:
    """Counts what one sync reads of the AWX at ``host``. Raises LimitError where that is more than ``limits``."""

    def __init__(self, host: str, limits: Limits) -> None:
        self.host = host
        self.limits = limits
        self.until = time.monotonic() + limits.seconds
        self.lock = threading.Lock()  # several requests may run at the same time
        self.reset_counts()

    def reset_counts(self) -> None:
        """Count from 0, as what was read so far has left the memory. The time is not reset."""
        self.records = self.bytes = 0

    def add_bytes(self, number: int) -> None:
        with self.lock:
            self.bytes += number
        self.check_limit(self.limits.bytes, self.bytes, "bytes", "MIRROR_MAX_BYTES")

    def add_records(self, number: int) -> None:
        with self.lock:
            self.records += number
        self.check_limit(self.limits.records, self.records, "records", "MIRROR_MAX_RECORDS")

    def expect_records(self, number: int) -> None:
        """Raise LimitError for a list of so many records before they are read."""
        self.check_limit(self.limits.records, number, "records", "MIRROR_MAX_RECORDS")

    def check_time(self) -> None:
        """Raise LimitError if the sync has taken too long."""
        if time.monotonic() > self.until:
            limit = f"{self.limits.seconds:,} seconds, the most that a sync may take (MIRROR_MAX_SECONDS)"
            raise LimitError(f"{self.host} could not be read within {limit}.")

    def check_limit(self, most: int, number: int, what: str, setting: str) -> None:
        if number > most:
            raise LimitError(f"{self.host} has more than {most:,} {what}, the most that a sync reads ({setting}).")
