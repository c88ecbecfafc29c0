"""The typed conditions of a node: five aspects of its health, each with a status, a reason of a closed list and a time.

They follow from the instance, from what else is known of its health, and, for Reachable, from the links around it.
Noting them stores them, so that the moments at which they change are kept.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.utils import timezone

from instances.models import Condition, Instance, NodeHealth

Status, Type, Check = Condition.Status, Condition.Type, NodeHealth.Check

Blockers = Mapping[int, list[str]]  # id of a node that is cut off -> the hostnames of the nodes that cut it off


class Reason(models.TextChoices):
    """Why a condition is what it is, HealthChecked's more special ones (``NodeHealth.Check``) aside."""

    SEEN = "SeenInTime", "It was seen, or reported itself, and was not found lost since"
    SEEN_ONCE = "SeenOnceAfterLoss", "It was seen again after it was lost, and not often enough to count as back"
    LOST = "Lost", "It was not seen for longer than nodes of its type may be silent"
    NEVER_SEEN = "NeverSeen", "It was never seen"
    NEVER_CHECKED = "NeverChecked", "No health check of it ended"
    CONNECTED = "Connected", "It is seen, so the mesh reaches it"
    CUT_OFF = "CutOff", "Every path to it leads over nodes that are down"
    DOWN = "NodeDown", "It is lost, and no other lost node stands before it"
    REPORTED = "FiguresReported", "It reported its CPUs and its memory"
    NOT_REPORTED = "NothingReported", "It did not report its CPUs and its memory yet"
    ENABLED = "EnabledByOperator", "It may be given jobs"
    DISABLED = "DisabledByOperator", "It is given no jobs"
    NOT_APPLICABLE = "NotApplicable", "Hop nodes run nothing"


REASONS = [*Reason.choices, *Check.choices]
FAULTS = tuple(check for check in Check if check != Check.PASSED)


class Finding(NamedTuple):
    """What a condition is at this moment."""

    status: Condition.Status
    reason: Reason | NodeHealth.Check
    message: str = ""


def health_of(instance: Instance) -> NodeHealth:
    """What is noted of the instance's health, or a blank sheet."""
    try:
        return instance.health
    except ObjectDoesNotExist:
        return NodeHealth(instance=instance)


def findings(instance: Instance, blockers: Blockers | None = None) -> dict[Condition.Type, Finding]:
    """All conditions of the instance, without Reachable where only the links could tell and ``blockers`` is None."""
    health = health_of(instance)
    found = {
        Type.SEEN: seen(instance, health),
        Type.HEALTH_CHECKED: health_checked(instance, health),
        Type.REACHABLE: reachable(instance, health, blockers),
        Type.CAPACITY_REPORTED: capacity_reported(instance),
        Type.ENABLED: enabled(instance),
    }
    return {kind: finding for kind, finding in found.items() if finding is not None}


def seen(instance: Instance, health: NodeHealth) -> Finding:
    if health.lost_since is not None:
        since = f"Lost since {health.lost_since:%Y-%m-%d %H:%M:%S} UTC."
        return (
            Finding(Status.UNKNOWN, Reason.SEEN_ONCE, since)
            if health.sightings
            else Finding(Status.FALSE, Reason.LOST, since)
        )
    if instance.last_seen is None:
        return Finding(Status.UNKNOWN, Reason.NEVER_SEEN)
    return Finding(Status.TRUE, Reason.SEEN)


def health_checked(instance: Instance, health: NodeHealth) -> Finding:
    if instance.node_type == Instance.NodeType.HOP:
        return Finding(Status.UNKNOWN, Reason.NOT_APPLICABLE)
    if health.check_outcome in FAULTS:
        return Finding(Status.FALSE, Check(health.check_outcome), instance.errors)
    if instance.last_health_check is None:
        return Finding(Status.UNKNOWN, Reason.NEVER_CHECKED)
    return Finding(Status.TRUE, Check.PASSED)


def reachable(instance: Instance, health: NodeHealth, blockers: Blockers | None) -> Finding | None:
    if health.lost_since is None:
        if instance.last_seen is None:
            return Finding(Status.UNKNOWN, Reason.NEVER_SEEN)
        return Finding(Status.TRUE, Reason.CONNECTED)
    if blockers is None:
        return None
    names = blockers.get(instance.pk)
    if not names:
        return Finding(Status.FALSE, Reason.DOWN)
    verb = "is" if len(names) == 1 else "are"
    return Finding(Status.FALSE, Reason.CUT_OFF, f"Every path to it leads over {', '.join(names)}, which {verb} down.")


def capacity_reported(instance: Instance) -> Finding:
    if instance.node_type == Instance.NodeType.HOP:
        return Finding(Status.UNKNOWN, Reason.NOT_APPLICABLE)
    if instance.cpu and instance.memory:
        return Finding(Status.TRUE, Reason.REPORTED)
    return Finding(Status.FALSE, Reason.NOT_REPORTED)


def enabled(instance: Instance) -> Finding:
    return Finding(Status.TRUE, Reason.ENABLED) if instance.enabled else Finding(Status.FALSE, Reason.DISABLED)


# --- telling and keeping them


def of(instance: Instance) -> list[Condition]:
    """The conditions as they are, of an instance from ``with_conditions()``; nothing is stored."""
    noted = {condition.type: condition for condition in instance.conditions.all()}
    found = findings(instance)
    if Type.REACHABLE not in found and Type.REACHABLE not in noted:
        found[Type.REACHABLE] = Finding(Status.FALSE, Reason.DOWN)
    now = timezone.now()
    renewed = {kind: renew(instance, kind, found[kind], noted.get(kind), now) for kind in found}
    return [renewed.get(kind) or noted[kind] for kind in Type]


def renew(
    instance: Instance, kind: Condition.Type, finding: Finding, noted: Condition | None, now: datetime
) -> Condition:
    """The condition that ``finding`` makes of the one that was noted before; the first is as old as the record is."""
    stays = noted is None or noted.status == finding.status
    known_since = noted.last_transition if noted else instance.modified
    since = known_since if stays else now
    return Condition(
        pk=noted.pk if noted else None, instance=instance, type=kind, last_transition=since, **finding._asdict()
    )


def note(instances: Iterable[Instance], now: datetime, blockers: Blockers | None = None) -> int:
    """Store what changed in the conditions of these instances; return how many did. Two queries at most."""
    by_pk = {instance.pk: instance for instance in instances}
    noted = {(each.instance_id, each.type): each for each in Condition.objects.filter(instance__in=by_pk)}
    changed = []
    for pk, instance in by_pk.items():
        for kind, finding in findings(instance, blockers).items():
            known = noted.get((pk, kind))
            if known is None or (known.status, known.reason, known.message) != finding:
                changed.append(renew(instance, kind, finding, known, now))
    for condition in changed:
        condition.pk = None  # the row is found by its instance and type
    Condition.objects.bulk_create(
        changed,
        update_conflicts=True,
        unique_fields=["instance", "type"],
        update_fields=["status", "reason", "message", "last_transition"],
    )
    return len(changed)
