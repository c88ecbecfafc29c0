"""How many slow statements a process has at once.

A thread that waits for the database serves no other request. So of queries that may be slow one runs at a time and a
few may wait for it, which leaves a thread for everything else; a request that comes when these are waiting, or
waits too long, reads 503 and when to try again.
"""

import contextlib
import threading
from collections.abc import Iterator

from awx_compat.exceptions import TryAgain

ANSWERED, WAITING = 1, 2  # at once; a process has four threads unless it is started with another number
LONGEST_WAIT = 2.0  # seconds, for the answer before
LONGEST_WAIT_TO_WAIT = 0.05  # seconds; what turns out not to be slow is over by then
TOO_MANY = "Too many queries like this are being answered. Try again in a moment."


class Turns:
    def __init__(self, answered: int = ANSWERED, waiting: int = WAITING) -> None:
        self.places = threading.BoundedSemaphore(answered + waiting)
        self.answered = threading.BoundedSemaphore(answered)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a free slot. Raises TryAgain where that takes too long."""
        with _held(self.places, LONGEST_WAIT_TO_WAIT), _held(self.answered, LONGEST_WAIT):
            yield


@contextlib.contextmanager
def _held(semaphore: threading.Semaphore, seconds: float) -> Iterator[None]:
    if not semaphore.acquire(timeout=seconds):
        raise TryAgain(TOO_MANY)
    try:
        yield
    finally:
        semaphore.release()


SLOW = Turns()
