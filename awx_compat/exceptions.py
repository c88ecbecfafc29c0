"""Errors with AWX's messages. Clients get each error as JSON, never a traceback."""

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

from awx_compat import dialects, paths
from awx_compat.passwords import TooManyLogins, of_login
from instances import database, messages
from instances.addresses import TakenAddressError
from instances.hashing import HashingBusyError
from instances.locking import StaleError
from instances.mirror import guard

LOGIN_HINT = "Authentication credentials were not provided. To establish a login session, visit {}login/."
MEDIA_TYPE_HINT = (
    "You did not use correct Content-Type in your HTTP request. "
    "If you are using our REST API, the Content-Type must be application/json"
)
PLAIN = frozenset({"page", "page_size", "count_disabled", "format"})  # parameters that no query is long because of
NOT_UNDERSTOOD = "The request could not be understood."
SERVER_ERROR = "A server error has occurred."
DATABASE_FAILED = "The database is unavailable or failed. Try again."
DISK_FULL = "The disk of the database is full; nothing was changed. Try again once there is space."
TOO_SLOW = "The query takes too long. Use fewer conditions or a smaller page."
RETRY_AFTER = 2  # seconds; a database that restarts is seldom away for longer
RETRY_WHEN_FULL = 60  # seconds; somebody has to make space


class NotWritable(APIException):
    """AWX has this method; this service does not implement it yet."""

    status_code = status.HTTP_501_NOT_IMPLEMENTED
    default_detail = "This service does not implement this method yet."
    default_code = "not_implemented"


class NotAvailable(APIException):
    """A setting that the request needs is missing."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE


class TryAgain(NotAvailable):
    """The same request may succeed in a moment. The answer has ``Retry-After``."""

    wait = RETRY_AFTER


class BodyTooLarge(APIException):
    """The request's body has more than ``most`` bytes."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE

    def __init__(self, most: int) -> None:
        super().__init__(f"The request's body is larger than {most:,} bytes; nothing was changed.")


class PreconditionFailed(APIException):
    """The record is not in the state that ``If-Match`` or ``If-None-Match`` requires."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = messages.STALE


class Conflict(APIException):
    """A concurrent change conflicts with this one."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = messages.CONFLICT


class NotFoundByName(NotFound):
    """No visible record has this name. AWX answers like for an unknown path."""

    default_detail = "Not found."


def message_of_missing(model: str) -> str:
    """What AWX says where no record of its ``model`` has the id or name in the path."""
    return dialects.current().not_found.format(model=model)


def of_query(error: Exception, asks_for_less: bool) -> Exception:
    """The error to answer where the database refused a query because of the client's query string."""
    if isinstance(error.__cause__, QueryCanceled):
        return ParseError(TOO_SLOW) if asks_for_less else NotAvailable(TOO_SLOW)
    if isinstance(error, DataError | InternalError):  # a regular expression can be too large for PostgreSQL
        return ParseError("The query has a value that the database cannot process.")
    return error


def log_failure(error: BaseException, response: HttpResponse, request: HttpRequest) -> None:
    """Log the database's failure in one line, in place of Django's line for ``response``.

    The session is cleared in memory only: it is not stored with such a response, and middlewares that read the session
    afterwards make no query.
    """
    if hasattr(request, "session"):
        request.session.clear()
    log_response("The database failed: %s", database.reason(error), response=response, request=request)


def login_hint() -> str:
    return LOGIN_HINT.format(paths.api())


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """The response to ``error``, for DRF's EXCEPTION_HANDLER. An unexpected error is logged and becomes a 500.

    Returns None where the database failed and the client prefers pages: ``views.errors`` renders one without queries.
    """
    is_too_slow = isinstance(error.__cause__, QueryCanceled)
    if database.failed(error) and not is_too_slow:
        return database_failed(error, context["request"])
    if isinstance(error, NotAuthenticated | AuthenticationFailed):
        error.detail = NotAuthenticated(login_hint()).detail
    elif isinstance(error, UnsupportedMediaType):
        error.detail = UnsupportedMediaType("", detail=MEDIA_TYPE_HINT).detail
    elif isinstance(error, SuspiciousOperation):
        error = ParseError(NOT_UNDERSTOOD)
    elif refused := guard.error_message(error):
        error = PermissionDenied(refused)
    elif isinstance(error, TakenAddressError):
        error = ParseError(str(error))
    elif isinstance(error, HashingBusyError):
        error = of_login(error)
    elif isinstance(error, StaleError):
        error = PreconditionFailed(*error.args)
    elif context["request"].method in SAFE_METHODS:
        error = of_query(error, asks_for_less=bool(context["request"].query_params.keys() - PLAIN))
    elif is_too_slow:
        error = TryAgain(messages.BUSY)
    elif isinstance(error, IntegrityError | ObjectDoesNotExist):
        error = Conflict()
    response = exception_handler(error, context)
    if isinstance(error, NotWritable | TooManyLogins):  # Django's own log line would be an error of the service
        log_response("%s", error.detail, response=response, request=context["request"]._request, level="warning")
    if response is None:
        request = context["request"]
        set_rollback()
        response = Response({"detail": SERVER_ERROR}, status=status.HTTP_500_INTERNAL_SERVER_ERROR)
        got_request_exception.send(sender=None, request=request._request)
        log_response("%s failed", request.path, response=response, request=request._request, exception=error)
    return response


def detail_and_wait(error: BaseException) -> tuple[str, int]:
    """What to answer where the database failed, and after how many seconds to ask again."""
    return (DISK_FULL, RETRY_WHEN_FULL) if database.is_full(error) else (DATABASE_FAILED, RETRY_AFTER)


def database_failed(error: Exception, request: Any) -> Response | None:
    """503: the database is away, restarts, has no space, or ended a deadlock. The request is not the cause.

    If the failure came during a commit, it is unknown whether the change was made, unless the disk is full.
    """
    if request.accepted_renderer.format != "json":
        return None
    set_rollback()
    detail, wait = detail_and_wait(error)
    headers = {"Retry-After": str(wait)}
    response = Response({"detail": detail}, status=status.HTTP_503_SERVICE_UNAVAILABLE, headers=headers)
    log_failure(error, response, request._request)
    return response
