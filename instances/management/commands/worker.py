"""``manage.py worker``: the process that does the background work."""

import asyncio
import logging
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from procrastinate import PsycopgConnector
from procrastinate.contrib.django import app, connector_params
from procrastinate.exceptions import ConnectorException

from instances import tasks
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
        connector = PsycopgConnector(kwargs=connector_params(), min_size=1, max_size=2)
        try:
            with app.replace_connector(connector):
                asyncio.run(work(concurrency))
        except ConnectorException as error:
            raise CommandError(f"The database failed: {error.__cause__ or error}") from None


async def work(concurrency: int) -> None:
    """Do jobs until SIGTERM or SIGINT, and meanwhile look for jobs that other workers left behind."""
    silent_for = MISSED_HEARTBEATS * settings.WORKER_HEARTBEAT
    async with app.open_async():
        rescuer = asyncio.create_task(rescue_regularly(silent_for))
        try:
            await app.run_worker_async(
                concurrency=concurrency,
                update_heartbeat_interval=settings.WORKER_HEARTBEAT,
                stalled_worker_timeout=silent_for,
            )
        finally:
            rescuer.cancel()


async def rescue_regularly(silent_for: float) -> None:
    while True:
        try:
            await tasks.rescue(silent_for)
        except ConnectorException as error:
            logger.warning("Jobs that were left behind could not be looked for: %s", error.__cause__ or error)
        await asyncio.sleep(settings.WORKER_HEARTBEAT)
