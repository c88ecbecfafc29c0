"""promtool and prometheus of Debian's package prometheus, on the path or as tests/prometheus/install unpacks them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.service import PROJECT

PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), str(PROJECT / ".venv" / "prometheus" / "usr" / "bin")])
PROMTOOL, PROMETHEUS = (shutil.which(name, path=PATH) for name in ("promtool", "prometheus"))
needs_prometheus = pytest.mark.skipif(
    PROMTOOL is None or PROMETHEUS is None, reason="prometheus is not there: tests/prometheus/install .venv"
)


def promtool(*arguments: str | Path, given: bytes = b"") -> str:
    """All that ``promtool`` prints; fails where it does."""
    done = subprocess.run(
        [str(PROMTOOL), *map(str, arguments)], input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60
    )
    assert done.returncode == 0, done.stdout.decode()
    return done.stdout.decode()
