"""Kinds of column and of choices that several models share."""

import json
from enum import StrEnum
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from psycopg.types.json import Json

from instances.lookups import COLLATION

HIGHEST_ID = models.BigIntegerField.MAX_BIGINT


class NameField(models.CharField):
    """A name that AWX orders and compares by code point, whatever collation the database has."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("db_collation", COLLATION)
        super().__init__(*args, **kwargs)


class VerbatimJSONField(models.JSONField):
    """JSON stored as it was written: PostgreSQL's ``json``, since ``jsonb`` loses the order of an object's keys."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "json"

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        return None if value is None else Json(value, dumps=json.dumps)

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        return value  # psycopg has read it already


class Timestamped(models.Model):
    """``created`` and ``modified``; data that is imported brings its own, ``save()`` moves ``modified``."""

    created = models.DateTimeField(default=timezone.now, editable=False)
    modified = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            self.modified = timezone.now()
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "modified"}
        super().save(*args, **kwargs)


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
