"""The commands of README for trying it out, on a Debian that has nothing, by an account that has nothing."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.deploy.debian import Debian, run
from tests.deploy.programs import needs
from tests.service import PROJECT, wait_for
from tests.test_serve_processes import free_port
from tests.test_wheel import committed
from tests.test_worker import until

ACCOUNT, CHECKOUT = "newcomer", "home/newcomer/a checkout"
TRY_IT = re.compile(r"curl -u (\w+):(\w+) (\S+)")


def shown_commands() -> list[str]:
    """Those of README below "Try it"."""
    below = (PROJECT / "README.md").read_text(encoding="utf-8").split("\n## Try it\n")[1]
    return re.findall(r"^    (.+)$", below.split("\n## ")[0], re.MULTILINE)


def test_the_readme_needs_two_commands() -> None:
    install, serve, *others = shown_commands()
    assert install.startswith("sudo apt-get install ")
    assert [serve, *others] == ["make run", "make test"]


@pytest.fixture
def debian(packed_debian: Path, tmp_path: Path) -> Iterator[Debian]:
    """One with a new account, which has a copy of what git has."""
    debian = Debian(tmp_path / "debian")
    debian.folder.mkdir()
    try:
        debian.unpack(packed_debian)
        run(*debian.command("useradd", "--create-home", ACCOUNT))
        for name in committed():
            copy = debian.folder / CHECKOUT / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, copy)
        run(*debian.command("chown", "--recursive", f"{ACCOUNT}:", f"/{CHECKOUT}"))
        yield debian
    finally:
        for process in debian.processes():
            process.kill()
        shutil.rmtree(debian.folder)


@pytest.mark.slow
@needs("debootstrap")
@pytest.mark.skipif(os.getuid() != 0, reason="root alone can make a Debian of debootstrap's")
def test_a_newcomer_gets_an_answer(debian: Debian, tmp_path: Path) -> None:
    install, serve, *_ = shown_commands()
    run(*debian.command("sh", "-c", install.removeprefix("sudo ")), input="y\n")
    before, output = debian.files(outside=f"home/{ACCOUNT}"), tmp_path / "output"
    command = debian.command("sh", "-c", f"{serve} PORT={free_port()}", account=ACCOUNT, within=f"/{CHECKOUT}")
    with output.open("w") as file:
        newcomer = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
    until(lambda: TRY_IT.search(output.read_text()) or newcomer.poll() is not None, 400)
    shown = TRY_IT.search(output.read_text())
    assert shown, output.read_text()
    name, password, url = shown.groups()
    wait_for(url.partition("/api/")[0], newcomer)
    assert requests.get(url, auth=(name, password), timeout=60).json()["hostname"] == "control-1.demo"

    os.killpg(newcomer.pid, signal.SIGINT)  # as a terminal does on Ctrl-C
    newcomer.wait(60)
    until(lambda: not debian.processes())
    printed = output.read_text()
    assert not re.search(r"Traceback|warning|error|\*\*\*", printed, re.IGNORECASE), printed
    assert debian.files(outside=f"home/{ACCOUNT}") == before
