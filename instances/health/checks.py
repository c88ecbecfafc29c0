"""Health checks, from the start of one to its end.

A check is pending from its start until its report is recorded. ``expire()`` ends overdue ones, so that none stays
pending when its worker is killed.
"""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from instances.health.probes import probing
from instances.health.recording import record
from instances.health.report import NodeReport, ProbeError
from instances.health.rules import CHECK_IS_PENDING, CHECKABLE_STATES
from instances.health.watch import Inspections
from instances.locking import lock_record
from instances.mirror.guard import skip_if_mirrored
from instances.models import Instance, NodeHealth

logger = logging.getLogger(__name__)

ACTIVE_PROBES = ("receptor", "local")  # the values of HEALTH_PROBE with which the service itself asks the nodes
EXPIRY_PERIOD = 1.0  # seconds between two runs of ``expire()``
MARGIN = 2.0  # seconds before its timeout at which a check is given up, so that the failure can be recorded in time


class ReachedElsewhereError(Exception):
    """This node's Receptor does not answer, but another control node's does: let its worker check this node."""


def run(pk: int) -> None:
    """Check the health of the instance and record the result; nothing if it was deleted or its state forbids checks.

    Raises ReachedElsewhereError; then the check is pending and has no result.
    """
    if settings.HEALTH_PROBE not in ACTIVE_PROBES:
        logger.warning("Instance %s is not checked: the worker's HEALTH_PROBE is %r.", pk, settings.HEALTH_PROBE)
        return
    instance = begin(pk)
    if instance is None or instance.health_check_started is None:
        return
    with probing(instance.hostname, seconds_left(instance.health_check_started, timezone.now())) as report:
        if report.outcome == NodeHealth.Check.NO_RECEPTOR and is_reached_elsewhere():
            raise ReachedElsewhereError(instance.hostname)
        record(pk, report, check=instance.health_check_started)
    if report.errors:
        logger.warning("The health check of %s failed: %s", instance.hostname, report.errors.splitlines()[0])


def is_reached_elsewhere() -> bool:
    """Whether the worker of another control node inspected the mesh lately, through a Receptor that answered."""
    return any(inspection.inspector != settings.CLUSTER_HOST_ID for inspection in Inspections.stored().working)


@transaction.atomic
def begin(pk: int) -> Instance | None:
    """The instance with a pending check: a new one where it had none or that one waited too long; else None."""
    try:
        instance: Instance = lock_record(Instance, pk)
    except Instance.DoesNotExist:
        return None
    now = timezone.now()
    if instance.node_state not in CHECKABLE_STATES:
        return None
    if not instance.health_check_pending or waited_too_long(instance, now):
        mark_started(instance, now)
    return instance


def waited_too_long(instance: Instance, now: datetime) -> bool:
    """Whether too little is left of the pending check's time for a node to answer."""
    spent = (now - instance.health_check_started).total_seconds() if instance.health_check_started else 0
    return not 0 <= spent <= settings.HEALTH_CHECK_TIMEOUT / 2


def mark_started(instance: Instance, now: datetime) -> None:
    """Store that a check was started. A last_health_check in the future, since the clock was set back, becomes now."""
    instance.health_check_started = now
    if instance.last_health_check is not None:
        instance.last_health_check = min(instance.last_health_check, now - timedelta(microseconds=1))
    Instance.objects.filter(pk=instance.pk).update(
        health_check_started=now, last_health_check=instance.last_health_check
    )


def seconds_left(started: datetime, now: datetime) -> float:
    timeout: float = settings.HEALTH_CHECK_TIMEOUT
    spent = max(0.0, (now - started).total_seconds())
    return max(0.1, timeout - spent - min(MARGIN, timeout / 4))


@skip_if_mirrored
def expire(now: datetime | None = None) -> int:
    """Record as expired the checks that become overdue before the next run; return how many."""
    now = now or timezone.now()
    timeout = timedelta(seconds=settings.HEALTH_CHECK_TIMEOUT)
    overdue = Q(health_check_started__lte=now + timedelta(seconds=EXPIRY_PERIOD) - timeout)
    from_the_future = Q(health_check_started__gt=now + timeout)  # the clock was set back since
    checks = Instance.objects.filter(CHECK_IS_PENDING, overdue | from_the_future)
    expired = ProbeError(
        NodeHealth.Check.EXPIRED,
        f"Nothing came back from the health check within {settings.HEALTH_CHECK_TIMEOUT} seconds.",
    )
    ended = list(checks.order_by("pk").values_list("pk", "hostname", "health_check_started"))
    for pk, hostname, started in ended:
        record(pk, NodeReport.of_failure(expired), check=started, now=now)
        logger.warning("The health check of %s expired.", hostname)
    return len(ended)
