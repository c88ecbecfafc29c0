"""Work units: running ``ansible-runner worker --worker-info`` on a node through this node's own Receptor.

Receptor keeps each unit until it is released. Source: docs/awx-behaviour.md, "Health checks".
"""

import contextlib
import logging
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from instances.health import receptor
from instances.health.mesh_view import View, parse_time
from instances.health.receptor import FAILURES, Control, ReceptorRefusedError
from instances.health.refusals import Refusal, no_route
from instances.health.report import LARGEST_OUTPUT, ProbeError, excerpt, timed_out
from instances.health.rules import CHECK_IS_PENDING
from instances.models import Instance

logger = logging.getLogger(__name__)

WORK_TYPE, PARAMETERS = "ansible-runner", "--worker-info"
STATUS_WITHIN = 1.0  # seconds for the mesh's status; a check must not take much longer than its timeout
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0  # seconds between two requests for the status of a work unit
CHUNK = 2**16  # bytes
MOST_DISCARDED = 2**26  # bytes of a result that are read and thrown away
ACTIVE_STATES = ("Pending", "Running")


def worker_info(node: str, timeout: float, cleanup: contextlib.ExitStack) -> bytes:
    """The output of ``ansible-runner worker --worker-info`` on ``node``: its first LARGEST_OUTPUT + 1 bytes.

    ``timeout`` in seconds. ``cleanup`` gets a callback that releases the work unit: if the node hangs, Receptor answers
    that only when the node's process has ended. Raises ProbeError.
    """
    deadline = time.monotonic() + timeout
    with receptor.translate_errors():
        view = current_view(min(deadline, time.monotonic() + STATUS_WITHIN))
        if view is not None and view.reaches(node) is False:
            raise no_route(node)
        unit = WorkUnit(node, deadline)
        cleanup.callback(unit.release)
        try:
            unit.submit(timeout, view)
            unit_status = unit.wait_for_end()
            if unit_status["StateName"] != "Succeeded":
                raise unit.failure(unit_status, view)
            return unit.results()
        except ReceptorRefusedError as refused:
            raise Refusal(node, str(refused), view).error() from refused
        except TimeoutError as silence:
            if not unit.id or time.monotonic() < deadline:  # it is Receptor that is silent, not the node
                raise
            raise unreached_in_time(node, timeout) from silence


def current_view(deadline: float) -> View | None:
    """Receptor's view of the mesh; None where it does not say, which is no reason not to try."""
    with contextlib.suppress(*FAILURES):
        return View.of_status(receptor.send_command("status", deadline))
    return None


def unreached_in_time(node: str, timeout: float) -> ProbeError:
    """The error of a node that did not answer in time; of Receptor, if that does not answer any more either."""
    view = View.of_status(receptor.status(STATUS_WITHIN))
    return no_route(node) if view.reaches(node) is False else timed_out(node, timeout)


@dataclass
class WorkUnit:
    """A work unit of this node's Receptor: ``id`` is "" before it was created."""

    node: str
    deadline: float
    id: str = ""
    has_ended: bool = False

    def submit(self, timeout: float, view: View | None) -> None:
        """Start the work. Raises one of FAILURES; the unit may exist also then."""
        with Control(self.deadline) as control:
            control.connect()
            is_remote = self.node != control._remote_node  # Receptor refuses a ttl of work for itself
            try:
                control.submit_work(
                    WORK_TYPE,
                    payload="",
                    node=self.node,
                    tlsclient=tls_client(self.node, view) if is_remote else None,
                    ttl=f"{math.ceil(timeout)}s" if is_remote else None,
                    signwork=settings.RECEPTOR_SIGN_WORK,
                    params={"params": PARAMETERS},
                )
            finally:
                self.id = control.unit
        if not self.id:
            raise ValueError("the work unit has no usable id")

    def wait_for_end(self) -> dict[str, Any]:
        """The status of the unit once it has ended. Raises TimeoutError or another of FAILURES."""
        pause = FIRST_PAUSE
        while (status := self.command("status")).get("StateName") in ACTIVE_STATES:
            time.sleep(max(0, min(pause, self.deadline - time.monotonic())))
            pause = min(pause * 1.5, LONGEST_PAUSE)
        if not isinstance(status.get("StateName"), str):
            raise ValueError(f"It answered {excerpt(status)} to work status.")
        self.has_ended = True
        return status

    def command(self, word: str) -> dict[str, Any]:
        return receptor.send_command(f"work {word} {self.id}", self.deadline)

    def results(self) -> bytes:
        """The first LARGEST_OUTPUT + 1 bytes of the output. Raises one of FAILURES.

        The rest is read and discarded: Receptor 1.4.4 loses its link to the node when a unit is released of which
        much output was not read.
        """
        output = bytearray()
        with Control(self.deadline) as control:
            stream, file = control.get_work_results(self.id, return_socket=True)
            control._socket, control._sockfile = stream, file  # so that they are limited and closed like all others
            for chunk in chunks(control):
                output += chunk[: LARGEST_OUTPUT + 1 - len(output)]
                if len(output) > LARGEST_OUTPUT:
                    discard(control)
                    break
        return bytes(output)

    def failure(self, status: Mapping[str, Any], view: View | None) -> ProbeError:
        """The error of a work unit that ended with this status."""
        printed = b""
        if status.get("StdoutSize"):
            with contextlib.suppress(*FAILURES):  # the failure is known without it
                printed = self.results()
        detail = str(status.get("Detail") or status["StateName"])
        return Refusal(self.node, detail, view, printed.decode("utf-8", "replace")).error()

    def release(self) -> None:
        """Release the unit, if it was created, and cancel it before if it has not ended. Failures are only logged."""
        if self.id:
            release(self.id, self.has_ended)


def chunks(control: Control) -> Iterator[bytes]:
    """What comes over the connection until its end. Raises TimeoutError."""
    control.limit()
    while chunk := control._sockfile.read1(CHUNK):
        yield chunk
        control.limit()


def discard(control: Control) -> None:
    """Read to the end of the connection, MOST_DISCARDED bytes at most, or for as long as there is time."""
    size = 0
    with contextlib.suppress(TimeoutError):
        for chunk in chunks(control):
            size += len(chunk)
            if size > MOST_DISCARDED:
                break


def tls_client(node: str, view: View | None) -> str | None:
    """The TLS client for the node: none where its advertisement says that it wants no TLS."""
    service = view.services.get(node) if view else None
    return None if service is not None and service.is_plain else settings.RECEPTOR_TLS_CLIENT or None


def release(unit: str, has_ended: bool) -> None:
    """Release the work unit, and cancel it before if it has not ended. Failures are only logged.

    Receptor answers ``cancel`` when the process on the node has ended, so that is not waited for.
    """
    commands = ["release"] if has_ended else ["cancel", "release"]
    for command in commands:
        try:
            receptor.send_command(f"work {command} {unit}", time.monotonic() + receptor.ANSWER_WITHIN)
        except FAILURES as error:
            if "unknown work unit" not in str(error):  # which another worker has released
                logger.warning('Receptor refused the command "work %s %s": %s', command, unit, error)


# --- units that no check knows


def release_orphans(now: datetime) -> int:
    """Release the health checks' units that a killed worker, or a restart of Receptor, left behind; return how many.

    A unit has its check as long as one of its node is pending. Active ones are left until they expire: they may be of
    another service that uses the same Receptor.
    """
    with receptor.translate_errors():
        units = receptor.send_command("work list", time.monotonic() + receptor.ANSWER_WITHIN)
    ours = {unit: status for unit, status in units.items() if is_health_check(status)}
    if not ours:
        return 0
    # Read after the units were: a check is pending before its unit is created.
    known = set(Instance.objects.filter(CHECK_IS_PENDING).values_list("hostname", flat=True))
    orphans = [unit for unit, status in ours.items() if status["ExtraData"].get("RemoteNode") not in known]
    released = [unit for unit in orphans if not is_active(ours[unit]) or has_expired(ours[unit], now)]
    for unit in released:
        release(unit, has_ended=not is_active(ours[unit]))
    return len(released)


def is_health_check(status: Any) -> bool:
    """Whether the status is that of a unit which runs ansible-runner with the parameters of health checks."""
    extra = status.get("ExtraData") if isinstance(status, Mapping) else None
    parameters = extra.get("RemoteParams") if isinstance(extra, Mapping) else None
    return (
        isinstance(extra, Mapping)
        and extra.get("RemoteWorkType") == WORK_TYPE
        and isinstance(parameters, Mapping)
        and parameters.get("params") == PARAMETERS
    )


def is_active(status: Mapping[str, Any]) -> bool:
    return status.get("StateName") in ACTIVE_STATES


def has_expired(status: Mapping[str, Any], now: datetime) -> bool:
    expiration = parse_time(status["ExtraData"].get("Expiration"))
    return expiration is not None and expiration < now
