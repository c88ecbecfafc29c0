"""Databases for services to look at, written by other processes: here the browser has an event loop."""

import subprocess
import sys

from tests.service import PROJECT, environment


def fill(url: str, kind: str, number: int) -> None:
    """Write the mesh ``kind`` of ``tests.browser.meshes``, of so many nodes, into the empty database at ``url``."""
    code = f"import django; django.setup(); from tests.browser import meshes; meshes.{kind}({number})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, env=environment(url), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
