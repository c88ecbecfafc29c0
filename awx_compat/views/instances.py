from functools import cached_property
from typing import Any, NoReturn

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpResponse
from django.utils.http import content_disposition_header
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat import bundle
from awx_compat.exceptions import NotAvailable
from awx_compat.filters import InstanceFilters, InstanceGroupFilters, UnifiedJobFilters
from awx_compat.permissions import ChangesNeedSuperuser, IsSuperuserOrAuditor, MovesNeedSuperuser, ReadingNeedsWrite
from awx_compat.serializers.group import InstanceGroupSerializer
from awx_compat.serializers.instance import (
    CreatedInstanceSerializer,
    HealthCheckSerializer,
    InstanceDetailSerializer,
    InstanceSerializer,
    LinkedInstanceSerializer,
)
from awx_compat.serializers.job import UnifiedJobSerializer
from awx_compat.views.base import ApiView, DetailView, ListView
from awx_compat.views.membership import Refused, does_not_exist, id_in_body, moved, record_in, wants_detaching
from instances import groups as domain
from instances import lifecycle, mesh_ca
from instances.health import start as health_checks
from instances.locking import hold_links
from instances.messages import NO_PROBE
from instances.models import Instance, InstanceGroup, UnifiedJob
from instances.rows import Row


class InstanceList(ListView):
    permission_classes = [ChangesNeedSuperuser]
    title = "Instances"
    serializer_class = InstanceSerializer
    filterset_class = InstanceFilters
    search_fields = ("hostname",)
    ordering = ("id",)

    @staticmethod
    def visible(reader: Any) -> Any:
        return Instance.objects.visible_to(reader).with_load().with_peers().order_by("id")

    @transaction.atomic
    def post(self, request: Request) -> Response:
        hold_links()
        return self.create(request, CreatedInstanceSerializer)


class InstanceDetail(DetailView):
    permission_classes = [ChangesNeedSuperuser]
    title = "Instance Detail"
    serializer_class = InstanceDetailSerializer
    name_field = "hostname"

    @staticmethod
    def records(reader: Any) -> Any:
        return Instance.objects.with_load().with_peers().with_links()

    def put(self, request: Request, key: str) -> Response:
        return self.change(request)

    def patch(self, request: Request, key: str) -> Response:
        return self.change(request, partial=True)

    def hold(self, record: Any) -> None:
        lifecycle.held(record.pk)

    def changed(self, before: Any) -> Any:
        instance = super().changed(before)
        instance.capacity = instance.exact_capacity  # AWX tells the percentage of what it has not truncated
        return instance


class OfInstance(ApiView):
    """A view below an instance, which must be visible to the user."""

    @staticmethod
    def owners(reader: Any) -> Any:
        return Instance.objects.all()

    def named(self) -> Any:
        return self.owners, "hostname"

    @cached_property
    def instance(self) -> Any:
        return self.found().record


class InstancePeers(OfInstance, ListView):
    title = "Instance Peers"
    serializer_class = LinkedInstanceSerializer
    filterset_class = InstanceFilters
    search_fields = ("hostname",)

    def get_queryset(self) -> Any:
        peers = Instance.objects.filter(peers_from=self.instance).visible_to(self.request.user)
        return peers.with_load().with_peers().with_links().order_by("hostname")


class InstanceGroupsOfInstance(OfInstance, ListView):
    permission_classes = [MovesNeedSuperuser]
    title = "Instance's Instance Groups"
    attaches = True
    serializer_class = InstanceGroupSerializer
    filterset_class = InstanceGroupFilters
    search_fields = ("name",)

    def get_queryset(self) -> Any:
        user = self.request.user
        groups = InstanceGroup.objects.filter(instances=self.instance).visible_to(user)
        return groups.with_load().with_administration_by(user).order_by("id")

    def subject(self) -> Any:
        return self.instance

    def post(self, request: Request, key: str) -> Response:
        self.instance  # noqa: B018 - refuses whoever may not see the instance
        if wants_detaching(request):
            group = record_in(request, InstanceGroup.objects.all(), missing='"id" is required to disassociate')
            return moved(domain.detach, group.pk, self.permitted(), "instance")
        if id_in_body(request) is None:
            self.refuse_creation(request)
        group = record_in(request, InstanceGroup.objects.all(), missing="")
        return moved(domain.attach, group.pk, self.permitted())

    def refuse_creation(self, request: Request) -> NoReturn:
        """AWX takes a body without an id for a new group, which it checks, and then fails to find."""
        self.get_serializer(data=request.data).is_valid(raise_exception=True)
        try:
            domain.refuse_move(self.permitted())
        except ValidationError as error:
            raise Refused(error.messages[0]) from None
        raise does_not_exist(InstanceGroup.objects.all())


class InstanceJobs(OfInstance, ListView):
    title = "Instance Jobs"
    serializer_class = UnifiedJobSerializer
    filterset_class = UnifiedJobFilters
    search_fields = ("description", "name")

    def get_queryset(self) -> Any:
        jobs = UnifiedJob.objects.filter(execution_node=self.instance.hostname)
        return jobs.visible_to(self.request.user).order_by("id")


class InstanceHealthCheck(OfInstance, DetailView):
    """The last health check of an execution node; other nodes have none."""

    title = "Instance Health Check"
    permission_classes = [IsSuperuserOrAuditor]
    serializer_class = HealthCheckSerializer

    def subject(self) -> Any:
        return super().found().record

    def found(self) -> Row:
        row = super().found()
        if not health_checks.is_checked_on_demand(row.record):
            raise NotFound
        return row

    def post(self, request: Request, key: str) -> Response:
        instance = self.instance
        if not settings.HEALTH_PROBE:
            raise NotAvailable(NO_PROBE)
        started = health_checks.start(instance.pk)
        state = "is running" if started else "was already in progress"
        return Response({"msg": f"Health check {state} for {instance.hostname}."})


class InstallBundle(OfInstance, DetailView):
    """What has to be installed on a node, for the nodes that are installed so. It holds a private key of the mesh."""

    title = "Install Bundle"
    permission_classes = [ReadingNeedsWrite]
    serializer_class = InstanceSerializer

    def get(self, request: Request, key: str) -> Any:
        instance = self.instance
        if not request.user.is_superuser:
            raise PermissionDenied
        if instance.node_type not in lifecycle.INSTALLABLE:
            return Response({"msg": "Install bundle can only be generated for execution or hop nodes."}, status=400)
        try:
            ca = mesh_ca.configured()
        except mesh_ca.MeshCAError as error:
            raise NotAvailable(str(error)) from None
        name = content_disposition_header(True, f"{bundle.name_of(instance)}.tar.gz")
        headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
        return HttpResponse(bundle.archive(instance, ca), content_type="application/gzip", headers=headers)
