from typing import Any

from drf_spectacular.utils import extend_schema
from oauth2_provider.models import AccessToken
from rest_framework import status
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.generics import RetrieveUpdateDestroyAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat import paths
from awx_compat.exceptions import message_of_missing
from awx_compat.filters import FiltersOf
from awx_compat.permissions import ChangesNeedOwner
from awx_compat.serializers.token import TokenSerializer
from awx_compat.views.base import ApiView, ListView, Records, id_in
from awx_compat.views.empty import EmptyList
from awx_compat.views.membership import body_of
from awx_compat.views.users import OfUser
from instances import tokens
from instances.models import User


@extend_schema(methods=["GET"], summary="List the tokens that the user may see")
@extend_schema(methods=["POST"], responses={201: TokenSerializer}, summary="Create a token of the requesting user")
class TokenList(ListView):
    """The tokens that the user may see. POST creates a token of the requesting user."""

    title = "OAuth2 Tokens"
    serializer_class = TokenSerializer
    filterset_class = FiltersOf(AccessToken)
    search_fields = ("description",)
    visible: Records | None = staticmethod(tokens.visible_to)

    def post(self, request: Request, key: str = "") -> Response:
        refuse_application(request)
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        owner: Any = request.user
        token, raw = tokens.issue(owner, serializer.validated_data["scope"], serializer.validated_data["description"])
        issued = TokenSerializer(token, context={**self.get_serializer_context(), "raw_token": raw})
        location = paths.record("tokens", token.pk)
        headers = {"Location": location, "Cache-Control": "no-store"}  # the only response that contains the token
        return Response(issued.data, status=status.HTTP_201_CREATED, headers=headers)


def refuse_application(request: Request) -> None:
    """Raise ParseError, with AWX's messages, for a token of an OAuth2 application: this service has none."""
    application = body_of(request).get("application")
    if application is None or application == "":
        return
    try:
        int(application)
    except (TypeError, ValueError, OverflowError):
        raise ParseError("Bad data found in related field application.") from None
    raise ParseError("OAuth2Application matching query does not exist.")


class TokensOfUser(OfUser, TokenList):
    """The tokens of one user. As in AWX, POST creates a token of the requesting user, who must see this user."""

    title = "User Personal Access Tokens"
    visible = None  # get_queryset() selects the tokens of one user

    def get_queryset(self) -> Any:
        return tokens.visible_to(self.reader).filter(user=self.user)

    def get_permission_object(self) -> User:
        return self.user  # type: ignore[no-any-return]

    def post(self, request: Request, key: str = "") -> Response:
        self.get_permitted_object()
        return super().post(request)


class OfToken(ApiView):
    """A token, or a view below a token. Its owner and superusers may change it; auditors may read it."""

    permission_classes = [ChangesNeedOwner]

    def get_permission_object(self) -> Any:
        token = tokens.every().filter(pk=id_in(self.kwargs["key"])).first()
        if token is None:
            raise NotFound(message_of_missing("OAuth2AccessToken"))
        return token


@extend_schema(methods=["GET"], summary="One token")
@extend_schema(methods=["PUT"], summary="Change the description and the scope of a token")
@extend_schema(methods=["PATCH"], summary="Change the description or the scope of a token")
@extend_schema(methods=["DELETE"], responses={204: None}, summary="Revoke a token")
class TokenDetail(OfToken, RetrieveUpdateDestroyAPIView[Any]):
    """A token. Its owner and superusers may change its description and scope, and revoke it."""

    title = "OAuth Token Detail"
    serializer_class = TokenSerializer

    def get_object(self) -> Any:
        return self.get_permitted_object()


class ActivityOfToken(OfToken, EmptyList):
    def get(self, request: Request, **kwargs: Any) -> Response:
        self.get_permitted_object()
        return super().get(request)
