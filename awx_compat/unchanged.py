"""A 304 to who asks again, without telling again what is the same.

An answer follows from the request, from the row of who asks and from the row that it tells. The very same request, of
whose rows no text has changed, has the same answer: it takes the one statement that reads these rows.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from instances.prepared import Asked, both
from instances.rows import Text

MOST = 500  # requests; beyond that all are forgotten
ALSO = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "wsgi.url_scheme")  # of a request, beside its headers


@dataclass(frozen=True, slots=True)
class Basis:
    """What an answer was made from: two questions, the first of them as it is to be asked now, and their rows."""

    who: Callable[[], Asked]
    what: Asked
    texts: list[Text]

    def still_holds(self) -> bool:
        return self.texts == [row.text if row else None for row in both(self.who(), self.what)]


known: dict[bytes, tuple[Basis, dict[str, str]]] = {}  # by the digest of a request, with the headers of its answer


def digest_of(request: HttpRequest) -> bytes:
    """Of all that the service may look at; credentials are in it, so it is what is kept of them."""
    told = [f"{name}\0{value}" for name, value in request.META.items() if name.startswith("HTTP_") or name in ALSO]
    return hashlib.sha256("\0\0".join(sorted(told)).encode("utf-8", "surrogatepass")).digest()


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def answer(request: HttpRequest) -> HttpResponse:
        if "HTTP_IF_NONE_MATCH" not in request.META:
            return get_response(request)
        started, digest = time.perf_counter(), digest_of(request)
        basis, headers = known.get(digest, (None, {}))
        if basis is not None and basis.still_holds():
            elapsed = f"{time.perf_counter() - started:.3f}s"
            return HttpResponse(status=304, headers={**headers, "X-API-Time": elapsed, "X-API-Total-Time": elapsed})
        response = get_response(request)
        remember(digest, response)
        return response

    return answer


def remember(digest: bytes, response: HttpResponse) -> None:
    basis: Basis | None = getattr(response, "basis", None)
    if basis is None or response.status_code != HTTPStatus.NOT_MODIFIED or response.cookies:
        return
    if len(known) >= MOST:
        known.clear()
    known[digest] = basis, dict(response.items())
