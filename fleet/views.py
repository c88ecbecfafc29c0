from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.bases import (
    ApiView,
    BodyTooLarge,
    ErrorResponse,
    ErrorSerializer,
    Families,
    IsSuperuserOrAuditor,
    MetricsSerializer,
    OfInstance,
    detail,
    process_metrics,
)
from fleet import metrics, openapi
from fleet.authentication import IsTheNodeItself, NodeTokenAuthentication, named_by
from fleet.serializers import (
    BundlesSerializer,
    ConditionsSerializer,
    FleetRootSerializer,
    InstancePingSerializer,
    MeshSerializer,
    MirrorPingSerializer,
    MirrorSerializer,
    ReportedSerializer,
    ReportSerializer,
    bundle_of,
    mesh_of,
)
from instances import install_bundles, monitoring, tasks
from instances.health import conditions
from instances.health.recording import record
from instances.health.watch import Inspections
from instances.messages import NO_MIRROR
from instances.mirror import guard, history
from instances.models import Instance, InstanceGroup, Mirror

LARGEST_REPORT = 65_536  # bytes
PING_IS_OFF = "This service does not answer pings of instances: PUBLIC_INSTANCE_PING is off."
NOT_MEASURED = ErrorResponse(
    "NotMeasured", process_metrics.NOT_MEASURED, (ErrorSerializer,), detail(process_metrics.NOT_MEASURED)
)
NO_MIRROR_HERE = ErrorResponse("NoMirror", NO_MIRROR, (ErrorSerializer,), detail(NO_MIRROR))


class FleetRoot(ApiView):
    """The extensions of AWX's API."""

    title = "Fleet"

    @extend_schema(
        operation_id="fleet_retrieve",
        responses=FleetRootSerializer,
        summary="The extensions of AWX's API",
        examples=openapi.response_example(openapi.ROOT),
    )
    def get(self, request: Request) -> Response:
        below = {
            name: f"instances/{{key}}/{name}/" for name in ("conditions", "deprovision", "drain", "ping", "report")
        }
        here = {name: f"{name}/" for name in ("bundles", "drains", "fit", "mesh", "metrics", "mirror", "what_if")}
        here |= {"mesh_risk": "mesh/risk/", "process_metrics": "metrics/process/"}
        root = reverse("fleet")
        return Response({name: root + path for name, path in {**here, **below}.items()})


class ReportView(ApiView):
    """Accepts a node's report of itself, with the node's own token."""

    title = "Node Report"
    authentication_classes = [NodeTokenAuthentication]
    permission_classes = [IsTheNodeItself]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_REPORT:
            raise BodyTooLarge(LARGEST_REPORT)

    @extend_schema(
        request=ReportSerializer,
        responses={200: ReportedSerializer},
        summary="Send a node's report of itself",
        examples=[*openapi.request_examples(openapi.REPORTS), *openapi.response_example(openapi.REPORTED)],
    )
    def post(self, request: Request, key: str) -> Response:
        report = ReportSerializer(data=request.data)
        report.is_valid(raise_exception=True)
        instance: Any = request.auth.instance  # type: ignore[union-attr]
        return Response(ReportedSerializer(record(instance.pk, report.report(instance))).data)


class Conditions(OfInstance):
    """The conditions of an instance: whether the node is seen, checked and reachable, and since when."""

    title = "Instance Conditions"

    @staticmethod
    def owners(reader: Any) -> Any:
        return Instance.objects.with_conditions()

    @extend_schema(
        responses=ConditionsSerializer,
        summary="The conditions of an instance",
        examples=openapi.response_example(openapi.CONDITIONS),
    )
    def get(self, request: Request, key: str) -> Response:
        found = conditions.current_for(self.reader, self.instance)
        return Response(ConditionsSerializer({"count": len(found), "results": found}).data)


class Bundles(ApiView):
    """The last install bundles of all nodes, when their certificates expire, and whether they are up to date."""

    title = "Install Bundles"
    permission_classes = [IsSuperuserOrAuditor]

    @extend_schema(
        responses=BundlesSerializer,
        summary="The last install bundles of all nodes",
        examples=openapi.response_example(openapi.BUNDLES),
    )
    def get(self, request: Request) -> Response:
        found = [bundle_of(each) for each in install_bundles.compare_all(timezone.now())]
        return Response(BundlesSerializer({"count": len(found), "results": found}).data)


class MeshView(ApiView):
    """The last inspection of the mesh by each control node, and the nodes on it that no instance describes."""

    title = "Mesh Inspection"
    permission_classes = [IsSuperuserOrAuditor]

    @extend_schema(
        responses=MeshSerializer,
        summary="The last inspection of the mesh",
        examples=openapi.response_example(openapi.MESH_INSPECTION),
    )
    def get(self, request: Request) -> Response:
        return Response(MeshSerializer(mesh_of(Inspections.stored())).data)


def mirror_or_404() -> Mirror:
    mirror = guard.current()
    if mirror is None:
        raise NotFound(NO_MIRROR)
    return mirror


class MirrorState(ApiView):
    """The mirrored AWX, the age of its data here, and the results of the last syncs."""

    title = "Mirror"
    permission_classes = [IsSuperuserOrAuditor]

    @extend_schema(
        responses={200: MirrorSerializer, 404: NO_MIRROR_HERE},
        summary="The mirror and its last syncs",
        examples=openapi.response_example(openapi.MIRROR),
    )
    def get(self, request: Request) -> Response:
        mirror = mirror_or_404()
        return Response({**MirrorSerializer(mirror).data, "left_out_names": history.left_out_names(mirror)})


class MirrorPing(ApiView):
    """For monitoring, without credentials: 200 while the mirror is up to date, 503 once it is stale."""

    title = "Mirror Ping"
    permission_classes = [AllowAny]
    authentication_classes = ()

    @extend_schema(
        responses={
            200: MirrorPingSerializer,
            404: NO_MIRROR_HERE,
            503: ErrorResponse(
                "MirrorStale",
                "The mirror is stale, or the database is too busy.",
                (MirrorPingSerializer, ErrorSerializer),
                {"age": 341.208, "oldest": 91.5, "stale": True},
            ),
        },
        summary="Whether the mirror is up to date, for monitoring",
        examples=openapi.response_example({name: openapi.MIRROR[name] for name in MirrorPingSerializer.Meta.fields}),
    )
    def get(self, request: Request) -> Response:
        mirror = mirror_or_404()
        status = HTTPStatus.SERVICE_UNAVAILABLE if mirror.is_stale() else HTTPStatus.OK
        return Response(MirrorPingSerializer(mirror).data, status=status)


class FleetMetrics(ApiView):
    """Figures for Prometheus: every node whatever its state, groups, links, background work and the mirror."""

    title = "Fleet Metrics"
    permission_classes = [IsSuperuserOrAuditor]
    renderer_classes = metrics.FORMATS

    @extend_schema(
        operation_id="fleet_metrics_retrieve",
        responses={
            (200, "text/plain"): str,
            (200, "application/openmetrics-text"): str,
            (200, "application/json"): MetricsSerializer,
        },
        summary="Figures of the fleet for Prometheus",
        examples=openapi.metrics_examples(openapi.METRICS),
    )
    def get(self, request: Request) -> Response:
        now = timezone.now()
        nodes = list(Instance.objects.with_load().with_health().with_up().order_by("hostname"))
        groups = list(InstanceGroup.objects.with_load().with_members().order_by("name"))
        mirror = guard.current()
        return Response(
            Families(
                [
                    *metrics.of_nodes(nodes, monitoring.condition_statuses(nodes, now), now),
                    *metrics.of_groups(groups),
                    *metrics.of_links(monitoring.links_by_state()),
                    *metrics.of_background_work(
                        monitoring.background_jobs(), list(monitoring.heartbeat_ages(now)), tasks.longest_silence()
                    ),
                    *(metrics.of_mirror(mirror) if mirror else ()),
                ]
            )
        )


class ProcessMetricsView(ApiView):
    """Figures for Prometheus of the processes of one server: requests, threads, and connections to the database."""

    title = "Process Metrics"
    permission_classes = [IsSuperuserOrAuditor]
    renderer_classes = metrics.FORMATS

    @extend_schema(
        operation_id="process_metrics_retrieve",
        responses={
            (200, "text/plain"): str,
            (200, "application/openmetrics-text"): str,
            (200, "application/json"): MetricsSerializer,
            404: NOT_MEASURED,
        },
        summary="Figures of the server's processes for Prometheus",
        examples=openapi.metrics_examples(openapi.PROCESS_METRICS),
    )
    def get(self, request: Request) -> Response:
        if process_metrics.current is None:
            raise NotFound(process_metrics.NOT_MEASURED)
        return Response(Families(process_metrics.current.families()))


class InstancePing(ApiView):
    """For load balancers, without credentials: 200 while the node is ready and enabled, else 503.

    An instance that does not exist is not up: the answer shows nothing else.
    """

    title = "Instance Ping"
    permission_classes = [AllowAny]
    authentication_classes = ()

    @extend_schema(
        responses={
            200: InstancePingSerializer,
            404: ErrorResponse("PingIsOff", PING_IS_OFF, (ErrorSerializer,), detail(PING_IS_OFF)),
            503: ErrorResponse(
                "InstanceDown",
                "The instance is not up, or the database is too busy.",
                (InstancePingSerializer, ErrorSerializer),
                {"up": False},
            ),
        },
        summary="Whether an instance is up, for load balancers",
        examples=openapi.response_example({"up": True}),
    )
    def get(self, request: Request, key: str) -> Response:
        if not settings.PUBLIC_INSTANCE_PING:
            raise NotFound(PING_IS_OFF)
        is_up = Instance.objects.up().filter(**named_by(key)).exists()
        status = HTTPStatus.OK if is_up else HTTPStatus.SERVICE_UNAVAILABLE
        return Response(InstancePingSerializer({"up": is_up}).data, status=status)
