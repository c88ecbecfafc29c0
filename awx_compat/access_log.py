"""The access log: a record for each request, with what it cost. WSGI middleware around everything that responds.

A record has no header, no body and no query string, where clients may have put secrets; of the user it has the id. What
is measured here is counted by ``awx_compat/process_metrics.py``, too.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from awx_compat import process_metrics
from awx_compat.forwarded import Proxies

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

logger = logging.getLogger("access")

LONGEST_PATH = 1_000  # characters
REQUEST_ID = "X-API-Request-Id"
# Keys of the WSGI environment, by which those who respond say what only they know.
USER_ID, ROUTE, CACHED = NOTES = ("awx_compat.user_id", "awx_compat.route", "awx_compat.cached")


class Statements:
    """Counts the statements of a request, without those that begin and end transactions, and the seconds they take."""

    def __init__(self) -> None:
        self.count, self.seconds = 0, 0.0

    def __call__(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.count += 1
            self.seconds += time.perf_counter() - began


class AccessLog:
    """A WSGI application that responds as ``application`` does, and logs and counts each request once it is read."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.proxies = Proxies(settings.TRUSTED_PROXIES)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        began, client, size = time.perf_counter(), self.proxies.client_of(environ), 0
        status, headers = "500", []
        statements = Statements()

        def start(*head: Any) -> Any:
            nonlocal status, headers
            status, headers = head[:2]
            return start_response(*head)

        try:
            with connection.execute_wrapper(statements):
                parts = self.application(environ, start)
                try:
                    for part in parts:
                        size += len(part)
                        yield part
                finally:
                    getattr(parts, "close", lambda: None)()
        finally:
            duration = time.perf_counter() - began
            code = int(status[:3])
            if process_metrics.current:
                process_metrics.current.observe(environ["REQUEST_METHOD"], environ.get(ROUTE), code, duration)
            if settings.ACCESS_LOG:
                log_request(environ, client, code, size, duration, request_id_in(headers), statements)


def log_request(
    environ: Mapping[str, Any],
    client: str,
    status: int,
    size: int,
    duration: float = 0.0,
    request_id: str | None = None,
    statements: Statements | None = None,
) -> None:
    """Log a request that was answered with so many bytes, after so many seconds."""
    path = environ["PATH_INFO"].encode("latin-1", "replace").decode("utf-8", "replace")
    details = {
        "request_id": request_id,
        "user_id": environ.get(USER_ID),
        "client": client,
        "method": environ["REQUEST_METHOD"],
        "path": path[:LONGEST_PATH],
        "route": environ.get(ROUTE),
        "status": status,
        "duration": round(duration, 6),
        "bytes": size,
        "sql_count": statements.count if statements else 0,
        "sql_time": round(statements.seconds, 6) if statements else 0.0,
        "cached": environ.get(CACHED, False),
    }
    logger.info("request", extra=details)


def log_refusal(environ: Mapping[str, Any], client: str, status: int, size: int, began: float) -> None:
    """Log and count a request that was refused before any application saw it.

    ``began`` is in seconds of ``perf_counter()``.
    """
    process_metrics.count_refusal(status)
    if settings.ACCESS_LOG:
        log_request(environ, client, status, size, time.perf_counter() - began)


def request_id_in(headers: Iterable[tuple[str, str]]) -> str | None:
    return next((value for name, value in headers if name == REQUEST_ID), None)


def note_request(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Django middleware: note the route and the user of the request for the access log."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        request.META[USER_ID] = user_id_of(request)
        request.META[ROUTE] = request.resolver_match and request.resolver_match.route
        return response

    return middleware


def user_id_of(request: HttpRequest) -> int | None:
    """The id of the user; None where no user is known, or nothing asked for the user of the session."""
    user: Any = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject):  # which would read the session now
        user = getattr(request, "_cached_user", None)
    return getattr(user, "pk", None)
