"""Families of metrics, and the renderers of answers that consist of them: Prometheus' text, JSON, or a page."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric, Sample
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from rest_framework.renderers import BaseRenderer

from awx_compat.browsable import BrowsableRenderer
from awx_compat.renderers import JSONRenderer

Labels = dict[str, str]
Encoder = Callable[[Collector], bytes]  # one of prometheus-client's


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


def encode(families: Families, encoder: Encoder) -> bytes:
    """What ``encoder`` makes of the families, for a fraction of its cost where they have many samples."""
    end = encoder(Families(()))  # what follows the last family

    def write(family: Metric) -> bytes:
        return encoder(Families([family])).removesuffix(end)

    parts = [write_all(write(pattern(each)), each) if is_long(each) else write(each) for each in families.collect()]
    return b"".join([*parts, end])


def is_long(family: Metric) -> bool:
    """Whether it is a ``gauge()`` of many samples."""
    return isinstance(family, GaugeMetricFamily) and len(family.samples) > 1


def pattern(family: Metric) -> Metric:
    """The ``gauge()`` with one sample in place of all, which has ``%s`` for each label, and the value 0."""
    return gauge(family.name, family.documentation, [(dict.fromkeys(family.samples[0].labels, "%s"), 0)])


def write_all(pattern: bytes, family: Metric) -> bytes:
    """The ``family``, whose ``pattern`` an encoder wrote: a line for each sample, as that of the pattern."""
    head, line = pattern.decode().removesuffix("0.0\n").rsplit("\n", 1)
    names = sorted(family.samples[0].labels)
    columns = [[escape(sample.labels[name]) for sample in family.samples] for name in names]
    values = [floatToGoString(sample.value) for sample in family.samples]
    lines = [f"{line}%s" % fields for fields in zip(*columns, values, strict=True)]
    return "\n".join([head, *lines, ""]).encode()


def escape(value: str) -> str:
    """The value of a label as both formats have it."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


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
        return encode(families, generate_latest)


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
