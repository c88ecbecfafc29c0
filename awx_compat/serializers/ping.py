from datetime import datetime
from typing import Any

from django.conf import settings
from rest_framework import serializers

from instances.capacity import CONTROLLING

_time = serializers.DateTimeField()


def ping(instances: list[dict[str, Any]], groups: list[dict[str, Any]]) -> dict[str, Any]:
    """The body of ping/: this service, the values of its instances and of its groups, from ``with_members()``."""
    return {
        "ha": sum(node["node_type"] in CONTROLLING for node in instances) > 1,
        "version": settings.AWX_VERSION,
        "active_node": settings.CLUSTER_HOST_ID,
        "install_uuid": settings.INSTALL_UUID,
        "instances": [_node(node) for node in instances],
        "instance_groups": [_group(group) for group in sorted(groups, key=lambda group: group["name"].lower())],
    }


def _node(node: dict[str, Any]) -> dict[str, Any]:
    seen = node["last_seen"]
    return {
        "node": node["hostname"],
        "node_type": node["node_type"],
        "uuid": node["uuid"],
        "heartbeat": seen and _time.to_representation(datetime.fromisoformat(seen)),
        "capacity": node["capacity"],
        "version": node["version"],
    }


def _group(group: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": group["name"],
        "capacity": group["max_forks"] if group["is_container_group"] else group["members_capacity"],
        "instances": group["member_hostnames"],
    }
