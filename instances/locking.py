"""Row locks, and the lock of links, for changes that may happen at the same time."""

from typing import Any

from django.db import connection, models
from django.db.models import QuerySet

from instances import locks


class StaleError(Exception):
    """The record was changed after the client read it. The message may give another reason for the conflict."""


def lock_rows(records: QuerySet[Any]) -> QuerySet[Any]:
    """The queryset ``records``, whose rows are locked when they are read, until the transaction ends.

    The lock lets others refer to a record meanwhile, so that two instances can be made peers of each other.
    """
    return records.select_for_update(no_key=True, of=("self",))


def lock_record(model: type[models.Model], pk: int) -> Any:
    """The record, locked until the transaction ends."""
    return lock_rows(model._default_manager.all()).get(pk=pk)


def lock_links() -> None:
    """Take the advisory lock of links until the transaction ends; wait for others that have it.

    A link depends on both of its nodes: the target must listen, and control nodes peer to all that want it. So this
    lock is taken, before that of any record, by all that check and change links, ports and control nodes. Importing a
    snapshot and mirroring check no such rules and do without it.
    """
    locks.acquire(locks.Lock.LINKS)


def set_statement_timeout(seconds: int) -> None:
    """Set the statement_timeout for the rest of the transaction: for statements that change many records."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds}s"])
