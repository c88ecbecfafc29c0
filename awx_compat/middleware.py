"""Django middleware for every request: the client's address, limits, and headers of the responses."""

import time
from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import patch_vary_headers

from awx_compat import csp, dialects, paths
from awx_compat.forwarded import Proxies
from awx_compat.views import errors
from instances import audit
from instances.guessing import LockedError
from instances.hashing import HashingBusyError


def forwarded_client(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Put the client's address into REMOTE_ADDR; drop the X-Forwarded headers of peers that are no trusted proxy."""
    proxies = Proxies(settings.TRUSTED_PROXIES)

    def answer(request: HttpRequest) -> HttpResponse:
        forwarded = [name for name in request.META if name.startswith("HTTP_X_FORWARDED_")]
        if forwarded:
            peer = request.META.get("REMOTE_ADDR", "")
            request.META["REMOTE_ADDR"] = proxies.client_of(request.META)
            for name in [] if proxies.trusts_peer(peer) else forwarded:
                del request.META[name]
        return get_response(request)

    return answer


def route_plain_paths(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Route a path below BASE_PATH or with one of API_PREFIXES as the plain path, and render all paths in its form."""

    def middleware(request: HttpRequest) -> HttpResponse:
        base = request.META["SCRIPT_NAME"].rstrip("/")
        path = paths.without_base(request.path_info)
        if path != request.path_info:
            request.path = f"{base}{path}"
        prefix, request.path_info = paths.without_prefix(path)
        token = paths.requested_api.set(f"{base}{paths.API}{prefix}")
        try:
            return get_response(request)
        finally:
            paths.requested_api.reset(token)

    return middleware


def policy_of_pages(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Send the Content-Security-Policy with every HTML response that has none of its own."""
    policy = csp.header()

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault(csp.HEADER, policy)
        return response

    return middleware


def refuse_null_characters(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Answer forms with NUL characters below /api/o/, which PostgreSQL cannot look up, with 400."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith("/api/o/") and any(
            "\0" in value for form in (request.GET, request.POST) for values in form.lists() for value in values[1]
        ):
            return JsonResponse({"error": "invalid_request"}, status=400)
        return get_response(request)

    return middleware


def add_missing_slash(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer a path without a slash at its end as with it, below the records of the dialect's collections."""

    def middleware(request: HttpRequest) -> HttpResponse:
        collection, _, below = request.path_info.removeprefix(paths.ROOT).partition("/")
        is_below = request.path_info.startswith(paths.ROOT) and bool(below) and not below.endswith("/")
        if is_below and collection in dialects.current().slashless_collections:
            request.path_info += "/"
            request.path += "/"
        return get_response(request)

    return middleware


def refuse_large_bodies(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Respond to bodies of more than MAX_BODY_SIZE bytes with 413, without reading them."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.MAX_BODY_SIZE:
            return errors.too_large(request)
        return get_response(request)

    return middleware


class LoginRefusals:
    """Respond with 429 or 503 to the login forms (pages, admin, OAuth) whose password was not verified."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return errors.login_refused(request, error) if isinstance(error, LockedError | HashingBusyError) else None


def record_origin(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Note the user and the address of the request for the audit log."""

    def middleware(request: HttpRequest) -> HttpResponse:
        token = audit.origin.set(audit.Origin(request, request.META.get("REMOTE_ADDR", "")))
        try:
            return get_response(request)
        finally:
            audit.origin.reset(token)

    return middleware


def dialect_headers(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Add ``X-API-Total-Time`` (seconds), ``Vary: Origin`` and, in a user's session, ``Session-Timeout``.

    Also ``Cache-Control``, which AWX has not: no proxy may give the response for one user to another, and a browser
    has to revalidate it.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = get_response(request)
        patch_vary_headers(response, [dialects.current().origin_header])
        response.headers.setdefault("Cache-Control", "private, no-cache")
        if response.status_code == HTTPStatus.NOT_MODIFIED:
            del response["Content-Length"]  # it would be the length of the whole response, which Django took for 0
        if request.session.accessed and SESSION_KEY in request.session:
            response["Session-Timeout"] = str(settings.SESSION_COOKIE_AGE)
        response["X-API-Total-Time"] = f"{time.perf_counter() - started:.3f}s"
        return response

    return middleware
