"""AWX 24.6's role definitions, and their assignments to users."""

from dataclasses import dataclass
from typing import Any

from rest_framework import serializers

from awx_compat import paths
from awx_compat.serializers.common import PageSerializer, PathField
from instances.assignments import SYSTEM_AUDITOR
from instances.models import InstanceGroupRole

GROUP = "awx.instancegroup"


@dataclass(frozen=True)
class RoleDefinition:
    """One of AWX's own definitions, with AWX's id."""

    id: int
    name: str
    description: str
    permissions: tuple[str, ...]
    content_type: str | None = GROUP

    @property
    def body(self) -> dict[str, Any]:
        own = paths.record("role_definitions", self.id)
        return {
            "id": self.id,
            "url": own,
            "related": {name: f"{own}{name}/" for name in ("team_assignments", "user_assignments")},
            "summary_fields": {},
            "permissions": list(self.permissions),
            "content_type": self.content_type,
            "modified": None,
            "created": None,
            "name": self.name,
            "description": self.description,
            "managed": True,
            "modified_by": None,
            "created_by": None,
        }

    @property
    def summary(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "description": self.description, "managed": True}


Role = InstanceGroupRole.Role
# By the role that it stands for. AWX has none of its own for the role "read".
DEFINITIONS = {
    Role.ADMIN.value: RoleDefinition(
        24,
        "InstanceGroup Admin",
        "Has all permissions to a single instance group",
        tuple(f"awx.{action}_instancegroup" for action in ("change", "delete", "use", "view")),
    ),
    Role.USE.value: RoleDefinition(
        25,
        "InstanceGroup Use",
        "Has use permissions to a single instance group",
        ("awx.use_instancegroup", "awx.view_instancegroup"),
    ),
    SYSTEM_AUDITOR: RoleDefinition(
        31,
        "System Auditor",
        "Migrated singleton role giving read permission to everything",
        ("awx.view_instancegroup",),
        content_type=None,
    ),
    Role.READ.value: RoleDefinition(
        32, "InstanceGroup Read", "Has read permissions to a single instance group", ("awx.view_instancegroup",)
    ),
}


class RoleDefinitionSerializer(serializers.Serializer[Any]):
    """A role that can be assigned to users: the permissions that it grants."""

    id = serializers.IntegerField(help_text="Id of the definition.")
    url = PathField(help_text="Path of the definition.")
    related = serializers.DictField(child=PathField(), help_text="Paths of its assignments.")
    summary_fields = serializers.DictField(help_text="Always empty.")
    permissions = serializers.ListField(child=serializers.CharField(), help_text="The permissions that it grants.")
    content_type = serializers.CharField(
        allow_null=True, help_text=f"Type of the records that it grants rights on: `{GROUP}`; null for all records."
    )
    modified = serializers.DateTimeField(allow_null=True, help_text="Always null.")
    created = serializers.DateTimeField(allow_null=True, help_text="Always null.")
    name = serializers.CharField(help_text="Name of the definition.")
    description = serializers.CharField(help_text="The rights that it grants, as a sentence.")
    managed = serializers.BooleanField(help_text="Always true: the service has no other definitions than its own.")
    modified_by = serializers.IntegerField(allow_null=True, help_text="Always null.")
    created_by = serializers.IntegerField(allow_null=True, help_text="Always null.")


class RoleDefinitionPageSerializer(PageSerializer):
    """The role definitions."""

    results = RoleDefinitionSerializer(many=True, help_text="The definitions.")


class HolderSerializer(serializers.Serializer[Any]):
    """The user of an assignment."""

    id = serializers.IntegerField(help_text="Id of the user.")
    username = serializers.CharField(help_text="Name of the user.")
    first_name = serializers.CharField(help_text="First name.")
    last_name = serializers.CharField(help_text="Last name.")


class ContentObjectSerializer(serializers.Serializer[Any]):
    """The group of an assignment."""

    id = serializers.IntegerField(help_text="Id of the group.")
    name = serializers.CharField(help_text="Name of the group.")
    is_container_group = serializers.BooleanField(help_text="Whether it is a container group.")


class DefinitionSummarySerializer(serializers.Serializer[Any]):
    """The definition of an assignment."""

    id = serializers.IntegerField(help_text="Id of the definition.")
    name = serializers.CharField(help_text="Name of the definition.")
    description = serializers.CharField(help_text="The rights that it grants.")
    managed = serializers.BooleanField(help_text="Always true.")


class AssignmentSummarySerializer(serializers.Serializer[Any]):
    """Summaries of records related to an assignment."""

    role_definition = DefinitionSummarySerializer(help_text="The definition.")
    user = HolderSerializer(help_text="The user who holds the role.")
    content_object = ContentObjectSerializer(required=False, help_text="The group, if the role is on one.")


class UserAssignmentSerializer(serializers.Serializer[Any]):
    """A role that a user holds, from ``instances.assignments``."""

    id = serializers.IntegerField(help_text="Id of the assignment.")
    url = PathField(help_text="Path of the assignment.")
    related = serializers.DictField(child=PathField(), help_text="Paths of the definition, the user and the group.")
    summary_fields = AssignmentSummarySerializer(help_text="Summaries of the same.")
    created = serializers.DateTimeField(allow_null=True, help_text="Always null: not stored.")
    created_by = serializers.IntegerField(allow_null=True, help_text="Always null: not stored.")
    content_type = serializers.CharField(allow_null=True, help_text=f"`{GROUP}`; null for a role on the whole system.")
    object_id = serializers.CharField(allow_null=True, help_text="Id of the group, as a text; null likewise.")
    object_ansible_id = serializers.UUIDField(allow_null=True, help_text="Always null: groups are not shared.")
    role_definition = serializers.IntegerField(help_text="Id of the definition.")
    user = serializers.IntegerField(help_text="Id of the user.")
    user_ansible_id = serializers.UUIDField(allow_null=True, help_text="Always null, as in AWX.")

    def get_fields(self) -> dict[str, Any]:
        """None of them can be written: roles on groups are granted at ``users/N/roles/`` and ``roles/N/users/``."""
        fields = super().get_fields()
        for field in fields.values():
            field.read_only = True
        return fields

    def to_representation(self, row: dict[str, Any]) -> dict[str, Any]:
        definition = DEFINITIONS[row["held"]]
        related = {
            "role_definition": paths.record("role_definitions", definition.id),
            "user": paths.record("users", row["holder"]),
        }
        names = ("username", "first_name", "last_name")
        summary = {
            "role_definition": definition.summary,
            "user": {"id": row["holder"], **{name: row[f"{name}_of_holder"] for name in names}},
        }
        if row["group"] is not None:
            related["content_object"] = paths.record("instance_groups", row["group"])
            summary["content_object"] = {
                "id": row["group"],
                "name": row["name_of_group"],
                "is_container_group": row["is_container"],
            }
        return {
            "id": row["number"],
            "url": paths.record("role_user_assignments", row["number"]),
            "related": related,
            "summary_fields": summary,
            "created": None,
            "created_by": None,
            "content_type": definition.content_type,
            "object_id": None if row["group"] is None else str(row["group"]),
            "object_ansible_id": None,
            "role_definition": definition.id,
            "user": row["holder"],
            "user_ansible_id": None,
        }
