"""Requests to an AWX: one complete response at a time, with time and size limits, retried where that may help."""

import json
import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
from anyio.from_thread import start_blocking_portal
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from awx_compat import paths
from awx_compat.awx_client.errors import (
    AccessRefusedError,
    ChangeRefusedError,
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
from awx_compat.awx_client.responses import chunks, redirect_target, refusal_in
from awx_compat.awx_client.roots import Root
from instances.snapshot.problems import shown
from instances.snapshot.reader import refuse_constant

logger = logging.getLogger(__name__)

PING = paths.collection("ping")
PAGE_SIZE = 200  # AWX's largest
ATTEMPTS = 5
LONGEST_PAUSE = 60.0  # seconds between two attempts, unless Retry-After is longer
LONGEST_RETRY_AFTER = 300.0  # the longest Retry-After that is waited for, in seconds
CONNECT_TIMEOUT, SILENCE_TIMEOUT = 10.0, 60.0  # seconds
RESPONSE_TIMEOUT = 180.0  # seconds for a complete response, however slowly it arrives
STOP_CHECK_INTERVAL = 0.2  # seconds between two checks whether the sync was stopped
RETRIED = frozenset({408, 425, 429})  # and every 5xx but those of NOT_RETRIED
NOT_RETRIED = frozenset({501, 505})
USER_AGENT = "awx-instance-service sync_awx"


@dataclass(frozen=True)
class Access:
    """The host of an AWX, with its scheme, where the AWX is on it, and the credentials for it.

    ``verify``: False, or what verifies the host's certificate.
    """

    url: str
    root: Root = field(default_factory=Root)
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
            follow_redirects=False,  # the token is for this host only
        )


class Source:
    """A client of one AWX, used as a context manager. When ``stopping`` is set, waiting ends with StoppedError.

    The requests run in an event loop in a thread of its own, where each can be cancelled at any moment.
    """

    def __init__(self, access: Access, stopping: threading.Event, limits: Limits, pause: float = 1.0) -> None:
        self.host = urlsplit(access.url).netloc
        self.root = access.root
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

    def get(self, path: str, *, from_awx: bool = False, **params: Any) -> Any:
        """The JSON at ``path``, which may have a query of its own. Raises SourceError.

        ``from_awx``: the path is from an answer of this AWX, so that a 404 means that the record was just deleted.
        """
        return self.retrying(UnreachableError)(self.request, path, params, from_awx)

    def patch(self, path: str, change: dict[str, Any]) -> Any:
        """Send ``change`` to the record at ``path``, in one attempt; the JSON of the answer. Raises SourceError."""
        return self.request(path, {}, from_awx=True, change=change)

    def ping(self) -> dict[str, Any]:
        """The answer of ``ping/``. If there is none at ``/api/v2/``, another API is looked for. Raises SourceError."""
        try:
            return self.get_object(PING)
        except NotAWXError:
            if self.root.known:
                raise
            self.root = replace(self.root, api=self.find_api() or self.root.api, known=True)
            if self.root.api == paths.ROOT:
                raise
        return self.get_object(PING)

    def find_api(self) -> str | None:
        """The API that ``/api/`` names, of the AWX itself or of a gateway in front of it; None if it names none."""
        with suppress(NotAWXError, AccessRefusedError):
            body = self.get(f"{self.root.base}{paths.API}")
            if api := self.root.gateway_api_in(body):
                body = self.get(f"{self.root.base}{api.removesuffix('v2/')}")
            return self.root.api_in(body)
        return None

    def retrying(self, *errors: type[SourceError]) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(errors),
            stop=stop_after_attempt(ATTEMPTS),
            wait=self.wait,
            sleep=self.sleep,
            before_sleep=log_retry,
            reraise=True,
        )

    def wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        longer = wait_random_exponential(multiplier=self.pause, max=LONGEST_PAUSE)(state)
        return max(longer, getattr(error, "retry_after", 0.0))

    def sleep(self, seconds: float) -> None:
        if self.stopping.wait(seconds):
            raise StoppedError

    def request(self, path: str, params: dict[str, Any], from_awx: bool, change: Any = None) -> Any:
        """The JSON of one attempt to GET, or to PATCH where there is a ``change``.

        A ``path`` from AWX is checked, so that the token is sent to no other host.
        """
        path = self.root.below(path)
        if not (path.startswith("/") and path.isascii() and path.isprintable()) or path.startswith("//"):
            raise NotAWXError(f"{self.host} returned {shown(path)} instead of a path.")
        try:
            response = self.wait_for_response(path, params, change)
            if change is not None and response.status_code == 400:
                raise ChangeRefusedError(f"{self.host} refuses to change {path}: {refusal_in(response.content)}")
            self.check_status(response, path, from_awx)
            self.check_is_not_html(response, path)
            return self.root.plain_paths(json.loads(response.content, parse_constant=refuse_constant))
        except httpx.HTTPError as error:
            raise self.failure(error, path) from None
        except httpx.InvalidURL:
            raise NotAWXError(f"{self.host} returned {shown(path)} instead of a path.") from None
        except TimeoutError:
            raise UnreachableError(f"{self.host} did not answer {path} in time.") from None
        except (ValueError, RecursionError):
            raise UnreachableError(f"{self.host} answers {path} with broken JSON.") from None

    def wait_for_response(self, path: str, params: dict[str, Any], change: Any) -> httpx.Response:
        """The response. Raises StoppedError if the sync is stopped, LimitError if its time is over, while waiting."""
        self.check_may_continue()
        task = self.portal.start_task_soon(self.fetch, path, params, change)
        while not wait([task], timeout=STOP_CHECK_INTERVAL).done:
            try:
                self.check_may_continue()
            except (StoppedError, LimitError):
                task.cancel()
                raise
        response: httpx.Response = task.result()
        return response

    def check_may_continue(self) -> None:
        """Raise StoppedError if the sync was stopped, LimitError if its time is over."""
        if self.stopping.is_set():
            raise StoppedError
        self.meter.check_time()

    async def fetch(self, path: str, params: dict[str, Any], change: Any) -> httpx.Response:
        """The complete response, decompressed. Raises TimeoutError after RESPONSE_TIMEOUT, LimitError if too large."""
        with anyio.fail_after(RESPONSE_TIMEOUT):
            method = "GET" if change is None else "PATCH"
            async with self.http.stream(method, path, params=params or None, json=change) as response:
                body = bytearray()
                async for chunk in chunks(response):
                    self.meter.add_bytes(len(chunk))
                    body += chunk
        headers = [(name, value) for name, value in response.headers.items() if name != "content-encoding"]
        return httpx.Response(response.status_code, headers=headers, content=bytes(body))

    def check_is_not_html(self, response: httpx.Response, path: str) -> None:
        """Raise NotAWXError for an HTML page, as a proxy or another service returns it."""
        if response.headers.get("Content-Type", "").startswith("text/html") or response.content.lstrip()[:1] == b"<":
            raise NotAWXError(f"{self.host} answers {path} with HTML instead of JSON: no AWX is there.")

    def check_status(self, response: httpx.Response, path: str, from_awx: bool) -> None:
        """Raise the SourceError that the status of ``response`` stands for, if it is not 200."""
        status = response.status_code
        if status == 200:
            return
        text = f"{self.host} answers {path} with {status}"
        if status in (401, 403):
            raise AccessRefusedError(f"{text}: the token, or the user and password, are not accepted.")
        if status in RETRIED:
            raise UnreachableError(f"{text}.", retry_after(response, text))
        if status >= 500 and status not in NOT_RETRIED:
            raise FailingError(f"{text}.", retry_after(response, text))
        if response.is_redirect:
            target = redirect_target(response.headers.get("Location", ""))
            raise NotAWXError(f"{text}, {target}: give the address of the AWX itself.")
        if status == 404 and from_awx:
            raise ChangingError(f"{text}, although it returned this path a moment ago.")
        raise NotAWXError(f"{text}: no AWX is there.")

    def failure(self, error: httpx.HTTPError, path: str) -> SourceError:
        """The SourceError for a request to ``path`` that brought no complete response."""
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            reason = str(error).partition("CERTIFICATE_VERIFY_FAILED]")[2].split(" (_ssl")[0].strip()
            return AccessRefusedError(
                f"{self.host} is not trusted ({reason}): --ca-file names the CA of its certificate."
            )
        if isinstance(error, httpx.TimeoutException):
            return UnreachableError(f"{self.host} did not answer {path} in time.")
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        return UnreachableError(f"The request to {self.host} for {path} failed: {reason}.")

    def get_list(
        self, path: str, on_page: Callable[[int, int], None], *, from_awx: bool = False, **params: Any
    ) -> list[dict[str, Any]]:
        """All records of a list. After each page ``on_page`` gets how many were read, and how many there are.

        Raises ChangingError if the list changes between two pages.
        """
        records: list[dict[str, Any]] = []
        count = None
        for page in self.pages(path, params, from_awx):
            self.meter.expect_records(page["count"])
            records += page["results"]
            count = page["count"] if count is None else count
            on_page(len(records), count)
            if page["count"] != count or len(records) > count or not page["results"]:
                break
        ids = {record["id"] for record in records}
        if len(records) != count or len(ids) != count:
            raise ChangingError(f"The list {path} of {self.host} keeps changing while it is read.")
        return records

    def pages(self, path: str, params: dict[str, Any], from_awx: bool) -> Iterator[dict[str, Any]]:
        """The pages of a list, by their ``next``, which must be a path."""
        page = self.get_page(path, {"page_size": PAGE_SIZE, **params}, from_awx)
        yield page
        while page["next"] is not None:
            page = self.get_page(page["next"], {}, from_awx=True)
            yield page

    def pages_after(self, path: str, pk: int, **params: Any) -> Iterator[list[dict[str, Any]]]:
        """The records with ids above ``pk``, page by page, by their ids, so that no change meanwhile skips one."""
        while True:
            page = self.get_object(path, order_by="id", id__gt=pk, page_size=PAGE_SIZE, count_disabled=1, **params)
            records = page["results"]
            if not records:
                return
            self.check_records(records, path)
            if any(record["id"] >= following["id"] for record, following in pairwise([{"id": pk}, *records])):
                raise NotAWXError(f"{self.host} returned {path} in another order than requested.")
            yield records
            pk = records[-1]["id"]

    def check_records(self, records: list[Any], path: str) -> None:
        """Count the records of a page. Raises NotAWXError unless each is an object with an id."""
        for number, record in enumerate(records):
            if not isinstance(record, dict):
                raise NotAWXError(f"{self.host} answers {path}: results[{number}] must be an object.")
            if type(record.get("id")) is not int:
                value = shown(record["id"]) if "id" in record else "missing"
                raise NotAWXError(f"{self.host} answers {path}: results[{number}].id must be an integer, not {value}.")
        self.meter.add_records(len(records))

    def get_object(self, path: str, *, from_awx: bool = False, **params: Any) -> dict[str, Any]:
        """The JSON object at ``path``. Raises SourceError."""
        body = self.get(path, from_awx=from_awx, **params)
        if not isinstance(body, dict):
            raise NotAWXError(f"{self.host} answers {path} with something that is not AWX's.")
        return body

    def get_page(self, path: str, params: dict[str, Any], from_awx: bool = False) -> dict[str, Any]:
        """A page of a list: ``count``, ``next`` and ``results``, each an object with an id. Raises SourceError."""
        page = self.get(path, from_awx=from_awx, **params)
        if not (
            isinstance(page, dict)
            and type(page.get("count")) is int
            and isinstance(page.get("next"), str | None)
            and isinstance(page.get("results"), list)
        ):
            raise NotAWXError(f"{self.host} answers {path} with something that is not a list of AWX's.")
        self.check_records(page["results"], path)
        return page


def log_retry(state: RetryCallState) -> None:
    """Log why an attempt failed, and the seconds until the next one."""
    if state.outcome is not None and state.next_action is not None:
        logger.warning("%s Trying again in %.1f s.", state.outcome.exception(), state.next_action.sleep)


def retry_after(response: httpx.Response, text: str) -> float:
    """The seconds of ``Retry-After``; 0 where it is missing, or not a number.

    Raises RetryLaterError, whose message begins with ``text``, if they are more than LONGEST_RETRY_AFTER.
    """
    header = response.headers.get("Retry-After", "")
    seconds = float(header) if header.isascii() and header.isdecimal() else 0.0
    if seconds > LONGEST_RETRY_AFTER:
        raise RetryLaterError(f"{text} and requests a pause of {seconds:.0f} seconds.", seconds)
    return seconds
