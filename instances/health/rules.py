"""The constants of AWX's health rules. Source: docs/awx-behaviour.md, "Heartbeats and lost nodes"."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q

from instances import capacity
from instances.models import Instance, NodeHealth

State = Instance.NodeState
CHECKABLE_STATES = (State.READY, State.UNAVAILABLE, State.INSTALLED)  # those that a health check may change
CHECK_IS_PENDING = Q(health_check_started__isnull=False) & (
    Q(last_health_check=None) | Q(health_check_started__gt=F("last_health_check"))
)  # as Instance.health_check_pending
LOST_ERROR = "Another cluster node has determined this instance to be unresponsive"
LOSS_DETECTING_PROBES = ("receptor", "agent")  # the values of HEALTH_PROBE with which silent nodes become lost


def tolerance(node_type: str) -> timedelta:
    """The time without a sign of life after which a node of this type is lost."""
    own = settings.CLUSTER_NODE_HEARTBEAT_PERIOD * settings.CLUSTER_NODE_MISSED_HEARTBEAT_TOLERANCE
    mesh = 0 if node_type in capacity.CONTROLLING else settings.RECEPTOR_SERVICE_ADVERTISEMENT_PERIOD
    return timedelta(seconds=own + mesh)


def last_seen_at(instance: Instance, health: NodeHealth, now: datetime) -> datetime | None:
    """When the node was last seen; None if it never was, or further in the future than another clock may be ahead."""
    times = [time for time in (instance.last_seen, health.sighted) if time is not None]
    return max((time for time in times if time - now <= tolerance(instance.node_type)), default=None)


def was_seen_here(health: NodeHealth, now: datetime, instance: Instance) -> bool:
    """Whether this service itself, and not only a mirrored AWX, saw the node within its tolerance."""
    return health.sighted is not None and abs(now - health.sighted) <= tolerance(instance.node_type)


def is_marked_lost(instance: Instance) -> bool:
    return instance.errors.startswith(LOST_ERROR)
