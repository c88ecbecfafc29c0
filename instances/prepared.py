"""Queries that are compiled once and then asked with other values: building the SQL costs more than running it.

    @prepared
    def by_name(name: str) -> QuerySet[Instance]:
        return Instance.objects.filter(hostname=name)

    by_name("exec-1")  # the first record, or None

The function is called once, with placeholders for its arguments, and must do nothing but build a queryset from them.
How the query looks may depend on an argument only if that is one of those in ``shape``, which come first.
"""

from __future__ import annotations

import copy
import functools
import secrets
from collections.abc import Callable, Hashable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connections
from django.db.models import QuerySet


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
    """A query of which only the first record matters, compiled, with places for its values."""

    def __init__(self, build: Callable[..., QuerySet[Any]], kinds: tuple[type, ...]) -> None:
        stand_ins = [placeholder(kind) for kind in kinds]
        self.queryset = build(*stand_ins)[:1]
        self.compiler = self.queryset.query.get_compiler(self.queryset.db)
        self.sql, params = self.compiler.as_sql()
        # For each parameter of the SQL the index of the value that it is, or None with the parameter itself.
        self.params = [(stand_ins.index(each) if each in stand_ins else None, each) for each in params]

    def first(self, *values: Any) -> Any:
        """The first record for these values, or None."""
        params = tuple(own if index is None else values[index] for index, own in self.params)
        queryset: Any = self.queryset.all()
        queryset.query.get_compiler = functools.partial(self.compiled, params)
        return next(iter(queryset), None)

    def compiled(self, params: tuple[Any, ...], using: str, *_: Any, **__: Any) -> Any:
        compiler: Any = copy.copy(self.compiler)
        compiler.connection = connections[using]
        compiler.as_sql = lambda *_, **__: (self.sql, params)
        return compiler


def prepared(build: Callable[..., QuerySet[Any]]) -> Callable[..., Any]:
    """Decorator: ``build`` as a function that returns the first record of its queryset, or None."""

    @functools.cache
    def query(kinds: tuple[type, ...], shape: tuple[Hashable, ...]) -> Prepared:
        return Prepared(functools.partial(build, *shape), kinds)

    @functools.wraps(build)
    def first(*values: Any, shape: tuple[Hashable, ...] = ()) -> Any:
        return query(tuple(type(value) for value in values), shape).first(*values)

    return first
