"""The advisory locks of PostgreSQL that this service takes: their numbers, and the one way to take them."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from django.db import connection


class Lock(IntEnum):
    """What is locked. The numbers are this service's own in its database; most are a word in ASCII.

    Two keys of 32 bits are locks apart from these: the counters' slots have 5,733,285 and the number of the slot
    (migration 0004_counters).
    """

    LINKS = 0x7065657273  # "peers"
    MEMBERSHIPS = 0x706F6C6963696573  # "policies"
    SYNC = 0x6D6972726F72  # "mirror"
    INSPECTION = 5_733_284


def acquire(lock: Lock) -> None:
    """Wait for the lock, and hold it until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])


def try_acquire(lock: Lock) -> bool:
    """Hold the lock until the transaction ends if nobody else has it; whether it is held now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock])
        return bool(cursor.fetchone()[0])


@contextmanager
def try_acquire_for_session(lock: Lock) -> Iterator[bool]:
    """The same for as long as the block runs, over many transactions. With the connection the lock is lost."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        if held and connection.connection is not None and not connection.connection.broken:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [lock])
