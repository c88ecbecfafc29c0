"""Writers that change the states of jobs at the same time, and whether the counters then tell the truth."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg

WRITERS = 16
STATES = ("pending", "waiting", "running", "successful")
CHANGE = "UPDATE instances_unifiedjob SET status = %s, execution_node = %s, modified = now() WHERE id = %s"

# What the counters keep, and the same from the jobs; see migration 0002 for what each figure means.
KEPT_OF_NODES = """
SELECT node, sum(jobs_total), sum(jobs_running), sum(impact), sum(jobs_controlled) FROM instances_nodeload GROUP BY node
"""
COUNTED_OF_NODES = """
SELECT node, sum(jobs), sum(active), sum(impact), sum(controlled)
FROM (
    SELECT execution_node AS node, 1 AS jobs, active, active * task_impact AS impact, 0 AS controlled FROM jobs
    UNION ALL
    SELECT controller_node, 0, 0, 0, active FROM jobs
) AS parts
WHERE node <> '' GROUP BY node
"""
KEPT_OF_GROUPS = """
SELECT "group", sum(jobs_total), sum(jobs_running), sum(impact), 0 FROM instances_groupload GROUP BY "group"
"""
COUNTED_OF_GROUPS = """
SELECT instance_group_id, count(*), sum(active), sum(active * task_impact), 0
FROM jobs WHERE instance_group_id IS NOT NULL GROUP BY instance_group_id
"""
DRIFT = """
WITH jobs AS (SELECT *, (status IN ('running', 'waiting'))::int AS active FROM instances_unifiedjob),
kept (key, jobs, active, impact, controlled) AS ({kept}),
counted (key, jobs, active, impact, controlled) AS ({counted})
SELECT count(*)
FROM kept FULL JOIN counted USING (key)
WHERE (coalesce(kept.jobs, 0), coalesce(kept.active, 0), coalesce(kept.impact, 0), coalesce(kept.controlled, 0))
   <> (coalesce(counted.jobs, 0), coalesce(counted.active, 0), coalesce(counted.impact, 0),
       coalesce(counted.controlled, 0))
"""


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
        """Let all write for so long; the changes in a second."""
        end = time.monotonic() + seconds
        began = time.monotonic()
        with ThreadPoolExecutor(WRITERS) as pool:
            parts = list(pool.map(lambda number: self.write_alone(number, end), range(WRITERS)))
        changes = sum(part.changes for part in parts)
        self.total.changes += changes
        self.total.deadlocks += sum(part.deadlocks for part in parts)
        return changes / (time.monotonic() - began)

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


def drift(url: str) -> int:
    """The number of nodes and groups whose counters are not what a recount of the jobs gives."""
    pairs = ((KEPT_OF_NODES, COUNTED_OF_NODES), (KEPT_OF_GROUPS, COUNTED_OF_GROUPS))
    found = 0
    with psycopg.connect(url) as connection:
        for kept, counted in pairs:
            row = connection.execute(DRIFT.format(kept=kept, counted=counted)).fetchone()
            found += 0 if row is None else row[0]
    return found
