"""Roles on instance groups, and who holds them, in AWX's shape."""

from typing import Any

from awx_compat import paths
from awx_compat.serializers.group import ROLE_DESCRIPTIONS, role_id
from awx_compat.serializers.user import UserSerializer
from instances.models import InstanceGroup, InstanceGroupRole, User
from instances.querysets import INCLUDED_ROLES


def role_body(group: InstanceGroup, role: InstanceGroupRole.Role) -> dict[str, Any]:
    """A role as a record of its own."""
    number = role_id(group, role)
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

    def get_summary_fields(self, user: User) -> dict[str, Any]:
        group = self.context["group"]
        direct = [InstanceGroupRole.Role(role) for role in user.group_roles if role in INCLUDED_ROLES]
        return {
            "direct_access": [
                {"role": self.held(group, role), "descendant_roles": INCLUDED_ROLES[role]} for role in direct
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

    def held(self, group: InstanceGroup, role: InstanceGroupRole.Role) -> dict[str, Any]:
        return {
            "id": role_id(group, role),
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
    return {"id": number, "name": name, "description": description, "user_capabilities": {"unattach": False}}
