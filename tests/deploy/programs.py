"""nginx, haproxy and systemd-analyze of Debian, on the path or as tests/deploy/install unpacks them."""

import os
import shutil

import pytest

from tests.service import PROJECT

UNPACKED = PROJECT / ".venv" / "deploy"
PATH = os.pathsep.join(
    [os.environ.get("PATH", os.defpath), "/usr/sbin", *(str(UNPACKED / "usr" / name) for name in ("bin", "sbin"))]
)


def program(name: str) -> str:
    """Its path; empty if it is not there."""
    return shutil.which(name, path=PATH) or ""


def needs(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not program(name), reason=f"{name} is not there: tests/deploy/install .venv")


def environment(**changes: str) -> dict[str, str]:
    """That of such a program, which finds the libraries and units that were unpacked with it."""
    libraries = [*UNPACKED.glob("usr/lib/*-linux-gnu"), *UNPACKED.glob("usr/lib/*-linux-gnu/systemd")]
    units = list(UNPACKED.glob("**/lib/systemd/system/sysinit.target"))
    found = {
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        "SYSTEMD_UNIT_PATH": "".join(f"{unit.parent}:" for unit in units),  # and at the end the system's own
    }
    return {**os.environ, **{name: paths for name, paths in found.items() if paths}, **changes}
