"""What others wrote, made fit to be read beside our own words; times and sizes in words, for all pages alike."""

import re
from datetime import datetime

from django.utils import timezone

# They turn the direction of what follows, so that one name can look like another.
TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
REPLACEMENT = "\ufffd"
# They move the cursor, change colours or end a line. Tabs and line breaks have their places in longer texts.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
IN_A_LINE = re.compile(f"{CONTROL.pattern}|[\t\n]")


def named(found: re.Match[str]) -> str:
    """The character as JSON writes it."""
    return f"\\u{ord(found[0]):04x}"


def visible(text: object) -> str:
    """The text for a page: a sign in the place of each invisible character that turns its direction, and the code of
    each control character."""
    return CONTROL.sub(named, TURNING.sub(REPLACEMENT, str(text)))


def isolated(text: object) -> str:
    """The same, so that its own direction does not leak out of it either: for attributes, where no element can."""
    return f"\u2068{visible(text)}\u2069"


def escaped(text: object) -> str:
    """The text for a terminal: the code of each control character and of each that turns its direction."""
    return CONTROL.sub(named, TURNING.sub(named, str(text)))


def in_one_line(text: object) -> str:
    """The same without tabs and line breaks, so that it cannot look like a line of ours."""
    return IN_A_LINE.sub(named, escaped(text))


NEVER = "never"
UNITS = ((365 * 86400, "year"), (86400, "day"), (3600, "h"), (60, "min"))
LONG = ("year", "day")  # those that have a plural
SLIGHTLY_AHEAD = -5  # seconds by which another clock may differ without being told


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
