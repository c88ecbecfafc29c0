"""``manage.py serve``: the production server."""

import logging
import multiprocessing
import os
from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection
from granian.constants import Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from awx_compat import draining, listening, process_metrics
from instances.mirror.spoken import speak_as_mirrored
from instances.startup import (
    known_passwords,
    positive,
    refuse_debugging_in_public,
    refuse_unfit_pooler,
    refuse_unmigrated_database,
    refuse_weak_key,
    refuse_what_is_not_shown,
    share_embedded_database,
)
from settings import rsgi

logger = logging.getLogger(__name__)

GRANIANS_LOG = {"loggers": {"_granian": {"propagate": True}}}  # goes where, and looks as, all others do
BACKLOG = 4096  # connections that wait in the kernel until a process accepts them


class ReloadingServer(MPServer):
    """granian's server, which replaces no further process once it stops."""

    def _respawn_workers(self, workers: Any, *args: Any, **options: Any) -> None:
        for worker in workers:
            if not self.interrupt_signal:
                super()._respawn_workers([worker], *args, **options)


class Command(BaseCommand):
    help = "Run the production server until it is interrupted. SIGHUP replaces its processes one by one."
    stealth_options = ("welcome",)  # of the demonstration: what is printed once nothing refuses to start

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--bind",
            type=listening.place,
            default=("127.0.0.1", 8000),
            metavar="HOST:PORT|unix:PATH",
            help="address or Unix socket to listen on (default: 127.0.0.1:8000)",
        )
        parser.add_argument(
            "--socket-mode",
            type=listening.mode,
            default=listening.MODE,
            metavar="MODE",
            help="permissions of the Unix socket: owner and group may connect by default (default: 660)",
        )
        parser.add_argument("--certificate", type=Path, metavar="FILE", help="PEM file with the certificates for TLS")
        parser.add_argument("--key", type=Path, metavar="FILE", help="PEM file with their key, not encrypted")
        parser.add_argument(
            "--workers",
            type=positive,
            default=os.cpu_count() or 1,
            metavar="N",
            help="number of processes (default: number of CPUs)",
        )
        parser.add_argument(
            "--threads",
            type=positive,
            default=4,
            metavar="N",
            help="number of threads, and of database connections, of each process (default: 4)",
        )

    def handle(
        self,
        *args: Any,
        bind: listening.Place,
        socket_mode: int,
        certificate: Path | None,
        key: Path | None,
        workers: int,
        threads: int,
        welcome: str = "",
        **options: Any,
    ) -> None:
        tls = listening.tls_options(certificate, key)
        refuse_weak_key()
        if not isinstance(bind, Path):
            refuse_debugging_in_public(bind[0])
        share_embedded_database()
        if settings.DATABASES["default"]["ENGINE"] == "settings.embedded":
            files = settings.DATA_DIR / "postgresql"
            self.stdout.write(f"The database is the embedded PostgreSQL, in {files}; DATABASE_URL names another.")
        refuse_unfit_pooler()
        refuse_unmigrated_database()
        speak_as_mirrored()
        refuse_what_is_not_shown()
        self.warn_of_known_passwords()
        connection.close()
        # One arena for all threads: memory that a thread frees can be used by the others.
        os.environ.setdefault("MALLOC_ARENA_MAX", "1")
        listening.refuse_used_place(bind)
        if welcome:
            self.stdout.write(welcome)
        # Workers are spawned, not forked: no connection or thread is shared by accident, and they read the settings of
        # the WSGI application.
        multiprocessing.set_start_method("spawn", force=True)
        shared = draining.shared_memory()
        server = ReloadingServer(
            "settings.rsgi:application",
            **listening.place_options(bind, socket_mode),
            **tls,
            ssl_protocol_min=SSLProtocols.tls12,
            interface=Interfaces.RSGI,
            websockets=False,
            workers=workers,
            backlog=BACKLOG,
            backpressure=listening.connections_of_a_process(),
            http1_settings=HTTP1Settings(header_read_timeout=settings.HEADER_TIMEOUT * 1000),
            respawn_failed_workers=True,
            respawn_interval=draining.START_TIME,
            workers_kill_timeout=draining.kill_timeout(is_stopping=False),
            log_level=LogLevels(settings.LOG_LEVEL.lower()),
            log_dictconfig=GRANIANS_LOG,
            process_name=f"awx-instance-service serve {listening.name_of(bind)}",
        )
        server.on_startup(partial(draining.drain_on_sigterm, server, shared))
        with process_metrics.shared_folder() as folder:
            loader = partial(rsgi.application, threads, shared, os.getpid(), folder)
            server.serve(target_loader=loader, wrap_loader=False)

    def warn_of_known_passwords(self) -> None:
        if names := [] if getattr(settings, "DEMO", False) else known_passwords():
            logger.warning(
                "These users still have the demonstration's password: %s. "
                "Change it with 'awx-instances changepassword', or deactivate them in /admin/.",
                ", ".join(names),
            )
