"""Case-insensitive comparison that folds every alphabet, whatever collation a column or the database has.

A database made with the collation C folds only ASCII; AWX's folds all of Unicode.
"""

from typing import Any

from django.db import models
from django.db.models import lookups

COLLATION = "mesh_text"  # made by the first migration: ordered by code point, as C, with Unicode's cases


class Folded:
    """Compares both sides under COLLATION."""

    lookup_name: Any

    def process_lhs(self, compiler: Any, connection: Any, lhs: Any = None) -> tuple[str, Any]:
        sql, parameters = lookups.Lookup.process_lhs(self, compiler, connection, lhs)  # type: ignore[arg-type]
        text = f'{sql}::text COLLATE "{COLLATION}"'
        return (text if self.lookup_name == "iregex" else f"UPPER({text})"), parameters

    def get_rhs_op(self, connection: Any, rhs: str) -> str:
        operator: str = connection.operators[self.lookup_name]
        return operator % f'{rhs} COLLATE "{COLLATION}"'


class IExact(Folded, lookups.IExact):
    pass


class IContains(Folded, lookups.IContains):
    pass


class IStartsWith(Folded, lookups.IStartsWith):
    pass


class IEndsWith(Folded, lookups.IEndsWith):
    pass


class IRegex(Folded, lookups.IRegex):
    pass


def register() -> None:
    """Let all text columns use these lookups."""
    for field in (models.CharField, models.TextField):
        for lookup in (IExact, IContains, IStartsWith, IEndsWith, IRegex):
            field.register_lookup(lookup)
