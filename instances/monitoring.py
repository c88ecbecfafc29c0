"""What monitoring reads beside instances and groups: totals, statuses, links, background jobs and workers."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker

from instances.database import fetch_in_one_statement
from instances.health.conditions import all_findings
from instances.models import Condition, Instance, InstanceLink, JobCount

# Users; sessions that have not expired; connections to the database. No visitor has a session before the login.
TOTALS = """SELECT
    (SELECT count(*) FROM "instances_user") AS users,
    (SELECT count(*) FROM "django_session" WHERE expire_date > now()) AS sessions,
    (SELECT numbackends FROM pg_stat_database WHERE datname = current_database()) AS connections"""

# Statuses of background jobs. Of one that succeeded nothing is left after a day, and others are cancelled by hand.
OPEN = ("todo", "doing", "failed")


@dataclass(frozen=True, slots=True)
class Totals:
    """What ``TOTALS`` selects."""

    users: int
    sessions: int
    connections: int


def jobs_and_totals() -> tuple[list[dict[str, Any]], Totals]:
    """The numbers of jobs as ``JobCount.objects.by_node()`` has them, and the totals, of one moment. One query."""
    jobs, (totals,) = fetch_in_one_statement(JobCount.objects.by_node(), TOTALS)
    return jobs, Totals(**totals)


def condition_statuses(instances: Collection[Instance], now: datetime) -> dict[int, dict[str, str]]:
    """By id, the status of each condition of instances that were read ``with_health()``. At most four queries."""
    return {
        each.pk: {kind.value: found[kind].status.value for kind in Condition.Type}
        for each, found in all_findings(instances, now)
    }


def links_by_state() -> dict[str, int]:
    """The number of links in each state. One query."""
    numbers = dict(InstanceLink.objects.order_by().values_list("link_state").annotate(number=Count("pk")))
    return dict.fromkeys(InstanceLink.State.values, 0) | numbers


def background_jobs() -> dict[tuple[str, str], int]:
    """By task and status, how many background jobs wait, run or have failed. One query."""
    found = ProcrastinateJob.objects.filter(status__in=OPEN).order_by().values_list("task_name", "status")
    numbers = Counter({(task, status): number for task, status, number in found.annotate(number=Count("pk"))})
    return {(task, status): numbers[task, status] for task in own_tasks() for status in OPEN}


def own_tasks() -> list[str]:
    """The names of the service's own tasks, without earlier ones. Procrastinate's have the path of their module."""
    return sorted({task.name for task in app.tasks.values() if task.name.isidentifier()})


def heartbeat_ages(now: datetime) -> Iterator[tuple[int, float]]:
    """The id of each worker, and the seconds since its last heartbeat. One query."""
    for pk, last in ProcrastinateWorker.objects.order_by("pk").values_list("pk", "last_heartbeat"):
        yield pk, max(0.0, (now - last).total_seconds())
