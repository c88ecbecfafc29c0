"""The kinds of fields that AWX's records have beside DRF's."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiSerializerFieldExtension
from drf_spectacular.plumbing import get_override

from awx_compat.serializers.common import PATH


def known_type(field: Any) -> dict[str, Any] | None:
    """The schema from ``Meta.types`` of the serializer, for fields whose class does not determine the type."""
    types = getattr(getattr(field.parent, "Meta", None), "types", {})
    return dict(types[field.field_name]) if field.field_name in types else None


class TypeOfRecord(OpenApiSerializerFieldExtension):
    target_class = "awx_compat.serializers.base.TypeField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "string", "const": self.target.parent.record_type}


class Url(OpenApiSerializerFieldExtension):
    target_class = "awx_compat.serializers.base.UrlField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return dict(PATH)


class Id(OpenApiSerializerFieldExtension):
    target_class = "awx_compat.serializers.base.IdField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        null = ["null"] if self.target.read_only else []  # allow_null of the field decides for requests
        return {"type": ["integer", *null]} if null else {"type": "integer"}


class Related(OpenApiSerializerFieldExtension):
    """``related``: paths by name; ``summary_fields``: the schema declared at its method, or any object."""

    target_class = "awx_compat.serializers.base.ObjectField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        if self.target.field_name == "related":
            return {"type": "object", "additionalProperties": dict(PATH)}
        summary = get_override(getattr(self.target.parent, self.target.method_name), "field")
        if summary is None:
            return {"type": "object", "additionalProperties": {}}
        return auto_schema.resolve_serializer(summary, "response").ref


class Peers(OpenApiSerializerFieldExtension):
    target_class = "awx_compat.serializers.fields.HostnamesField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string"}}


class Ids(OpenApiSerializerFieldExtension):
    target_class = "awx_compat.serializers.fields.IdsField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "integer"}}


class Addresses(Ids):
    target_class = "awx_compat.serializers.fields.AddressesField"


class MetricsExtension(OpenApiSerializerExtension):
    """Metrics by name; no serializer lists the names."""

    target_class = "awx_compat.serializers.service.MetricsSerializer"

    def map_serializer(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        metric = auto_schema.resolve_serializer(self.target.child, direction).ref
        return {"type": "object", "additionalProperties": metric}
