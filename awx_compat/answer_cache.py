"""A cache of whole responses: WSGI middleware around Django's handler.

A view that declares which rows its responses depend on (``depends_on``) has them cached, each with the versions of
these rows. The same request of the same user is answered from the cache if one statement finds the same versions: so
the database confirms every cached response during the request, whoever wrote to it and whenever. A view whose responses
depend on anything else, such as the time of day, declares nothing and is not cached.

The first request only notes the dependencies of its response. The second is answered in one transaction that sees one
state of the database, and its response is cached with the versions in that state. So a request that is never repeated
costs hardly more than without the cache.
"""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from types import SimpleNamespace
from typing import Any

from cachetools import LRUCache
from django.conf import settings
from django.db import Error, connection, transaction
from django.http import HttpRequest, HttpResponse
from django_guid.utils import get_id_from_header

from awx_compat import access_log
from instances.prepared import preparing_cursor
from instances.versions import Dependencies

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

METHODS = ("GET", "HEAD", "OPTIONS")
# Beside its headers; the paths in a response have the form of the request's.
REQUEST_KEYS = ("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "wsgi.url_scheme")
# Headers by which proxies and tracers identify a request; no response depends on them.
TRACE_HEADERS = frozenset(
    f"HTTP_{name}" for name in ("X_API_REQUEST_ID", "X_REQUEST_ID", "X_AMZN_TRACE_ID", "TRACEPARENT", "TRACESTATE")
)
CACHE_FILL = "awx_compat.cache_fill"  # the key, in the WSGI environment, of the response that is to be cached
PER_REQUEST_HEADERS = frozenset({"X-API-Time", "X-API-Total-Time", access_log.REQUEST_ID})
ENTRY_OVERHEAD = 3_000  # bytes of memory that an entry takes beside its body
FILL_LOCKS = 64  # entries that can be filled at once, each by one thread
LARGEST_SHARE = 4  # an entry may take a quarter of the cache


@dataclass(frozen=True, slots=True)
class CacheDependencies:
    """What a response depends on: rows, the parameters that select them, and the expiry of the token."""

    rows: Dependencies
    params: Mapping[str, Any]
    until: float = float("inf")  # seconds since 1970


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """A response and the versions of the rows that it was rendered from; before it is cached, its dependencies alone.

    The state of the database that it was rendered from was read after ``began``, in seconds of ``perf_counter()``.
    """

    dependencies: CacheDependencies
    versions: tuple[str, ...] | None = None
    began: float = 0.0
    status: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    notes: Mapping[str, Any] = field(default_factory=dict)  # for the access log

    @property
    def size(self) -> int:
        return ENTRY_OVERHEAD + len(self.body)

    def current_versions(self) -> tuple[str, ...] | None:
        """The current versions of the rows; None where they cannot be read, are too many, or the token has expired."""
        if connection.connection is None or time.time() >= self.dependencies.until:
            return None
        try:
            with preparing_cursor(connection) as cursor:
                cursor.execute(self.dependencies.rows.sql, self.dependencies.params)
                versions: tuple[str, ...] = cursor.fetchone()
        except Error:
            return None  # the view reports the failure
        return None if None in versions else versions

    def respond(self, environ: dict[str, Any], start_response: Any, started: float) -> list[bytes]:
        environ.update(self.notes)
        start_response(self.status, [*self.headers, *per_request_headers(environ, started)])
        return [self.body]


@dataclass(slots=True)
class CacheFill:
    """A response that is rendered to be cached: ``versions`` are those of the state that it is rendered from."""

    entry: CacheEntry
    began: float
    versions: tuple[str, ...] | None = None


def read_one_state(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Django middleware: render a response that is to be cached from one state of the database, with its versions."""

    def middleware(request: HttpRequest) -> HttpResponse:
        fill: CacheFill | None = request.META.get(CACHE_FILL)
        response: HttpResponse | None = None
        if fill:
            with contextlib.suppress(Error), transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                fill.versions = fill.entry.current_versions()
                if fill.versions:  # else the statement may have failed, and with it this transaction
                    response = get_response(request)
        return get_response(request) if response is None else response

    return middleware


class AnswerCache:
    """A WSGI application that responds as ``application`` does, with a cache of at most ``size`` bytes."""

    def __init__(self, application: Application, size: int) -> None:
        self.application, self.size = application, size
        self.entries: LRUCache[bytes, CacheEntry] = LRUCache(size, getsizeof=lambda entry: entry.size)
        self.lock = Lock()
        self.fill_locks = [Lock() for _ in range(FILL_LOCKS)]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not is_cacheable(environ):
            return self.application(environ, start_response)
        started, key = time.perf_counter(), cache_key(environ)
        entry = self.get(key)
        versions = entry.current_versions() if entry else None
        if entry is None or versions is None:
            return self.forward(environ, start_response, key)
        if versions == entry.versions:
            return entry.respond(environ, start_response, started)
        with self.fill_locks[key[0] % len(self.fill_locks)]:
            newer = self.get(key) or entry
            if newer.began > started:  # another thread has read the state, and filled the entry, during this request
                return newer.respond(environ, start_response, started)
            return self.forward(environ, start_response, key, newer)

    def forward(
        self, environ: dict[str, Any], start_response: Any, key: bytes, entry: CacheEntry | None = None
    ) -> Iterable[bytes]:
        """The application's response; with the ``entry`` of an earlier one, rendered from one state, and cached."""
        head: list[Any] = []

        def start(status: str, headers: Any, error: Any = None) -> Any:
            head[:] = status, headers
            return start_response(status, headers, error)

        fill = environ[CACHE_FILL] = entry and CacheFill(entry, time.perf_counter())
        response = self.application(environ, start)
        dependencies: CacheDependencies | None = getattr(response, "dependencies", None)
        if dependencies is not None and isinstance(response, HttpResponse) and not response.cookies:
            new = CacheEntry(dependencies)
            if fill and fill.versions and fill.entry.dependencies == dependencies:
                status, headers = head
                cached = tuple(pair for pair in headers if pair[0] not in PER_REQUEST_HEADERS)
                notes = {**{name: environ.get(name) for name in access_log.NOTES}, access_log.CACHED: True}
                new = CacheEntry(dependencies, fill.versions, fill.began, status, cached, response.content, notes)
            self.put(key, new)
        return response

    def get(self, key: bytes) -> CacheEntry | None:
        with self.lock:
            return self.entries.get(key)

    def put(self, key: bytes, entry: CacheEntry) -> None:
        if entry.size <= self.size // LARGEST_SHARE:
            with self.lock:
                self.entries[key] = entry


def is_cacheable(environ: Mapping[str, Any]) -> bool:
    """Whether the request has a safe method and no body."""
    return environ["REQUEST_METHOD"] in METHODS and environ.get("CONTENT_LENGTH", "") in ("", "0")


def cache_key(environ: Mapping[str, Any]) -> bytes:
    """A digest of the dialect, and of all parts of a request that its response may depend on, credentials included."""
    parts = [settings.AWX_VERSION, *(environ.get(name) for name in REQUEST_KEYS)]
    headers = [pair for pair in environ.items() if pair[0].startswith("HTTP_") and pair[0] not in TRACE_HEADERS]
    if any(name.startswith("HTTP_X_FORWARDED_") for name, _ in headers):
        parts.append(environ.get("REMOTE_ADDR"))  # they count from trusted proxies alone
    return hashlib.sha256(repr((parts, headers)).encode("utf-8", "surrogatepass")).digest()


def per_request_headers(environ: Mapping[str, Any], started: float) -> list[tuple[str, str]]:
    seconds = f"{time.perf_counter() - started:.3f}s"
    request: Any = SimpleNamespace(headers={access_log.REQUEST_ID: environ.get("HTTP_X_API_REQUEST_ID")})
    request_id = get_id_from_header(request)
    return [("X-API-Time", seconds), ("X-API-Total-Time", seconds), (access_log.REQUEST_ID, request_id)]
