"""A PostgreSQL server of a test's own, which is really stopped, started and made to hang."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import psutil
import psycopg

from settings import embedded
from settings.embedded import keeper


def run_program(name: str, *arguments: str) -> str:
    """Run a program of PostgreSQL's, as ``pg_dump``; what it prints."""
    done = subprocess.run([embedded.programs() / name, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def dumped_schema(url: str) -> list[str]:
    """The schema of a database as pg_dump writes it, line by line, without the commands of psql, which are random.

    Also without casts and parentheses: PostgreSQL writes those of a condition in another way once it was restored.
    """
    lines = run_program("pg_dump", "--schema-only", "--no-owner", "--no-privileges", url).splitlines()
    shown = (re.sub(r"::(character varying|text)\b(\[\])?|[()]", "", line) for line in lines)
    return [line for line in shown if line and not line.startswith(("\\", "--"))]


class Server:
    """PostgreSQL on a socket alone, with its data in a folder of its own."""

    def __init__(self, variables: Mapping[str, str] = MappingProxyType({})) -> None:
        self.variables = variables  # of its environment, beside those that it has here, too
        self.folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self.data = self.folder / "data"
        self.account = embedded.account(self.data)
        self.socket = embedded.socket_folder(*self.account)
        lock = embedded.open_lock(self.folder / "lock")
        embedded.initialize(self.data, *self.account, lock)
        os.close(lock)
        self.start()

    def url(self, name: str) -> str:
        """The DATABASE_URL of the database with this name."""
        return f"host={self.socket} port={embedded.PORT} user={embedded.USER} dbname={name}"

    def create(self, name: str) -> str:
        with psycopg.connect(self.url("postgres"), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def stop(self) -> None:
        """Close all connections and end; who asks now is refused."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=60)

    def start(self) -> None:
        options = keeper.run_as(*self.account)
        options["env"].update(self.variables)
        with embedded.opened(self.data) as (place, number):
            self.process = subprocess.Popen(
                embedded.command(place, self.socket, *self.account),
                pass_fds=(number,),
                stderr=subprocess.DEVNULL,
                **options,
            )
        deadline = time.monotonic() + 60
        while not embedded.answers(self.socket):
            assert self.process.poll() is None, "PostgreSQL has not started"
            assert time.monotonic() < deadline, "PostgreSQL does not answer"
            time.sleep(0.02)

    def remove(self) -> None:
        """Stop it for good."""
        self.stop()
        shutil.rmtree(self.socket)
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
        postmaster = psutil.Process(self.process.pid)
        postmaster.suspend()  # first, so that it makes no more
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        try:
            yield
        finally:
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()
