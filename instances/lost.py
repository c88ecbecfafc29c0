"""Connections that the database closed, as a restart of it closes all."""

from collections.abc import Callable
from typing import TypeVar

from django.db import Error, connection

Answer = TypeVar("Answer")


def asked_again(ask: Callable[[], Answer]) -> Answer:
    """What ``ask()`` returns, over another connection if its own was lost; it must change nothing."""
    try:
        return ask()
    except Error:
        if not replaced():
            raise
        return ask()


def replaced() -> bool:
    """Whether the connection was lost and nothing hangs on it: then all that wait for use are alive or new now.

    PostgreSQL tells nobody who waits, so without this each of them would fail whoever is the first to use it.
    """
    mine, pool = connection.connection, getattr(connection, "pool", None)
    if mine is None or not mine.closed or connection.in_atomic_block:
        return False
    connection.close()
    if pool:
        pool.check()
    return True
