from functools import cached_property
from typing import Any, NoReturn

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat import bundle, dialects
from awx_compat.exceptions import NotAvailable, message_of_missing
from awx_compat.filters import FiltersOf
from awx_compat.openapi.errors import ErrorResponse
from awx_compat.permissions import ChangesNeedSuperuser, IsSuperuserOrAuditor, MayFetchBundle, MovesNeedSuperuser
from awx_compat.serializers.common import MessageSerializer
from awx_compat.serializers.group import InstanceGroupSerializer
from awx_compat.serializers.instance import HealthCheckSerializer
from awx_compat.views.base import ApiView, DetailView, ListView
from awx_compat.views.jobs import ListOfJobs
from awx_compat.views.membership import (
    MembershipError,
    change_membership,
    describes_membership,
    does_not_exist,
    get_record_from_body,
    id_in_body,
    is_disassociation,
)
from instances import groups as domain
from instances import install_bundles, mesh_ca, versions
from instances.addresses import INSTALLABLE, LISTENER, peers_of
from instances.health import start as health_checks
from instances.locking import lock_links
from instances.messages import NO_PROBE
from instances.models import Instance, InstanceGroup, UnifiedJob

LISTED = dialects.Chosen("instances", "SERIALIZERS.listed")
LINKED = dialects.Chosen("instances", "SERIALIZERS.linked")
DETAILED = dialects.Chosen("instances", "SERIALIZERS.detailed")
BELOW = dialects.Chosen("instances", "SERIALIZERS.below")
CREATED = dialects.Chosen("instances", "SERIALIZERS.created")
NOT_INSTALLABLE = "Install bundle can only be generated for execution or hop nodes."


@extend_schema(methods=["GET"], summary="List the instances")
class InstanceList(ListView):
    permission_classes = [ChangesNeedSuperuser]
    title = "Instances"
    depends_on = versions.INSTANCES
    serializer_class = LISTED
    created_serializer_class = CREATED
    filterset_class = FiltersOf(Instance)
    search_fields = ("hostname",)
    ordering = ("id",)
    visible = dialects.Chosen("instances", "SERIALIZERS.in_list")

    @extend_schema(summary="Make an execution or hop node, where IS_K8S is set")
    @transaction.atomic
    def post(self, request: Request) -> Response:
        lock_links()
        return self.create(request, self.created_serializer_class)


@extend_schema(methods=["GET"], summary="One instance")
class InstanceDetail(DetailView):
    permission_classes = [ChangesNeedSuperuser]
    title = "Instance Detail"
    depends_on = versions.INSTANCE
    serializer_class = DETAILED
    request_serializer_class = LISTED
    name_field = "hostname"
    records = dialects.Chosen("instances", "SERIALIZERS.alone")

    @extend_schema(
        summary="Change an instance; what is left out becomes its default, or stays as it is where it has none",
    )
    def put(self, request: Request, key: str) -> Response:
        return self.change(request)

    @extend_schema(summary="Change some fields of an instance")
    def patch(self, request: Request, key: str) -> Response:
        return self.change(request, partial=True)

    def get_locked_object(self) -> Any:
        """The instance; the permission to change it depends on the user alone, and was checked before."""
        lock_links()
        return self.get_record(lock=True)

    def changed(self, before: Any, instance: Any) -> Any:
        if {"peers", *LISTENER}.intersection(self.request.data):
            instance = self.records(self.reader).get(pk=instance.pk)
        instance.capacity = instance.exact_capacity  # AWX's percentage is of the capacity before it is truncated
        return instance


class OfInstance(ApiView):
    """A view below an instance, which must be visible to the user."""

    @staticmethod
    def owners(reader: Any) -> Any:
        return Instance.objects.all()

    def lookup(self) -> Any:
        return self.owners, "hostname"

    @cached_property
    def instance(self) -> Any:
        return self.get_record()


@extend_schema(methods=["GET"], summary="The nodes that an instance opens links to")
class InstancePeers(OfInstance, ListView):
    title = "Instance Peers"
    depends_on = versions.INSTANCES
    serializer_class = LINKED
    linked = BELOW
    filterset_class = FiltersOf(Instance)
    search_fields = ("hostname",)

    def get_queryset(self) -> Any:
        peers: Any = peers_of(self.instance)
        return self.linked(peers.visible_to(self.reader)).order_by("hostname")


@extend_schema(methods=["GET"], summary="The groups of an instance")
class InstanceGroupsOfInstance(OfInstance, ListView):
    permission_classes = [MovesNeedSuperuser]
    title = "Instance's Instance Groups"
    depends_on = versions.GROUPS
    attaches = True
    serializer_class = InstanceGroupSerializer
    filterset_class = FiltersOf(InstanceGroup)
    search_fields = ("name",)

    def get_queryset(self) -> Any:
        groups = InstanceGroup.objects.filter(instances=self.instance).visible_to(self.reader)
        return groups.with_load().with_administration_by(self.reader).order_by("id")

    def get_permission_object(self) -> Any:
        return self.instance

    @describes_membership
    def post(self, request: Request, key: str) -> Response:
        self.instance  # noqa: B018 - raises PermissionDenied where the user does not see it
        if is_disassociation(request):
            group = get_record_from_body(
                request, InstanceGroup.objects.all(), missing='"id" is required to disassociate'
            )
            return change_membership(domain.disassociate, group.pk, self.get_permitted_object(), "instance")
        if id_in_body(request) is None:
            self.refuse_creation(request)
        group = get_record_from_body(request, InstanceGroup.objects.all(), missing="")
        return change_membership(domain.associate, group.pk, self.get_permitted_object())

    def refuse_creation(self, request: Request) -> NoReturn:
        """AWX validates a body without an id as that of a new group, which it then fails to find."""
        self.get_serializer(data=request.data).is_valid(raise_exception=True)
        try:
            domain.refuse_move(self.get_permitted_object())
        except ValidationError as error:
            raise MembershipError(error.messages[0]) from None
        raise does_not_exist(InstanceGroup.objects.all())


@extend_schema(methods=["GET"], summary="The jobs that ran on an instance")
class InstanceJobs(OfInstance, ListOfJobs):
    title = "Instance Jobs"

    def get_queryset(self) -> Any:
        jobs = UnifiedJob.objects.filter(execution_node=self.instance.hostname)
        return jobs.visible_to(self.reader).order_by("id")


@extend_schema(methods=["GET"], summary="What the last health check of an execution node found")
class InstanceHealthCheck(OfInstance, DetailView):
    """The last health check of an execution node; other nodes have none."""

    title = "Instance Health Check"
    permission_classes = [IsSuperuserOrAuditor]
    serializer_class = HealthCheckSerializer

    def get_permission_object(self) -> Any:
        return super().get_record()

    def get_record(self, lock: bool = False) -> Any:
        instance = super().get_record(lock)
        if not health_checks.is_checked_on_demand(instance):
            raise NotFound(message_of_missing("Instance"))
        return instance

    @extend_schema(
        request=None, responses={200: MessageSerializer}, summary="Start a health check of an execution node"
    )
    def post(self, request: Request, key: str) -> Response:
        instance = self.instance
        if not settings.HEALTH_PROBE:
            raise NotAvailable(NO_PROBE)
        started = health_checks.start(instance.pk)
        state = "is running" if started else "was already in progress"
        return Response({"msg": f"Health check {state} for {instance.hostname}."})


class InstallBundle(OfInstance, DetailView):
    """The install bundle of an execution or hop node. It contains a private key of the mesh."""

    title = "Install Bundle"
    permission_classes = [MayFetchBundle]
    serializer_class = LISTED

    @extend_schema(
        responses={
            (200, "application/gzip"): bytes,  # as which only some versions of AWX declare it
            400: ErrorResponse(
                "NotInstallable",
                "Only execution and hop nodes are installed so.",
                (MessageSerializer,),
                {"msg": NOT_INSTALLABLE},
            ),
        },
        summary="What to install on an execution or hop node",
    )
    def get(self, request: Request, key: str) -> Any:
        instance = self.instance
        self.check_object_permissions(request, instance)
        if instance.node_type not in INSTALLABLE:
            return Response({"msg": NOT_INSTALLABLE}, status=400)
        try:
            ca = mesh_ca.configured()
        except mesh_ca.MeshCAError as error:
            raise NotAvailable(str(error)) from None
        new = install_bundles.NewBundle.of(instance, ca)
        content = bundle.archive(new)
        if request.method == "GET":  # HEAD hands out nothing
            install_bundles.record(new)
        dialect = dialects.current()
        disposition = dialect.disposition_of_bundles.format(name=f"{bundle.name_of(instance)}.tar.gz")
        headers = {"Content-Disposition": disposition, "Cache-Control": "no-store"}
        return HttpResponse(content, content_type=dialect.type_of_bundles, headers=headers)
