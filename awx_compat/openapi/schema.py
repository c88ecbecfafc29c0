"""Reads a view for the OpenAPI document. What does not follow from the view's code is declared by ``extend_schema``."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.db.models import NOT_PROVIDED
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from rest_framework import serializers
from rest_framework.mixins import ListModelMixin
from rest_framework.permissions import SAFE_METHODS, AllowAny

from awx_compat import dialects
from awx_compat.awx_settings import CATEGORIES
from awx_compat.metadata import docstring_of, model_of
from awx_compat.openapi import descriptions, errors, examples, fields, security
from awx_compat.openapi.parameters import DescribedPagination, Parameter
from awx_compat.permissions import IsSuperuserOrAuditor
from awx_compat.serializers.base import RecordSerializer
from awx_compat.serializers.common import EmptyPageSerializer, PageSerializer
from awx_compat.serializers.job import COLLECTIONS_OF_JOBS
from awx_compat.serializers.role import AccessSerializer
from awx_compat.views.base import DetailView

EXTENSIONS = (fields, security)  # imported so that drf-spectacular finds their classes
NO_PART_OF_NAMES = ("api", "v2", "v1")
PAGING = ("page", "page_size", "count_disabled")
FIRST = ("key", "search", "order_by", *PAGING)  # the parameters before those of fields
CHANGES = ("PUT", "PATCH", "DELETE")
TAGS = {
    **dict.fromkeys(COLLECTIONS_OF_JOBS, "unified_jobs"),
    "credentials": "instance_groups",
    "me": "users",
    "mesh_visualizer": "mesh",
    "roles": "users",
    "role_definitions": "users",
    "role_user_assignments": "users",
    "role_team_assignments": "users",
}  # where the first name in the path is not a tag
IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "schema": {"type": "string"},
    "description": "The `ETag` of the client's copy; if the record has not changed, it is not sent again (304).",
}
IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "schema": {"type": "string"},
    "description": "The `ETag` of the state to change; if the record has another one, the change is refused (412).",
}
ETAG = {"description": "The state of the record, for `If-Match` and `If-None-Match`.", "schema": {"type": "string"}}
LOCATION = {"description": "The path of the new record.", "schema": {"type": "string"}}


class Schema(AutoSchema):
    """One method of one view."""

    @property
    def is_not_implemented(self) -> bool:
        """Whether AWX has this method and this service does not implement it yet."""
        return self.view.is_not_implemented(self.method)

    # --- names

    def names_in_path(self) -> list[str]:
        names = self.path.strip("/").split("/")
        return [name for name in names if name not in NO_PART_OF_NAMES and not name.startswith("{")]

    def get_operation_id(self) -> str:
        shape = self.shape_of_answer()
        is_page = shape is not None and issubclass(shape, PageSerializer)
        action = "list" if self._is_list_view() or is_page else self.method_mapping[self.method.lower()]
        return "_".join([*self.names_in_path(), action]).replace("-", "_")

    def get_tags(self) -> list[str]:
        name = next(iter(self.names_in_path()), "")
        tag = TAGS.get(name, name)
        return [tag if tag in descriptions.TAGS else "service"]

    def get_summary(self) -> str:
        is_empty = self.shape_of_answer() is EmptyPageSerializer
        return f"{self.view.get_view_name()}: always empty" if is_empty else str(self.view.title)

    def get_description(self) -> str:
        return docstring_of(self.view)

    def get_serializer_name(self, serializer: Any, direction: str) -> str:
        """The name of the model: the serializers of one kind of records differ only in fields like ``related``."""
        if isinstance(serializer, RecordSerializer):
            kind: str = serializer.Meta.model.__name__
            return "UserWithAccess" if isinstance(serializer, AccessSerializer) else kind
        return str(super().get_serializer_name(serializer, direction))

    def get_serializer_identity(self, serializer: Any, direction: str) -> Any:
        if isinstance(serializer, RecordSerializer):
            return type(serializer).Meta.model
        return super().get_serializer_identity(serializer, direction)

    def get_paginated_name(self, serializer_name: str) -> str:
        return f"{serializer_name}Page"

    # --- parameters

    def _resolve_path_parameters(self, variables: list[str]) -> list[Parameter]:
        return [self.path_parameter(name) for name in variables]

    def path_parameter(self, name: str) -> Parameter:
        kind = next(kind for kind in self.names_in_path() if kind in descriptions.PATHS)
        schema: dict[str, Any] = {"type": "string", "minLength": 1}
        if name == "slug":
            schema["enum"] = list(CATEGORIES)
        return {
            "in": "path",
            "name": name,
            "required": True,
            "schema": schema,
            "description": descriptions.PATHS[kind],
            "example": examples.KEYS[kind],
        }

    def _get_parameters(self) -> list[Parameter]:
        headers = []
        if self.has_etag:
            headers = [IF_MATCH] if self.method in CHANGES else [IF_NONE_MATCH]
        parameters = [*super()._get_parameters(), *headers]
        return [self.shared(parameter) for parameter in sorted(parameters, key=rank)]

    def _get_format_parameters(self) -> list[Parameter]:
        described = {"description": "The format, if the header `Accept` does not decide it.", "allowEmptyValue": True}
        return [{**parameter, **described} for parameter in super()._get_format_parameters()]

    def shared(self, parameter: Parameter) -> Parameter:
        """A reference to the parameter, which is a shared component; or the parameter itself, if it is not shared."""
        owner = self.names_in_path()[0] if parameter["in"] == "path" else self.kind_of_records()
        is_common = parameter["in"] == "header" or parameter["name"] in PAGING
        name = parameter["name"] if is_common else f"{owner}_{parameter['name']}"
        component = ResolvedComponent(name, ResolvedComponent.PARAMETER, parameter, name)
        self.registry.register_on_missing(component)
        reference: Parameter = component.ref
        return reference if self.registry[component].schema == parameter else parameter

    def kind_of_records(self) -> str:
        model = model_of(getattr(self.view, "serializer_class", None))
        return model.__name__ if model else type(self.view).__name__

    def _get_paginator(self) -> Any:
        return DescribedPagination() if isinstance(self.view, ListModelMixin) else None

    # --- bodies

    def get_request_serializer(self) -> Any:
        own = getattr(self.view, "request_serializer_class", None)
        if own is not None and self.method in CHANGES:
            return own
        return None if self.is_not_implemented else super().get_request_serializer()

    def get_response_serializers(self) -> Any:
        if self.method == "POST" and hasattr(self.view, "created_serializer_class"):
            return {201: self.view.serializer_class}
        return {} if self.is_not_implemented else super().get_response_serializers()

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        answers = super()._get_response_bodies(direction)
        for status, answer in answers.items():
            if "$ref" in answer:
                continue
            answer["description"] = answer["description"] or HTTPStatus(int(status)).phrase
            headers = dict(self.headers(int(status)))
            if headers:
                answer["headers"] = headers
        common = {str(status): errors.response(self, error) for status, error in sorted(self.error_responses().items())}
        return dict(sorted({**common, **answers}.items()))

    def _get_response_for_code(self, response: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        if isinstance(response, errors.ErrorResponse):
            return errors.response(self, response)
        return super()._get_response_for_code(response, *args, **kwargs)

    def headers(self, status: int) -> Iterator[tuple[str, Any]]:
        if status == HTTPStatus.CREATED:
            yield "Location", LOCATION
        if status == HTTPStatus.OK and self.has_etag:
            yield "ETag", ETAG

    @property
    def has_etag(self) -> bool:
        """Whether the answers are of one record with a time of its last change."""
        view = type(self.view)
        if not issubclass(view, DetailView) or self.method not in ("GET", *CHANGES) or self.is_not_implemented:
            return False
        is_record = view.get is DetailView.get or self.method in CHANGES
        model = view.serializer_class.Meta.model  # type: ignore[union-attr]
        return is_record and any(column.name == "modified" for column in model._meta.fields)

    def error_responses(self) -> dict[int, errors.ErrorResponse]:
        """The method's error responses beside those that the view declares, by status."""
        statuses = sorted(set(self.common_error_statuses()))
        responses = {status: errors.BY_STATUS[status] for status in statuses if status in errors.BY_STATUS}
        if self.takes_body:
            responses[HTTPStatus.BAD_REQUEST] = errors.BAD_BODY
        elif self._is_list_view():
            responses[HTTPStatus.BAD_REQUEST] = errors.BAD_QUERY
        return responses

    @property
    def takes_body(self) -> bool:
        return self.method not in (*SAFE_METHODS, "DELETE") and not self.is_not_implemented

    def common_error_statuses(self) -> Iterator[int]:
        permissions = type(self.view).permission_classes
        if AllowAny not in permissions:
            yield HTTPStatus.UNAUTHORIZED
            if not self.is_free_for_all:
                yield HTTPStatus.FORBIDDEN
        if "{" in self.path or self._is_list_view() or len(self.view.renderer_classes) > 1:  # `format` can be unknown
            yield HTTPStatus.NOT_FOUND
        yield HTTPStatus.NOT_ACCEPTABLE
        if self.is_not_implemented:
            yield HTTPStatus.NOT_IMPLEMENTED
        elif self.method not in SAFE_METHODS:
            yield HTTPStatus.CONFLICT
        if self.takes_body:
            yield HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        if self.has_etag:
            yield HTTPStatus.PRECONDITION_FAILED if self.method in CHANGES else HTTPStatus.NOT_MODIFIED
        yield HTTPStatus.TOO_MANY_REQUESTS
        yield HTTPStatus.SERVICE_UNAVAILABLE

    @property
    def is_free_for_all(self) -> bool:
        """Whether every authenticated user may use this method."""
        restricted = IsSuperuserOrAuditor in type(self.view).permission_classes or "{" in self.path
        has_filters = bool(getattr(self.view, "filterset_class", None))  # filters by secret columns are 403
        return self.method in SAFE_METHODS and not restricted and not has_filters

    # --- fields

    def _get_serializer_field_meta(self, field: Any, direction: str) -> dict[str, Any]:
        meta: dict[str, Any] = super()._get_serializer_field_meta(field, direction)
        if isinstance(field, serializers.Field) and "description" not in meta:
            text = descriptions.of_field(field)
            meta.update({"description": text} if text else {})
        return meta

    def _map_serializer_field(self, field: Any, direction: str, bypass_extensions: bool = False) -> Any:
        known = fields.known_type(field) if isinstance(field, serializers.Field) else None
        if known is not None:
            meta = self._get_serializer_field_meta(field, direction)
            meta.pop("nullable", None)  # the type includes null
            return {**known, **meta}
        schema = super()._map_serializer_field(field, direction, bypass_extensions)
        least = getattr(field, "min_value", None)
        if "pattern" in schema and least is not None and least >= 0:
            schema["pattern"] = schema["pattern"].replace("-?", "", 1)
        return schema

    def _postprocess_serializer_schema(self, schema: Any, serializer: Any, direction: str) -> Any:
        schema = super()._postprocess_serializer_schema(schema, serializer, direction)
        model: Any = getattr(getattr(serializer, "Meta", None), "model", None)
        if isinstance(serializer, RecordSerializer):
            schema["description"] = serializer.Meta.description
        if getattr(getattr(serializer, "Meta", None), "has_further_fields", False):
            schema["additionalProperties"] = True
        if direction == "response" and model is not None:
            optional = getattr(serializer.Meta, "optional", ())
            schema["required"] = sorted(
                schema["properties"].keys() - set(optional)
            )  # answers have fields with defaults
        if direction == "request" and isinstance(serializer, RecordSerializer) and not serializer.partial:
            for name, field_schema in schema["properties"].items():
                field_schema.update(default_of(serializer.fields[name], field_schema))
        if direction == "request" and serializer.partial:
            for name in getattr(serializer.Meta, "only_on_creation", ()):
                schema["properties"].pop(name, None)
        if direction == "response" or serializer.partial:
            for field_schema in schema.get("properties", {}).values():
                field_schema.pop("default", None)  # fields that a PATCH omits stay unchanged
        return schema

    # --- examples

    def get_examples(self) -> list[Any]:
        return examples.of(self.get_operation_id(), self.shape_of_answer(), self.view)

    def shape_of_answer(self) -> Any:
        """The serializer of a successful answer; None where the answer has no serializer."""
        answer = self.get_response_serializers()
        shape = next(iter(answer.values()), None) if isinstance(answer, dict) else answer
        if isinstance(shape, serializers.BaseSerializer):
            shape = type(shape)
        return shape if isinstance(shape, type) and issubclass(shape, serializers.BaseSerializer) else None


def rank(parameter: Parameter) -> int:
    return FIRST.index(parameter["name"]) if parameter["name"] in FIRST else len(FIRST)


def default_of(field: Any, schema: dict[str, Any]) -> dict[str, Any]:
    """Additions to the field's ``schema`` about its value if a request omits the field; empty if ``schema`` has them.

    A field that the serializer declares gets the default of its column only on creation: PUT leaves it unchanged.
    """
    if field.default is None:
        return {"default": None}
    column = None if field.source == "*" else columns_of(field).get(field.source)
    value = getattr(column, "default", None)
    if "default" in schema or field.required or value in (None, NOT_PROVIDED, "") or callable(value):
        return {}
    shown = json.dumps(field.to_representation(value))
    return {"description": f"{schema['description']} If omitted on creation: `{shown}`."}


def columns_of(field: Any) -> dict[str, Any]:
    return {column.name: column for column in field.parent.Meta.model._meta.fields}


def complete(result: dict[str, Any], generator: Any, **kwargs: Any) -> dict[str, Any]:
    """A postprocessing hook: adds introduction and tags, and describes the values of each enumeration only once."""
    result["info"]["description"] = descriptions.ABOUT.replace("{version}", dialects.current().version)
    result["tags"] = [{"name": name, "description": text} for name, text in descriptions.TAGS.items()]
    for name, schema in result["components"]["schemas"].items():
        for field_schema in schema.get("properties", {}).values():
            if "allOf" in field_schema:
                field_schema["description"] = field_schema.get("description", "").partition("\n\n*")[0]
        if name.endswith("Page"):
            schema["properties"]["results"].setdefault("description", "The records on this page.")
    return result
