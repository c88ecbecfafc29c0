"""ETags of single records, which AWX has not: ``"<time of the last change>-<hash of the answer>"``.

``If-None-Match`` compares the whole, since the load of a record changes without the record. ``If-Match`` compares the
time alone: it guards against overwriting somebody else's change, and a job that began meanwhile is none.
"""

import zlib
from datetime import UTC, datetime, timedelta

from django.http import HttpResponse
from django.utils.http import parse_etags
from rest_framework.request import Request

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def of(modified: datetime, content: bytes) -> str:
    return f'"{(modified - EPOCH) // MICROSECOND:x}-{zlib.crc32(content):08x}"'


def unchanged_since(request: Request, modified: datetime) -> datetime | None:
    """The state that a change is meant for, from ``If-Match``; None where any will do.

    ``modified`` is that of the record. A header that names it not at all gives a time that no record has.
    """
    if request.headers.get("If-Match", "*").strip() == "*":
        return None
    etags = parse_etags(request.headers["If-Match"])
    own = of(modified, b"").rpartition("-")[0]
    return modified if any(etag.rpartition("-")[0] == own for etag in etags) else EPOCH


def conclude(request: Request, response: HttpResponse, modified: datetime) -> None:
    """Give the rendered ``response`` its ETag, and make it a 304 where the client has it already."""
    etag = of(modified, response.content)
    response["ETag"] = etag
    known = parse_etags(request.headers.get("If-None-Match", ""))
    if etag in known or known == ["*"]:
        response.status_code = 304
        response.content = b""
