"""What is mirrored is changed by a sync and by nobody else.

The rule is the database's: while there is a mirror, triggers refuse every statement that would change a mirrored
table, whoever sends it, unless its transaction is a sync's (migration 0002_guard). What works by itself asks first.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from django.db import DatabaseError, connection
from django.db.models import Model

from instances import locks
from instances.models import Instance, InstanceGroup, InstanceLink, Mirror, UnifiedJob

P = ParamSpec("P")
R = TypeVar("R")

MIRRORED: tuple[type[Model], ...] = (
    Instance,
    InstanceLink,
    InstanceGroup,
    InstanceGroup.instances.through,
    UnifiedJob,
)
TRIGGER = "instances_mirrored"
SQLSTATE = "MIRRO"  # the SQLSTATE of the triggers' refusal


class SyncRunningError(Exception):
    """Another sync is under way, here or on another machine."""


def current() -> Mirror | None:
    """The mirror that this service is, if it is one."""
    return Mirror.objects.first()


def skip_if_mirrored(act: Callable[P, R]) -> Callable[P, R | None]:
    """Decorator: do nothing where the records are not this service's own."""

    @functools.wraps(act)
    def acting(*args: P.args, **kwargs: P.kwargs) -> R | None:
        return None if Mirror.objects.exists() else act(*args, **kwargs)

    return acting


def error_message(error: BaseException | None) -> str:
    """Why the database refused a change of what is mirrored; "" if ``error`` is something else."""
    cause: Any = error.__cause__ if isinstance(error, DatabaseError) else None
    if getattr(cause, "sqlstate", None) != SQLSTATE:
        return ""
    return str(cause.diag.message_primary)


@contextmanager
def allow_writes() -> Iterator[None]:
    """Let the statements within change what is mirrored; to be used inside a transaction."""
    set_syncing("on")
    yield
    set_syncing("")  # a transaction that fails forgets it by itself


def set_syncing(value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('instances.syncing', %s, true)", [value])


def enable_guard() -> None:
    """Refuse changes from the end of this transaction on. It must not have written to a mirrored table yet."""
    alter_triggers("ENABLE")


def disable_guard() -> None:
    """Let everybody change the records again."""
    alter_triggers("DISABLE")


def alter_triggers(action: str) -> None:
    with connection.cursor() as cursor:
        for model in MIRRORED:
            cursor.execute(f"ALTER TABLE {model._meta.db_table} {action} TRIGGER {TRIGGER}")


@contextmanager
def sync_lock() -> Iterator[None]:
    """Hold the one lock of all syncs of this database; raises SyncRunningError if another holds it.

    The lock is the connection's: with the connection it is lost, and what would be written with it.
    """
    with locks.try_acquire_for_session(locks.Lock.SYNC) as held:
        if not held:
            raise SyncRunningError("Another sync is under way.")
        yield
