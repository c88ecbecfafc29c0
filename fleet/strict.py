"""Bodies of requests that are taken as they are: nothing is converted, and no field is passed over."""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from instances.health.report import MOST_CPU, MOST_MEMORY, is_number


class StrictSerializer(serializers.Serializer[Any]):
    """A body in which no other fields may be: one whose name is misspelt would be passed over otherwise."""

    default_error_messages = {"unknown": "There is no such field."}

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(data.keys() - self.fields.keys()) if isinstance(data, dict) else []
        if unknown:
            raise serializers.ValidationError({name: [self.error_messages["unknown"]] for name in unknown})
        return super().to_internal_value(data)


class TextField(serializers.CharField):
    """A text. Numbers are not converted to texts."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class NumberField(serializers.IntegerField):
    """An integer. Texts and fractions are not converted to integers."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field({"type": "number", "exclusiveMinimum": True, "minimum": 0, "maximum": float(MOST_CPU)})
class CoresField(serializers.Field[Any, Any, Any, Any]):
    default_error_messages = {"invalid": f"Must be a number above 0 and at most {MOST_CPU}."}

    def to_internal_value(self, data: Any) -> Decimal:
        if not is_number(data, float(MOST_CPU)):
            self.fail("invalid")
        return Decimal(str(data))


@extend_schema_field({"type": "integer", "format": "int64", "minimum": 1, "maximum": MOST_MEMORY})
class BytesField(serializers.Field[Any, Any, Any, Any]):
    default_error_messages = {"invalid": f"Must be an integer above 0 and at most {MOST_MEMORY}."}

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or not is_number(data, MOST_MEMORY):
            self.fail("invalid")
        return data
