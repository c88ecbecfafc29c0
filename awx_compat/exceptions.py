"""Errors as AWX words them. Whatever goes wrong, a client reads JSON and never a traceback."""

from typing import Any

from django.core.exceptions import ObjectDoesNotExist, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import DataError, IntegrityError, InternalError
from django.http import HttpRequest, HttpResponse
from django.utils.log import log_response
from psycopg.errors import QueryCanceled
from rest_framework import status
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotAuthenticated,
    NotFound,
    ParseError,
    PermissionDenied,
    UnsupportedMediaType,
)
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from awx_compat.passwords import TooManyLogins
from instances import database, messages
from instances.locking import StaleError
from instances.mirror import guard

LOGIN_HINT = "Authentication credentials were not provided. To establish a login session, visit /api/login/."
MEDIA_TYPE_HINT = (
    "You did not use correct Content-Type in your HTTP request. "
    "If you are using our REST API, the Content-Type must be application/json"
)
PLAIN = frozenset({"page", "page_size", "count_disabled", "format"})  # parameters that no query is long because of
NOT_UNDERSTOOD = "The request could not be understood."
SERVER_ERROR = "A server error has occurred."
DATABASE_FAILED = "The database does not answer as it should. Try again."
RETRY_AFTER = 2  # seconds; a database that restarts is seldom away for longer


class NotWritable(APIException):
    """501: the method is AWX's, and this service does not implement it."""

    status_code = status.HTTP_501_NOT_IMPLEMENTED
    default_detail = "This service cannot change records yet."
    default_code = "not_implemented"


class NotAvailable(APIException):
    """The service is set up without what this needs."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE


class TryAgain(NotAvailable):
    """The same request may succeed in a moment: the answer has ``Retry-After``."""

    wait = RETRY_AFTER


class BodyTooLarge(APIException):
    """The request's body has more than ``most`` bytes."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE

    def __init__(self, most: int) -> None:
        super().__init__(f"The request's body is larger than {most:,} bytes; nothing was changed.")


class PreconditionFailed(APIException):
    """The record has not the state for which the change is meant."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = messages.STALE


class Conflict(APIException):
    """Somebody else wrote at the same moment what this cannot go with."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = messages.CONFLICT


class NotFoundByName(NotFound):
    """No record that the user may see has this name. AWX answers as if there were no such path."""

    default_detail = "Not found."


def of_query(error: Exception, asks_for_less: bool) -> Exception:
    """What a client reads of the database's refusal of its query string: the fault is the client's."""
    if isinstance(error.__cause__, QueryCanceled):
        reason = "The query takes too long to answer; ask for less."
        return ParseError(reason) if asks_for_less else NotAvailable(reason)
    if isinstance(error, DataError | InternalError):  # a regular expression can be too large for PostgreSQL
        return ParseError("The query holds a value that the database cannot use.")
    return error


def log_failure(error: BaseException, response: HttpResponse, request: HttpRequest) -> None:
    """Log the database's failure in one line, in place of Django's line about the ``response``.

    The session is emptied, in memory alone: so no middleware reads it from the failed database once more.
    """
    if hasattr(request, "session"):
        request.session.clear()
    log_response("The database failed: %s", database.reason(error), response=response, request=request)


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """The response to ``error``, for DRF's EXCEPTION_HANDLER. An unexpected error is logged and becomes a 500.

    Where the database failed, None for a browser: ``views.errors`` renders that page, without a query.
    """
    is_too_slow = isinstance(error.__cause__, QueryCanceled)
    if database.failed(error) and not is_too_slow:
        return database_failed(error, context["request"])
    if isinstance(error, NotAuthenticated | AuthenticationFailed):
        error.detail = NotAuthenticated(LOGIN_HINT).detail
    elif isinstance(error, UnsupportedMediaType):
        error.detail = UnsupportedMediaType("", detail=MEDIA_TYPE_HINT).detail
    elif isinstance(error, SuspiciousOperation):
        error = ParseError(NOT_UNDERSTOOD)
    elif refused := guard.error_message(error):
        error = PermissionDenied(refused)
    elif isinstance(error, StaleError):
        error = PreconditionFailed(*error.args)
    elif context["request"].method in SAFE_METHODS:
        error = of_query(error, asks_for_less=bool(context["request"].query_params.keys() - PLAIN))
    elif is_too_slow:
        error = TryAgain(messages.BUSY)
    elif isinstance(error, IntegrityError | ObjectDoesNotExist):
        error = Conflict()
    response = exception_handler(error, context)
    if isinstance(error, NotWritable | TooManyLogins):  # of which Django's own log would make the service's failure
        log_response("%s", error.detail, response=response, request=context["request"]._request, level="warning")
    if response is None:
        request = context["request"]
        set_rollback()
        response = Response({"detail": SERVER_ERROR}, status=status.HTTP_500_INTERNAL_SERVER_ERROR)
        got_request_exception.send(sender=None, request=request._request)
        log_response("%s failed", request.path, response=response, request=request._request, exception=error)
    return response


def database_failed(error: Exception, request: Any) -> Response | None:
    """503: the database, not the request, is at fault. It is away, restarts, or ended what two waited for.

    Whether a change was committed is unknown.
    """
    if request.accepted_renderer.format != "json":
        return None
    set_rollback()
    headers = {"Retry-After": str(RETRY_AFTER)}
    response = Response({"detail": DATABASE_FAILED}, status=status.HTTP_503_SERVICE_UNAVAILABLE, headers=headers)
    log_failure(error, response, request._request)
    return response
