from datetime import datetime
from typing import Any

from django.conf import settings
from rest_framework import serializers

from instances.capacity import CONTROLLING
from instances.models import Instance

_time = serializers.DateTimeField()


# The serializers are for the OpenAPI document alone: ``ping()`` makes bodies of thousands of nodes faster.


class PingNodeSerializer(serializers.ModelSerializer[Instance]):
    """A node, for monitoring."""

    node = serializers.CharField(help_text="The hostname.")
    heartbeat = serializers.DateTimeField(allow_null=True, help_text="Time at which the node was last seen.")

    class Meta:
        model = Instance
        fields = ("node", "node_type", "uuid", "heartbeat", "capacity", "version")


class PingGroupSerializer(serializers.Serializer[Any]):
    """A group, for monitoring."""

    name = serializers.CharField(help_text="Name of the group.")
    capacity = serializers.IntegerField(help_text="Total capacity of all members, in any state.")
    instances = serializers.ListField(child=serializers.CharField(), help_text="Hostnames of the members.")


class PingSerializer(serializers.Serializer[Any]):
    """This service, its nodes and its groups."""

    ha = serializers.BooleanField(help_text="Whether the mesh has more than one control or hybrid node.")
    version = serializers.CharField(help_text="The version of AWX with which this service is compatible.")
    active_node = serializers.CharField(help_text="Hostname of the node that answers.")
    install_uuid = serializers.CharField(help_text="UUID of the installation.")
    instances = PingNodeSerializer(many=True, help_text="All nodes but hop nodes.")
    instance_groups = PingGroupSerializer(many=True, help_text="All groups.")


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
