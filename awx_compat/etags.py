"""ETags of single records, which AWX has not: ``"<time of the last change>-<hash of the answer>"``.

A read compares the whole ETag, since the load of a record changes without the record. A change compares the time
alone: that guards against overwriting a concurrent change, and a job that began meanwhile is none.
"""

import zlib
from datetime import UTC, datetime, timedelta

from django.http import HttpResponse
from django.utils.http import parse_etags
from rest_framework.request import Request

from instances.locking import StaleError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def of(modified: datetime, content: bytes) -> str:
    return f'"{(modified - EPOCH) // MICROSECOND:x}-{zlib.crc32(content):08x}"'


def refuse_if_known(request: Request, modified: datetime | None) -> None:
    """Raise StaleError if ``If-None-Match`` names the state of the record, which was modified then.

    None: the record has no ETag, so that nothing but ``*`` names its state.
    """
    if names(named_in(request, "If-None-Match"), modified):
        raise StaleError("If-None-Match names the state of the record; nothing was changed.")


def refuse_if_changed(request: Request, modified: datetime | None) -> None:
    """Raise StaleError if ``If-Match`` does not name the state of the record, likewise."""
    if not names(named_in(request, "If-Match", "*"), modified):
        raise StaleError


def names(etags: list[str], modified: datetime | None) -> bool:
    """Whether one of the etags, or the star in their place, is of a record that was changed then."""
    if modified is None:
        return etags == ["*"]
    own = of(modified, b"").rpartition("-")[0]
    return etags == ["*"] or any(etag.rpartition("-")[0] == own for etag in etags)


def named_in(request: Request, header: str, default: str = "") -> list[str]:
    """The etags in ``header``; weak ones as strong, since compression weakens those of its responses.

    RFC 9110 wants strong ones in ``If-Match``, but what is compared there is a time, which both forms have.
    """
    return parse_etags(request.headers.get(header, default).replace('W/"', '"'))


def conclude(request: Request, response: HttpResponse, modified: datetime) -> None:
    """Set the ETag of the rendered ``response``, and make it a 304 where ``If-None-Match`` has that ETag."""
    etag = of(modified, response.content)
    response["ETag"] = etag
    known = named_in(request, "If-None-Match") if request.method in ("GET", "HEAD") else []
    if etag in known or known == ["*"]:
        response.status_code = 304
        response.content = b""
        if f"W/{etag}" in request.headers["If-None-Match"]:
            response["ETag"] = f"W/{etag}"
