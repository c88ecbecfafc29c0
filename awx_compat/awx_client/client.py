"""Asking an AWX: one answer at a time, whole, within a time, and again where that may help."""

import json
import logging
import ssl
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
from anyio.from_thread import start_blocking_portal
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from awx_compat.awx_client.errors import (
    AccessRefusedError,
    ChangingError,
    FailingError,
    LimitError,
    NotAWXError,
    RetryLaterError,
    SourceError,
    StoppedError,
    UnreachableError,
)
from awx_compat.awx_client.limits import Limits, Meter
from instances.snapshot.problems import shown
from instances.snapshot.reader import refuse_constant

logger = logging.getLogger(__name__)

PAGE_SIZE = 200  # AWX's largest
ATTEMPTS = 5
LONGEST_PAUSE = 60.0  # seconds between two attempts, unless AWX asks for more
LONGEST_RETRY_AFTER = 300.0  # seconds that AWX may ask for
CONNECT_TIMEOUT, SILENCE_TIMEOUT = 10.0, 60.0  # seconds
ANSWER_TIMEOUT = 180.0  # seconds for a whole answer, however slowly it comes
LOOK_UP_EVERY = 0.2  # seconds, to see whether somebody asks to stop
PIECE = 2**18  # bytes that are unpacked at a time
GZIP = 16 + zlib.MAX_WBITS
BUSY = frozenset({408, 425, 429})  # and what begins with 5, but for what no second try changes
NEVER = frozenset({501, 505})
USER_AGENT = "awx-instance-service sync_awx"


@dataclass(frozen=True)
class Access:
    """Who asks which AWX, and how. ``verify``: False, or what trusts its certificate."""

    url: str
    token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    verify: ssl.SSLContext | bool = True

    @property
    def client(self) -> httpx.AsyncClient:
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "gzip"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return httpx.AsyncClient(
            base_url=self.url,
            headers=headers,
            auth=None if self.token else (self.username, self.password),
            verify=self.verify,
            timeout=httpx.Timeout(SILENCE_TIMEOUT, connect=CONNECT_TIMEOUT),
            follow_redirects=False,  # another host shall not see the token
        )


class Source:
    """An AWX to be read, within ``with``. ``stopping`` ends whatever it is waiting for.

    The requests are made by an event loop in a thread of its own, where each can be given up at any moment.
    """

    def __init__(self, access: Access, stopping: threading.Event, limits: Limits, pause: float = 1.0) -> None:
        self.host = urlsplit(access.url).netloc
        self.meter = Meter(self.host, limits)
        self.http = access.client
        self.stopping = stopping
        self.pause = pause
        self.stack = ExitStack()

    def __enter__(self) -> "Source":
        self.portal = self.stack.enter_context(start_blocking_portal())
        self.stack.callback(self.portal.call, self.http.aclose)
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def get(self, path: str, *, is_told: bool = False, **params: Any) -> Any:
        """The JSON at ``path``, which may have a query of its own. Raises SourceError.

        ``is_told``: whether AWX itself has told of the path, so that there must have been something.
        """
        return self.retrying(UnreachableError)(self.ask, path, params, is_told)

    def retrying(self, *errors: type[SourceError]) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(errors),
            stop=stop_after_attempt(ATTEMPTS),
            wait=self.wait,
            sleep=self.sleep,
            before_sleep=tell_of_retry,
            reraise=True,
        )

    def wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        longer = wait_random_exponential(multiplier=self.pause, max=LONGEST_PAUSE)(state)
        return max(longer, getattr(error, "retry_after", 0.0))

    def sleep(self, seconds: float) -> None:
        if self.stopping.wait(seconds):
            raise StoppedError

    def ask(self, path: str, params: dict[str, Any], is_told: bool) -> Any:
        """What AWX answers now. ``path`` may be AWX's own word, and shall lead to nobody else with the token."""
        if not (path.startswith("/") and path.isascii() and path.isprintable()) or path.startswith("//"):
            raise NotAWXError(f"{self.host} tells {shown(path)} where AWX tells a path.")
        try:
            answer = self.awaited(path, params)
            self.check(answer, path, is_told)
            self.refuse_page(answer, path)
            return json.loads(answer.content, parse_constant=refuse_constant)
        except httpx.HTTPError as error:
            raise self.failure(error, path) from None
        except httpx.InvalidURL:
            raise NotAWXError(f"{self.host} tells {shown(path)} where AWX tells a path.") from None
        except TimeoutError:
            raise UnreachableError(f"{self.host} did not answer {path} in time.") from None
        except (ValueError, RecursionError):
            raise UnreachableError(f"{self.host} answers {path} with broken JSON.") from None

    def awaited(self, path: str, params: dict[str, Any]) -> httpx.Response:
        """The answer, unless somebody asks to stop, or the time of the sync is over, while it is awaited."""
        self.refuse_to_go_on()
        answer = self.portal.start_task_soon(self.answer, path, params)
        while not wait([answer], timeout=LOOK_UP_EVERY).done:
            try:
                self.refuse_to_go_on()
            except (StoppedError, LimitError):
                answer.cancel()
                raise
        answered: httpx.Response = answer.result()
        return answered

    def refuse_to_go_on(self) -> None:
        if self.stopping.is_set():
            raise StoppedError
        self.meter.look_at_time()

    async def answer(self, path: str, params: dict[str, Any]) -> httpx.Response:
        """The whole answer, unpacked, if it comes within a time and a size."""
        with anyio.fail_after(ANSWER_TIMEOUT):
            async with self.http.stream("GET", path, params=params or None) as answer:
                body = bytearray()
                async for piece in pieces(answer):
                    self.meter.add_bytes(len(piece))
                    body += piece
        headers = [(name, value) for name, value in answer.headers.items() if name != "content-encoding"]
        return httpx.Response(answer.status_code, headers=headers, content=bytes(body))

    def refuse_page(self, answer: httpx.Response, path: str) -> None:
        """Raise NotAWXError for a page that is made for people, as of a proxy or of another service."""
        if answer.headers.get("Content-Type", "").startswith("text/html") or answer.content.lstrip()[:1] == b"<":
            raise NotAWXError(f"{self.host} answers {path} with a page and no JSON: no AWX is there.")

    def check(self, answer: httpx.Response, path: str, is_told: bool) -> None:
        """Raise what the status of ``answer`` means."""
        status = answer.status_code
        if status == 200:
            return
        told = f"{self.host} answers {path} with {status}"
        if status in (401, 403):
            raise AccessRefusedError(f"{told}: the token, or the user and password, are not accepted.")
        if status in BUSY:
            raise UnreachableError(f"{told}.", retry_after(answer, told))
        if status >= 500 and status not in NEVER:
            raise FailingError(f"{told}.", retry_after(answer, told))
        if answer.is_redirect:
            place = place_of(answer.headers.get("Location", ""))
            raise NotAWXError(f"{told}, {place}: give the address of the AWX itself.")
        if status == 404 and is_told:
            raise ChangingError(f"{told}, which it told of a moment ago.")
        raise NotAWXError(f"{told}: no AWX is there.")

    def failure(self, error: httpx.HTTPError, path: str) -> SourceError:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            reason = str(error).partition("CERTIFICATE_VERIFY_FAILED]")[2].split(" (_ssl")[0].strip()
            return AccessRefusedError(
                f"{self.host} is not trusted ({reason}): --ca-file names the CA of its certificate."
            )
        if isinstance(error, httpx.TimeoutException):
            return UnreachableError(f"{self.host} did not answer {path} in time.")
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        return UnreachableError(f"{self.host} could not be asked for {path}: {reason}.")

    def listed(
        self, path: str, told: Callable[[int, int], None], *, is_told: bool = False, **params: Any
    ) -> list[dict[str, Any]]:
        """All records of a list; ``told`` how many there are so far, and of how many.

        Raises ChangingError if the list changes between two pages.
        """
        records: list[dict[str, Any]] = []
        count = None
        for page in self.each_page(path, params, is_told):
            self.meter.expect_records(page["count"])
            records += page["results"]
            count = page["count"] if count is None else count
            told(len(records), count)
            if page["count"] != count or len(records) > count or not page["results"]:
                break
        ids = {record["id"] for record in records}
        if len(records) != count or len(ids) != count:
            raise ChangingError(f"The list {path} of {self.host} keeps changing while it is read.")
        return records

    def each_page(self, path: str, params: dict[str, Any], is_told: bool) -> Iterator[dict[str, Any]]:
        """The pages of a list; ``next`` is a path and stays one."""
        page = self.page(path, {"page_size": PAGE_SIZE, **params}, is_told)
        yield page
        while page["next"] is not None:
            page = self.page(page["next"], {}, is_told=True)
            yield page

    def after(self, path: str, pk: int, **params: Any) -> Iterator[list[dict[str, Any]]]:
        """The records with ids above ``pk``, page by page, by their ids: whatever comes or goes, none is left out."""
        while True:
            page = self.object(path, order_by="id", id__gt=pk, page_size=PAGE_SIZE, count_disabled=1, **params)
            records = page["results"]
            if not records:
                return
            self.take(records, path)
            if any(one["id"] >= other["id"] for one, other in pairwise([{"id": pk}, *records])):
                raise NotAWXError(f"{self.host} tells {path} in another order than it was asked for.")
            yield records
            pk = records[-1]["id"]

    def take(self, records: list[Any], path: str) -> None:
        """Count the records of a page, each of which must be an object with an id."""
        for number, record in enumerate(records):
            if not isinstance(record, dict):
                raise NotAWXError(f"{self.host} answers {path}: results[{number}] must be an object.")
            if type(record.get("id")) is not int:
                told = shown(record["id"]) if "id" in record else "missing"
                raise NotAWXError(f"{self.host} answers {path}: results[{number}].id must be an integer, not {told}.")
        self.meter.add_records(len(records))

    def object(self, path: str, *, is_told: bool = False, **params: Any) -> dict[str, Any]:
        """The JSON object at ``path``."""
        told = self.get(path, is_told=is_told, **params)
        if not isinstance(told, dict):
            raise NotAWXError(f"{self.host} answers {path} with something that is not AWX's.")
        return told

    def page(self, path: str, params: dict[str, Any], is_told: bool = False) -> dict[str, Any]:
        """A page of a list, each of whose records is an object with an id."""
        page = self.get(path, is_told=is_told, **params)
        if not (
            isinstance(page, dict)
            and type(page.get("count")) is int
            and isinstance(page.get("next"), str | None)
            and isinstance(page.get("results"), list)
        ):
            raise NotAWXError(f"{self.host} answers {path} with something that is no list of AWX's.")
        self.take(page["results"], path)
        return page


async def pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The body, unpacked, in pieces of about ``PIECE`` bytes, however much a small body unpacks to."""
    encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "identity":
        async for part in answer.aiter_raw(PIECE):
            yield part
        return
    if encoding != "gzip":
        raise httpx.DecodingError(f"the answer is packed as {shown(encoding)}, which was not asked for")
    unpacker = zlib.decompressobj(GZIP)
    try:
        async for part in answer.aiter_raw():
            while part:
                yield unpacker.decompress(part, PIECE)
                part = unpacker.unconsumed_tail
        yield unpacker.flush()
    except zlib.error:
        raise httpx.DecodingError("the answer cannot be unpacked") from None
    if not unpacker.eof:
        raise httpx.DecodingError("the answer ends too early to be unpacked")


def tell_of_retry(state: RetryCallState) -> None:
    if state.outcome is not None and state.next_action is not None:
        logger.warning("%s Trying again in %.1f s.", state.outcome.exception(), state.next_action.sleep)


def place_of(location: str) -> str:
    """Where a redirect leads, without path and credentials."""
    try:
        url = httpx.URL(location)
    except (httpx.InvalidURL, ValueError):
        return "elsewhere"
    port = "" if url.port is None else f":{url.port}"
    return f"to {url.scheme}://{url.host}{port}" if url.host and location.isascii() else "elsewhere"


def retry_after(answer: httpx.Response, told: str) -> float:
    """The seconds that AWX asks to wait; 0 where it does not say, or says it in another way."""
    asked = answer.headers.get("Retry-After", "")
    seconds = float(asked) if asked.isascii() and asked.isdecimal() else 0.0
    if seconds > LONGEST_RETRY_AFTER:
        raise RetryLaterError(f"{told} and asks to be left alone for {seconds:.0f} seconds.", seconds)
    return seconds
