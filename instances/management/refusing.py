from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from instances import database
from instances.mirror import guard


class RefusingCommand(BaseCommand):
    """A command whose refusals, and the database's, are one line each and no traceback."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except ValidationError as error:
            raise CommandError(told(error)) from None
        except UnicodeEncodeError:
            raise CommandError("An argument is not UTF-8.") from None
        except DatabaseError as error:
            if database.is_away(error):
                raise  # as of every command; manage.py tells
            if refused := guard.refusal(error):
                raise CommandError(refused) from None
            raise CommandError(f"Database error: {' '.join(str(error).split())}") from None

    def conclude(self, message: str, changed: bool) -> None:
        """Tell what happened, and a change in the words by which AWX's installers know it."""
        self.stdout.write(message)
        if changed:
            self.stdout.write("(changed: True)")


def told(error: ValidationError) -> str:
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return " ".join(f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items())
