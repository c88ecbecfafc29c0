"""Asking an AWX: one answer at a time, whole, within a time, and again where that may help."""

import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from instances.snapshot.problems import shown

logger = logging.getLogger(__name__)

PAGE_SIZE = 200  # AWX's largest
ATTEMPTS = 5
LONGEST_PAUSE = 60.0  # seconds between two attempts, unless AWX asks for more
LONGEST_RETRY_AFTER = 300.0  # seconds that AWX may ask for
CONNECT_TIMEOUT, SILENCE_TIMEOUT = 10.0, 60.0  # seconds
ANSWER_TIMEOUT = 180.0  # seconds for a whole answer, however slowly it comes
MOST_BYTES = 256 * 2**20  # of one answer
BUSY = frozenset({408, 425, 429})  # and what begins with 5, but for what no second try changes
NEVER = frozenset({501, 505})
USER_AGENT = "awx-instance-service sync_awx"


class SourceError(Exception):
    """AWX could not be read; the message says why, without any secret. ``exit_code`` is that of the command."""

    exit_code = 1


class RefusedError(SourceError):
    """AWX does not know who asks, or does not let them see everything."""

    exit_code = 3


class NotAWXError(SourceError):
    """What answers is no AWX that this service knows."""

    exit_code = 4


class UnreachableError(SourceError):
    """Nothing useful came back; a later attempt may do better."""

    exit_code = 5

    def __init__(self, message: str, retry_after: float = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ChangingError(SourceError):
    """AWX's records changed while they were read, so that they do not fit together."""

    exit_code = 5


class RetryLaterError(SourceError):
    """AWX wants to be left alone, for more ``seconds`` than a request waits."""

    exit_code = 5

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class StoppedError(Exception):
    """Somebody asked to stop."""


@dataclass(frozen=True)
class Access:
    """Who asks which AWX, and how. ``verify``: False, or what trusts its certificate."""

    url: str
    token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    verify: ssl.SSLContext | bool = True

    @property
    def client(self) -> httpx.Client:
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return httpx.Client(
            base_url=self.url,
            headers=headers,
            auth=None if self.token else (self.username, self.password),
            verify=self.verify,
            timeout=httpx.Timeout(SILENCE_TIMEOUT, connect=CONNECT_TIMEOUT),
            follow_redirects=False,  # another host shall not see the token
        )


class Source:
    """An AWX to be read. ``stopping`` ends the reading before the next request and during a pause."""

    def __init__(self, access: Access, stopping: threading.Event, pause: float = 1.0) -> None:
        self.host = urlsplit(access.url).netloc
        self.http = access.client
        self.stopping = stopping
        self.pause = pause
        self.is_known = False  # whether it has answered like an AWX

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str, **params: Any) -> Any:
        """The JSON at ``path``, which may have a query of its own. Raises SourceError."""
        return self.retrying(UnreachableError)(self.ask, path, params)

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

    def ask(self, path: str, params: dict[str, Any]) -> Any:
        """What AWX answers now. ``path`` may be AWX's own word, and shall lead to nobody else with the token."""
        if self.stopping.is_set():
            raise StoppedError
        if not path.startswith("/") or path.startswith("//"):
            raise NotAWXError(f"{self.host} tells {shown(path)} where AWX tells a path.")
        try:
            with self.http.stream("GET", path, params=params or None) as answer:
                self.check(answer, path)
                told = json.loads(whole(answer), parse_constant=refuse_constant)
        except httpx.HTTPError as error:
            raise self.failure(error, path) from None
        except httpx.InvalidURL:
            raise NotAWXError(f"{self.host} tells {shown(path)} where AWX tells a path.") from None
        except (ValueError, RecursionError):
            raise UnreachableError(f"{self.host} answers {path} with broken JSON.") from None
        self.is_known = True
        return told

    def check(self, answer: httpx.Response, path: str) -> None:
        """Raise what the status of ``answer`` means."""
        status = answer.status_code
        if status == 200:
            return
        told = f"{self.host} answers {path} with {status}"
        if status in (401, 403):
            raise RefusedError(f"{told}: the token, or the user and password, are not accepted.")
        if status in BUSY or (status >= 500 and status not in NEVER):
            raise UnreachableError(f"{told}.", retry_after(answer, told))
        if answer.is_redirect:
            elsewhere = urlsplit(answer.headers.get("Location", ""))
            raise NotAWXError(f"{told}, to {elsewhere.scheme}://{elsewhere.netloc}: give the address that it leads to.")
        if status == 404 and self.is_known:
            raise ChangingError(f"{told}, which it told of a moment ago.")
        raise NotAWXError(f"{told}: no AWX is there.")

    def failure(self, error: httpx.HTTPError, path: str) -> SourceError:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            reason = str(error).partition("CERTIFICATE_VERIFY_FAILED]")[2].split(" (_ssl")[0].strip()
            return RefusedError(f"{self.host} is not trusted ({reason}): --ca-file names the CA of its certificate.")
        if isinstance(error, httpx.TimeoutException):
            return UnreachableError(f"{self.host} did not answer {path} in time.")
        reason = " ".join(str(error).split()) or type(error).__name__
        return UnreachableError(f"{self.host} could not be asked for {path}: {reason}.")

    def listed(self, path: str, told: Callable[[int, int], None], **params: Any) -> list[dict[str, Any]]:
        """All records of a list; ``told`` how many there are so far, and of how many.

        Raises ChangingError if the list changes between two pages.
        """
        records: list[dict[str, Any]] = []
        count = None
        for page in self.each_page(path, params):
            records += page["results"]
            count = page["count"] if count is None else count
            told(len(records), count)
            if page["count"] != count or len(records) > count or not page["results"]:
                break
        ids = {record["id"] for record in records}
        if len(records) != count or len(ids) != count:
            raise ChangingError(f"The list {path} of {self.host} keeps changing while it is read.")
        return records

    def each_page(self, path: str, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The pages of a list; ``next`` is a path and stays one."""
        page = self.page(path, {"page_size": PAGE_SIZE, **params})
        yield page
        while page["next"] is not None:
            page = self.page(page["next"], {})
            yield page

    def after(self, path: str, pk: int, **params: Any) -> Iterator[list[dict[str, Any]]]:
        """The records with ids above ``pk``, page by page, by their ids: whatever comes or goes, none is left out."""
        while True:
            page = self.object(path, order_by="id", id__gt=pk, page_size=PAGE_SIZE, count_disabled=1, **params)
            records = page["results"]
            if not records:
                return
            if any(one["id"] >= other["id"] for one, other in pairwise([{"id": pk}, *records])):
                raise NotAWXError(f"{self.host} tells {path} in another order than it was asked for.")
            yield records
            pk = records[-1]["id"]

    def object(self, path: str, **params: Any) -> dict[str, Any]:
        """The JSON object at ``path``."""
        told = self.get(path, **params)
        if not isinstance(told, dict):
            raise NotAWXError(f"{self.host} answers {path} with something that is not AWX's.")
        return told

    def page(self, path: str, params: dict[str, Any]) -> dict[str, Any]:
        page = self.get(path, **params)
        if not (
            isinstance(page, dict)
            and type(page.get("count")) is int
            and isinstance(page.get("next"), str | None)
            and isinstance(page.get("results"), list)
            and all(isinstance(record, dict) and type(record.get("id")) is int for record in page["results"])
        ):
            raise NotAWXError(f"{self.host} answers {path} with something that is no list of AWX's.")
        return page


def tell_of_retry(state: RetryCallState) -> None:
    if state.outcome is not None and state.next_action is not None:
        logger.warning("%s Trying again in %.1f s.", state.outcome.exception(), state.next_action.sleep)


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def whole(answer: httpx.Response) -> bytes:
    """The body, if it comes within a time and a size."""
    end, body = time.monotonic() + ANSWER_TIMEOUT, bytearray()
    for part in answer.iter_bytes():
        body += part
        if time.monotonic() > end:
            raise httpx.ReadTimeout("the answer comes too slowly")
        if len(body) > MOST_BYTES:
            raise httpx.DecodingError(f"the answer has more than {MOST_BYTES:,} bytes")
    return bytes(body)


def retry_after(answer: httpx.Response, told: str) -> float:
    """The seconds that AWX asks to wait; 0 where it does not say, or says it in another way."""
    asked = answer.headers.get("Retry-After", "")
    seconds = float(asked) if asked.isascii() and asked.isdecimal() else 0.0
    if seconds > LONGEST_RETRY_AFTER:
        raise RetryLaterError(f"{told} and asks to be left alone for {seconds:.0f} seconds.", seconds)
    return seconds
