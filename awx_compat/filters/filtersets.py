"""The filter set of each model, and the parsing of a query string."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db import models
from django.db.models import QuerySet
from django.http import QueryDict
from django_filters import FilterSet
from rest_framework.exceptions import ParseError

from awx_compat import dialects
from awx_compat.filters.columns import HOPS, Related, Unkept, columns, field_at, names, path_of, relations, unknown
from awx_compat.filters.conditions import LOOKUPS, ColumnFilter, FilterCondition, disjunction, merged
from awx_compat.filters.limits import MOST_CONDITIONS, MOST_JOINS, RESERVED, TOO_MANY_CONDITIONS, check_size
from awx_compat.filters.values import integer
from instances.models import UnifiedJob

JOINS = ("chain", "or")


@dataclass
class Understood:
    """A query string: its conditions, and for each text that is searched for the relation to search in."""

    conditions: list[FilterCondition] = field(default_factory=list)
    searches: dict[str, ColumnFilter] = field(default_factory=dict)
    needs_every_term: bool = False
    crossing: int = 0  # conditions on related records
    unlisted: int = 0  # conditions that are no values of a list

    def add(self, condition: FilterCondition) -> None:
        self.conditions.append(condition)
        self.crossing += condition.column.crosses
        self.unlisted += not condition.is_in_list
        if self.unlisted > MOST_CONDITIONS:
            raise ParseError(TOO_MANY_CONDITIONS)
        self._check_joins()

    def search(self, column: ColumnFilter, values: list[str]) -> None:
        """Add a search for any of the values, or, where the first one is a list, for every term of all."""
        if "," in values[0]:
            self.needs_every_term = True
            values = ",".join(values).split(",")
        self.searches.update(dict.fromkeys(values, column))
        self._check_joins()

    def _check_joins(self) -> None:
        if self.crossing + len(self.searches) > MOST_JOINS:
            raise ParseError(TOO_MANY_CONDITIONS)

    def narrow(self, records: QuerySet[Any]) -> QuerySet[Any]:
        """The matching ``records``; distinct where AWX's query is."""
        searches = [column.search(text) for text, column in self.searches.items()]
        for q in searches if self.needs_every_term else ():
            records = records.filter(q)
        for condition in self._joined("chain"):
            records = records.filter(condition.q)
        all_of = [condition.q for condition in self._joined("")]
        any_of = [condition.q for condition in self._joined("or")]
        records = records.filter(*all_of, disjunction(any_of), disjunction(() if self.needs_every_term else searches))
        repeats = self.searches or any(condition.column.repeats for condition in self.conditions)
        return records.distinct() if repeats else records

    def _joined(self, join: str) -> list[FilterCondition]:
        return merged(condition for condition in self.conditions if condition.join == join)


class Filters(FilterSet):
    """The filters of one model. Subclasses name it in ``Meta``."""

    filters: dict[str, ColumnFilter]

    class Meta:
        model: ClassVar[type[models.Model]]

    @classmethod
    def get_filters(cls) -> dict[str, ColumnFilter]:
        model = getattr(cls._meta, "model", None)
        return {} if model is None else dict(_filters(model, "", "", HOPS, frozenset()))

    @classmethod
    def related_searches(cls) -> list[str]:
        """The names that search in related records."""
        return [f"{name}__search" for name in relations(cls._meta.model) if name not in names().unlisted]

    @property
    def model(self) -> type[models.Model]:
        return self._meta.model

    @property
    def qs(self) -> QuerySet[Any]:
        """The records that meet every condition of the query string."""
        return self.understood().narrow(self.queryset)

    def understood(self) -> Understood:
        """The query string; raises ParseError or PermissionDenied for the first parameter that is not right."""
        check_size(self.data)
        understood = Understood()
        for key, values in self.data.lists():
            if key in RESERVED:
                continue
            name = key.removesuffix("__int")
            if name.endswith("__search"):
                understood.search(self._searched(name), values)
                continue
            for value in values:
                raw = value if name == key else integer(value)
                join, negated, path, lookup = parsed(name)
                column = self.find(path)
                understood.add(FilterCondition(column, lookup, column.value(lookup, raw), join, negated))
        return understood

    def _searched(self, name: str) -> ColumnFilter:
        """The filter of the relation that ``<relation>__search`` searches in."""
        reject_foreign(name)
        path = name.removesuffix("__search")
        column = self.find(path)
        if column.related is None:
            raise ParseError(f"{path} is not searchable")
        return column

    def find(self, path: str) -> ColumnFilter:
        """The filter of this path. Raises ParseError if there is none, PermissionDenied if it is never allowed."""
        column = self.filters.get(path)
        if column is None:
            raise unknown(self.model, path.split("__"))
        return column


def may_be_slow(filterset: type[Filters], query: QueryDict) -> bool:
    """Whether the query of a list may be slow: one with text lookups, through relations, or of jobs.

    Jobs are many; queries by the own columns of the other models are fast.
    """
    orders = {name.removeprefix("-") for key in ("order_by", "order") for name in query.get(key, "").split(",")}
    parameters = query.keys() - (RESERVED - {"search", "type"}) | orders - {""}
    if not parameters or "search" in parameters or filterset.Meta.model is UnifiedJob:
        return bool(parameters)
    crossing: Any = filterset.base_filters
    return any("__" in name or (name in crossing and crossing[name].crosses) for name in parameters)


def parsed(key: str) -> tuple[str, bool, str, str]:
    """How the condition joins the others, whether it is negated, the path of its field, and its lookup."""
    join = next((join for join in JOINS if key.startswith(f"{join}__")), "")
    name = key.removeprefix(f"{join}__") if join else key
    negated = name.startswith("not__")
    name = name.removeprefix("not__")
    reject_foreign(name)
    path, separator, lookup = name.rpartition("__")
    if not separator or lookup not in LOOKUPS:
        path, lookup = name, "exact"
    if not path:
        raise ParseError("Query string field name not provided.")
    return join, negated, path, lookup


def reject_foreign(name: str) -> None:
    if not name.isascii():
        raise ParseError(dialects.current().not_ascii.format(name=name))


def _filters(
    model: Any, names: str, path: str, hops: int, followed: frozenset[tuple[Related, str]]
) -> Iterator[tuple[str, ColumnFilter]]:
    """The filters of ``model``, which ``names`` leads to in AWX's words and ``path`` in Django's."""
    is_nested = bool(names)
    for name, column in columns(model).items():
        yield f"{names}{name}", ColumnFilter(f"{path}{path_of(model, name)}", name, column, is_nested=is_nested)
    yield f"{names}pk", ColumnFilter(f"{path}pk", model._meta.pk.name, model._meta.pk, is_nested=is_nested)
    for name, related in relations(model).items():
        if (model, name) in followed:
            continue
        own = path_of(model, name)
        column = ColumnFilter(f"{path}{own}", name, field_at(model, own), related, is_nested=is_nested)
        yield f"{names}{name}", column
        if isinstance(related, Unkept):
            yield from _texts(f"{names}{name}__", column)
        elif hops:
            yield from _filters(related, f"{names}{name}__", f"{path}{own}__", hops - 1, followed | {(model, name)})


def _texts(names: str, column: ColumnFilter) -> Iterator[tuple[str, ColumnFilter]]:
    """The filters of models that this service has not."""
    for name in ("id", "pk"):
        yield f"{names}{name}", ColumnFilter(column.field_name, "id", models.BigAutoField(), is_nested=column.is_nested)
    related: Any = column.related
    for name, text in columns(related).items():
        yield f"{names}{name}", ColumnFilter(column.below(name), name, text, is_nested=True)


def filterset(model: type[models.Model]) -> type[Filters]:
    """The filter set of the model in the current dialect."""
    return filterset_of(dialects.current(), model)


@functools.cache
def filterset_of(dialect: dialects.Dialect, model: type[models.Model]) -> type[Filters]:
    return type(f"{model.__name__}Filters", (Filters,), {"Meta": type("Meta", (), {"model": model})})


class FiltersOf(dialects.Chosen):
    """The attribute ``filterset_class`` of a view whose records are of this model."""

    def __init__(self, model: type[models.Model]) -> None:
        self.model = model

    def __get__(self, view: Any, owner: Any) -> type[Filters]:
        return filterset(self.model)
