from functools import cached_property
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.exceptions import NotWritable
from awx_compat.filters import InstanceFilters, InstanceGroupFilters, UnifiedJobFilters
from awx_compat.serializers.group import InstanceGroupDetailSerializer, InstanceGroupSerializer
from awx_compat.serializers.instance import LinkedInstanceSerializer
from awx_compat.serializers.job import UnifiedJobSerializer
from awx_compat.serializers.role import AccessSerializer, role_body
from awx_compat.views.base import ApiView, DetailView, ListView, find
from instances.models import Instance, InstanceGroup, InstanceGroupRole, UnifiedJob, User


class InstanceGroupList(ListView):
    title = "Instance Groups"
    serializer_class = InstanceGroupSerializer
    filterset_class = InstanceGroupFilters
    search_fields = ("name",)

    def get_queryset(self) -> Any:
        user = self.request.user
        return InstanceGroup.objects.visible_to(user).with_load().with_administration_by(user).order_by("id")

    def post(self, request: Request) -> Response:
        raise NotWritable


class InstanceGroupDetail(DetailView):
    title = "Instance Group Detail"
    serializer_class = InstanceGroupDetailSerializer
    name_field = "name"

    def get_queryset(self) -> Any:
        return InstanceGroup.objects.with_load().with_administration_by(self.request.user)

    def put(self, request: Request, key: str) -> Response:
        raise NotWritable

    def patch(self, request: Request, key: str) -> Response:
        raise NotWritable

    def delete(self, request: Request, key: str) -> Response:
        raise NotWritable


class OfGroup(ApiView):
    """A view below an instance group, which must be visible to the user."""

    @cached_property
    def group(self) -> Any:
        return find(InstanceGroup.objects.all(), self.kwargs["key"], "name", self.request.user)


class InstancesOfGroup(OfGroup, ListView):
    title = "Instance Group's Instances"
    attaches = True
    creates = False
    serializer_class = LinkedInstanceSerializer
    filterset_class = InstanceFilters
    search_fields = ("hostname",)

    def get_queryset(self) -> Any:
        members = Instance.objects.filter(rampart_groups=self.group).visible_to(self.request.user)
        return members.with_load().with_peers().with_links().order_by("hostname")

    def post(self, request: Request, key: str) -> Response:
        raise NotWritable


class JobsOfGroup(OfGroup, ListView):
    title = "Instance Group Jobs"
    serializer_class = UnifiedJobSerializer
    filterset_class = UnifiedJobFilters
    search_fields = ("description", "name")

    def get_queryset(self) -> Any:
        return UnifiedJob.objects.filter(instance_group=self.group).visible_to(self.request.user).order_by("id")


class RolesOfGroup(OfGroup):
    """The roles that a user can hold on the group."""

    title = "Instance Group Roles List"

    def get(self, request: Request, key: str) -> Response:
        roles = [role_body(self.group, role) for role in InstanceGroupRole.Role]
        return Response({"count": len(roles), "next": None, "previous": None, "results": roles})


class UsersOfGroup(OfGroup, ListView):
    """The users who may see the group, and why."""

    title = "Instance Group Access List"
    serializer_class = AccessSerializer

    def get_queryset(self) -> Any:
        users = User.objects.visible_to(self.request.user).with_access_to(self.group).with_rights()
        return users.order_by("username")

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "group": self.group}
