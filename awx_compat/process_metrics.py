"""What the processes of ``manage.py serve`` measure of themselves, for Prometheus: requests, threads, connections.

Each process writes its values to files of its own in a folder that all of them share, so that any one answers for all:
the multiprocess mode of prometheus-client. A process that ends leaves its slot, and with it its files, to the next one.
So counters never go back, and there are as many files as there are processes at once, however often these are replaced.

Under another WSGI server, where no process could answer for the others, nothing is measured.
"""

import contextlib
import fcntl
import itertools
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event, Thread, get_ident
from typing import Any, NamedTuple, Protocol

from django.conf import settings
from django.db.backends.signals import connection_created
from prometheus_client import Counter, Gauge, Histogram, Metric, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

logger = logging.getLogger(__name__)

PREFIX = "awx_service_"
FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the variable in which prometheus-client looks for it
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)  # seconds
# Labels have few values, whatever clients send.
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
OTHER_METHOD, NO_ROUTE = "other", "none"
REFUSALS = (408, 429, 503)
# Bytes of each file of a process, of which that of the histogram grows where more routes are requested than usual.
SIZES = {"histogram": 2**20, "counter": 2**16, "gauge_livesum": 2**16, "gauge_livemax": 2**16}
PERIOD = 1  # seconds between two samples of the gauges
NOT_MEASURED = "Nothing is measured: PROCESS_METRICS is off, or the server is not 'awx-instances serve'."


class PoolUsage(NamedTuple):
    """What the threads of a pool do; ``oldest`` is the age in seconds of the request that has waited longest."""

    threads: int
    busy: int
    waiting: int
    oldest: float


class Pool(Protocol):
    def usage(self) -> PoolUsage: ...


class ProcessMetrics:
    """The values of this process, in the ``folder`` of all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.slot, self.lock = free_slot(folder)
        mark_process_dead(self.slot, str(folder))  # the gauges of the process that had the slot
        allocate(folder, self.slot)
        os.environ[FOLDER] = str(folder)
        values.ValueClass = values.MultiProcessValue(lambda: self.slot)
        self.durations = Histogram(
            f"{PREFIX}request_duration_seconds",
            "Time from when a thread takes a request until its response is complete.",
            ("method", "route", "status"),
            buckets=BUCKETS,
            registry=None,
        )
        self.failures = counter("request_failures", "Requests that an unexpected error ended, with status 500.")
        self.refusals = counter("requests_refused", "Requests that are refused before a thread takes them.", "status")
        for status in REFUSALS:  # a counter that begins at 0 shows the first refusal as an increase
            self.refusals.labels(str(status))
        self.threads = gauge("threads", "Threads of each pool.", "pool")
        self.busy = gauge("threads_busy", "Threads of each pool that answer a request.", "pool")
        self.waiting = gauge("requests_waiting", "Requests that wait for a thread of each pool.", "pool")
        self.oldest = gauge(
            "oldest_waiting_request_age_seconds",
            "Age of the request that has waited longest for a thread of each pool; 0 where none waits.",
            "pool",
            mode="livemax",
        )
        self.connections_open = gauge("database_connections", "Connections to the database that are open.")
        self.connections: dict[tuple[int, str], Any] = {}  # the last one of each thread to each database
        connection_created.connect(self.note_connection)

    def note_connection(self, connection: Any, **more: Any) -> None:
        self.connections[get_ident(), connection.alias] = connection

    def observe(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a request that a thread has answered; ``route`` is the pattern of its path, if one matched."""
        known = method if method in METHODS else OTHER_METHOD
        self.durations.labels(known, route or NO_ROUTE, f"{status // 100}xx").observe(seconds)
        if status == 500:
            self.failures.inc()

    def refused(self, status: int) -> None:
        """Count a request that was refused before a thread took it."""
        self.refusals.labels(str(status)).inc()

    def watch(self, pools: Mapping[str, Pool]) -> None:
        """Sample the gauges from now on, in a thread of its own: so they cost the requests nothing."""
        Thread(target=self.sample_all, args=(pools,), daemon=True).start()

    def sample_all(self, pools: Mapping[str, Pool]) -> None:
        never = Event()
        while True:
            self.sample(pools)
            never.wait(PERIOD)

    def sample(self, pools: Mapping[str, Pool]) -> None:
        for name, pool in pools.items():
            usage = pool.usage()
            self.threads.labels(name).set(usage.threads)
            self.busy.labels(name).set(usage.busy)
            self.waiting.labels(name).set(usage.waiting)
            self.oldest.labels(name).set(usage.oldest)
        known = list(self.connections.values())
        self.connections_open.set(sum(connection.connection is not None for connection in known))

    def families(self) -> list[Metric]:
        """The values of all processes together."""
        remove_gauges_of_the_dead(self.folder)
        found = MultiProcessCollector(None, str(self.folder)).collect()
        return sorted(found, key=lambda metric: metric.name)


def counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(PREFIX + name, text, labels, registry=None)


def gauge(name: str, text: str, *labels: str, mode: Any = "livesum") -> Gauge:
    return Gauge(PREFIX + name, text, labels, multiprocess_mode=mode, registry=None)


def free_slot(folder: Path) -> tuple[int, int]:
    """The first number that no living process has, and the locked file by which the caller has it until it ends."""
    slots = ((slot, lock(folder / f"{slot}.lock")) for slot in itertools.count())
    return next((slot, file) for slot, file in slots if file is not None)


def lock(path: Path) -> int | None:
    """The locked file; None where another process has locked it. The kernel unlocks it when that process ends."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


def allocate(folder: Path, slot: int) -> None:
    """Reserve the space for the files: a process that writes into a mapped file gets SIGBUS where the disk is full."""
    for kind, size in SIZES.items():
        with (folder / f"{kind}_{slot}.db").open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, size)


def remove_gauges_of_the_dead(folder: Path) -> None:
    for path in folder.glob("*.lock"):
        file = lock(path)
        if file is not None:
            mark_process_dead(int(path.stem), str(folder))
            os.close(file)  # whoever started meanwhile has taken another slot


current: ProcessMetrics | None = None  # those of this process; None where it measures nothing


def start(folder: Path | None) -> None:
    """Let this process measure itself, before it imports the application; without a folder it does not."""
    global current
    current = None
    if folder:
        try:
            current = ProcessMetrics(folder)
        except OSError as error:
            logger.warning("This process does not measure itself: %s", error)


def count_refusal(status: int) -> None:
    """Count a request that was refused before a thread took it, if this process measures itself."""
    if current:
        current.refused(status)


@contextlib.contextmanager
def shared_folder() -> Iterator[Path | None]:
    """A folder for the processes of one server; None where PROCESS_METRICS is off, or no folder can be made."""
    if not settings.PROCESS_METRICS:
        yield None
        return
    try:
        folder = tempfile.TemporaryDirectory(prefix="awx-instance-service-", ignore_cleanup_errors=True)
    except OSError as error:
        logger.warning("Processes do not measure themselves, as no temporary folder can be made: %s", error)
        yield None
        return
    with folder as path:
        yield Path(path)
