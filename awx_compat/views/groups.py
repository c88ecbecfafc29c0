from functools import cached_property
from typing import Any

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat import etags
from awx_compat.exceptions import message_of_missing
from awx_compat.filters import FiltersOf
from awx_compat.openapi.errors import ErrorResponse, ErrorSerializer
from awx_compat.permissions import ChangesNeedAdministrator, ChangesNeedSuperuser
from awx_compat.serializers.common import only_page
from awx_compat.serializers.group import (
    CredentialSerializer,
    InstanceGroupDetailSerializer,
    InstanceGroupSerializer,
    InUseSerializer,
    credential_body,
)
from awx_compat.serializers.role import AccessSerializer, GroupRolePageSerializer, role_body
from awx_compat.views.base import ApiView, DetailView, ListView, id_in
from awx_compat.views.instances import BELOW, LINKED
from awx_compat.views.jobs import ListOfJobs
from awx_compat.views.membership import (
    change_membership,
    describes_membership,
    get_record_from_body,
    is_disassociation,
    refuse_hidden,
)
from instances import groups as domain
from instances import versions
from instances.messages import GROUP_IN_USE
from instances.models import Instance, InstanceGroup, InstanceGroupRole, UnifiedJob, User


@extend_schema(methods=["GET"], summary="List the groups")
class InstanceGroupList(ListView):
    permission_classes = [ChangesNeedSuperuser]
    title = "Instance Groups"
    depends_on = versions.GROUPS
    serializer_class = InstanceGroupSerializer
    filterset_class = FiltersOf(InstanceGroup)
    search_fields = ("name",)

    @staticmethod
    def visible(reader: Any) -> Any:
        return InstanceGroup.objects.visible_to(reader).with_load().with_administration_by(reader).order_by("id")

    @extend_schema(responses={201: InstanceGroupDetailSerializer}, summary="Create a group")
    def post(self, request: Request) -> Response:
        return self.create(request, InstanceGroupDetailSerializer)


@extend_schema(methods=["GET"], summary="One group")
class InstanceGroupDetail(DetailView):
    permission_classes = [ChangesNeedAdministrator]
    title = "Instance Group Detail"
    depends_on = versions.GROUPS
    serializer_class = InstanceGroupDetailSerializer
    name_field = "name"

    @staticmethod
    def records(reader: Any) -> Any:
        return InstanceGroup.objects.with_load().with_administration_by(reader)

    @extend_schema(
        request=InstanceGroupSerializer,
        summary="Replace a group; omitted fields get their default, or stay unchanged if they have none",
    )
    def put(self, request: Request, key: str) -> Response:
        return self.change(request)

    @extend_schema(request=InstanceGroupSerializer, summary="Change some fields of a group")
    def patch(self, request: Request, key: str) -> Response:
        return self.change(request, partial=True)

    def changed(self, before: Any, group: Any) -> Any:
        """AWX answers a change of a container group with an empty policy, unless the stored policy changed."""
        if group.is_container_group and domain.policy_of(group) == domain.policy_of(before):
            vars(group).update(domain.NO_POLICY)
        return group

    @extend_schema(
        responses={
            204: None,
            409: ErrorResponse(
                "GroupInUse",
                "The group has jobs that have not ended, or a concurrent change conflicts with this one.",
                (ErrorSerializer, InUseSerializer),
                {"error": GROUP_IN_USE, "active_jobs": [{"id": 102, "type": "job"}]},
            ),
        },
        summary="Delete a group without active jobs",
    )
    @transaction.atomic
    def delete(self, request: Request, key: str) -> Response:
        group = self.get_locked_object()
        jobs = domain.unfinished_jobs(group)
        if jobs:
            body = {"error": GROUP_IN_USE, "active_jobs": jobs}
            return Response(body, status=status.HTTP_409_CONFLICT)
        etags.refuse_if_known(request, group.modified)
        etags.refuse_if_changed(request, group.modified)
        domain.delete(group.pk)
        return Response(status=status.HTTP_204_NO_CONTENT)


class OfGroup(ApiView):
    """A view below an instance group, which must be visible to the user."""

    @staticmethod
    def owners(reader: Any) -> Any:
        return InstanceGroup.objects.all()

    def lookup(self) -> Any:
        return self.owners, "name"

    @cached_property
    def group(self) -> Any:
        return self.get_record()


@extend_schema(methods=["GET"], summary="The members of a group")
class InstancesOfGroup(OfGroup, ListView):
    permission_classes = [ChangesNeedAdministrator]
    title = "Instance Group's Instances"
    depends_on = versions.GROUPS
    attaches = True
    creates = False
    serializer_class = LINKED
    linked = BELOW
    filterset_class = FiltersOf(Instance)
    search_fields = ("hostname",)

    def get_queryset(self) -> Any:
        members = Instance.objects.filter(rampart_groups=self.group).visible_to(self.reader)
        return self.linked(members).order_by("hostname")

    def get_permission_object(self) -> Any:
        return InstanceGroup.objects.with_administration_by(self.reader).get(pk=self.group.pk)

    @describes_membership
    def post(self, request: Request, key: str) -> Response:
        self.group  # noqa: B018 - raises PermissionDenied where the user does not see it
        instance = get_record_from_body(request, Instance.objects.all(), missing="Instance 'id' field is missing.")
        self.get_permitted_object()
        refuse_hidden(instance)
        move = domain.disassociate if is_disassociation(request) else domain.associate
        return change_membership(move, self.group.pk, instance)


@extend_schema(methods=["GET"], summary="The jobs sent to a group")
class JobsOfGroup(OfGroup, ListOfJobs):
    title = "Instance Group Jobs"

    def get_queryset(self) -> Any:
        return UnifiedJob.objects.filter(instance_group=self.group).visible_to(self.reader).order_by("id")


class RolesOfGroup(OfGroup):
    """The roles that a user can hold on the group."""

    title = "Instance Group Roles List"

    @extend_schema(
        operation_id="instance_groups_object_roles_list",
        parameters=[
            OpenApiParameter(
                "role_field",
                {"type": "string", "enum": InstanceGroupRole.Role.values},
                description="Return only this role.",
            ),
        ],
        responses=GroupRolePageSerializer,
        summary="The roles that a user can hold on a group",
    )
    def get(self, request: Request, key: str) -> Response:
        field = request.query_params.get("role_field")
        roles = [role_body(self.group, role) for role in InstanceGroupRole.Role if field in (None, role)]
        return Response(only_page(roles))


@extend_schema(methods=["GET"], summary="The users who may see a group, with their roles")
class UsersOfGroup(OfGroup, ListView):
    """The users who may see the group, with the roles by which they do."""

    title = "Instance Group Access List"
    serializer_class = AccessSerializer
    filterset_class = FiltersOf(User)
    search_fields = ("username", "first_name", "last_name", "email")

    def get_queryset(self) -> Any:
        users = User.objects.with_access_to(self.group).with_rights()
        return users.order_by("username")

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "group": self.group}


class CredentialOfGroups(ApiView):
    """A credential that a group has. They are not stored: who sees one of its groups sees what that knows of it."""

    title = "Credential Detail"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        groups: Any = domain.with_credential(id_in(kwargs["key"]))
        self.group = groups.visible_to(self.reader).first()
        if self.group is None:
            raise PermissionDenied if groups.exists() else NotFound(message_of_missing("Credential"))

    @extend_schema(responses=CredentialSerializer, summary="What is known of a credential that a group has")
    def get(self, request: Request, key: str) -> Response:
        return Response(credential_body(self.group))
