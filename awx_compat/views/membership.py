"""POST to a list below a record: the body names a record, which is put into the list or taken out of it."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.views.base import id_in
from instances.querysets import VisibleQuerySet


class Refused(APIException):
    """AWX's answer to a membership that may not be, or is not understood."""

    status_code = status.HTTP_400_BAD_REQUEST

    def __init__(self, reason: str) -> None:
        super().__init__({"msg": reason})


def record_in(request: Request, records: VisibleQuerySet) -> Any:
    """The record whose ``id`` is in the body."""
    noun = records.model._meta.object_name
    body: Any = request.data
    pk = body.get("id")
    if pk is None:
        raise Refused(f"{noun} 'id' field is missing.")
    if isinstance(pk, bool) or not str(pk).isascii() or not str(pk).isdecimal():
        raise Refused('"id" field must be an integer.')
    found = records.filter(pk=id_in(str(pk))).first()
    if found is None:
        raise ParseError(f"{noun} matching query does not exist.")
    return found


def wants_detaching(request: Request) -> bool:
    body: Any = request.data
    return bool(body.get("disassociate"))


def moved(move: Callable[..., None], *arguments: Any) -> Response:
    """The answer after ``move``, a function of the domain's."""
    try:
        move(*arguments)
    except ValidationError as error:
        raise Refused(error.messages[0]) from None
    return Response(status=status.HTTP_204_NO_CONTENT)
