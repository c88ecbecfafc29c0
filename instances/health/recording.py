"""Recording a report: the figures, capacities and state that follow from a heartbeat, a health check or an agent.

Source: docs/awx-behaviour.md, "Health checks".
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from instances import capacity
from instances.health import conditions
from instances.health.report import NodeReport, effective_figures
from instances.health.rules import CHECKABLE_STATES
from instances.health.watch import record_failure
from instances.locking import lock_record
from instances.models import Instance, NodeHealth

State = Instance.NodeState
SIGHTINGS_UNTIL_BACK = 2  # a lost node that shows up once may only flap
LOCAL_FAULTS = (  # of this service, so of no node
    NodeHealth.Check.EXPIRED,
    NodeHealth.Check.NO_RECEPTOR,
    NodeHealth.Check.MISCONFIGURED,
)
ANSWERING_OUTCOMES = (NodeHealth.Check.PASSED, NodeHealth.Check.NODE_ERRORS)
TIMES_AND_FIGURES = frozenset(
    {"last_seen", "last_health_check", "health_check_started", "cpu", "memory"}
)  # what every report moves


@transaction.atomic
def record(pk: int, report: NodeReport, check: datetime | None = None, now: datetime | None = None) -> Instance:
    """Store the report and what follows from it; return the instance as it is then.

    ``check``: the health_check_started of the check whose result this is. If that check has ended, because it expired
    or another one was started after it, nothing is stored.
    """
    instance: Instance = lock_record(Instance, pk)
    if check is not None and not (instance.health_check_pending and instance.health_check_started == check):
        return instance
    now = now or timezone.now()
    before = {field.attname: getattr(instance, field.attname) for field in Instance._meta.concrete_fields}
    health, _ = NodeHealth.objects.get_or_create(instance=instance)
    instance.health = health
    if report.outcome == NodeHealth.Check.NO_RECEPTOR:
        record_failure(report.errors, now)
    watch = conditions.Watch.here(now)
    earlier = conditions.findings(instance, watch, now)
    if report.outcome in ANSWERING_OUTCOMES:
        record_sighting(instance, health, now)
    health.check_outcome = report.outcome
    health.save()
    apply(report, instance, health, now)
    save_changes(instance, before, now)
    conditions.store([instance], now, watch, earlier={pk: earlier})
    return instance


def record_sighting(instance: Instance, health: NodeHealth, at: datetime) -> None:
    """Record that the node was seen at this time; ``last_seen`` never goes back. Nothing is saved."""
    instance.last_seen = max(at, instance.last_seen or at)
    health.sighted = at
    if health.lost_since is not None:
        health.sightings += 1
        if health.sightings >= SIGHTINGS_UNTIL_BACK:
            health.lost_since, health.sightings = None, 0


def apply(report: NodeReport, instance: Instance, health: NodeHealth, now: datetime) -> None:
    """Set the figures, the errors and, in CHECKABLE_STATES, the state. Nothing is saved."""
    instance.last_health_check = now
    if instance.health_check_started is not None:  # which lies in the future if the clock was put back since
        instance.health_check_started = min(instance.health_check_started, now)
    instance.version = report.version or instance.version
    instance.uuid = report.uuid or instance.uuid
    cpu, memory = effective_figures(report, instance.node_type)
    instance.cpu, instance.memory = cpu or instance.cpu, memory or instance.memory
    if instance.node_state not in CHECKABLE_STATES:
        return  # errors is the reason why the node was not provisioned or could not be removed
    if report.outcome in LOCAL_FAULTS:
        instance.errors = report.errors
    elif report.errors:
        take_offline(instance, report.errors)
    elif health.lost_since is None:
        bring_online(instance)


def take_offline(instance: Instance, errors: str) -> None:
    instance.node_state = State.UNAVAILABLE
    instance.errors = errors
    instance.cpu_capacity = instance.mem_capacity = 0
    instance.recompute_capacity()


def bring_online(instance: Instance) -> None:
    instance.node_state = State.READY
    instance.errors = ""
    if instance.node_type == Instance.NodeType.HOP:
        instance.cpu_capacity = instance.mem_capacity = 0
    else:
        instance.cpu_capacity = capacity.cpu_capacity(instance.cpu)
        instance.mem_capacity = capacity.mem_capacity(instance.memory)
    instance.recompute_capacity()


def save_changes(instance: Instance, before: dict[str, Any], now: datetime) -> None:
    """Save the columns that changed. ``modified`` changes only if more than times and figures did.

    Otherwise every heartbeat would look like somebody's change to a client that sends ``If-Match``.
    """
    changed = {name: getattr(instance, name) for name, value in before.items() if getattr(instance, name) != value}
    if changed.keys() - TIMES_AND_FIGURES:
        changed["modified"] = instance.modified = now
    if changed:
        Instance.objects.filter(pk=instance.pk).update(**changed)
