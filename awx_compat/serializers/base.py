import copy
import functools
from typing import Any, ClassVar

from django.db.models import Model
from rest_framework import serializers

from awx_compat import paths
from awx_compat.serializers.fields import FIELDS_OF_COLUMNS, ChoiceField
from awx_compat.serializers.telling import DirectSerializer
from instances.models import User


class TypeField(serializers.SerializerMethodField):
    """``type``: what kind of record this is."""


class UrlField(serializers.SerializerMethodField):
    """``url``: the path of the record."""


class ObjectField(serializers.SerializerMethodField):
    """``related`` and ``summary_fields``: an object whose keys depend on the record and the reader."""


class IdField(serializers.IntegerField):
    """The id of a record of another kind."""


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

    @property
    def reader(self) -> User:
        """The user who asks."""
        return self.context["request"].user  # type: ignore[no-any-return]

    def get_type(self, record: Model) -> str:
        return self.record_type

    def get_url(self, record: Model) -> str:
        return paths.record(self.collection, record.pk)


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
