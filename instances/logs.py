"""The format of log records: text that others wrote cannot forge one."""

import logging

from instances.database import failed, reason
from instances.text import escaped, in_one_line

INDENT = "    "


class LineFormatter(logging.Formatter):
    """One line for each record; the lines of a traceback follow indented.

    So text from other sources, such as a hostname or a node's output, cannot look like a record, nor reach the
    reader's terminal unescaped.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return in_one_line(super().formatMessage(record))

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's name
        return indented(super().formatException(ei))  # type: ignore[arg-type]

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - logging's name
        return indented(super().formatStack(stack_info))


def indented(text: str) -> str:
    return INDENT + escaped(text).replace("\n", f"\n{INDENT}")


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
