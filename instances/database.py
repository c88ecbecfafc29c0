"""Failures of the database itself, limits of time for statements, and fetching in one statement."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import psycopg
from django import db
from django.conf import settings
from django.db.models import QuerySet
from procrastinate.exceptions import ConnectorException
from psycopg import errors

from settings.env import TRANSACTION

FAILURES = (db.OperationalError, db.InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
# Answers of a database that is there: it gave the statement up in favour of others. The next try may succeed.
BUSY = (errors.QueryCanceled, errors.DeadlockDetected, errors.SerializationFailure, errors.LockNotAvailable)


def failed(error: BaseException | None) -> bool:
    """Whether ``error`` says that the database is unreachable, restarts, is full or busy: no fault of the caller."""
    return isinstance(cause(error), FAILURES)


def is_away(error: BaseException | None) -> bool:
    """Whether ``error`` says that the database does not answer at all, so that trying again now is useless."""
    return failed(error) and not isinstance(getattr(cause(error), "__cause__", None), BUSY)


def is_full(error: BaseException | None) -> bool:
    """Whether ``error`` says that the disk of the database is full; then nothing was changed."""
    return isinstance(getattr(cause(error), "__cause__", None), errors.DiskFull)


def cause(error: BaseException | None) -> BaseException | None:
    """The database's error behind ``error``, where procrastinate has wrapped it in its own; else ``error``."""
    while isinstance(error, ConnectorException) and error.__cause__ is not None:
        error = error.__cause__
    return error


def reason(error: BaseException) -> str:
    """The message of the database, or of the client library, in one line. It contains no password."""
    message = " ".join(str(cause(error)).split())
    if "unsupported startup parameter" in message:
        message += ". It comes from a pooler: set DATABASE_POOLER to its mode, session or transaction."
    return message


@contextlib.contextmanager
def consistent_read() -> Iterator[None]:
    """Context manager: all statements of its block read the records of one moment, and none can write."""
    with db.transaction.atomic(durable=True):
        with db.connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


@contextlib.contextmanager
def limit_statements(milliseconds: int) -> Iterator[None]:
    """Context manager: cancel the statements of its block once they have taken so long together; 0 is no limit.

    The first statement has the connection's own statement_timeout. To set a shorter one costs a statement, so that it
    is set only after a tenth of the time is used up. Where a pooler may give each transaction another connection, the
    block is one transaction.
    """
    is_shared = settings.DATABASE_POOLER == TRANSACTION
    scope, block = ("LOCAL", db.transaction.atomic()) if is_shared else ("SESSION", contextlib.nullcontext())
    began, is_set = time.perf_counter(), False

    def execute_within_limit(execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        nonlocal is_set
        gone = (time.perf_counter() - began) * 1000
        if milliseconds and gone > milliseconds / 10:
            is_set = True
            execute(f"SET {scope} statement_timeout TO {max(1, int(milliseconds - gone))}", None, False, context)
        return execute(sql, params, many, context)

    with block:
        try:
            with db.connection.execute_wrapper(execute_within_limit):
                yield
        finally:
            if is_set:
                with contextlib.suppress(db.Error), db.connection.cursor() as cursor:
                    cursor.execute(f"SET {scope} statement_timeout TO DEFAULT")


def fetch_in_one_statement(*queries: QuerySet[Any, Any] | str) -> list[list[dict[str, Any]]]:
    """The rows of each of the queries: querysets made by ``values()``, or SQL without parameters.

    One statement, so all are of one moment. The values are those of JSON: times are strings in ISO 8601.
    """
    parts: list[str] = []
    params: list[Any] = []
    for query in queries:
        sql, own = (query, ()) if isinstance(query, str) else query.query.sql_with_params()
        parts.append(f"(SELECT json_agg(part) FROM ({sql}) AS part)")  # noqa: S608 - made of a compiled query
        params.extend(own)
    with db.connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", params)
        return [values or [] for values in cursor.fetchone()]
