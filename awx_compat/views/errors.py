"""Error responses outside of the API's views: a page where the client prefers HTML, as browsers do, else JSON."""

import sys
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.cache import add_never_cache_headers, patch_vary_headers
from django.utils.log import log_response
from django.views import csrf

from awx_compat.exceptions import DATABASE_FAILED, NOT_UNDERSTOOD, RETRY_AFTER, SERVER_ERROR, BodyTooLarge, log_failure
from awx_compat.passwords import of_login
from instances import database
from instances.guessing import LockedError
from instances.hashing import HashingBusyError

# For people: what happened, and what they can do.
PAGES = {
    HTTPStatus.BAD_REQUEST: ("The request was not understood", "Part of its address or of what was sent is not known."),
    HTTPStatus.FORBIDDEN: (
        "You may not do this",
        "It takes rights that you do not have, or cannot be done here at all.",
    ),
    HTTPStatus.NOT_FOUND: ("There is no such page", "Its address may be mistyped, or the page is gone."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (
        "Too much was sent",
        "The service accepts no files, and no body larger than its setting MAX_BODY_SIZE. Nothing was changed.",
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        "The service failed",
        "Nothing is wrong with your request. Try it again; if it fails again, tell the operator of this service.",
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "The database does not answer",
        "Nothing is wrong with your request. Try it again in a moment. If it was a change, look first whether it "
        "was made.",
    ),
}
WITHOUT_DATABASE = (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE)
STALE_FORM = (
    "The form was not accepted",
    "It was open for too long, or the browser sends no cookies to this service. Go back, load the page again, and send "
    "the form once more.",
)
LOCKED = (
    "Too many wrong passwords came for this name or from your network, so for a while none is looked at, not even the "
    "right one. Try again in {}, or ask the operator of this service to unlock it."
)
BUSY = "Many people log in at this moment. Nothing is wrong with your password: try again in a few seconds."


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, HTTPStatus.BAD_REQUEST, NOT_UNDERSTOOD)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, HTTPStatus.FORBIDDEN, "You don't have permission to access the requested resource.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, HTTPStatus.NOT_FOUND, "The requested resource could not be found.")


def too_large(request: HttpRequest) -> HttpResponse:
    return _answer(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(BodyTooLarge(settings.MAX_BODY_SIZE).detail))


def server_error(request: HttpRequest) -> HttpResponse:
    """The response to an unexpected error, or to a failure of the database, in any part of the service."""
    error = sys.exception()
    if error is not None and database.failed(error):
        return database_failed(request, error)
    return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, SERVER_ERROR)


def database_failed(request: HttpRequest, error: BaseException) -> HttpResponse:
    response = _answer(request, HTTPStatus.SERVICE_UNAVAILABLE, DATABASE_FAILED)
    response["Retry-After"] = str(RETRY_AFTER)
    log_failure(error, response, request)
    return response


def login_refused(request: HttpRequest, error: LockedError | HashingBusyError) -> HttpResponse:
    """The response to a login form whose password was not verified."""
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
    """An error page. Where the service itself failed, it names no user, so that it needs no database."""
    told_to = None if status in WITHOUT_DATABASE else request
    text = render_to_string("awx_compat/error.html", {"title": title, "reason": reason}, told_to)
    response = HttpResponse(text, status=status)
    add_never_cache_headers(response)
    return response
