"""Access tokens of users. They are django-oauth-toolkit's, which stores the SHA-256 of a token and not the token."""

import hashlib
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import DateTimeField, QuerySet, TextField, Value
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone
from oauth2_provider.models import AccessToken, RefreshToken, set_token_value
from oauthlib.common import generate_token

from instances.models import TokenNote, User
from instances.reader import Reader

SCOPES = ("read", "write")


def checksum(raw: str) -> str:
    """What is stored of a token: its SHA-256 in hex. ``raw`` may hold any bytes of a header, as surrogates."""
    return hashlib.sha256(raw.encode("utf-8", "surrogateescape")).hexdigest()


def every() -> QuerySet[Any]:
    """All tokens, with their owners and their ``description``; ``last_used`` is None, as uses are not stored."""
    tokens: QuerySet[Any] = AccessToken.objects.filter(user__isnull=False).annotate(
        description=Coalesce("note__description", Value(""), output_field=TextField()),
        last_used=Cast(Value(None), DateTimeField()),
    )
    return tokens.select_related("user").order_by("id")


def visible_to(reader: Reader) -> QuerySet[Any]:
    """The tokens that ``reader`` may see: all, or the reader's own."""
    return every() if reader.sees_everything else every().filter(user=reader.id)


@transaction.atomic
def issue(user: User, scope: str = "write", description: str = "") -> tuple[Any, str]:
    """A new token of ``user``, and its text, which is not stored. ``scope``: "write" for all rights of its owner."""
    raw = generate_token()
    expires = timezone.now() + timedelta(seconds=settings.OAUTH2_ACCESS_TOKEN_EXPIRE_SECONDS)
    token = AccessToken(user=user, scope=scope, expires=expires)
    set_token_value(token, raw)
    token.save()
    describe(token, description)
    return token, raw


def checked_scope(scope: str) -> str:
    """The scope of a token; raises ValidationError if none can have it."""
    if not scope.split() or not set(scope.split()) <= set(SCOPES):
        raise ValidationError(f"Must be a simple space-separated string with allowed scopes {list(SCOPES)}.")
    return scope


@transaction.atomic
def change(token: Any, values: dict[str, Any]) -> None:
    """Change the ``description`` or the ``scope`` of ``token``, or both."""
    if "description" in values:
        describe(token, values["description"])
    if "scope" in values:
        token.scope = values["scope"]
    token.save(update_fields=["scope", "updated"])


def revoke_all(user: Any) -> None:
    """Delete all tokens of ``user``: requests with them are refused from now on, and no new ones are made of them."""
    RefreshToken.objects.filter(user=user).delete()
    AccessToken.objects.filter(user=user).delete()


def describe(token: Any, description: str) -> None:
    """Store the description of ``token``."""
    TokenNote.objects.update_or_create(token=token, defaults={"description": description})
    token.description = description
