"""Removing nodes where AWX's API knows no way: at once though jobs run, and back as long as the removal has not begun.

Removing a node once its jobs have ended is the worker's: ``deprovisioning``.
"""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from instances import audit, lifecycle, policies, rules, tasks
from instances.addresses import delete_unused_addresses
from instances.health import conditions
from instances.locking import lock_links
from instances.models import Instance, UnifiedJob

State = Instance.NodeState
REMOVAL = {"node_state": State.DEPROVISIONING}
NOT_REQUESTED = "The node is not being deprovisioned, so there is nothing to undo."
HAS_BEGUN = "The removal of the node has begun: it has no jobs any more, and its links go. It cannot be undone."


class RemovalConflictError(ValidationError):
    """The removal of a node cannot be undone: there is none, or it has begun."""


@transaction.atomic
def request(pk: int, reason: str = "") -> Instance:
    """Have the instance removed once it has no active jobs, as AWX does when its ``node_state`` is changed.

    Raises ValidationError where the rules of AWX do not allow that.
    """
    instance = lifecycle.change_checked(pk, REMOVAL)
    audit.log_event("deprovisioning requested", node=instance.hostname, reason=reason)
    return instance


@transaction.atomic
def undo(pk: int) -> Instance:
    """Give the instance the state back that it had before it was deprovisioned.

    Where nobody stored that state it becomes "installed", and the next heartbeat or health check decides. The worker
    locks the same before each step of a removal, so the instance stays whole or goes. Raises RemovalConflictError.
    """
    instance = lifecycle.lock_instance(pk)
    if instance.node_state != State.DEPROVISIONING:
        raise RemovalConflictError(NOT_REQUESTED)
    health = conditions.health_of(instance)
    if health.removal_began:
        raise RemovalConflictError(HAS_BEGUN)
    state = health.state_before_removal or State.INSTALLED
    audit.log_event("deprovisioning undone", node=instance.hostname, state=state)
    return lifecycle.change(instance, {"node_state": state})


@transaction.atomic
def force(pk: int, reason: str) -> Instance:
    """Remove the instance at once, though it may have active jobs; return it as it was.

    Raises ValidationError where the rules of AWX do not allow that it is deprovisioned.
    """
    instance = lock_to_remove(pk=pk)
    if instance is None:
        raise Instance.DoesNotExist
    rules.current().CHECKS["node_state"](instance, State.DEPROVISIONING)
    remove(instance, reason)
    return instance


def lock_to_remove(**named: Any) -> Instance | None:
    """The instance with this id or hostname, locked with all that goes along until the transaction ends; or None."""
    lock_links()
    policies.lock_memberships()
    found: Instance | None = Instance.objects.select_for_update().filter(**named).first()
    return found


def remove(instance: Instance, reason: str) -> None:
    """Delete the locked instance with its links and memberships. Its jobs stay, with its hostname."""
    audit.log_event("node removed", node=instance.hostname, active_jobs=active_jobs(instance), reason=reason)
    Instance.objects.filter(pk=instance.pk).delete()
    delete_unused_addresses()
    tasks.policies_changed()


def active_jobs(instance: Instance) -> int:
    """The number of active jobs that run on the instance."""
    return UnifiedJob.objects.active().filter(execution_node=instance.hostname).count()
