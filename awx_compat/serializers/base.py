"""What the API's serializers share: how a record is rendered, and the fields that every record begins with.

DRF looks up the source and the conversion of every field for every record. For the field classes in ``CONVERSIONS``
both follow from the declaration alone, so that they are compiled into one function; fields of all other classes are
rendered by DRF's own methods.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, ClassVar

from django.core.exceptions import NON_FIELD_ERRORS
from django.db.models import Model
from rest_framework import serializers
from rest_framework.relations import PKOnlyObject

from awx_compat import paths
from awx_compat.serializers.fields import (
    FIELDS_OF_COLUMNS,
    NO_ID,
    AddressesField,
    ChoiceField,
    HostnamesField,
    PasswordField,
)
from instances.reader import Reader

Render = Callable[[Any, Any], Any]  # of a serializer and a record: the value of one field


class CompiledSerializer(serializers.ModelSerializer[Any]):
    """A serializer whose fields are compiled into functions once for each class; everything else is DRF's."""

    def to_representation(self, record: Any) -> dict[str, Any]:
        try:
            return {name: render(self, record) for name, render in compiled_fields(type(self))}
        except (AttributeError, KeyError):
            return super().to_representation(record)  # DRF knows what a field without a value means


@functools.cache
def compiled_fields(serializer: type[CompiledSerializer]) -> list[tuple[str, Render]]:
    """The rendered fields, in their order, each with the function that renders its value."""
    bound = serializer()
    return [(name, renderer_of(field, bound)) for name, field in bound.fields.items() if not field.write_only]


def renderer_of(field: Any, serializer: Any) -> Render:
    if isinstance(field, serializers.SerializerMethodField):
        return of_method(field.method_name)
    if not (has_known_kind(field) and has_plain_source(field, serializer.Meta.model)):
        return of_field(field.field_name)
    value = attrgetter(".".join(field.source_attrs))
    conversion = CONVERSIONS[type(field).to_representation](field)
    return of_value(value) if conversion is None else of_converted_value(value, conversion)


def has_known_kind(field: Any) -> bool:
    kind = type(field)
    is_known = kind.get_attribute is serializers.Field.get_attribute and kind.to_representation in CONVERSIONS
    return is_known and (not hasattr(field, "child") or has_known_kind(field.child))


def has_plain_source(field: Any, model: Any) -> bool:
    """Whether the value is an attribute of the record, rather than a method's result."""
    return field.source != "*" and not callable(getattr(model, field.source_attrs[0], None))


def of_method(name: str) -> Render:
    return lambda serializer, record: getattr(serializer, name)(record)


def of_value(value: Callable[[Any], Any]) -> Render:
    return lambda serializer, record: value(record)


def of_converted_value(value: Callable[[Any], Any], conversion: Callable[[Any], Any]) -> Render:
    def render(serializer: Any, record: Any) -> Any:
        raw = value(record)
        return None if raw is None else conversion(raw)

    return render


def of_field(name: str) -> Render:
    """By DRF's own methods. Raises AttributeError for a field that is left out of this record."""

    def render(serializer: Any, record: Any) -> Any:
        field = serializer.fields[name]
        try:
            value = field.get_attribute(record)
        except serializers.SkipField:
            raise AttributeError(name) from None
        is_none = (value.pk if isinstance(value, PKOnlyObject) else value) is None
        return None if is_none else field.to_representation(value)

    return render


def of_boolean(field: serializers.BooleanField) -> Callable[[Any], Any]:
    return lambda value: value if value is True or value is False else field.to_representation(value)


def of_time(field: serializers.DateTimeField) -> Callable[[Any], Any]:
    """Times come from the database in UTC, and are rendered in UTC."""

    def convert(value: datetime) -> Any:
        return f"{value.isoformat()[:-6]}Z" if value.tzinfo is UTC else field.to_representation(value)

    return convert


# By how DRF converts the values of a kind of field: what makes, of a field, a function that comes to the same; None for
# no conversion at all. A kind belongs here if its conversion needs neither the request nor the serializer.
CONVERSIONS: dict[Any, Callable[[Any], Callable[[Any], Any] | None]] = {
    serializers.ReadOnlyField.to_representation: lambda field: None,
    HostnamesField.to_representation: lambda field: None,
    AddressesField.to_representation: lambda field: None,
    serializers.IntegerField.to_representation: lambda field: int,
    serializers.CharField.to_representation: lambda field: str,
    serializers.BooleanField.to_representation: of_boolean,
    serializers.DateTimeField.to_representation: of_time,
    **dict.fromkeys(
        (
            PasswordField.to_representation,
            serializers.BigIntegerField.to_representation,
            serializers.ChoiceField.to_representation,
            serializers.DecimalField.to_representation,
            serializers.ListField.to_representation,
            serializers.JSONField.to_representation,
        ),
        lambda field: field.to_representation,
    ),
}


# --- the fields of every record


class TypeField(serializers.SerializerMethodField):
    """``type``: what kind of record this is."""


class UrlField(serializers.SerializerMethodField):
    """``url``: the path of the record."""


class ObjectField(serializers.SerializerMethodField):
    """``related`` and ``summary_fields``: an object whose keys depend on the record and the reader."""


class IdField(serializers.IntegerField):
    """The id of a record of another kind; an empty text names none. Whether it exists, the serializer checks."""

    default_error_messages = {"incorrect_type": NO_ID}

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return super().run_validation(None if data == "" else data)

    def to_internal_value(self, data: Any) -> int:
        try:
            if isinstance(data, bool):
                raise TypeError
            return int(data)
        except (TypeError, ValueError, OverflowError):
            self.fail("incorrect_type", data_type=type(data).__name__)


class RecordSerializer(CompiledSerializer):
    """The fields that every record of AWX's API begins with: type, url, related, summary_fields."""

    record_type: ClassVar[str]
    collection: ClassVar[str]
    serializer_field_mapping = FIELDS_OF_COLUMNS
    serializer_choice_field = ChoiceField

    type = TypeField()
    url = UrlField()
    related = ObjectField()
    summary_fields = ObjectField()

    @property
    def withheld(self) -> tuple[str, ...]:
        """The fields that the reader has no right to set: they are read only, and OPTIONS leaves them out."""
        return ()

    def get_fields(self) -> dict[str, Any]:
        """The fields that DRF builds of the class, built once: each serializer gets copies."""
        fields = {name: copied(field) for name, field in fields_of(type(self)).items()}
        for name in self.withheld:
            fields[name].read_only, fields[name].default = True, serializers.empty
        return fields

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        """The field of a column, which PUT sets to the column's default where the request leaves it out."""
        field, options = super().build_standard_field(field_name, model_field)
        if model_field.has_default() and not callable(model_field.default) and not options.get("read_only"):
            options.pop("required", None)
            options["default"] = model_field.default
        return field, options

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if data is None:
            raise serializers.ValidationError({NON_FIELD_ERRORS: ["This field may not be null."]})
        return super().run_validation(data)

    @functools.cached_property
    def reader(self) -> Reader:
        """The requesting user."""
        reader: Reader = self.context["view"].reader
        return reader

    def get_type(self, record: Model) -> str:
        return self.record_type

    @classmethod
    def url_of(cls, key: object) -> str:
        """The path of the record with this id, or this name as paths have it."""
        return f"{paths.root()}{cls.collection}/{key}/"

    def get_url(self, record: Model) -> str:
        return self.url_of(record.pk)


@functools.cache
def fields_of(serializer: type[RecordSerializer]) -> dict[str, Any]:
    """The fields of a class of serializers, bound to none."""
    return super(RecordSerializer, serializer()).get_fields()


def copied(field: Any) -> Any:
    """A copy to bind to another serializer; deep only where fields inside the field refer to it."""
    nests = isinstance(field, serializers.BaseSerializer) or hasattr(field, "child")
    return copy.deepcopy(field) if nests else copy.copy(field)


class NamedRecordSerializer(RecordSerializer):
    """A record on its own path: with its named URL."""

    name_field: ClassVar[str]

    def get_related(self, record: Model) -> dict[str, str]:
        name = getattr(record, self.name_field).translate(paths.RESERVED_IN_NAMES)
        return {"named_url": self.url_of(name), **super().get_related(record)}  # type: ignore[misc]
