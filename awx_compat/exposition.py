"""Families of metrics, and the renderers of answers that consist of them: Prometheus' text, JSON, or a page."""

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric, Sample
from prometheus_client.registry import Collector
from rest_framework.renderers import BaseRenderer

from awx_compat.browsable import BrowsableRenderer
from awx_compat.renderers import JSONRenderer

Labels = dict[str, str]


class Families(Collector):
    """Families of metrics in this order."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self.families = list(families)

    def collect(self) -> Iterator[Metric]:
        return iter(self.families)


def gauge(name: str, text: str, samples: Iterable[tuple[Labels, Any]]) -> GaugeMetricFamily:
    """A family with these samples, all of which have the same labels."""
    family = GaugeMetricFamily(name, text)
    family.samples = [Sample(name, labels, float(value)) for labels, value in samples]
    return family


class TextRenderer(BaseRenderer):
    """Families as text; errors and descriptions as JSON."""

    media_type = "text/plain"
    format = "txt"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        if isinstance(data, Families):
            return self.encode(data, renderer_context)
        renderer_context["response"]["Content-Type"] = "application/json"
        return JSONRenderer().render(data, accepted_media_type, renderer_context)

    def encode(self, families: Families, renderer_context: Any) -> bytes:
        return generate_latest(families)


class FamiliesRenderer(JSONRenderer):
    """The same as JSON."""

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> Any:
        return super().render(without_families(data), accepted_media_type, renderer_context)


class FamiliesPage(BrowsableRenderer):
    """The JSON as a page."""

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> str:
        return super().render(without_families(data), accepted_media_type, renderer_context)


RENDERERS: tuple[type[BaseRenderer], ...] = (TextRenderer, FamiliesRenderer, FamiliesPage)


def without_families(data: Any) -> Any:
    """``data`` as JSON: metrics as AWX has them in JSON, or an error."""
    if not isinstance(data, Families):
        return data
    return {
        metric.name: {
            "help_text": metric.documentation,
            "type": metric.type,
            "samples": [{"labels": sample.labels, "value": sample.value} for sample in metric.samples],
        }
        for metric in data.collect()
    }
