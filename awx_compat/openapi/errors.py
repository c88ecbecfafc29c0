"""Refusals: for each status what it means, the shape of its body, and an example as the service words it."""

from typing import Any, NamedTuple

from django.utils import translation
from drf_spectacular.plumbing import ResolvedComponent
from rest_framework import serializers
from rest_framework.exceptions import NotAcceptable, NotFound, PermissionDenied

from awx_compat.exceptions import LOGIN_HINT, MEDIA_TYPE_HINT, Conflict, NotWritable, PreconditionFailed
from awx_compat.filters.columns import unknown
from awx_compat.passwords import TooManyFailures
from awx_compat.serializers.common import MessageSerializer
from instances import messages
from instances.models import Instance


class ErrorSerializer(serializers.Serializer[Any]):
    """Why the request was refused."""

    detail = serializers.CharField(help_text="The reason, in words.")


FIELD_ERRORS = {
    "type": "object",
    "description": "By field, why it is refused; for a list, by the index of what is wrong in it.",
    "additionalProperties": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "object"}]},
}


class ErrorResponse(NamedTuple):
    """Among the responses of ``extend_schema``: a status that the document tells once, as the component ``name``."""

    name: str
    description: str
    shapes: tuple[Any, ...]
    example: Any


def detail(text: object) -> dict[str, str]:
    """The body that tells this, in English whatever language is active where a view is imported first."""
    with translation.override("en"):
        return {"detail": str(text)}


BAD_QUERY = ErrorResponse(
    "BadQuery",
    "A parameter is not understood.",
    (ErrorSerializer,),
    detail(unknown(Instance, ["colour"]).detail),
)
BAD_BODY = ErrorResponse(
    "BadBody",
    "The body cannot be read (`detail`), or fields in it are refused: for each the reasons, under `__all__` those that "
    "concern the whole.",
    (ErrorSerializer, "FieldErrors"),
    {
        "hostname": ["This field must be unique."],
        "listener_port": ["Ensure this value is less than or equal to 65535."],
    },
)
BAD_MEMBERSHIP = ErrorResponse(
    "BadMembership",
    "There is no such record, or it may not be put there. A body without an `id` counts as a new record, and what is "
    "wrong with its fields is told.",
    (ErrorSerializer, MessageSerializer, "FieldErrors"),
    {"msg": "Cannot change instance group membership of hop node : hop-1.example.org."},
)
UNAUTHORIZED = ErrorResponse(
    "Unauthorized", "No credentials, or none that are valid.", (ErrorSerializer,), detail(LOGIN_HINT)
)
FORBIDDEN = ErrorResponse(
    "Forbidden",
    "The user may not do this, or may not see the record; or the record is that of an AWX that is mirrored here.",
    (ErrorSerializer,),
    detail(PermissionDenied.default_detail),
)
NOT_FOUND = ErrorResponse(
    "NotFound", "There is no such record, page or path.", (ErrorSerializer,), detail(NotFound.default_detail)
)
NOT_ACCEPTABLE = ErrorResponse(
    "NotAcceptable",
    "The header `Accept` asks for a format that there is not.",
    (ErrorSerializer,),
    detail(NotAcceptable.default_detail),
)
CONFLICT = ErrorResponse(
    "Conflict", "Another change was made at the same moment.", (ErrorSerializer,), detail(Conflict.default_detail)
)
PRECONDITION_FAILED = ErrorResponse(
    "PreconditionFailed",
    "`If-Match` names another state than the record has, or `If-None-Match` names its state.",
    (ErrorSerializer,),
    detail(PreconditionFailed.default_detail),
)
UNSUPPORTED_MEDIA_TYPE = ErrorResponse(
    "UnsupportedMediaType", "The body is not JSON.", (ErrorSerializer,), detail(MEDIA_TYPE_HINT)
)
TOO_MANY_FAILURES = ErrorResponse(
    "TooManyFailures",
    "Too many wrong passwords came for this name or from this address; `Retry-After` tells for how long none is tried.",
    (ErrorSerializer,),
    detail(TooManyFailures(600).detail),
)
NOT_YET = ErrorResponse(
    "NotYet",
    "AWX has this method; this service does not have it yet.",
    (ErrorSerializer,),
    detail(NotWritable.default_detail),
)
UNAVAILABLE = ErrorResponse(
    "Unavailable",
    "The service is set up without what this needs, or the database is too busy, or too many passwords are checked.",
    (ErrorSerializer,),
    detail(messages.BUSY),
)
NOT_MODIFIED = ErrorResponse("NotModified", "The client has this state of the record already.", (), None)
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
    501: NOT_YET,
    503: UNAVAILABLE,
}


def response(schema: Any, refusal: ErrorResponse) -> dict[str, Any]:
    """A reference to the response; ``schema``, drf-spectacular's, keeps it once for all operations."""
    component = ResolvedComponent(refusal.name, ResolvedComponent.RESPONSE, described(schema, refusal), refusal.name)
    schema.registry.register_on_missing(component)
    reference: dict[str, Any] = component.ref
    return reference


def described(schema: Any, refusal: ErrorResponse) -> dict[str, Any]:
    if not refusal.shapes:
        return {"description": refusal.description}
    shapes = [shape_of(schema, shape) for shape in refusal.shapes]
    body = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
    content = {"application/json": {"schema": body, "example": refusal.example}}
    return {"description": refusal.description, "content": content}


def shape_of(schema: Any, shape: Any) -> dict[str, Any]:
    if shape == "FieldErrors":
        component = ResolvedComponent(shape, ResolvedComponent.SCHEMA, FIELD_ERRORS, shape)
        schema.registry.register_on_missing(component)
    else:
        component = schema.resolve_serializer(shape, "response")
    reference: dict[str, Any] = component.ref
    return reference
