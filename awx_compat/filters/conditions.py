"""One filter: a column, its lookups, and the condition that a parameter of the query string sets."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django_filters import Filter
from rest_framework.exceptions import ParseError

from awx_compat.filters import transforms
from awx_compat.filters.columns import ANNOTATED, ORDERS, SEARCHED_IN_RELATED, Related, Unkept, columns
from awx_compat.filters.values import boolean, comparable, pattern, reject_null, related_id
from instances.models import UnifiedJob

TEXT = frozenset({"contains", "startswith", "endswith", "iexact", "icontains", "istartswith", "iendswith"})
PATTERNS = frozenset({"regex", "iregex"})
OF_RELATED = frozenset({"exact", "gt", "gte", "lt", "lte", "in", "isnull"})  # the lookups of a relation's id
LOOKUPS = TEXT | PATTERNS | OF_RELATED
# Columns of these kinds, AWX trusts, bring no record twice; with any other a list names each record once.
UNREPEATED = (models.CharField, models.IntegerField, models.BooleanField, models.TextField)
OR_FALSE = f"__{transforms.OrFalse.lookup_name}"
ANNOTATIONS = frozenset(column for columns_of in ANNOTATED.values() for column in columns_of.values())
TYPE_OF_JOB = UnifiedJob._meta.get_field("type")


class ColumnFilter(Filter):
    """One column, or one relation, of a model or of one that is related to it."""

    def __init__(
        self, path: str, name: str, column: Any, related: Related | None = None, *, is_nested: bool = False
    ) -> None:
        """``path``: as Django names it; ``name``: what AWX calls the last in it; ``column``: Django's field.

        ``is_nested``: whether the column is a related record's.
        """
        super().__init__(field_name=path)
        self.name, self.column, self.related, self.is_nested = name, column, related, is_nested
        self.crosses = self.is_nested or (related is not None and not isinstance(related, Unkept))
        self.repeats = self.crosses or related is not None or not isinstance(column, UNREPEATED)
        self.is_text = related is None and isinstance(column, models.CharField | models.TextField)
        self.is_json = isinstance(column, models.JSONField)
        self.is_type = column is TYPE_OF_JOB
        self.is_optional_annotation = column in ANNOTATIONS and column.null
        self.may_be_in_list = not (self.crosses or self.is_json or path.endswith(OR_FALSE))

    def __deepcopy__(self, memo: Any) -> ColumnFilter:
        return self  # it has no state; a filter set need not copy hundreds of them for each request

    def value(self, lookup: str, raw: str | int) -> Any:
        """The value to compare the column with. Raises ParseError where ``raw`` is no such value."""
        text = str(raw)
        reject_null(text)
        if lookup == "isnull":
            return boolean(text)
        if self.is_type:
            return text.replace("_", "")
        if lookup == "in":
            if not text:
                raise ParseError("cannot provide empty value for __in")
            return [comparable(self._typed(part)) for part in text.split(",")]
        if lookup in PATTERNS:
            return pattern(text)
        if lookup == "iexact" and not self.is_text:
            raise ParseError(f"{self.name} is not a text field and cannot be filtered by case-insensitive search")
        if self.is_json and self.is_nested:
            raise ParseError(f"Cannot resolve keyword '{self.name}' into field.")
        value = self._typed(raw)
        return value if lookup in TEXT else comparable(value)

    def condition(self, lookup: str, value: Any) -> Q:
        """The condition of this lookup for a ``value()``. Raises ParseError for a lookup that the column has not."""
        if self.related is not None and lookup not in OF_RELATED:
            kind = "ManyToOneRel" if self.column.one_to_many else "ForeignKey"
            raise ParseError(f"Unsupported lookup '{lookup}' for {kind} or join on the field not permitted.")
        if value is None and lookup != "exact":
            raise ParseError("Cannot use None as a query value")
        if value is None:
            return Q(**{f"{self.field_name}__isnull": True})
        path = self.field_name
        if path.endswith(OR_FALSE) and not self.is_nested:
            return Q(or_false(path.removesuffix(OR_FALSE), lookup, value))
        if self.is_type:
            path += "__without_underscores"
        elif self.is_json and lookup not in ("in", "isnull"):
            path += "__as_text"
        q = Q(**{f"{path}__{lookup}": value})
        # Of a column, Django's NOT holds where there is no value; of an annotation it would not.
        return q & Q(**{f"{path}__isnull": False}) if self.is_optional_annotation and lookup != "isnull" else q

    def search(self, text: str) -> Q:
        """The condition that a text of the related record contains ``text``."""
        names = columns(self.related) if self.related is not None else ()
        searched = [name for name in SEARCHED_IN_RELATED if name in names]
        return disjunction(Q(**{f"{self.below(name)}__icontains": text}) for name in searched)

    def order(self, descending: bool) -> Any:
        """The expression for QuerySet.order_by()."""
        path = self.field_name
        if self.related is not None and self.related in ORDERS:
            path = self.below(ORDERS[self.related])
        return f"-{path}" if descending else path

    def below(self, name: str) -> str:
        """Django's path to a column of the related record."""
        if isinstance(self.related, Unkept):
            return self.field_name.removesuffix(self.column.name) + dict(self.related.texts)[name]
        return f"{self.field_name}__{name}"

    def _typed(self, raw: str | int) -> Any:
        if self.related is not None:
            return related_id(self.name, str(raw))
        if isinstance(self.column, models.BooleanField):
            return boolean(str(raw))
        if self.is_json:
            return str(raw)
        try:
            return self.column.to_python(raw)
        except ValidationError as error:
            raise ParseError(json.dumps(error.messages, ensure_ascii=False)) from None
        except TypeError as error:  # an integer where a time should be
            raise ParseError(str(error)) from None


def or_false(path: str, lookup: str, value: Any) -> Any:
    """A condition on a boolean that is false where there is none. Of its path, Django's NOT would leave NULL out."""
    expression: Any = transforms.OrFalse(F(path))
    return expression.get_lookup(lookup)(expression, value)


@dataclass(frozen=True)
class FilterCondition:
    """One parsed parameter of the query string."""

    column: ColumnFilter
    lookup: str
    value: Any
    join: str  # "", "or" or "chain"
    negated: bool

    @property
    def q(self) -> Q:
        q = self.column.condition(self.lookup, self.value)
        return ~q if self.negated else q

    @property
    def is_in_list(self) -> bool:
        """Whether this and further conditions on the column, joined alike, are one IN, or NOT IN, of their values.

        That is the case for equality with one of several values, and for inequality with all of them.
        """
        is_equality = self.lookup == "exact" and self.value is not None
        return is_equality and self.negated != (self.join == "or") and self.column.may_be_in_list


def merged(conditions: Iterable[FilterCondition]) -> list[FilterCondition]:
    """The conditions, with one IN, or NOT IN, in place of those on one column that come to it."""
    lists: dict[tuple[ColumnFilter, str], list[FilterCondition]] = {}
    others = []
    for condition in conditions:
        if condition.is_in_list:
            lists.setdefault((condition.column, condition.join), []).append(condition)
        else:
            others.append(condition)
    return others + [same[0] if len(same) == 1 else in_list(same) for same in lists.values()]


def in_list(same: list[FilterCondition]) -> FilterCondition:
    return replace(same[0], lookup="in", value=[condition.value for condition in same])


def disjunction(conditions: Iterable[Q]) -> Q:
    met = Q()
    for condition in conditions:
        met |= condition
    return met
