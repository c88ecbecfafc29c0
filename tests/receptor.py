"""A control socket that talks as Receptor's does, and misbehaves as it is told.

Its words are those of receptor_replay/. What a real one said in a certain case: recorded_receptor.py.
"""

import contextlib
import json
import socket
import socketserver
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

STATES = {"Pending": 0, "Running": 1, "Succeeded": 2, "Failed": 3, "Canceled": 4}
REPORT = b"{cpu_count: 4, errors: [], mem_in_bytes: 8000000000, runner_version: 2.4.0, uuid: node-uuid}\n"


@dataclass
class Behaviour:
    """What becomes of the work that is sent to a node."""

    output: bytes = REPORT
    state: str = "Succeeded"
    detail: str = "exit status 0"
    delay: float = 0.0  # seconds until the work has ended
    never_ends: str = ""  # the state in which it stays for ever
    endless: bool = False  # repeats its output for ever
    stalls: bool = False  # sends its output and then neither more nor an end
    refuses: str = ""  # the error that submitting work is answered with, before there is a unit
    breaks: str = ""  # the error that starting the unit is answered with


@dataclass
class Unit:
    node: str
    behaviour: Behaviour
    submitted: float = field(default_factory=time.monotonic)
    expires: str = "2100-01-01T00:00:00.123456789Z"
    work_type: str = "ansible-runner"
    parameters: str = "--worker-info"

    def status(self) -> dict[str, Any]:
        ended = not self.behaviour.never_ends and time.monotonic() >= self.submitted + self.behaviour.delay
        state = self.behaviour.state if ended else self.behaviour.never_ends or "Running"
        return {
            "State": STATES[state],
            "StateName": state,
            "Detail": self.behaviour.detail if ended else "Running: PID 1",
            "StdoutSize": len(self.behaviour.output),
            "WorkType": "remote",
            "ExtraData": {
                "RemoteNode": self.node,
                "RemoteWorkType": self.work_type,
                "RemoteParams": {"params": self.parameters},
                "Expiration": self.expires,
            },
        }


class SocketServer:
    """Within ``with``, a server at the unix socket ``path`` whose sessions are of the class ``session``.

    ``stopping`` is set when it ends. A session finds this object as ``server.receptor``.
    """

    session: type[socketserver.BaseRequestHandler]
    stopping: threading.Event

    def __enter__(self) -> Self:
        self.folder = tempfile.TemporaryDirectory(prefix="rc-", dir="/tmp")  # a socket's path is 108 bytes at most
        self.path = str(Path(self.folder.name) / "receptor.sock")
        self.server = Server(self.path, self.session)
        self.server.receptor = self
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.server.shutdown()
        self.thread.join()
        self.before_close()
        self.server.server_close()
        self.folder.cleanup()

    def before_close(self) -> None:
        """End what would keep the sessions from ending."""


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    receptor: Any
    request_queue_size = 64


class FakeReceptor(SocketServer):
    """Within ``with``, a Receptor that listens at ``path``.

    ``nodes``: the nodes that can be reached; ``commands``: all that it was asked; ``submitted``: the JSON of the work;
    ``units``: those that were not released. Commands are named by their first two words, as in "work status".
    """

    name = "control-1"

    def __init__(self) -> None:
        self.nodes: dict[str, Behaviour] = {"exec-1": Behaviour()}
        self.greeting = f"Receptor Control, node {self.name}\n".encode()
        self.status: Any = {
            "NodeID": self.name,
            "Version": "1.5.5",
            "Advertisements": [],
            "Connections": [],
            "KnownConnectionCosts": {},
            "RoutingTable": {"exec-1": "exec-1"},
        }
        self.raw: dict[str, bytes] = {}  # what a command is answered with instead
        self.drops: set[str] = set()  # the commands at which it closes the connection
        self.silent: set[str] = set()  # the commands that it does not answer; "greeting" is one
        self.silent_later: set[str] = set()  # those that it answers once
        self.streamed: list[int] = []  # the sizes of the results that were read to their end
        self.commands: list[str] = []
        self.submitted: list[dict[str, str]] = []
        self.units: dict[str, Unit] = {}
        self.made = 0
        self.connections: set[socket.socket] = set()
        self.stopping = threading.Event()

    def before_close(self) -> None:
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def new_unit(self, node: str, behaviour: Behaviour) -> str:
        self.made += 1
        unit = f"Ab{self.made:06}"
        self.units[unit] = Unit(node, behaviour)
        return unit


class Session(socketserver.StreamRequestHandler):
    """A connection: text and JSON commands, a line each."""

    server: Server

    def setup(self) -> None:
        super().setup()
        self.receptor = self.server.receptor
        self.receptor.connections.add(self.connection)

    def finish(self) -> None:
        self.receptor.connections.discard(self.connection)
        super().finish()

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            if self.goes_on("greeting"):
                self.wfile.write(self.receptor.greeting)
                while (line := self.rfile.readline()) and self.answer(line.decode().strip()):
                    pass

    def goes_on(self, name: str) -> bool:
        """Whether the command is answered as usual; what is told to be silent is so until the test ends."""
        if name in self.receptor.silent:
            self.receptor.stopping.wait()
        if name in self.receptor.silent_later:
            self.receptor.silent.add(name)
        if name in self.receptor.raw:
            self.wfile.write(self.receptor.raw[name])
        return name not in self.receptor.drops | self.receptor.silent | self.receptor.raw.keys()

    def answer(self, line: str) -> bool:
        """Answer the command; whether the connection goes on."""
        self.receptor.commands.append(line)
        given = json.loads(line) if line.startswith("{") else {}
        words = [given["command"], given["subcommand"]] if given else line.split()
        name = " ".join(words[:2])
        if not self.goes_on(name):
            return False
        if name == "status":
            return self.tell(self.receptor.status)
        if name == "work submit":
            return self.submit(given)
        if name == "work list":
            return self.tell({unit: each.status() for unit, each in self.receptor.units.items()})
        return self.about_unit(name, words[2])

    def about_unit(self, name: str, unit: str) -> bool:
        found = self.receptor.units.get(unit)
        if found is None:
            return self.refuse(f"unknown work unit {unit}")
        commands: dict[str, Callable[[], bool]] = {
            "work status": lambda: self.tell(found.status()),
            "work results": lambda: self.stream(unit, found.behaviour),
            "work cancel": lambda: self.tell({"cancelled": unit}),
            "work release": lambda: self.tell({"released": self.receptor.units.pop(unit) and unit}),
        }
        return commands[name]()

    def submit(self, given: dict[str, str]) -> bool:
        self.receptor.submitted.append(given)
        if given["node"] == self.receptor.name and "ttl" in given:
            return self.refuse("ttl option is intended for remote work only")
        behaviour = self.receptor.nodes.get(given["node"]) or Behaviour(never_ends="Pending", output=b"")
        if behaviour.refuses:
            return self.refuse(behaviour.refuses)
        unit = self.receptor.new_unit(given["node"], behaviour)
        expires = datetime.now(UTC) + timedelta(seconds=int(given.get("ttl", "0s").removesuffix("s")))
        self.receptor.units[unit].expires = expires.isoformat()
        self.wfile.write(f"Work unit created with ID {unit}. Send stdin data and EOF.\n".encode())
        assert self.rfile.read() == b""
        if behaviour.breaks:
            return self.refuse(behaviour.breaks)
        return self.goes_on("work started") and self.tell({"result": "Job Started", "unitid": unit})

    def stream(self, unit: str, behaviour: Behaviour) -> bool:
        self.wfile.write(f"Streaming results for work unit {unit}\n".encode())
        self.wfile.write(behaviour.output)
        while behaviour.endless and not self.receptor.stopping.is_set():
            self.wfile.write(behaviour.output)
        if behaviour.stalls:
            self.receptor.stopping.wait()
        self.connection.shutdown(socket.SHUT_WR)
        if self.rfile.read(1) == b"":  # as the client does when it has read everything, and a reset does not
            self.receptor.streamed.append(len(behaviour.output))
        return False

    def tell(self, answer: Any) -> bool:
        self.wfile.write(json.dumps(answer).encode() + b"\n")
        return True

    def refuse(self, error: str) -> bool:
        self.wfile.write(f"ERROR: {error}\n".encode())
        return True


FakeReceptor.session = Session


@contextlib.contextmanager
def deaf_socket() -> Iterator[str]:
    """The path of a socket whose queue is full: connecting to it blocks."""
    with tempfile.TemporaryDirectory(prefix="rc-", dir="/tmp") as folder, contextlib.ExitStack() as stack:
        path = str(Path(folder) / "receptor.sock")
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(path)
        listener.listen(0)
        stack.enter_context(socket.socket(socket.AF_UNIX)).connect(path)
        yield path
