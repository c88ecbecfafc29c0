"""Roles on groups, the users who hold them, and granting and revoking them."""

from functools import cached_property
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ParseError, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.exceptions import message_of_missing
from awx_compat.filters import FiltersOf
from awx_compat.openapi.parameters import TEXT
from awx_compat.permissions import GrantsNeedAdministrator
from awx_compat.serializers.role import GroupRoleSerializer, RoleOfUserSerializer, role_body
from awx_compat.serializers.user import UserSerializer
from awx_compat.views.base import ApiView, ListView, find, id_in
from awx_compat.views.empty import EmptyList
from awx_compat.views.membership import (
    MembershipError,
    change_membership,
    describes_membership,
    get_record_from_body,
    id_in_body,
    is_disassociation,
    refuse_hidden,
)
from awx_compat.views.rows import NUMBER, RowList
from awx_compat.views.users import OfUser
from instances import roles
from instances.listing import Listing
from instances.models import InstanceGroup, User
from instances.roles import Role

COLUMNS = {"id": "number", "role_field": "held", "object_id": "group"}
FILTERS = [
    OpenApiParameter("id", NUMBER, description="Return only the role with this `id`."),
    OpenApiParameter("role_field", TEXT, description="Return only the roles that are `admin_role`, for example."),
    OpenApiParameter("search", TEXT, description="Return only the roles whose `role_field` contains each term."),
    OpenApiParameter("object_id", NUMBER, description="Return only the roles on this group."),
    OpenApiParameter("order_by", {"type": "string", "enum": ["id", "-id"]}, description="The order."),
]


class Grants(ApiView):
    """A view whose POST grants a role on a group to a user, or revokes it, whoever administers the group."""

    permission_classes = [GrantsNeedAdministrator]
    attaches = True
    creates = False

    @property
    def administered(self) -> Any:
        """The groups that the requesting user administers."""
        return InstanceGroup.objects.where_role(self.reader, Role.ADMIN)

    def change_role(self, request: Request, group_pk: int, role: Role, user: User) -> Response:
        self.check_object_permissions(request, self.administered.filter(pk=group_pk))
        return change_membership(roles.revoke if is_disassociation(request) else roles.grant, group_pk, role, user)


class GroupRoles(RowList):
    title = "Roles"
    serializer_class = GroupRoleSerializer
    model_name = "Role"
    columns = COLUMNS
    texts = frozenset({"role_field"})


@extend_schema(methods=["GET"], parameters=FILTERS, summary="The roles on the groups that the user sees")
class RoleList(GroupRoles):
    """The roles on the groups that the user sees."""

    def get_listing(self) -> Listing:
        return roles.visible_to(self.reader, self.order(), self.conditions())


@extend_schema(methods=["GET"], parameters=FILTERS, summary="The roles on groups that a user holds")
class RolesOfUser(Grants, OfUser, GroupRoles):
    """The roles that a user holds on the groups that the requesting user sees. POST grants one, or revokes it."""

    title = "User Roles"
    serializer_class = RoleOfUserSerializer

    def get_listing(self) -> Listing:
        return roles.visible_to(self.reader, self.order(), self.conditions(), holder=self.user)

    def get_permission_object(self) -> Any:
        self.user  # noqa: B018 - raises PermissionDenied where the user is not visible
        return self.administered

    @describes_membership
    def post(self, request: Request, key: str) -> Response:
        user = self.user
        number = id_in_body(request)
        if number is None:
            raise MembershipError("Role 'id' field is missing.")
        group_pk, role = roles.role_with_id(number)
        if not InstanceGroup.objects.filter(pk=group_pk).exists():
            raise ParseError("Role matching query does not exist.")
        return self.change_role(request, group_pk, role, user)


class OfRole(ApiView):
    """A role, or a view below it. Who sees the group sees its roles."""

    @staticmethod
    def groups(reader: Any) -> Any:
        return InstanceGroup.objects.all()

    @cached_property
    def group_and_role(self) -> tuple[InstanceGroup, Role]:
        """The role that the path names, and its group. Raises NotFound and PermissionDenied."""
        group_pk, role = roles.role_with_id(id_in(self.kwargs["key"]))
        group = find(self.groups, "pk", str(group_pk), self.reader)
        if group is None:
            raise NotFound(message_of_missing("Role"))
        if not group.is_visible:
            raise PermissionDenied
        return group, role


class RoleDetail(OfRole):
    title = "Role Detail"

    @extend_schema(responses=GroupRoleSerializer, summary="One role on a group")
    def get(self, request: Request, key: str) -> Response:
        return Response(role_body(*self.group_and_role))


@extend_schema(methods=["GET"], summary="The users who hold a role")
class UsersOfRole(Grants, OfRole, ListView):
    """The users who hold the role. POST grants it to one, or revokes it."""

    title = "Role Users"
    serializer_class = UserSerializer
    filterset_class = FiltersOf(User)
    search_fields = ("username", "first_name", "last_name", "email")

    def get_queryset(self) -> Any:
        group, role = self.group_and_role
        holders: Any = User.objects.filter(instance_group_roles__instance_group=group, instance_group_roles__role=role)
        return holders.with_rights().order_by("username")

    def get_permission_object(self) -> Any:
        group, _ = self.group_and_role
        return self.administered.filter(pk=group.pk)

    @describes_membership
    def post(self, request: Request, key: str) -> Response:
        group, role = self.group_and_role
        user = get_record_from_body(request, User.objects.all(), missing="User 'id' field is missing.")
        refuse_hidden(user)
        return self.change_role(request, group.pk, role, user)


class TeamsOfRole(OfRole, EmptyList):
    """The teams that hold the role: none, as there are no teams."""

    title = "Role Teams"

    def get(self, request: Request, **kwargs: Any) -> Response:
        self.group_and_role  # noqa: B018 - raises NotFound and PermissionDenied
        return super().get(request)
