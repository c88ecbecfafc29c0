"""The Dockerfile: what hadolint says, what the built image has and has not, and that its containers work."""

import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from pytest_django import DjangoDbBlocker

from tests.deploy.commands import AWX_INSTANCES, parse
from tests.deploy.containers import Image, by_tcp
from tests.deploy.programs import needs
from tests.service import PROJECT, new_database
from tests.test_serve_processes import free_port
from tests.test_worker import until

DOCKERFILE = PROJECT / "Dockerfile"
INSTALLED = Path(sys.executable).parent
NEEDS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="root alone can build an image on debootstrap's Debian")
COMPILERS = "as cc c++ g++ gcc ld make pip pip3 rustc"


def test_hadolint_finds_no_fault(tmp_path: Path) -> None:
    def findings(text: str) -> str:
        return subprocess.run(
            [INSTALLED / "hadolint", "-"], input=text, stdout=subprocess.PIPE, text=True, timeout=300
        ).stdout

    text = DOCKERFILE.read_text()
    assert findings(text) == ""
    assert "DL3002" in findings(text.replace("USER 10001:10001", "USER root"))


def test_nothing_is_fetched_without_a_hash() -> None:
    """Of the lines that pip installs by, each package has its version and its hashes."""
    installs = re.findall(
        r"pip (?:--python \S+ )?(?:install|wheel) [^&\n]*", DOCKERFILE.read_text().replace("\\\n", " ")
    )
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or "--no-index" in install or "--no-build-isolation" in install
        assert "--no-deps" in install
    packages = re.split(r"\n(?=\S)", (PROJECT / "requirements.txt").read_text().strip())
    assert len(packages) > 40
    assert [package for package in packages if not re.match(r"\S+==.*--hash=sha256:", package, re.DOTALL)] == []


# --- built


def built(test: Callable[..., None]) -> Callable[..., None]:
    """Marks of a test that builds the image."""
    for mark in (needs("podman"), needs("debootstrap"), NEEDS_ROOT, pytest.mark.slow):
        test = mark(test)
    return test


@pytest.fixture(scope="module")
def image(packed_debian: Path) -> Iterator[Image]:
    image = Image(Path(tempfile.mkdtemp()))  # podman takes no long path
    try:
        image.build(packed_debian)
        yield image
    finally:
        image.remove()


@built
def test_the_image_says_how_it_is_run(image: Image) -> None:
    config = image.inspected()["Config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == [AWX_INSTANCES]
    host, port = parse(config["Cmd"]).bind
    assert (host, list(config["ExposedPorts"])) == ("0.0.0.0", [f"{port}/tcp"])
    assert f"http://127.0.0.1:{port}/healthz" in " ".join(image.inspected()["Healthcheck"]["Test"])


@pytest.fixture(params=["in_podman", "in_chroot"])
def command(request: pytest.FixtureRequest, image: Image) -> Callable[..., list[str]]:
    """What makes the command of a container, with podman and, for kernels that forbid that, without."""
    make: Callable[..., list[str]] = getattr(image, request.param)
    trial = subprocess.run(make("-c", "pass", entrypoint="python"), capture_output=True, text=True, timeout=300)
    if trial.returncode and request.param == "in_podman":
        pytest.skip(f"podman cannot start a container here, chroot takes its place: {trial.stderr.strip()}")
    assert trial.returncode == 0, trial.stderr
    return make


LOOK_AROUND = """
import os, shutil
print(os.getuid(), os.getgid(), [name for name in COMPILERS.split() if shutil.which(name)])
for folder in ("/opt/awx-instances", "/etc", "/", "/tmp"):
    try:
        open(f"{folder}/new", "w").close()
        print("can write to", folder)
    except OSError as error:
        print(folder, error.strerror)
"""


@built
def test_a_container_can_do_little(command: Callable[..., list[str]]) -> None:
    script = f"COMPILERS = {COMPILERS!r}{LOOK_AROUND}"
    done = subprocess.run(command("-c", script, entrypoint="python"), stdout=subprocess.PIPE, text=True, timeout=300)
    assert done.stdout.splitlines() == [
        "10001 10001 []",
        "/opt/awx-instances Read-only file system",
        "/etc Read-only file system",
        "/ Read-only file system",
        "can write to /tmp",
    ]


@built
def test_containers_serve_and_work(
    command: Callable[..., list[str]], image: Image, dataset_template: str, django_db_blocker: DjangoDbBlocker
) -> None:
    """Server and worker, as the manifests run them; their probes; and how they stop."""
    port = free_port()
    bind, settings = f"127.0.0.1:{port}", {"SECRET_KEY": secrets.token_urlsafe(50)}
    health = [part.replace(":8000", f":{port}") for part in image.inspected()["Healthcheck"]["Test"][1:]]
    with django_db_blocker.unblock(), new_database(dataset_template) as socket, by_tcp(socket) as url:
        settings["DATABASE_URL"] = url

        def succeeds(*arguments: str, entrypoint: str = "") -> bool:
            arranged = command(*arguments, entrypoint=entrypoint, **settings)
            return subprocess.run(arranged, capture_output=True, timeout=300).returncode == 0

        assert succeeds("migrate")
        assert not succeeds("check_worker")
        assert not succeeds(*health[1:], entrypoint=health[0])
        processes = [
            subprocess.Popen(command(*arguments, **settings), stderr=subprocess.PIPE, text=True)
            for arguments in (["serve", "--bind", bind, "--workers", "1"], ["worker"])
        ]
        try:
            until(lambda: answers(f"http://{bind}/readyz"), 180)
            assert requests.get(f"http://{bind}/api/v2/ping/", timeout=10).json()["version"] == "23.6.0"
            assert succeeds(*health[1:], entrypoint=health[0])
            until(lambda: succeeds("check_worker"), 180)
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
            errors = [process.communicate(timeout=300)[1] for process in processes]
        assert [process.returncode for process in processes] == [0, 0], errors


def answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=5).status_code == 200
    except requests.ConnectionError:
        return False
