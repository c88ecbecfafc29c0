"""How good a state is for an operator, which the administration's badges show by their colours."""

from enum import StrEnum

from django.db import models


class Severity(StrEnum):
    GOOD = "good"
    QUIET = "quiet"  # neither good nor bad
    UNSURE = "unsure"  # to be watched
    BAD = "bad"


class SeverityChoices(models.TextChoices):
    """Choices of which each has a severity. A mirrored AWX may be newer, and have values that are none of them."""

    @property
    def severity(self) -> Severity:
        raise NotImplementedError

    @classmethod
    def severity_of(cls, value: str, unknown: Severity) -> Severity:
        """The severity of ``value``, or ``unknown`` where it is none of the choices."""
        return cls(value).severity if value in cls else unknown
