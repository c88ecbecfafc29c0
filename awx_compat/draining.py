"""How ``manage.py serve`` stops: for DRAIN_SECONDS it says so and still answers, so that clients leave by themselves.

The state is in memory that the main process and its worker processes share. SIGTERM to the main process is DRAINING:
the readiness probe fails, and each response closes its connection. DRAIN_SECONDS later, or at once on SIGINT, the state
is STOPPING, and granian sends SIGTERM to the workers, which finish the requests in progress. A worker that gets SIGTERM
in any other state is being replaced (SIGHUP to the main process): it closes its connections for as long, while its
successor answers too. Or it got the signal together with the main process, as systemd does it, which ends it later.
"""

import ctypes
import multiprocessing
import os
import signal
from asyncio import AbstractEventLoop
from enum import IntEnum
from typing import Any

from django.conf import settings


class State(IntEnum):
    SERVING = 0
    DRAINING = 1
    STOPPING = 2


def shared_state() -> Any:
    """The state as a value in memory that spawned processes share; it has no lock that a killed one could keep."""
    return multiprocessing.RawValue(ctypes.c_int, State.SERVING)


def drain_on_sigterm(state: Any) -> None:
    """Handle the signals of the main process, in place of granian's handler: a second SIGTERM does not wait."""
    granians: Any = signal.getsignal(signal.SIGTERM)

    def stop(signum: int, frame: Any) -> None:
        state.value = State.STOPPING
        granians(signum, frame)

    def drain(signum: int, frame: Any) -> None:
        if state.value != State.SERVING or not settings.DRAIN_SECONDS:
            stop(signum, frame)
            return
        state.value = State.DRAINING
        signal.setitimer(signal.ITIMER_REAL, settings.DRAIN_SECONDS)

    signal.signal(signal.SIGTERM, drain)
    signal.signal(signal.SIGALRM, stop)
    signal.signal(signal.SIGINT, stop)


class Draining:
    """What a worker process knows of its end."""

    def __init__(self, state: Any = None) -> None:
        self.state = shared_state() if state is None else state
        self.is_replaced = False

    def is_draining(self) -> bool:
        """Whether the whole server is about to stop."""
        return bool(self.state.value != State.SERVING)

    def is_closing(self) -> bool:
        """Whether this process is about to stop."""
        return self.is_replaced or self.is_draining()

    def handle_sigterm(self, loop: AbstractEventLoop) -> None:
        """Handle SIGTERM in place of granian, which stops at once; its handler of SIGINT stays."""
        loop.add_signal_handler(signal.SIGTERM, self.terminate, loop)

    def terminate(self, loop: AbstractEventLoop) -> None:
        if self.state.value == State.STOPPING:
            stop_this_process()
        elif not self.is_replaced:
            self.is_replaced = True
            loop.call_later(settings.DRAIN_SECONDS, self.stop_if_replaced)

    def stop_if_replaced(self) -> None:
        if not self.is_draining():  # else the main process ends this one in its time
            stop_this_process()


def stop_this_process() -> None:
    os.kill(os.getpid(), signal.SIGINT)
