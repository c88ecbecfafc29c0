"""An HTTP proxy in front of a service that answers wrongly where a test wants it to.

A test gives a ``Plan``: for each request, by its number from 0 on and its path, the ``Fault`` that happens to it.
"""

import itertools
import json
import select
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

PASSED_ON = ("Accept", "Authorization", "Content-Type")


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def half(self) -> bytes:
        return self.body[: len(self.body) // 2]

    @property
    def head(self) -> bytes:
        lines = {"Content-Type": "application/json", "Content-Length": str(len(self.body)), **self.headers}
        return "\r\n".join([f"HTTP/1.1 {self.status} Told", *(f"{k}: {v}" for k, v in lines.items()), "", ""]).encode()


Recording = MutableMapping[str, Answer] | Mapping[str, Answer]
"""What was answered, by path and query. One that cannot change must know all that is asked."""


class Exchange(BaseHTTPRequestHandler):
    """One connection of who asks, and the request on it that is answered now."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    def setup(self) -> None:
        if self.server.tls is not None:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def log_message(self, *_: Any) -> None:
        """Tests tell by themselves what went wrong."""

    def do_GET(self) -> None:
        self.server.proxy.next_fault(self.path)(self)

    def do_PATCH(self) -> None:
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.proxy.next_fault(f"PATCH {self.path}")(self)

    def answer(self) -> Answer:
        """What the service behind answers."""
        headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
        if self.command == "PATCH":
            return self.server.proxy.fetch("PATCH", self.path, headers, self.body)
        return self.server.proxy.pass_on(self.path, headers)

    def send(self, answer: Answer) -> None:
        self.wfile.write(answer.head + answer.body)

    def hang_up(self) -> None:
        self.close_connection = True

    def is_left(self, seconds: float) -> bool:
        """Whether who asks hangs up within so many seconds."""
        ready, _, _ = select.select([self.connection], [], [], seconds)
        return bool(ready) and not self.connection.recv(1, socket.MSG_PEEK)


Fault = Callable[[Exchange], None]
Plan = Callable[[int, str], Fault | None]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: "Proxy", tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.proxy = proxy
        self.tls = tls

    def handle_error(self, *_: Any) -> None:
        """Who asks may leave at any moment; anything else is a mistake of a test."""
        error = sys.exception()
        if not isinstance(error, OSError):
            self.proxy.mistakes.append(error)


class Proxy:
    """Stands in front of the service at the address ``upstream``, from ``with`` on; with ``tls``, behind HTTPS.

    ``added``: answers to what that service does not know. ``asked``: the paths of the requests since ``begin()``; that
    of a PATCH after its method.
    """

    def __init__(self, upstream: str, added: Recording, tls: ssl.SSLContext | None = None) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.added = added
        self.lock = threading.Lock()
        self.mistakes: list[BaseException | None] = []
        self.server = Server(self, tls)
        self.address = f"{'https' if tls else 'http'}://127.0.0.1:{self.server.server_port}"
        self.begin()

    def begin(self, plan: Plan | None = None, recording: Recording | None = None) -> None:
        """Follow ``plan`` from the next request on. What is in ``recording`` is not asked again; the rest comes in."""
        with self.lock:
            self.plan = plan
            self.recording = recording
            self.asked: list[str] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        assert not self.mistakes, self.mistakes

    def next_fault(self, path: str) -> Fault:
        with self.lock:
            number = len(self.asked)
            self.asked.append(path)
            return (self.plan(number, path) if self.plan else None) or nothing

    def pass_on(self, path: str, headers: dict[str, str]) -> Answer:
        recording = self.recording
        if path in self.added:
            return self.added[path]
        if recording is not None and path in recording:
            return recording[path]
        answer = self.fetch("GET", path, headers)
        if recording is not None:
            assert isinstance(recording, MutableMapping), f"{path} was not recorded"
            recording[path] = answer
        return answer

    def fetch(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> Answer:
        connection = HTTPConnection(self.upstream, timeout=60)
        try:
            connection.request(method, path, body, headers)
            told = connection.getresponse()
            return Answer(told.status, told.read())
        finally:
            connection.close()


# --- when a fault happens


def once(number: int, fault: Fault) -> Plan:
    return lambda n, _: fault if n == number else None


def for_ever(number: int, fault: Fault) -> Plan:
    """From that request on."""
    return lambda n, _: fault if n >= number else None


def at(part: str, fault: Fault, times: float = float("inf")) -> Plan:
    """At the first so many requests whose path and query have ``part``."""
    seen = itertools.count()
    return lambda _, path: fault if part in path and next(seen) < times else None


# --- what happens


def nothing(exchange: Exchange) -> None:
    exchange.send(exchange.answer())


def cut(exchange: Exchange) -> None:
    """The connection ends before the first byte."""
    exchange.hang_up()


def cut_in_body(exchange: Exchange) -> None:
    """The connection ends in the middle of a body whose length was told."""
    answer = exchange.answer()
    exchange.wfile.write(answer.head + answer.half)
    exchange.hang_up()


def broken_json(exchange: Exchange) -> None:
    """Half of the body, as if it were all."""
    answer = exchange.answer()
    exchange.send(replace(answer, body=answer.half))


def silent(exchange: Exchange) -> None:
    """Nothing comes, until who asks hangs up."""
    while not exchange.is_left(1):
        pass
    exchange.hang_up()


def says(status: int, body: bytes = b"{}", **headers: str) -> Fault:
    """An answer that the service behind does not give; ``Retry_After="1"`` is a header."""
    answer = Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})
    return lambda exchange: exchange.send(answer)


def tells(change: Callable[[Any], Any]) -> Fault:
    """The service's own answer, its JSON changed."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.answer()
        exchange.send(replace(answer, body=json.dumps(change(json.loads(answer.body))).encode()))

    return fault


def after(act: Callable[[], object]) -> Fault:
    """Something happens, and only then the service is asked."""

    def fault(exchange: Exchange) -> None:
        act()
        nothing(exchange)

    return fault


def drips(begin: Callable[[Answer], bytes], drop: bytes, every: float = 0.01, seconds: float = 30) -> Fault:
    """After ``begin`` of the answer a ``drop`` now and then, until who asks hangs up, or else the connection ends."""

    def fault(exchange: Exchange) -> None:
        end = time.monotonic() + seconds
        exchange.wfile.write(begin(exchange.answer()))
        while time.monotonic() < end and not exchange.is_left(every):
            exchange.wfile.write(drop)
        exchange.hang_up()

    return fault


class Hold:
    """Nothing comes until ``release()``; then the answer, if somebody still waits for it."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.released = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        self.reached.set()
        while not self.released.is_set():
            if exchange.is_left(0.02):
                exchange.hang_up()
                return
        nothing(exchange)

    def release(self) -> None:
        self.released.set()


@contextmanager
def nobody_asks() -> Iterator[str]:
    """The address of a host that nobody may connect to meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        arrived, _, _ = select.select([listening], [], [], 0)
        assert not arrived, "somebody connected"
