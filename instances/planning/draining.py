"""When the jobs that a node still has will probably have ended, by how long earlier runs of their templates took.

Pure functions: they read nothing but their arguments.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple


class RemainingJob(NamedTuple):
    """A job that has not ended, with the id of its template; ``started`` is None while it waits."""

    pk: int
    name: str
    status: str
    template: int | None
    started: datetime | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """When something ends: as likely before ``median`` as after it, and in nine of ten cases before ``p90``.

    Both are None where that is not known; ``basis`` says in words what they follow from, or why they are not known.
    """

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
        return Estimate(None, None, "unknown: its template has no earlier run that succeeded")
    of_runs = f"of {len(runs)} earlier {'run' if len(runs) == 1 else 'runs'} of the same template"
    elapsed = max(0.0, (now - job.started).total_seconds()) if job.started else 0.0
    if elapsed >= p90(runs):
        return Estimate(None, None, f"unknown: it has run longer than the p90 {of_runs}")
    median, late = (now + timedelta(seconds=max(0.0, each - elapsed)) for each in (statistics.median(runs), p90(runs)))
    return Estimate(median, late, f"median and p90 {of_runs}")


def p90(values: Sequence[float]) -> float:
    """The 90th percentile, interpolated as by PostgreSQL's percentile_cont."""
    return statistics.quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else values[0]


def of_last(found: Sequence[tuple[RemainingJob, Estimate]]) -> Estimate:
    """The end of the last of these jobs; not known where that of one of them is not."""
    if not found:
        return Estimate(None, None, "no job is left")
    unknown = [(job, each) for job, each in found if each.p90 is None]
    if unknown:
        job, each = unknown[0]
        others = f"; nor is that of {len(unknown) - 1} others" if len(unknown) > 1 else ""
        reason = each.basis.removeprefix("unknown: ")
        return Estimate(None, None, f"unknown: of job {job.pk} ({job.name}), {reason}{others}")
    p90s = {each.p90: (job, each) for job, each in found if each.p90}
    job, last = p90s[max(p90s)]
    medians = [each.median for _, each in found if each.median]
    return Estimate(max(medians), last.p90, f"job {job.pk} ({job.name}) is the last: {last.basis}")
