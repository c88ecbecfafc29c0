"""Answers from memory: a WSGI middleware around Django's handler.

A view that says which rows its answers are made of (``depends_on``) has them kept here, each with the versions of the
rows that it was made of. The very same request of the same reader is answered from memory while one statement reads the
same versions: so the database confirmed every answer in its own request, whoever wrote there and whenever. What depends
on anything else, as on the time of day, says nothing and is not kept.

Of the first request is only remembered which rows its answer depends on. Asked for the second time, the versions are
read before and after, and the answer is kept. So what is asked for once costs hardly more than without the cache.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from types import SimpleNamespace
from typing import Any, NamedTuple

from cachetools import LRUCache
from django.db import Error, connection
from django.http import HttpResponse
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


class State(NamedTuple):
    """The versions of rows, and the snapshot of the database that they were read from."""

    versions: tuple[str, ...]
    snapshot: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer, with the versions of the rows that it was made of; without them, only what it depends on."""

    basis: Basis
    versions: tuple[str, ...] | None = None
    status: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def size(self) -> int:
        return SIZE_OF_THE_REST + len(self.body)

    def state(self) -> State | None:
        """The versions of the rows now; None where they cannot be read, or are too many to be read."""
        if connection.connection is None or time.time() >= self.basis.until:
            return None
        try:
            with preparing_cursor(connection) as cursor:
                cursor.execute(self.basis.rows.sql, self.basis.params)
                *versions, snapshot = cursor.fetchone()
        except Error:
            return None  # the request itself will tell why
        return None if None in versions else State(tuple(versions), snapshot)

    def answer(self, environ: Mapping[str, Any], start_response: Any, started: float) -> list[bytes]:
        start_response(self.status, [*self.headers, *headers_of_this_request(environ, started)])
        return [self.body]


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
        state = entry.state() if entry else None
        if entry is None or state is None:
            return self.make(environ, start_response, key)
        if state.versions == entry.versions:
            return entry.answer(environ, start_response, started)
        with self.making[key[0] % len(self.making)]:
            return self.renew(environ, start_response, started, key, entry)

    def renew(
        self, environ: dict[str, Any], start_response: Any, started: float, key: bytes, entry: Entry
    ) -> Iterable[bytes]:
        """Make the answer anew, and keep it if nothing at all was committed meanwhile.

        It could be of a state that was there for that moment only, between two in which the rows are the same. One
        thread does so at a time; who waited for it may find in memory what it made.
        """
        before, newer = entry.state(), self.get(key)
        if newer and before and newer.versions == before.versions:
            return newer.answer(environ, start_response, started)
        return self.make(environ, start_response, key, before and (entry, before))

    def make(
        self,
        environ: dict[str, Any],
        start_response: Any,
        key: bytes,
        known: tuple[Entry, State] | None = None,
    ) -> Iterable[bytes]:
        """Let the application answer. It is kept if ``known``, of an earlier answer, still is the state after it."""
        head: list[Any] = []

        def start(status: str, headers: Any, error: Any = None) -> Any:
            head[:] = status, headers
            return start_response(status, headers, error)

        response = self.application(environ, start)
        basis: Basis | None = getattr(response, "basis", None)
        if basis is not None and isinstance(response, HttpResponse) and not response.cookies:
            entry = Entry(basis)
            if known and known[0].basis == basis and entry.state() == known[1]:
                status, headers = head
                kept = tuple(pair for pair in headers if pair[0] not in OF_EACH_REQUEST)
                entry = Entry(basis, known[1].versions, status, kept, response.content)
            self.put(key, entry)
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
