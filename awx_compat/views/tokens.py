from typing import Any

from rest_framework import status
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.generics import RetrieveUpdateDestroyAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat import paths
from awx_compat.filters import AccessTokenFilters
from awx_compat.serializers.token import TokenSerializer
from awx_compat.views.base import ApiView, ListView, Records, id_in
from awx_compat.views.users import OfUser
from instances import tokens
from instances.models import User


class TokenList(ListView):
    """The tokens that the user may see; POST makes one of the user's own."""

    title = "OAuth2 Tokens"
    serializer_class = TokenSerializer
    filterset_class = AccessTokenFilters
    visible: Records | None = staticmethod(tokens.visible_to)

    def may_write(self, user: Any) -> bool:
        return True

    def owner(self) -> User:
        return self.request.user  # type: ignore[return-value]

    def post(self, request: Request, key: str = "") -> Response:
        owner = self.owner()
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        token, raw = tokens.issue(owner, asked.validated_data["scope"], asked.validated_data["description"])
        told = TokenSerializer(token, context={**self.get_serializer_context(), "raw_token": raw})
        location = paths.record("tokens", token.pk)
        return Response(told.data, status=status.HTTP_201_CREATED, headers={"Location": location})


class TokensOfUser(OfUser, TokenList):
    """The tokens of one user, who alone makes them."""

    title = "User Personal Access Tokens"
    visible = None  # but those of one user

    def get_queryset(self) -> Any:
        return tokens.visible_to(self.request.user).filter(user=self.user)

    def owner(self) -> User:
        if self.user != self.request.user:
            raise PermissionDenied
        return super().owner()


class TokenDetail(ApiView, RetrieveUpdateDestroyAPIView[Any]):
    """A token. Its owner, or a superuser, changes its description and scope, or revokes it."""

    title = "OAuth Token Detail"
    serializer_class = TokenSerializer

    def get_object(self) -> Any:
        user: Any = self.request.user
        token = tokens.every().filter(pk=id_in(self.kwargs["key"])).first()
        if token is None:
            raise NotFound
        reads = self.request.method in ("GET", "HEAD", "OPTIONS")
        if token.user_id != user.pk and not (user.is_superuser or (reads and user.sees_everything)):
            raise PermissionDenied
        return token
