"""The most that one sync reads, and what it has read."""

import threading
import time
from dataclasses import dataclass

from awx_compat.awx_client.errors import LimitError


@dataclass(frozen=True)
class Limits:
    """The most that one sync reads: records, bytes (unpacked) and seconds; settings name them MIRROR_MAX_…"""

    records: int
    bytes: int
    seconds: int


class Meter:
    """What one sync has read of the AWX at ``host``, from now on. Raises LimitError where that becomes too much."""

    def __init__(self, host: str, limits: Limits) -> None:
        self.host = host
        self.limits = limits
        self.until = time.monotonic() + limits.seconds
        self.lock = threading.Lock()  # several requests may be under way
        self.start_again()

    def start_again(self) -> None:
        """What was read so far is no longer held in memory; the time goes on."""
        self.records = self.bytes = 0

    def add_bytes(self, number: int) -> None:
        with self.lock:
            self.bytes += number
        self.refuse_more_than(self.limits.bytes, self.bytes, "bytes", "MIRROR_MAX_BYTES")

    def add_records(self, number: int) -> None:
        with self.lock:
            self.records += number
        self.refuse_more_than(self.limits.records, self.records, "records", "MIRROR_MAX_RECORDS")

    def expect_records(self, number: int) -> None:
        """So many are promised: too many need not be read to be refused."""
        self.refuse_more_than(self.limits.records, number, "records", "MIRROR_MAX_RECORDS")

    def look_at_time(self) -> None:
        if time.monotonic() > self.until:
            limit = f"{self.limits.seconds:,} seconds, the most that a sync may take (MIRROR_MAX_SECONDS)"
            raise LimitError(f"{self.host} could not be read within {limit}.")

    def refuse_more_than(self, most: int, number: int, what: str, setting: str) -> None:
        if number > most:
            raise LimitError(f"{self.host} tells more than {most:,} {what}, the most that a sync reads ({setting}).")
