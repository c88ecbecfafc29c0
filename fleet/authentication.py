"""Nodes that report themselves, each with a token that is good for nothing else."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from rest_framework import authentication, permissions, status
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from awx_compat.bases import bearer_token, id_in, is_id, name_in
from instances import node_tokens
from instances.models import Instance, NodeToken


class NodeTokenNeeded(APIException):
    """The request has no token of a node, or one that is not valid."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_detail = "A valid node token is needed: Authorization: Bearer <token>."
    default_code = "node_token_needed"
    auth_header = "Bearer realm=api"


class NodeTokenAuthentication(authentication.BaseAuthentication):
    """``Authorization: Bearer <node token>``. ``request.auth`` is the NodeToken, ``request.user`` nobody."""

    def authenticate(self, request: Request) -> tuple[Any, NodeToken]:
        raw = bearer_token(request)
        token = node_tokens.find_by_secret(raw) if raw else None
        if token is None:
            raise NodeTokenNeeded
        return AnonymousUser(), token

    def authenticate_header(self, request: Request) -> str:
        return NodeTokenNeeded.auth_header


class IsTheNodeItself(permissions.BasePermission):
    """The token is of the instance in the path. Whether another instance exists is told to no node."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, NodeToken) and is_named_by(view.kwargs["key"], request.auth.instance)


def is_named_by(key: str, instance: Instance) -> bool:
    """Whether the path's ``key``, an id or a hostname, means ``instance``."""
    return instance.pk == id_in(key) if is_id(key) else instance.hostname == name_in(key)
