"""The guard of mirrored tables: only a sync may change them.

While there is a mirror, triggers refuse every statement that would change a mirrored table, unless its transaction is
a sync's (migration 0002_guard). Background work is skipped in a mirror.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from django.db import DatabaseError, connection
from django.db.models import Model

from instances import locks
from instances.models import Instance, InstanceGroup, InstanceLink, Mirror, ReceptorAddress, UnifiedJob

P = ParamSpec("P")
R = TypeVar("R")

MIRRORED: tuple[type[Model], ...] = (
    Instance,
    ReceptorAddress,
    InstanceLink,
    InstanceGroup,
    InstanceGroup.instances.through,
    UnifiedJob,
)
TRIGGER = "instances_mirrored"
SQLSTATE = "MIRRO"  # the SQLSTATE of the triggers' refusal


class SyncRunningError(Exception):
    """Another sync is running, here or on another machine."""


def current() -> Mirror | None:
    """The row of the mirror; None if this service is no mirror."""
    return Mirror.objects.first()


def skip_if_mirrored(act: Callable[P, R]) -> Callable[P, R | None]:
    """Decorator: in a mirror, do nothing and return None."""

    @functools.wraps(act)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R | None:
        return None if Mirror.objects.exists() else act(*args, **kwargs)

    return wrapper


def error_message(error: BaseException | None) -> str:
    """The guard's message where it refused a change of a mirrored table; "" if ``error`` is another one."""
    cause: Any = error.__cause__ if isinstance(error, DatabaseError) else None
    if getattr(cause, "sqlstate", None) != SQLSTATE:
        return ""
    return str(cause.diag.message_primary)


@contextmanager
def allow_writes() -> Iterator[None]:
    """Context manager: the guard lets the statements of its block pass; to be used inside a transaction."""
    set_syncing("on")
    yield
    set_syncing("")  # a rollback resets it by itself


def set_syncing(value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('instances.syncing', %s, true)", [value])


def enable_guard() -> None:
    """Enable the triggers, at the end of this transaction, which must not have written to a mirrored table yet."""
    alter_triggers("ENABLE")


def disable_guard() -> None:
    """Disable the triggers, so that the records can be changed again."""
    alter_triggers("DISABLE")


def alter_triggers(action: str) -> None:
    with connection.cursor() as cursor:
        for model in MIRRORED:
            cursor.execute(f"ALTER TABLE {model._meta.db_table} {action} TRIGGER {TRIGGER}")


@contextmanager
def sync_lock() -> Iterator[None]:
    """Context manager: take the advisory lock of syncs; raises SyncRunningError if another sync has it.

    It is a lock of the session: when the connection is lost, so are the lock and the transaction.
    """
    with locks.try_acquire_for_session(locks.Lock.SYNC) as is_acquired:
        if not is_acquired:
            raise SyncRunningError("Another sync is under way.")
        yield
