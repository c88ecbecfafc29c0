"""Roles on instance groups and the users who hold them, in AWX's format."""

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from awx_compat import dialects, paths
from awx_compat.serializers.common import PageSerializer, PathField
from awx_compat.serializers.group import ROLE_DESCRIPTIONS, RoleSerializer
from awx_compat.serializers.user import IdentifiedSerializer, UserSerializer, resource_of
from instances.models import InstanceGroup, InstanceGroupRole, User
from instances.querysets import INCLUDED_ROLES
from instances.roles import role_id


class ResourceOfRoleSerializer(serializers.Serializer[Any]):
    """The group of a role."""

    resource_name = serializers.CharField(help_text="Name of the group.")
    resource_type = serializers.CharField(help_text="`instance_group`.")
    resource_type_display_name = serializers.CharField(help_text="Display name of the type: `Instance Group`.")
    resource_id = serializers.IntegerField(help_text="Id of the group.")


class GroupRoleSerializer(RoleSerializer):
    """A role on one group, as a record."""

    type = serializers.CharField(help_text="`role`.")
    url = PathField(help_text="Path of the role.")
    related = serializers.DictField(
        child=PathField(), help_text="Paths of the group, and of the users and teams with the role."
    )
    summary_fields = ResourceOfRoleSerializer(help_text="The group of the role.")

    def to_representation(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row of ``instances.roles``."""
        return role_body(InstanceGroup(pk=row["group"], name=row["name_of_group"]), InstanceGroupRole.Role(row["held"]))


class RevocableSerializer(ResourceOfRoleSerializer):
    """The group of a role, and whether the requesting user may revoke the role."""

    user_capabilities = serializers.DictField(
        child=serializers.BooleanField(), help_text="Whether the requesting user may revoke the role (`unattach`)."
    )


class RoleOfUserSerializer(GroupRoleSerializer):
    """A role that the user holds."""

    summary_fields = RevocableSerializer(help_text="The group of the role.")

    def to_representation(self, row: dict[str, Any]) -> dict[str, Any]:
        body = super().to_representation(row)
        body["summary_fields"]["user_capabilities"] = {"unattach": row["is_administered"]}
        return body


@extend_schema_serializer(component_name="ObjectRolePage")
class GroupRolePageSerializer(PageSerializer):
    """The roles of a group."""

    results = GroupRoleSerializer(many=True, help_text="The roles.")


class HeldRoleSerializer(RoleSerializer):
    """A role that a user holds, on a group or on the whole system."""

    resource_name = serializers.CharField(required=False, help_text="Name of the group.")
    resource_type = serializers.CharField(required=False, help_text="`instance_group`.")
    related = serializers.DictField(child=PathField(), required=False, help_text="Path of the group.")
    user_capabilities = serializers.DictField(
        child=serializers.BooleanField(), help_text="Whether the requesting user may revoke the role (`unattach`)."
    )

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        fields["id"].allow_null = not dialects.current().numbers_system_roles
        return fields


@extend_schema_serializer(component_name="Access")
class ReasonSerializer(serializers.Serializer[Any]):
    """A role by which a user may see a group."""

    role = HeldRoleSerializer(help_text="The role that the user holds.")
    descendant_roles = serializers.ListField(
        child=serializers.ChoiceField(list(INCLUDED_ROLES)), help_text="The roles on the group that this role includes."
    )


class AccessSummarySerializer(IdentifiedSerializer):
    """The roles by which a user may see a group."""

    direct_access = ReasonSerializer(many=True, help_text="Roles that the user holds on the group.")
    indirect_access = ReasonSerializer(many=True, help_text="Roles that superusers and auditors have on all groups.")


def role_body(group: InstanceGroup, role: InstanceGroupRole.Role) -> dict[str, Any]:
    """A role as a record of its own."""
    number = role_id(group.pk, role)
    return {
        "id": number,
        "type": "role",
        "url": paths.record("roles", number),
        "related": {
            "users": paths.record("roles", number, "users"),
            "teams": paths.record("roles", number, "teams"),
            "instance_group": paths.record("instance_groups", group.pk),
        },
        "summary_fields": {
            "resource_name": group.name,
            "resource_type": "instance_group",
            "resource_type_display_name": "Instance Group",
            "resource_id": group.pk,
        },
        "name": role.label,
        "description": ROLE_DESCRIPTIONS[role],
    }


class AccessSerializer(UserSerializer):
    """A user who sees a group, from ``with_access_to()``: by roles on it, or as superuser or auditor."""

    class Meta(UserSerializer.Meta):
        fields = tuple(name for name in UserSerializer.Meta.fields if name != "auth")

    @extend_schema_field(AccessSummarySerializer)
    def get_summary_fields(self, user: User) -> dict[str, Any]:
        group = self.context["group"]
        direct = [InstanceGroupRole.Role(role) for role in user.group_roles if role in INCLUDED_ROLES]
        return {
            **resource_of(user),
            "direct_access": [
                {"role": self.role_on_group(group, role), "descendant_roles": INCLUDED_ROLES[role]} for role in direct
            ],
            "indirect_access": [
                {"role": system_role(number, name, description), "descendant_roles": roles}
                for applies, number, name, description, roles in (
                    (user.is_superuser, 1, "System Administrator", "Can manage all aspects of the system", ALL_ROLES),
                    (user.is_system_auditor, 2, "System Auditor", "Can view all aspects of the system", READ_ROLE),
                )
                if applies
            ],
        }

    def role_on_group(self, group: InstanceGroup, role: InstanceGroupRole.Role) -> dict[str, Any]:
        """The role on the group in the shape of ``HeldRoleSerializer``."""
        return {
            "id": role_id(group.pk, role),
            "name": role.label,
            "description": ROLE_DESCRIPTIONS[role],
            "resource_name": group.name,
            "resource_type": "instance_group",
            "related": {"instance_group": paths.record("instance_groups", group.pk)},
            "user_capabilities": {"unattach": self.reader.is_superuser},
        }


ALL_ROLES = INCLUDED_ROLES["admin_role"]
READ_ROLE = INCLUDED_ROLES["read_role"]


def system_role(number: int, name: str, description: str) -> dict[str, Any]:
    """A role on the whole system, in the same shape without a resource."""
    own_id = number if dialects.current().numbers_system_roles else None
    return {"id": own_id, "name": name, "description": description, "user_capabilities": {"unattach": False}}
