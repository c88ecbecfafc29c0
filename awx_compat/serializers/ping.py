from collections.abc import Iterable
from typing import Any

from django.conf import settings
from rest_framework import serializers

from instances.models import Instance, InstanceGroup

_time = serializers.DateTimeField()


def ping(instances: Iterable[Instance], groups: Iterable[InstanceGroup]) -> dict[str, Any]:
    """The body of ping/: this service, its instances, its groups (from ``with_members()``)."""
    nodes = list(instances)
    return {
        "ha": sum(node.controls for node in nodes) > 1,
        "version": settings.AWX_VERSION,
        "active_node": settings.CLUSTER_HOST_ID,
        "install_uuid": settings.INSTALL_UUID,
        "instances": [_node(node) for node in nodes],
        "instance_groups": [_group(group) for group in sorted(groups, key=lambda group: group.name.lower())],
    }


def _node(instance: Instance) -> dict[str, Any]:
    return {
        "node": instance.hostname,
        "node_type": instance.node_type,
        "uuid": instance.uuid,
        "heartbeat": instance.last_seen and _time.to_representation(instance.last_seen),
        "capacity": instance.capacity,
        "version": instance.version,
    }


def _group(group: InstanceGroup) -> dict[str, Any]:
    return {
        "name": group.name,
        "capacity": group.max_forks if group.is_container_group else group.members_capacity,
        "instances": group.member_hostnames,
    }
