"""Two servers behind nginx or HAProxy, each started with its example in deploy/."""

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx
from cryptography.hazmat.primitives.asymmetric import ec

from tests.deploy.programs import environment, program
from tests.service import PROJECT, logging_into
from tests.test_serve_processes import free_port, write_pair
from tests.test_worker import until

NAME = "awx.example.org"  # of the service, in the examples
CLIENT = "127.0.0.9"  # the address of the test's clients, in the same network as the proxy
SERVE = [sys.executable, "manage.py", "serve", "--workers", "1"]
BEHIND_HTTPS = {"HTTPS": "true", "ALLOWED_HOSTS": NAME, "TRUSTED_PROXIES": "127.0.0.0/8", "LOG_FORMAT": "json"}
ADMIN = {"Authorization": "Bearer oracle-admin-token"}
EXAMPLES = {"nginx": PROJECT / "deploy" / "nginx.conf", "haproxy": PROJECT / "deploy" / "haproxy.cfg"}


def lines_of(log: IO[str]) -> list[str]:
    """The whole lines of a file that a process goes on to write, whose position is that process's too."""
    return os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0).decode().split("\n")[:-1]


@dataclass
class Server:
    """One of the servers behind a proxy."""

    url: str  # of its database
    address: str
    log: IO[str]

    def requests(self) -> list[dict[str, Any]]:
        """What it has logged of requests."""
        records = [json.loads(line) for line in lines_of(self.log) if line.startswith("{")]
        return [record for record in records if record["logger"] == "access"]


@contextlib.contextmanager
def server(url: str, **changes: str) -> Iterator[Server]:
    with (
        tempfile.TemporaryFile("w+") as log,
        logging_into(log, SERVE, url, **{**BEHIND_HTTPS, **changes}) as address,
    ):
        yield Server(url, address.removeprefix("http://"), log)


@dataclass
class Proxy:
    """A proxy before these servers; its folder has the certificate, which is for localhost."""

    folder: Path
    servers: list[Server]
    log: IO[str]
    http: int = field(default_factory=free_port)
    https: int = field(default_factory=free_port)

    def client(self, scheme: str = "https", **more: Any) -> httpx.Client:
        tls = ssl.create_default_context(cafile=str(self.folder / "certificate.pem"))
        transport = httpx.HTTPTransport(verify=tls, local_address=CLIENT)
        port = self.https if scheme == "https" else self.http
        headers = {"Host": NAME, **ADMIN}
        return httpx.Client(
            transport=transport, base_url=f"{scheme}://localhost:{port}", headers=headers, timeout=20, **more
        )

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        with self.client() as client:
            return client.request(method, path, **more)

    def logged(self) -> list[dict[str, Any]]:
        """What the servers have logged of requests."""
        return [record for server in self.servers for record in server.requests()]


Command = tuple[list[str], dict[str, str]]  # and what it adds to the environment


def nginx(example: str, proxy: Proxy) -> Command:
    """The example is included as Debian's nginx.conf includes it."""
    certificate, key = proxy.folder / "certificate.pem", proxy.folder / "key.pem"
    changes = {
        "listen 80": f"listen 127.0.0.1:{proxy.http}",
        "listen 443": f"listen 127.0.0.1:{proxy.https}",
        "/etc/ssl/certs/awx.example.org.pem": str(certificate),
        "/etc/ssl/private/awx.example.org.key": str(key),
        "192.0.2.1:8000": proxy.servers[0].address,
        "192.0.2.2:8000": proxy.servers[1].address,
    }
    for before, after in changes.items():
        example = example.replace(before, after)
    (proxy.folder / "site.conf").write_text(example)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = " ".join(f"{kind}_temp_path {proxy.folder / kind};" for kind in kinds)
    user = "user root;" if os.getuid() == 0 else ""  # which may read the folder
    main = f"{user} daemon off; pid {proxy.folder}/pid; error_log stderr; events {{}}"
    (proxy.folder / "nginx.conf").write_text(f"{main} http {{ access_log off; {paths} include site.conf; }}")
    return [program("nginx"), "-c", str(proxy.folder / "nginx.conf"), "-e", "stderr"], {}


def haproxy(example: str, proxy: Proxy) -> Command:
    """The example reads from the environment what is particular to a site."""
    (proxy.folder / "haproxy.cfg").write_text(example)
    pair = [(proxy.folder / name).read_text() for name in ("certificate.pem", "key.pem")]
    (proxy.folder / "both.pem").write_text("".join(pair))
    return [program("haproxy"), "-f", str(proxy.folder / "haproxy.cfg")], {
        "HTTP": f"127.0.0.1:{proxy.http}",
        "HTTPS": f"127.0.0.1:{proxy.https}",
        "CERTIFICATE": str(proxy.folder / "both.pem"),
        "SERVER_ONE": proxy.servers[0].address,
        "SERVER_TWO": proxy.servers[1].address,
    }


PROXIES: dict[str, Callable[[str, Proxy], Command]] = {"nginx": nginx, "haproxy": haproxy}


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


@contextlib.contextmanager
def started(name: str, servers: list[Server], example: str | None = None) -> Iterator[Proxy]:
    """The proxy of that name, with its example or with another text. AssertionError if it ends at once."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as log:
        proxy = Proxy(Path(folder), servers, log)
        write_pair(proxy.folder, ec.generate_private_key(ec.SECP256R1()))
        command, changes = PROXIES[name](EXAMPLES[name].read_text() if example is None else example, proxy)
        process = subprocess.Popen(command, env=environment(**changes), stdout=log, stderr=log)
        try:
            until(lambda: accepts(proxy.http) or accepts(proxy.https) or process.poll() is not None)
            if process.poll() is not None:
                raise AssertionError("\n".join(lines_of(log)))
            yield proxy
        finally:
            process.terminate()
            process.wait(timeout=30)
