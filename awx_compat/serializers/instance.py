from typing import Any

from rest_framework import serializers

from awx_compat import paths
from awx_compat.serializers.base import RecordSerializer
from awx_compat.serializers.mesh import link_body
from instances.models import Instance

INSTALLED_BY_BUNDLE = (Instance.NodeType.EXECUTION, Instance.NodeType.HOP)


class PeersField(serializers.Field[Any, Any, Any, Any]):
    """The hostnames of the peers."""

    def to_representation(self, hostnames: list[str]) -> list[str]:
        return hostnames


class InstanceSerializer(RecordSerializer):
    """An instance in a list. The queryset brings ``with_load()`` and ``with_peers()``."""

    record_type = "instance"
    collection = "instances"

    capacity = serializers.IntegerField(read_only=True, min_value=0)
    consumed_capacity = serializers.ReadOnlyField()
    percent_capacity_remaining = serializers.ReadOnlyField()
    health_check_pending = serializers.ReadOnlyField()
    jobs_running = serializers.IntegerField(
        source="load.jobs_running",
        read_only=True,
        help_text="Count of jobs in the running or waiting state that are targeted for this instance",
    )
    jobs_total = serializers.IntegerField(
        source="load.jobs_total", read_only=True, help_text="Count of all jobs that target this instance"
    )
    peers = PeersField(source="peer_hostnames", required=False)

    class Meta:
        model = Instance
        fields = (
            "id",
            "hostname",
            "type",
            "url",
            "related",
            "summary_fields",
            "uuid",
            "created",
            "modified",
            "last_seen",
            "health_check_started",
            "health_check_pending",
            "last_health_check",
            "errors",
            "capacity_adjustment",
            "version",
            "capacity",
            "consumed_capacity",
            "percent_capacity_remaining",
            "jobs_running",
            "jobs_total",
            "cpu",
            "memory",
            "cpu_capacity",
            "mem_capacity",
            "enabled",
            "managed_by_policy",
            "node_type",
            "node_state",
            "ip_address",
            "listener_port",
            "peers",
            "peers_from_control_nodes",
        )
        read_only_fields = ("uuid", "ip_address", "version")
        extra_kwargs = {
            "node_type": {"default": Instance.NodeType.EXECUTION},
            "node_state": {"default": Instance.NodeState.INSTALLED},
            "listener_port": {"min_value": 0},
        }

    def get_related(self, instance: Instance) -> dict[str, str]:
        subs = ["jobs", "instance_groups"]
        if instance.node_type in INSTALLED_BY_BUNDLE:
            subs.append("install_bundle")
        subs.append("peers")
        if instance.node_type == Instance.NodeType.EXECUTION and self.reader.sees_everything:
            subs.append("health_check")
        return {sub: paths.record(self.collection, instance.pk, sub) for sub in subs}

    def get_summary_fields(self, instance: Instance) -> dict[str, Any]:
        return {"user_capabilities": {"edit": False}}  # AWX says so to everybody, while PATCH works


class LinkedInstanceSerializer(InstanceSerializer):
    """An instance in a list below another record: with the links that start at it, from ``with_links()``."""

    def get_summary_fields(self, instance: Instance) -> dict[str, Any]:
        links = [
            link_body(link["id"], instance, link["target_id"], link["target"], link["link_state"])
            for link in instance.outgoing_links
        ]
        return {**super().get_summary_fields(instance), "links": links}


class InstanceDetailSerializer(LinkedInstanceSerializer):
    """An instance by itself, with its named URL."""

    def get_related(self, instance: Instance) -> dict[str, str]:
        return {"named_url": paths.named(self.collection, instance.hostname), **super().get_related(instance)}


class HealthCheckSerializer(serializers.ModelSerializer[Instance]):
    """What the last health check of an instance found."""

    class Meta:
        model = Instance
        fields = read_only_fields = (
            "uuid",
            "hostname",
            "ip_address",
            "version",
            "last_health_check",
            "errors",
            "cpu",
            "memory",
            "cpu_capacity",
            "mem_capacity",
            "capacity",
        )
