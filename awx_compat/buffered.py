"""The WSGI application behind granian's RSGI interface: a thread is taken for a request that is there as a whole.

Bodies are read on the event loop of the process, where one that comes slowly costs no more than its bytes. How long one
may take, how large one may be and what all of them may hold together is bounded. What is too large is not read: the
application answers it, as ``awx_compat.middleware.refuse_large_bodies`` does for any server.
"""

import asyncio
import contextlib
import io
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from http import HTTPStatus
from threading import Condition, Thread
from typing import Any, NamedTuple

from django.conf import settings

from awx_compat import access_log, guesses, paths, probes, process_metrics
from awx_compat.draining import Draining, end_this_process
from awx_compat.exceptions import RETRY_AFTER
from awx_compat.forwarded import Proxies
from instances.guessing import LockedError
from instances.hashing import HashingBusyError

logger = logging.getLogger(__name__)

FORMS = ("/api/login/", "/admin/login/")  # that take passwords
PASSWORDS = 32  # requests of a process that wait until theirs are hashed, half a second each
PAUSE = 1  # second, before a guess is refused
BODIES = 16  # of the largest size, that a process buffers at once
WITHOUT_PREFIX = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
PORTS = {"http": "80", "https": "443"}
HTTP1 = ("HTTP/1.0", "HTTP/1.1")
Headers = tuple[tuple[str, str], ...]
CLOSE: Headers = (("Connection", "close"),)  # after this response; HTTP/2 has frames of its own for that
TOO_SLOW = "The request's body did not arrive in time; nothing was changed."
TOO_BUSY = "Too many requests are being received. Try again in a moment."
OVERLOADED = "Too many requests are waiting. Try again in a moment; nothing was changed."
# Wanted most while other requests wait.
METRICS = ("/api/v2/metrics/", "/api/fleet/v1/metrics/", "/api/fleet/v1/metrics/process/")
REPORT_PERIOD = 10  # seconds between two lines that say how many requests were refused


class RequestAbortedError(Exception):
    """The body is not waited for any longer; the status and the text say why."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class WaitingRequest(NamedTuple):
    """A request that waits for a thread, since ``arrival`` in seconds of monotonic()."""

    environ: dict[str, Any]
    protocol: Any
    answered: asyncio.Future[None]
    arrival: float


class Threads:
    """They answer one request after the other with ``wsgi``. An executor costs a tenth of a record more.

    A request that has waited ``longest_wait`` seconds for one of them is refused; 0 is no limit. That costs little more
    than to read the request: one timer serves all that wait, and refusals are logged as their number.
    """

    def __init__(
        self, wsgi: Callable[..., Iterable[bytes]], number: int, draining: Draining, longest_wait: float = 0
    ) -> None:
        self.wsgi, self.draining, self.longest_wait = wsgi, draining, longest_wait
        self.waiting: deque[WaitingRequest] = deque()  # the oldest first
        self.changed = Condition()  # of what waits
        self.number, self.idle = number, 0
        self.is_timed = self.is_reporting = False
        self.refused = self.reported = 0  # requests, since the start
        for _ in range(number):
            Thread(target=self.answer_all, daemon=True).start()

    async def answer(self, environ: dict[str, Any], protocol: Any) -> None:
        """Return once the request is answered or refused."""
        loop = asyncio.get_running_loop()
        request = WaitingRequest(environ, protocol, loop.create_future(), time.monotonic())
        with self.changed:
            self.waiting.append(request)
            self.changed.notify()
        if self.longest_wait and not self.is_timed:
            self.is_timed = True
            loop.call_later(self.longest_wait, self.refuse_late, loop)
        await request.answered

    def usage(self) -> process_metrics.PoolUsage:
        with self.changed:
            oldest = time.monotonic() - self.waiting[0].arrival if self.waiting else 0.0
            return process_metrics.PoolUsage(self.number, self.number - self.idle, len(self.waiting), oldest)

    def refuse_late(self, loop: asyncio.AbstractEventLoop) -> None:
        """Refuse what has waited too long, and come back when the next has."""
        while request := self.take_late(time.monotonic()):
            if not request.answered.done():
                closing = self.closing(request.environ)  # only then, since to connect anew costs more
                refuse(request.protocol, HTTPStatus.SERVICE_UNAVAILABLE, OVERLOADED, closing)
                request.answered.set_result(None)
                self.refused += 1
                process_metrics.count_refusal(HTTPStatus.SERVICE_UNAVAILABLE)
        if self.refused > self.reported and not self.is_reporting:
            self.report(loop)
        with self.changed:
            self.is_timed = bool(self.waiting)
            if self.is_timed:
                wait = self.waiting[0].arrival + self.longest_wait - time.monotonic()
                loop.call_later(max(wait, 0), self.refuse_late, loop)

    def take_late(self, now: float) -> WaitingRequest | None:
        with self.changed:
            is_late = self.waiting and self.waiting[0].arrival + self.longest_wait <= now
            return self.waiting.popleft() if is_late else None

    def report(self, loop: asyncio.AbstractEventLoop) -> None:
        """Log how many requests were refused since the last line, as long as there are any."""
        if number := self.refused - self.reported:
            logger.warning("Requests refused after %s seconds in the queue: %s.", self.longest_wait, number)
            self.reported = self.refused
            loop.call_later(REPORT_PERIOD, self.report, loop)
        self.is_reporting = bool(number)

    def take(self) -> WaitingRequest:
        """Wait for a request."""
        with self.changed:
            self.idle += 1
            while not self.waiting:
                self.changed.wait()
            self.idle -= 1
            return self.waiting.popleft()

    def answer_all(self) -> None:
        while True:
            request = self.take()
            try:
                self.answer_one(request.environ, request.protocol)
            except Exception:
                logger.exception("%s failed", request.environ["PATH_INFO"])  # and granian answers 500
            request.answered.get_loop().call_soon_threadsafe(conclude, request.answered)

    def answer_one(self, environ: dict[str, Any], protocol: Any) -> None:
        head: list[Any] = []
        parts = self.wsgi(environ, lambda status, headers, error=None: head.extend((status, headers)))
        try:
            content = b"".join(parts)
        finally:
            if close := getattr(parts, "close", None):
                close()
        status, headers = head
        protocol.response_bytes(int(status[:3]), [*headers, *self.closing(environ)], content)

    def closing(self, environ: dict[str, Any]) -> Headers:
        """The header by which the response is the last one on its connection, if the process is about to stop."""
        return CLOSE if self.draining.is_closing() and environ["SERVER_PROTOCOL"] in HTTP1 else ()


def conclude(answered: asyncio.Future[None]) -> None:
    if not answered.done():  # it is done where the client has gone
        answered.set_result(None)


class Application:
    """An RSGI application that answers as ``wsgi`` does, in at most ``threads`` threads.

    A body has at most ``settings.MAX_BODY_SIZE`` bytes and arrives within ``settings.BODY_TIMEOUT`` seconds. Those that
    arrive or wait for a thread take at most ``BODIES`` times that size together. A request waits for a thread for at
    most ``settings.QUEUE_SECONDS``. Requests whose password must be hashed have threads of their own, so that other
    requests do not wait for them; so have METRICS. Probes need none. While the process is ``draining``, each response
    is the last one on its connection.
    """

    def __init__(self, wsgi: Callable[..., Iterable[bytes]], threads: int, draining: Draining | None = None) -> None:
        self.draining = draining or Draining()
        self.readiness = probes.Readiness(self.draining.is_draining)
        self.threads = Threads(wsgi, threads, self.draining, settings.QUEUE_SECONDS)
        self.of_metrics = Threads(wsgi, 1, self.draining)
        self.of_passwords = Threads(wsgi, settings.PASSWORD_HASHES_AT_ONCE, self.draining)
        self.free = BODIES * settings.MAX_BODY_SIZE  # bytes
        self.proxies = Proxies(settings.TRUSTED_PROXIES)

    @property
    def pools(self) -> dict[str, Threads]:
        return {"requests": self.threads, "metrics": self.of_metrics, "passwords": self.of_passwords}

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.draining.begin(loop)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        end_this_process()  # all requests are answered, and granian has nothing left to do

    async def __call__(self, scope: Any, protocol: Any) -> None:
        if probe := probes.probe_of(scope.path):
            word = probes.OK if probe == probes.HEALTH else await self.readiness.word_on_loop()
            response = probes.answer(scope.method, word)
            protocol.response_bytes(response.status, response.headers, response.body)
        else:
            await self.answer(scope, protocol)

    async def answer(self, scope: Any, protocol: Any) -> None:
        began, environ = time.perf_counter(), environ_of(scope)
        body = environ["wsgi.input"] = io.BytesIO()
        try:
            threads = self.threads_for(environ)
            if "CONTENT_LENGTH" in environ or "HTTP_TRANSFER_ENCODING" in environ:
                await self.receive(body, environ, protocol)
            await threads.answer(environ, protocol)
        except (LockedError, HashingBusyError) as error:
            await asyncio.sleep(PAUSE)  # clients that guess send the next request at once
            refusal = guesses.lockout_response(error)
            headers = [*refusal.headers, *self.threads.closing(environ)]
            protocol.response_bytes(refusal.status, headers, refusal.body)
            access_log.log_refusal(environ, self.proxies.client_of(environ), refusal.status, len(refusal.body), began)
        except RequestAbortedError as refused:
            size = refuse(protocol, refused.status, str(refused))
            access_log.log_refusal(environ, self.proxies.client_of(environ), refused.status, size, began)
        finally:
            self.free += len(body.getbuffer())
        if length_of(environ) > settings.MAX_BODY_SIZE:
            await discard(protocol)

    def threads_for(self, environ: dict[str, Any]) -> Threads:
        """The threads that answer the request. Raises LockedError and HashingBusyError if it has a password."""
        path = paths.plain(environ["PATH_INFO"])
        is_form = environ["REQUEST_METHOD"] == "POST" and path in FORMS
        if not is_form and not guesses.is_one(environ, self.proxies):
            return self.of_metrics if path in METRICS else self.threads
        if len(self.of_passwords.waiting) >= PASSWORDS:
            raise HashingBusyError
        return self.of_passwords

    async def receive(self, body: io.BytesIO, environ: dict[str, Any], protocol: Any) -> None:
        """Read the body, unless CONTENT_LENGTH in ``environ`` says that it is too large. Raises RequestAbortedError."""
        if length_of(environ) > settings.MAX_BODY_SIZE:
            return
        try:
            async with asyncio.timeout(settings.BODY_TIMEOUT):
                async for chunk in protocol:
                    self.buffer(chunk, body)
                    if body.tell() > settings.MAX_BODY_SIZE:
                        break
        except TimeoutError:
            raise RequestAbortedError(HTTPStatus.REQUEST_TIMEOUT, TOO_SLOW) from None
        environ["CONTENT_LENGTH"] = str(body.tell())  # a chunked body announces none
        body.seek(0)

    def buffer(self, chunk: bytes, body: io.BytesIO) -> None:
        if len(chunk) > self.free:
            raise RequestAbortedError(HTTPStatus.SERVICE_UNAVAILABLE, TOO_BUSY)
        self.free -= len(chunk)
        body.write(chunk)


def environ_of(scope: Any) -> dict[str, Any]:
    """The WSGI environment (PEP 3333) of the request, without ``wsgi.input``."""
    environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    host, _, port = scope.server.rpartition(":")
    environ["SERVER_NAME"], environ["SERVER_PORT"] = host.strip("[]"), port or PORTS[scope.scheme]
    if scope.authority:  # what HTTP/2 has in place of the header
        environ["HTTP_HOST"] = scope.authority
    for name, value in scope.headers.items():
        if "_" in name:  # WSGI cannot distinguish it from one with "-", such as a proxy's
            continue
        key = WITHOUT_PREFIX.get(name) or "HTTP_" + name.upper().replace("-", "_")
        separator = "; " if name == "cookie" else ","
        environ[key] = f"{environ[key]}{separator}{value}" if key in environ and name != "host" else value
    return environ


def length_of(environ: dict[str, Any]) -> int:
    """The bytes of the body, as far as they are known; the server has refused lengths that are no numbers."""
    return int(environ.get("CONTENT_LENGTH") or 0)


def refuse(protocol: Any, status: HTTPStatus, detail: str, closing: Headers = CLOSE) -> int:
    """Send the response; returns the bytes of its body."""
    headers = [("Content-Type", "application/json"), ("Retry-After", str(RETRY_AFTER)), *closing]
    body = f'{{"detail":"{detail}"}}'
    protocol.response_str(status, headers, body)
    return len(body)


async def discard(protocol: Any) -> None:
    """Read on for a while, so that the client reads the response before the connection is closed."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(settings.BODY_TIMEOUT):
            async for _ in protocol:
                pass
