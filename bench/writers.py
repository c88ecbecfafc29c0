"""Writers that change the states of jobs at the same time."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg

WRITERS = 16
STATES = ("pending", "waiting", "running", "successful")
CHANGE = "UPDATE instances_unifiedjob SET status = %s, execution_node = %s, modified = now() WHERE id = %s"


@dataclass
class Written:
    changes: int = 0
    deadlocks: int = 0


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
