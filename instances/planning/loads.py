"""The load of nodes over a time that is past: for how long which number of forks was in use. Pure functions.

A job takes its impact from its start to its end, so that the load is a step function of time. Percentiles are those of
time, not of jobs: a p95 of 40 forks says that no more than 40 were in use for 95 % of the time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain
from operator import itemgetter
from typing import NamedTuple

from django.core.exceptions import ValidationError

Place = str | int | None

MOST_STEPS = 2_000_000  # starts and ends of jobs, each in every group that it belongs to

SHARE_PLACES = 4  # decimals


def refusal(reason: str) -> ValidationError:
    """The error of the field that names the window."""
    return ValidationError({"over": [reason]})


class Run(NamedTuple):
    """What one job took of one node: so many forks from ``began`` to ``ended``, in seconds since 1970.

    ``place``: the node's hostname; of a node that is gone, the id of the group that the job was sent to, if any.
    """

    began: float
    ended: float
    place: Place
    forks: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadOfWindow:
    """The load over a window, in forks, and for which share of the time it was above the capacity, from 0 to 1."""

    p50: int
    p95: int
    peak: int
    over_capacity: float


class LoadHistory:
    """The load between two moments, of any nodes together."""

    def __init__(self, runs: Iterable[Run], began: float, ended: float) -> None:
        """What ``runs`` took before and after the two moments does not count."""
        self.began, self.ended = began, ended
        self.steps: dict[Place, list[tuple[float, int]]] = defaultdict(list)
        for start, end, place, forks in runs:
            own = self.steps[place]
            own.append((start if start > began else began, forks))  # max() takes three times as long
            own.append((end if end < ended else ended, -forks))
        self.counted = 0
        self.known: dict[frozenset[Place], Distribution] = {}

    def of(self, places: Collection[Place]) -> Distribution:
        """How the load of these places together was distributed; computed once for the same places."""
        own = frozenset(place for place in places if place in self.steps)
        if own not in self.known:
            self.counted += sum(len(self.steps[place]) for place in own)
            if self.counted > MOST_STEPS:
                raise refusal("Too many groups share the jobs of that window: choose a shorter one.")
            self.known[own] = self.distribution(chain.from_iterable(map(self.steps.__getitem__, own)))
        return self.known[own]

    @cached_property
    def of_all(self) -> Distribution:
        return self.of(self.steps.keys())

    def distribution(self, steps: Iterable[tuple[float, int]]) -> Distribution:
        seconds: dict[int, float] = defaultdict(float)
        level, since = 0, self.began
        for moment, forks in sorted(steps, key=itemgetter(0)):
            seconds[level] += moment - since
            level, since = level + forks, moment
        seconds[level] += self.ended - since
        return Distribution(seconds, self.ended - self.began)


class Distribution:
    """For how many of ``total`` seconds each number of forks was in use."""

    def __init__(self, seconds: dict[int, float], total: float) -> None:
        self.seconds = sorted((forks, time) for forks, time in seconds.items() if time > 0)
        self.total = total

    def quantile(self, share: float) -> int:
        """The forks that were not exceeded for this share of the time."""
        passed = accumulate(time for _, time in self.seconds)
        enough = share * self.total
        reached = (forks for (forks, _), time in zip(self.seconds, passed, strict=True) if time >= enough)
        return next(reached, self.peak)

    @property
    def peak(self) -> int:
        return self.seconds[-1][0] if self.seconds else 0

    def share_above(self, forks: int) -> float:
        """The share of the time in which more forks were in use."""
        return round(sum(time for level, time in self.seconds if level > forks) / self.total, SHARE_PLACES)

    def against(self, capacity: int) -> LoadOfWindow:
        return LoadOfWindow(
            p50=self.quantile(0.5), p95=self.quantile(0.95), peak=self.peak, over_capacity=self.share_above(capacity)
        )
