"""The formats of log records, as text or JSON: text that others wrote cannot forge one."""

import json
import logging
from typing import Any

from django_guid import get_guid
from pythonjsonlogger.json import JsonEncoder, JsonFormatter

from instances.database import failed, reason
from instances.text import escaped, in_one_line

INDENT = "    "

# What a record says beside its message: attributes that a logger gives as ``extra``.
DETAILS = (
    "user_id",
    "client",
    "method",
    "path",
    "route",
    "status",
    "duration",
    "bytes",
    "sql_count",
    "sql_time",
    "cached",
)
FIELDS = ("time", "level", "logger", "message", "request_id", *DETAILS, "exc_info", "stack_info")


class LineFormatter(logging.Formatter):
    """One line for each record, with its details at the end; the lines of a traceback follow indented.

    So text from other sources, such as a hostname or a node's output, cannot look like a record, nor reach the
    reader's terminal unescaped.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        given = vars(record)
        details = [f"{name}={json.dumps(given[name])}" for name in DETAILS if given.get(name) is not None]
        return in_one_line(" ".join([super().formatMessage(record), *details]))

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's name
        return indented(super().formatException(ei))  # type: ignore[arg-type]

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - logging's name
        return indented(super().formatStack(stack_info))


def indented(text: str) -> str:
    return INDENT + escaped(text).replace("\n", f"\n{INDENT}")


class ObjectFormatter(JsonFormatter):
    """One JSON object in ASCII on one line for each record, with those of FIELDS that the record has.

    Attributes that libraries add are left out: Django adds the request, and with it the query string.
    """

    def __init__(self) -> None:
        names = {"levelname": "level", "name": "logger"}
        super().__init__(["levelname", "name", "message"], rename_fields=names, timestamp="time")
        self.encoder = JsonEncoder()  # one for each record would be a quarter of its cost

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return {name: log_data[name] for name in FIELDS if log_data.get(name) is not None}

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        return self.encoder.encode(log_data).replace("\x7f", "\\u007f")


class RequestIdFilter(logging.Filter):
    """A logging filter that gives each record the id of the current request, unless it names one itself.

    ``of_request`` is the same for lines of text; empty without a request.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        request_id = vars(record).setdefault("request_id", get_guid())
        record.of_request = f"[{request_id}] " if request_id else ""
        return True


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
