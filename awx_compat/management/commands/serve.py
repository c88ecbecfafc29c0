"""``manage.py serve``: the production server."""

import multiprocessing
import os
import socket
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from granian.constants import Interfaces
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
            "settings.wsgi:application",
            address=host,
            port=port,
            interface=Interfaces.WSGI,
            workers=workers,
            blocking_threads=threads,
            blocking_threads_idle_timeout=600,  # seconds, the longest there is: with a thread its connection ends
            respawn_failed_workers=True,
            workers_kill_timeout=5,
            log_level=LogLevels(settings.LOG_LEVEL.lower()),
        ).serve()

    def warn_of_known_passwords(self) -> None:
        if names := [] if getattr(settings, "DEMO", False) else known_passwords():
            self.stderr.write(
                f"These users still have the demonstration's password: {', '.join(names)}. "
                "Change it with 'manage.py changepassword', or deactivate them in /admin/."
            )


def refuse_used_address(bind: tuple[str, int]) -> None:
    """Raise CommandError if nothing can listen there; the server would try again and again."""
    try:
        socket.create_server(bind, family=socket.AF_INET6 if ":" in bind[0] else socket.AF_INET).close()
    except OSError as error:
        raise CommandError(f"Cannot listen at {bind[0]}:{bind[1]}: {error.strerror}") from None
