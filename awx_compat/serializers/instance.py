from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from awx_compat.serializers.base import CompiledSerializer, NamedRecordSerializer, RecordSerializer
from awx_compat.serializers.common import PathField
from awx_compat.serializers.fields import BooleanField, PeersField
from instances import lifecycle
from instances.addresses import INSTALLABLE, addresses_of
from instances.models import Instance, InstanceLink
from instances.models.address import HIGHEST_PORT


class EndsOfLinkSerializer(serializers.Serializer[Any]):
    """The nodes that a link connects."""

    source_instance = PathField(help_text="Path of the node that opens the link.")
    target_instance = PathField(help_text="Path of the node that listens.")


class LinkSerializer(serializers.ModelSerializer[InstanceLink]):
    """A link of the mesh, from the node that opens it to the node that listens."""

    url = serializers.CharField(allow_blank=True, help_text="Always empty.")
    related = EndsOfLinkSerializer(help_text="Paths of both nodes.")
    source = serializers.CharField(  # type: ignore[assignment] # DRF takes the fields out of the class
        help_text="The hostname of the node that opens the link."
    )
    target = serializers.CharField(help_text="The hostname of the node that listens.")

    class Meta:
        model = InstanceLink
        fields = ("id", "url", "related", "source", "target", "link_state")


class InstanceCapabilitiesSerializer(serializers.Serializer[Any]):
    """What AWX says that the user may do with an instance."""

    edit = serializers.BooleanField(help_text="False for everybody, as in AWX, although superusers may change it.")


class InstanceSummarySerializer(serializers.Serializer[Any]):
    """What else is known around an instance."""

    user_capabilities = InstanceCapabilitiesSerializer(
        help_text="What AWX says that the user may do with the instance."
    )
    links = LinkSerializer(
        many=True, required=False, help_text="The links that start at the instance; not in `/api/v2/instances/`."
    )


class InstanceSerializer(RecordSerializer):
    """An instance in a list, of a queryset ``with_load()`` and ``with_peers()``."""

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
    listener_port = serializers.IntegerField(
        allow_null=True,
        default=None,
        min_value=0,
        max_value=HIGHEST_PORT,
        help_text="Port that Receptor will listen for incoming connections on.",
    )
    peers = PeersField(source="peer_hostnames", required=False)
    peers_from_control_nodes = BooleanField(
        default=False, help_text="If True, control plane cluster nodes should automatically peer to it."
    )

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
        }
        description = "A node of the automation mesh."
        descriptions = {
            "hostname": "Name of the node, by which the mesh and the jobs know it; also a key in paths.",
            "uuid": "UUID that the node reported; all zeros before it did.",
            "health_check_pending": "Whether a health check was started that has not ended yet.",
            "capacity_adjustment": (
                "Where `capacity` lies between the lower one of CPUs and memory (0) and the higher (1)."
            ),
            "version": "Version of AWX on a control or hybrid node, else of ansible-runner (`ansible-runner-2.3.4`).",
            "capacity": "Forks that it can carry at a time; 0 for hop nodes and while it is disabled or unavailable.",
            "consumed_capacity": "Forks that its running and waiting jobs use; may be more than `capacity`.",
            "percent_capacity_remaining": (
                "Share of the capacity that is free, in percent, to two places; never negative."
            ),
            "cpu": "CPUs that it reported.",
            "cpu_capacity": "Forks that its CPUs can carry.",
            "mem_capacity": "Forks that its memory can carry.",
            "enabled": "Whether it is given jobs.",
            "managed_by_policy": "Whether the policies of groups may make it a member.",
            "ip_address": "Address of the node; empty where it is not known.",
            "peers": "Hostnames of the nodes that it opens links to.",
        }
        only_on_creation = ("hostname", "node_type")

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        field, options = super().build_standard_field(field_name, model_field)
        if field_name == "hostname":
            options["validators"] = [*lifecycle.HOSTNAME_RULES, *options["validators"]]
        return field, options

    def validate_hostname(self, hostname: str) -> str:
        return lifecycle.checked_hostname(self.instance, hostname)

    def validate_node_type(self, node_type: str) -> str:
        return lifecycle.checked_node_type(self.instance, node_type)

    def validate_node_state(self, node_state: str) -> str:
        return lifecycle.checked_node_state(self.instance, node_state)

    def validate_listener_port(self, port: int | None) -> int | None:
        return lifecycle.checked_listener_port(self.instance, port)

    def validate_peers_from_control_nodes(self, value: bool) -> bool:
        return lifecycle.checked_peers_from_control_nodes(self.instance, value)

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        if "peer_hostnames" in values:
            values["peers"] = addresses_of(self.instance, values.pop("peer_hostnames"))
        lifecycle.check_together(self.instance, values)
        return values

    def create(self, values: dict[str, Any]) -> Instance:
        return lifecycle.create(values)

    def update(self, instance: Instance, values: dict[str, Any]) -> Instance:
        return lifecycle.change(instance, values)

    def get_related(self, instance: Instance) -> dict[str, str]:
        subs = ["jobs", "instance_groups"]
        if instance.node_type in INSTALLABLE:
            subs.append("install_bundle")
        subs.append("peers")
        if instance.node_type == Instance.NodeType.EXECUTION and self.reader.sees_everything:
            subs.append("health_check")
        url = self.get_url(instance)
        return {sub: f"{url}{sub}/" for sub in subs}

    @extend_schema_field(InstanceSummarySerializer)
    def get_summary_fields(self, instance: Instance) -> dict[str, Any]:
        return {"user_capabilities": {"edit": False}}  # AWX says so to everybody, while PATCH works


def link_bodies(instance: Instance) -> list[dict[str, Any]]:
    """The links that start at an instance ``with_links()``."""
    return [
        link_body(link["id"], instance, link["target_id"], link["target"], link["link_state"])
        for link in instance.outgoing_links
    ]


def link_body(pk: int, source: Instance, target_id: int, target: str, link_state: str) -> dict[str, Any]:
    """A link in AWX's shape, as instances and mesh_visualizer/ have it."""
    return {
        "id": pk,
        "url": "",
        "related": {
            "source_instance": InstanceSerializer.url_of(source.pk),
            "target_instance": InstanceSerializer.url_of(target_id),
        },
        "source": source.hostname,
        "target": target,
        "link_state": link_state,
    }


class LinkedInstanceSerializer(InstanceSerializer):
    """An instance in a list below another record: with the links that start at it, from ``with_links()``."""

    @extend_schema_field(InstanceSummarySerializer)
    def get_summary_fields(self, instance: Instance) -> dict[str, Any]:
        return {**super().get_summary_fields(instance), "links": link_bodies(instance)}


class CreatedInstanceSerializer(NamedRecordSerializer, InstanceSerializer):
    """An instance that was just created; AWX's response has no links of it."""

    name_field = "hostname"


class InstanceDetailSerializer(NamedRecordSerializer, LinkedInstanceSerializer):
    """An instance on its own path."""

    name_field = "hostname"


class HealthCheckSerializer(CompiledSerializer):
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
