"""Error responses outside of the API's views: a page where the client prefers HTML, as browsers do, else JSON."""

import sys
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.cache import add_never_cache_headers, patch_vary_headers
from django.utils.log import log_response
from django.views import csrf, defaults

from awx_compat import dialects, paths
from awx_compat.exceptions import NOT_UNDERSTOOD, SERVER_ERROR, BodyTooLarge, detail_and_wait, log_failure
from awx_compat.passwords import of_login
from instances import database
from instances.guessing import LockedError
from instances.hashing import HashingBusyError

# Title and text of the pages: the error, and its remedy.
PAGES = {
    HTTPStatus.BAD_REQUEST: ("Invalid request", "Part of the address or of the submitted data is invalid."),
    HTTPStatus.FORBIDDEN: (
        "Permission denied",
        "You do not have the rights for this page, or this action is not possible here.",
    ),
    HTTPStatus.NOT_FOUND: ("Page not found", "The address may be mistyped, or the page no longer exists."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (
        "Request too large",
        "The service accepts no files, and no request larger than MAX_BODY_SIZE. Nothing was changed.",
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        "Server error",
        "Your request is not the cause. Try again; if the error persists, contact the operator of this service.",
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "The database does not answer",
        "Your request is not the cause. Try again in a moment. After a change, first check whether the change was "
        "made.",
    ),
}
DISK_FULL = (
    "The disk of the database is full",
    "Your request is not the cause, and nothing was changed. Try again once its operator has made space.",
)
WITHOUT_DATABASE = (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE)
STALE_FORM = (
    "The form has expired",
    "The form was open for too long, or the browser sends no cookies to this service. Go back, reload the page, and "
    "submit the form again.",
)
LOCKED = (
    "Too many wrong passwords for this name or from your network. For a while no password is checked, not even the "
    "right one. Try again in {}, or contact the operator of this service to unlock the login."
)
BUSY = "Too many logins at this moment. Your password was not checked: try again in a few seconds."


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, HTTPStatus.BAD_REQUEST, NOT_UNDERSTOOD)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, HTTPStatus.FORBIDDEN, "You don't have permission to access the requested resource.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path_info.startswith(paths.API) and dialects.current().has_pages_for_unknown_routes:
        return defaults.page_not_found(request, exception)
    return _answer(request, HTTPStatus.NOT_FOUND, "The requested resource could not be found.")


def too_large(request: HttpRequest) -> HttpResponse:
    return _answer(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(BodyTooLarge(settings.MAX_BODY_SIZE).detail))


def server_error(request: HttpRequest) -> HttpResponse:
    """The answer to an unexpected error (500), or to an error of the database (503), in any part of the service."""
    error = sys.exception()
    if error is not None and database.failed(error):
        return database_failed(request, error)
    return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, SERVER_ERROR)


def database_failed(request: HttpRequest, error: BaseException) -> HttpResponse:
    detail, wait = detail_and_wait(error)
    words = DISK_FULL if database.is_full(error) else None
    response = _answer(request, HTTPStatus.SERVICE_UNAVAILABLE, detail, words)
    response["Retry-After"] = str(wait)
    log_failure(error, response, request)
    return response


def login_refused(request: HttpRequest, error: LockedError | HashingBusyError) -> HttpResponse:
    """The answer to a login form whose password is not checked."""
    refusal = of_login(error)
    status = HTTPStatus(refusal.status_code)
    minutes = max(1, round(error.wait / 60))
    reason = (
        BUSY
        if status == HTTPStatus.SERVICE_UNAVAILABLE
        else LOCKED.format("a minute" if minutes == 1 else f"{minutes} minutes")
    )
    response = _answer(request, status, str(refusal.detail), ("You cannot log in now", reason))
    response["Retry-After"] = str(error.wait)
    response["Cache-Control"] = "no-store"
    log_response("%s", refusal.detail, response=response, request=request, level="warning")  # no failure of the service
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The response to a form without a valid CSRF token. AWX's clients get Django's page, as from AWX."""
    if not prefers_page(request):
        return csrf.csrf_failure(request, reason)
    return page(request, HTTPStatus.FORBIDDEN, *STALE_FORM)


def _answer(
    request: HttpRequest, status: HTTPStatus, detail: str, words: tuple[str, str] | None = None
) -> HttpResponse:
    response: HttpResponse
    if prefers_page(request):
        response = page(request, status, *(words or PAGES[status]))
    else:
        response = JsonResponse({"detail": detail}, status=status)
    patch_vary_headers(response, ["Accept"])
    return response


def prefers_page(request: HttpRequest) -> bool:
    return request.get_preferred_type(["application/json", "text/html"]) == "text/html"


def page(request: HttpRequest, status: HTTPStatus, title: str, reason: str) -> HttpResponse:
    """The page of an error. Where the service itself failed, the page shows no user: this needs the database."""
    page_request = None if status in WITHOUT_DATABASE else request
    text = render_to_string("awx_compat/error.html", {"title": title, "reason": reason}, page_request)
    response = HttpResponse(text, status=status)
    add_never_cache_headers(response)
    return response
