"""``/healthz`` and ``/readyz``: whether this process is alive, and whether it should be sent requests.

Kubernetes and load balancers ask without credentials, by any address of the machine and over plain HTTP. So probes are
answered before Django, whose ALLOWED_HOSTS and redirect to HTTPS do not apply: by ``awx_compat/buffered.py`` behind
granian, and by the WSGI middleware here under any other server. An answer is a word, with 200 or 503.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from http import HTTPStatus
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, NamedTuple

from django.db import close_old_connections

from awx_compat import paths
from awx_compat.exceptions import RETRY_AFTER
from instances import database, startup

logger = logging.getLogger(__name__)

HEALTH, READINESS = PATHS = ("/healthz", "/readyz")
METHODS = ("GET", "HEAD")
LONGEST_CHECK = 0.8  # seconds; Kubernetes waits for one
OK, DRAINING, DATABASE, MIGRATIONS = "ok", "draining", "database", "migrations"


class Answer(NamedTuple):
    status: HTTPStatus
    headers: list[tuple[str, str]]
    body: bytes


def probe_of(path: str) -> str:
    """Which of PATHS is requested, below BASE_PATH or not; empty if none is."""
    plain = paths.without_base(path)
    return plain if plain in PATHS else ""


def answer(method: str, word: str) -> Answer:
    """The response to a probe. HEAD has none of the body, as servers send no other header for it."""
    headers = [("Content-Type", "text/plain"), ("Cache-Control", "no-store")]
    if method not in METHODS:
        return Answer(HTTPStatus.METHOD_NOT_ALLOWED, [*headers, ("Allow", ", ".join(METHODS))], b"")
    body = b"" if method == "HEAD" else word.encode()
    if word == OK:
        return Answer(HTTPStatus.OK, headers, body)
    return Answer(HTTPStatus.SERVICE_UNAVAILABLE, [*headers, ("Retry-After", str(RETRY_AFTER))], body)


class Readiness:
    """Whether this process should be sent requests: it is not ``draining``, and the database has every migration.

    The database is asked by one thread, with a connection of its own. All probes that arrive meanwhile share its
    result, so that strangers cause one statement at a time. If none comes within LONGEST_CHECK, the database hangs.
    """

    def __init__(self, is_draining: Callable[[], bool] = lambda: False) -> None:
        self.is_draining = is_draining
        self.lock = Lock()
        self.requested: SimpleQueue[Future[str]] = SimpleQueue()
        self.check: Future[str] | None = None

    def word(self) -> str:
        """OK, or what is missing."""
        if self.is_draining():
            return DRAINING
        try:
            return self.current_check().result(LONGEST_CHECK)
        except TimeoutError:
            return DATABASE

    async def word_on_loop(self) -> str:
        """The same, while the event loop goes on."""
        if self.is_draining():
            return DRAINING
        done, _ = await asyncio.wait([asyncio.wrap_future(self.current_check())], timeout=LONGEST_CHECK)
        return done.pop().result() if done else DATABASE

    def current_check(self) -> Future[str]:
        """The check that is running, or a new one."""
        with self.lock:
            if self.check is None:
                Thread(target=self.run_checks, daemon=True).start()
            if self.check is None or self.check.done():
                self.check = Future()
                self.check.set_running_or_notify_cancel()  # whoever stops waiting does not cancel it for the others
                self.requested.put(self.check)
            return self.check

    def run_checks(self) -> None:
        while True:
            self.requested.get().set_result(database_word())


def database_word() -> str:
    """OK, DATABASE if it fails, or MIGRATIONS if some are not applied."""
    try:
        close_old_connections()
        return OK if startup.has_all_migrations() else MIGRATIONS
    except Exception as error:
        if not database.failed(error):
            logger.exception("The readiness of the database cannot be checked.")
        return DATABASE


class Probes:
    """A WSGI application that answers probes itself, and anything else as ``application`` does."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application, self.readiness = application, Readiness()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        probe = probe_of(environ["PATH_INFO"])
        if not probe:
            return self.application(environ, start_response)
        response = answer(environ["REQUEST_METHOD"], OK if probe == HEALTH else self.readiness.word())
        length = ("Content-Length", str(len(response.body)))
        start_response(f"{response.status.value} {response.status.phrase}", [*response.headers, length])
        return [response.body]
