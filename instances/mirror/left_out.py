"""The records of an AWX that this service cannot store: each is logged with the reason, and the others are mirrored."""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from instances.snapshot.problems import Malformed, Problems

logger = logging.getLogger(__name__)

KINDS = ("instances", "addresses", "links", "groups", "members", "users", "roles", "jobs")
MOST_NAMED = 100  # whose names a mirror stores; all are counted and logged


@dataclass(frozen=True)
class LeftOut:
    """A record that is not mirrored: its kind, of ``KINDS``, its name for an operator, and why."""

    kind: str
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} is left out: {self.reason}."


class OddRecord(Problems):
    """The problems of one record. ``reasons``: why it cannot be stored. Malformed values raise SnapshotError."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place
        self.reasons: list[str] = []

    def add(self, place: str, reason: object) -> None:
        if isinstance(reason, Malformed):
            super().add(place, reason)
        else:
            self.reasons.append(f"{place.removeprefix(self.place).lstrip('.')} {reason}".lstrip())


def log(all_left_out: Iterable[LeftOut]) -> None:
    for left_out in all_left_out:
        logger.warning("%s", left_out, extra={"left_out": left_out})


def counted(all_left_out: Iterable[LeftOut]) -> dict[str, int]:
    """How many were left out of each kind."""
    numbers = Counter(left_out.kind for left_out in all_left_out)
    return {kind: numbers[kind] for kind in KINDS}
