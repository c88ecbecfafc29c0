from typing import Any

from rest_framework import serializers

from awx_compat import paths
from awx_compat.serializers.base import RecordSerializer
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
        fields = (
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

    def get_related(self, user: User) -> dict[str, str]:
        return {name: paths.record(self.collection, user.pk, name) for name in RELATED}

    def get_summary_fields(self, user: User) -> dict[str, Any]:
        is_self = user.pk == self.reader.pk
        administers = self.reader.is_superuser
        return {"user_capabilities": {"edit": administers or is_self, "delete": administers and not is_self}}

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
