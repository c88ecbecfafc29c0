"""The code of an earlier release, from the history of this repository, run beside that of today."""

import contextlib
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import PROJECT, environment, served_by

# The release before this one; once a migration is added with which the service must be stopped, the commit with that.
COMMIT = "2665046"


def migrations_of(code: Path) -> list[str]:
    return sorted(path.stem for path in (code / "instances" / "migrations").glob("0*.py"))


@contextlib.contextmanager
def earlier_code() -> Iterator[Path]:
    """The folder with the files of COMMIT; skips the test where the clone does not have it."""
    git = ["git", "-c", f"safe.directory={PROJECT}", "archive", COMMIT]
    done = subprocess.run(git, cwd=PROJECT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"this clone has no commit {COMMIT}, the earlier release: {done.stderr.decode().strip()}")
    with tempfile.TemporaryDirectory(prefix="earlier-") as name:
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            archive.extractall(name, filter="data")
        yield Path(name)


def program(code: Path) -> list[str]:
    """The command line of the manage.py there; Python finds the modules beside it, before those that are installed."""
    return [sys.executable, str(code / "manage.py")]


def manage_by(code: Path, url: str, *arguments: str, **changes: str) -> str:
    """What the command of this code prints."""
    done = subprocess.run(
        [*program(code), *arguments], env=environment(url, **changes), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def served_from(code: Path, url: str, **changes: str) -> contextlib.AbstractContextManager[str]:
    return served_by([*program(code), "serve", "--workers", "1"], url, **changes)


@contextlib.contextmanager
def working_from(code: Path, url: str, **changes: str) -> Iterator[None]:
    """A worker of this code, which must end without an error."""
    with tempfile.TemporaryFile("w+") as log:
        env = {**environment(url), "WORKER_HEARTBEAT": "1", **changes}
        worker = subprocess.Popen([*program(code), "worker"], env=env, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            worker.terminate()
            code_of_exit = worker.wait(timeout=60)
            log.seek(0)
            output = log.read()
    assert code_of_exit == 0, output
    assert "Traceback" not in output, output


def tasks_of(code: Path, url: str) -> set[str]:
    """The names of background jobs that a worker of this code can run."""
    listing = "from procrastinate.contrib.django import app; print(*app.tasks)"
    return set(manage_by(code, url, "shell", "--verbosity", "0", "--command", listing).split())
