"""``make run`` on machines that differ: another port, another Python, one that cannot be used."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service import PROJECT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what ``make`` reads before it installs anything, whose path has a space."""
    folder = tmp_path / "a checkout"
    (folder / ".ci").mkdir(parents=True)
    for name in ("Makefile", ".ci/environment", "pyproject.toml", "constraints.txt"):
        shutil.copy(PROJECT / name, folder / name)
    return folder


def make(checkout: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    # Without what a make that runs the tests tells the makes below it.
    own = ("PYTHON", "PORT", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    clean = {name: value for name, value in os.environ.items() if name not in own}
    done = subprocess.run(["make", *arguments], cwd=checkout, env=clean, capture_output=True, text=True, timeout=300)
    assert not check or done.returncode == 0, done.stderr
    return done


def program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def a_python(checkout: Path, script: str) -> str:
    """A program that makes an environment: the folder, and in it whatever the script does there."""
    made = f'for each; do environment=$each; done\nmkdir -p "$environment/bin"\n{script}'
    return program(checkout / "python", f'case "$1" in -c) exit 0;; esac\n{made}')


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (None, "is not installed, and Python 3.11 to 3.13 is needed: name another"),
        ("exit 1", "is not Python 3.11 to 3.13, which is needed: name another"),
        ('case "$2" in *ensurepip*) exit 1;; esac', "has no module venv: install it"),
    ],
)
@pytest.mark.parametrize("there", [False, True])
def test_a_python_that_cannot_be_used_is_one_line_and_changes_nothing(
    script: str | None, reason: str, there: bool, checkout: Path
) -> None:
    if there:
        (checkout / ".venv" / "bin").mkdir(parents=True)
        (checkout / ".venv" / "bin" / "python").touch()
    python = "./python" if script is None else program(checkout / "python", script)
    done = make(checkout, "run", "PYTHON=./python", check=False)
    first, *rest = done.stderr.splitlines()
    assert first.startswith(f"./python {reason}"), python
    assert [line for line in rest if not line.startswith("make: ***")] == []
    assert done.stdout == ""
    assert (checkout / ".venv" / "bin" / "python").exists() is there


def test_half_an_environment_is_not_left(checkout: Path) -> None:
    a_python(checkout, 'touch "$environment/bin/python"; exit 1')
    done = make(checkout, "run", "PYTHON=./python", check=False)
    assert "./python could not make .venv" in done.stderr
    assert not (checkout / ".venv").exists()


def test_the_environment_of_another_python_is_replaced_once(checkout: Path) -> None:
    """By a Python that is named; without a name any that is there will do."""
    a_python(checkout, 'touch "$environment/bin/python"; cp /bin/true "$environment/bin/pip"')
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "run").touch()
    (checkout / ".venv" / "of-another").touch()
    make(checkout, ".venv/run", "PYTHON=./python")
    assert {path.name for path in (checkout / ".venv").iterdir()} == {"bin", "of-.-python", "run"}
    for arguments in ([], ["PYTHON=./python"]):
        assert "up to date" in make(checkout, ".venv/run", *arguments).stdout


@pytest.mark.parametrize(("arguments", "port"), [([], 8000), (["PORT=8123"], 8123)])
def test_the_port_can_be_chosen(arguments: list[str], port: int, checkout: Path) -> None:
    assert f"awx-instances demo --port {port}\n" in make(checkout, "--dry-run", "run", *arguments).stdout


@pytest.mark.slow
def test_a_python_that_is_named_makes_the_environment(checkout: Path) -> None:
    python = str(Path(sys.base_prefix) / "bin" / "python3")  # that of the tests may have a space in its path
    name = f".venv/of-{python.replace('/', '-')}"
    make(checkout, name, f"PYTHON={python}")
    assert (checkout / name).exists()
    subprocess.run([checkout / ".venv" / "bin" / "python", "-m", "pip", "--version"], check=True, capture_output=True)
