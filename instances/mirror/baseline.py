"""Baselines: the load of nodes and groups that does not come from copied jobs. A mirror need not copy all jobs of AWX.

The baseline of a node or a group is the difference between the load that AWX reports and the sum over the copied jobs;
readers add both. See docs/adr/0001-counters.md.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.db.models import Sum

from instances import capacity
from instances.capacity import EXECUTING, Load
from instances.mirror.differences import Difference, keyed
from instances.mirror.records import ReportedLoad
from instances.models import GroupLoad, Instance, InstanceGroup, NodeLoad

LoadModel = type[NodeLoad] | type[GroupLoad]
KEYS: dict[LoadModel, str] = {NodeLoad: "node_id", GroupLoad: "group"}
FIGURES: dict[LoadModel, tuple[str, ...]] = {
    NodeLoad: ("jobs_total", "jobs_running", "impact", "jobs_controlled"),
    GroupLoad: ("jobs_total", "jobs_running", "impact"),
}


class ImpactError(Exception):
    """AWX's AWX_CONTROL_NODE_TASK_IMPACT differs from the one here."""


def write_baselines(nodes: Mapping[str, ReportedLoad], groups: Mapping[int, ReportedLoad]) -> None:
    """Write the baselines that give each node (by hostname) and each group (by id) the load that AWX reports."""
    types = dict(Instance.objects.values_list("hostname", "node_type"))
    containers = set(InstanceGroup.objects.filter(is_container_group=True).values_list("pk", flat=True))
    nodes_counted, groups_counted = (loads(model, baseline=False) for model in (NodeLoad, GroupLoad))
    write(
        NodeLoad,
        {name: node_baseline(types[name], load, nodes_counted.get(name, Load())) for name, load in nodes.items()},
    )
    write(
        GroupLoad,
        {pk: group_baseline(pk in containers, load, groups_counted.get(pk, Load())) for pk, load in groups.items()},
    )


def node_baseline(node_type: str, reported: ReportedLoad, counted: Load) -> Load:
    """The baseline of a node: the load that AWX reports less the load ``counted`` from the copied jobs.

    Raises ImpactError where AWX_CONTROL_NODE_TASK_IMPACT cannot explain what a control node consumes.
    """
    impact, controlled = reported.consumed_capacity - capacity.consumed(node_type, counted), 0
    if impact and node_type not in EXECUTING:  # what a control node consumes is a number of jobs, times a setting
        each = settings.AWX_CONTROL_NODE_TASK_IMPACT
        controlled, rest = divmod(impact, each) if each else (0, impact)
        impact = 0
        if rest:
            raise ImpactError(
                "The consumed capacity of a control node is not a multiple of AWX_CONTROL_NODE_TASK_IMPACT: "
                "set it to the value that the mirrored AWX has."
            )
    jobs_running = reported.jobs_running - counted.jobs_running
    return Load(reported.jobs_total - counted.jobs_total, jobs_running, impact, controlled)


def group_baseline(is_container_group: bool, reported: ReportedLoad, counted: Load) -> Load:
    """The baseline of a group: for one of instances only the total, since its members have baselines themselves."""
    total = reported.jobs_total - counted.jobs_total
    if not is_container_group:
        return Load(total)
    return Load(total, reported.jobs_running - counted.jobs_running, reported.consumed_capacity - counted.impact)


@contextmanager
def preserve_totals() -> Iterator[None]:
    """Context manager: the totals of all nodes and groups stay the same, whatever jobs are written in its block."""
    before = {model: loads(model) for model in KEYS}
    yield
    known: dict[LoadModel, Any] = {
        NodeLoad: Instance.objects.values_list("hostname", flat=True),
        GroupLoad: InstanceGroup.objects.values_list("pk", flat=True),
    }
    for model, keys in known.items():
        counted = loads(model, baseline=False)
        write(model, {key: before[model].get(key, Load()) - counted.get(key, Load()) for key in keys})


def reset_active() -> None:
    """Set all figures of the baselines but jobs_total to 0: no sync will report that the running jobs ended."""
    for model, figures in FIGURES.items():
        model._default_manager.filter(baseline=True).update(**dict.fromkeys(figures[1:], 0))


def loads(model: LoadModel, **which: bool) -> dict[Any, Load]:
    """The sums of the rows by node or group; ``which`` filters the rows."""
    key, sums = KEYS[model], {f"sum_of_{name}": Sum(name) for name in FIGURES[model]}
    rows = model._default_manager.filter(**which).values(key).annotate(**sums).order_by()
    return {row[key]: Load(*(row[name] for name in sums)) for row in rows}


def write(model: LoadModel, wanted: Mapping[Any, Load]) -> None:
    """Make the stored baselines equal to ``wanted``; a baseline of zeros is not stored."""
    key, figures = KEYS[model], FIGURES[model]
    rows = [{key: name, **{figure: asdict(load)[figure] for figure in figures}} for name, load in wanted.items()]
    stored = model._default_manager.filter(baseline=True)
    difference = Difference.of(
        keyed((row for row in rows if any(row[figure] for figure in figures)), key),
        keyed(stored.values(key, *figures), key),
    )
    stale = [*difference.gone, *(row[key] for row in difference.changed)]
    if stale:
        stored.filter(**{f"{key}__in": stale}).delete()
    manager: Any = model._default_manager
    manager.bulk_create(model(**row, baseline=True) for row in (*difference.changed, *difference.new))
