from __future__ import annotations

import copy
import functools
from collections.abc import Hashable
from typing import Any, ClassVar

from django.core.exceptions import NON_FIELD_ERRORS
from django.db.models import Model
from rest_framework import serializers

from awx_compat import paths
from awx_compat.encoding import Encoded, encoded
from awx_compat.serializers.fields import FIELDS_OF_COLUMNS, ChoiceField
from awx_compat.serializers.telling import DirectSerializer
from instances.models import User
from instances.rows import Row, Rows, Statement, Text


class TypeField(serializers.SerializerMethodField):
    """``type``: what kind of record this is."""


class UrlField(serializers.SerializerMethodField):
    """``url``: the path of the record."""


class ObjectField(serializers.SerializerMethodField):
    """``related`` and ``summary_fields``: an object whose keys depend on the record and the reader."""


class IdField(serializers.IntegerField):
    """The id of a record of another kind; an empty text names none. Whether it exists, the serializer checks."""

    default_error_messages = {"incorrect_type": "Incorrect type. Expected pk value, received {data_type}."}

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return super().run_validation(None if data == "" else data)

    def to_internal_value(self, data: Any) -> int:
        try:
            if isinstance(data, bool):
                raise TypeError
            return int(data)
        except (TypeError, ValueError, OverflowError):
            self.fail("incorrect_type", data_type=type(data).__name__)


class RecordSerializer(DirectSerializer):
    """The fields that every record of AWX's API begins with: type, url, related, summary_fields."""

    record_type: ClassVar[str]
    collection: ClassVar[str]
    serializer_field_mapping = FIELDS_OF_COLUMNS
    serializer_choice_field = ChoiceField

    type = TypeField()
    url = UrlField()
    related = ObjectField()
    summary_fields = ObjectField()

    def get_fields(self) -> dict[str, Any]:
        """The fields as DRF makes them of the class, but only once: each serializer is given copies."""
        return {name: copied(field) for name, field in fields_of(type(self)).items()}

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

    def depends_on(self) -> Hashable:
        """All that the telling of a record depends on besides the record; None if that is more than can be said."""
        return None

    def told(self, row: Row) -> Any:
        """The record of ``row``: as JSON that is kept for when the same row comes again, where that is possible."""
        kept = self.kept(row.statement)
        known = None if kept is None else kept.told.get(row.text)
        return self.told_anew(row, kept) if known is None else known

    def told_all(self, rows: Rows) -> Any:
        kept = self.kept(rows.statement) if rows else None
        if kept is None:
            return super().told_all(rows)
        known = enumerate(map(kept.told.get, rows.texts))
        told = [self.told_anew(rows[n], kept) if each is None else each for n, each in known]
        return Encoded.all(told) if all(type(each) is Encoded for each in told) else told

    def told_anew(self, row: Row, kept: Kept | None) -> Any:
        told = self.to_representation(row.record)
        text = None if kept is None else encoded(told)
        if kept is None or text is None:
            return told
        copy = bytes(memoryview(text))  # orjson's own takes a buffer of 16 KiB
        return kept.put(row.text, Encoded(copy, getattr(row.record, "modified", None)))

    def kept(self, statement: Statement) -> Kept | None:
        depends_on = self.depends_on()
        return None if depends_on is None else Kept.of(type(self), depends_on, statement.layout)

    @property
    def reader(self) -> User:
        """The user who asks."""
        return self.context["request"].user  # type: ignore[no-any-return]

    def get_type(self, record: Model) -> str:
        return self.record_type

    def get_url(self, record: Model) -> str:
        return paths.record(self.collection, record.pk)


class Kept:
    """What rows were told as. A row is known by the texts of all its columns: nothing here can be out of date."""

    MOST = 2_500_000  # bytes that all are told as, some 2,000 rows; beyond that all are forgotten
    size = 0
    every: ClassVar[dict[Hashable, Kept]] = {}

    def __init__(self) -> None:
        self.told: dict[Text, Encoded] = {}

    @classmethod
    def of(cls, *key: Hashable) -> Kept:
        """What was told by the same serializer, to the same kind of reader, of rows with the same layout."""
        return cls.every.get(key) or cls.every.setdefault(key, cls())

    @classmethod
    def forget(cls) -> None:
        cls.size = 0
        for each in list(cls.every.values()):
            each.told.clear()

    def put(self, text: Text, told: Encoded) -> Encoded:
        if Kept.size + len(told.json) > self.MOST:
            self.forget()
        Kept.size += len(told.json)
        self.told[text] = told
        return told


@functools.cache
def fields_of(serializer: type[RecordSerializer]) -> dict[str, Any]:
    """The fields of a class of serializers, bound to none."""
    return super(RecordSerializer, serializer()).get_fields()


def copied(field: Any) -> Any:
    """A copy to bind to another serializer; deep only where fields inside the field refer to it."""
    nests = isinstance(field, serializers.BaseSerializer) or hasattr(field, "child")
    return copy.deepcopy(field) if nests else copy.copy(field)


class NamedRecordSerializer(RecordSerializer):
    """A record that is told by itself: with its named URL."""

    name_field: ClassVar[str]

    def get_related(self, record: Model) -> dict[str, str]:
        named = paths.named(self.collection, getattr(record, self.name_field))
        return {"named_url": named, **super().get_related(record)}  # type: ignore[misc]
