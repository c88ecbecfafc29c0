"""AWX's filter language: ``[or__|chain__][not__]<field>[__<relation's field>…][__<lookup>]=<value>``.

Filters are an allowlist: a filter set has one filter for each column of its model and, up to two
relations away, of the models below; each filter knows its lookups. Errors read as AWX words them, and come in its
order: all parameters are understood first, then the conditions are applied.

Conditions without a prefix must all hold, those with ``or__`` at least one; ``chain__`` looks at another related
record than the conditions before it. ``not__`` negates. A repeated parameter is a further condition. With ``__int``
after all else the value is read as an integer first.

Conditions on related records join them, and an order by related records looks at those that were joined last. So a
record comes once for each value that it is ordered by; ``instances.rows`` has such lists.

columns.py     what may be filtered by: the models' columns, and the relations between them.
transforms.py  expressions that are looked at in place of a column.
values.py      what a text of the query string stands for.
conditions.py  one column with its lookups, and one condition on it.
limits.py      bounds of a query string.
filtersets.py  the filters of each model, and what they make of a query string.
backends.py    the filter backends that views use.
"""

from __future__ import annotations

from awx_compat.filters.backends import FieldFilter, OrderFilter, SearchFilter, TypeFilter
from awx_compat.filters.columns import columns, is_filterable, path_of, relations
from awx_compat.filters.conditions import LOOKUPS, PATTERNS, TEXT, ColumnFilter
from awx_compat.filters.filtersets import (
    JOINS,
    Filters,
    FiltersOf,
    filterset,
    may_be_slow,
)
from awx_compat.filters.limits import MOST_JOINS
from awx_compat.filters.values import LONGEST_PATTERN, pattern

__all__ = [
    "JOINS",
    "LONGEST_PATTERN",
    "LOOKUPS",
    "MOST_JOINS",
    "PATTERNS",
    "TEXT",
    "ColumnFilter",
    "FieldFilter",
    "Filters",
    "FiltersOf",
    "OrderFilter",
    "SearchFilter",
    "TypeFilter",
    "columns",
    "filterset",
    "is_filterable",
    "may_be_slow",
    "path_of",
    "pattern",
    "relations",
]
