from drf_spectacular.utils import OpenApiParameter, extend_schema
from prometheus_client.core import Metric
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.exposition import RENDERERS, Families
from awx_compat.metrics import ServiceMetrics
from awx_compat.openapi.parameters import TEXT
from awx_compat.permissions import IsSuperuserOrAuditor
from awx_compat.serializers.service import MetricsSerializer
from awx_compat.views.base import ApiView
from instances import monitoring, versions
from instances.mirror import guard
from instances.models import Instance
from instances.versions import Dependencies

TEXTS = {"type": "array", "items": TEXT}  # a parameter that may be repeated


def switch(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, TEXT | {"default": "0"}, description=description)


class Metrics(ApiView):
    """Figures for Prometheus: as text, as JSON with ``format=json``, or as a page."""

    title = "Metrics"
    depends_on: Dependencies | None = versions.METRICS
    permission_classes = [IsSuperuserOrAuditor]
    renderer_classes = RENDERERS

    @extend_schema(
        parameters=[
            switch("dbonly", "`1`: without the figures of AWX's subsystems."),
            switch("subsystemonly", "`1`: only the figures of AWX's subsystems."),
            OpenApiParameter("metric", TEXTS, description="Of the subsystems' figures only these."),
            OpenApiParameter("node", TEXTS, description="Only the subsystems of these control nodes."),
        ],
        responses={(200, "text/plain"): str, (200, "application/json"): MetricsSerializer},
        summary="Figures for Prometheus, as text or with `format=json`",
    )
    def get(self, request: Request) -> Response:
        instances = list(Instance.objects.in_service().with_load().with_mirror().order_by("hostname"))
        may_be_mirror = not instances or instances[0].is_mirrored  # saves a service that is no mirror one query
        mirror = guard.current() if may_be_mirror else None
        if mirror is not None:
            self.depends_on = None  # how old its figures are follows from the time
        address = request.build_absolute_uri("/").rstrip("/")
        metrics = ServiceMetrics(instances, *monitoring.jobs_and_totals(), mirror, address)
        query = request.query_params
        families: list[Metric] = []
        if query.get("subsystemonly") != "1":
            families += metrics.database()
        if query.get("dbonly") != "1":
            families += metrics.subsystems(query.getlist("metric"), query.getlist("node"))
        return Response(Families(families))
