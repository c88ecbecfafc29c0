"""Asking a server as fast as it answers, with wrk, and comparing two that are asked in turns."""

import base64
import contextlib
import re
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench.progress import tell
from bench.sizes import Size

CONNECTIONS = 16
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}
GUESS = Path(__file__).with_name("guess.lua")
MIX = Path(__file__).with_name("mix.lua")
FLOOD = Path(__file__).with_name("flood.lua")


class LoadError(Exception):
    """The measurement means nothing: wrk is missing, or some answers were errors."""


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        raise LoadError("wrk is not installed: apt-get install wrk")


def ask(url: str, seconds: int, headers: Mapping[str, str], *paths: str, script: Path = MIX) -> tuple[int, float]:
    """Request ``url``, or the ``paths`` below it as ``script`` does, over connections that stay open.

    Returns the number of answers and how many there were in a second. Raises LoadError if any was an error.
    """
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "60s"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    command += ["-s", str(script), url, "--", *paths] if paths else [url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    number = re.search(r"(\d+) requests in", done.stdout)
    if done.returncode or rate is None or number is None or re.search(r"Non-2xx|Socket errors", done.stdout):
        raise LoadError(f"wrk failed on {url}: {done.stdout}{done.stderr}")
    time.sleep(longest(done.stdout))  # until the server is done with what wrk has not waited for
    return int(number[1]), float(rate[1])


def answers(url: str, seconds: int, headers: Mapping[str, str], connections: int) -> tuple[int, int]:
    """How many answers were none of an error, and how many were, where the service may refuse some of the clients."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    done = subprocess.run([*command, url], capture_output=True, text=True, check=False)
    number = re.search(r"(\d+) requests in", done.stdout)
    if done.returncode or number is None or re.search(r"Socket errors", done.stdout):
        raise LoadError(f"wrk failed on {url}: {done.stdout}{done.stderr}")
    found = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    refused = int(found[1]) if found else 0
    return int(number[1]) - refused, refused


def p99(url: str, seconds: int, headers: Mapping[str, str]) -> float:
    """The seconds within which 99 of 100 answers to one client came, who asks again as soon as it has the last."""
    command = ["wrk", "-t1", "-c1", f"-d{seconds}s", "--timeout", "60s", "--latency"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    done = subprocess.run([*command, url], capture_output=True, text=True, check=False)
    found = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\s", done.stdout)
    if done.returncode or found is None or re.search(r"Non-2xx|Socket errors", done.stdout):
        raise LoadError(f"wrk failed on {url}: {done.stdout}{done.stderr}")
    return float(found[1]) * SECONDS[found[2]]


@contextlib.contextmanager
def guessed_at(url: str, clients: int) -> Iterator[None]:
    """While so many clients send wrong Basic passwords to ``url``, as fast as they are answered, a name each."""
    wrong = [base64.b64encode(f"nobody-{number}:wrong".encode()).decode() for number in range(clients)]
    command = ["wrk", "-t1", f"-c{clients}", "-d1h", "--timeout", "60s", "-s", str(GUESS), url, "--"]
    crowd = subprocess.Popen([*command, *(f"Basic {each}" for each in wrong)], stdout=subprocess.DEVNULL)
    try:
        yield
        if crowd.poll() is not None:
            raise LoadError(f"wrk ended with {crowd.returncode} while it guessed at {url}")
    finally:
        crowd.kill()
        crowd.wait()


def longest(report: str) -> float:
    """The seconds that the slowest answer took."""
    found = re.search(r"Latency\s+\S+\s+\S+\s+([\d.]+)(us|ms|s|m)\s", report)
    return 0 if found is None else float(found[1]) * SECONDS[found[2]]


@dataclass(frozen=True)
class Ratio:
    """The median of the ratios of all rounds, and the smallest and largest of them."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, ratios: Sequence[float]) -> Self:
        return cls(statistics.median(ratios), min(ratios), max(ratios))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.lowest:.2f} to {self.highest:.2f})"


def ratio(above: Callable[[], float], below: Callable[[], float], rounds: int) -> Ratio:
    """``above()`` divided by ``below()``, taken in turns; in every second round the other one begins."""
    ratios = []
    for number in range(rounds):
        if number % 2:
            divisor = below()
            dividend = above()
        else:
            dividend = above()
            divisor = below()
        ratios.append(dividend / divisor)
        tell(f"    {dividend:,.4g} / {divisor:,.4g} = {ratios[-1]:.3f}")
    return Ratio.of(ratios)


def rate_of(url: str, headers: Mapping[str, str], size: Size) -> Callable[[], float]:
    """Answers to ``url`` in a second, to be measured again and again; it has warmed up already."""

    def rate() -> float:
        seconds = size.round_seconds
        while True:
            number, found = ask(url, seconds, headers)
            if number:
                return found
            seconds *= 4  # where one answer takes longer than a round

    ask(url, size.warm_up_seconds, headers)
    return rate
