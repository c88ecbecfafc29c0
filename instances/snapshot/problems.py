"""The problems of a snapshot, and their messages."""

import json
from typing import Any

AT_MOST = 20  # problems in one message
LONGEST = 60  # characters of a value that are repeated


class SnapshotError(Exception):
    """A snapshot cannot be imported, or made. The message has one line for each problem, beginning with its place."""


class Invalid(ValueError):  # noqa: N818 - it reads "raise Invalid(reason)"
    """A value that its column does not take; the message is the reason."""


class Malformed(Invalid):
    """A value of another type than its column's, or a number that no database stores: it does not come from an AWX."""


class Problems:
    """The problems found so far."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, place: str, reason: object) -> None:
        """Add a problem at ``place``, such as ``instances[3].hostname``; raise SnapshotError if there are AT_MOST."""
        self._lines.append(f"{place}: {reason}")
        if len(self._lines) == AT_MOST:
            self.raise_if_any()

    def raise_if_any(self) -> None:
        """Raise SnapshotError if there is any problem."""
        if self._lines:
            raise SnapshotError("\n".join(self._lines))


def within(place: str, key: str) -> str:
    """The place of a record's field; of the record itself where ``key`` is ""."""
    return f"{place}.{key}" if key else place


def wrong_kind(expected: str, value: Any) -> Invalid:
    """The error for a ``value`` that is not the JSON expected; null is no value at all, rather than a malformed one."""
    reason = f"must be {expected}, not {shown(value)}"
    return Invalid(reason) if value is None else Malformed(reason)


def shown(value: Any) -> str:
    """A JSON value for a message: short, and in ASCII, since a terminal may not accept anything else."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
