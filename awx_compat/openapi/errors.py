"""Error responses: for each status its meaning, the schema of its body, and an example with the service's message."""

from typing import Any, NamedTuple

from django.utils import translation
from drf_spectacular.plumbing import ResolvedComponent
from rest_framework import serializers
from rest_framework.exceptions import NotAcceptable, NotFound, PermissionDenied

from awx_compat.exceptions import MEDIA_TYPE_HINT, Conflict, NotWritable, PreconditionFailed, login_hint
from awx_compat.filters.columns import unknown
from awx_compat.passwords import TooManyFailures
from awx_compat.serializers.common import MessageSerializer
from instances import messages
from instances.models import Instance


class ErrorSerializer(serializers.Serializer[Any]):
    """An error."""

    detail = serializers.CharField(help_text="The error message.")


FIELD_ERRORS = {
    "type": "object",
    "description": "The errors by field; for a list, by the index of the invalid item.",
    "additionalProperties": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "object"}]},
}


class ErrorResponse(NamedTuple):
    """For the responses of ``extend_schema``: an error that the document has once, as the component ``name``."""

    name: str
    description: str
    shapes: tuple[Any, ...]
    example: Any


def detail(text: object) -> dict[str, str]:
    """The body with this message, in English whatever language is active where a view is imported first."""
    with translation.override("en"):
        return {"detail": str(text)}


BAD_QUERY = ErrorResponse(
    "BadQuery",
    "A parameter is invalid.",
    (ErrorSerializer,),
    detail(unknown(Instance, ["colour"]).detail),
)
BAD_BODY = ErrorResponse(
    "BadBody",
    "The body cannot be parsed (`detail`), or fields in it are invalid: the errors by field, under `__all__` errors of "
    "the record as a whole.",
    (ErrorSerializer, "FieldErrors"),
    {
        "hostname": ["This field must be unique."],
        "listener_port": ["Ensure this value is less than or equal to 65535."],
    },
)
BAD_MEMBERSHIP = ErrorResponse(
    "BadMembership",
    "There is no such record, or it cannot be associated. A body without an `id` counts as a new record; the answer "
    "then has the errors of its fields.",
    (ErrorSerializer, MessageSerializer, "FieldErrors"),
    {"msg": "Cannot change instance group membership of hop node : hop-1.example.org."},
)
UNAUTHORIZED = ErrorResponse(
    "Unauthorized", "Missing or invalid credentials.", (ErrorSerializer,), detail(login_hint())
)
FORBIDDEN = ErrorResponse(
    "Forbidden",
    "The user may not do this, or may not see the record; or the record belongs to a mirrored AWX.",
    (ErrorSerializer,),
    detail(PermissionDenied.default_detail),
)
NOT_FOUND = ErrorResponse(
    "NotFound", "There is no such record, page or path.", (ErrorSerializer,), detail(NotFound.default_detail)
)
NOT_ACCEPTABLE = ErrorResponse(
    "NotAcceptable",
    "The header `Accept` names no supported format.",
    (ErrorSerializer,),
    detail(NotAcceptable.default_detail),
)
CONFLICT = ErrorResponse(
    "Conflict", "A concurrent change conflicts with this one.", (ErrorSerializer,), detail(Conflict.default_detail)
)
PRECONDITION_FAILED = ErrorResponse(
    "PreconditionFailed",
    "`If-Match` does not match the record's `ETag`, or `If-None-Match` matches it.",
    (ErrorSerializer,),
    detail(PreconditionFailed.default_detail),
)
UNSUPPORTED_MEDIA_TYPE = ErrorResponse(
    "UnsupportedMediaType", "The body is not JSON.", (ErrorSerializer,), detail(MEDIA_TYPE_HINT)
)
TOO_MANY_FAILURES = ErrorResponse(
    "TooManyFailures",
    "Too many wrong passwords for this name or from this address; no password is checked for `Retry-After` seconds.",
    (ErrorSerializer,),
    detail(TooManyFailures(600).detail),
)
NOT_IMPLEMENTED = ErrorResponse(
    "NotImplemented",
    "AWX has this method; this service does not implement it yet.",
    (ErrorSerializer,),
    detail(NotWritable.default_detail),
)
UNAVAILABLE = ErrorResponse(
    "Unavailable",
    "A setting that this request needs is missing, the database is away or too busy, or too many passwords are being "
    "checked.",
    (ErrorSerializer,),
    detail(messages.BUSY),
)
NOT_MODIFIED = ErrorResponse("NotModified", "The client already has the current state of the record.", (), None)
BY_STATUS = {
    304: NOT_MODIFIED,
    401: UNAUTHORIZED,
    403: FORBIDDEN,
    404: NOT_FOUND,
    406: NOT_ACCEPTABLE,
    409: CONFLICT,
    412: PRECONDITION_FAILED,
    415: UNSUPPORTED_MEDIA_TYPE,
    429: TOO_MANY_FAILURES,
    501: NOT_IMPLEMENTED,
    503: UNAVAILABLE,
}


def response(schema: Any, error: ErrorResponse) -> dict[str, Any]:
    """A reference to the response, which is registered once in drf-spectacular's ``schema`` for all operations."""
    component = ResolvedComponent(error.name, ResolvedComponent.RESPONSE, described(schema, error), error.name)
    schema.registry.register_on_missing(component)
    reference: dict[str, Any] = component.ref
    return reference


def described(schema: Any, error: ErrorResponse) -> dict[str, Any]:
    if not error.shapes:
        return {"description": error.description}
    shapes = [shape_of(schema, shape) for shape in error.shapes]
    body = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
    content = {"application/json": {"schema": body, "example": error.example}}
    return {"description": error.description, "content": content}


def shape_of(schema: Any, shape: Any) -> dict[str, Any]:
    if shape == "FieldErrors":
        component = ResolvedComponent(shape, ResolvedComponent.SCHEMA, FIELD_ERRORS, shape)
        schema.registry.register_on_missing(component)
    else:
        component = schema.resolve_serializer(shape, "response")
    reference: dict[str, Any] = component.ref
    return reference
