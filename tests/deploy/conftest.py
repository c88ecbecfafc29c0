"""The Debian that is fetched for all tests that need one."""

import subprocess
from pathlib import Path

import pytest

from tests.cache_folder import cache_folder
from tests.deploy.debian import packed_root


@pytest.fixture(scope="session")
def packed_debian(request: pytest.FixtureRequest) -> Path:
    """Its root, as a file."""
    trial = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True)
    if trial.returncode:
        pytest.skip(f"nothing can be mounted here, nor any Debian be made: {trial.stderr.strip()}")
    return packed_root(cache_folder("debian", request.config))
