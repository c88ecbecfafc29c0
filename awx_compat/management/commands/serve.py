"""``manage.py serve``: the production server."""

import logging
import multiprocessing
import os
import resource
import socket
from argparse import ArgumentParser, ArgumentTypeError
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from instances.mirror.spoken import speak_as_mirrored
from instances.startup import (
    known_passwords,
    positive,
    refuse_debugging_in_public,
    refuse_unmigrated_database,
    refuse_weak_key,
    refuse_what_is_not_shown,
    share_embedded_database,
)
from settings import rsgi

logger = logging.getLogger(__name__)

MOST_CONNECTIONS = 10_000  # per process; an idle connection takes some kB
OTHER_FILES = 256  # open files of a process beside its connections
GRANIANS_LOG = {"loggers": {"_granian": {"propagate": True}}}  # goes where, and looks as, all others do
BACKLOG = 4096  # connections that wait in the kernel until a process accepts them


def address(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``; an IPv6 host must be in brackets. Raises ArgumentTypeError."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if (
        not colon
        or not host
        or (":" in host and not bracketed)
        or not (port.isascii() and port.isdecimal() and int(port) < 65536)
    ):
        raise ArgumentTypeError(f"{text!r} is not HOST:PORT, as in 127.0.0.1:8000")
    return host.removeprefix("[").removesuffix("]"), int(port)


class Command(BaseCommand):
    help = "Run the production server until it is interrupted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--bind",
            type=address,
            default=("127.0.0.1", 8000),
            metavar="HOST:PORT",
            help="address to listen on (default: 127.0.0.1:8000)",
        )
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

    def handle(self, *args: Any, bind: tuple[str, int], workers: int, threads: int, **options: Any) -> None:
        refuse_weak_key()
        refuse_debugging_in_public(bind[0])
        share_embedded_database()
        if settings.DATABASES["default"]["ENGINE"] == "settings.embedded":
            files = settings.DATA_DIR / "postgresql"
            self.stdout.write(f"The database is the embedded PostgreSQL, in {files}; DATABASE_URL names another.")
        refuse_unmigrated_database()
        speak_as_mirrored()
        refuse_what_is_not_shown()
        self.warn_of_known_passwords()
        connection.close()
        # One arena for all threads: memory that a thread frees can be used by the others.
        os.environ.setdefault("MALLOC_ARENA_MAX", "1")
        refuse_used_address(bind)
        # Workers are spawned, not forked: no connection or thread is shared by accident, and they read the settings of
        # the WSGI application.
        multiprocessing.set_start_method("spawn", force=True)
        host, port = bind
        Server(
            "settings.rsgi:application",
            address=host,
            port=port,
            interface=Interfaces.RSGI,
            websockets=False,
            workers=workers,
            backlog=BACKLOG,
            backpressure=connections_of_a_process(),
            http1_settings=HTTP1Settings(header_read_timeout=settings.HEADER_TIMEOUT * 1000),
            respawn_failed_workers=True,
            workers_kill_timeout=5,
            log_level=LogLevels(settings.LOG_LEVEL.lower()),
            log_dictconfig=GRANIANS_LOG,
        ).serve(target_loader=partial(rsgi.application, threads), wrap_loader=False)

    def warn_of_known_passwords(self) -> None:
        if names := [] if getattr(settings, "DEMO", False) else known_passwords():
            logger.warning(
                "These users still have the demonstration's password: %s. "
                "Change it with 'manage.py changepassword', or deactivate them in /admin/.",
                ", ".join(names),
            )


def connections_of_a_process() -> int:
    """The number of connections of a process. Raises the soft limit of open files towards the hard limit."""
    wanted = MOST_CONNECTIONS + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    if files < wanted:
        logger.warning("A process can open only %s files: 'ulimit -Hn %s' allows more connections.", files, wanted)
    return max(1, files - OTHER_FILES)


def refuse_used_address(bind: tuple[str, int]) -> None:
    """Raise CommandError if ``bind`` cannot be listened on; the server would retry endlessly."""
    try:
        socket.create_server(bind, family=socket.AF_INET6 if ":" in bind[0] else socket.AF_INET).close()
    except OSError as error:
        raise CommandError(f"Cannot listen at {bind[0]}:{bind[1]}: {error.strerror}") from None
