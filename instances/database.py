"""Failures of the database itself, as opposed to errors of a statement, and limits of time for statements."""

import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Any

import psycopg
from django import db
from procrastinate.exceptions import ConnectorException
from psycopg import errors

FAILURES = (db.OperationalError, db.InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
# Answers of a database that is there: it gave the statement up in favour of others. The next try may succeed.
BUSY = (errors.QueryCanceled, errors.DeadlockDetected, errors.SerializationFailure, errors.LockNotAvailable)


def failed(error: BaseException | None) -> bool:
    """Whether ``error`` says that the database is unreachable, restarts, is full or busy: no fault of the caller."""
    return isinstance(cause(error), FAILURES)


def is_away(error: BaseException | None) -> bool:
    """Whether ``error`` says that the database does not answer at all, so that trying again now is useless."""
    return failed(error) and not isinstance(getattr(cause(error), "__cause__", None), BUSY)


def cause(error: BaseException | None) -> BaseException | None:
    """The database's error behind ``error``, where procrastinate has wrapped it in its own; else ``error``."""
    while isinstance(error, ConnectorException) and error.__cause__ is not None:
        error = error.__cause__
    return error


def reason(error: BaseException) -> str:
    """The message of the database, or of the client library, in one line. It contains no password."""
    return " ".join(str(cause(error)).split())


@contextlib.contextmanager
def limit_statements(milliseconds: int) -> Iterator[None]:
    """Context manager: cancel the statements of its block once they have taken so long together; 0 is no limit.

    The first statement has the connection's own statement_timeout. To set a shorter one costs a statement, so that it
    is set only after a tenth of the time is used up.
    """
    began, is_set = time.perf_counter(), False

    def execute_within_limit(execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        nonlocal is_set
        gone = (time.perf_counter() - began) * 1000
        if milliseconds and gone > milliseconds / 10:
            is_set = True
            execute(f"SET statement_timeout TO {max(1, int(milliseconds - gone))}", None, False, context)
        return execute(sql, params, many, context)

    try:
        with db.connection.execute_wrapper(execute_within_limit):
            yield
    finally:
        if is_set:
            with contextlib.suppress(db.Error), db.connection.cursor() as cursor:
                cursor.execute("RESET statement_timeout")


WORKER_LOGGERS = ("procrastinate", "asyncio")  # the worker itself logs the database's failures that these log


class OneLineFilter(logging.Filter):
    """A logging filter that reduces each failure of the database to one line, without a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or not failed(error):
            return True
        record.msg, record.args = f"{' '.join(record.getMessage().split())} {reason(error)}", ()
        record.exc_info = record.exc_text = None
        return not record.name.startswith(WORKER_LOGGERS)
