"""When the jobs that a node still has will probably have ended, by how long earlier runs of their templates took.

Pure functions: they read nothing but their arguments.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from instances.text import counted


class RemainingJob(NamedTuple):
    """A job that has not ended, with the id of its template; ``started`` is None while it waits."""

    pk: int
    name: str
    status: str
    template: int | None
    started: datetime | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """When the job with this id ends, by the median and the 90th percentile of how long earlier runs took.

    Both are None where that is not known; ``basis`` says in words what they follow from, or why they are not known.
    """

    job: int | None
    median: datetime | None
    p90: datetime | None
    basis: str


def estimates(
    jobs: Sequence[RemainingJob], runs: Mapping[int, Sequence[float]], now: datetime
) -> list[tuple[RemainingJob, Estimate]]:
    """The end of each job; ``runs``: by template, how many seconds its earlier runs took."""
    return [(job, of_job(job, runs.get(job.template or 0, ()), now)) for job in jobs]


def of_job(job: RemainingJob, runs: Sequence[float], now: datetime) -> Estimate:
    if not runs:
        return Estimate(job.pk, None, None, "unknown: no earlier run of the same template succeeded")
    of_runs = f"{counted(len(runs), 'earlier run')} of the same template"
    elapsed = max(0.0, (now - job.started).total_seconds()) if job.started else 0.0
    left = [seconds - elapsed for seconds in runs if seconds >= elapsed]
    if not left:
        return Estimate(job.pk, None, None, f"unknown: it has run longer than the {of_runs}")
    median, late = (now + timedelta(seconds=seconds) for seconds in (statistics.median(left), p90(left)))
    longer = "" if len(left) == len(runs) else f", of which {len(left)} took longer than it has run"
    return Estimate(job.pk, median, late, f"median and p90 of {of_runs}{longer}")


def p90(values: Sequence[float]) -> float:
    """The 90th percentile, interpolated as by PostgreSQL's percentile_cont."""
    return statistics.quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else values[0]


def latest(estimate: Estimate) -> float:
    """The order of estimates that are known."""
    return estimate.p90.timestamp() if estimate.p90 else 0.0


def of_all(found: Sequence[Estimate]) -> Estimate:
    """The latest median and the latest p90 of several jobs; not known where those of one of them are not."""
    if not found:
        return Estimate(None, None, None, "no job is left")
    unknown = [each for each in found if each.p90 is None]
    if unknown:
        first = unknown[0]
        counted = f"{len(unknown)} of {len(found)} jobs"
        return Estimate(first.job, None, None, f"{first.basis} (the end of {counted} is not known)")
    last = max(found, key=latest)
    of_several = f", the latest of {len(found)} jobs" if len(found) > 1 else ""
    median = max(each.median for each in found if each.median)
    return Estimate(last.job, median, last.p90, f"{last.basis}{of_several}")
