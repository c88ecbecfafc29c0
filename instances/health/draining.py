"""The conditions Draining and Drained, which follow from a node's drain.

A node stays drained after its drain has ended, if the next step was to let it stay disabled, until it is enabled.
"""

from collections.abc import Collection
from datetime import datetime

from django.db.models import F, OuterRef, Q, Subquery

from instances.health.reasons import Finding, Reason
from instances.models import Condition, Drain, Instance
from instances.text import exact

Status, Type = Condition.Status, Condition.Type


def current(instances: Collection[Instance]) -> dict[int, Drain]:
    """By id, the drain of each of these instances that is open, or after which it stays drained. One query."""
    disabled = Condition.objects.filter(instance=OuterRef("instance"), type=Type.ENABLED, status=Status.FALSE)
    of_disabled = (
        Drain.objects.of_present_nodes()
        .filter(instance__in=instances, instance__enabled=False)
        .annotate(disabled_since=Subquery(disabled.values("last_transition")))
    )
    was_not_enabled = Q(disabled_since=None) | Q(disabled_since__lte=F("drained_at"))
    stays = was_not_enabled & Q(ended_how=Drain.Ending.DONE, then=Drain.Then.STAY, drained_at__isnull=False)
    latest = of_disabled.filter(Q(ended_at=None) | stays).order_by("instance", "-pk").distinct("instance")
    return {drain.instance_id: drain for drain in latest}


def draining(drain: Drain | None, now: datetime) -> Finding:
    if drain is None:
        return Finding(Status.FALSE, Reason.NOT_DRAINING)
    if drain.drained_at is not None:
        return Finding(Status.FALSE, Reason.NO_JOBS_REMAIN, message_of(drain), drain.drained_at)
    return Finding(Status.TRUE, reason_of(drain, now), message_of(drain), drain.began)


def drained(drain: Drain | None, now: datetime) -> Finding:
    if drain is None:
        return Finding(Status.FALSE, Reason.NOT_DRAINING)
    if drain.drained_at is not None:
        return Finding(Status.TRUE, Reason.NO_JOBS_REMAIN, message_of(drain), drain.drained_at)
    return Finding(Status.FALSE, reason_of(drain, now), message_of(drain))


def reason_of(drain: Drain, now: datetime) -> Reason:
    """Why a drain goes on."""
    return Reason.OVERDUE if drain.is_overdue(now) else Reason.JOBS_REMAIN


def message_of(drain: Drain) -> str:
    by = f" by {drain.requested_by_name}" if drain.requested_by_name else ""
    deadline = f", to end before {exact(drain.deadline)}" if drain.deadline else ""
    return f"Requested{by}{deadline}: {drain.reason}"
