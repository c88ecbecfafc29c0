"""POST to a list below a record: associates the record that the body names, or disassociates it.

AWX's checks come in this order: the id's type, the record's existence, the user's rights, the kinds of both records.
"""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.openapi.errors import BAD_MEMBERSHIP
from awx_compat.serializers.common import MembershipSerializer
from instances.querysets import VisibleQuerySet
from instances.reader import Reader

# POST to such a list in the OpenAPI document.
describes_membership = extend_schema(
    request=MembershipSerializer,
    responses={204: None, 400: BAD_MEMBERSHIP},
    summary="Associate or disassociate a record",
)


class Refused(APIException):
    """AWX's answer to a membership that is not allowed, or to an invalid body."""

    status_code = status.HTTP_400_BAD_REQUEST

    def __init__(self, reason: str) -> None:
        super().__init__({"msg": reason})


def record_in(request: Request, records: VisibleQuerySet, missing: str) -> Any:
    """The record whose ``id`` is in the body, of all ``records``; Refused(``missing``) where there is no id."""
    pk = id_in_body(request)
    if pk is None:
        raise Refused(missing)
    found = records.filter(pk=pk).with_visibility(Reader.of(request.user)).first()
    if found is None:
        raise does_not_exist(records)
    return found


def id_in_body(request: Request) -> int | None:
    """The id in the body; None without one. As in AWX, true is 1, and an empty value of any type is no id."""
    pk = body_of(request).get("id")
    if pk and not isinstance(pk, int):
        raise Refused('"id" field must be an integer.')
    return pk or None


def refuse_hidden(record: Any) -> None:
    """Raise PermissionDenied if the requesting user does not see ``record``, which the body names."""
    if not record.is_visible:
        raise PermissionDenied


def does_not_exist(records: VisibleQuerySet) -> ParseError:
    return ParseError(f"{records.model._meta.object_name} matching query does not exist.")


def wants_detaching(request: Request) -> bool:
    """Whether the body has the key ``disassociate``, whatever its value."""
    return "disassociate" in body_of(request)


def body_of(request: Request) -> dict[str, Any]:
    """The JSON object of the request; null counts as an empty object."""
    body: Any = request.data
    return body or {}


def moved(move: Callable[..., None], *arguments: Any) -> Response:
    """The answer after ``move``, a function of the domain's."""
    try:
        move(*arguments)
    except ValidationError as error:
        raise Refused(error.messages[0]) from None
    return Response(status=status.HTTP_204_NO_CONTENT)
