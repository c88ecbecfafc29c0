"""Authentication: OAuth2 bearer tokens, HTTP Basic, sessions. Wrong credentials count as none, as in AWX."""

import hmac
import secrets
import time
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.utils import timezone
from oauth2_provider.models import get_access_token_model
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from awx_compat import paths
from awx_compat.passwords import of_login
from instances import audit
from instances.guessing import LockedError, is_locked_out, network_of
from instances.hashing import HashingBusyError
from instances.prepared import prepared
from instances.tokens import checksum

CHALLENGE = "Bearer realm=api authorization_url={}o/authorize/"


def bearer_token(request: Request) -> str:
    """The text of the token in ``Authorization: Bearer <token>``; "" without one."""
    scheme, _, raw = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return raw.strip() if scheme.lower() == "bearer" else ""


@prepared
def valid_token(checksum: str, now: datetime) -> QuerySet[Any]:
    tokens: QuerySet[Any] = get_access_token_model().objects.select_related("user")
    return tokens.filter(token_checksum=checksum, expires__gt=now, user__is_active=True)


@prepared
def active_user(pk: int, username: str, password: str) -> QuerySet[Any]:
    """The user with this id, while the name is the user's and ``password`` is the hash that is stored."""
    users: QuerySet[Any] = get_user_model().objects.filter(pk=pk, username=username, password=password, is_active=True)
    return users


class VerifiedCredentials:
    """Credentials that were verified within the last SECONDS, so that scripts do not wait for the slow hash each time.

    Passwords are not stored, only their HMAC under a key of this process. The user is read in every request, so a
    changed password or name, or a user who is deactivated, counts at once. Credentials verified from one address are
    not verified from another, nor from a locked-out address: the cache does not help to guess a password.
    """

    SECONDS = 60
    MOST = 1000  # credentials; beyond that the cache is emptied

    def __init__(self) -> None:
        self.key = secrets.token_bytes(32)
        self.known: dict[bytes, tuple[float, Any, str]] = {}  # digest -> until when, id, the stored hash that matched

    def digest(self, username: str, password: str, address: str) -> bytes:
        text = f"{network_of(address)} {len(username)}:{username}{password}".encode("utf-8", "surrogatepass")
        return hmac.digest(self.key, text, "sha256")

    def match(self, username: str, password: str, address: str) -> tuple[int, str] | None:
        """The id of the user whose credentials these are, and the stored hash; None where they were not verified."""
        if is_locked_out(username, address):
            return None
        until, pk, matched = self.known.get(self.digest(username, password, address), (0.0, None, ""))
        return (pk, matched) if time.monotonic() < until else None

    def remember(self, user: Any, username: str, password: str, address: str) -> None:
        """Cache that ``password`` was verified for ``user``."""
        if len(self.known) >= self.MOST:
            self.known.clear()
        self.known[self.digest(username, password, address)] = (time.monotonic() + self.SECONDS, user.pk, user.password)


verified = VerifiedCredentials()


def address_of(request: Any) -> str:
    return str(request.META.get("REMOTE_ADDR", "")) if request else ""


class BearerAuthentication(authentication.BaseAuthentication):
    """``Authorization: Bearer <token>``. ``request.auth`` is the access token; only its SHA-256 is stored."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        raw = bearer_token(request)
        if not raw:
            return None
        token = valid_token(checksum(raw), timezone.now())
        return None if token is None else (token.user, token)

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE.format(paths.api())


class BasicAuthentication(authentication.BasicAuthentication):
    """``Authorization: Basic``. Sends no challenge: a browser would open a dialog."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        try:
            return super().authenticate(request)
        except AuthenticationFailed:
            return None
        except (LockedError, HashingBusyError) as error:
            raise of_login(error) from None

    def authenticate_credentials(self, userid: str, password: str, request: Request | None = None) -> tuple[Any, Any]:
        if "\0" in userid:  # PostgreSQL has no text with NUL, so no user has this name
            raise AuthenticationFailed
        match = verified.match(userid, password, address_of(request)) if request else None
        user = active_user(match[0], userid, match[1]) if match else None
        if user is None:
            user, _ = super().authenticate_credentials(userid, password, request)
            audit.log_event("login", user=userid, how="Basic")
            verified.remember(user, userid, password, address_of(request))
        return user, None


class SessionAuthentication(authentication.SessionAuthentication):
    """The session that /api/login/ begins."""
