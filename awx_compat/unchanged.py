"""A 304 to who asks again, without telling again what is the same.

An answer follows from the request, from the row of who asks and from the row that it tells. The very same request, of
whose rows no text has changed, has the same answer: it takes the one statement that reads these rows.
"""

import hashlib
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from django.db import Error
from django.http import HttpRequest, HttpResponse

from instances import database
from instances.prepared import Asked, both
from instances.rows import Row, Text

MOST = 2000  # requests; beyond that the one known longest is forgotten
ALSO = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "wsgi.url_scheme")  # beside its headers
# What proxies and tracers tell each request apart by, and no answer depends on.
TRACES = frozenset(
    f"HTTP_{name}" for name in ("X_API_REQUEST_ID", "X_REQUEST_ID", "X_AMZN_TRACE_ID", "TRACEPARENT", "TRACESTATE")
)


@dataclass(frozen=True, slots=True)
class Basis:
    """What an answer was made from: two questions, the first of them as it is to be asked now, and their rows."""

    who: Callable[[], Asked]
    what: Asked
    rows: list[Row | None]


@dataclass(frozen=True, slots=True)
class Answered:
    """The questions of a basis, the digest of what they found, and the headers of the answer."""

    who: Callable[[], Asked]
    what: Asked
    found: bytes
    headers: dict[str, str]

    def still_holds(self) -> bool:
        """Whether the questions find the same; where they are too much for the database, the long way tells why."""
        try:
            return digest_of_rows(both(self.who(), self.what)) == self.found
        except Error as error:
            if database.is_away(error):
                raise
            return False


known: OrderedDict[bytes, Answered] = OrderedDict()  # by the digest of a request


def digest(value: object) -> bytes:
    return hashlib.sha256(repr(value).encode("utf-8", "surrogatepass")).digest()


def digest_of_rows(rows: list[Row | None]) -> bytes:
    """The texts hold the hash of a password, so they are not what is kept."""
    texts: list[Text | None] = [row.text if row else None for row in rows]
    return digest(texts)


def digest_of_request(request: HttpRequest) -> bytes:
    """Of all that an answer may depend on; credentials are in it, so it is what is kept of them."""
    told = (pair for pair in request.META.items() if pair[0].startswith("HTTP_") or pair[0] in ALSO)
    return digest(sorted(pair for pair in told if pair[0] not in TRACES))


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def answer(request: HttpRequest) -> HttpResponse:
        if "HTTP_IF_NONE_MATCH" not in request.META:
            return get_response(request)
        started, asked = time.perf_counter(), digest_of_request(request)
        answered = known.get(asked)
        if answered is not None and answered.still_holds():
            elapsed = f"{time.perf_counter() - started:.3f}s"
            headers = {**answered.headers, "X-API-Time": elapsed, "X-API-Total-Time": elapsed}
            return HttpResponse(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        response = get_response(request)
        if response.status_code == HTTPStatus.NOT_MODIFIED:
            del response["Content-Length"]  # Django's, of no content: it would be that of the whole
            remember(asked, response)
        return response

    return answer


def remember(asked: bytes, response: HttpResponse) -> None:
    """Keep for the next time what a 304 was made from, if that was the rows of who asks and of a record alone."""
    basis: Basis | None = getattr(response, "basis", None)
    if basis is None or None in basis.rows or response.cookies:
        return
    headers = {name: sys.intern(value) for name, value in response.items()}  # most are the same for all
    known[asked] = Answered(basis.who, basis.what, digest_of_rows(basis.rows), headers)
    if len(known) > MOST:
        known.popitem(last=False)
