"""Errors as AWX words them. Whatever goes wrong, a client reads JSON and never a traceback."""

from typing import Any

from django.core.signals import got_request_exception
from django.utils.log import log_response
from rest_framework import status
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotAuthenticated,
    NotFound,
)
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

LOGIN_HINT = "Authentication credentials were not provided. To establish a login session, visit /api/login/."
SERVER_ERROR = "A server error has occurred."


class NotWritable(APIException):
    """The method is AWX's, and this service does not have it yet."""

    status_code = status.HTTP_501_NOT_IMPLEMENTED
    default_detail = "This service cannot change records yet."
    default_code = "not_writable"


class NotFoundByName(NotFound):
    """No record that the user may see has this name. AWX answers as if there were no such path."""

    default_detail = "Not found."


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """The answer to ``error``, for DRF's EXCEPTION_HANDLER. One that nobody foresaw is logged and becomes a 500."""
    if isinstance(error, NotAuthenticated | AuthenticationFailed):
        error.detail = NotAuthenticated(LOGIN_HINT).detail
    response = exception_handler(error, context)
    if response is None:
        request = context["request"]
        set_rollback()
        response = Response({"detail": SERVER_ERROR}, status=status.HTTP_500_INTERNAL_SERVER_ERROR)
        got_request_exception.send(sender=None, request=request._request)
        log_response("%s failed", request.path, response=response, request=request._request, exception=error)
    return response
