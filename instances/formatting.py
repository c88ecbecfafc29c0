"""Times and sizes as text, for the pages and the administration."""

from datetime import datetime

from django.utils import timezone

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
