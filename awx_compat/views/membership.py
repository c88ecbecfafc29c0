"""POST to a list below a record: associates the record in the body with it, or disassociates the two.

As in AWX, the id is validated first, then looked up; then permissions are checked, then the types of both records.
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

# What POST to such a list is, for the OpenAPI document.
describes_membership = extend_schema(
    request=MembershipSerializer,
    responses={204: None, 400: BAD_MEMBERSHIP},
    summary="Associate a record, or disassociate it",
)


class MembershipError(APIException):
    """400: AWX's response to an invalid body, or to a membership that is not allowed."""

    status_code = status.HTTP_400_BAD_REQUEST

    def __init__(self, reason: str) -> None:
        super().__init__({"msg": reason})


def get_record_from_body(request: Request, records: VisibleQuerySet, missing: str) -> Any:
    """The one of ``records`` whose ``id`` is in the body; MembershipError(``missing``) if the body has none."""
    pk = id_in_body(request)
    if pk is None:
        raise MembershipError(missing)
    record = records.filter(pk=pk).with_visibility(Reader.of(request.user)).first()
    if record is None:
        raise does_not_exist(records)
    return record


def id_in_body(request: Request) -> int | None:
    """The id in the body, or None. As in AWX, true is 1, and every empty value is no id."""
    pk = body_of(request).get("id")
    if pk and not isinstance(pk, int):
        raise MembershipError('"id" field must be an integer.')
    return pk or None


def refuse_hidden(record: Any) -> None:
    """Raise PermissionDenied where the user does not see the record of ``get_record_from_body()``."""
    if not record.is_visible:
        raise PermissionDenied


def does_not_exist(records: VisibleQuerySet) -> ParseError:
    return ParseError(f"{records.model._meta.object_name} matching query does not exist.")


def is_disassociation(request: Request) -> bool:
    """Whether the body has the key ``disassociate``, whatever its value."""
    return "disassociate" in body_of(request)


def body_of(request: Request) -> dict[str, Any]:
    """The object in the body; null counts as an empty one."""
    body: Any = request.data
    return body or {}


def change_membership(change: Callable[..., None], *arguments: Any) -> Response:
    """204 after ``change``, a function of ``instances.groups``; raises MembershipError for its ValidationError."""
    try:
        change(*arguments)
    except ValidationError as error:
        raise MembershipError(error.messages[0]) from None
    return Response(status=status.HTTP_204_NO_CONTENT)
