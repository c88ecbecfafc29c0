"""Compression of responses by gzip, unless ``COMPRESSION`` is off because a proxy compresses.

BREACH guesses a secret by the length of compressed responses that also have a text of the attacker's choice. So those
that issue a token or a key are not compressed. The CSRF tokens of pages are masked anew for each response, and Django
adds up to 100 random bytes to each.
"""

import re
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

ISSUING = "no-store"  # the whole Cache-Control of responses that issue a token or a key; pages have more in theirs
LEAST = 1_400  # bytes; less is one packet anyway
COMPRESSIBLE = re.compile(r"text/|image/svg\+xml|application/[\w.+-]*(json|yaml|openapi|javascript)\b")
ACCEPTED = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))")


def is_compressed(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether the body of ``response`` is to be compressed, if it is large enough."""
    return (
        settings.COMPRESSION
        and ACCEPTED.search(request.headers.get("Accept-Encoding", "")) is not None
        and COMPRESSIBLE.match(response.headers.get("Content-Type", "")) is not None
        and response.headers.get("Cache-Control") != ISSUING
    )


class CompressionMiddleware(GZipMiddleware):
    """Compress what is worth it. ``Vary`` names ``Accept-Encoding`` in compressed responses alone: AWX's does not."""

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        if response.streaming or len(response.content) < LEAST or not is_compressed(request, response):
            return response
        return super().process_response(request, response)
