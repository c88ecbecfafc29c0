"""Draining nodes: they get no new jobs, and once their own have ended, or after a deadline, a next step follows.

``begin()`` and ``undo()`` are called by users, ``advance()`` by every worker, again and again. Each takes the lock of
links, then that of the instance, then that of the drain, so that a drain ends once, whoever ends it.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q
from django.utils import timezone

from instances import audit, database, lifecycle
from instances.addresses import DIALLED
from instances.capacity import CONTROLLING
from instances.locking import lock_links, lock_rows
from instances.mirror import draining, guard
from instances.models import Drain, Instance, InstanceGroup, UnifiedJob, User
from instances.planning.draining import Estimate, RemainingJob, estimates, of_all
from instances.text import visible

logger = logging.getLogger(__name__)

PERIOD = 5  # seconds between two calls of advance() by a worker
LONGEST = timedelta(days=3650)  # of a deadline; PostgreSQL stores years that Python cannot read back
LONGEST_REASON = 1_000  # characters, of pages and of the API
MOST_RUNS = 100  # of a template, the latest, from which the end of its jobs is estimated
LEAVING = (Instance.NodeState.DEPROVISIONING, Instance.NodeState.DEPROVISION_FAIL)
Then, Ending = Drain.Then, Drain.Ending

NOT_DRAINING = "The node is not being drained."
NO_REASON = "A reason is required: why the node is drained."
NO_FORCE_REASON = "A forced drain needs a reason for that, too."
PAST_DEADLINE = "The deadline must be in the future."
FAR_DEADLINE = f"The deadline must be within {LONGEST.days:,} days."


class DrainRefusedError(Exception):
    """The nodes are not drained, for these reasons; nothing was changed."""

    def __init__(self, reasons: Iterable[str]) -> None:
        super().__init__(" ".join(reasons))


@dataclass(frozen=True)
class DrainPlan:
    """What is requested of a drain. ``force_reason``: why it is forced; empty where it is not."""

    reason: str
    then: str = Then.STAY
    deadline: datetime | None = None
    force_reason: str = ""


# --- beginning and undoing


@transaction.atomic
def begin(pks: Collection[int], plan: DrainPlan, by: User | None = None) -> list[Drain]:
    """Drain these nodes, all or none; ``by`` is None for a command.

    Raises ValidationError for a plan that is not valid, and DrainRefusedError where a node cannot be drained, or others
    need one of them and the drain is not forced.
    """
    now = timezone.now()
    check_plan(plan, now)
    lock_links()
    found = Instance.objects.filter(pk__in=pks).select_related("canonical_address").prefetch_related(DIALLED)
    instances = list(lock_rows(found).order_by("pk"))
    if len(instances) < len(set(pks)):
        raise Instance.DoesNotExist
    if reason := draining.refusal():
        raise DrainRefusedError([reason])
    if reasons := [*cannot_drain(instances), *([] if plan.force_reason else needed_by_others(instances))]:
        raise DrainRefusedError(reasons)
    if plan.then == Then.DEPROVISION:
        check_deprovisioning(instances)
    was_enabled = draining.supersede(instances)
    drains = [drain_of(each, plan, by, now, was_enabled[each.pk]) for each in instances]
    Drain.objects.bulk_create(drains)
    set_enabled(drains, False, now, plan.reason)
    for drain in drains:
        audit.log_event("drain began", node=drain.hostname, reason=plan.reason, then=plan.then, force=plan.force_reason)
    return drains


def check_plan(plan: DrainPlan, now: datetime) -> None:
    errors = {}
    if not plan.reason.strip():
        errors["reason"] = NO_REASON
    if plan.force_reason.isspace():
        errors["force_reason"] = NO_FORCE_REASON
    if plan.deadline is not None and plan.deadline <= now:
        errors["deadline"] = PAST_DEADLINE
    elif plan.deadline is not None and plan.deadline > now + LONGEST:
        errors["deadline"] = FAR_DEADLINE
    if errors:
        raise ValidationError(errors)


def drain_of(instance: Instance, plan: DrainPlan, by: User | None, now: datetime, was_enabled: bool) -> Drain:
    return Drain(
        instance=instance,
        hostname=instance.hostname,
        requested_by=by,
        requested_by_name=by.username if by else "",
        reason=plan.reason,
        began=now,
        deadline=plan.deadline,
        then=plan.then,
        force_reason=plan.force_reason,
        was_enabled=was_enabled,
    )


def check_deprovisioning(instances: Iterable[Instance]) -> None:
    """Raise ValidationError if one of these, read with their DIALLED addresses, must not be deprovisioned."""
    if guard.current() is not None:
        raise ValidationError({"then": draining.CANNOT_DEPROVISION})
    try:
        for instance in instances:
            lifecycle.checked(instance, {"node_state": Instance.NodeState.DEPROVISIONING})
    except ValidationError as error:
        raise ValidationError({"then": error.messages}) from None


@transaction.atomic
def undo(pk: int, by: User | None = None) -> Drain:
    """End the open drain of the instance, which is enabled again if it was before. Raises Drain.DoesNotExist."""
    instance = lifecycle.lock_instance(pk)
    drain: Drain = lock_rows(Drain.objects.open().of_present_nodes()).get(instance=pk)
    drain.instance = instance
    if drain.was_enabled:
        set_enabled([drain], True, timezone.now())
    else:
        drain.pending_enabled = None
    end(drain, Ending.UNDONE, by)
    return drain


def set_enabled(drains: Sequence[Drain], enabled: bool, now: datetime, reason: str = "") -> None:
    """Enable or disable the locked instances of these drains, of a mirror by the next sync; ``reason``: why."""
    if guard.current() is not None:
        draining.want(drains, enabled)
    else:
        lifecycle.set_enabled([drain.instance for drain in drains if drain.instance], enabled, now, reason)


def end(drain: Drain, how: Drain.Ending, by: User | None = None) -> None:
    drain.ended_at = timezone.now()
    drain.ended_how = how
    drain.ended_by = by
    drain.ended_by_name = by.username if by else ""
    drain.save(update_fields=["ended_at", "ended_how", "ended_by", "ended_by_name", "pending_enabled"])
    audit.log_event("drain ended", node=drain.hostname, how=how, then=drain.then, requested=drain.requested_by_name)


# --- what refuses a drain


def cannot_drain(instances: Sequence[Instance]) -> list[str]:
    """Why these nodes cannot be drained, even if it is forced."""
    draining = set(Drain.objects.open().filter(instance__in=instances).values_list("instance_id", flat=True))
    return [
        *(f"{visible(each.hostname)} is being drained already." for each in instances if each.pk in draining),
        *(f"{visible(each.hostname)} is being deprovisioned." for each in instances if each.node_state in LEAVING),
    ]


def needed_by_others(instances: Sequence[Instance]) -> list[str]:
    """Why others need these nodes: groups would fall below their minimum, or no control node would be left."""
    enabled = [each for each in instances if each.enabled]
    staying = Instance.objects.filter(enabled=True).exclude(pk__in=[each.pk for each in enabled])
    # A mirrored AWX may be yet to disable others that are being drained, or to say that it did.
    staying = staying.exclude(Exists(Drain.objects.open().filter(instance=OuterRef("pk"))))
    groups = InstanceGroup.objects.filter(instances__in=enabled, policy_instance_minimum__gt=0).distinct()
    members = Q(instances__in=staying.exclude(node_state__in=LEAVING))
    below = [
        f"The group {group} would keep {group.left} of the {group.policy_instance_minimum} enabled nodes that it needs."
        for group in groups_with_members_left(groups, members)
    ]
    if any(each.controls for each in enabled) and not staying.up().filter(node_type__in=CONTROLLING).exists():
        below.append("No other control or hybrid node is ready and enabled.")
    return below


def groups_with_members_left(groups: Any, members: Q) -> Any:
    """Those of ``groups`` that would have fewer ``members`` than their minimum, with their number as ``left``."""
    counted = InstanceGroup.objects.filter(pk__in=groups.values("pk"))
    counted = counted.annotate(left=Count("instances", filter=members)).order_by("name")
    return counted.filter(left__lt=F("policy_instance_minimum"))


# --- the worker


@guard.skip_if_mirrored
def advance() -> None:
    """Take every open drain as far as it goes; in a mirror each sync does that, which reads what AWX did."""
    advance_all()


def advance_all() -> None:
    for drain in Drain.objects.open().with_jobs().order_by("pk"):
        if is_due(drain, drain.instance, timezone.now()):
            try:
                while take_step(drain.pk):
                    pass
            except Exception as error:
                if database.is_away(error):
                    raise
                logger.exception("The drain of %s cannot go on; this will be retried.", visible(drain.hostname))


def is_due(drain: Drain, instance: Instance | None, now: datetime) -> bool:
    """Whether there is a step to take; while the node is there, not before a mirrored AWX was given what is wanted."""
    how = ending_by_others(drain, instance)
    if drain.pending_enabled is not None and how != Ending.REMOVED:
        return False
    if how or drain.drained_at is not None:
        return True
    return not drain.has_jobs or (drain.is_forced and drain.is_overdue(now))


def ending_by_others(drain: Drain, instance: Instance | None) -> Drain.Ending | None:
    """How the drain ends because of what others did to the node; None where it goes on.

    An import or a mirror may give the id of the node to another one.
    """
    if instance is None or instance.hostname != drain.hostname or instance.node_state in LEAVING:
        return Ending.REMOVED
    return Ending.ENABLED if instance.enabled else None


@transaction.atomic
def take_step(pk: int) -> bool:
    """Take the next step of the drain, if one is due; return whether another one follows."""
    drain, instance = lock(pk)
    now = timezone.now()
    if not drain.is_open or not is_due(drain, instance, now):
        return False
    if how := ending_by_others(drain, instance):
        drain.pending_enabled = None
        end(drain, how)
    elif drain.drained_at is None and not drain.has_jobs:
        drain.drained_at = max(now, drain.began)  # by another machine's clock
        drain.save(update_fields=["drained_at"])
        return True
    else:
        log_jobs_left(drain, instance)
        follow_up(drain, instance)
        end(drain, Ending.DONE)
    return False


def lock(pk: int) -> tuple[Drain, Any]:
    """The drain and its instance, None where that is gone, locked until the transaction ends."""
    lock_links()
    instance = lock_rows(Instance.objects.filter(drains=pk)).first()
    drain: Drain = lock_rows(Drain.objects.with_jobs()).get(pk=pk)
    return drain, instance


def log_jobs_left(drain: Drain, instance: Instance) -> None:
    """Log the jobs that a forced drain does not wait for."""
    jobs = [job.pk for job in remaining_jobs([instance])[instance.pk]]
    if jobs:
        ids = ", ".join(map(str, jobs))
        audit.log_event("drain deadline passed", node=drain.hostname, active_jobs=len(jobs), jobs=ids)


def follow_up(drain: Drain, instance: Instance) -> None:
    """Do the drain's next step."""
    if drain.then == Then.ENABLE:
        set_enabled([drain], True, timezone.now())
    elif drain.then == Then.DEPROVISION:
        values = {"node_state": Instance.NodeState.DEPROVISIONING}
        lifecycle.change(instance, lifecycle.checked(instance, values), drain.reason)


# --- reading them


@dataclass(frozen=True)
class DrainProgress:
    """The jobs that a draining node still has, each with the estimate of its end, and when the last will have ended."""

    jobs: list[tuple[RemainingJob, Estimate]]
    eta: Estimate


def progress_of(drains: Collection[Drain], now: datetime | None = None) -> dict[int, DrainProgress]:
    """By id, the progress of each open one of ``drains``, which were read ``with_jobs()``. Two queries."""
    nodes = {each.pk: each.instance for each in drains if each.is_open and each.instance}
    jobs = remaining_jobs(nodes.values())
    runs = latest_runs(job for each in jobs.values() for job in each)
    found = {pk: estimates(jobs[node.pk], runs, now or timezone.now()) for pk, node in nodes.items()}
    return {pk: DrainProgress(each, of_all([estimate for _, estimate in each])) for pk, each in found.items()}


def remaining_jobs(instances: Iterable[Instance]) -> dict[int, list[RemainingJob]]:
    """By the id of each instance the active jobs that it executes or, as a control node, controls, by their ids."""
    by_hostname = {each.hostname: each for each in instances}
    controlling = [name for name, each in by_hostname.items() if each.controls]
    columns = ("pk", "name", "status", "unified_job_template", "started", "execution_node", "controller_node")
    active = UnifiedJob.objects.active().values_list(*columns)
    executed = active.filter(execution_node__in=by_hostname)
    controlled = active.filter(controller_node__in=controlling)
    found: dict[int, list[RemainingJob]] = defaultdict(list)
    for *values, execution_node, controller_node in executed.union(controlled).order_by("pk"):
        for name in {execution_node, controller_node} & by_hostname.keys():
            if name == execution_node or by_hostname[name].controls:
                found[by_hostname[name].pk].append(RemainingJob(*values))
    return found


def latest_runs(jobs: Iterable[RemainingJob]) -> dict[int, list[float]]:
    """By template of these jobs the seconds that its latest successful runs took, MOST_RUNS at most."""
    one_of_each = {job.template: job.pk for job in jobs if job.template is not None}
    ended = UnifiedJob.objects.filter(status="successful", finished__isnull=False)
    runs = ended.filter(unified_job_template=OuterRef("unified_job_template")).order_by("-finished")
    latest = ArraySubquery(runs.values("elapsed")[:MOST_RUNS])
    rows = UnifiedJob.objects.filter(pk__in=one_of_each.values()).annotate(latest=latest)
    found = rows.values_list("unified_job_template", "latest")
    return {template: [float(seconds) for seconds in latest] for template, latest in found}
