from functools import cached_property
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.filters import FiltersOf
from awx_compat.serializers.user import UserDetailSerializer, UserSerializer
from awx_compat.views.base import ApiView, DetailView, ListView, not_implemented
from awx_compat.views.empty import EmptyList
from instances import versions
from instances.models import User


@extend_schema(methods=["GET"], summary="List the users")
@extend_schema(methods=["POST"], summary="Create a user")
class UserList(ListView):
    title = "Users"
    serializer_class = UserSerializer
    filterset_class = FiltersOf(User)
    search_fields = ("username", "first_name", "last_name", "email")
    post = not_implemented

    @staticmethod
    def visible(reader: Any) -> Any:
        return User.objects.visible_to(reader).with_rights().order_by("username")


@extend_schema(methods=["GET"], summary="The requesting user, as a list of one record")
class Me(ListView):
    """The requesting user, as a list of one record."""

    title = "Me"
    depends_on = versions.READER
    serializer_class = UserSerializer
    filterset_class = FiltersOf(User)
    search_fields = ("username", "first_name", "last_name", "email")

    @staticmethod
    def visible(reader: Any) -> Any:
        return User.objects.filter(pk=reader.id).with_rights().order_by("pk")


@extend_schema(methods=["GET"], summary="One user")
@extend_schema(methods=["PUT"], summary="Change a user")
@extend_schema(methods=["PATCH"], summary="Change some fields of a user")
@extend_schema(methods=["DELETE"], summary="Delete a user")
class UserDetail(DetailView):
    title = "User Detail"
    serializer_class = UserDetailSerializer
    name_field = "username"
    put = patch = delete = not_implemented

    @staticmethod
    def records(reader: Any) -> Any:
        return User.objects.with_rights()


class OfUser(ApiView):
    """A view below a user, who must be visible to the requesting user."""

    @staticmethod
    def owners(reader: Any) -> Any:
        return User.objects.all()

    def lookup(self) -> Any:
        return self.owners, "username"

    @cached_property
    def user(self) -> Any:
        return self.get_record()


class NothingOfUser(OfUser, EmptyList):
    """Records of a user that AWX stores and this service does not."""

    def get(self, request: Request, **kwargs: Any) -> Response:
        self.user  # noqa: B018 - raises PermissionDenied where the user is not visible
        return super().get(request)
