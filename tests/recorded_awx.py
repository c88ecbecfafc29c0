"""A server that answers what a real AWX answered to a sync: the recordings of ``tests/awx_sync/``, and nothing else.

Each line of them is one exchange: method, path, status, response_headers, response.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

RECORDINGS = Path(__file__).parent / "awx_sync"
Key = tuple[str, ...]


def key(path: str) -> Key:
    """A path and its query, whatever the order of its parameters."""
    parts = urlsplit(path)
    return (parts.path, *sorted(f"{name}={value}" for name, value in parse_qsl(parts.query)))


class RecordedAWX:
    """The exchanges of these files, where a later one replaces an earlier one. What is not recorded is 404."""

    def __init__(self, *names: str) -> None:
        texts = [(RECORDINGS / f"{name}.jsonl").read_text() for name in names]
        lines = [line for text in texts for line in text.split("\n") if line]  # JSON may hold other ends of lines
        self.exchanges = {key(exchange["path"]): exchange for exchange in map(json.loads, lines)}
        self.asked: list[str] = []

    def response(self, path: str) -> Any:
        """The recorded body, to be compared or changed."""
        return self.exchanges[key(path)]["response"]

    def records(self, name: str) -> list[dict[str, Any]]:
        """Those of a list that a sync reads."""
        found: list[dict[str, Any]] = self.response(f"/api/v2/{name}/?page_size=200&order_by=id")["results"]
        return found

    def change(self, name: str, change: Callable[[list[dict[str, Any]]], object]) -> None:
        """Change the records of a list, which stays one."""
        change(self.records(name))
        page = self.response(f"/api/v2/{name}/?page_size=200&order_by=id")
        page["count"] = len(page["results"])

    def add(self, path: str, response: Any, status: int = 200) -> None:
        self.exchanges[key(path)] = {"status": status, "response_headers": {}, "response": response}

    def __enter__(self) -> Self:
        awx = self

        class Exchange(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                awx.asked.append(self.path)
                exchange = awx.exchanges.get(key(self.path), {"status": 404, "response": {"detail": "Not recorded."}})
                body = json.dumps(exchange["response"]).encode()
                self.send_response(exchange["status"])
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Tests tell by themselves what went wrong."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Exchange)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
