"""The processes of ``manage.py serve`` and the places where it listens: names, ends, replacement, sockets and TLS."""

import contextlib
import datetime
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.service import PROJECT, environment, logging_into, manage, wait_for
from tests.test_worker import until

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

ADMIN = {"Authorization": "Bearer oracle-admin-token"}
SERVE = [sys.executable, "manage.py", "serve"]


@contextlib.contextmanager
def started(url: str, port: int, *arguments: str, **changes: str) -> Iterator[psutil.Process]:
    """A server with two processes, which a test may kill."""
    command = [*SERVE, "--workers", "2", "--bind", f"127.0.0.1:{port}", *arguments]
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen(command, cwd=PROJECT, env=environment(url, **changes), stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{port}", server)
            yield psutil.Process(server.pid)
        finally:
            server.kill()
            server.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def title(process: psutil.Process) -> str:
    return " ".join(process.cmdline()).strip()


def workers_of(server: psutil.Process) -> list[psutil.Process]:
    return [child for child in server.children() if " worker-" in title(child)]


def test_a_killed_server_takes_its_processes_with_it_and_the_next_one_starts(dataset_url: str) -> None:
    port = free_port()
    for _ in range(2):
        with started(dataset_url, port) as server:
            until(lambda server=server: len(workers_of(server)) == 2)
            children = server.children(recursive=True)
            server.kill()
            gone, left = psutil.wait_procs(children, timeout=5)
            assert not left
            assert len(gone) >= 2
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{port}/healthz", timeout=2)


def test_a_server_that_is_killed_while_it_starts_leaves_nothing(dataset_url: str) -> None:
    port = free_port()
    command = [*SERVE, "--workers", "2", "--bind", f"127.0.0.1:{port}"]
    for moment in range(4):
        server = subprocess.Popen(command, cwd=PROJECT, env=environment(dataset_url), stderr=subprocess.DEVNULL)
        process = psutil.Process(server.pid)
        until(lambda process=process: process.children())
        time.sleep(moment * 0.3)
        children = process.children()
        server.kill()
        server.wait()
        assert not psutil.wait_procs(children, timeout=10)[1]


def test_processes_are_named_for_what_they_do(dataset_url: str) -> None:
    port = free_port()
    with started(dataset_url, port) as server:
        until(lambda: len(workers_of(server)) == 2)
        name = f"awx-instance-service serve 127.0.0.1:{port}"
        assert title(server) == name
        assert sorted(map(title, workers_of(server))) == [f"{name} worker-1", f"{name} worker-2"]
    worker = subprocess.Popen([sys.executable, "manage.py", "worker"], cwd=PROJECT, env=environment(dataset_url))
    try:
        until(lambda: title(psutil.Process(worker.pid)) == "awx-instance-service worker")
    finally:
        worker.terminate()
        worker.wait(30)


def test_nothing_is_said_of_websockets(dataset_url: str) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    with tempfile.TemporaryFile("w+") as log:
        with logging_into(log, [*SERVE, "--workers", "1"], dataset_url) as address:
            requests.get(f"{address}/api/v2/ping/", headers={**upgrade, "Sec-WebSocket-Key": "x" * 22 + "=="})
        log.seek(0)
        assert "websocket" not in log.read().lower()


def test_sighup_replaces_the_processes_one_by_one(dataset_url: str, tmp_path: Path) -> None:
    """Whoever asks meanwhile is answered, and the new processes read the files that settings name again."""
    host = tmp_path / "host"
    host.write_text("before.example.org")
    port = free_port()
    address, statuses = f"http://127.0.0.1:{port}", set()

    def node() -> str:
        response = requests.get(f"{address}/api/v2/instances/1/", headers=ADMIN, timeout=10)
        statuses.add(response.status_code)
        return response.headers["X-API-Node"]

    with started(dataset_url, port, CLUSTER_HOST_ID="", CLUSTER_HOST_ID_FILE=str(host)) as server:
        until(lambda: len(workers_of(server)) == 2)
        before = workers_of(server)
        assert node() == "before.example.org"
        host.write_text("after.example.org")
        server.send_signal(1)
        while any(process.is_running() for process in before):
            node()
        assert [node() for _ in range(10)] == ["after.example.org"] * 10
        assert len(workers_of(server)) == 2
    assert statuses == {200}


# --- Unix sockets


def test_a_unix_socket_is_listened_on(dataset_url: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "awx.sock"
        for modes in ([], ["--socket-mode", "600"]):
            command = [*SERVE, "--workers", "1", "--bind", f"unix:{path}", *modes]
            with tempfile.TemporaryFile("w+") as log:
                server = subprocess.Popen(command, cwd=PROJECT, env=environment(dataset_url), stdout=log, stderr=log)
                try:
                    until(lambda: is_listened_on(path))
                    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://awx") as client:
                        record = client.get("/api/v2/instances/1/", headers=ADMIN)
                    assert record.json()["id"] == 1
                    assert path.stat().st_mode & 0o777 == (0o600 if modes else 0o660)
                    again = manage(dataset_url, "serve", "--bind", f"unix:{path}", check=False)
                    assert (again.returncode, "Traceback" in again.stderr) == (1, False)
                    assert f"Cannot listen at unix:{path}: Address already in use" in again.stderr
                finally:
                    server.kill()  # which leaves the socket, and the next start removes it
                    server.wait()
                until(lambda: not is_listened_on(path))
                log.seek(0)
                assert "Traceback" not in log.read()
                assert path.exists()


def is_listened_on(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def answers(client: httpx.Client) -> bool:
    with contextlib.suppress(httpx.ConnectError):
        return client.get("/healthz").text == "ok"
    return False


@pytest.mark.parametrize("kind", ["file", "folder", "missing folder", "long"])
def test_a_socket_that_cannot_be_made_is_refused_in_words(kind: str, dataset_url: str, tmp_path: Path) -> None:
    path = {"missing folder": tmp_path / "no" / "s", "long": tmp_path / ("s" * 200)}.get(kind, tmp_path / "there")
    if kind == "file":
        path.write_text("precious")
    if kind == "folder":
        path.mkdir()
    done = manage(dataset_url, "serve", "--bind", f"unix:{path}", check=False)
    assert done.returncode == 1
    assert f"Cannot listen at unix:{path}: " in done.stderr
    assert "Traceback" not in done.stderr
    assert kind != "file" or path.read_text() == "precious"


# --- TLS


KEYS = {"RSA": lambda: rsa.generate_private_key(65537, 2048), "EC": lambda: ec.generate_private_key(ec.SECP256R1())}
FORMATS = (serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL)


def write_pair(folder: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, form: object = FORMATS[0]) -> None:
    """``certificate.pem`` for localhost and ``key.pem``."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    encoded = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())  # type: ignore[arg-type]
    (folder / "key.pem").write_bytes(encoded)


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("form", FORMATS, ids=["PKCS8", "traditional"])
def test_tls_is_spoken_with_the_given_certificate(kind: str, form: object, dataset_url: str, tmp_path: Path) -> None:
    write_pair(tmp_path, KEYS[kind](), form)
    port, files = free_port(), [str(tmp_path / name) for name in ("certificate.pem", "key.pem")]
    command = [*SERVE, "--workers", "1", "--bind", f"127.0.0.1:{port}", "--certificate", files[0], "--key", files[1]]
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen(
            command, cwd=PROJECT, env=environment(dataset_url, HTTPS="true"), stdout=log, stderr=log
        )
        try:
            context = ssl.create_default_context(cafile=files[0])
            with httpx.Client(verify=context, base_url=f"https://localhost:{port}") as client:
                until(lambda: answers(client))
                response = client.get("/api/v2/instances/1/", headers=ADMIN)
                assert response.json()["id"] == 1
                assert "Strict-Transport-Security" in response.headers
        finally:
            server.terminate()
            server.wait(30)
        log.seek(0)
        assert "Traceback" not in log.read()


def bad_pairs(folder: Path) -> dict[str, tuple[list[str], str]]:
    """Arguments that name unusable files, and a part of the message."""
    write_pair(folder, KEYS["EC"]())
    certificate, key, other = (folder / name for name in ("certificate.pem", "key.pem", "other.pem"))
    plain = serialization.PrivateFormat.PKCS8
    other.write_bytes(
        KEYS["EC"]().private_bytes(serialization.Encoding.PEM, plain, serialization.BestAvailableEncryption(b"secret"))
    )
    (folder / "text").write_text("no certificate")
    foreign = folder / "foreign.pem"
    foreign.write_bytes(KEYS["EC"]().private_bytes(serialization.Encoding.PEM, plain, serialization.NoEncryption()))
    return {
        "alone": (["--certificate", str(certificate)], "needed together"),
        "key alone": (["--key", str(key)], "needed together"),
        "missing": (["--certificate", str(certificate), "--key", str(folder / "no")], "Cannot read"),
        "folder": (["--certificate", str(folder), "--key", str(key)], "Cannot read"),
        "text": (["--certificate", str(folder / "text"), "--key", str(key)], "no certificate with its key"),
        "encrypted": (["--certificate", str(certificate), "--key", str(other)], "no certificate with its key"),
        "foreign": (["--certificate", str(certificate), "--key", str(foreign)], "key values mismatch"),
    }


@pytest.mark.parametrize("kind", ["alone", "key alone", "missing", "folder", "text", "encrypted", "foreign"])
def test_files_for_tls_that_cannot_be_used_are_refused_in_words(kind: str, tmp_path: Path) -> None:
    arguments, part = bad_pairs(tmp_path)[kind]
    done = manage("dbname=nothing host=127.0.0.1 port=1", "serve", *arguments, check=False)
    assert done.returncode == 1
    assert part in done.stderr
    assert "Traceback" not in done.stderr
