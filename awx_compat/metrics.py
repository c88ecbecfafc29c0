"""AWX's figures for Prometheus, from the same sources as the instances show."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from instances.models import Instance, Mirror, UnifiedJob
from instances.querysets import ACTIVE

JobNumbers = Iterable[tuple[str, str, str, int]]  # hostname, status, launch type, number of jobs


class MetricsCollector:
    """A collector, in prometheus-client's sense, of instances in service with load, numbers of jobs, and the mirror."""

    def __init__(self, instances: Iterable[Instance], jobs: JobNumbers, mirror: Mirror | None = None) -> None:
        self.instances, self.jobs, self.mirror = list(instances), list(jobs), mirror

    def collect(self) -> Iterator[Metric]:
        yield from self._system()
        yield from self._instances()
        yield from self._jobs_of_nodes()
        if self.mirror is not None:
            yield from self._mirror(self.mirror)

    def _system(self) -> Iterator[Metric]:
        by_status: Counter[str] = Counter()
        for _, status, _, number in self.jobs:
            by_status[status] += number
        running = sum(by_status[status] for status in ACTIVE)
        yield _gauge("awx_running_jobs_total", "Number of running jobs on the system", [({}, running)])
        yield _gauge("awx_pending_jobs_total", "Number of pending jobs on the system", [({}, by_status["pending"])])
        statuses = [
            ({"status": status}, by_status[status]) for status in sorted(UnifiedJob.Status.values) if status != "new"
        ]
        yield _gauge("awx_status_total", "Status of Job launched", statuses)

    def _instances(self) -> Iterator[Metric]:
        def of_each(name: str, text: str, value: Any, *more: str) -> GaugeMetricFamily:
            return _gauge(name, text, [(_labels(instance, *more), value(instance)) for instance in self.instances])

        yield of_each("awx_instance_capacity", "Capacity of each node in the system", lambda i: i.capacity, "node_type")
        yield of_each("awx_instance_cpu", "CPU cores on each node in the system", lambda i: i.cpu)
        yield of_each("awx_instance_memory", "RAM (Kb) on each node in the system", lambda i: i.memory)
        yield of_each(
            "awx_instance_info",
            "Info about each node in the system",
            lambda i: 1,
            "enabled",
            "managed_by_policy",
            "node_type",
            "version",
        )
        yield of_each(
            "awx_instance_consumed_capacity",
            "Consumed capacity of each node in the system",
            lambda i: i.consumed_capacity,
            "node_type",
        )
        yield of_each(
            "awx_instance_remaining_capacity",
            "Remaining capacity of each node in the system",
            lambda i: i.capacity - i.consumed_capacity,
            "node_type",
        )

    def _jobs_of_nodes(self) -> Iterator[Metric]:
        by_launch_type: Counter[tuple[str, str]] = Counter()
        by_status: Counter[tuple[str, str]] = Counter()
        for node, status, launch_type, number in self.jobs:
            if node:
                by_launch_type[node, launch_type] += number
                by_status[node, status] += number
        yield _gauge(
            "awx_instance_launch_type_total",
            "Type of Job launched",
            [({"launch_type": kind, "node": node}, n) for (node, kind), n in by_launch_type.items()],
        )
        yield _gauge(
            "awx_instance_status_total",
            "Status of Job launched",
            [({"node": node, "status": status}, n) for (node, status), n in by_status.items()],
        )

    def _mirror(self, mirror: Mirror) -> Iterator[Metric]:
        def alone(name: str, text: str, value: float) -> GaugeMetricFamily:
            return _gauge(f"awx_mirror_{name}", text, [({}, value)])

        yield alone("age_seconds", "Seconds since AWX told what this mirror tells", mirror.age())
        yield alone("stale", "Whether that is longer ago than it should be", mirror.is_stale())
        yield alone("sync_duration_seconds", "How long the last sync took", mirror.seconds)
        yield alone("sync_failures", "Syncs that failed since the last one that succeeded", mirror.failures)
        yield alone("sync_failures_total", "Syncs that failed since the mirror began", mirror.failures_total)
        records = [({"kind": kind}, count["total"]) for kind, count in sorted(mirror.records.items())]
        yield _gauge("awx_mirror_records", "Records that the last sync read", records)
        left_out = [({"kind": kind}, number) for kind, number in sorted(mirror.left_out.items())]
        yield _gauge("awx_mirror_records_left_out", "Records of AWX that this service cannot hold", left_out)


def _labels(instance: Instance, *more: str) -> dict[str, str]:
    own = {"hostname": instance.hostname, "instance_uuid": instance.uuid}
    return {**own, **{name: str(getattr(instance, name)) for name in more}}


def _gauge(name: str, text: str, samples: list[tuple[dict[str, str], Any]]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, text, labels=list(samples[0][0]) if samples else [])
    for labels, value in samples:
        gauge.add_metric(list(labels.values()), float(value))
    return gauge


def as_text(figures: MetricsCollector) -> bytes:
    """In Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(figures)
    return generate_latest(registry)


def as_json(figures: MetricsCollector) -> dict[str, Any]:
    """In the JSON that AWX makes of it."""
    return {
        metric.name: {
            "help_text": metric.documentation,
            "type": metric.type,
            "samples": [{"labels": sample.labels, "value": sample.value} for sample in metric.samples],
        }
        for metric in figures.collect()
    }
