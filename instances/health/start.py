"""Starting a health check on request."""

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from instances import tasks
from instances.health.checks import ACTIVE_PROBES, mark_started
from instances.locking import lock_record
from instances.models import Instance


def is_checked_on_demand(instance: Instance) -> bool:
    """Whether a health check of the instance may be requested: only execution nodes are checked on demand."""
    return instance.node_type == Instance.NodeType.EXECUTION


@transaction.atomic
def start(pk: int) -> bool:
    """Start and queue a health check of the instance; False if one is pending already.

    Where the node reports itself (HEALTH_PROBE "agent") nothing is queued: its next report ends the check.
    """
    instance: Instance = lock_record(Instance, pk)
    if instance.health_check_pending:
        return False
    mark_started(instance, timezone.now())
    if settings.HEALTH_PROBE in ACTIVE_PROBES:
        tasks.health_check.defer(pk=pk)
    return True
