"""Escaping text from other sources, such as hostnames, and times and sizes as text."""

import re
from datetime import datetime

from django.utils import timezone

# They change the direction of the text that follows, so that one name can look like another.
TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
REPLACEMENT = "\ufffd"
# They move the cursor, change colours or end a line. Tabs and line breaks have their places in longer texts.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
IN_A_LINE = re.compile(f"{CONTROL.pattern}|[\t\n]")


def escape_character(found: re.Match[str]) -> str:
    """The character as JSON writes it."""
    return f"\\u{ord(found[0]):04x}"


def visible(text: object) -> str:
    """The text for a page, with U+FFFD for each character that changes its direction, and control characters as
    codes."""
    return CONTROL.sub(escape_character, TURNING.sub(REPLACEMENT, str(text)))


def isolated(text: object) -> str:
    """The same between isolating characters, so that its direction does not affect other text: for attributes."""
    return f"\u2068{visible(text)}\u2069"


def escaped(text: object) -> str:
    """The text for a terminal, with control characters and those that change its direction as codes."""
    return CONTROL.sub(escape_character, TURNING.sub(escape_character, str(text)))


def in_one_line(text: object) -> str:
    """The same with tabs and line breaks escaped, so that it cannot forge another line."""
    return IN_A_LINE.sub(escape_character, escaped(text))


def counted(number: int, noun: str) -> str:
    """ "1 fork", "2,000 forks"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


NEVER = "never"
UNITS = ((365 * 86400, "year"), (86400, "day"), (3600, "h"), (60, "min"))
LONG = ("year", "day")  # those that have a plural
SLIGHTLY_AHEAD = -5  # seconds by which another clock may differ before a time is shown as in the future


def in_words(seconds: float) -> str:
    """ "12 s", "3 min", "5 days"."""
    for size, name in UNITS:
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} {name}{'s' if name in LONG and number > 1 else ''}"
    return f"{int(seconds)} s"


def ago(moment: datetime | None) -> str:
    """How long ago that was, in words."""
    if moment is None:
        return NEVER
    seconds = (timezone.now() - moment).total_seconds()
    if seconds < SLIGHTLY_AHEAD:
        return f"in {in_words(-seconds)}"
    return f"{in_words(max(0, seconds))} ago"


def exact(moment: datetime | None) -> str:
    """To the second, in the service's time zone; "" where there is none."""
    return "" if moment is None else f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S %Z}"


def gibibytes(number: int) -> str:
    """So many bytes in GiB, to one place that is not 0."""
    return f"{number / 2**30:.1f}".removesuffix(".0") + " GiB"
