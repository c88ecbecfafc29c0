"""``manage.py worker``: the process that runs background jobs."""

import asyncio
import contextlib
import functools
import logging
import signal
from argparse import ArgumentParser
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.conf import settings
from django.db import OperationalError, close_old_connections, connection, connections
from procrastinate import PsycopgConnector
from procrastinate.contrib.django import app, connector_params

from instances import database, drains, tasks
from instances.health import checks, periodic
from instances.management.refusing import EscapingCommand
from instances.mirror.spoken import speak_as_mirrored
from instances.startup import (
    positive,
    refuse_shared_connections,
    refuse_unfit_pooler,
    refuse_unmigrated_database,
    refuse_what_is_not_shown,
)

logger = logging.getLogger(__name__)

PAUSE = 1  # seconds between two attempts to reach a database that is away


class Command(EscapingCommand):
    help = "Run background jobs until interrupted; jobs that have begun are finished first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--concurrency", type=positive, default=4, metavar="N", help="number of jobs at the same time (default: 4)"
        )

    def handle(self, *args: Any, concurrency: int, **options: Any) -> None:
        refuse_shared_connections("worker", "it waits for the notifications that its connection listens for (LISTEN)")
        refuse_unfit_pooler()
        refuse_unmigrated_database()
        speak_as_mirrored()
        refuse_what_is_not_shown()
        connection.close()
        asyncio.run(work(concurrency))


class Outage:
    """What is logged of a database that fails: one line as it begins, and one once it has ended."""

    is_logged = False

    def begin(self, error: Exception) -> None:
        if not self.is_logged:
            logger.warning("The database failed; the worker waits for it. %s", database.reason(error))
            self.is_logged = True

    async def end(self) -> None:
        """To be cancelled at the next failure: with a full disk a database takes connections, and fails at a job."""
        await asyncio.sleep(PAUSE)
        if self.is_logged:
            logger.info("The database answers again.")
            self.is_logged = False


async def work(concurrency: int) -> None:
    """Run background jobs until SIGTERM or SIGINT. While the database is unreachable, try to reconnect."""
    stopping, outage = asyncio.Event(), Outage()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stopping.set)
    while not stopping.is_set():
        try:
            async with connected() as loops:
                loops.callback(asyncio.create_task(outage.end()).cancel)
                await work_connected(concurrency, loops, stopping)
        except Exception as error:
            if not database.is_away(error):
                raise
            outage.begin(error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), PAUSE)


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[contextlib.AsyncExitStack]:
    """Context manager: connect to the database and queue missed jobs; yields a stack of what ends with it."""
    connector = PsycopgConnector(kwargs=connector_params(), min_size=1, max_size=2, timeout=5)
    async with contextlib.AsyncExitStack() as loops:
        await in_thread(loops, tasks.queue_missed)()
        with app.replace_connector(connector):
            async with app.open_async():
                yield loops


async def work_connected(concurrency: int, loops: contextlib.AsyncExitStack, stopping: asyncio.Event) -> None:
    """Run jobs and the periodic tasks until ``stopping``; raises OperationalError when the database fails."""
    silent_for = tasks.longest_silence()
    for period, act in (
        (settings.WORKER_HEARTBEAT, functools.partial(tasks.requeue_stalled, silent_for, set())),
        (settings.WORKER_HEARTBEAT, tasks.resume_retries),
        (settings.CLUSTER_NODE_HEARTBEAT_PERIOD, in_thread(loops, periodic.heartbeat)),
        (settings.CLUSTER_NODE_HEARTBEAT_PERIOD, in_thread(loops, periodic.release_orphans)),
        (drains.PERIOD, in_thread(loops, drains.advance)),
        (checks.EXPIRY_PERIOD, in_thread(loops, checks.expire)),
    ):
        loop = asyncio.create_task(regularly(period, act))
        loops.callback(loop.cancel)
    worker = asyncio.create_task(
        app.run_worker_async(
            concurrency=concurrency,
            update_heartbeat_interval=settings.WORKER_HEARTBEAT,
            stalled_worker_timeout=silent_for,
            install_signal_handlers=False,
        )
    )
    stop_requested = asyncio.create_task(stopping.wait())
    loops.callback(stop_requested.cancel)
    await asyncio.wait((worker, stop_requested), return_when=asyncio.FIRST_COMPLETED)
    if not worker.done():
        worker.cancel()  # the jobs that were begun are finished
    with contextlib.suppress(asyncio.CancelledError):
        await worker
    if not worker.cancelled():  # it gives up without an error when it cannot listen for jobs any more
        raise OperationalError("It closed the worker's connections.")


async def regularly(period: float, act: Callable[[], Awaitable[object]]) -> None:
    """Call ``act`` now and every ``period`` seconds. Failures are logged."""
    while True:
        try:
            await act()
        except Exception as error:
            if not database.is_away(error) or database.is_full(error):  # else the worker notices by itself
                logger.exception("A periodic task (every %s seconds) failed; it runs again after that time.", period)
        await asyncio.sleep(period)


def in_thread(loops: contextlib.AsyncExitStack, act: Callable[[], object]) -> Callable[[], Awaitable[object]]:
    """``act`` as a coroutine function, in a thread of its own and with a database connection of its own."""
    thread = ThreadPoolExecutor(max_workers=1)
    loops.callback(thread.shutdown, wait=True)
    loops.callback(thread.submit, connections.close_all)

    def done() -> None:
        close_old_connections()
        act()

    async def awaited() -> None:
        await asyncio.get_running_loop().run_in_executor(thread, done)

    return awaited
