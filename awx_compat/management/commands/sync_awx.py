"""``manage.py sync_awx``: mirror a live AWX."""

import signal
import socket
import ssl
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.core.management.base import CommandError
from django.db import DatabaseError, close_old_connections

from awx_compat.awx_client.client import Access
from awx_compat.awx_client.errors import LimitError, NotAWXError, SourceError, StoppedError, UnreachableError
from awx_compat.awx_client.progress import Progress
from awx_compat.awx_client.roots import Root, root_of
from awx_compat.awx_client.syncing import Sync
from instances.lifecycle import is_loopback
from instances.management.refusing import ErrorReportingCommand
from instances.messages import NO_MIRROR
from instances.mirror import spoken, writing
from instances.mirror.baseline import ImpactError
from instances.mirror.guard import SyncRunningError
from instances.mirror.spoken import NotShownError
from instances.mirror.writing import Counts, OccupiedError, Plan
from instances.snapshot import SnapshotError
from instances.startup import positive, refuse_shared_connections, refuse_unfit_pooler, refuse_unmigrated_database

FAILURES = (SourceError, SnapshotError, ImpactError, NotShownError, OccupiedError, SyncRunningError, StoppedError)
BUSY, STOPPED = 6, 128 + signal.SIGTERM  # exit codes; the others are the errors' own
PASSING = (UnreachableError.exit_code, BUSY)  # exit codes of temporary failures
SHORTEST_PAUSE = 1.0  # seconds between the end of a sync and the next one


class Command(ErrorReportingCommand):
    help = (
        "Mirror a live AWX (23.x or 24.x) or automation controller (4.5 to 4.7): copy its instances, links, groups, "
        "users' rights on groups and active jobs into this service, where they are read only from then on. The service "
        "speaks as the AWX that it mirrors, unless AWX_VERSION is set. Exit codes: 3 the AWX refuses the credentials, "
        "4 the server is no AWX that can be mirrored, 5 the AWX could not be read now, 6 another sync is running, 7 "
        "the AWX has more than a sync may read (MIRROR_MAX_RECORDS, _BYTES, _SECONDS)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--url",
            metavar="URL",
            help="address of the AWX or of AAP, as https://awx.example.org or https://example.org/awx, with or without "
            "the path of its API",
        )
        parser.add_argument(
            "--token-file",
            metavar="FILE",
            help="file with an OAuth2 token (scope read) of a superuser or system auditor",
        )
        parser.add_argument("--username", help="user name, with --password-file in place of --token-file")
        parser.add_argument("--password-file", metavar="FILE", help="file with the user's password")
        parser.add_argument(
            "--ca-file", metavar="FILE", help="PEM file with the authorities to trust in place of the system's"
        )
        parser.add_argument("--insecure", action="store_true", help="do not verify the AWX's certificate")
        parser.add_argument(
            "--follow", type=positive, metavar="SECONDS", help="sync with this period until stopped (SIGTERM, Ctrl-C)"
        )
        parser.add_argument(
            "--all-jobs",
            action="store_true",
            help="from now on also copy jobs that have ended; an interrupted copy is continued",
        )
        parser.add_argument(
            "--concurrency",
            type=positive,
            default=1,
            metavar="N",
            help="maximal number of requests at the same time (default: 1)",
        )
        parser.add_argument(
            "--replace", action="store_true", help="remove instances, groups and jobs that did not come from that AWX"
        )
        parser.add_argument(
            "--detach",
            action="store_true",
            help="end the mirror: its records stay and can be changed here; jobs that have not ended are removed",
        )

    def handle(self, *args: Any, detach: bool, follow: int | None, **options: Any) -> None:
        refuse_shared_connections("sync_awx", "its connection has the lock that lets one sync run at a time")
        refuse_unfit_pooler()
        refuse_unmigrated_database()
        if detach:
            self.detach()
            return
        progress = Progress(sys.stderr)
        access = access_of(options, progress)
        plan = Plan(url_of(options), follow, options["all_jobs"], options["replace"])
        with progress, stopped_by_signals() as stopping:
            sync = Sync(access, plan, stopping, on_progress=progress.show_read, concurrency=options["concurrency"])
            try:
                if follow is None:
                    self.sync(sync, progress)
                else:
                    self.follow(sync, progress, follow)
            except FAILURES as error:
                if not progress.is_log:
                    raise CommandError(message_of(error), returncode=exit_code(error)) from None
                progress.report("failed", message_of(error), exit_code=exit_code(error))
                raise SystemExit(exit_code(error)) from None

    def detach(self) -> None:
        try:
            mirror = writing.detach()
        except SyncRunningError as error:
            raise CommandError(f"{error} Stop it first.", returncode=exit_code(error)) from None
        if mirror is None:
            raise CommandError(NO_MIRROR)
        self.stdout.write(f"This service no longer mirrors {mirror.url}. The records can be changed here.")
        if (version := spoken.version_for(mirror.version)) != spoken.DEFAULT:
            self.stdout.write(f"Set AWX_VERSION={version}, so that it goes on to speak as AWX {version}.")

    def sync(self, sync: Sync, progress: "Progress") -> None:
        began = time.monotonic()
        with progress.collect_names():
            counts = sync.run()
        seconds = time.monotonic() - began
        progress.report(
            "synced",
            summary(sync.plan.url, counts, seconds),
            seconds=round(seconds, 3),
            records={kind: asdict(count) for kind, count in counts.items()},
        )

    def follow(self, sync: Sync, progress: "Progress", period: int) -> None:
        """Sync every ``period`` seconds until stopped. Failures are reported, and the next sync tries again.

        Raises the error of the first sync if it is not temporary, such as a wrong address. Also raises an error if the
        mirror was detached (OccupiedError), or if the AWX has more than a sync may read (LimitError).
        """
        is_first = True
        while not sync.stopping.is_set():
            began, pause = time.monotonic(), SHORTEST_PAUSE
            close_old_connections()  # a connection lost since the last sync must not fail this one
            try:
                self.sync(sync, progress)
                sync = replace(sync, plan=replace(sync.plan, replace=False, goes_on=True))
            except StoppedError:
                return
            except FAILURES as error:
                if isinstance(error, OccupiedError | LimitError) or (is_first and exit_code(error) not in PASSING):
                    raise
                progress.report("failed", message_of(error))
                pause = max(pause, getattr(error, "seconds", 0.0))
            except DatabaseError as error:
                progress.report("failed", f"Database error: {' '.join(str(error).split())}")
                close_old_connections()
                with suppress(DatabaseError):
                    writing.store_failure("The database failed.")
            is_first = False
            sync.stopping.wait(max(pause, period - (time.monotonic() - began)))


def exit_code(error: Exception) -> int:
    match error:
        case SourceError():
            return error.exit_code
        case SnapshotError():
            return NotAWXError.exit_code
        case SyncRunningError():
            return BUSY
        case StoppedError():
            return STOPPED
    return 1


def message_of(error: Exception) -> str:
    match error:
        case SnapshotError():
            return f"The AWX's records are invalid: {'; '.join(str(error).splitlines())}"
        case StoppedError():
            return "Stopped before all records were copied."
    return str(error)


def url_of(options: dict[str, Any]) -> str:
    """The address of the AWX, without a slash at its end. Another path of its API than AWX's own is a part of it."""
    host, root = host_and_root(options)
    return f"{host}{root.path}"


def host_and_root(options: dict[str, Any]) -> tuple[str, Root]:
    """The address of the AWX's host, without a path, and where the AWX is on it."""
    text: str = (options["url"] or "").rstrip("/")
    root = None
    try:
        url = httpx.URL(text)
        path = urlsplit(text).path
        if url.scheme in ("http", "https") and url.host and "?" not in text and "#" not in text:
            root = root_of(path)
    except (httpx.InvalidURL, UnicodeError, ValueError):
        pass
    if root is None:
        raise CommandError(
            "--url must be the address of an AWX, as https://awx.example.org or https://example.org/awx, and may end "
            "with the path of its API",
            returncode=2,
        )
    if url.userinfo:
        raise CommandError("--url must not have a user or password: use --username and --password-file", returncode=2)
    return text.removesuffix(path), root


def access_of(options: dict[str, Any], progress: "Progress") -> Access:
    """Address and credentials of the AWX. Secrets come from files: all users of a machine can see arguments."""
    (host, root), token_file, password_file = host_and_root(options), options["token_file"], options["password_file"]
    if bool(token_file) == bool(password_file) or bool(options["username"]) != bool(password_file):
        raise CommandError("Either --token-file is needed, or --username and --password-file", returncode=2)
    if options["insecure"] and options["ca_file"]:
        raise CommandError("--insecure and --ca-file exclude each other", returncode=2)
    if options["insecure"]:
        progress.report(
            "warning", "The certificate of the AWX is not verified: another server could get the credentials."
        )
    if host.startswith("http:") and not names_this_machine(httpx.URL(host).host):
        progress.report("warning", "The credentials are sent unencrypted, since --url is not https.")
    return Access(
        host,
        root=root,
        token=read_secret(token_file) if token_file else "",
        username=options["username"] or "",
        password=read_secret(password_file) if password_file else "",
        verify=False if options["insecure"] else ssl_context(options["ca_file"]),
    )


def names_this_machine(host: str) -> bool:
    return host == "localhost" or is_loopback(host)


def read_secret(file: str) -> str:
    try:
        secret = Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'no text file'}") from None
    if not secret or not secret.isprintable() or not secret.isascii():
        raise CommandError(f"{file} must contain one line of ASCII, the token or the password")
    return secret


def ssl_context(ca_file: str | None) -> ssl.SSLContext:
    """An SSL context that trusts the system's certificate authorities, or those of ``ca_file``."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # an ssl.SSLError is one
        raise CommandError(f"{ca_file} has no certificates: {error.strerror or error}") from None


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set. A second signal ends the process.

    A thread sets the event: a signal handler would run within the event's own ``wait()``, or only after it.
    """
    stopping, signals = threading.Event(), (signal.SIGTERM, signal.SIGINT)
    received, sent = socket.socketpair()
    sent.setblocking(False)

    def set_at_a_byte() -> None:
        if received.recv(1):
            stopping.set()

    def restore_default(signum: int, frame: object) -> None:
        signal.signal(signum, signal.SIG_DFL)

    waiting = threading.Thread(target=set_at_a_byte, daemon=True)
    waiting.start()
    handlers = {signum: signal.signal(signum, restore_default) for signum in signals}
    descriptor_before = signal.set_wakeup_fd(sent.fileno(), warn_on_full_buffer=False)
    mask_before = signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)  # the parent process may have blocked them
    try:
        yield stopping
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask_before)
        signal.set_wakeup_fd(descriptor_before)
        for signum, handler in handlers.items():
            signal.signal(signum, handler)
        sent.close()
        waiting.join()
        received.close()


def summary(url: str, counts: Counts, seconds: float) -> str:
    kinds = ", ".join(
        f"{count.total} {kind} ({count.new} new, {count.changed} changed, {count.gone} gone)"
        for kind, count in counts.items()
    )
    return f"Synced {url} in {seconds:.1f} s: {kinds}."
