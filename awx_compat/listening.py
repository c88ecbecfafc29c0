"""Where ``manage.py serve`` listens: an address or a Unix socket, with TLS or without. What is unusable is refused."""

import logging
import resource
import socket
import ssl
from argparse import ArgumentTypeError
from pathlib import Path
from stat import S_ISSOCK
from typing import Any

from django.core.management.base import CommandError

logger = logging.getLogger(__name__)

MOST_CONNECTIONS = 10_000  # per process; an idle connection takes some kB
OTHER_FILES = 256  # open files of a process beside its connections
UNIX = "unix:"
MODE = 0o660  # of a Unix socket: who may write to it may connect

Place = tuple[str, int] | Path


def place(text: str) -> Place:
    """Host and port of ``HOST:PORT``, where an IPv6 host is in brackets, or the path of ``unix:PATH``.

    Raises ArgumentTypeError.
    """
    if text.startswith(UNIX) and (path := text.removeprefix(UNIX)):
        return Path(path).absolute()
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if (
        not colon
        or not host
        or (":" in host and not bracketed)
        or not (port.isascii() and port.isdecimal() and int(port) < 65536)
    ):
        raise ArgumentTypeError(f"{text!r} is neither HOST:PORT, as in 127.0.0.1:8000, nor unix:PATH")
    return host.removeprefix("[").removesuffix("]"), int(port)


def mode(text: str) -> int:
    """The permissions of a file of ``660``. Raises ArgumentTypeError."""
    if not (len(text) in (3, 4) and set(text) <= set("01234567") and int(text, 8) <= 0o777):
        raise ArgumentTypeError(f"{text!r} is not a file's mode, as in 660")
    return int(text, 8)


def name_of(bind: Place) -> str:
    if isinstance(bind, Path):
        return f"{UNIX}{bind}"
    host, port = bind
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def place_options(bind: Place, socket_mode: int) -> dict[str, Any]:
    """granian's options for this place."""
    if isinstance(bind, Path):
        return {"uds": bind, "uds_permissions": socket_mode}
    return {"address": bind[0], "port": bind[1]}


def refuse_used_place(bind: Place) -> None:
    """Raise CommandError if ``bind`` cannot be listened on. A socket that a killed server left is removed."""
    try:
        if isinstance(bind, Path):
            remove_stale_socket(bind)
            with socket.socket(socket.AF_UNIX) as trial:
                trial.bind(str(bind))
            bind.unlink()
        else:
            socket.create_server(bind, family=socket.AF_INET6 if ":" in bind[0] else socket.AF_INET).close()
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]  # after which socket names the address again
        raise CommandError(f"Cannot listen at {name_of(bind)}: {reason}") from None


def remove_stale_socket(path: Path) -> None:
    """Remove the socket at ``path`` if no process listens on it. Any other file stays."""
    if not path.exists() or not S_ISSOCK(path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()


def tls_options(certificate: Path | None, key: Path | None) -> dict[str, Any]:
    """granian's options for these PEM files; empty without them. Raises CommandError if they cannot be used."""
    if certificate is None and key is None:
        return {}
    if certificate is None or key is None:
        raise CommandError("--certificate and --key are needed together.")
    for file in (certificate, key):
        try:
            file.read_bytes()
        except OSError as error:
            raise CommandError(f"Cannot read {file}: {error.strerror}.") from None
    try:
        # An encrypted key would be asked for on the terminal, if the password was not given here.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        reason = (error.reason or "they are no PEM files, or the key is encrypted").replace("_", " ").lower()
        raise CommandError(f"{certificate} and {key} are no certificate with its key: {reason}.") from None
    return {"ssl_cert": certificate, "ssl_key": key}


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
