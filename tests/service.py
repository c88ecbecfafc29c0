"""The service as an operator runs it: its own database, its own processes, asked over HTTP."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import psycopg
import requests
from django.db import connection
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

PROJECT = Path(__file__).resolve().parent.parent
DATASET = PROJECT / "tests" / "contract" / "dataset.json"


@contextlib.contextmanager
def new_database(template: str = "template1") -> Iterator[str]:
    """A database of its own on the server that the tests run on, a copy of ``template``; yields its DATABASE_URL."""
    connection.ensure_connection()
    name = f"test_service_{uuid.uuid4().hex[:12]}"
    server = connection.connection.info
    password = f" password={server.password}" if server.password else ""
    url = f"host={server.host} port={server.port} user={server.user}{password} dbname="
    with psycopg.connect(url + "postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (name, template))))
    try:
        yield url + name
    finally:
        with psycopg.connect(url + "postgres", autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextlib.contextmanager
def connected_to(url: str) -> Iterator[None]:
    """Let Django's connection of this process lead to the database at ``url``."""
    parts = conninfo_to_dict(url)
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    before = connection.settings_dict.copy()
    connection.close()
    connection.settings_dict.update({name: str(parts.get(part, "")) for name, part in names.items()})
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)


def environment(url: str, **changes: str) -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "settings.test", **changes}


def manage(url: str, *arguments: str, check: bool = True, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run ``manage.py`` with these arguments on the database at ``url``."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env=environment(url, **changes),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def served(url: str, workers: int = 1, **changes: str) -> contextlib.AbstractContextManager[str]:
    """``manage.py serve`` on the database at ``url``; yields the address, without a slash at its end."""
    return served_by([sys.executable, "manage.py", "serve", "--workers", str(workers)], url, **changes)


@contextlib.contextmanager
def served_by(command: Sequence[str], url: str, **changes: str) -> Iterator[str]:
    """The service as ``command`` serves it, to which ``--bind`` tells where."""
    with (
        tempfile.TemporaryFile("w+") as log,  # a pipe that nobody reads would fill up and stop the server
        logging_into(log, command, url, **changes) as address,
    ):
        yield address


@contextlib.contextmanager
def logging_into(log: IO[str], command: Sequence[str], url: str, **changes: str) -> Iterator[str]:
    """The same, which logs into the file ``log``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [*command, "--bind", f"127.0.0.1:{port}"],
        cwd=PROJECT,
        env=environment(url, **changes),
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        wait_for(address, server)
        yield address
    finally:
        has_ended = server.poll() is not None
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)
        log.seek(0)
        output = log.read()
        if has_ended:
            print(output, file=sys.stderr)
    assert "Traceback" not in output, output


def wait_for(address: str, server: subprocess.Popen[Any], seconds: float = 30) -> None:
    """Return once the service answers; fail, with what its pipe holds, if it ends or stays silent."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert server.poll() is None, server.communicate()[0]
        with contextlib.suppress(requests.ConnectionError):
            requests.get(f"{address}/api/v2/ping/", timeout=5)
            return
        time.sleep(0.05)
    raise AssertionError(f"{address} did not answer within {seconds} s")
