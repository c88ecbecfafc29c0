"""The load that the copied jobs do not explain: AWX keeps millions of jobs, and a mirror need not.

The baseline of a node or a group is the difference between what AWX tells of it and the sum over the jobs that are
kept; readers sum both. See docs/adr/0001-counters.md.
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
from instances.mirror.records import Told
from instances.models import GroupLoad, Instance, InstanceGroup, NodeLoad

LoadModel = type[NodeLoad] | type[GroupLoad]
KEYS: dict[LoadModel, str] = {NodeLoad: "node_id", GroupLoad: "group"}
FIGURES: dict[LoadModel, tuple[str, ...]] = {
    NodeLoad: ("jobs_total", "jobs_running", "impact", "jobs_controlled"),
    GroupLoad: ("jobs_total", "jobs_running", "impact"),
}


class ImpactError(Exception):
    """AWX weighs the jobs that a control node controls otherwise than AWX_CONTROL_NODE_TASK_IMPACT here says."""


def settle(nodes: Mapping[str, Told], groups: Mapping[int, Told]) -> None:
    """Let every node, by its hostname, and every group, by its id, have the load that AWX tells."""
    kept, kept_of_groups = (loads(model, baseline=False) for model in (NodeLoad, GroupLoad))
    types = dict(Instance.objects.values_list("hostname", "node_type"))
    containers = set(InstanceGroup.objects.filter(is_container_group=True).values_list("pk", flat=True))
    write(NodeLoad, {name: of_node(types[name], told, kept.get(name, Load())) for name, told in nodes.items()})
    write(
        GroupLoad, {pk: of_group(pk in containers, told, kept_of_groups.get(pk, Load())) for pk, told in groups.items()}
    )


def of_node(node_type: str, told: Told, kept: Load) -> Load:
    """The baseline of a node with the load ``kept``, so that it comes to what is told."""
    impact, controlled = told.consumed_capacity - capacity.consumed(node_type, kept), 0
    if impact and node_type not in EXECUTING:  # what a control node consumes is a number of jobs, times a setting
        each = settings.AWX_CONTROL_NODE_TASK_IMPACT
        controlled, rest = divmod(impact, each) if each else (0, impact)
        impact = 0
        if rest:
            raise ImpactError(
                "What a control node there consumes is no multiple of AWX_CONTROL_NODE_TASK_IMPACT: "
                "set it here as it is there."
            )
    return Load(told.jobs_total - kept.jobs_total, told.jobs_running - kept.jobs_running, impact, controlled)


def of_group(is_container_group: bool, told: Told, kept: Load) -> Load:
    """The baseline of a group; what the members of one consume, their own baselines explain."""
    total = told.jobs_total - kept.jobs_total
    if not is_container_group:
        return Load(total)
    return Load(total, told.jobs_running - kept.jobs_running, told.consumed_capacity - kept.impact)


@contextmanager
def unmoved() -> Iterator[None]:
    """Let the figures of all instances and groups stay what they are, whatever jobs are written within."""
    before = {model: loads(model) for model in KEYS}
    yield
    known: dict[LoadModel, Any] = {
        NodeLoad: Instance.objects.values_list("hostname", flat=True),
        GroupLoad: InstanceGroup.objects.values_list("pk", flat=True),
    }
    for model, keys in known.items():
        kept = loads(model, baseline=False)
        write(model, {key: before[model].get(key, Load()) - kept.get(key, Load()) for key in keys})


def forget_active() -> None:
    """Keep of the baselines only how many jobs there were: nobody will hear of the others' end."""
    for model, figures in FIGURES.items():
        model._default_manager.filter(baseline=True).update(**dict.fromkeys(figures[1:], 0))


def loads(model: LoadModel, **which: bool) -> dict[Any, Load]:
    """The sums of the rows by node or group: of all, or of those that ``which`` says."""
    key, sums = KEYS[model], {f"sum_of_{name}": Sum(name) for name in FIGURES[model]}
    rows = model._default_manager.filter(**which).values(key).annotate(**sums).order_by()
    return {row[key]: Load(*(row[name] for name in sums)) for row in rows}


def write(model: LoadModel, wanted: Mapping[Any, Load]) -> None:
    """Let the baselines be those wanted; who needs none has none."""
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
