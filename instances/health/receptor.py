"""Commands to the control socket of this node's own Receptor, by the package receptorctl.

Each command has a connection of its own and a timeout. Errors are ProbeError. Source: Receptor's control service;
docs/awx-behaviour.md, "Health checks".
"""

import contextlib
import logging
import math
import re
import socket
import time
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from receptorctl.socket_interface import ReceptorControl

from instances.health.report import LACKS_WORKER_INFO, LARGEST_OUTPUT, Check, ProbeError, excerpt, old_runner

log = logging.getLogger(__name__)

WORK_TYPE = "ansible-runner"
ANSWER_WITHIN = 10.0  # seconds; Receptor answers its own socket at once, whatever the mesh does
ROUTES_TIMEOUT = 1.0  # seconds; so that a check does not take much longer than its timeout
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0  # seconds between two requests for the status of a work unit
LONGEST_LINE = 2**26  # bytes; the status of a mesh of thousands of nodes is one line
CHUNK = 2**16  # bytes
CREATED = re.compile(r"Work unit created with ID ([A-Za-z0-9_-]+)\. ")
ACTIVE_STATES = ("Pending", "Running")
NO_WORK_TYPE = "unknown work type"
CUT_OFF = (  # what Receptor writes where the mesh does not bring a work unit to its node
    "no route",
    "unreachable",
    "service unknown",
    "message expired",
    "blocked by firewall",
    "work unit expired",
    "error connecting",
    "no recent network activity",
    "connection refused",
    "connection reset",
    "connection closed",
    "i/o timeout",
)


def status(timeout: float = ANSWER_WITHIN) -> dict[str, Any]:
    """The answer to Receptor's command ``status``, with Receptor's keys.

    ``timeout`` in seconds. Raises ProbeError(NO_RECEPTOR) where there is no answer in time, or none that is an object.
    """
    with translate_errors():
        return send_command("status", time.monotonic() + timeout)


def worker_info(node: str, timeout: float) -> bytes:
    """The output of ``ansible-runner worker --worker-info`` on ``node``: its first LARGEST_OUTPUT + 1 bytes.

    ``timeout`` in seconds. The work unit is released in any case. Raises ProbeError.
    """
    deadline = time.monotonic() + timeout
    with translate_errors(), Control(deadline) as control:
        ended = False
        try:
            submit(control, node, timeout)
            unit_status = wait_for_end(control.unit, deadline)
            ended = True
            if unit_status["StateName"] != "Succeeded":
                raise unit_failure(node, unit_status, control.unit, deadline)
            return results(control.unit, deadline)
        except ReceptorRefusedError as refused:
            raise failure(node, str(refused)) from refused
        except TimeoutError as silence:
            if not control.unit or time.monotonic() < deadline:  # it is Receptor that is silent, not the node
                raise
            raise timed_out(node, timeout) from silence
        finally:
            control.close()
            if control.unit:
                release(control.unit, ended)


# --- a connection


class ReceptorRefusedError(Exception):
    """Receptor answered with a line that begins with "ERROR:"; the message is the rest of it."""


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
        """Set the timeout of the socket for its next call. Raises TimeoutError after the deadline."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is over")
        self._socket.settimeout(min(left, ANSWER_WITHIN))

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


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Context manager: raise errors of the socket as ProbeError(NO_RECEPTOR)."""
    try:
        yield
    except TimeoutError as silence:
        raise ProbeError(Check.NO_RECEPTOR, f"Receptor at {settings.RECEPTOR_SOCKET} does not answer.") from silence
    except (OSError, ValueError, RuntimeError, ReceptorRefusedError) as error:
        reason = excerpt(getattr(error, "strerror", None) or error)
        raise ProbeError(Check.NO_RECEPTOR, f"Receptor at {settings.RECEPTOR_SOCKET} fails: {reason}") from error


def send_command(command: str, deadline: float) -> dict[str, Any]:
    """The object that Receptor answers to ``command``. Raises OSError, ValueError, RuntimeError or
    ReceptorRefusedError."""
    with Control(deadline) as control:
        answer = control.simple_command(command)
    if not isinstance(answer, dict):
        raise ValueError(f"It answered {excerpt(answer)} to {command}.")
    return answer


# --- a work unit


def submit(control: Control, node: str, timeout: float) -> None:
    """Start the work; ``control.unit`` is its id then."""
    control.connect()
    is_remote = node != control._remote_node  # Receptor refuses a ttl of work for itself
    control.submit_work(
        WORK_TYPE,
        payload="",
        node=node,
        tlsclient=(settings.RECEPTOR_TLS_CLIENT or None) if is_remote else None,
        ttl=f"{math.ceil(timeout)}s" if is_remote else None,
        signwork=settings.RECEPTOR_SIGN_WORK,
        params={"params": "--worker-info"},
    )
    if not control.unit:
        raise ValueError("the work unit has no usable id")


def wait_for_end(unit: str, deadline: float) -> dict[str, Any]:
    """The status of the unit once it has ended. Raises TimeoutError."""
    pause = FIRST_PAUSE
    while (unit_status := send_command(f"work status {unit}", deadline)).get("StateName") in ACTIVE_STATES:
        time.sleep(max(0, min(pause, deadline - time.monotonic())))
        pause = min(pause * 1.5, LONGEST_PAUSE)
    if not isinstance(unit_status.get("StateName"), str):
        raise ValueError(f"It answered {excerpt(unit_status)} to work status.")
    return unit_status


def results(unit: str, deadline: float) -> bytes:
    """The output of the work unit: its first LARGEST_OUTPUT + 1 bytes."""
    output = bytearray()
    with Control(deadline) as control:
        stream, file = control.get_work_results(unit, return_socket=True)
        control._socket, control._sockfile = stream, file  # so that they are limited and closed like all others
        while len(output) <= LARGEST_OUTPUT:
            control.limit()
            chunk = file.read1(min(CHUNK, LARGEST_OUTPUT + 1 - len(output)))
            if not chunk:
                break
            output += chunk
    return bytes(output)


def release(unit: str, ended: bool) -> None:
    """Release the work unit, and cancel it before if it has not ended. Failures are only logged."""
    commands = [f"work release {unit}"] if ended else [f"work cancel {unit}", f"work release {unit}"]
    for command in commands:
        try:
            send_command(command, time.monotonic() + ANSWER_WITHIN)
        except (OSError, ValueError, RuntimeError, ReceptorRefusedError) as error:
            log.warning('Receptor refused the command "%s": %s', command, error)


# --- what a failure means


def unit_failure(node: str, unit_status: dict[str, Any], unit: str, deadline: float) -> ProbeError:
    """The error of a work unit that ended with ``unit_status``."""
    printed = b""
    if unit_status.get("StdoutSize"):
        with contextlib.suppress(
            OSError, ValueError, RuntimeError, ReceptorRefusedError
        ):  # the failure is known without it
            printed = results(unit, deadline)
    detail = str(unit_status.get("Detail") or unit_status["StateName"])
    return failure(node, detail, printed.decode("utf-8", "replace"))


def failure(node: str, detail: str, printed: str = "") -> ProbeError:
    """The ProbeError for Receptor's ``detail`` and for what the node printed."""
    reason, lower = excerpt(detail), detail.lower()
    if NO_WORK_TYPE in lower:
        return ProbeError(Check.NO_WORK_TYPE, f"{node} does not offer the work type {WORK_TYPE}: {reason}")
    if any(sign in lower for sign in CUT_OFF):
        return ProbeError(Check.UNREACHABLE, f"The mesh does not reach {node}: {reason}")
    if LACKS_WORKER_INFO in printed:
        return old_runner()
    output = f" It printed: {excerpt(printed)}" if printed else ""
    return ProbeError(Check.REFUSED, f"The health check failed on {node}: {reason}.{output}")


def timed_out(node: str, timeout: float) -> ProbeError:
    """The error of a check without an answer in time: UNREACHABLE where Receptor has no route to the node."""
    with contextlib.suppress(ProbeError):
        mesh = status(ROUTES_TIMEOUT)
        routes = mesh.get("RoutingTable")
        if isinstance(routes, dict) and node not in routes and node != mesh.get("NodeID"):
            return ProbeError(Check.UNREACHABLE, f"The mesh does not reach {node}: it knows no route to it.")
    return ProbeError(Check.TIMED_OUT, f"{node} did not answer within {timeout:g} seconds.")
