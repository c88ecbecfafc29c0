"""The database that is written to, for those who must not read an older state from a copy of it."""

from typing import Any

from django.db import DEFAULT_DB_ALIAS, models
from django.db.models import QuerySet


def rows_of(model: type[models.Model]) -> QuerySet[Any]:
    """The rows in the database that is written to, even where reads are sent elsewhere."""
    return model._base_manager.using(DEFAULT_DB_ALIAS)
