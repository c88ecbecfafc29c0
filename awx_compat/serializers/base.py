from typing import Any, ClassVar

from django.db.models import Model
from rest_framework import serializers

from awx_compat import paths
from awx_compat.serializers.fields import FIELDS_OF_COLUMNS, ChoiceField
from instances.models import User


class TypeField(serializers.ReadOnlyField):
    """``type``: what kind of record this is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(source="*", **kwargs)

    def to_representation(self, record: Model) -> str:
        return self.parent.record_type  # type: ignore[attr-defined, no-any-return]


class UrlField(serializers.SerializerMethodField):
    """``url``: the path of the record."""


class ObjectField(serializers.SerializerMethodField):
    """``related`` and ``summary_fields``: an object whose keys depend on the record and the reader."""


class IdField(serializers.IntegerField):
    """The id of a record of another kind."""


class RecordSerializer(serializers.ModelSerializer[Any]):
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
    def reader(self) -> User:
        """The user who asks."""
        return self.context["request"].user  # type: ignore[no-any-return]

    def get_url(self, record: Model) -> str:
        return paths.record(self.collection, record.pk)


class NamedRecordSerializer(RecordSerializer):
    """A record that is told by itself: with its named URL."""

    name_field: ClassVar[str]

    def get_related(self, record: Model) -> dict[str, str]:
        named = paths.named(self.collection, getattr(record, self.name_field))
        return {"named_url": named, **super().get_related(record)}  # type: ignore[misc]
