from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from awx_compat.serializers.base import NamedRecordSerializer, RecordSerializer
from awx_compat.serializers.common import CapabilitiesSerializer
from instances.models import User

RELATED = (
    "teams",
    "organizations",
    "admin_of_organizations",
    "projects",
    "credentials",
    "roles",
    "activity_stream",
    "access_list",
    "tokens",
    "authorized_tokens",
    "personal_tokens",
)


class UserSummarySerializer(serializers.Serializer[Any]):
    """What else is known around a user."""

    user_capabilities = CapabilitiesSerializer(help_text="What the user who asks may do with this one.")


class UserSerializer(RecordSerializer):
    """A user. Passwords are never told; what belongs to identity providers is empty here."""

    record_type = "user"
    collection = "users"

    created = serializers.DateTimeField(source="date_joined", read_only=True)
    modified = serializers.SerializerMethodField()
    password = serializers.SerializerMethodField()
    ldap_dn = serializers.SerializerMethodField()
    external_account = serializers.SerializerMethodField()
    auth = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields: tuple[str, ...] = (
            "id",
            "type",
            "url",
            "related",
            "summary_fields",
            "created",
            "modified",
            "username",
            "first_name",
            "last_name",
            "email",
            "is_superuser",
            "is_system_auditor",
            "password",
            "ldap_dn",
            "last_login",
            "external_account",
            "auth",
        )
        description = "Somebody who asks the API."
        descriptions = {
            "first_name": "First name.",
            "last_name": "Last name.",
            "email": "Email address.",
            "password": "Never told.",
            "ldap_dn": "Empty: there is no LDAP here.",
            "last_login": "When the user last logged in.",
            "external_account": "null: there are no other identity providers here.",
            "auth": "Empty: there are no other identity providers here.",
        }
        types = {"modified": {"type": "null"}, "external_account": {"type": "null"}}

    def get_related(self, user: User) -> dict[str, str]:
        return {name: f"{self.get_url(user)}{name}/" for name in RELATED}

    @extend_schema_field(UserSummarySerializer)
    def get_summary_fields(self, user: User) -> dict[str, Any]:
        reader = self.reader
        is_self = user.pk == reader.id
        return {
            "user_capabilities": {
                "edit": reader.is_superuser or is_self,
                "delete": not is_self and (reader.is_superuser or self.covers_rights_of(user)),
            }
        }

    def covers_rights_of(self, user: User) -> bool:
        """As in AWX, an auditor may delete users who have no right beyond the auditor's, by this field alone."""
        is_ordinary = not (user.is_superuser or user.is_system_auditor or user.has_more_than_read)
        return self.reader.is_system_auditor and is_ordinary

    def get_modified(self, user: User) -> None:
        return None

    def get_password(self, user: User) -> str:
        return "$encrypted$"

    def get_ldap_dn(self, user: User) -> str:
        return ""

    def get_external_account(self, user: User) -> None:
        return None

    def get_auth(self, user: User) -> list[Any]:
        return []


class UserDetailSerializer(NamedRecordSerializer, UserSerializer):
    """A user alone, with the named URL."""

    name_field = "username"
