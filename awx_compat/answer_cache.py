"""Answers from memory: a WSGI middleware around Django's handler.

A view that says which rows its answers are made of (``depends_on``) has them kept here, each with the versions of the
rows that it was made of. The very same request of the same reader is answered from memory while one statement reads the
same versions: so the database confirmed every answer in its own request, whoever wrote there and whenever. What depends
on anything else, as on the time of day, says nothing and is not kept.

Of the first request only the rows are remembered that its answer depends on. At the second, the answer is made in one
transaction that sees one state of the database, and is kept with the versions that the rows have in it. So what is
requested once costs hardly more than without the cache.
"""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from types import SimpleNamespace
from typing import Any

from cachetools import LRUCache
from django.db import Error, connection, transaction
from django.http import HttpRequest, HttpResponse
from django_guid.utils import get_id_from_header

from instances.prepared import preparing_cursor
from instances.versions import Dependencies

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

METHODS = ("GET", "HEAD", "OPTIONS")
REQUEST = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "wsgi.url_scheme")  # beside its headers
# What proxies and tracers tell each request apart by, and no answer depends on.
TRACES = frozenset(
    f"HTTP_{name}" for name in ("X_API_REQUEST_ID", "X_REQUEST_ID", "X_AMZN_TRACE_ID", "TRACEPARENT", "TRACESTATE")
)
MAKING = "awx_compat.making"  # the key of an answer that is to be kept, in its request's environment
REQUEST_ID = "X-API-Request-Id"
OF_EACH_REQUEST = frozenset({"X-API-Time", "X-API-Total-Time", REQUEST_ID})
SIZE_OF_THE_REST = 3_000  # bytes that an answer takes in memory beside its body
MAKERS = 64  # answers that may be made anew at once, each by one thread
LARGEST_PART = 4  # of the cache that one answer may take: a quarter


@dataclass(frozen=True, slots=True)
class Basis:
    """What an answer depends on: the rows, with the parameters that name them, and how long credentials are valid."""

    rows: Dependencies
    params: Mapping[str, Any]
    until: float = float("inf")  # seconds since 1970


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer, with the versions of the rows that it was made of; without them, only what it depends on.

    ``began`` is the time, of ``time.perf_counter()``, after which the state was read that it was made of.
    """

    basis: Basis
    versions: tuple[str, ...] | None = None
    began: float = 0.0
    status: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def size(self) -> int:
        return SIZE_OF_THE_REST + len(self.body)

    def current_versions(self) -> tuple[str, ...] | None:
        """The versions of the rows now; None where they cannot be read, or are too many to be read."""
        if connection.connection is None or time.time() >= self.basis.until:
            return None
        try:
            with preparing_cursor(connection) as cursor:
                cursor.execute(self.basis.rows.sql, self.basis.params)
                versions: tuple[str, ...] = cursor.fetchone()
        except Error:
            return None  # the request itself will tell why
        return None if None in versions else versions

    def answer(self, environ: Mapping[str, Any], start_response: Any, started: float) -> list[bytes]:
        start_response(self.status, [*self.headers, *headers_of_this_request(environ, started)])
        return [self.body]


@dataclass(slots=True)
class Making:
    """An answer that is being made and is to be kept: ``versions`` are those of the state that it is made from."""

    entry: Entry
    began: float
    versions: tuple[str, ...] | None = None


def one_state(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware of Django: an answer that is to be kept is made from one state of the database, with its versions."""

    def middleware(request: HttpRequest) -> HttpResponse:
        making: Making | None = request.META.get(MAKING)
        response: HttpResponse | None = None
        if making:
            with contextlib.suppress(Error), transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                making.versions = making.entry.current_versions()
                response = get_response(request)
        return get_response(request) if response is None else response

    return middleware


class AnswerCache:
    """A WSGI application that answers as ``application`` does, with at most ``size`` bytes of answers from memory."""

    def __init__(self, application: Application, size: int) -> None:
        self.application, self.size = application, size
        self.entries: LRUCache[bytes, Entry] = LRUCache(size, getsizeof=lambda entry: entry.size)
        self.lock = Lock()
        self.making = [Lock() for _ in range(MAKERS)]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not is_cacheable(environ):
            return self.application(environ, start_response)
        started, key = time.perf_counter(), key_of(environ)
        entry = self.get(key)
        versions = entry.current_versions() if entry else None
        if entry is None or versions is None:
            return self.make(environ, start_response, key)
        if versions == entry.versions:
            return entry.answer(environ, start_response, started)
        with self.making[key[0] % len(self.making)]:
            newer = self.get(key) or entry
            if newer.began > started:  # another thread read the state, and made the answer of it, during this request
                return newer.answer(environ, start_response, started)
            return self.make(environ, start_response, key, newer)

    def make(
        self, environ: dict[str, Any], start_response: Any, key: bytes, entry: Entry | None = None
    ) -> Iterable[bytes]:
        """Let the application answer; with an earlier answer's ``entry`` from one state of the database, to be kept."""
        head: list[Any] = []

        def start(status: str, headers: Any, error: Any = None) -> Any:
            head[:] = status, headers
            return start_response(status, headers, error)

        making = environ[MAKING] = entry and Making(entry, time.perf_counter())
        response = self.application(environ, start)
        basis: Basis | None = getattr(response, "basis", None)
        if basis is not None and isinstance(response, HttpResponse) and not response.cookies:
            made = Entry(basis)
            if making and making.versions and making.entry.basis == basis:
                status, headers = head
                kept = tuple(pair for pair in headers if pair[0] not in OF_EACH_REQUEST)
                made = Entry(basis, making.versions, making.began, status, kept, response.content)
            self.put(key, made)
        return response

    def get(self, key: bytes) -> Entry | None:
        with self.lock:
            return self.entries.get(key)

    def put(self, key: bytes, entry: Entry) -> None:
        if entry.size <= self.size // LARGEST_PART:
            with self.lock:
                self.entries[key] = entry


def is_cacheable(environ: Mapping[str, Any]) -> bool:
    """Whether the request asks for something, and sends nothing."""
    return environ["REQUEST_METHOD"] in METHODS and environ.get("CONTENT_LENGTH", "") in ("", "0")


def key_of(environ: Mapping[str, Any]) -> bytes:
    """A digest of all that an answer may depend on; credentials are in it, so it is what is kept of them."""
    parts = [environ.get(name) for name in REQUEST]
    headers = [pair for pair in environ.items() if pair[0].startswith("HTTP_") and pair[0] not in TRACES]
    if any(name.startswith("HTTP_X_FORWARDED_") for name, _ in headers):
        parts.append(environ.get("REMOTE_ADDR"))  # whether they are believed depends on who sends them
    return hashlib.sha256(repr((parts, headers)).encode("utf-8", "surrogatepass")).digest()


def headers_of_this_request(environ: Mapping[str, Any], started: float) -> list[tuple[str, str]]:
    seconds = f"{time.perf_counter() - started:.3f}s"
    request: Any = SimpleNamespace(headers={REQUEST_ID: environ.get("HTTP_X_API_REQUEST_ID")})
    request_id = get_id_from_header(request)
    return [("X-API-Time", seconds), ("X-API-Total-Time", seconds), (REQUEST_ID, request_id)]
