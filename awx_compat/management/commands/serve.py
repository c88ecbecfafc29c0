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

from instances.startup import (
    known_passwords,
    positive,
    refuse_debugging_in_public,
    refuse_unmigrated_database,
    refuse_weak_key,
    share_embedded_database,
)
from settings import rsgi

logger = logging.getLogger(__name__)

MOST_CONNECTIONS = 10_000  # of a process; one that sends nothing holds some kB
OTHER_FILES = 256  # that a process opens beside them
BACKLOG = 4096  # connections that the system accepts before a process does


def address(text: str) -> tuple[str, int]:
    """``HOST:PORT`` as a pair; an IPv6 host stands in brackets."""
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
    help = "Serve the API with the production server, until it is interrupted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--bind", type=address, default=("127.0.0.1", 8000), metavar="HOST:PORT")
        parser.add_argument(
            "--workers",
            type=positive,
            default=os.cpu_count() or 1,
            metavar="N",
            help="processes (default: CPUs)",
        )
        parser.add_argument(
            "--threads",
            type=positive,
            default=4,
            metavar="N",
            help="threads of each process, and its connections to the database (default: 4)",
        )

    def handle(self, *args: Any, bind: tuple[str, int], workers: int, threads: int, **options: Any) -> None:
        refuse_weak_key()
        refuse_debugging_in_public(bind[0])
        share_embedded_database()
        if settings.DATABASES["default"]["ENGINE"] == "settings.embedded":
            files = settings.DATA_DIR / "postgresql"
            self.stdout.write(f"The database is the embedded PostgreSQL, in {files}; DATABASE_URL names another.")
        refuse_unmigrated_database()
        self.warn_of_known_passwords()
        connection.close()
        # So that memory which one thread gives back serves the others too, and does not grow with the threads.
        os.environ.setdefault("MALLOC_ARENA_MAX", "1")
        refuse_used_address(bind)
        # Workers start afresh rather than as copies of this process: no connection or thread is shared by accident,
        # and they read the settings as the WSGI application has them.
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
        ).serve(target_loader=partial(rsgi.application, threads), wrap_loader=False)

    def warn_of_known_passwords(self) -> None:
        if names := [] if getattr(settings, "DEMO", False) else known_passwords():
            self.stderr.write(
                f"These users still have the demonstration's password: {', '.join(names)}. "
                "Change it with 'manage.py changepassword', or deactivate them in /admin/."
            )


def connections_of_a_process() -> int:
    """How many connections a process may hold; raises its limit of open files as far as it may."""
    wanted = MOST_CONNECTIONS + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    if files < wanted:
        logger.warning("A process may open %s files only: 'ulimit -Hn %s' allows more connections.", files, wanted)
    return max(1, files - OTHER_FILES)


def refuse_used_address(bind: tuple[str, int]) -> None:
    """Raise CommandError if nothing can listen there; the server would try again and again."""
    try:
        socket.create_server(bind, family=socket.AF_INET6 if ":" in bind[0] else socket.AF_INET).close()
    except OSError as error:
        raise CommandError(f"Cannot listen at {bind[0]}:{bind[1]}: {error.strerror}") from None
