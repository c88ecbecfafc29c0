"""Queries that are compiled once and then executed with other values: building the SQL costs more than running it.

    @prepared
    def by_name(name: str) -> QuerySet[Instance]:
        return Instance.objects.filter(hostname=name)

    by_name("exec-1")  # the first record, or None

``@prepared_listing`` makes of such a function one that returns the ``Listing`` of all its records.

The function is called once, with placeholders for its arguments, and must do nothing but build a queryset from them.
How the query looks may depend on an argument only if that is one of those in ``shape``, which come first.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Hashable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.models import QuerySet
from django.db.models.query import get_related_populators

from instances.listing import Listing, is_totally_ordered
from instances.locking import lock_rows
from instances.reader import Reader


def placeholder(kind: type) -> Any:
    """A value of this type that stands nowhere else."""
    number = secrets.randbits(40)
    if kind is int:
        return -(2**62) - number
    if kind is str:
        return f"placeholder {number}"
    if kind is datetime:
        return datetime(1, 1, 1, tzinfo=UTC) + timedelta(microseconds=number)
    raise TypeError(f"There is no placeholder for a {kind.__name__}.")


class PreparingCursor(ServerBindingCursor):
    """A cursor whose statements the database parses and plans once for each connection."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        return super().execute(query, params, prepare=True, **options)  # type: ignore[misc]


def preparing_cursor(connection: BaseDatabaseWrapper) -> Any:
    """A cursor as ``connection.cursor()`` gives it, but one that prepares. The best plan must not depend on values."""
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    cursor: Any = PreparingCursor(connection.connection)  # type: ignore[call-arg]
    return connection.make_debug_cursor(cursor) if connection.queries_logged else connection.make_cursor(cursor)


class PreparedQuery:
    """The SQL of a queryset with places for its values, and how a row of its result becomes a record."""

    def __init__(self, build: Callable[..., QuerySet[Any]], kinds: tuple[type, ...]) -> None:
        stand_ins = [placeholder(kind) for kind in kinds]
        queryset = build(*stand_ins)
        compiler = queryset.query.get_compiler(queryset.db)
        sql, params = compiler.as_sql()
        self.sql = f"{sql} LIMIT %s OFFSET %s"
        # For each parameter of the SQL the index of the value that it is, or None with the parameter itself.
        self.params = [(stand_ins.index(each) if each in stand_ins else None, each) for each in params]
        self.using, self.model = queryset.db, queryset.model
        self.is_totally_ordered = is_totally_ordered(queryset)
        select: Any = compiler.select
        klass_info: Any = compiler.klass_info
        columns = klass_info["select_fields"]
        self.columns = slice(columns[0], columns[-1] + 1)
        self.names = [column[0].target.attname for column in select[self.columns]]
        self.annotations = list(compiler.annotation_col_map.items())
        self.converters = list(compiler.get_converters([column[0] for column in select]).items())
        self.populators: Any = get_related_populators(klass_info, select, self.using)  # type: ignore[call-arg]

    def records(self, values: tuple[Any, ...], limit: int, offset: int = 0) -> list[Any]:
        """At most ``limit`` records, after the first ``offset``, for these values."""
        params = [own if index is None else values[index] for index, own in self.params]
        connection = connections[self.using]
        with preparing_cursor(connection) as cursor:
            cursor.execute(self.sql, [*params, limit, offset])
            return [self.record(row, connection) for row in cursor.fetchall()]

    def record(self, row: Sequence[Any], connection: BaseDatabaseWrapper) -> Any:
        values = list(row)
        for column, (converters, expression) in self.converters:
            for convert in converters:
                values[column] = convert(values[column], expression, connection)
        record: Any = self.model.from_db(self.using, self.names, values[self.columns])
        for populator in self.populators:
            populator.populate(values, record)
        for name, column in self.annotations:
            setattr(record, name, values[column])
        return record


class PreparedListing(Listing):
    """The records of such a query for these values. What is asked for but now and then is compiled anew each time."""

    def __init__(self, query: Callable[[], PreparedQuery], build: Callable[..., QuerySet[Any]], values: Any) -> None:
        self.query, self.build, self.values = query, build, values

    @cached_property
    def queryset(self) -> Any:
        return self.build(*self.values)

    def __getitem__(self, page: slice) -> list[Any]:
        try:
            return self.query().records(self.values, page.stop - page.start, page.start)
        except EmptyResultSet:
            return []

    @property
    def is_totally_ordered(self) -> bool:
        try:
            return self.query().is_totally_ordered
        except EmptyResultSet:
            return True


def compiled(build: Callable[..., QuerySet[Any]]) -> Callable[..., PreparedQuery]:
    """``build`` as a function of the types of its values, and of the shape, that returns the query for those."""

    @functools.cache
    def query(kinds: tuple[type, ...], shape: tuple[Hashable, ...]) -> PreparedQuery:
        return PreparedQuery(functools.partial(build, *shape), kinds)

    return query


def prepared(build: Callable[..., QuerySet[Any]]) -> Callable[..., Any]:
    """Decorator: ``build`` as a function that returns the first record of its queryset, or None."""
    query = compiled(build)

    @functools.wraps(build)
    def first(*values: Any, shape: tuple[Hashable, ...] = ()) -> Any:
        records = query(tuple(map(type, values)), shape).records(values, limit=1)
        return records[0] if records else None

    return first


def prepared_listing(build: Callable[..., QuerySet[Any]]) -> Callable[..., Listing]:
    """Decorator: ``build`` as a function that returns the listing of its queryset."""
    query = compiled(build)

    @functools.wraps(build)
    def listing(*values: Any, shape: tuple[Hashable, ...] = ()) -> Listing:
        known = functools.partial(query, tuple(map(type, values)), shape)
        return PreparedListing(known, functools.partial(build, *shape), values)

    return listing


@prepared_listing
def all_visible(visible: Callable[[Reader], Any], rank: tuple[Any, ...], reader_id: int) -> Any:
    return visible(Reader(reader_id, *rank))


@prepared
def record_with_visibility(
    records: Callable[[Reader], Any], field: str, rank: tuple[Any, ...], lock: bool, value: int | str, reader_id: int
) -> Any:
    reader = Reader(reader_id, *rank)
    matching = records(reader).filter(**{field: value}).with_visibility(reader)
    return lock_rows(matching) if lock else matching
