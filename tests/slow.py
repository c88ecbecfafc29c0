"""Clients that send slowly, and never all of what they have begun to send."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

PATCH = "PATCH /api/v2/instances/5/"
FORMS = ("POST /api/login/", "POST /admin/login/", "POST /api/o/token/")
PAUSE = 1.0  # seconds between two bytes


def body_of(request: str, headers: Sequence[str] = (), length: int = 10_000) -> bytes:
    """The beginning of ``request`` (method and path), whose body of ``length`` bytes is still to come."""
    kind = "application/json" if "/v2/" in request else "application/x-www-form-urlencoded"
    lines = [f"{request} HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {kind}", f"Content-Length: {length}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


HEADERS = b"GET /api/v2/instances/5/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "


@contextlib.contextmanager
def held(address: str, beginnings: Sequence[bytes]) -> Iterator[list[socket.socket]]:
    """Connections that send these beginnings and then a byte a second. One that the service ends is made anew."""
    parts = urlsplit(address)
    end = threading.Event()

    def begun(beginning: bytes) -> socket.socket:
        connection = socket.create_connection((parts.hostname, parts.port), timeout=30)
        connection.sendall(beginning)
        return connection

    connections = [begun(each) for each in beginnings]

    def send() -> None:
        while not end.wait(PAUSE):
            with selectors.DefaultSelector() as selector:
                for number, connection in enumerate(connections):
                    selector.register(connection, selectors.EVENT_READ, number)
                ended = {key.data for key, _ in selector.select(0)}
            for number, connection in enumerate(connections):
                with contextlib.suppress(OSError):
                    if number in ended:
                        connection.close()
                        connections[number] = begun(beginnings[number])
                    connections[number].send(b"x")

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield connections
    finally:
        end.set()
        sender.join()
        for connection in connections:
            connection.close()
