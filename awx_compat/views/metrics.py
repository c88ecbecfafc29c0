from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.browsable import BrowsableRenderer
from awx_compat.metrics import MetricsCollector, as_json, as_text
from awx_compat.permissions import IsSuperuserOrAuditor
from awx_compat.renderers import JSONRenderer
from awx_compat.serializers.service import MetricsSerializer
from awx_compat.views.base import ApiView
from instances import versions
from instances.mirror import guard
from instances.models import Instance, JobCount
from instances.versions import Dependencies


class TextRenderer(BaseRenderer):
    """Prometheus' text format; errors as JSON."""

    media_type = "text/plain"
    format = "txt"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        if isinstance(data, MetricsCollector):
            return as_text(data)
        renderer_context["response"]["Content-Type"] = "application/json"
        return JSONRenderer().render(data, accepted_media_type, renderer_context)


class FiguresRenderer(JSONRenderer):
    """The same figures as JSON."""

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> Any:
        return super().render(without_figures(data), accepted_media_type, renderer_context)


class FiguresPage(BrowsableRenderer):
    """The page of that JSON."""

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> str:
        return super().render(without_figures(data), accepted_media_type, renderer_context)


def without_figures(data: Any) -> Any:
    """``data`` as JSON: metrics, or an error."""
    return as_json(data) if isinstance(data, MetricsCollector) else data


class Metrics(ApiView):
    """Figures for Prometheus: text, JSON with ``format=json``, or a page of that."""

    title = "Metrics"
    depends_on: Dependencies | None = versions.FIGURES
    permission_classes = [IsSuperuserOrAuditor]
    renderer_classes = [TextRenderer, FiguresRenderer, FiguresPage]

    @extend_schema(
        responses={(200, "text/plain"): str, (200, "application/json"): MetricsSerializer},
        summary="Figures for Prometheus, as text or with `format=json`",
    )
    def get(self, request: Request) -> Response:
        instances = list(Instance.objects.in_service().with_load().with_mirror().order_by("hostname"))
        may_be_mirror = not instances or instances[0].is_mirrored  # saves a service that is no mirror one query
        mirror = guard.current() if may_be_mirror else None
        if mirror is not None:
            self.depends_on = None  # how old its figures are follows from the time
        return Response(MetricsCollector(instances, JobCount.objects.by_node(), mirror))
