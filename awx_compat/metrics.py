"""AWX's figures for Prometheus, from the same sources as the instances show.

AWX makes some of them of its database, and others of what its processes count in memory. Names, help texts and labels
are AWX's; docs/compatibility.md, "Metrics" has the value of each.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from prometheus_client.core import GaugeMetricFamily, Metric

from awx_compat.exposition import Labels, gauge
from instances.models import Instance, Mirror, UnifiedJob
from instances.monitoring import Totals
from instances.querysets import ACTIVE

# Kinds of records that AWX stores and this service does not. A mirror does not copy them, so it has no number of them.
NOT_STORED = {
    "awx_organizations_total": "Number of organizations",
    "awx_teams_total": "Number of teams",
    "awx_inventories_total": "Number of inventories",
    "awx_projects_total": "Number of projects",
    "awx_job_templates_total": "Number of job templates",
    "awx_workflow_job_templates_total": "Number of workflow job templates",
    "awx_schedules_total": "Number of schedules",
    "awx_license_instance_total": "Total number of managed hosts provided by your license",
    "awx_license_instance_free": "Number of remaining managed hosts provided by your license",
}
# What AWX's control nodes count of the events and tasks of jobs, which this service does not run.
SUBSYSTEMS = {
    "callback_receiver_events_queue_size_redis": "Current number of events in redis queue",
    "callback_receiver_events_popped_redis": "Number of events popped from redis",
    "callback_receiver_events_in_memory": "Current number of events in memory (in transfer from redis to db)",
    "callback_receiver_batch_events_errors": "Number of times batch insertion failed",
    "callback_receiver_events_insert_db_seconds": "Total time spent saving events to database",
    "callback_receiver_events_insert_db": "Number of events batch inserted into database",
    "callback_receiver_event_processing_avg_seconds": "Average processing time per event per callback receiver batch",
    "task_manager__schedule_seconds": "Time spent in running the entire _schedule",
    "task_manager_tasks_started": "Number of tasks started",
    "task_manager_running_processed": "Number of running tasks processed",
    "task_manager_pending_processed": "Number of pending tasks processed",
    "task_manager_tasks_blocked": "Number of tasks blocked from running",
}


@dataclass(frozen=True)
class ServiceMetrics:
    """What the families are made of.

    ``instances``: those in service, ``with_load()``. ``jobs``: rows of ``JobCount.objects.by_node()``. ``address``: the
    URL of the service, without a path.
    """

    instances: Collection[Instance]
    jobs: Collection[dict[str, Any]]
    totals: Totals
    mirror: Mirror | None
    address: str

    def database(self) -> Iterator[Metric]:
        """The families that AWX makes of its database."""
        yield gauge("awx_system_info", "AWX System Information", [(self._system(), 1)])
        yield from self._records() if self.mirror is None else self._mirrored_records(self.mirror)
        yield from self._jobs()
        yield from self._instances()
        yield from self._jobs_of_nodes()
        if self.mirror is not None:
            yield from self._mirror(self.mirror)

    def subsystems(self, names: Collection[str] = (), nodes: Collection[str] = ()) -> Iterator[Metric]:
        """The families that AWX's processes count, for each control node; only ``names`` and ``nodes`` where given."""
        if self.mirror is None:
            own = [each.hostname for each in self.instances if each.controls]
            zeros = [({"node": hostname}, 0) for hostname in own if not nodes or hostname in nodes]
            yield from (gauge(name, text, zeros) for name, text in SUBSYSTEMS.items() if not names or name in names)

    def _system(self) -> Labels:
        return {
            "external_logger_enabled": "False",
            "external_logger_type": "None",
            "insights_analytics": "False",
            "install_uuid": settings.INSTALL_UUID,
            "license_expiry": "0",
            "license_type": "open",
            "pendo_tracking": "off",
            "tower_url_base": self.address,
            "tower_version": settings.AWX_VERSION,
        }

    def _records(self) -> Iterator[Metric]:
        for name, text in NOT_STORED.items():
            yield single(name, text, 0)
        yield gauge("awx_hosts_total", "Number of hosts", [({"type": kind}, 0) for kind in ("all", "active")])
        yield users(self.totals.users)
        numbers = {"all": self.totals.sessions, "user": self.totals.sessions, "anonymous": 0}
        samples = [({"type": kind}, number) for kind, number in numbers.items()]
        yield gauge("awx_sessions_total", "Number of sessions", samples)
        yield single("awx_database_connections_total", "Number of connections to database", self.totals.connections)

    def _mirrored_records(self, mirror: Mirror) -> Iterator[Metric]:
        if "users" in mirror.records:
            yield users(mirror.records["users"]["total"])

    def _jobs(self) -> Iterator[Metric]:
        by_status: Counter[str] = Counter()
        for row in self.jobs:
            by_status[row["status"]] += row["number"]
        running = sum(by_status[status] for status in ACTIVE)
        yield single("awx_running_jobs_total", "Number of running jobs on the system", running)
        yield single("awx_pending_jobs_total", "Number of pending jobs on the system", by_status["pending"])
        statuses = sorted(status for status in UnifiedJob.Status.values if status != "new")
        samples = [({"status": status}, by_status[status]) for status in statuses]
        yield gauge("awx_status_total", "Status of Job launched", samples)

    def _instances(self) -> Iterator[Metric]:
        def of_each(name: str, text: str, value: Any, *more: str) -> GaugeMetricFamily:
            return gauge(name, text, ((_labels(instance, *more), value(instance)) for instance in self.instances))

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
        for row in self.jobs:
            if row["node"]:
                by_launch_type[row["node"], row["launch_type"]] += row["number"]
                by_status[row["node"], row["status"]] += row["number"]
        yield gauge(
            "awx_instance_launch_type_total",
            "Type of Job launched",
            [({"launch_type": kind, "node": node}, n) for (node, kind), n in by_launch_type.items()],
        )
        yield gauge(
            "awx_instance_status_total",
            "Status of Job launched",
            [({"node": node, "status": status}, n) for (node, status), n in by_status.items()],
        )

    def _mirror(self, mirror: Mirror) -> Iterator[Metric]:
        def alone(name: str, text: str, value: float) -> GaugeMetricFamily:
            return single(f"awx_mirror_{name}", text, value)

        yield alone("age_seconds", "Age of the mirrored data in seconds", mirror.age())
        yield alone("stale", "Whether the mirrored data are too old", mirror.is_stale())
        yield alone("sync_duration_seconds", "Duration of the last sync in seconds", mirror.seconds)
        yield alone("sync_failures", "Syncs that failed since the last one that succeeded", mirror.failures)
        yield alone("sync_failures_total", "Syncs that failed since the mirror began", mirror.failures_total)
        records = [({"kind": kind}, count["total"]) for kind, count in sorted(mirror.records.items())]
        yield gauge("awx_mirror_records", "Records that the last sync read", records)
        left_out = [({"kind": kind}, number) for kind, number in sorted(mirror.left_out.items())]
        yield gauge("awx_mirror_records_left_out", "Records of the mirrored AWX that are left out here", left_out)


def _labels(instance: Instance, *more: str) -> Labels:
    own = {"hostname": instance.hostname, "instance_uuid": instance.uuid}
    return {**own, **{name: str(getattr(instance, name)) for name in more}}


def single(name: str, text: str, value: float) -> GaugeMetricFamily:
    return gauge(name, text, [({}, value)])


def users(number: int) -> GaugeMetricFamily:
    return single("awx_users_total", "Number of users", number)
