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
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, Any
from unittest import mock

import httpx
import psycopg
import requests
from django.db import connection
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

PROJECT = Path(__file__).resolve().parent.parent
DATASET = PROJECT / "tests" / "contract" / "dataset.json"
DATASET24 = PROJECT / "tests" / "contract24" / "dataset.json"


def server() -> str:
    """How to reach the PostgreSQL that the tests run on, as libpq reads it, without the name of a database."""
    parameters = connection.get_connection_params()  # which starts it, where it is the embedded one
    return make_conninfo(
        **{part: parameters[part] for part in ("host", "port", "user", "password") if part in parameters}
    )


def administration() -> psycopg.Connection:
    return psycopg.connect(f"{server()} dbname=postgres", autocommit=True)


@contextlib.contextmanager
def new_database(template: str = "template1") -> Iterator[str]:
    """A database of its own on the server that the tests run on, a copy of ``template``; yields its DATABASE_URL."""
    name = f"test_service_{uuid.uuid4().hex[:12]}"
    with administration() as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (name, template))))
    try:
        yield f"{server()} dbname={name}"
    finally:
        with administration() as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextlib.contextmanager
def shared_template(name: str, fill: Callable[[str], object], template: str = "template1") -> Iterator[str]:
    """The name of a database to be copied, for all processes that give the same ``name``; the last one removes it.

    It begins as a copy of ``template``. The first process lets ``fill`` write into it, given its DATABASE_URL, while
    the others wait for a lock of the server's, which is what they have in common wherever they run.
    """
    making, using = f"making {name}", f"using {name}"
    with administration() as admin:

        def lock(call: str, what: str) -> bool:
            row = admin.execute(sql.SQL("SELECT {}(hashtext(%s))").format(sql.Identifier(call)), [what]).fetchone()
            return row == (True,)

        lock("pg_advisory_lock", making)
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            with new_database(template) as url:
                fill(url)
                made = url.rpartition("=")[2]
                admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (name, made))))
        lock("pg_advisory_lock_shared", using)
        lock("pg_advisory_unlock", making)
        yield name
        lock("pg_advisory_lock", making)
        lock("pg_advisory_unlock_shared", using)
        if lock("pg_try_advisory_lock", using):
            admin.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


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


@contextlib.contextmanager
def in_process(url: str) -> Iterator[httpx.Client]:
    """A client of the WSGI application that production serves, in this process and on the database at ``url``.

    For what does not depend on the server: neither a process nor a connection is made for it.
    """
    with mock.patch.dict(os.environ), connected_to(url):  # the module sets what processes of its own shall have
        application = import_module("settings.wsgi").application

    def asked(environ: dict[str, Any], start_response: Any) -> Any:
        environ["PATH_INFO"] = environ["PATH_INFO"].encode().decode("latin-1")  # as WSGI has it, and httpx has not
        return application(environ, start_response)

    with connected_to(url), httpx.Client(transport=httpx.WSGITransport(asked), base_url="http://127.0.0.1") as client:
        yield client


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


def wait_for(address: str, server: subprocess.Popen[Any], seconds: float = 120) -> None:
    """Return once the service answers; fail, with what its pipe holds, if it ends or stays silent."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert server.poll() is None, server.communicate()[0]
        with contextlib.suppress(requests.ConnectionError):
            requests.get(f"{address}/api/v2/ping/", timeout=5)
            return
        time.sleep(0.05)
    raise AssertionError(f"{address} did not answer within {seconds} s")
