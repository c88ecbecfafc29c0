"""Reading more than one thing as they were at the same moment."""

from typing import Any

from django.db import connection
from django.db.models import QuerySet


def fetch_in_one_statement(*querysets: QuerySet[Any, Any]) -> list[list[dict[str, Any]]]:
    """The values that each of the querysets, made by ``values()``, asks for, by one statement.

    They are as JSON has them: times are texts in ISO 8601.
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
