"""Authentication of nodes that report themselves, each with a token for this purpose alone."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from rest_framework import authentication, permissions, status
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from awx_compat.bases import bearer_token, id_in, is_id, name_in
from instances import node_tokens
from instances.models import Instance, NodeToken


class NodeTokenNeeded(APIException):
    """The request has no valid token of a node."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_detail = "A valid node token is required: Authorization: Bearer <token>."
    default_code = "node_token_needed"
    auth_header = "Bearer realm=api"


class NodeTokenAuthentication(authentication.BaseAuthentication):
    """``Authorization: Bearer <node token>``. ``request.auth`` is the NodeToken, ``request.user`` is anonymous."""

    def authenticate(self, request: Request) -> tuple[Any, NodeToken]:
        raw = bearer_token(request)
        token = node_tokens.find_by_secret(raw) if raw else None
        if token is None:
            raise NodeTokenNeeded
        return AnonymousUser(), token

    def authenticate_header(self, request: Request) -> str:
        return NodeTokenNeeded.auth_header


class IsTheNodeItself(permissions.BasePermission):
    """The token belongs to the instance in the path. For other instances, existing or not, the answer is the same."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, NodeToken) and is_named_by(view.kwargs["key"], request.auth.instance)


def is_named_by(key: str, instance: Instance) -> bool:
    """Whether the path's ``key``, an id or a hostname, names ``instance``."""
    return all(getattr(instance, field) == value for field, value in named_by(key).items())


def named_by(key: str) -> dict[str, Any]:
    """The filter of the instance that the path's ``key`` names. PostgreSQL has no text with NUL, so no hostname has."""
    return {"pk": id_in(key)} if is_id(key) or "\0" in key else {"hostname": name_in(key)}
