"""Conditions and orders through relations, of a reader who does not see everything.

A condition on a related record reveals its values: a client that may filter by an address that starts with "1", then
with "10", finds the whole address. So for such a reader every joined table is replaced by ``as_related()`` of its
records, and a hidden record counts as one that does not exist: in conditions, negated or not, in orders, and in counts.
Readers who see everything query the tables themselves.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, ClassVar

from django.apps import apps
from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.sql import Query
from django.db.models.sql.datastructures import BaseTable, Join

from instances.querysets import VisibleQuerySet
from instances.reader import Reader

READERS = 256  # whose kinds of query are kept
COMPILED = 5 * READERS  # statements, for each reader and table


def through_what_is_visible(records: QuerySet[Any], reader: Reader) -> QuerySet[Any]:
    """``records``, of which conditions and orders that follow find no related record that ``reader`` may not see."""
    if reader.sees_everything or isinstance(records.query, VisibleQuery):
        return records
    query = records.query.chain()
    query.get_initial_alias()  # the records themselves are those that are given, whatever the reader sees
    query = query.chain(_kind_of_query(reader))
    for alias, table in query.alias_map.items():
        if isinstance(table, Join):
            query.alias_map[alias] = _visible_join(table)
    narrowed = records.all()
    narrowed.query = query
    return narrowed


class VisibleTable(BaseTable):
    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return _rows_of(self, compiler, connection)


class VisibleJoin(Join):
    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        whole, params = super().as_sql(compiler, connection)
        _, _, condition = whole.partition(" ON ")
        rows, of_rows = _rows_of(self, compiler, connection)
        return f"{self.join_type} {rows} ON {condition}", (*of_rows, *params)


class VisibleQuery(Query):
    """A query that joins no more than ``reader`` may see. Django makes its subqueries of the same class."""

    base_table_class = VisibleTable
    join_class = VisibleJoin
    reader: ClassVar[Reader]


@lru_cache(READERS)
def _kind_of_query(reader: Reader) -> type[VisibleQuery]:
    return type("VisibleQuery", (VisibleQuery,), {"reader": reader})


def _visible_join(join: Join) -> VisibleJoin:
    return VisibleJoin(
        join.table_name,
        join.parent_alias,
        join.table_alias,
        join.join_type,
        join.join_field,
        join.nullable,
        join.filtered_relation,
    )


def _rows_of(table: Join | BaseTable, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
    """The visible rows of ``table``, under its alias."""
    sql, params = _select(table.table_name, compiler.query.reader, connection.alias)
    return f"({sql}) {compiler.quote_name_unless_alias(table.table_alias)}", params


@lru_cache(COMPILED)
def _select(table: str, reader: Reader, using: str) -> tuple[str, tuple[Any, ...]]:
    """The statement of the visible rows. Django needs longer to write it than to do all else that a list takes."""
    query = related(_models()[table], reader).query
    sql, params = query.get_compiler(using, elide_empty=False).as_sql()
    return sql, tuple(params)


def related(model: type[models.Model], reader: Reader) -> QuerySet[Any]:
    """The rows of ``model`` as ``reader`` may know of them from records that lead there.

    Where nobody says who sees the records of a model, as with links and memberships, a record is visible where all are
    that it refers to.
    """
    records = model._default_manager.all()
    if isinstance(records, VisibleQuerySet):
        return records.as_related(reader)
    for field in model._meta.concrete_fields:
        target: Any = field.related_model
        if target is not None and isinstance(target._default_manager.all(), VisibleQuerySet):
            there = related(target, reader).filter(pk=OuterRef(field.attname))
            records = records.filter(Q(**{f"{field.attname}__isnull": True}) | Exists(there))
    return records.order_by().values(*(field.attname for field in model._meta.concrete_fields))


@cache
def _models() -> dict[str, type[models.Model]]:
    return {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}
