"""A PgBouncer of a test's own, before a PostgreSQL of its own: Debian's, or the one that PGBOUNCER names."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from settings.embedded import keeper
from tests.postgresql import Server
from tests.service import PROJECT

UNPACKED = PROJECT / ".venv" / "pgbouncer"  # by tests/pgbouncer/install
LIBRARIES = [*UNPACKED.glob("usr/lib/*/libevent-*.so*"), *UNPACKED.glob("usr/lib/*/libcares.so*")]
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", str(UNPACKED / "usr" / "sbin")])
PGBOUNCER = os.environ.get("PGBOUNCER") or shutil.which("pgbouncer", path=PATH)
needs_pgbouncer = pytest.mark.skipif(
    PGBOUNCER is None, reason="pgbouncer is not there: tests/pgbouncer/install .venv, or PGBOUNCER"
)
ROLE = "awx"  # no superuser, and the owner of its database


def version() -> tuple[int, int]:
    environment = {**os.environ, "LD_LIBRARY_PATH": str(LIBRARIES[0].parent) if LIBRARIES else ""}
    said = subprocess.run([str(PGBOUNCER), "--version"], env=environment, capture_output=True, text=True, check=True)
    major, minor = re.findall(r"\d+", said.stdout)[:2]
    return int(major), int(minor)


class Pooler:
    """PgBouncer in this mode, with at most ``size`` connections to the server."""

    def __init__(self, server: Server, mode: str, size: int = 40, **options: str) -> None:
        self.server = server
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        # A folder that the account reaches, which may not see this project.
        self.folder = Path(server.socket).with_name(f"pgbouncer-{self.port}")
        self.folder.mkdir(mode=0o700)
        shutil.copy(str(PGBOUNCER), self.folder / "pgbouncer")
        for library in LIBRARIES:
            shutil.copy(library, self.folder)
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "any",  # who reaches the port is ROLE
            "admin_users": "console",
            "pool_mode": mode,
            "default_pool_size": str(size),
            **options,
        }
        lines = ["[databases]", f"* = host={server.socket} port=5432 user={ROLE}", "[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in settings.items()]
        (self.folder / "pgbouncer.ini").write_text("\n".join(lines))
        for path in (self.folder, *self.folder.iterdir()):
            os.chown(path, *server.account)
        self.start()

    def url(self, name: str) -> str:
        return f"host=127.0.0.1 port={self.port} user={ROLE} dbname={name}"

    def start(self) -> None:
        account = keeper.run_as(*self.server.account)
        account["env"]["LD_LIBRARY_PATH"] = str(self.folder)
        self.process = subprocess.Popen(
            [self.folder / "pgbouncer", "--quiet", self.folder / "pgbouncer.ini"], stderr=subprocess.DEVNULL, **account
        )
        deadline = time.monotonic() + 30
        while True:
            assert self.process.poll() is None, "PgBouncer has not started"
            assert time.monotonic() < deadline, "PgBouncer does not answer"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.02)

    def restart(self) -> None:
        self.process.kill()  # SIGTERM lets new versions wait for their clients, which stay
        self.process.wait(timeout=30)
        self.start()

    def reconnect(self) -> None:
        """Let it make new connections to the server, as an operator does at its console."""
        with psycopg.connect(
            f"host=127.0.0.1 port={self.port} user=console dbname=pgbouncer", autocommit=True
        ) as console:
            console.pgconn.exec_(b"RECONNECT")

    def remove(self) -> None:
        self.process.kill()
        self.process.wait(timeout=30)
        shutil.rmtree(self.folder)


@contextlib.contextmanager
def pooled(server: Server, mode: str, size: int = 40, **options: str) -> Iterator[Pooler]:
    pooler = Pooler(server, mode, size, **options)
    try:
        yield pooler
    finally:
        pooler.remove()


def server_for_poolers() -> Server:
    """A PostgreSQL that trusts whoever reaches its socket: PgBouncer cannot log in by the name of an account."""
    server = Server()
    (Path(server.socket) / "pg_hba.conf").write_text(f"local all {ROLE} trust\nlocal all all peer map=owner\n")
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute("SELECT pg_reload_conf()")
        admin.execute(f"CREATE ROLE {ROLE} LOGIN")
    return server
