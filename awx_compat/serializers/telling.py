"""How a serializer tells a record, worked out once for each class from the fields that it declares.

DRF asks every field anew for every record where its value is and what becomes of it. For the kinds of field below both
follow from the declaration alone, so that a function can be made of them that does nothing else; all other kinds are
asked as DRF asks them.
"""

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from rest_framework import serializers
from rest_framework.relations import PKOnlyObject

from awx_compat.serializers.fields import PeersField
from instances.rows import Row, Rows

Told = Callable[[Any, Any], Any]  # of a serializer and a record: the value of one field


class DirectSerializer(serializers.ModelSerializer[Any]):
    """A serializer that tells records by functions made once for its class; in all else DRF's own."""

    def to_representation(self, record: Any) -> dict[str, Any]:
        try:
            return {name: told(self, record) for name, told in told_fields(type(self))}
        except (AttributeError, KeyError):
            return super().to_representation(record)  # DRF knows what a field without a value means

    def told(self, row: Row) -> Any:
        """The record of ``row``."""
        return self.to_representation(row.record)

    def told_all(self, rows: Rows) -> Any:
        """The records of ``rows``, as a list."""
        return [self.told(row) for row in rows]


@functools.cache
def told_fields(serializer: type[DirectSerializer]) -> list[tuple[str, Told]]:
    """The fields that are told, in their order, each with the function that gives its value."""
    bound = serializer()
    return [(name, told_by(field, bound)) for name, field in bound.fields.items() if not field.write_only]


def told_by(field: Any, serializer: Any) -> Told:
    if isinstance(field, serializers.SerializerMethodField):
        return method_teller(field.method_name)
    if not (has_known_kind(field) and has_plain_source(field, serializer.Meta.model)):
        return field_teller(field.field_name)
    value = attrgetter(".".join(field.source_attrs))
    conversion = CONVERSIONS[type(field).to_representation](field)
    return value_teller(value) if conversion is None else converting_teller(value, conversion)


def has_known_kind(field: Any) -> bool:
    kind = type(field)
    is_known = kind.get_attribute is serializers.Field.get_attribute and kind.to_representation in CONVERSIONS
    return is_known and (not hasattr(field, "child") or has_known_kind(field.child))


def has_plain_source(field: Any, model: Any) -> bool:
    """Whether the value is an attribute of the record, which nothing has to be called for."""
    return field.source != "*" and not callable(getattr(model, field.source_attrs[0], None))


def method_teller(name: str) -> Told:
    return lambda serializer, record: getattr(serializer, name)(record)


def value_teller(value: Callable[[Any], Any]) -> Told:
    return lambda serializer, record: value(record)


def converting_teller(value: Callable[[Any], Any], conversion: Callable[[Any], Any]) -> Told:
    def told(serializer: Any, record: Any) -> Any:
        found = value(record)
        return None if found is None else conversion(found)

    return told


def field_teller(name: str) -> Told:
    """As DRF does it; a field that is left out for some records is none of those here."""

    def told(serializer: Any, record: Any) -> Any:
        field = serializer.fields[name]
        try:
            value = field.get_attribute(record)
        except serializers.SkipField:
            raise AttributeError(name) from None
        is_none = (value.pk if isinstance(value, PKOnlyObject) else value) is None
        return None if is_none else field.to_representation(value)

    return told


def of_boolean(field: serializers.BooleanField) -> Callable[[Any], Any]:
    return lambda value: value if value is True or value is False else field.to_representation(value)


def of_time(field: serializers.DateTimeField) -> Callable[[Any], Any]:
    """Times come from the database in UTC, which is also what the service tells them in."""

    def told(value: datetime) -> Any:
        return f"{value.isoformat()[:-6]}Z" if value.tzinfo is UTC else field.to_representation(value)

    return told


# By how DRF converts the values of a kind of field: what makes, of a field, a function that comes to the same; None for
# no conversion at all. A kind belongs here if its conversion needs neither the request nor the serializer.
CONVERSIONS: dict[Any, Callable[[Any], Callable[[Any], Any] | None]] = {
    serializers.ReadOnlyField.to_representation: lambda field: None,
    PeersField.to_representation: lambda field: None,
    serializers.IntegerField.to_representation: lambda field: int,
    serializers.CharField.to_representation: lambda field: str,
    serializers.BooleanField.to_representation: of_boolean,
    serializers.DateTimeField.to_representation: of_time,
    **dict.fromkeys(
        (
            serializers.BigIntegerField.to_representation,
            serializers.ChoiceField.to_representation,
            serializers.DecimalField.to_representation,
            serializers.ListField.to_representation,
            serializers.JSONField.to_representation,
        ),
        lambda field: field.to_representation,
    ),
}
