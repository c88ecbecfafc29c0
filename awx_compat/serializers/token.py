from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from drf_spectacular.utils import extend_schema_field
from oauth2_provider.models import AccessToken
from rest_framework import serializers

from awx_compat import paths
from awx_compat.serializers.base import IdField, RecordSerializer
from awx_compat.serializers.fields import CharField
from instances import tokens
from instances.models import LONGEST_DESCRIPTION

HIDDEN = "*" * 12
ONE_SCOPE = f"({'|'.join(tokens.SCOPES)})"


class OwnerSerializer(serializers.Serializer[Any]):
    """The owner of the token."""

    id = serializers.IntegerField(help_text="Id of the user.")
    username = serializers.CharField(help_text="Login name.")
    first_name = serializers.CharField(help_text="First name.")
    last_name = serializers.CharField(help_text="Last name.")


class TokenSummarySerializer(serializers.Serializer[Any]):
    """Summaries of records related to a token."""

    user = OwnerSerializer(help_text="The owner of the token.")


class TokenSerializer(RecordSerializer):
    """An access token. Only the answer to its creation has its text, from the context's ``raw_token``."""

    record_type = "o_auth2_access_token"
    collection = "tokens"

    modified = serializers.DateTimeField(source="updated", read_only=True)
    # A validator in place of ``max_length``, which OPTIONS would show and AWX does not.
    description = CharField(
        required=False, allow_blank=True, default="", validators=[MaxLengthValidator(LONGEST_DESCRIPTION)]
    )
    token = serializers.SerializerMethodField()
    refresh_token = serializers.SerializerMethodField()
    application = IdField(required=False, allow_null=True, default=None, source="application_id")
    scope = CharField(required=False, default="write")

    class Meta:
        model = AccessToken
        fields = (
            "id",
            "type",
            "url",
            "related",
            "summary_fields",
            "created",
            "modified",
            "description",
            "user",
            "token",
            "refresh_token",
            "application",
            "expires",
            "scope",
        )
        read_only_fields = ("user", "created", "expires")
        description = "An OAuth2 personal token."
        descriptions = {
            "user": "Id of the owner of the token.",
            "token": "The token in the answer to its creation; asterisks everywhere else.",
            "refresh_token": "Always null: personal tokens have no refresh token.",
            "application": "Always null: this service has no OAuth2 applications.",
            "expires": "Time at which the token expires.",
            "scope": "`read`, or `write`, which includes `read`.",
        }
        types = {
            "refresh_token": {"type": "null"},
            "application": {"type": "null"},
            "scope": {"type": "string", "pattern": f"^{ONE_SCOPE}( {ONE_SCOPE})*$"},
        }

    def get_related(self, token: Any) -> dict[str, str]:
        return {
            "user": paths.record("users", token.user_id),
            "activity_stream": f"{self.get_url(token)}activity_stream/",
        }

    @extend_schema_field(TokenSummarySerializer)
    def get_summary_fields(self, token: Any) -> dict[str, Any]:
        names = ("id", "username", "first_name", "last_name")
        return {"user": {name: getattr(token.user, name) for name in names}}

    def get_token(self, token: Any) -> str:
        return str(self.context.get("raw_token", HIDDEN))

    def get_refresh_token(self, token: Any) -> None:
        return None

    def validate_scope(self, scope: str) -> str:
        try:
            return tokens.checked_scope(scope)
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from None

    def update(self, token: Any, validated: dict[str, Any]) -> Any:
        tokens.change(token, validated)
        return token
