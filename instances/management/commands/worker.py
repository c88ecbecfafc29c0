"""``manage.py worker``: the process that does the background work."""

import asyncio
import contextlib
import functools
import logging
import signal
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, close_old_connections, connection, connections
from procrastinate import PsycopgConnector
from procrastinate.contrib.django import app, connector_params
from procrastinate.exceptions import ConnectorException

from instances import tasks
from instances.health import checks, keeper
from instances.startup import positive, refuse_unmigrated_database

logger = logging.getLogger(__name__)

MISSED_HEARTBEATS = 3  # after so many a worker counts as gone, and others take over its jobs


class Command(BaseCommand):
    help = "Do the background work, until it is interrupted; the jobs that were begun are finished first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--concurrency", type=positive, default=4, metavar="N", help="jobs done at the same time (default: 4)"
        )

    def handle(self, *args: Any, concurrency: int, **options: Any) -> None:
        refuse_unmigrated_database()
        tasks.catch_up()
        connection.close()
        connector = PsycopgConnector(kwargs=connector_params(), min_size=1, max_size=2, timeout=5)
        try:
            with app.replace_connector(connector):
                asyncio.run(work(concurrency))
        except ConnectorException as error:
            raise CommandError(f"The database failed: {error.__cause__ or error}") from None


async def work(concurrency: int) -> None:
    """Do jobs until SIGTERM or SIGINT, and meanwhile what has to be done regularly."""
    silent_for = MISSED_HEARTBEATS * settings.WORKER_HEARTBEAT
    async with app.open_async(), contextlib.AsyncExitStack() as loops:
        for period, act in (
            (settings.WORKER_HEARTBEAT, functools.partial(tasks.rescue, silent_for)),
            (settings.CLUSTER_NODE_HEARTBEAT_PERIOD, in_thread(loops, keeper.beat)),
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
        for signum in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(signum, worker.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await worker
        if not worker.cancelled():  # it gives up without an error when it cannot listen for jobs any more
            raise CommandError("The worker stopped because the database failed; start it again.")


async def regularly(period: float, act: Callable[[], Awaitable[object]]) -> None:
    """Do ``act`` now and every ``period`` seconds. One that fails is logged; the next is tried in its turn."""
    while True:
        try:
            await act()
        except (ConnectorException, OperationalError, InterfaceError) as error:
            logger.warning("The database failed: %s", error.__cause__ or error)
        except Exception:
            logger.exception("What is done every %s seconds failed; it will be tried again.", period)
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
