"""``manage.py list_instances``: the groups and their members."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Prefetch

from instances.management.refusing import ErrorReportingCommand
from instances.models import Instance, InstanceGroup
from instances.text import in_one_line


class Command(ErrorReportingCommand):
    help = "List the instance groups, each with its instances, and then the instances that are in no group."

    def handle(self, *args: Any, **options: Any) -> None:
        members = Prefetch("instances", Instance.objects.order_by("hostname"))
        for group in InstanceGroup.objects.with_load().prefetch_related(members).order_by("name"):
            self._list(heading(group), group.instances.all())
        ungrouped = list(Instance.objects.filter(rampart_groups=None).order_by("hostname"))
        if ungrouped:
            self._list("ungrouped", ungrouped)

    def _list(self, title: str, instances: Iterable[Instance]) -> None:
        self.stdout.write(f"[{title}]")
        for instance in instances:
            self.stdout.write(f"\t{line(instance)}")
        self.stdout.write("")


def heading(group: InstanceGroup) -> str:
    parts = [in_one_line(group.name), f"capacity={group.capacity}"]
    if group.policy_instance_percentage:
        parts.append(f"policy={group.policy_instance_percentage}%")
    if group.policy_instance_minimum:
        parts.append(f"policy>={group.policy_instance_minimum}")
    return " ".join(parts)


def line(instance: Instance) -> str:
    """Times are UTC; AWX calls the time at which a node was last seen its heartbeat."""
    parts = [] if instance.enabled else ["[DISABLED]"]
    parts += [
        in_one_line(instance.hostname),
        f"capacity={instance.capacity}",
        f"node_type={instance.node_type}",
        f"node_state={instance.node_state}",
        f"version={in_one_line(instance.version) or '?'}",
    ]
    if instance.last_seen:
        parts.append(f'heartbeat="{instance.last_seen:%Y-%m-%d %H:%M:%S}"')
    return " ".join(parts)
