"""What tests fetch once and use again in later runs, by however many processes."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import PROJECT


def cache_folder(name: str, config: pytest.Config) -> Path:
    """In the virtual environment of the checkout, if it has one, so that ``make clean`` removes it."""
    own = PROJECT / ".venv"
    return own / name if own.is_dir() else Path(config.cache.mkdir(name))


@contextlib.contextmanager
def filled_once(folder: Path, content: str) -> Iterator[bool]:
    """Whether ``folder`` is still to be filled with ``content``, which no other process does meanwhile."""
    marker = folder / "installed.txt"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_missing = not marker.exists() or marker.read_text() != content
        yield is_missing
        if is_missing:
            marker.write_text(content)
