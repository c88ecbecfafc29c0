import sys
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from django.db import DatabaseError

from instances import database
from instances.addresses import TakenAddressError
from instances.lifecycle import hostname_error
from instances.mirror import guard
from instances.tabular import FORMATS, Columns
from instances.text import escaped, in_one_line


class EscapedOutput(OutputWrapper):
    """A stream that escapes control characters, which could move the cursor or change colours or the text direction."""

    def write(self, msg: object = "", style_func: Any = None, ending: str | None = None) -> None:  # type: ignore[override]
        super().write(escaped(msg), style_func, ending)


class EscapingCommand(BaseCommand):
    """A command whose output may contain texts from users, nodes or a mirrored AWX."""

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        """The parser, whose errors, which repeat the arguments, are escaped too."""
        parser = super().create_parser(prog_name, subcommand, **options)
        report = parser.error
        parser.error = lambda message: report(in_one_line(message))  # type: ignore[method-assign]
        return parser

    def __init__(self, stdout: Any = None, stderr: Any = None, *args: Any, **options: Any) -> None:
        super().__init__(stdout, stderr, *args, **options)
        self.stdout = EscapedOutput(stdout or sys.stdout)
        self.stderr = EscapedOutput(stderr or sys.stderr)
        self.stderr.style_func = self.style.ERROR

    def execute(self, *args: Any, **options: Any) -> str | None:
        for name in ("stdout", "stderr"):
            if stream := options.pop(name, None):
                setattr(self, name, EscapedOutput(stream))
        return super().execute(*args, **options)


class ErrorReportingCommand(EscapingCommand):
    """A command that reports validation errors and database errors in one line, without a traceback."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except ValidationError as error:
            raise CommandError(error_text(error)) from None
        except TakenAddressError as error:
            raise CommandError(error.reason) from None
        except UnicodeEncodeError:
            raise CommandError("An argument is not UTF-8.") from None
        except DatabaseError as error:
            if database.is_away(error):
                raise  # settings/commands.py reports it for every command
            if refused := guard.error_message(error):
                raise CommandError(refused) from None
            raise CommandError(f"Database error: {' '.join(str(error).split())}") from None

    def warn_of_hostnames(self, hostnames: Iterable[str]) -> None:
        """Warn of hostnames that the API would refuse, naming the first. As in AWX's installer they are accepted."""
        refused = [(name, reason) for name in hostnames if (reason := hostname_error(name))]
        if refused:
            name, reason = refused[0]
            others = f" (and {len(refused) - 1:,} others)" if len(refused) > 1 else ""
            self.stderr.write(f"Warning: the API would refuse the hostname {in_one_line(name)}{others}: {reason}")

    def warn(self, warnings: Iterable[str]) -> None:
        """Print each on standard error: what AWX's command does without a word, and its operator should know."""
        for warning in warnings:
            self.stderr.write(f"Warning: {in_one_line(warning)}")

    def write_list(self, form: str, columns: Columns, rows: Iterable[Any]) -> None:
        """Print the rows in one of ``FORMATS``."""
        for line in FORMATS[form](columns, rows):
            self.stdout.write(line, ending="")

    def conclude(self, message: str, changed: bool) -> None:
        """Print the message and, after a change, the line by which AWX's installer detects changes."""
        self.stdout.write(message)
        if changed:
            self.stdout.write("(changed: True)")


def error_text(error: ValidationError) -> str:
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return " ".join(f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items())
