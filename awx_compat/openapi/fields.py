"""The kinds of fields that AWX's records have beside DRF's, and what their serializers do not tell of types."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework import serializers

from awx_compat.openapi import bodies
from awx_compat.serializers.group import InstanceGroupSerializer
from awx_compat.serializers.instance import InstanceSerializer
from awx_compat.serializers.job import UnifiedJobSerializer
from awx_compat.serializers.role import AccessSerializer
from awx_compat.serializers.token import TokenSerializer
from awx_compat.serializers.user import UserSerializer
from instances import tokens

SUMMARIES: dict[type, type[serializers.Serializer[Any]]] = {
    AccessSerializer: bodies.AccessSummary,
    InstanceSerializer: bodies.InstanceSummary,
    InstanceGroupSerializer: bodies.InstanceGroupSummary,
    UserSerializer: bodies.UserSummary,
    TokenSerializer: bodies.TokenSummary,
}
NULL = {"type": "null"}
ONE_SCOPE = f"({'|'.join(tokens.SCOPES)})"
SCOPE = {"type": "string", "pattern": f"^{ONE_SCOPE}( {ONE_SCOPE})*$"}
# Fields whose serializer does not tell the type of what it answers.
TYPES: dict[type, dict[str, dict[str, Any]]] = {
    UserSerializer: {"modified": NULL, "external_account": NULL},
    TokenSerializer: {"refresh_token": NULL, "application": NULL, "scope": SCOPE},
    InstanceGroupSerializer: {"instances": {"type": "integer", "minimum": 0}},
    UnifiedJobSerializer: {
        "elapsed": {"type": "number"},
        "launched_by": {"type": "object", "additionalProperties": {}},
    },
}


def by_class(table: dict[type, Any], serializer: Any) -> Any:
    """The entry for the serializer's class or the nearest one that it is made from; None where there is none."""
    return next((table[cls] for cls in type(serializer).__mro__ if cls in table), None)


def known_type(field: Any) -> dict[str, Any] | None:
    """The schema of a field that ``TYPES`` names."""
    known = by_class(TYPES, field.parent) or {}
    schema: dict[str, Any] | None = known.get(field.field_name)
    return schema and dict(schema)


class TypeOfRecord(OpenApiSerializerFieldExtension):
    target_class = "awx_compat.serializers.base.TypeField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "string", "const": self.target.parent.record_type}


class Url(OpenApiSerializerFieldExtension):
    target_class = "awx_compat.serializers.base.UrlField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return dict(bodies.URL)


class Id(OpenApiSerializerFieldExtension):
    target_class = "awx_compat.serializers.base.IdField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        null = ["null"] if self.target.read_only else []  # what may be null in a request, the field itself says
        return {"type": ["integer", *null]} if null else {"type": "integer"}


class Related(OpenApiSerializerFieldExtension):
    """``related``: paths by name; ``summary_fields``: what ``SUMMARIES`` says, or any object."""

    target_class = "awx_compat.serializers.base.ObjectField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        if self.target.field_name == "related":
            return {"type": "object", "additionalProperties": dict(bodies.URL)}
        summary = by_class(SUMMARIES, self.target.parent)
        if summary is None:
            return {"type": "object", "additionalProperties": {}}
        ref: dict[str, Any] = auto_schema.resolve_serializer(summary, "response").ref
        return ref


class Peers(OpenApiSerializerFieldExtension):
    target_class = "awx_compat.serializers.fields.PeersField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string"}}
