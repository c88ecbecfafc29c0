"""``manage.py list_instances``: the groups and their members, or the instances as CSV or JSON."""

from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Prefetch

from instances.groups import group_named
from instances.management.refusing import ErrorReportingCommand
from instances.models import Instance, InstanceGroup
from instances.node_list import COLUMNS, STATES, NodeFilter, by_hostname
from instances.tabular import FORMATS, INSTANCES
from instances.text import in_one_line

ORDERS = [f"{sign}{name}" for name in COLUMNS for sign in ("", "-")]


class Command(ErrorReportingCommand):
    help = (
        "List the instance groups, each with its instances, and then the instances that are in no group; or the "
        "instances as CSV or JSON. The filters and orders are those of the dashboard."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=["table", *FORMATS], default="table", help="(default: table)")
        parser.add_argument("--search", metavar="TEXT", default="", help="instances with this in their hostname")
        parser.add_argument("--type", choices=Instance.NodeType.values, default="", help="of this node type")
        parser.add_argument(
            "--state", choices=STATES, default="", help="of this state, or in need of attention (fault), and so on"
        )
        parser.add_argument("--group", metavar="NAME", help="of this group")
        parser.add_argument(
            "--sort", choices=ORDERS, metavar="COLUMN", help=f"by one of {', '.join(COLUMNS)}; -COLUMN reverses"
        )

    def handle(self, *args: Any, group: str | None, sort: str | None, **options: Any) -> None:
        groups, nodes = InstanceGroup.objects.all(), Instance.objects.with_load()
        if group is not None:
            named = group_named(group)
            groups, nodes = groups.filter(pk=named.pk), nodes.filter(rampart_groups=named)
        chosen = NodeFilter(text=options["search"], node_type=options["type"], state=options["state"])
        if options["format"] == "table":
            if sort is not None:
                raise CommandError("--sort is for the formats csv and json.")
            self._list_groups(groups, nodes, chosen)
            return
        if sort is not None:
            chosen.column, chosen.reverse = sort.removeprefix("-"), sort.startswith("-")
        self.write_list(options["format"], INSTANCES, chosen.choose(sorted(nodes, key=by_hostname)))

    def _list_groups(self, groups: Any, nodes: Any, chosen: NodeFilter) -> None:
        """Print each group with its members that match; if there is a filter, only groups that have such."""
        nodes = nodes.order_by("hostname")
        for group in groups.with_load().prefetch_related(Prefetch("instances", nodes)).order_by("name"):
            members = list(filter(chosen.matches, group.instances.all()))
            if members or chosen == NodeFilter():
                self._list(heading(group), members)
        ungrouped = list(filter(chosen.matches, nodes.filter(rampart_groups=None)))
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
    """One instance. Times are UTC; as in AWX, ``heartbeat`` is the time at which the node was last seen."""
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
