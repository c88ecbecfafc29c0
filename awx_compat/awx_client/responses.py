"""What a response of an AWX has: its body, piece by piece, and where it redirects to."""

import json
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx

from instances.snapshot.problems import shown
from instances.text import in_one_line

CHUNK = 2**18  # bytes that are decompressed at a time
LONGEST_REFUSAL = 500  # characters
GZIP = 16 + zlib.MAX_WBITS


async def chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body, decompressed, in chunks of at most about ``CHUNK`` bytes, so that no small body fills the memory.

    Raises httpx.DecodingError if it is compressed in another way than gzip, damaged, or cut.
    """
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "identity":
        async for part in response.aiter_raw(CHUNK):
            yield part
        return
    if encoding != "gzip":
        raise httpx.DecodingError(f"the response has the encoding {shown(encoding)}, which was not requested")
    decompressor = zlib.decompressobj(GZIP)
    try:
        async for part in response.aiter_raw():
            while part:
                yield decompressor.decompress(part, CHUNK)
                part = decompressor.unconsumed_tail
        yield decompressor.flush()
    except zlib.error:
        raise httpx.DecodingError("the response cannot be decompressed") from None
    if not decompressor.eof:
        raise httpx.DecodingError("the response ends too early to be decompressed")


def refusal_in(content: bytes) -> str:
    """The messages in the body by which an AWX refuses a change, in one line; without any, the body."""
    try:
        text = " ".join(messages_in(json.loads(content)))
    except (ValueError, RecursionError):
        text = ""
    return in_one_line((text or content.decode(errors="replace"))[:LONGEST_REFUSAL])


def messages_in(body: Any) -> Iterator[str]:
    """All texts of a JSON value but the names of fields."""
    if isinstance(body, str):
        yield body
    for each in body.values() if isinstance(body, dict) else body if isinstance(body, list) else ():
        yield from messages_in(each)


def redirect_target(location: str) -> str:
    """The scheme, host and port of a ``Location``, in words, without path and credentials."""
    try:
        url = httpx.URL(location)
    except (httpx.InvalidURL, ValueError):
        return "elsewhere"
    port = "" if url.port is None else f":{url.port}"
    return f"to {url.scheme}://{url.host}{port}" if url.host and location.isascii() else "elsewhere"
