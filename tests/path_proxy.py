"""A proxy that serves a service below a path of its host, as nginx does with ``location /awx/``."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


class PathProxy(ThreadingHTTPServer):
    """Passes on what is below ``base``, with that path or, if it ``strips`` it, without; anything else is 404."""

    daemon_threads = True

    def __init__(self, upstream: str, base: str, strips: bool) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.upstream, self.base, self.strips = urlsplit(upstream).netloc, base, strips
        self.address = f"http://127.0.0.1:{self.server_port}"

    def upstream_path(self, path: str) -> str | None:
        if not path.startswith(f"{self.base}/"):
            return None
        return path.removeprefix(self.base) if self.strips else path


class Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: PathProxy

    def log_message(self, *_: object) -> None:
        """Tests say themselves what is wrong."""

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.server.upstream_path(self.path)
        if path is None:
            self.send_error(404)
            return
        connection = HTTPConnection(self.server.upstream, timeout=60)
        try:
            connection.request(self.command, path, body, dict(self.headers))  # with the Host of this proxy
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = do_OPTIONS = pass_on  # noqa: N815


@contextmanager
def served_below(upstream: str, base: str, strips: bool) -> Iterator[str]:
    """The address of the service at ``upstream`` behind such a proxy, with ``base``."""
    proxy = PathProxy(upstream, base, strips)
    threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"{proxy.address}{base}"
    finally:
        proxy.shutdown()
        proxy.server_close()
