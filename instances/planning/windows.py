"""A time that is past, as somebody names it, and the stored jobs that ran in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, FloatField, Q, QuerySet, Value
from django.db.models.functions import Cast, Coalesce, Extract, Least
from django.utils.dateparse import parse_datetime

from instances import capacity
from instances.capacity import Load
from instances.locking import set_statement_timeout
from instances.mirror import guard
from instances.models import UnifiedJob
from instances.planning.changes import MeshState
from instances.planning.loads import LoadHistory, Place, Run, refusal
from instances.querysets import ACTIVE
from instances.text import exact

MOST_JOBS = 100_000  # of a window
LONGEST = 10  # seconds for reading them
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
FORMS = 'Name a time that is past as "7d", "12h" or "30m" until now, or as two times in ISO 8601 with "/" between them.'


@dataclass(frozen=True, slots=True)
class Window:
    """The time from ``began`` to ``ended``."""

    began: datetime
    ended: datetime


def parse(text: str, now: datetime) -> Window:
    """The window that a text as ``7d`` or ``2026-11-01T00:00Z/2026-11-08T00:00Z`` names, in whole seconds.

    Times without a zone are in UTC. Raises ValidationError.
    """
    now = now.replace(microsecond=0)
    if found := re.fullmatch(r"(\d{1,4})([mhdw])", text, re.ASCII):
        window = Window(now - timedelta(**{UNITS[found[2]]: int(found[1])}), now)
    else:
        window = Window(*(moment(part) for part in ends(text)))
    if not window.began < window.ended <= now:
        raise refusal("A window begins before it ends, and ends no later than now.")
    return window


def ends(text: str) -> tuple[str, str]:
    began, slash, ended = text.partition("/")
    if not slash:
        raise refusal(FORMS)
    return began, ended


def moment(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise refusal(FORMS)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).replace(microsecond=0)


# --- the jobs


def history(state: MeshState, window: Window, now: datetime) -> tuple[LoadHistory, int]:
    """The load of the window by the stored jobs, and how many jobs that were. Three queries, in part a transaction.

    Raises ValidationError where not all jobs of the window are stored, or where they are too many.
    """
    refuse_unknown_past(window, now)
    with transaction.atomic():
        set_statement_timeout(LONGEST)
        jobs = list(jobs_of(state, window)[: MOST_JOBS + 1])
    if len(jobs) > MOST_JOBS:
        raise refusal(f"More than {MOST_JOBS:,} jobs ran in that window: choose a shorter one.")
    return LoadHistory(runs(jobs, state), window.began.timestamp(), window.ended.timestamp()), len(jobs)


def refuse_unknown_past(window: Window, now: datetime) -> None:
    """Raise ValidationError unless the stored jobs reach back to the beginning of the window."""
    mirror = guard.current()
    if mirror is not None and not mirror.all_jobs:
        raise refusal("The past is not known: of the mirrored AWX, jobs that have ended are not copied.")
    first = UnifiedJob.objects.order_by("pk").values_list("created", flat=True).first()
    if first is None:
        raise refusal("The past is not known, as no job is stored.")
    if settings.JOBS_KEPT_DAYS and mirror is None:
        first = max(first, now - timedelta(days=settings.JOBS_KEPT_DAYS))
    if window.began < first:
        raise refusal(f"Jobs are stored since {exact(first)}: choose a window that begins later.")


def jobs_of(state: MeshState, window: Window) -> QuerySet[UnifiedJob, tuple[Any, ...]]:
    """The jobs that took capacity in the window, as what ``runs()`` reads: nodes, group, impact, start and end.

    Those that are active run until the end of the window. A job that ended without saying when is left out.
    """
    ended = Coalesce("finished", Value(window.ended))
    in_time = Q(finished__gt=window.began) | Q(finished=None, status__in=ACTIVE)
    jobs = UnifiedJob.objects.filter(in_time, started__lt=window.ended).exclude(finished__lt=F("started"))
    if not state.is_complete:
        hostnames = [node.hostname for node in state.nodes]
        seen = Q(execution_node__in=hostnames) | Q(controller_node__in=hostnames) | Q(instance_group__in=state.groups)
        jobs = jobs.filter(seen)
    return jobs.order_by().values_list(
        "execution_node",
        "controller_node",
        "instance_group_id",
        "task_impact",
        seconds("started"),
        seconds(Least(ended, Value(window.ended))),
    )


def seconds(moment: Any) -> Cast:
    """A column of times as seconds since 1970."""
    return Cast(Extract(moment, "epoch"), FloatField())


def runs(jobs: list[tuple[Any, ...]], state: MeshState) -> Iterator[Run]:
    """What the jobs took of each node, by the formula for the load of now."""
    types = {node.hostname: node.node_type for node in state.nodes}
    groups = {group.pk for group in state.groups}
    controlling = {
        hostname: capacity.consumed(node_type, Load(jobs_controlled=1)) for hostname, node_type in types.items()
    }
    for execution_node, controller_node, group, impact, began, ended in jobs:
        if forks := controlling.get(controller_node):
            yield Run(began, ended, controller_node, forks)
        place: Place = execution_node if execution_node in types else group if group in groups else None
        runs_here = types.get(execution_node, "execution") in capacity.EXECUTING
        if execution_node and runs_here and (place is not None or state.is_complete):
            yield Run(began, ended, place, impact)
