from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied

from awx_compat import paths
from awx_compat.serializers.base import IdField, NamedRecordSerializer, RecordSerializer
from awx_compat.serializers.common import CapabilitiesSerializer, PathField
from instances import groups
from instances.models import InstanceGroup, InstanceGroupRole
from instances.roles import role_id

ROLE_DESCRIPTIONS = {
    InstanceGroupRole.Role.ADMIN: "Can manage all aspects of the instance group",
    InstanceGroupRole.Role.USE: "Can use the instance group in a job template",
    InstanceGroupRole.Role.READ: "May view settings for the instance group",
}
MESH_ALONE = "Only superusers may change the policies and the pod specification of a group."
# AWX's pod specification for container groups without one of their own.
DEFAULT_POD_SPEC = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"namespace": "default"},
    "spec": {
        "serviceAccountName": "default",
        "automountServiceAccountToken": False,
        "containers": [
            {
                "image": "quay.io/ansible/awx-ee:latest",
                "name": "worker",
                "args": ["ansible-runner", "worker", "--private-data-dir=/runner"],
                "resources": {"requests": {"cpu": "250m", "memory": "100Mi"}},
            }
        ],
    },
}


class RoleSerializer(serializers.Serializer[Any]):
    """A role that a user can hold."""

    id = serializers.IntegerField(help_text="Id of the role.")
    name = serializers.CharField(help_text="Name of the role.")
    description = serializers.CharField(help_text="The rights that the role grants.")


class RolesOfGroupSerializer(serializers.Serializer[Any]):
    """The roles that a user can hold on the group."""

    admin_role = RoleSerializer(help_text="The role that includes all others.")
    use_role = RoleSerializer(help_text="The role that allows sending jobs to the group.")
    read_role = RoleSerializer(help_text="The role that allows seeing the group; every role includes it.")


class InstanceGroupSummarySerializer(serializers.Serializer[Any]):
    """Summaries of records related to a group."""

    credential = serializers.DictField(required=False, help_text="Summary of the container group's credential.")
    object_roles = RolesOfGroupSerializer(help_text="The roles that a user can hold on the group.")
    user_capabilities = CapabilitiesSerializer(
        help_text="The actions that the requesting user may perform on the group."
    )


class UnfinishedJobSerializer(serializers.Serializer[Any]):
    """A job that has not ended."""

    id = serializers.IntegerField(help_text="Id of the job.")
    type = serializers.CharField(help_text="Type of the job.")


class InUseSerializer(serializers.Serializer[Any]):
    """The jobs because of which a group cannot be deleted."""

    error = serializers.CharField(help_text="The error message.")
    active_jobs = UnfinishedJobSerializer(many=True, help_text="The jobs that have not ended.")


class InstanceGroupSerializer(RecordSerializer):
    """A group in a list. The queryset brings ``with_load()`` and ``with_administration_by()``."""

    record_type = "instance_group"
    displayed_defaults = {"pod_spec_override": DEFAULT_POD_SPEC}
    collection = "instance_groups"

    capacity = serializers.ReadOnlyField()
    consumed_capacity = serializers.ReadOnlyField()
    percent_capacity_remaining = serializers.ReadOnlyField()
    jobs_running = serializers.ReadOnlyField()
    jobs_total = serializers.IntegerField(read_only=True, help_text="Count of all jobs that target this instance group")
    instances = serializers.ReadOnlyField(source="members")
    is_container_group = serializers.BooleanField(
        required=False, help_text=InstanceGroup._meta.get_field("is_container_group").help_text
    )
    credential = IdField(required=False, allow_null=True)
    policy_instance_list = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        label="Policy Instance List",
        help_text=InstanceGroup._meta.get_field("policy_instance_list").help_text,
    )

    class Meta:
        model = InstanceGroup
        fields = (
            "id",
            "type",
            "url",
            "related",
            "name",
            "created",
            "modified",
            "capacity",
            "consumed_capacity",
            "percent_capacity_remaining",
            "jobs_running",
            "max_concurrent_jobs",
            "max_forks",
            "jobs_total",
            "instances",
            "is_container_group",
            "credential",
            "policy_instance_percentage",
            "policy_instance_minimum",
            "policy_instance_list",
            "pod_spec_override",
            "summary_fields",
        )
        extra_kwargs = {
            "policy_instance_percentage": {"label": "Policy Instance Percentage"},
            # The column's maximum is checked together with the other fields, after each field by itself is valid.
            "policy_instance_minimum": {"label": "Policy Instance Minimum", "max_value": None},
            "max_concurrent_jobs": {"label": "Max Concurrent Jobs", "max_value": None},
            "max_forks": {"label": "Max Forks", "max_value": None},
        }
        description = "A set of instances that jobs can be sent to, or a container group, which runs jobs in pods."
        descriptions = {
            "capacity": "Total capacity of the group's members in service, in forks; `max_forks` of a container group.",
            "consumed_capacity": "Forks that running and waiting jobs use on these members.",
            "percent_capacity_remaining": (
                "Free share of the capacity in percent; negative if more than the capacity is used."
            ),
            "jobs_running": "Number of running and waiting jobs on these members.",
            "instances": "Number of members in service: ready, enabled and no hop nodes.",
            "credential": "Id of the credential with which a container group starts pods.",
            "pod_spec_override": (
                "Kubernetes pod specification, as YAML or JSON, that a container group uses in place of the default."
            ),
        }
        types = {"instances": {"type": "integer", "minimum": 0}}

    @property
    def withheld(self) -> tuple[str, ...]:
        return () if "request" not in self.context or groups.may_set_policies(self.reader) else groups.OF_THE_MESH

    def validate_name(self, name: str) -> str:
        return groups.checked_name(self.instance, name)

    def validate_is_container_group(self, value: bool) -> bool:
        return groups.checked_is_container_group(self.instance, value)

    def validate_policy_instance_percentage(self, value: int) -> Any:
        return groups.checked_percentage(self.instance, value)

    def validate_policy_instance_minimum(self, value: int) -> Any:
        return groups.checked_policy(self.instance, value)

    def validate_policy_instance_list(self, hostnames: list[str]) -> list[str]:
        return groups.checked_policy_list(self.instance, hostnames)

    def validate_credential(self, credential: int | None) -> int | None:
        return groups.checked_credential(self.instance, credential)

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        self.refuse_policies()
        groups.check_together(values)
        return values

    def refuse_policies(self) -> None:
        """Raise PermissionDenied if the reader changes a policy without the right to; unchanged values are allowed."""
        if groups.may_set_policies(self.reader):
            return
        current = self.to_representation(self.instance)
        if any(self.initial_data[name] != current[name] for name in groups.OF_THE_MESH if name in self.initial_data):
            raise PermissionDenied(MESH_ALONE)

    def create(self, values: dict[str, Any]) -> InstanceGroup:
        return groups.create(values)

    def update(self, group: InstanceGroup, values: dict[str, Any]) -> InstanceGroup:
        return groups.change(group, values)

    def get_related(self, group: InstanceGroup) -> dict[str, str]:
        subs = ("jobs", "instances", "access_list", "object_roles")
        related = {sub: f"{self.get_url(group)}{sub}/" for sub in subs}
        if group.credential is not None:
            related["credential"] = paths.record("credentials", group.credential)
        return related

    @extend_schema_field(InstanceGroupSummarySerializer)
    def get_summary_fields(self, group: InstanceGroup) -> dict[str, Any]:
        summary: dict[str, Any] = {}
        if group.credential_summary is not None:
            summary["credential"] = group.credential_summary
        summary["object_roles"] = {
            role.value: {"description": description, "name": role.label, "id": role_id(group.pk, role)}
            for role, description in ROLE_DESCRIPTIONS.items()
        }
        summary["user_capabilities"] = {
            "edit": group.is_administered,
            "delete": self.reader.is_superuser and not group.is_protected,
        }
        return summary


class InstanceGroupDetailSerializer(NamedRecordSerializer, InstanceGroupSerializer):
    """A group by itself, with its named URL."""

    name_field = "name"


class CredentialSerializer(serializers.Serializer[Any]):
    """A credential of container groups: what the AWX that has it said of it where it named their credential."""

    id = serializers.IntegerField(help_text="Id of the credential.")
    type = serializers.CharField(help_text="`credential`.")
    url = PathField(help_text="Path of the credential.")
    related = serializers.DictField(child=PathField(), help_text="Always empty.")
    summary_fields = serializers.DictField(help_text="Always empty.")
    name = serializers.CharField(allow_null=True, help_text="Name of the credential; null if it is not known.")
    description = serializers.CharField(allow_null=True, help_text="Its description, likewise.")
    credential_type = serializers.IntegerField(allow_null=True, help_text="Id of its type, likewise.")
    kind = serializers.CharField(allow_null=True, help_text="The kind of its type, likewise.")
    cloud = serializers.BooleanField(allow_null=True, help_text="Whether its type is that of a cloud, likewise.")
    kubernetes = serializers.BooleanField(allow_null=True, help_text="Whether it is of Kubernetes, likewise.")


def credential_body(group: InstanceGroup) -> dict[str, Any]:
    """The credential of the group, which has one, as a record."""
    known = group.credential_summary or {}
    return {
        "id": group.credential,
        "type": "credential",
        "url": paths.record("credentials", group.credential),
        "related": {},
        "summary_fields": {},
        **{name: known.get(name) for name in ("name", "description")},
        "credential_type": known.get("credential_type_id"),
        **{name: known.get(name) for name in ("kind", "cloud", "kubernetes")},
    }
