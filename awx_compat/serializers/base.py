from typing import Any, ClassVar

from django.db.models import Model
from rest_framework import serializers

from awx_compat import paths
from instances.models import User


class RecordSerializer(serializers.ModelSerializer[Any]):
    """The fields that every record of AWX's API begins with: type, url, related, summary_fields."""

    record_type: ClassVar[str]
    collection: ClassVar[str]

    type = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()
    related = serializers.SerializerMethodField()
    summary_fields = serializers.SerializerMethodField()

    @property
    def reader(self) -> User:
        """The user who asks."""
        return self.context["request"].user  # type: ignore[no-any-return]

    def get_type(self, record: Model) -> str:
        return self.record_type

    def get_url(self, record: Model) -> str:
        return paths.record(self.collection, record.pk)
