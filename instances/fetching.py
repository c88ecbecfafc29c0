"""Fetching several querysets from one snapshot of the database."""

from typing import Any

from django.db import connection
from django.db.models import QuerySet


def fetch_in_one_statement(*querysets: QuerySet[Any, Any]) -> list[list[dict[str, Any]]]:
    """The rows of each of the querysets, which are made by ``values()``. One statement, so all are of one moment.

    The values are those of JSON: times are strings in ISO 8601.
    """
    parts: list[str] = []
    params: list[Any] = []
    for queryset in querysets:
        sql, own = queryset.query.sql_with_params()
        parts.append(f"(SELECT json_agg(part) FROM ({sql}) AS part)")  # noqa: S608 - made of a compiled query
        params.extend(own)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", params)
        return [values or [] for values in cursor.fetchone()]
