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
    """Take the lock until the transaction ends; wait while another transaction has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])


def try_acquire(lock: Lock) -> bool:
    """Take the lock until the transaction ends if nobody else has it; return whether it was taken."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock])
        return bool(cursor.fetchone()[0])


@contextmanager
def try_acquire_for_session(lock: Lock) -> Iterator[bool]:
    """Context manager: the same for its block, over many transactions. When the connection is lost, so is the lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        is_acquired = bool(cursor.fetchone()[0])
    try:
        yield is_acquired
    finally:
        if is_acquired and connection.connection is not None and not connection.connection.broken:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [lock])
