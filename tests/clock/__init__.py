"""A clock that jumps: that of processes which run under Debian's libfaketime, and read their clock from a file.

Their monotonic clock goes on. Python's ``time.sleep`` fails under it (EINVAL), so they sleep in another way.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

LIBRARY = Path(sys.prefix) / "faketime" / "libfaketimeMT.so.1"  # where ``install`` puts it

SLEEP = "import select, time\ntime.sleep = lambda seconds: select.select((), (), (), seconds) and None\n"


class Clock:
    """What time it is for the processes that have ``variables`` in their environment."""

    def __init__(self) -> None:
        if not LIBRARY.exists():
            pytest.skip("libfaketime is not installed: tests/clock/install")
        self.folder = Path(tempfile.mkdtemp(prefix="clock-", dir="/tmp"))
        self.folder.chmod(0o755)  # PostgreSQL has another account
        library = shutil.copy(LIBRARY, self.folder)
        self.file = self.folder / "offset"
        self.set(0)
        (self.folder / "sitecustomize.py").write_text(SLEEP)
        self.variables = {
            "PYTHONPATH": str(self.folder),
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DISABLE_SHM": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",  # its earlier name
        }

    def set(self, seconds: float) -> None:
        """How far the clock is ahead, from now on."""
        new = self.folder / "new"
        new.write_text(f"{seconds:+.0f}\n")
        new.chmod(0o644)
        new.replace(self.folder / "offset")

    def remove(self) -> None:
        shutil.rmtree(self.folder)
