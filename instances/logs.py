"""The format of log records: text that others wrote cannot forge one."""

import logging

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
