"""Who is asking: OAuth2 bearer tokens, HTTP basic, sessions. Wrong credentials count as none, as in AWX."""

import hashlib
from typing import Any

from django.utils import timezone
from oauth2_provider.models import get_access_token_model
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

CHALLENGE = "Bearer realm=api authorization_url=/api/o/authorize/"


class BearerAuthentication(authentication.BaseAuthentication):
    """``Authorization: Bearer <token>``. ``request.auth`` is the access token; only its SHA-256 is stored."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        scheme, _, raw = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer" or not raw:
            return None
        checksum = hashlib.sha256(raw.strip().encode("utf-8", "surrogateescape")).hexdigest()
        tokens = get_access_token_model().objects.select_related("user")
        token = tokens.filter(token_checksum=checksum, expires__gt=timezone.now(), user__is_active=True).first()
        return None if token is None else (token.user, token)

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class BasicAuthentication(authentication.BasicAuthentication):
    """``Authorization: Basic``. Never asks for it: a browser would open a dialog."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        try:
            return super().authenticate(request)
        except AuthenticationFailed:
            return None

    def authenticate_credentials(self, userid: str, password: str, request: Request | None = None) -> tuple[Any, Any]:
        if "\0" in userid:  # no user has such a name, and PostgreSQL would refuse to look for it
            raise AuthenticationFailed
        return super().authenticate_credentials(userid, password, request)


class SessionAuthentication(authentication.SessionAuthentication):
    """The session that /api/login/ begins."""
