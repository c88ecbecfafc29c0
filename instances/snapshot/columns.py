"""Validating and converting JSON values by the model fields that they are stored in."""

import json
import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

import orjson
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator
from django.db import models

from instances.models.fields import VerbatimJSONField
from instances.snapshot.problems import Invalid, Malformed, Problems, shown, within, wrong_kind

BITS = 64  # of the largest integer that PostgreSQL has, with its sign

Field: TypeAlias = "models.Field[Any, Any]"
Convert = Callable[[Any], Any]
"""Takes a JSON value, returns what the column takes; raises Invalid."""


@dataclass(frozen=True, slots=True)
class Column:
    """A field of a record and the column of the model that it fills."""

    key: str
    """Of the record; "" where the record itself is the value."""
    attname: str
    convert: Convert
    default: Callable[[], Any]
    """What a record without the key has; raises Invalid where it must have it."""
    target: type[models.Model] | None = None
    """The model whose id this is."""


def column(field: Field, key: str | None = None, attname: str | None = None) -> Column:
    """The column of ``field``, whose key in records is the field's name unless ``key`` is given.

    ``attname`` is given where the record's value is not that of the column itself.
    """
    return Column(
        key=field.name if key is None else key,
        attname=attname or field.attname,
        convert=converter(field),
        default=default(field),
        target=field.related_model if isinstance(field, models.ForeignKey) else None,
    )


def clean(record: dict[str, Any], columns: Iterable[Column], place: str, problems: Problems) -> dict[str, Any]:
    """The columns' values by attname, in the columns' order; invalid ones are added to ``problems`` instead."""
    values = {}
    for column in columns:
        key = column.key
        try:
            values[column.attname] = column.convert(record[key]) if key in record else column.default()
        except Invalid as reason:
            problems.add(within(place, key), reason)
        except RecursionError:
            problems.add(within(place, key), "is nested too deeply")
    return values


def default(field: Field) -> Callable[[], Any]:
    optional = field.has_default() or field.null or (field.blank and not field.primary_key)
    return field.get_default if optional else missing


def missing() -> None:
    raise Invalid("is missing")


def converter(field: Field) -> Convert:
    """The function that converts a JSON value to a value of ``field``."""
    convert = converter_of(field)
    return (lambda value: None if value is None else convert(value)) if field.null else convert


def converter_of(field: Field) -> Convert:
    match field:
        case models.ForeignKey():
            return converter_of(field.target_field)
        case models.BooleanField():
            return boolean
        case models.DecimalField():
            return decimal(field)
        case models.IntegerField():
            return integer(field)
        case models.DateTimeField():
            return parse_time
        case VerbatimJSONField():
            return verbatim
        case models.JSONField() if field.default is list:
            return texts
        case models.CharField() | models.TextField():
            return text(field)
    raise TypeError(f"no JSON is known for {field!r}")


def text(field: Field) -> Convert:
    longest = field.max_length or math.inf
    choices = dict(field.flatchoices)
    rules = [rule for rule in field.validators if not isinstance(rule, MaxLengthValidator)]

    def convert(value: Any) -> str:
        string = storable(value)
        if len(string) > longest:
            raise Invalid(f"must have at most {longest} characters, not {len(string)}")
        if choices and string not in choices:
            raise Invalid(f"{shown(string)} is not one of {', '.join(choices)}")
        if string:
            run_validators(rules, string)
        elif not field.blank:
            raise Invalid("must not be empty")
        return string

    return convert


def storable(value: Any) -> str:
    """``value``, if it is a string that PostgreSQL can hold as text."""
    if type(value) is not str:
        raise wrong_kind("a string", value)
    if "\0" in value:
        raise Invalid("must not hold the character NUL")
    refuse_half_pairs(value)
    return value


def refuse_half_pairs(text: str) -> None:
    """Raise Invalid if ``text`` has half of a surrogate pair, which JSON's escapes can write and UTF-8 cannot."""
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Invalid("must not hold one half of a surrogate pair") from None


def run_validators(rules: Iterable[Callable[[str], None]], value: str) -> None:
    try:
        for rule in rules:
            rule(value)
    except ValidationError as error:
        raise Invalid(error.messages[0]) from None


def integer(field: Field) -> Convert:
    low, high = bounds(field)
    if field.primary_key:
        low = 1

    def convert(value: Any) -> int:
        if type(value) is not int:  # a bool is an int to Python, not to JSON
            raise wrong_kind("an integer", value)
        if not low <= value <= high:
            kind = Invalid if value.bit_length() < BITS else Malformed
            raise kind(f"must be between {low} and {high}, not {shown(value)}")
        return value

    return convert


def decimal(field: "models.DecimalField[Any, Any]") -> Convert:
    places, whole = field.decimal_places or 0, (field.max_digits or 0) - (field.decimal_places or 0)
    low, _ = bounds(field)

    def convert(value: Any) -> Decimal:
        number = finite(value)
        if abs(number) >= 10**whole or number != round(number, places):
            raise Invalid(
                f"must have at most {whole} digits before the point and {places} after it, not {shown(value)}"
            )
        if number < low:
            raise Invalid(f"must not be below {low}, as {shown(value)} is")
        return number

    return convert


def finite(value: Any) -> Decimal:
    """``value``, a number or a string that holds one, as AWX writes decimals."""
    if type(value) in (int, float, str):
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite():
            return number
        raise Invalid(f"must be a decimal number, not {shown(value)}")
    raise wrong_kind("a decimal number", value)


def bounds(field: Field) -> tuple[Any, Any]:
    """The lowest and the highest value that ``field`` takes."""
    lows = [rule.limit_value for rule in field.validators if isinstance(rule, MinValueValidator)]
    highs = [rule.limit_value for rule in field.validators if isinstance(rule, MaxValueValidator)]
    return max(lows, default=-math.inf), min(highs, default=math.inf)


def boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise wrong_kind("true or false", value)
    return value


def parse_time(value: Any) -> datetime:
    expected = "a time and its zone, as in 2023-12-21T11:46:49.123456Z"
    if type(value) is not str:
        raise wrong_kind(expected, value)
    with suppress(ValueError, OverflowError):  # the last: it is beyond the years 1 to 9999 in UTC
        time = datetime.fromisoformat(value)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    raise Invalid(f"must be {expected}, not {shown(value)}")


def verbatim(value: Any) -> Any:
    """An object for a column of type ``json``, unchanged."""
    written(value)
    return value


def written(value: Any) -> str:
    """The JSON text of an object, for a column of type ``json``."""
    if type(value) is not dict:
        raise wrong_kind("an object", value)
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # half a surrogate pair, deep nesting, or integers above 64 bits, which are allowed
        written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        refuse_half_pairs(written)
        return written


def texts(value: Any) -> list[str]:
    if type(value) is not list:
        raise wrong_kind("a list of strings", value)
    return [storable(item) for item in value]
