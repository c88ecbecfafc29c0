"""How a record of the log is written, whoever wrote what it tells."""

import logging

from instances.database import failed, reason
from instances.text import escaped, in_one_line

INDENT = "    "


class LineFormatter(logging.Formatter):
    """One line for each record; the lines of a traceback follow indented.

    So no text of others, such as a hostname or what a node answers, looks like a record of its own or reaches the
    terminal of who reads the log.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return in_one_line(super().formatMessage(record))

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's name
        return indented(super().formatException(ei))  # type: ignore[arg-type]

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - logging's name
        return indented(super().formatStack(stack_info))


def indented(text: str) -> str:
    return INDENT + escaped(text).replace("\n", f"\n{INDENT}")


UNHEARD = ("procrastinate", "asyncio")  # loggers; of what fails in them with the database the worker tells


class OneLine(logging.Filter):
    """Lets the logs tell of each failure of the database in one line, without a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or not failed(error):
            return True
        record.msg, record.args = f"{' '.join(record.getMessage().split())} {reason(error)}", ()
        record.exc_info = record.exc_text = None
        return not record.name.startswith(UNHEARD)
