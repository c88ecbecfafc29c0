"""Commands to the control socket of this node's own Receptor, by the package receptorctl.

Each command has a connection of its own and a timeout. Source: Receptor's control service; docs/awx-behaviour.md,
"Health checks".
"""

import contextlib
import re
import socket
import time
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from receptorctl.socket_interface import ReceptorControl

from instances.health.report import Check, ProbeError, excerpt

ANSWER_WITHIN = 10.0  # seconds; Receptor answers its own socket at once, unless it waits for another node
LONGEST_LINE = 2**26  # bytes; the status of a mesh of thousands of nodes is one line
CREATED = re.compile(r"Work unit created with ID ([A-Za-z0-9_-]+)\. ")


class ReceptorRefusedError(Exception):
    """Receptor answered with a line that begins with "ERROR:"; the message is the rest of it."""


FAILURES = (OSError, ValueError, RuntimeError, ReceptorRefusedError)  # of a command; TimeoutError is an OSError


def status(timeout: float = ANSWER_WITHIN) -> dict[str, Any]:
    """The answer to Receptor's command ``status``, with Receptor's keys.

    ``timeout`` in seconds. Raises ProbeError(NO_RECEPTOR) where there is no answer in time, or none that is an object.
    """
    with translate_errors():
        return send_command("status", time.monotonic() + timeout)


def send_command(command: str, deadline: float) -> dict[str, Any]:
    """The object that Receptor answers to ``command``. Raises one of FAILURES."""
    with Control(deadline) as control:
        answer = control.simple_command(command)
    if not isinstance(answer, dict):
        raise ValueError(f"It answered {excerpt(answer)} to {command}.")
    return answer


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Context manager: raise errors of the socket as ProbeError(NO_RECEPTOR)."""
    try:
        yield
    except TimeoutError as silence:
        raise ProbeError(Check.NO_RECEPTOR, f"Receptor at {settings.RECEPTOR_SOCKET} does not answer.") from silence
    except FAILURES as error:
        reason = excerpt(getattr(error, "strerror", None) or error)
        raise ProbeError(Check.NO_RECEPTOR, f"Receptor at {settings.RECEPTOR_SOCKET} fails: {reason}") from error


class Control(ReceptorControl):  # type: ignore[misc]
    """A connection to Receptor's socket that ends at ``deadline``, or when Receptor is silent for long.

    ``unit``: the id of the work unit that was created over it, also if its submission failed after that.
    """

    _socket: Any
    _sockfile: Any

    def __init__(self, deadline: float) -> None:
        super().__init__(settings.RECEPTOR_SOCKET)
        self.deadline = deadline
        self.unit = ""

    def __enter__(self) -> "Control":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self) -> None:
        if self._socket is not None:
            return
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.limit()
        self._socket.connect(re.sub("^unix:(//)?", "", self._socketaddress))
        self._sockfile = self._socket.makefile("rwb")
        self.handshake()

    def limit(self) -> None:
        """Set the timeout of the socket for its next call. Raises TimeoutError after the deadline.

        Once a work unit exists, Receptor answers when it has reached the node: up to 15 seconds later, or never.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is over")
        self._socket.settimeout(left if self.unit else min(left, ANSWER_WITHIN))

    def readstr(self) -> str:
        """A line. Raises ReceptorRefusedError, OSError, or ValueError where it is far too long or not UTF-8."""
        line = bytearray()
        while not line.endswith(b"\n"):
            self.limit()
            waiting = self._sockfile.peek(1)
            if not waiting:
                raise ConnectionError("it closed the connection")
            line += self._sockfile.read(waiting.find(b"\n") + 1 or len(waiting))
            if len(line) > LONGEST_LINE:
                raise ValueError("a line without end")
        text = line.decode().strip()
        if text.startswith("ERROR:"):
            raise ReceptorRefusedError(text.removeprefix("ERROR:").strip())
        if created := CREATED.match(text):
            self.unit = created[1]
        return text

    def close(self) -> None:
        try:
            super().close()
        except OSError:  # something was still to be written; the socket itself is open yet
            super().close()
