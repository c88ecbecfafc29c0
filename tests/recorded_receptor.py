"""A control socket that says what a real Receptor said: the recordings of ``receptor_replay/``, whose README describes
them."""

import base64
import contextlib
import json
import socket
import socketserver
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from tests.receptor import Server, SocketServer

TRANSCRIPTS = Path(__file__).parent / "receptor_replay" / "transcripts.jsonl"
Connection = dict[str, Any]


@cache
def transcripts() -> dict[str, list[Connection]]:
    """The connections of each case, in order."""
    cases: dict[str, list[Connection]] = {}
    for line in TRANSCRIPTS.read_text().splitlines():
        connection = json.loads(line)
        cases.setdefault(connection["name"], []).append(connection)
    return cases


def meaning(case: str) -> str:
    return str(transcripts()[case][0]["meaning"])


def content(event: dict[str, Any]) -> bytes:
    return base64.b64decode(event["base64"]) if "base64" in event else str(event.get("text", "")).encode()


def question(line: str) -> str:
    """What a command asks. Submissions are known by their node, whatever the options."""
    try:
        command = json.loads(line)
        return f"submit {command['node']}" if command.get("subcommand") == "submit" else line
    except (ValueError, AttributeError, KeyError):
        return line


@dataclass(frozen=True)
class Exchange:
    """A command and the events that followed it, up to the next command of the connection."""

    command: str
    events: tuple[dict[str, Any], ...]


def exchanges(connection: Connection) -> list[Exchange]:
    events = connection["events"]
    begins = [n for n, event in enumerate(events) if event["from"] == "client" and "text" in event]
    return [
        Exchange(events[begin]["text"].strip(), tuple(events[begin:end]))
        for begin, end in zip(begins, [*begins[1:], len(events)], strict=True)
    ]


@dataclass
class RecordedReceptor(SocketServer):
    """Within ``with``, a Receptor at ``path`` that repeats these cases, ``speed`` times as fast.

    A command is answered as the first recorded one, not used yet, that asked the same; if all were used, as the last of
    them; if there is none, by the end of the connection. ``commands``: what was asked, and when.
    """

    cases: tuple[str, ...]
    speed: float = 10.0
    commands: list[tuple[float, str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        connections = [connection for case in self.cases for connection in transcripts()[case]]
        self.greeting = content(connections[0]["events"][0])
        self.exchanges = [exchange for connection in connections for exchange in exchanges(connection)]
        self.used: set[int] = set()
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        return super().__enter__()

    def asked(self) -> list[str]:
        return [question(command) for _, command in self.commands]

    def chosen(self, line: str) -> Exchange | None:
        with self.lock:
            self.commands.append((time.time(), line))
            same = [n for n, each in enumerate(self.exchanges) if question(each.command) == question(line)]
            unused = [n for n in same if n not in self.used] or same[-1:]
            self.used.update(unused[:1])
            return self.exchanges[unused[0]] if unused else None


class Session(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(self.server.receptor.greeting)
            while line := self.rfile.readline():
                exchange = self.server.receptor.chosen(line.decode().strip())
                if exchange is None or not self.repeat(exchange):
                    break
            self.connection.shutdown(socket.SHUT_RDWR)

    def repeat(self, exchange: Exchange) -> bool:
        """Say what followed the command; whether Receptor then waited for another one."""
        receptor = self.server.receptor
        for before, event in pairwise(exchange.events):
            if event["from"] == "client":
                if not event.get("closed"):
                    self.rfile.read()  # to the end of what is sent
                continue
            if receptor.stopping.wait(max(0.0, event["t"] - before["t"]) / receptor.speed) or "eof" in event:
                return False
            self.wfile.write(content(event))
        return exchange.events[-1]["from"] == "receptor"


RecordedReceptor.session = Session
