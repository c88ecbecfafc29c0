"""Writers that change the states of jobs at the same time."""

import itertools
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

WRITERS = 16
STATES = ("pending", "waiting", "running", "successful")
HEARTBEAT = "UPDATE instances_instance SET last_seen = now(), modified = now() WHERE hostname = %s"
HEARTBEAT_SECONDS = 60  # AWX's, between two of one node
CHANGES_IN_A_SECOND = 10  # of jobs, in all of the mesh
CHANGE = "UPDATE instances_unifiedjob SET status = %s, execution_node = %s, modified = now() WHERE id = %s"


@dataclass
class Written:
    changes: int = 0
    deadlocks: int = 0


@contextmanager
def mesh_at_work(url: str, with_jobs: bool) -> Iterator[None]:
    """Meanwhile every node has its heartbeats; ``with_jobs``, jobs go from state to state, one at a time."""
    crowd, stopped = Crowd(url), threading.Event()
    beats, steps = itertools.cycle(zip(crowd.nodes)), crowd.steps(crowd.jobs, random.Random(0))
    with ThreadPoolExecutor(2) as pool:
        working = [pool.submit(change_steadily, url, HEARTBEAT, beats, HEARTBEAT_SECONDS / len(crowd.nodes), stopped)]
        if with_jobs:
            working.append(pool.submit(change_steadily, url, CHANGE, steps, 1 / CHANGES_IN_A_SECOND, stopped))
        try:
            yield
        finally:
            stopped.set()
    for each in working:
        each.result()  # raises what it met


def change_steadily(
    url: str, change: LiteralString, values: Iterator[Sequence[Any]], pause: float, stopped: threading.Event
) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        while not stopped.wait(pause):
            connection.execute(change, next(values))


class Crowd:
    """Writers of one database. Each has jobs of its own, so that they meet nowhere but in the counters."""

    def __init__(self, url: str) -> None:
        self.url = url
        with psycopg.connect(url) as connection:
            self.jobs = [row[0] for row in connection.execute("SELECT id FROM instances_unifiedjob ORDER BY id")]
            self.nodes = [row[0] for row in connection.execute("SELECT hostname FROM instances_instance ORDER BY id")]
        self.total = Written()

    def write(self, seconds: float) -> float:
        """Let all write for so long; the changes in a second. Halfway the counters are folded, as a worker does it."""
        end = time.monotonic() + seconds
        began = time.monotonic()
        with ThreadPoolExecutor(WRITERS + 1) as pool:
            folding = pool.submit(self.fold_after, seconds / 2)
            parts = list(pool.map(lambda number: self.write_alone(number, end), range(WRITERS)))
            folding.result()  # raises what it met
        changes = sum(part.changes for part in parts)
        self.total.changes += changes
        self.total.deadlocks += sum(part.deadlocks for part in parts)
        return changes / (time.monotonic() - began)

    def fold_after(self, seconds: float) -> None:
        time.sleep(seconds)
        with psycopg.connect(self.url) as connection:
            connection.execute("SELECT instances_fold_loads()")

    def write_alone(self, number: int, end: float) -> Written:
        """Transactions of one to three changes, until ``end``."""
        written = Written()
        chance = random.Random(number)
        steps = self.steps(self.jobs[number::WRITERS], chance)
        with psycopg.connect(self.url, autocommit=True) as connection:
            while time.monotonic() < end:
                changes = [next(steps) for _ in range(chance.choice((1, 1, 2, 3)))]
                try:
                    with connection.transaction():
                        for change in changes:
                            connection.execute(CHANGE, change)
                    written.changes += len(changes)
                except psycopg.errors.DeadlockDetected:
                    written.deadlocks += 1
        return written

    def steps(self, jobs: list[int], chance: random.Random) -> Iterator[tuple[str, str, int]]:
        """Status, node and id: the jobs go from state to state, a few at a time."""
        while True:
            some = chance.sample(jobs, min(5, len(jobs)))
            for state in STATES:
                for job in some:
                    yield state, chance.choice(self.nodes), job
