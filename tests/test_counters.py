"""The load of nodes and groups follows the jobs, whatever writes them."""

from collections import Counter
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from instances.capacity import Load
from instances.models import GroupLoad, Instance, InstanceGroup, NodeLoad, UnifiedJob
from tests.make import make_jobs

FIGURES = ("jobs_total", "jobs_running", "impact", "jobs_controlled")
ACTIVE = ("running", "waiting")


def counted() -> tuple[dict[str, tuple[int, ...]], dict[int, tuple[int, ...]]]:
    """The load of each node and group, as the database keeps it."""
    nodes = NodeLoad.objects.values("node").annotate(**{f"all_{name}": Sum(name) for name in FIGURES})
    groups = GroupLoad.objects.values("group").annotate(**{f"all_{name}": Sum(name) for name in FIGURES[:3]})
    return (
        {row["node"]: tuple(row[f"all_{name}"] for name in FIGURES) for row in nodes if any_of(row)},
        {row["group"]: tuple(row[f"all_{name}"] for name in FIGURES[:3]) for row in groups if any_of(row)},
    )


def any_of(row: dict[str, Any]) -> bool:
    return any(value for name, value in row.items() if name.startswith("all_"))


def recounted() -> tuple[dict[str, tuple[int, ...]], dict[int, tuple[int, ...]]]:
    """The same, from the jobs themselves."""
    nodes: dict[str, Counter[str]] = {}
    groups: dict[int, Counter[str]] = {}
    for job in UnifiedJob.objects.all():
        active = job.status in ACTIVE
        parts = Counter(jobs_total=1, jobs_running=int(active), impact=job.task_impact if active else 0)
        if job.execution_node:
            nodes.setdefault(job.execution_node, Counter()).update(parts)
        if job.controller_node and active:
            nodes.setdefault(job.controller_node, Counter()).update(jobs_controlled=1)
        if job.instance_group_id:
            groups.setdefault(job.instance_group_id, Counter()).update(parts)
    return (
        {node: tuple(parts[name] for name in FIGURES) for node, parts in nodes.items()},
        {group: tuple(parts[name] for name in FIGURES[:3]) for group, parts in groups.items()},
    )


names = st.sampled_from(["", "a", "b", "c"])
statuses = st.sampled_from(UnifiedJob.Status.values)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), st.integers(1, 5), names, names, statuses, st.integers(0, 9)),
        st.tuples(st.just("status"), names, statuses),
        st.tuples(st.just("move"), names, names),
        st.tuples(st.just("group"), names),
        st.tuples(st.just("impact"), statuses, st.integers(0, 9)),
        st.tuples(st.just("delete"), names),
        st.tuples(st.just("fail"), names),
        st.tuples(st.just("fold")),
        st.tuples(st.just("empty")),
    ),
    max_size=12,
)


class TestCounters(TestCase):
    @settings(max_examples=60, deadline=None)
    @given(steps)
    def test_equal_a_recount_after_any_history(self, history: list[tuple[Any, ...]]) -> None:
        group = InstanceGroup.objects.create(name="group")
        for step in history:
            apply(step, group)
        assert counted() == recounted()


def apply(step: tuple[Any, ...], group: InstanceGroup) -> None:
    jobs = UnifiedJob.objects.all()
    match step:
        case ("insert", number, node, controller, status, impact):
            make_jobs(number, execution_node=node, controller_node=controller, status=status, task_impact=impact)
        case ("status", node, status):
            jobs.filter(execution_node=node).update(status=status)
        case ("move", node, other):
            jobs.filter(execution_node=node).update(execution_node=other)
        case ("group", node):
            jobs.filter(execution_node=node).update(instance_group=group)
        case ("impact", status, impact):
            jobs.filter(status=status).update(task_impact=impact)
        case ("delete", node):
            jobs.filter(execution_node=node).delete()
        case ("fail", node):
            with transaction.atomic():
                jobs.filter(execution_node=node).delete()
                transaction.set_rollback(True)
        case ("fold",):
            fold()
        case ("empty",):
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE instances_unifiedjob")


def fold() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT instances_fold_loads()")


@pytest.mark.django_db
def test_a_node_has_one_row_however_often_one_writer_writes() -> None:
    for _ in range(300):
        make_jobs(1, execution_node="busy", status="running")
    assert NodeLoad.objects.count() == 1
    assert counted() == recounted() == ({"busy": (300, 300, 300, 0)}, {})


@pytest.mark.django_db
def test_a_group_that_goes_takes_its_load_along() -> None:
    group = InstanceGroup.objects.create(name="group")
    make_jobs(3, instance_group=group, status="running")
    assert counted()[1] == {group.pk: (3, 3, 3)}
    group.delete()
    assert counted()[1] == {}


@pytest.fixture
def mirrored(db: None) -> InstanceGroup:
    """A node with 7 running jobs more than are kept, and a group with 2 jobs fewer."""
    node = Instance.objects.create(hostname="a", node_type="execution")
    group = InstanceGroup.objects.create(name="group", is_container_group=True)
    NodeLoad.objects.create(node=node, jobs_total=40, jobs_running=7, impact=9, jobs_controlled=1, baseline=True)
    GroupLoad.objects.create(group=group.pk, jobs_total=-2, jobs_running=-1, impact=-1, baseline=True)
    for _ in range(20):
        make_jobs(1, execution_node="a", instance_group=group, status="running")
    return group


def shown(group: InstanceGroup) -> tuple[Load, Load]:
    """What is read as the load of the node "a" and of the group."""
    node = Instance.objects.with_load().get(hostname="a")
    return node.load, InstanceGroup.objects.with_load().get(pk=group.pk).own_load


def test_a_baseline_is_part_of_the_figures(mirrored: InstanceGroup) -> None:
    assert shown(mirrored) == (Load(60, 27, 29, 1), Load(18, 19, 19, 0))


def test_a_baseline_is_not_folded(mirrored: InstanceGroup) -> None:
    fold()
    assert NodeLoad.objects.get(baseline=True).jobs_total == 40
    assert NodeLoad.objects.get(baseline=False).jobs_total == 20
    assert GroupLoad.objects.get(baseline=True).jobs_total == -2
    assert GroupLoad.objects.get(baseline=False).jobs_total == 20
    assert shown(mirrored) == (Load(60, 27, 29, 1), Load(18, 19, 19, 0))


def test_a_baseline_outlives_the_jobs(mirrored: InstanceGroup) -> None:
    apply(("empty",), mirrored)
    assert shown(mirrored) == (Load(40, 7, 9, 1), Load(-2, -1, -1, 0))


def test_a_node_and_a_group_have_one_baseline(mirrored: InstanceGroup) -> None:
    for row in (NodeLoad.objects.get(baseline=True), GroupLoad.objects.get(baseline=True)):
        row.pk = None
        with pytest.raises(IntegrityError, match="one_baseline_by"), transaction.atomic():
            row.save(force_insert=True)
