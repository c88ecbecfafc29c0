"""Requests to a WSGI application in this process, as its server would send them."""

import io
from dataclasses import dataclass
from typing import Any


@dataclass
class WSGIResponse:
    status: int
    headers: dict[str, str]
    body: bytes


def environ(path: str, method: str = "GET", body: bytes = b"", **more: Any) -> dict[str, Any]:
    """The environment of a request for JSON; ``more`` replaces or adds entries, and "" removes one."""
    path, _, query = path.partition("?")
    entries = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_ACCEPT": "application/json",
        "CONTENT_TYPE": "application/json" if body else "",
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        **more,
    }
    return {name: value for name, value in entries.items() if value != ""}


def send(application: Any, request: dict[str, Any]) -> WSGIResponse:
    """The response of ``application`` to a request that ``environ()`` made."""
    head: list[Any] = []
    parts = application(request, lambda status, headers, error=None: head.extend((status, headers)))
    body = b"".join(parts)
    getattr(parts, "close", lambda: None)()
    return WSGIResponse(int(head[0][:3]), dict(head[1]), body)
