"""How ``manage.py serve`` stops: for DRAIN_SECONDS it says so and still answers, so that clients leave by themselves.

The state is in memory that the main process and its worker processes share. SIGTERM to the main process is DRAINING:
the readiness probe fails, and each response closes its connection. DRAIN_SECONDS later, or at once on SIGINT, the state
is STOPPING, and granian sends SIGTERM to the workers, which finish the requests in progress. A worker that gets SIGTERM
in any other state is being replaced (SIGHUP to the main process): once its successor answers, it closes its connections
for as long. Or it got the signal together with the main process, as systemd does it, which ends it later. If all stop
while it is being replaced, it stops with them: the main process has signalled it already, and only waits for it.
"""

import ctypes
import logging
import multiprocessing
import os
import signal
import time
from asyncio import AbstractEventLoop
from enum import IntEnum
from typing import Any

from django.conf import settings


class State(IntEnum):
    SERVING = 0
    DRAINING = 1
    STOPPING = 2


START_TIME = 5.0  # seconds from the start of a process until granian sends SIGTERM to the one that it replaces
LONGEST_START = 30.0  # seconds more, for which that one waits for it
STOP_TIMEOUT = 10  # seconds for which requests in progress are waited for
PAUSE = 0.1  # seconds until it is looked for again
SIGNAL_TIME = 1.0  # seconds in which the main process signals its processes once it stops


class Shared(ctypes.Structure):
    """What the main process and its workers know of each other."""

    _fields_ = (("state", ctypes.c_int), ("latest_start", ctypes.c_double))  # in seconds of monotonic()


def shared_memory() -> Any:
    """A Shared in memory that spawned processes share; it has no lock that a killed one could keep."""
    return multiprocessing.RawValue(Shared, State.SERVING, 0.0)


def kill_timeout(is_stopping: bool) -> int:
    """Seconds from SIGTERM to a worker until it is killed: while all stop, none waits for a successor."""
    return int(settings.DRAIN_SECONDS + STOP_TIMEOUT + (0 if is_stopping else LONGEST_START))


def drain_on_sigterm(server: Any, shared: Any) -> None:
    """Handle the signals of the main process, in place of granian's handler: a second SIGTERM does not wait."""
    granians: Any = signal.getsignal(signal.SIGTERM)

    def stop(signum: int, frame: Any) -> None:
        shared.state = State.STOPPING
        server.workers_kill_timeout = kill_timeout(is_stopping=True)
        granians(signum, frame)

    def drain(signum: int, frame: Any) -> None:
        if shared.state != State.SERVING or not settings.DRAIN_SECONDS:
            stop(signum, frame)
            return
        shared.state = State.DRAINING
        signal.setitimer(signal.ITIMER_REAL, settings.DRAIN_SECONDS)

    signal.signal(signal.SIGTERM, drain)
    signal.signal(signal.SIGALRM, stop)
    signal.signal(signal.SIGINT, stop)


class Draining:
    """What a worker process knows of its end."""

    def __init__(self, shared: Any = None) -> None:
        self.shared = shared_memory() if shared is None else shared
        self.terminated: float | None = None  # when, in seconds of monotonic()
        self.is_replaced = False

    def is_draining(self) -> bool:
        """Whether the whole server is about to stop."""
        return bool(self.shared.state != State.SERVING)

    def is_closing(self) -> bool:
        """Whether this process is about to stop."""
        return self.is_replaced or self.is_draining()

    def begin(self, loop: AbstractEventLoop) -> None:
        """Note when this process answers, which is once its loop runs. Handle SIGTERM in place of granian, which stops
        at once; its handler of SIGINT stays."""
        loop.call_soon(self.note_start)
        loop.add_signal_handler(signal.SIGTERM, self.terminate, loop)

    def note_start(self) -> None:
        self.shared.latest_start = time.monotonic()

    def terminate(self, loop: AbstractEventLoop) -> None:
        if self.shared.state == State.STOPPING:
            stop_this_process()
        elif self.terminated is None:
            self.terminated = time.monotonic()
            self.await_successor(loop, self.terminated)

    def await_successor(self, loop: AbstractEventLoop, terminated: float) -> None:
        """Close connections once the process answers that was started START_TIME before this one was terminated."""
        if self.is_draining():
            self.stop_with_all(loop)
            return
        answers = self.shared.latest_start > terminated - START_TIME
        if answers or time.monotonic() > terminated + LONGEST_START:
            self.is_replaced = True
            loop.call_later(settings.DRAIN_SECONDS, self.stop_if_replaced, loop)
        else:
            loop.call_later(PAUSE, self.await_successor, loop, terminated)

    def stop_if_replaced(self, loop: AbstractEventLoop) -> None:
        if self.is_draining():
            self.stop_with_all(loop)
        else:
            stop_this_process()

    def stop_with_all(self, loop: AbstractEventLoop) -> None:
        """Stop once all do, unless the main process is faster: to it, a process that ends unasked has failed."""
        if self.shared.state == State.STOPPING:
            loop.call_later(SIGNAL_TIME, stop_this_process)
        else:
            loop.call_later(PAUSE, self.stop_with_all, loop)


def stop_this_process() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def end_this_process() -> None:
    """End without taking Python apart, as a forked process does it.

    Threads that come out of granian's Rust code into an interpreter that is gone abort the process, with a panic.
    """
    logging.shutdown()
    os._exit(0)
