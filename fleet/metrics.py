"""The fleet's figures for Prometheus: every node whatever its state, the mesh around it, and the background work.

Names, units and types follow Prometheus' conventions: one family for each question, with a sample of 0 or 1 for each
state where the answer is one of several. docs/monitoring.md lists the families.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from prometheus_client import exposition
from prometheus_client.core import CounterMetricFamily, Metric
from rest_framework.renderers import BaseRenderer

from awx_compat.bases import RENDERERS, Families, Labels, TextRenderer, gauge
from instances.health.conditions import health_of
from instances.health.rules import last_seen_at
from instances.models import Condition, Instance, InstanceGroup, Mirror

PREFIX = "awx_fleet_"
# Django makes these lists anew each time that they are read: too dear for each sample.
NODE_STATES, STATUSES = Instance.NodeState.values, Condition.Status.values


class PrometheusRenderer(TextRenderer):
    """Families in the format that the client prefers or names: Prometheus' text, or OpenMetrics."""

    def encode(self, families: Families, renderer_context: Any) -> bytes:
        request = renderer_context["request"]
        accepted = self.media_type if "format" in request.query_params else request.headers.get("Accept", "")
        encode, content_type = exposition.choose_encoder(accepted)
        renderer_context["response"]["Content-Type"] = content_type
        return encode(families)


class OpenMetricsRenderer(PrometheusRenderer):
    """For clients that accept nothing else, or name the format."""

    media_type = "application/openmetrics-text"
    format = "openmetrics"


# In place of the first, which knows one format alone.
FORMATS: tuple[type[BaseRenderer], ...] = (PrometheusRenderer, OpenMetricsRenderer, *RENDERERS[1:])


def family(name: str, text: str, samples: Iterable[tuple[Labels, Any]]) -> Metric:
    return gauge(PREFIX + name, text, samples)


def single(name: str, text: str, value: float) -> Metric:
    return family(name, text, [({}, value)])


def states(values: Collection[str], current: str, label: str, **labels: str) -> Iterator[tuple[Labels, bool]]:
    """A sample for each of ``values``, which is 1 for the ``current`` one; that one is there even if it is unknown."""
    for value in dict.fromkeys([*values, current]):
        yield {**labels, label: value}, value == current


def of_nodes(nodes: Collection[Instance], statuses: Mapping[int, Mapping[str, str]], now: datetime) -> Iterator[Metric]:
    """Of nodes that were read ``with_load()``, ``with_health()`` and ``with_up()``.

    ``statuses``: by the ids of the nodes, those of their conditions by type.
    """

    def of_each(name: str, text: str, value: Any) -> Metric:
        return family(f"node_{name}", text, (({"hostname": each.hostname}, value(each)) for each in nodes))

    def where_known(name: str, text: str, value: Any) -> Metric:
        known = ((each.hostname, value(each)) for each in nodes)
        return family(f"node_{name}", text, (({"hostname": name}, n) for name, n in known if n is not None))

    def seen_ago(node: Instance) -> float | None:
        last = last_seen_at(node, health_of(node), now)
        return None if last is None else max(0.0, (now - last).total_seconds())

    def expiry(node: Instance) -> float | None:
        return node.issued_bundle.certificate_expires.timestamp() if hasattr(node, "issued_bundle") else None

    yield family("node_info", "What each node is.", ((labels_of(each), 1) for each in nodes))
    all_states = [
        sample for each in nodes for sample in states(NODE_STATES, each.node_state, "state", hostname=each.hostname)
    ]
    yield family("node_state", "Whether each node is in each state.", all_states)
    yield of_each("up", "Whether each node is ready and enabled.", lambda node: node.is_up)
    yield of_each("enabled", "Whether each node is enabled.", lambda node: node.enabled)
    yield of_each("capacity_forks", "Capacity of each node.", lambda node: node.capacity)
    yield of_each("consumed_forks", "Capacity of each node that jobs consume.", lambda node: node.consumed_capacity)
    yield of_each(
        "remaining_forks",
        "Capacity of each node that is left; negative where jobs consume more than there is.",
        lambda node: node.capacity - node.consumed_capacity,
    )
    yield of_each("jobs_running", "Jobs that each node runs or will run next.", lambda node: node.load.jobs_running)
    yield of_each("cpu_cores", "CPUs of each node as it reported them.", lambda node: node.cpu)
    yield of_each("memory_bytes", "Memory of each node as it reported it.", lambda node: node.memory)
    yield where_known("last_seen_age_seconds", "Time since each node was last seen, if it ever was.", seen_ago)
    yield where_known(
        "certificate_expiry_timestamp_seconds",
        "When the certificate in the last install bundle of each node expires, where one is recorded.",
        expiry,
    )
    all_conditions = [
        sample
        for each in nodes
        for kind, status in statuses[each.pk].items()
        for sample in states(STATUSES, status, "status", hostname=each.hostname, type=kind)
    ]
    yield family("node_condition", "Whether each condition of each node has each status.", all_conditions)
    bad = [({"type": kind, "status": kind.bad}, True) for kind in Condition.Type if kind.bad]
    yield family("condition_bad", "The status of each type of condition that is bad, where one is.", bad)


def labels_of(node: Instance) -> Labels:
    return {
        "hostname": node.hostname,
        "instance_uuid": node.uuid,
        "node_type": node.node_type,
        "version": node.version,
    }


def of_groups(groups: Collection[InstanceGroup]) -> Iterator[Metric]:
    """Of groups that were read ``with_load()`` and ``with_members()``."""

    def of_each(name: str, text: str, value: Any) -> Metric:
        return family(f"group_{name}", text, (({"group": each.name}, value(each)) for each in groups))

    yield of_each(
        "capacity_forks",
        "Capacity of the members of each group that are in service; of a container group its limit, 0 without one.",
        lambda group: group.capacity,
    )
    yield of_each("consumed_forks", "Capacity of each group that jobs consume.", lambda group: group.consumed_capacity)
    yield of_each("jobs_running", "Jobs that each group runs or will run next.", lambda group: group.jobs_running)
    yield of_each("members", "Members of each group.", lambda group: len(group.member_hostnames))
    yield of_each(
        "members_in_service", "Members of each group that are up and no hop nodes.", lambda group: group.members
    )


def of_links(numbers: Mapping[str, int]) -> Iterator[Metric]:
    """``numbers``: of links, by state."""
    samples = [({"state": state}, number) for state, number in numbers.items()]
    yield family("links", "Links of the mesh in each state.", samples)


def of_background_work(
    jobs: Mapping[tuple[str, str], int], heartbeats: Collection[tuple[int, float]], longest_silence: float
) -> Iterator[Metric]:
    """``jobs``: numbers by task and status; ``heartbeats``: each worker's id, and the age of its last heartbeat."""
    samples = [({"task": task, "status": status}, number) for (task, status), number in jobs.items()]
    yield family("background_jobs", "Background jobs of each task that wait (todo), run (doing) or failed.", samples)
    alive = sum(age <= longest_silence for _, age in heartbeats)
    yield single("workers", "Workers whose last heartbeat is recent.", alive)
    ages = [({"worker": str(pk)}, age) for pk, age in heartbeats]
    yield family("worker_heartbeat_age_seconds", "Time since the last heartbeat of each worker.", ages)


def of_mirror(mirror: Mirror) -> Iterator[Metric]:
    yield single("mirror_age_seconds", "Age of the mirrored data.", mirror.age())
    yield single("mirror_stale", "Whether the mirrored data are too old.", mirror.is_stale())
    yield single("mirror_sync_duration_seconds", "Duration of the last sync that succeeded.", mirror.seconds)
    yield single("mirror_consecutive_failures", "Syncs that failed since the last one that succeeded.", mirror.failures)
    yield CounterMetricFamily(
        f"{PREFIX}mirror_sync_failures", "Syncs of the mirror that failed.", value=mirror.failures_total
    )
    records = [({"kind": kind}, count["total"]) for kind, count in sorted(mirror.records.items())]
    yield family("mirror_records", "Records of each kind after the last sync.", records)
    left_out = [({"kind": kind}, number) for kind, number in sorted(mirror.left_out.items())]
    yield family("mirror_records_left_out", "Records of each kind that are left out here.", left_out)
