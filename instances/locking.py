"""Changing a record that others may be changing at the same moment, or on which much depends."""

from typing import Any

from django.db import connection, models
from django.db.models import QuerySet

from instances import locks


class StaleError(Exception):
    """The record was changed since the state that the change is meant for. May tell why, if that is not why."""


def lock_rows(records: QuerySet[Any]) -> QuerySet[Any]:
    """``records``, locked when they are read, until the transaction ends.

    The lock lets others refer to a record meanwhile, so that two instances can be made peers of each other.
    """
    return records.select_for_update(no_key=True, of=("self",))


def lock_record(model: type[models.Model], pk: int) -> Any:
    """The record, locked until the transaction ends."""
    return lock_rows(model._default_manager.all()).get(pk=pk)


def lock_links() -> None:
    """Wait until nobody else changes what links depend on, and keep it so until the transaction ends.

    A link depends on both of its nodes: one is to listen, or is to be peered to by all that control. So this is held,
    before any record is, by who checks and changes links, ports and the nodes that control. Loading a snapshot and
    mirroring, which judge nothing, do without.
    """
    locks.acquire(locks.Lock.LINKS)


def set_statement_timeout(seconds: int) -> None:
    """Let each statement until the transaction's end run so long: for what changes many records at once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds}s"])
