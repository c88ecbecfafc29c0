"""POST to a list below a record: the body names a record, which is put into the list or taken out of it.

AWX first looks whether the id is one, then whether it exists, then at the rights, and then at the kinds of both.
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
    summary="Put a record into the list, or take it out",
)


class MembershipError(APIException):
    """AWX's answer to a membership that may not be, or is not understood."""

    status_code = status.HTTP_400_BAD_REQUEST

    def __init__(self, reason: str) -> None:
        super().__init__({"msg": reason})


def get_record_in_body(request: Request, records: VisibleQuerySet, missing: str) -> Any:
    """The record whose ``id`` is in the body, of all ``records``; MembershipError(``missing``) where there is no id."""
    pk = id_in_body(request)
    if pk is None:
        raise MembershipError(missing)
    found = records.filter(pk=pk).with_visibility(Reader.of(request.user)).first()
    if found is None:
        raise does_not_exist(records)
    return found


def id_in_body(request: Request) -> int | None:
    """The id in the body. As in AWX, true is 1, and all that is empty is no id."""
    pk = body_of(request).get("id")
    if pk and not isinstance(pk, int):
        raise MembershipError('"id" field must be an integer.')
    return pk or None


def refuse_hidden(record: Any) -> None:
    """Raise PermissionDenied if the user who asks does not see the ``get_record_in_body()`` the body."""
    if not record.is_visible:
        raise PermissionDenied


def does_not_exist(records: VisibleQuerySet) -> ParseError:
    return ParseError(f"{records.model._meta.object_name} matching query does not exist.")


def is_disassociation(request: Request) -> bool:
    """Whether the body has the key ``disassociate``, whatever its value."""
    return "disassociate" in body_of(request)


def body_of(request: Request) -> dict[str, Any]:
    """The object that was sent; null counts as an empty one."""
    body: Any = request.data
    return body or {}


def change_membership(change: Callable[..., None], *arguments: Any) -> Response:
    """Associate or disassociate by the domain's function ``change``; the response, or MembershipError."""
    try:
        change(*arguments)
    except ValidationError as error:
        raise MembershipError(error.messages[0]) from None
    return Response(status=status.HTTP_204_NO_CONTENT)
