"""The typed conditions of a node: nine aspects of it, each with a status, a reason of a closed list and a time.

They are computed from the instance, its NodeHealth, the time, and, for Reachable, the links around it. A status that
these do not determine is Unknown. ``store()`` saves the conditions, and with them the times at which they changed; but
not BundleCurrent, SinglePath, Draining and Drained: they depend on other records and on files, and are computed where
they are shown.
What makes a node lost: docs/awx-behaviour.md, "Heartbeats and lost nodes".
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

from django.core.exceptions import ObjectDoesNotExist
from django.utils import timezone

from instances import install_bundles
from instances.health import draining
from instances.health.reasons import FAULTS, Finding, Reason
from instances.health.rules import CHECKABLE_STATES, is_marked_lost, last_seen_at, tolerance, was_seen_here
from instances.health.watch import MIRRORING as MIRRORING
from instances.health.watch import Watch as Watch
from instances.install_bundles import Comparison
from instances.models import Condition, Instance, IssuedBundle, NodeHealth
from instances.planning.ways import Ways
from instances.reader import Reader

State = Instance.NodeState
Status, Type, Check = Condition.Status, Condition.Type, NodeHealth.Check

Blockers = Mapping[int, list[str]]  # id of a node that is cut off -> the hostnames of the nodes that cut it off

# Outcomes of a check that did not reach the node, and the status of Reachable that follows.
UNREACHED = {Check.UNREACHABLE: Status.FALSE, Check.NO_RECEPTOR: Status.UNKNOWN}

NAMING_OTHERS = (Reason.CUT_OFF, Reason.ONE_WAY)  # in their messages

Findings = Mapping[Condition.Type, Finding]


def health_of(instance: Instance) -> NodeHealth:
    """The stored health of the instance, or an empty one that is not stored."""
    try:
        return instance.health
    except ObjectDoesNotExist:
        return NodeHealth(instance=instance)


def findings(
    instance: Instance, watch: Watch, now: datetime, blockers: Blockers | None = None
) -> dict[Condition.Type, Finding]:
    """The stored conditions; without Reachable where that depends on the links and ``blockers`` is None."""
    health = health_of(instance)
    last_seen = seen(instance, health, now)
    found = {
        Type.SEEN: last_seen,
        Type.HEALTH_CHECKED: health_checked(instance, health, watch),
        Type.REACHABLE: reachable(instance, health, last_seen, watch, blockers, now),
        Type.CAPACITY_REPORTED: capacity_reported(instance),
        Type.ENABLED: enabled(instance, health),
    }
    return {kind: finding for kind, finding in found.items() if finding is not None}


def seen(instance: Instance, health: NodeHealth, now: datetime) -> Finding:
    patience = tolerance(instance.node_type)
    last = last_seen_at(instance, health, now)
    in_time = last is not None and now - last <= patience
    if health.lost_since is not None:
        message = f"Lost since {health.lost_since:%Y-%m-%d %H:%M:%S} UTC."
        if health.sightings or (in_time and last is not None and last > health.lost_since):
            return Finding(Status.UNKNOWN, Reason.SEEN_ONCE, message)
        return Finding(Status.FALSE, Reason.LOST, message, health.lost_since)
    if last is None:
        was_seen = instance.last_seen or health.sighted
        return Finding(Status.UNKNOWN, Reason.IN_FUTURE if was_seen else Reason.NEVER_SEEN)
    if not in_time:
        is_lost = instance.node_state == State.UNAVAILABLE
        reason = Reason.LOST if is_lost else Reason.SILENT
        message = f"Last seen {last:%Y-%m-%d %H:%M:%S} UTC."
        return Finding(Status.FALSE if is_lost else Status.UNKNOWN, reason, message, last + patience)
    if is_marked_lost(instance) and not was_seen_here(health, now, instance):
        return Finding(Status.UNKNOWN, Reason.SEEN_ONCE)
    return Finding(Status.TRUE, Reason.SEEN)


def health_checked(instance: Instance, health: NodeHealth, watch: Watch) -> Finding:
    if instance.node_type == Instance.NodeType.HOP:
        return Finding(Status.UNKNOWN, Reason.NOT_APPLICABLE)
    if health.check_outcome in FAULTS:
        return Finding(Status.FALSE, Check(health.check_outcome), check_message(instance))
    if instance.last_health_check is None:
        return Finding(Status.UNKNOWN, Reason.NEVER_CHECKED)
    if is_marked_lost(instance):
        return Finding(Status.UNKNOWN, Reason.LOST_SINCE)
    if instance.errors:
        is_of_check = instance.node_state in CHECKABLE_STATES
        return Finding(Status.FALSE if is_of_check else Status.UNKNOWN, Reason.HAS_ERRORS, instance.errors)
    if passed(instance, health):
        return Finding(Status.TRUE, Check.PASSED)
    return Finding(Status.UNKNOWN, Reason.MIRRORED if watch.is_mirror else Reason.NOT_RECORDED)


def passed(instance: Instance, health: NodeHealth) -> bool:
    """Whether the last check of a node without errors passed: by its stored outcome, or as the node is ready."""
    if instance.node_state == State.UNAVAILABLE:
        return False
    return health.check_outcome == Check.PASSED or instance.node_state in (State.READY, State.DEPROVISIONING)


def reachable(
    instance: Instance, health: NodeHealth, last_seen: Finding, watch: Watch, blockers: Blockers | None, now: datetime
) -> Finding | None:
    if watch.receptor_error:
        return Finding(Status.UNKNOWN, Check.NO_RECEPTOR, watch.receptor_error)
    if health.lost_since is not None:
        return reachable_since_loss(instance, health, watch, blockers)
    if health.check_outcome in UNREACHED and not seen_since_check(instance, health):
        outcome = Check(health.check_outcome)
        return Finding(UNREACHED[outcome], outcome, check_message(instance))
    if last_seen.reason == Reason.NEVER_SEEN:
        return Finding(Status.UNKNOWN, Reason.NEVER_SEEN)
    if watch.lacks_route(instance, health):
        return Finding(Status.UNKNOWN, Reason.NO_ROUTE)
    is_well = instance.node_state != State.UNAVAILABLE and not instance.errors
    is_seen = last_seen.status == Status.TRUE and not watch.is_blind
    if is_seen and (is_well or was_seen_here(health, now, instance)):
        return Finding(Status.TRUE, Reason.CONNECTED)
    # Only a condition that was True until then has been Unknown since the node was last seen in time.
    return Finding(Status.UNKNOWN, unobserved_reason(watch), since=last_seen.since if is_well else None)


def reachable_since_loss(
    instance: Instance, health: NodeHealth, watch: Watch, blockers: Blockers | None
) -> Finding | None:
    """Reachable of a lost node: False only while nothing was heard of it and there is no route to it."""
    if health.sightings:
        return Finding(Status.UNKNOWN, Reason.SEEN_ONCE)
    if watch.has_route(instance):
        return Finding(Status.UNKNOWN, Reason.NOT_HEARD)
    return None if blockers is None else down(blockers.get(instance.pk), health.lost_since)


def unobserved_reason(watch: Watch) -> Reason:
    """The reason of a condition that could be determined only by watching the node."""
    if watch.is_mirror:
        return Reason.MIRRORED
    return Reason.NOT_HEARD if watch.by_worker else Reason.NOT_WATCHED


def check_message(instance: Instance) -> str:
    """The error message of the last check; "" where the node was lost after it, since ``errors`` is about that then."""
    return "" if is_marked_lost(instance) else instance.errors


def seen_since_check(instance: Instance, health: NodeHealth) -> bool:
    check = instance.last_health_check
    return health.sighted is not None and (check is None or health.sighted > check)


def down(names: Collection[str] | None, since: datetime | None) -> Finding:
    """Reachable of a lost node: cut off by the nodes with these hostnames, or down itself if there are none."""
    if not names:
        return Finding(Status.FALSE, Reason.DOWN, since=since)
    verb = "is" if len(names) == 1 else "are"
    message = f"Every path to it leads over {', '.join(names)}, which {verb} down."
    return Finding(Status.FALSE, Reason.CUT_OFF, message, since)


def capacity_reported(instance: Instance) -> Finding:
    if instance.node_type == Instance.NodeType.HOP:
        return Finding(Status.UNKNOWN, Reason.NOT_APPLICABLE)
    if instance.cpu and instance.memory:
        return Finding(Status.TRUE, Reason.REPORTED)
    return Finding(Status.FALSE, Reason.NOT_REPORTED)


def enabled(instance: Instance, health: NodeHealth) -> Finding:
    if instance.enabled:
        return Finding(Status.TRUE, Reason.ENABLED)
    return Finding(Status.FALSE, Reason.DISABLED, health.disabled_reason)


def bundle_current(instance: Instance, watch: Watch, comparison: Comparison | None) -> Finding:
    if instance.controls:  # no install bundle is made for these
        return Finding(Status.UNKNOWN, Reason.NOT_APPLICABLE)
    if comparison is None:
        return Finding(Status.UNKNOWN, Reason.MIRRORED if watch.is_mirror else Reason.NO_BUNDLE)
    return up_to_date(comparison)


def up_to_date(comparison: Comparison) -> Finding:
    """BundleCurrent of the node that the compared bundle is for."""
    if comparison.changed:
        return Finding(Status.FALSE, Reason.BUNDLE_OUTDATED, comparison.message, comparison.outdated_since)
    if comparison.ca_error:
        return Finding(Status.UNKNOWN, Reason.NO_MESH_CA, comparison.ca_error)
    return Finding(Status.TRUE, Reason.BUNDLE_CURRENT, comparison.message)


def single_path(instance: Instance, ways: Ways) -> Finding:
    if instance.controls:
        return Finding(Status.UNKNOWN, Reason.NOT_APPLICABLE)
    if not ways.reach(instance.hostname):
        return Finding(Status.UNKNOWN, Reason.NO_WAY)
    threads = ways.threads(instance.hostname)
    if threads:
        return Finding(Status.TRUE, Reason.ONE_WAY, f"Every way to a control node leads over {threads}.")
    return Finding(Status.FALSE, Reason.TWO_WAYS)


# --- reading and storing them


def current(instance: Instance, now: datetime | None = None) -> list[Condition]:
    """The conditions of an instance that was read ``with_conditions()``; none is stored. At most four queries."""
    return all_current([instance], now)[instance.pk]


def current_for(reader: Reader, instance: Instance) -> list[Condition]:
    """The same, without the messages that name other nodes if ``reader`` does not see all of these."""
    found = current(instance)
    if not reader.sees_everything:
        for each in found:
            each.message = "" if each.reason in NAMING_OTHERS else each.message
    return found


def all_current(instances: Collection[Instance], now: datetime | None = None) -> dict[int, list[Condition]]:
    """By id, the conditions of instances read ``with_conditions()``; none is stored. At most four queries."""
    return {each.pk: current_by(each, found) for each, found in all_findings(instances, now or timezone.now())}


def all_findings(
    instances: Collection[Instance], now: datetime
) -> Iterator[tuple[Instance, dict[Condition.Type, Finding]]]:
    """The findings of instances that were read ``with_health()``; where one is lost, as if nothing cut it off.

    What cuts it off changes the reason of Reachable, not its status. At most four queries.
    """
    watch = MIRRORING if any(each.is_mirrored for each in instances) else Watch.here(now)
    compared, ways = install_bundles.comparisons_of(instances, now), Ways.stored()
    drains = draining.current(instances)
    for each in instances:
        found = findings(each, watch, now, blockers={})
        found[Type.BUNDLE_CURRENT] = bundle_current(each, watch, compared.get(each.pk))
        found[Type.SINGLE_PATH] = single_path(each, ways)
        found[Type.DRAINING] = draining.draining(drains.get(each.pk), now)
        found[Type.DRAINED] = draining.drained(drains.get(each.pk), now)
        yield each, found


def current_by(instance: Instance, found: dict[Condition.Type, Finding]) -> list[Condition]:
    stored = {condition.type: condition for condition in instance.conditions.all()}
    if found[Type.REACHABLE].reason == Reason.DOWN:
        found[Type.REACHABLE] = stored_loss(stored.get(Type.REACHABLE)) or found[Type.REACHABLE]
    return [
        condition(instance, kind, found[kind], transition(found[kind], stored.get(kind), found[kind].status, None))
        for kind in Type
    ]


def stored_loss(stored: Condition | None) -> Finding | None:
    """The stored Reachable of a lost node, which the last inspection computed from the links; None if missing."""
    if stored is None or stored.status != Status.FALSE or stored.reason not in (Reason.DOWN, Reason.CUT_OFF):
        return None
    return Finding(Status.FALSE, Reason(stored.reason), stored.message, stored.last_transition)


def condition(
    instance: Instance, kind: Condition.Type, finding: Finding, last_transition: datetime | None
) -> Condition:
    status, reason, message, _ = finding
    return Condition(
        instance=instance, type=kind, status=status, reason=reason, message=message, last_transition=last_transition
    )


def transition(
    finding: Finding, stored: Condition | None, earlier: str | None, now: datetime | None
) -> datetime | None:
    """When the condition changed to the status of ``finding``; None where that is not known.

    ``earlier``: its status until now, stored or not; None where there was none. ``now``: when the change was found, if
    it is to be stored.
    """
    before = [status for status in (stored.status if stored else None, earlier) if status is not None]
    if not before or any(status != finding.status for status in before):
        return finding.since or now
    return (stored.last_transition if stored else None) or finding.since


def store(
    instances: Iterable[Instance],
    now: datetime,
    watch: Watch,
    blockers: Blockers | None = None,
    earlier: Mapping[int, Findings] | None = None,
) -> int:
    """Store the conditions of these instances that changed; return how many did. Two queries at most.

    ``earlier``: by id, the findings before the change that is being stored; empty for a new instance.
    """
    by_pk = {instance.pk: instance for instance in instances}
    stored = {(each.instance_id, each.type): each for each in Condition.objects.filter(instance__in=by_pk)}
    changed = []
    for pk, instance in by_pk.items():
        for kind, finding in findings(instance, watch, now, blockers).items():
            known = stored.get((pk, kind))
            before = finding if earlier is None else earlier[pk].get(kind)
            is_unchanged = known is not None and (known.status, known.reason, known.message) == finding[:3]
            if not is_unchanged or (before is not None and before.status != finding.status):
                since = transition(finding, known, before.status if before else None, now)
                changed.append(condition(instance, kind, finding, since))
    Condition.objects.bulk_create(
        changed,
        update_conflicts=True,
        unique_fields=["instance", "type"],
        update_fields=["status", "reason", "message", "last_transition"],
    )
    return len(changed)


def delete_stored(pks: Iterable[int]) -> None:
    """Delete what is stored of these instances beside them, since other records replace them. Three queries."""
    ids = list(pks)
    for model in (Condition, NodeHealth, IssuedBundle):
        model._default_manager.filter(instance__in=ids).delete()


def delete_all_stored() -> None:
    """Delete what is stored of all instances beside them, since other records replace them. Three queries."""
    for model in (Condition, NodeHealth, IssuedBundle):
        model._default_manager.all().delete()
