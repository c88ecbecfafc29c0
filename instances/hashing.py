"""Django's password hashers, with a limit of how many hashes are computed at once.

A hash takes a core for half a second, and any client can cause one by sending a password. Beyond the limit a request
fails at once instead of blocking a thread that could serve others. Hashes are computed in threads of low priority.
"""

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib.auth import hashers

LONGEST_WAIT = 5  # seconds
NICE = 10  # as nice(1) has it: a tenth of what others get, where both want it


class HashingBusyError(Exception):
    """The limit of concurrent hashes is reached, and so is the number of threads that may wait."""

    wait = 1  # seconds, after which to try again


class Slots:
    """A semaphore with ``number`` slots, for which at most ``number`` threads may wait."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.working = self.waiting = 0
        self.changed = threading.Condition()
        self.mine = threading.local()

    def refuse_if_full(self) -> None:
        """Raise HashingBusyError if too many threads wait already."""
        if self.waiting >= self.number:
            raise HashingBusyError

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Context manager: hold a slot; a thread that has one keeps it. Raises HashingBusyError where none is free."""
        if getattr(self.mine, "has_one", False):
            yield
            return
        self.acquire()
        self.mine.has_one = True
        try:
            yield
        finally:
            self.mine.has_one = False
            self.release()

    def acquire(self) -> None:
        with self.changed:
            if self.working >= self.number:
                self.wait()
            self.working += 1

    def wait(self) -> None:
        self.refuse_if_full()
        self.waiting += 1
        try:
            if not self.changed.wait_for(lambda: self.working < self.number, LONGEST_WAIT):
                raise HashingBusyError
        finally:
            self.waiting -= 1

    def release(self) -> None:
        with self.changed:
            self.working -= 1
            self.changed.notify()


slots = Slots(settings.PASSWORD_HASHES_AT_ONCE)  # of this process


def lower_priority() -> None:
    """Lower the priority of this thread. Only on Linux: elsewhere it would be that of the whole process."""
    if sys.platform == "linux":
        os.nice(NICE)


threads = ThreadPoolExecutor(settings.PASSWORD_HASHES_AT_ONCE, "password", lower_priority)


class BoundedHasher(hashers.BasePasswordHasher):
    """Mixin: ``encode()``, which ``verify()`` calls too, runs in a slot."""

    def encode(self, *args: Any, **kwargs: Any) -> str:
        with slots.slot():
            return threads.submit(super().encode, *args, **kwargs).result()


class PBKDF2(BoundedHasher, hashers.PBKDF2PasswordHasher):
    pass


class PBKDF2SHA1(BoundedHasher, hashers.PBKDF2SHA1PasswordHasher):
    pass


class Scrypt(BoundedHasher, hashers.ScryptPasswordHasher):
    pass
