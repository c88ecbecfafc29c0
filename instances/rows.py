"""Rows as the database told them, and records only of those that are asked for.

Most of what a page costs is making values of texts and records of values. Whoever knows what became of the same texts
before needs neither: a row's ``text`` can be compared, and its ``record`` is made when it is first read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.models import QuerySet
from django.db.models.query import get_related_populators
from psycopg.adapt import AdaptersMap, Transformer
from psycopg.pq import Format
from psycopg.types.string import TextLoader

Text = tuple[str | None, ...]  # of each column of a row, None where it is NULL
ANY_TYPE = 0
AS_TEXT = AdaptersMap()
AS_TEXT.register_loader(ANY_TYPE, TextLoader)


class PreparingCursor(ServerBindingCursor):
    """A cursor whose statements the database parses and plans once for each connection."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        return super().execute(query, params, prepare=True, **options)  # type: ignore[misc]


def preparing_cursor(connection: BaseDatabaseWrapper) -> Any:
    """A cursor as ``connection.cursor()`` gives it, but one that prepares."""
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    cursor: Any = PreparingCursor(connection.connection)  # type: ignore[call-arg]
    return connection.make_debug_cursor(cursor) if connection.queries_logged else connection.make_cursor(cursor)


class Statement:
    """The SQL of a queryset, and how a row of its result becomes a record.

    Where ``is_prepared``, the database plans it once, whatever the values: the best plan must not depend on them.
    """

    def __init__(self, queryset: QuerySet[Any], is_prepared: bool = False) -> None:
        self.is_prepared = is_prepared
        self.using = queryset.db
        self.model = queryset.model
        self.is_totally_ordered = is_totally_ordered(queryset)
        compiler = queryset.query.get_compiler(self.using)
        self.params: tuple[Any, ...]
        self.sql, self.params = compiler.as_sql()
        self.klass_info: Any = compiler.klass_info
        self.select: Any = compiler.select
        columns = self.klass_info["select_fields"]
        self.columns = slice(columns[0], columns[-1] + 1)
        self.names = [column[0].target.attname for column in self.select[self.columns]]
        self.annotations: dict[str, int] = dict(compiler.annotation_col_map)
        # What the columns of a row are; a text, whose hash Python remembers.
        self.layout = " ".join((self.model._meta.label, *self.names, *compiler.annotation_col_map))
        self.converters = list(compiler.get_converters([column[0] for column in self.select]).items())
        self.populators: Any = get_related_populators(self.klass_info, self.select, self.using)  # type: ignore[call-arg]

    def execute(self, params: Sequence[Any], limit: int, offset: int = 0) -> Any:
        """The result for ``params``: at most ``limit`` rows of it, after the first ``offset``."""
        connection = connections[self.using]
        with preparing_cursor(connection) if self.is_prepared else connection.cursor() as cursor:
            cursor.execute(f"{self.sql} LIMIT %s OFFSET %s", (*params, limit, offset))
            return cursor.pgresult

    def values(self, result: Any) -> Any:
        """What reads the rows of ``result`` as values."""
        values = Transformer(connections[self.using].connection)
        values.set_pgresult(result)
        return values

    def first(self, params: Sequence[Any]) -> Row | None:
        return next(iter(self.rows(params, limit=1)), None)

    def rows(self, params: Sequence[Any], limit: int, offset: int = 0) -> Rows:
        result = self.execute(params, limit, offset)
        return Rows(self, texts(result), self.values(result))

    def record(self, told: Sequence[Any]) -> Any:
        """The record of a row with these values."""
        values, connection = list(told), connections[self.using]
        for column, (converters, expression) in self.converters:
            for convert in converters:
                values[column] = convert(values[column], expression, connection)
        record: Any = self.model.from_db(self.using, self.names, values[self.columns])
        for populator in self.populators:
            populator.populate(values, record)
        for name, column in self.annotations.items():
            setattr(record, name, values[column])
        return record


def texts(result: Any) -> Any:
    """The rows of ``result``, each the text of every column, None where it is NULL."""
    reading = Transformer(AS_TEXT)
    reading.set_pgresult(result)
    return reading.load_rows(0, result.ntuples, tuple)


class Row:
    """One row: its ``text``, and ``values()`` what that stands for."""

    __slots__ = ("__dict__", "statement", "text", "values")

    def __init__(self, statement: Statement, text: Text, values: Callable[[], Sequence[Any]]) -> None:
        self.statement, self.text, self.values = statement, text, values

    @cached_property
    def record(self) -> Any:
        return self.statement.record(self.values())

    def is_true(self, annotation: str) -> bool:
        return self.text[self.statement.annotations[annotation]] == "t"


class Rows(Sequence[Row]):
    """The rows of a result. Each is made when it is asked for; ``texts`` has the texts of all."""

    __slots__ = ("numbers", "statement", "texts", "values")

    def __init__(
        self, statement: Statement, texts: list[Text], values: Any, numbers: Sequence[int] | None = None
    ) -> None:
        """``numbers``: of each row its number in the result, where that is not its own."""
        self.statement, self.texts, self.values = statement, texts, values
        self.numbers = range(len(texts)) if numbers is None else numbers

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, number: Any) -> Any:
        return Row(self.statement, self.texts[number], partial(self.values.load_row, self.numbers[number], tuple))

    def up_to(self, number: int) -> Rows:
        """No more than so many of them."""
        return Rows(self.statement, self.texts[:number], self.values, self.numbers[:number])

    def of(self, keys: Sequence[Any]) -> Rows:
        """The rows with these primary keys, in the order of the keys; one that is named twice comes twice."""
        column = self.statement.columns.start + self.statement.names.index(self.statement.model._meta.pk.attname)
        number_of = {text[column]: number for number, text in enumerate(self.texts)}
        numbers = [number_of[key] for key in map(str, keys) if key in number_of]
        return Rows(self.statement, [self.texts[number] for number in numbers], self.values, numbers)


class Joined:
    """The first rows of two queries, by one statement; each may have none."""

    def __init__(self, *statements: Statement) -> None:
        self.statements = statements
        joins = (f"LEFT JOIN ({each.sql} LIMIT 1) AS part_{n} ON true" for n, each in enumerate(statements))
        self.sql = f"SELECT * FROM (SELECT) AS nothing {' '.join(joins)}"  # noqa: S608 - made of compiled queries

    def first(self, *params: Sequence[Any]) -> list[Row | None]:
        """For each statement its first row for its ``params``, or None."""
        connection = connections[self.statements[0].using]
        with preparing_cursor(connection) as cursor:
            cursor.execute(self.sql, [each for part in params for each in part])
            result = cursor.pgresult
        (text,), found, start = texts(result), [], 0
        for statement in self.statements:
            columns = range(start, start + len(statement.select))
            own = text[columns.start : columns.stop]
            is_there = own[statement.columns.start] is not None  # the primary key
            found.append(Row(statement, own, partial(values_of, result, columns, connection)) if is_there else None)
            start = columns.stop
        return found


def values_of(result: Any, columns: range, connection: BaseDatabaseWrapper) -> Sequence[Any]:
    """The values of the first row in these columns alone."""
    values = Transformer(connection.connection)
    values.set_loader_types([result.ftype(column) for column in columns], Format.TEXT)
    return values.load_sequence([result.get_value(0, column) for column in columns])


NO_ROWS = Rows(None, [], None)  # type: ignore[arg-type]


class Listing:
    """The rows of a queryset, by pages. It must be one of records that bring nothing along by further queries."""

    ordered = True

    def __init__(self, queryset: Any) -> None:
        self.queryset = queryset

    def count(self) -> int:
        return int(self.queryset.count())

    def rows(self, offset: int, limit: int) -> Rows:
        try:
            statement = Statement(self.queryset)
        except EmptyResultSet:
            return NO_ROWS
        return statement.rows(statement.params, limit, offset)

    @property
    def is_totally_ordered(self) -> bool:
        return is_totally_ordered(self.queryset)

    def totally_ordered(self) -> Listing:
        """The same, where records that are equal in the order come by id."""
        return self if self.is_totally_ordered else Listing(by_id_at_last(self.queryset))


class KeyedListing(Listing):
    """The rows of ``queryset`` that ``keys``, a queryset of the same records' keys, names: as often, in its order.

    What is joined to filter or to order by may name a record more than once. Only its key is then compared and sorted,
    and what is computed of a record is computed for the page alone.
    """

    def __init__(self, queryset: Any, keys: Any) -> None:
        super().__init__(queryset)
        self.keys = keys

    def count(self) -> int:
        """Records, each once if the keys are distinct, however often its order lets it come."""
        return int(self.keys.count())

    def rows(self, offset: int, limit: int) -> Rows:
        keys = list(self.keys[offset : offset + limit])
        found = Listing(self.queryset.filter(pk__in=keys).order_by()).rows(0, limit) if keys else NO_ROWS
        return found.of(keys) if found else NO_ROWS

    @property
    def is_totally_ordered(self) -> bool:
        return is_totally_ordered(self.keys)

    def totally_ordered(self) -> KeyedListing:
        return self if self.is_totally_ordered else KeyedListing(self.queryset, by_id_at_last(self.keys))


def listing_of(queryset: Any, chosen: Any) -> Listing:
    """The listing of ``chosen``: what filters, which may have joined other records, left of ``queryset``."""
    if not order_names(chosen) <= columns_of(chosen).keys():
        keys = chosen.values_list("pk", flat=True)
        return KeyedListing(queryset, keys.distinct() if joins(queryset) else keys)
    may_repeat = chosen.query.distinct and joins(chosen)
    chosen.query.distinct = False  # it would compare all that is computed of a record
    if may_repeat:
        return Listing(queryset.filter(pk__in=chosen.order_by().values("pk")).order_by(*chosen.query.order_by))
    return Listing(chosen)


def joins(queryset: Any) -> bool:
    """Whether the conditions of ``queryset`` read other tables than its own."""
    references: dict[str, int] = queryset.query.alias_refcount
    return sum(count > 0 for count in references.values()) > 1


def order_names(queryset: Any) -> set[str]:
    return {str(name).removeprefix("-") for name in queryset.query.order_by}


def columns_of(queryset: Any) -> dict[str, bool]:
    """The columns of the records themselves, and whether each is unique."""
    return {field.name: field.unique for field in queryset.model._meta.concrete_fields} | {"pk": True}


def by_id_at_last(queryset: Any) -> Any:
    return queryset.order_by(*queryset.query.order_by, "pk")


def is_totally_ordered(queryset: Any) -> bool:
    """Whether no two rows of ``queryset`` are equal in its order, which follows no relation that could repeat a row."""
    names, columns = order_names(queryset), columns_of(queryset)
    return names <= columns.keys() and any(columns[name] for name in names)
