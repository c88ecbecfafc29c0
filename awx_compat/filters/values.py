"""Parsing of values in a query string. All raise ParseError, with AWX's message, for an invalid value."""

from __future__ import annotations

import re
import warnings
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from rest_framework.exceptions import ParseError

LONGEST_PATTERN = 200  # of a regular expression
MOST_DIGITS = 100  # before or after the point, more than any column has


def reject_null(text: str) -> None:
    if "\0" in text:  # PostgreSQL has no such texts
        raise ParseError("Null characters are not allowed.")


def comparable(value: Any) -> Any:
    """What compares as ``value`` does, and that PostgreSQL can read."""
    if isinstance(value, Decimal):
        return short(value)
    return in_utc(value) if isinstance(value, datetime) else value


def short(value: Decimal) -> Decimal:
    """What compares as ``value`` does with all that columns hold; in full, 1e999999 is a megabyte of digits."""
    if not value or abs(value.adjusted()) <= MOST_DIGITS:
        return value or Decimal(0)
    return Decimal(f"1e{MOST_DIGITS if value.adjusted() > 0 else -MOST_DIGITS}").copy_sign(value)


def in_utc(value: datetime) -> datetime:
    """The same moment in UTC, or the first or last possible one: PostgreSQL reads no offset of 16 hours or more."""
    if timezone.is_naive(value):
        value = timezone.make_aware(value)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        return (datetime.min if value.year == 1 else datetime.max).replace(tzinfo=UTC)


def boolean(text: str) -> bool:
    if text.lower() in ("true", "t", "1"):
        return True
    if text.lower() in ("false", "f", "0"):
        return False
    raise ParseError(f'Unable to convert "{text}" to boolean')


def integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        has_digits_alone = text.strip().lstrip("+-").isdecimal()  # so there are too many of them for Python
        raise ParseError("A number has too many digits." if has_digits_alone else str(error)) from None


def related_id(name: str, text: str) -> int | None:
    if text.lower() in ("none", "null"):
        return None
    try:
        return int(text)
    except ValueError:
        raise ParseError(f"Invalid {name} id: {text}") from None


# What Python makes large tables for: characters beyond Latin 1, and case-insensitivity by Unicode's rules.
COSTLY = re.compile(
    r"(?P<escape>\\(?:u[0-9a-fA-F]{4}|U(?:000[0-9a-fA-F]|0010)[0-9a-fA-F]{4}|.))|(?P<character>[^\x00-\xff])|(?P<flags>\(\?[aiLmsx]*u)",
    re.DOTALL,
)
# Warnings about patterns that a later Python may read otherwise are not logged: PostgreSQL reads the pattern.
warnings.filterwarnings("ignore", message="Possible (nested )?set ", category=FutureWarning)
NOT_COSTLY = {6: r"\u00ff", 10: r"\U000000ff"}  # by the length of the escape


def pattern(text: str) -> str:
    """A regular expression. Raises ParseError where it is none, in Python's words, as AWX does.

    Python compiles a short pattern in its place, which is valid or invalid at the same position; the database alone
    uses ``text`` itself.
    """
    if len(text) > LONGEST_PATTERN:
        raise ParseError(f"A regular expression may have at most {LONGEST_PATTERN} characters.")
    try:
        re.compile(COSTLY.sub(_not_costly, text), re.ASCII)
    except (re.error, OverflowError, RecursionError, ValueError) as error:
        raise ParseError(_message(text, error)) from None
    return text


def _message(text: str, error: Exception) -> str:
    """Python's message about ``text``, where ``error`` is about the pattern in its place.

    If it quotes a character that was replaced, Python parses ``text`` itself: tables are made only for what is valid.
    """
    if "\xff" in str(error):
        try:
            re.compile(text)
        except (re.error, OverflowError, RecursionError, ValueError) as original:
            return str(original)
    return str(error)


def _not_costly(part: re.Match[str]) -> str:
    if part["character"]:
        return "\xff"
    return f"{part['flags'][:-1]}a" if part["flags"] else NOT_COSTLY.get(len(part["escape"]), part["escape"])
