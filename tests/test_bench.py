"""``python -m bench``, with small numbers: that it measures, not what."""

import shutil
import subprocess
import sys

import pytest

from tests.service import PROJECT, environment, new_database

pytestmark = pytest.mark.slow

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed: apt-get install wrk")


def bench(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=PROJECT,
        env=environment(**{"url": "", **changes}),
        capture_output=True,
        text=True,
        timeout=120,
    )


@needs_wrk
@pytest.mark.django_db
def test_prints_a_table_and_judges_nothing_in_a_quick_run() -> None:
    with new_database() as url:
        done = bench("--quick", "--only", "unchanged", url=url)
    assert done.returncode == 0, done.stderr
    heading, *rows = done.stdout.splitlines()
    assert heading.split() == ["measure", "value", "to", "reach", "reached"]
    assert len(rows) == 2
    assert rows[0].split()[-3:] == ["304", "304", "-"]
    assert all(row.endswith("-") for row in rows)
    assert "generating 200 instances" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["--only"], ["--only", "nonsense"], ["--seconds", "0"], ["--seconds", "soon"], ["--nonsense"]],
    ids=" ".join,
)
def test_refuses_arguments_that_it_cannot_use(arguments: list[str]) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert arguments[0] in done.stderr
    assert "Traceback" not in done.stderr


def test_says_what_is_missing() -> None:
    done = bench("--quick", "--only", "start", PATH="/nowhere")
    assert done.returncode == 1
    assert done.stderr == "wrk is not installed: apt-get install wrk\n"
