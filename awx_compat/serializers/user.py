import uuid
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied

from awx_compat import dialects
from awx_compat.serializers.base import NamedRecordSerializer, RecordSerializer
from awx_compat.serializers.common import CapabilitiesSerializer
from awx_compat.serializers.fields import ENCRYPTED, PasswordField, UsernameField
from instances import accounts
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


class ResourceSerializer(serializers.Serializer[Any]):
    """A user as a resource that several services share."""

    ansible_id = serializers.UUIDField(help_text="The same as long as the service has its `INSTALL_UUID`.")
    resource_type = serializers.CharField(help_text="`shared.user`.")


class IdentifiedSerializer(serializers.Serializer[Any]):
    """Summaries that name the user as a resource, where the dialect does."""

    resource = ResourceSerializer(help_text="The user as a resource that several services share.")

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        if not dialects.current().identifies_users:
            del fields["resource"]
        return fields


def resource_of(user: User) -> dict[str, Any]:
    """The summary ``resource``, where the dialect has it. AWX's UUID is random, this one follows from the user's id."""
    if not dialects.current().identifies_users:
        return {}
    ansible_id = uuid.uuid5(uuid.UUID(settings.INSTALL_UUID), f"user {user.pk}")
    return {"resource": {"ansible_id": str(ansible_id), "resource_type": "shared.user"}}


class UserSummarySerializer(IdentifiedSerializer):
    """Summaries of records related to a user."""

    user_capabilities = CapabilitiesSerializer(
        help_text="The actions that the requesting user may perform on this one."
    )


class UserSerializer(RecordSerializer):
    """A user. Passwords are never shown; fields of identity providers are always empty."""

    record_type = "user"
    collection = "users"

    created = serializers.DateTimeField(source="date_joined", read_only=True)
    modified = serializers.SerializerMethodField()
    password = PasswordField(
        required=False, help_text="Required for a new user. Empty or `$encrypted$` leaves a password as it is."
    )
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
        read_only_fields = ("last_login",)
        description = "A user of the API."
        descriptions = {
            "first_name": "First name.",
            "last_name": "Last name.",
            "email": "Email address.",
            "ldap_dn": "Always empty: this service does not use LDAP.",
            "last_login": "Time of the user's last login.",
            "external_account": "Always null: this service has no other identity providers.",
            "auth": "Always empty: this service has no other identity providers.",
        }
        types = {"modified": {"type": "null"}, "external_account": {"type": "null"}}

    @property
    def withheld(self) -> tuple[str, ...]:
        user = getattr(self.context.get("request"), "user", None)
        is_ordinary = user is not None and user.is_authenticated and not user.is_superuser
        return accounts.OF_SUPERUSERS if is_ordinary else ()

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        field, options = super().build_standard_field(field_name, model_field)
        return (UsernameField if field_name == "username" else field), options

    def validate_is_superuser(self, is_superuser: bool) -> bool:
        return accounts.checked_rank(self.instance, is_superuser)

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        self.refuse_withheld()
        if values.get("password") in ("", ENCRYPTED):
            del values["password"]
        accounts.check_together(self.instance, values)
        return values

    def refuse_withheld(self) -> None:
        """Raise PermissionDenied if the request changes what superusers alone may change; AWX's message."""
        given = [name for name in self.withheld if self.initial_data.get(name) is not None]
        changed = [name for name in given if self.initial_data[name] != getattr(self.instance, name)]
        if changed:
            raise PermissionDenied(f"Cannot change {', '.join(changed)}.")

    def create(self, values: dict[str, Any]) -> User:
        return accounts.create(values)

    def update(self, user: User, values: dict[str, Any]) -> User:
        accounts.change(user, values)
        return user

    def get_related(self, user: User) -> dict[str, str]:
        return {name: f"{self.get_url(user)}{name}/" for name in RELATED}

    @extend_schema_field(UserSummarySerializer)
    def get_summary_fields(self, user: User) -> dict[str, Any]:
        reader = self.reader
        is_self = user.pk == reader.id
        return {
            **resource_of(user),
            "user_capabilities": {
                "edit": reader.is_superuser or is_self,
                "delete": not is_self and (reader.is_superuser or self.covers_rights_of(user)),
            },
        }

    def covers_rights_of(self, user: User) -> bool:
        """Whether the reader is an auditor and ``user`` has no right beyond an auditor's: a quirk of AWX."""
        is_ordinary = not (user.is_superuser or user.is_system_auditor or user.has_more_than_read)
        return self.reader.is_system_auditor and is_ordinary

    def get_modified(self, user: User) -> None:
        return None

    def get_ldap_dn(self, user: User) -> str:
        return ""

    def get_external_account(self, user: User) -> None:
        return None

    def get_auth(self, user: User) -> list[Any]:
        return []


class UserDetailSerializer(NamedRecordSerializer, UserSerializer):
    """A user alone, with the named URL."""

    name_field = "username"
