"""Whether it is the database that failed, rather than what it was asked for, and for how long it is asked."""

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
    """Whether ``error`` says that the database is away, restarts, is full or too busy: no fault of who asked."""
    return isinstance(cause(error), FAILURES)


def is_away(error: BaseException | None) -> bool:
    """Whether ``error`` says that the database does not answer at all, so that asking it again now is no use."""
    return failed(error) and not isinstance(getattr(cause(error), "__cause__", None), BUSY)


def cause(error: BaseException | None) -> BaseException | None:
    """``error``, or what it was made from where procrastinate put its own in the place of the database's."""
    while isinstance(error, ConnectorException) and error.__cause__ is not None:
        error = error.__cause__
    return error


def reason(error: BaseException) -> str:
    """What the database, or the client library, says of its failure, in one line. It holds no password."""
    return " ".join(str(cause(error)).split())


@contextlib.contextmanager
def limit_statements(milliseconds: int) -> Iterator[None]:
    """Let the database give up what is asked of it here once all of it has taken so long; 0 is never.

    The first statement has the connection's own limit. A later one is told what is left, which costs a statement, only
    where a good part is gone.
    """
    began, told = time.perf_counter(), False

    def ask(execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        nonlocal told
        gone = (time.perf_counter() - began) * 1000
        if milliseconds and gone > milliseconds / 10:
            told = True
            execute(f"SET statement_timeout TO {max(1, int(milliseconds - gone))}", None, False, context)
        return execute(sql, params, many, context)

    try:
        with db.connection.execute_wrapper(ask):
            yield
    finally:
        if told:
            with contextlib.suppress(db.Error), db.connection.cursor() as cursor:
                cursor.execute("RESET statement_timeout")


WORKER_LOGGERS = ("procrastinate", "asyncio")  # loggers; of what fails in them with the database the worker tells


class OneLineFilter(logging.Filter):
    """Lets the logs tell of each failure of the database in one line, without a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or not failed(error):
            return True
        record.msg, record.args = f"{' '.join(record.getMessage().split())} {reason(error)}", ()
        record.exc_info = record.exc_text = None
        return not record.name.startswith(WORKER_LOGGERS)
