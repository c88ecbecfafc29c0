"""Django's password hashers, of which only a few work at once.

Each takes a core for half a second, and anybody can have one done by sending a password. What is beyond the bound is
refused at once rather than waited for: who waits holds a thread that could answer others. Those that work do so in
threads of their own, to which the system gives what the others leave.
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
    """As many passwords are being hashed as may be, and others wait already."""

    wait = 1  # seconds, after which to try again


class Slots:
    """So many threads may work at once; as many more wait for them, and none beyond."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.working = self.waiting = 0
        self.changed = threading.Condition()
        self.mine = threading.local()

    def refuse_if_full(self) -> None:
        """Raise HashingBusyError if there is no place even to wait."""
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
    """Let the system prefer other threads to this one. Elsewhere than on Linux it would be the whole process."""
    if sys.platform == "linux":
        os.nice(NICE)


threads = ThreadPoolExecutor(settings.PASSWORD_HASHES_AT_ONCE, "password", lower_priority)


class BoundedHasher(hashers.BasePasswordHasher):
    """Mixin: ``encode``, which verifying goes through too, is done within a slot."""

    def encode(self, *args: Any, **kwargs: Any) -> str:
        with slots.slot():
            return threads.submit(super().encode, *args, **kwargs).result()


class PBKDF2(BoundedHasher, hashers.PBKDF2PasswordHasher):
    pass


class PBKDF2SHA1(BoundedHasher, hashers.PBKDF2SHA1PasswordHasher):
    pass


class Scrypt(BoundedHasher, hashers.ScryptPasswordHasher):
    pass
