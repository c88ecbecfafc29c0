"""``manage.py sync_awx``: mirror a live AWX."""

import logging
import signal
import ssl
import sys
import threading
import time
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

import orjson
from django.core.management.base import CommandError
from django.db import DatabaseError, close_old_connections
from django.utils import timezone
from tqdm import tqdm

from awx_compat.mirror.client import Access, SourceError, StoppedError
from awx_compat.mirror.syncing import Sync
from instances.lifecycle import is_loopback
from instances.management.refusing import RefusingCommand
from instances.mirror import writing
from instances.mirror.baseline import ImpactError
from instances.mirror.guard import BusyError
from instances.mirror.writing import Counts, OccupiedError, Plan
from instances.snapshot import SnapshotError
from instances.startup import positive, refuse_unmigrated_database

DOES_NOT_FIT = 4  # the exit code for records that are not AWX's; the others are the errors' own
BUSY = 6


class Command(RefusingCommand):
    help = (
        "Copy the instances, links, groups, users' rights on groups and active jobs of a live AWX (23.x or 24.x) into "
        "this service, which then tells them as that AWX does and lets nobody else change them. Exit codes: 3 the AWX "
        "refuses the credentials, 4 it is none that can be mirrored, 5 it could not be read now, 6 another sync is "
        "under way."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", metavar="URL", help="of the AWX, as https://awx.example.org")
        parser.add_argument(
            "--token-file", metavar="FILE", help="with an OAuth2 token (scope read) of a superuser or system auditor"
        )
        parser.add_argument("--username", help="instead of a token, with --password-file")
        parser.add_argument("--password-file", metavar="FILE")
        parser.add_argument("--ca-file", metavar="FILE", help="certificates to trust, in PEM, instead of the system's")
        parser.add_argument("--insecure", action="store_true", help="do not verify the AWX's certificate")
        parser.add_argument(
            "--follow", type=positive, metavar="SECONDS", help="sync again and again, until stopped (SIGTERM, Ctrl-C)"
        )
        parser.add_argument(
            "--all-jobs",
            action="store_true",
            help="copy the jobs that have ended too, from now on; goes on where an interrupted copy stopped",
        )
        parser.add_argument(
            "--concurrency",
            type=positive,
            default=1,
            metavar="N",
            help="requests at the same time, at most (default: 1)",
        )
        parser.add_argument(
            "--replace", action="store_true", help="remove instances, groups and jobs that did not come from that AWX"
        )
        parser.add_argument(
            "--detach",
            action="store_true",
            help="end the mirror: what it told stays, to be changed here, but for jobs that have not ended",
        )

    def handle(self, *args: Any, detach: bool, follow: int | None, **options: Any) -> None:
        refuse_unmigrated_database()
        if detach:
            self.detach()
            return
        progress = Progress(sys.stderr)
        stopping = stopped_by_signals()
        sync = Sync(
            access=access_of(options, progress),
            plan=Plan(url_of(options), follow, options["all_jobs"], options["replace"]),
            stopping=stopping,
            announce=progress.read,
            concurrency=options["concurrency"],
        )
        with progress:
            if follow is None:
                self.sync(sync, progress)
            else:
                self.follow(sync, progress, follow)

    def detach(self) -> None:
        mirror = writing.detach()
        if mirror is None:
            raise CommandError("This service is no mirror.")
        self.stdout.write(f"This service mirrors {mirror.url} no longer: its records can be changed here.")

    def sync(self, sync: Sync, progress: "Progress") -> None:
        """Sync once; raise CommandError with an exit code of its own for what can go wrong."""
        began = time.monotonic()
        try:
            counts = sync.run()
        except StoppedError:
            progress.tell("stopped", "Stopped; nothing was changed.")
            return
        except BusyError as error:
            raise CommandError(str(error), returncode=BUSY) from None
        except SourceError as error:
            raise CommandError(str(error), returncode=error.exit_code) from None
        except SnapshotError as error:
            raise CommandError(f"The AWX tells what does not fit:\n{error}", returncode=DOES_NOT_FIT) from None
        except (ImpactError, OccupiedError) as error:
            raise CommandError(str(error)) from None
        seconds = time.monotonic() - began
        progress.tell(
            "synced",
            summary(sync.plan.url, counts, seconds),
            seconds=round(seconds, 3),
            records={kind: asdict(count) for kind, count in counts.items()},
        )

    def follow(self, sync: Sync, progress: "Progress", period: int) -> None:
        """Sync every ``period`` seconds until stopped. What goes wrong is told, and the next sync may do better.

        Only the first one ends it: with an address or credentials that are wrong nothing would ever come.
        """
        is_first = True
        while not sync.stopping.is_set():
            began = time.monotonic()
            try:
                self.sync(sync, progress)
            except CommandError as error:
                if is_first and error.returncode not in PASSING:
                    raise
                progress.tell("failed", str(error))
            except DatabaseError as error:
                close_old_connections()
                progress.tell("failed", f"Database error: {' '.join(str(error).split())}")
            is_first = False
            sync.stopping.wait(max(0.0, period - (time.monotonic() - began)))


PASSING = (5, BUSY)  # the exit codes of what passes by itself


def url_of(options: dict[str, Any]) -> str:
    url: str = (options["url"] or "").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query:
        raise CommandError("--url must be the address of an AWX, as https://awx.example.org", returncode=2)
    if parts.username is not None or parts.password is not None:
        raise CommandError("--url must hold no user and password: use --username and --password-file", returncode=2)
    return url


def access_of(options: dict[str, Any], progress: "Progress") -> Access:
    """How the AWX is asked. Secrets come from files: arguments can be seen by everybody on a machine."""
    url, token_file, password_file = url_of(options), options["token_file"], options["password_file"]
    if bool(token_file) == bool(password_file) or bool(options["username"]) != bool(password_file):
        raise CommandError("Either --token-file is needed, or --username and --password-file", returncode=2)
    if options["insecure"] and options["ca_file"]:
        raise CommandError("--insecure and --ca-file exclude each other", returncode=2)
    if options["insecure"]:
        progress.tell("warning", "The certificate of the AWX is not verified: whoever answers learns the credentials.")
    if url.startswith("http:") and not is_loopback(urlsplit(url).hostname or ""):
        progress.tell("warning", "The credentials are sent in clear, since --url has no https.")
    return Access(
        url,
        token=secret_in(token_file) if token_file else "",
        username=options["username"] or "",
        password=secret_in(password_file) if password_file else "",
        verify=False if options["insecure"] else trusting(options["ca_file"]),
    )


def secret_in(file: str) -> str:
    try:
        secret = Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}") from None
    if not secret or not secret.isprintable() or not secret.isascii():
        raise CommandError(f"{file} must hold one line of ASCII, the token or the password")
    return secret


def trusting(ca_file: str | None) -> ssl.SSLContext:
    """What verifies certificates: against the system's authorities, or those of ``ca_file``."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # an ssl.SSLError is one
        raise CommandError(f"{ca_file} holds no certificates: {error.strerror or error}") from None


def stopped_by_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set; a second one ends the process as it would without."""
    stopping = threading.Event()

    def stop(signum: int, frame: object) -> None:
        stopping.set()
        signal.signal(signum, signal.SIG_DFL)

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, stop)
    return stopping


def summary(url: str, counts: Counts, seconds: float) -> str:
    kinds = ", ".join(
        f"{count.total} {kind} ({count.new} new, {count.changed} changed, {count.gone} gone)"
        for kind, count in counts.items()
    )
    return f"Synced {url} in {seconds:.1f} s: {kinds}."


class Progress(logging.Handler):
    """What happens, for who looks at a terminal a bar and sentences, and otherwise a JSON object in each line."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream
        self.bar = tqdm(
            desc="asking", file=stream, leave=False, disable=None, bar_format="{desc}: {n_fmt}/{total_fmt} {bar}"
        )

    def __enter__(self) -> "Progress":
        logger = logging.getLogger("awx_compat.mirror")
        logger.addHandler(self)
        logger.propagate = False
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()
        logger = logging.getLogger("awx_compat.mirror")
        logger.removeHandler(self)
        logger.propagate = True

    def emit(self, record: logging.LogRecord) -> None:
        self.tell("waiting", record.getMessage())

    def read(self, name: str, done: int, of: int) -> None:
        """``done`` of the ``of`` records of a list are read."""
        if not self.bar.disable:
            self.bar.set_description_str(name, refresh=False)
            self.bar.total, self.bar.n = of, done
            self.bar.refresh()
        elif done == of:
            self.tell("read", f"{of} {name} read", list=name, records=of)

    def tell(self, event: str, message: str, **figures: Any) -> None:
        if self.bar.disable:
            line = {"time": timezone.now(), "event": event, "message": message, **figures}
            print(orjson.dumps(line).decode(), file=self.stream, flush=True)
        else:
            self.bar.clear()
            print(message, file=sys.stdout, flush=True)
