from http import HTTPStatus
from typing import Any

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
    IsSuperuserOrAuditor,
    OfInstance,
    detail,
)
from fleet import openapi
from fleet.authentication import IsTheNodeItself, NodeTokenAuthentication
from fleet.serializers import (
    ConditionsSerializer,
    FleetRootSerializer,
    MeshSerializer,
    MirrorPingSerializer,
    MirrorSerializer,
    ReportedSerializer,
    ReportSerializer,
)
from instances.health import conditions
from instances.health.recording import record
from instances.messages import NO_MIRROR
from instances.mirror import guard, history
from instances.models import Instance, MeshInspection, Mirror

LARGEST_REPORT = 65_536  # bytes
ROOT = "/api/fleet/v1/"
NEVER_INSPECTED: dict[str, Any] = {"began": None, "seconds": 0.0, "error": "", "unknown_nodes": [], "overdue": False}
NO_MIRROR_HERE = ErrorResponse("NoMirror", NO_MIRROR, (ErrorSerializer,), detail(NO_MIRROR))


class FleetRoot(ApiView):
    """What there is beside AWX's own API."""

    title = "Fleet"

    @extend_schema(
        operation_id="fleet_retrieve",
        responses=FleetRootSerializer,
        summary="What there is beside AWX's own API",
        examples=openapi.answer(openapi.ROOT),
    )
    def get(self, request: Request) -> Response:
        below = {name: f"instances/{{key}}/{name}/" for name in ("conditions", "report")}
        here = {"mesh": "mesh/", "mirror": "mirror/"}
        return Response({name: ROOT + path for name, path in {**here, **below}.items()})


class ReportView(ApiView):
    """Takes what a node tells of itself, from that node alone."""

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
        summary="Take what a node tells of itself",
        examples=[*openapi.bodies(openapi.REPORTS), *openapi.answer(openapi.REPORTED)],
    )
    def post(self, request: Request, key: str) -> Response:
        told = ReportSerializer(data=request.data)
        told.is_valid(raise_exception=True)
        instance: Any = request.auth.instance  # type: ignore[union-attr]
        return Response(ReportedSerializer(record(instance.pk, told.report(instance))).data)


class Conditions(OfInstance):
    """The conditions of an instance: whether it is seen, checked, reachable, and since when."""

    title = "Instance Conditions"

    @staticmethod
    def owners(reader: Any) -> Any:
        return Instance.objects.with_conditions()

    @extend_schema(
        responses=ConditionsSerializer,
        summary="The conditions of an instance",
        examples=openapi.answer(openapi.CONDITIONS),
    )
    def get(self, request: Request, key: str) -> Response:
        found = conditions.current(self.instance)
        return Response(ConditionsSerializer({"count": len(found), "results": found}).data)


class MeshView(ApiView):
    """How the last look at the mesh went, and which nodes on it nobody registered."""

    title = "Mesh Inspection"
    permission_classes = [IsSuperuserOrAuditor]

    @extend_schema(
        responses=MeshSerializer, summary="The last look at the mesh", examples=openapi.answer(openapi.MESH_LOOK)
    )
    def get(self, request: Request) -> Response:
        last = MeshInspection.objects.order_by("-began").first()
        return Response(NEVER_INSPECTED if last is None else MeshSerializer(last).data)


def mirror_or_404() -> Mirror:
    mirror = guard.current()
    if mirror is None:
        raise NotFound(NO_MIRROR)
    return mirror


class MirrorState(ApiView):
    """Which AWX this service mirrors, how old what it tells is, and how the last syncs went."""

    title = "Mirror"
    permission_classes = [IsSuperuserOrAuditor]

    @extend_schema(
        responses={200: MirrorSerializer, 404: NO_MIRROR_HERE},
        summary="The mirror and its last syncs",
        examples=openapi.answer(openapi.MIRROR),
    )
    def get(self, request: Request) -> Response:
        mirror = mirror_or_404()
        return Response({**MirrorSerializer(mirror).data, "left_out_names": history.left_out_names(mirror)})


class MirrorPing(ApiView):
    """For monitoring, without credentials: 200 while the mirror is fresh, 503 once it is older than it should be."""

    title = "Mirror Ping"
    permission_classes = [AllowAny]
    authentication_classes = ()

    @extend_schema(
        responses={
            200: MirrorPingSerializer,
            404: NO_MIRROR_HERE,
            503: ErrorResponse(
                "MirrorStale",
                "The mirror is older than it should be, or the database is too busy.",
                (MirrorPingSerializer, ErrorSerializer),
                {"age": 341.208, "oldest": 91.5, "stale": True},
            ),
        },
        summary="Whether the mirror is fresh, for monitoring",
        examples=openapi.answer({name: openapi.MIRROR[name] for name in MirrorPingSerializer.Meta.fields}),
    )
    def get(self, request: Request) -> Response:
        mirror = mirror_or_404()
        status = HTTPStatus.SERVICE_UNAVAILABLE if mirror.is_stale() else HTTPStatus.OK
        return Response(MirrorPingSerializer(mirror).data, status=status)
