"""Bounds of a query string, so that no request can occupy a worker.

The database's statement timeout bounds what these limits let through.
"""

import re
from itertools import islice

from django.http import QueryDict
from rest_framework.exceptions import ParseError

# Parameters of the query string that are no filters.
RESERVED = frozenset(
    [
        "page",
        "page_size",
        "count_disabled",
        "format",
        "order",
        "order_by",
        "search",
        "type",
        "host_filter",
        "limit",
        "no_truncate",
        "role_level",
        "validate",
    ]
)
MOST_CONDITIONS = 100
MOST_JOINS = 10
MOST_PATTERNS = 5
# AWX's interface sends one of these for each record that a list shall not, or shall, have. Together they are one
# condition: the values of a list. Django bounds their number (DATA_UPLOAD_MAX_NUMBER_FIELDS).
IN_A_LIST = re.compile(r"(?:(?:chain__)?not|or)__(?!not__)[a-z]+(?:_[a-z]+)*(?:__exact)?(?:__int)?")
TOO_MANY_CONDITIONS = f"A query may have at most {MOST_CONDITIONS} conditions, {MOST_JOINS} of them on related records."

WORDS = re.compile(r"[^\s,]+")
TERMS = re.compile(r"[^,]+")


def check_size(query: QueryDict) -> None:
    """Count the conditions of the query string before they are parsed. Raises ParseError for too many.

    Each term of a search is a condition; a phrase in quotes counts by its words. The values of a list are one.
    """
    conditions = patterns = 0
    for key, values in query.lists():
        terms = WORDS if key == "search" else TERMS if key.endswith("__search") else None
        if terms is not None:
            conditions += sum(1 for value in values for _ in islice(terms.finditer(value), MOST_CONDITIONS + 1))
        elif key not in RESERVED:
            conditions += 1 if IN_A_LIST.fullmatch(key) else len(values)
            patterns += len(values) * key.removesuffix("__int").endswith(("__regex", "__iregex"))
        if conditions > MOST_CONDITIONS:
            raise ParseError(TOO_MANY_CONDITIONS)
        if patterns > MOST_PATTERNS:
            raise ParseError(f"A query may have at most {MOST_PATTERNS} regular expressions.")
