"""Removing a node from the mesh, once nothing runs on it. Source: docs/awx-behaviour.md, "Deprovisioning"."""

from django.db import DatabaseError, OperationalError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from instances.addresses import delete_unused_addresses
from instances.locking import lock_links, lock_record
from instances.models import Instance, InstanceLink, NodeHealth, UnifiedJob
from instances.policies import lock_memberships


class StillActiveError(Exception):
    """Jobs run on the node, or wait for it; try again later."""


def deprovision(pk: int) -> bool:
    """Remove the instance if it is being deprovisioned, with its links; return whether it was removed.

    Each step is a transaction that may be repeated, so that the next call finishes what an interrupted one began.
    Raises StillActiveError while the node has active jobs, and OperationalError where the database is at fault
    (unreachable, a deadlock). On any other error of the database the node is left in the state deprovision-fail.
    """
    try:
        return begin_removal(pk) and remove(pk)
    except OperationalError:
        raise
    except DatabaseError as error:
        mark_failed(pk, str(error).partition("\n")[0])
        return False


@transaction.atomic
def begin_removal(pk: int) -> bool:
    """Set the links of the node to "removing"; return whether the node may be removed."""
    lock_links()
    if not lock_if_removable(pk):
        return False
    links_of(pk).update(link_state=InstanceLink.State.REMOVING)
    NodeHealth.objects.update_or_create(instance_id=pk, defaults={"removal_began": timezone.now()})
    return True


@transaction.atomic
def remove(pk: int) -> bool:
    lock_links()
    lock_memberships()  # so that no policy makes the node a member meanwhile
    if not lock_if_removable(pk):
        return False
    links_of(pk).delete()
    Instance.objects.filter(pk=pk).delete()
    delete_unused_addresses()
    return True


def lock_if_removable(pk: int) -> bool:
    """Lock the node; return whether it is being deprovisioned. Raises StillActiveError while it has active jobs."""
    node = Instance.objects.select_for_update().filter(pk=pk, node_state=Instance.NodeState.DEPROVISIONING).first()
    if node is None:
        return False
    if UnifiedJob.objects.active().filter(execution_node=node.hostname).exists():
        raise StillActiveError(node.hostname)
    return True


def links_of(pk: int) -> QuerySet[InstanceLink]:
    return InstanceLink.objects.filter(Q(source=pk) | Q(target__instance=pk))


@transaction.atomic
def mark_failed(pk: int, reason: str) -> None:
    """Set the node to "deprovision-fail" with the reason; an operator may request its removal again."""
    node: Instance = lock_record(Instance, pk)
    node.node_state = Instance.NodeState.DEPROVISION_FAIL
    node.errors = f"The node could not be removed: {reason}"
    node.recompute_capacity()
    node.save(update_fields=["node_state", "errors", "capacity"])
