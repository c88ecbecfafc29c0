"""Queries that are compiled once and then asked with other values: building the SQL costs more than running it.

    @prepared
    def by_name(name: str) -> QuerySet[Instance]:
        return Instance.objects.filter(hostname=name)

    by_name("exec-1")  # the first record, or None
    by_name.asked("exec-1")  # the same as a question, which can be compared, and put with another into one statement

``@prepared_listing`` makes of such a function one that returns the ``Listing`` of all its records.

The function is called once, with placeholders for its arguments, and must do nothing but build a queryset from them.
How the query looks may depend on an argument only if that is one of those in ``shape``, which come first.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet

from instances.rows import NO_ROWS, Joined, Listing, Row, Rows, Statement


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


class Prepared:
    """A query, compiled, with places for its values."""

    def __init__(self, build: Callable[..., QuerySet[Any]], kinds: tuple[type, ...]) -> None:
        stand_ins = [placeholder(kind) for kind in kinds]
        self.statement = Statement(build(*stand_ins), is_prepared=True)
        # For each parameter of the SQL the index of the value that it is, or None with the parameter itself.
        self.params = [(stand_ins.index(each) if each in stand_ins else None, each) for each in self.statement.params]

    def filled(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """The parameters of the SQL for these values."""
        return tuple(own if index is None else values[index] for index, own in self.params)


@dataclass(frozen=True, slots=True)
class Asked:
    """A query with its values. Two are equal if they ask for the same."""

    query: Prepared
    values: tuple[Any, ...]

    @property
    def params(self) -> tuple[Any, ...]:
        return self.query.filled(self.values)

    def row(self) -> Row | None:
        """The first row, or None."""
        return self.query.statement.first(self.params)


def both(one: Asked, other: Asked) -> list[Row | None]:
    """The first row of each, or None, by one statement, so that both are of the same moment."""
    return joined(one.query, other.query).first(one.params, other.params)


@functools.lru_cache(maxsize=100)
def joined(one: Prepared, other: Prepared) -> Joined:
    return Joined(one.statement, other.statement)


class PreparedListing(Listing):
    """The rows of such a query for these values. What is asked for but now and then is compiled anew each time."""

    def __init__(self, query: Callable[[], Prepared], build: Callable[..., QuerySet[Any]], values: Any) -> None:
        self.query, self.build, self.values = query, build, values

    @cached_property
    def queryset(self) -> Any:
        return self.build(*self.values)

    def rows(self, offset: int, limit: int) -> Rows:
        try:
            query = self.query()
        except EmptyResultSet:
            return NO_ROWS
        return query.statement.rows(query.filled(self.values), limit, offset)

    @property
    def is_totally_ordered(self) -> bool:
        try:
            return self.query().statement.is_totally_ordered
        except EmptyResultSet:
            return True


def compiled(build: Callable[..., QuerySet[Any]]) -> Callable[..., Prepared]:
    """``build`` as a function of the types of its values, and of the shape, that returns the query for those."""

    @functools.cache
    def query(kinds: tuple[type, ...], shape: tuple[Hashable, ...]) -> Prepared:
        return Prepared(functools.partial(build, *shape), kinds)

    return query


class Question:
    """A function that builds a queryset, as one that returns the first record of it, or None."""

    def __init__(self, build: Callable[..., QuerySet[Any]]) -> None:
        self.query = compiled(build)
        functools.update_wrapper(self, build)

    def asked(self, *values: Any, shape: tuple[Hashable, ...] = ()) -> Asked:
        return Asked(self.query(tuple(map(type, values)), shape), values)

    def __call__(self, *values: Any, shape: tuple[Hashable, ...] = ()) -> Any:
        row = self.asked(*values, shape=shape).row()
        return None if row is None else row.record


def prepared(build: Callable[..., QuerySet[Any]]) -> Question:
    """Decorator: ``build`` as a function that returns the first record of its queryset, or None."""
    return Question(build)


def prepared_listing(build: Callable[..., QuerySet[Any]]) -> Callable[..., Listing]:
    """Decorator: ``build`` as a function that returns the listing of its queryset."""
    query = compiled(build)

    @functools.wraps(build)
    def listing(*values: Any, shape: tuple[Hashable, ...] = ()) -> Listing:
        asked = functools.partial(query, tuple(map(type, values)), shape)
        return PreparedListing(asked, functools.partial(build, *shape), values)

    return listing
