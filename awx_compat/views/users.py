from functools import cached_property
from typing import Any

from django.contrib.auth import update_session_auth_hash
from django.core.exceptions import ValidationError
from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.authentication import SessionAuthentication
from awx_compat.filters import FiltersOf
from awx_compat.permissions import ChangesNeedSelf, ChangesNeedSuperuser
from awx_compat.serializers.user import UserDetailSerializer, UserSerializer
from awx_compat.views.base import ApiView, DetailView, ListView
from awx_compat.views.empty import EmptyList
from instances import accounts, versions
from instances.models import User


@extend_schema(methods=["GET"], summary="List the users")
class UserList(ListView):
    permission_classes = [ChangesNeedSuperuser]
    title = "Users"
    serializer_class = UserSerializer
    filterset_class = FiltersOf(User)
    search_fields = ("username", "first_name", "last_name", "email")

    @staticmethod
    def visible(reader: Any) -> Any:
        return User.objects.visible_to(reader).with_rights().order_by("username")

    @extend_schema(responses={201: UserDetailSerializer}, summary="Create a user")
    def post(self, request: Request) -> Response:
        return self.create(request, UserDetailSerializer)


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
class UserDetail(DetailView):
    permission_classes = [ChangesNeedSelf]
    title = "User Detail"
    serializer_class = UserDetailSerializer
    name_field = "username"

    @staticmethod
    def records(reader: Any) -> Any:
        return User.objects.with_rights()

    @extend_schema(summary="Change a user; what is left out becomes its default, or stays as it is where it has none")
    def put(self, request: Request, key: str) -> Response:
        return self.change(request)

    @extend_schema(summary="Change some fields of a user")
    def patch(self, request: Request, key: str) -> Response:
        return self.change(request, partial=True)

    @extend_schema(responses={204: None}, summary="Delete a user, with the user's roles and tokens")
    @transaction.atomic
    def delete(self, request: Request, key: str) -> Response:
        try:
            accounts.delete(self.get_locked_object())
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from None
        return Response(status=status.HTTP_204_NO_CONTENT)

    def get_locked_object(self) -> Any:
        """The user, locked after the superusers where a superuser changes it: of users, others change no rank.

        Nor does a superuser who lost that rank while waiting for the lock.
        """
        if self.reader.is_superuser and self.reader.id not in accounts.lock_superusers():
            raise PermissionDenied
        return super().get_locked_object()

    def changed(self, before: Any, user: Any) -> Any:
        """The session of who changes the own password goes on; the user's others end."""
        is_own = user.pk == self.reader.id and isinstance(self.request.successful_authenticator, SessionAuthentication)
        if is_own and user.password != before.password:
            update_session_auth_hash(self.request._request, user)
        return user


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
