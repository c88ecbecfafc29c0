from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from awx_compat import dialects
from awx_compat.serializers.base import CompiledSerializer, NamedRecordSerializer, RecordSerializer
from instances import lifecycle, rules
from instances.models import Instance
from instances.reader import Reader

# With these the fields of an instance begin in all versions.
COMMON_FIELDS = (
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
)


class InstanceCapabilitiesSerializer(serializers.Serializer[Any]):
    """What AWX says that the user may do with an instance."""

    edit = serializers.BooleanField(help_text="False for everybody, as in AWX, although superusers may change it.")


class InstanceSummarySerializer(serializers.Serializer[Any]):
    """What else is known around an instance."""

    user_capabilities = InstanceCapabilitiesSerializer(
        help_text="What AWX says that the user may do with the instance."
    )

    def get_fields(self) -> dict[str, Any]:
        text = "The links that start at the instance; not in `/api/v2/instances/`."
        links = dialects.module("instances").LINK_SERIALIZER(many=True, required=False, help_text=text)
        return {**super().get_fields(), "links": links}


class InstanceSerializer(RecordSerializer):
    """An instance in a list, of a queryset ``with_load()``; each dialect adds its fields of ports and peers."""

    record_type = "instance"
    collection = "instances"
    related_names: ClassVar[tuple[str, ...]]  # in AWX's order

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

    class Meta:
        model = Instance
        read_only_fields = ("uuid", "ip_address", "version", "managed")
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
        }
        only_on_creation = ("hostname", "node_type")

    @staticmethod
    def with_peers(instances: Any) -> Any:
        """The queryset ``instances`` with all that a serializer of this dialect reads of ports and peers."""
        raise NotImplementedError

    @staticmethod
    def with_links(instances: Any) -> Any:
        """The queryset ``instances`` with all that ``links_of()`` reads."""
        raise NotImplementedError

    @staticmethod
    def link_body(link: dict[str, Any], source: Instance) -> dict[str, Any]:
        """A link that starts at ``source``, in AWX's shape."""
        raise NotImplementedError

    @classmethod
    def links_of(cls, instance: Instance) -> list[dict[str, Any]]:
        """The links that start at an instance ``with_links()``."""
        return [cls.link_body(link, instance) for link in instance.outgoing_links]

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        field, options = super().build_standard_field(field_name, model_field)
        if field_name == "hostname":
            options["validators"] = [*lifecycle.HOSTNAME_RULES, *options["validators"]]
        return field, options

    def checked(self, name: str, value: Any) -> Any:
        check = rules.current().CHECKS[name]
        return check(self.instance, value)

    def validate_hostname(self, hostname: str) -> Any:
        return self.checked("hostname", hostname)

    def validate_node_type(self, node_type: str) -> Any:
        return self.checked("node_type", node_type)

    def validate_node_state(self, node_state: str) -> Any:
        return self.checked("node_state", node_state)

    def validate_listener_port(self, port: int | None) -> Any:
        return self.checked("listener_port", port)

    def validate_peers_from_control_nodes(self, value: bool) -> Any:
        return self.checked("peers_from_control_nodes", value)

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        rules.current().check_together(self.instance, values)
        return values

    def create(self, values: dict[str, Any]) -> Instance:
        return lifecycle.create(values)

    def update(self, instance: Instance, values: dict[str, Any]) -> Instance:
        return lifecycle.change(instance, values)

    def get_related(self, instance: Instance) -> dict[str, str]:
        url = self.get_url(instance)
        left_out = set() if instance.is_installable else {"install_bundle"}
        if instance.node_type != Instance.NodeType.EXECUTION or not self.reader.sees_everything:
            left_out.add("health_check")
        return {name: f"{url}{name}/" for name in self.related_names if name not in left_out}

    @extend_schema_field(InstanceSummarySerializer)
    def get_summary_fields(self, instance: Instance) -> dict[str, Any]:
        return {"user_capabilities": {"edit": False}}  # AWX says so to everybody, while PATCH works


class WithLinks:
    """Mixin: the serializer of an instance ``with_links()`` that shows the links that start there."""

    @extend_schema_field(InstanceSummarySerializer)
    def get_summary_fields(self, instance: Instance) -> dict[str, Any]:
        return {**super().get_summary_fields(instance), "links": self.links_of(instance)}  # type: ignore[misc,attr-defined]


class NamedInstance(NamedRecordSerializer):
    name_field = "hostname"


@dataclass(frozen=True)
class InstanceSerializers:
    """The serializers of a dialect: in ``instances/``, in lists below another record, just created, and alone."""

    listed: type[InstanceSerializer]
    linked: type[InstanceSerializer]
    created: type[InstanceSerializer]  # AWX's response has no links of it
    detailed: type[InstanceSerializer]

    def in_list(self, reader: Reader) -> Any:
        """What ``instances/`` shows to the reader."""
        return self.listed.with_peers(Instance.objects.visible_to(reader).with_load()).order_by("id")

    def below(self, instances: Any) -> Any:
        """The queryset ``instances`` as lists below another record show them."""
        return self.linked.with_links(self.linked.with_peers(instances.with_load()))

    def alone(self, reader: Reader) -> Any:
        """Every instance, as its own path shows it."""
        return self.below(Instance.objects)

    @classmethod
    def of(cls, listed: type[InstanceSerializer]) -> "InstanceSerializers":
        linked = type(f"Linked{listed.__name__}", (WithLinks, listed), {})
        return cls(
            listed,
            linked,
            type(f"Created{listed.__name__}", (NamedInstance, listed), {}),
            type(f"Detailed{listed.__name__}", (NamedInstance, linked), {}),
        )


def links_of_all(instances: Iterable[Instance]) -> list[dict[str, Any]]:
    """The links of all these instances, by id."""
    links_of = dialects.module("instances").SERIALIZERS.listed.links_of
    return sorted((link for instance in instances for link in links_of(instance)), key=lambda link: link["id"])


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
