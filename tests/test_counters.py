"""The load of nodes and groups follows the jobs, whatever writes them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Sum
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from pytest_django import DjangoAssertNumQueries

from instances import counters
from instances.capacity import Load
from instances.models import GroupLoad, Instance, InstanceGroup, JobCount, NodeLoad, UnifiedJob
from tests.make import make_jobs
from tests.service import manage, new_database

FIGURES = ("jobs_total", "jobs_running", "impact", "jobs_controlled")
ACTIVE = ("running", "waiting")


def counted() -> tuple[dict[str, tuple[int, ...]], dict[int, tuple[int, ...]]]:
    """The load of each node and group, as the database keeps it."""
    nodes = (
        NodeLoad.objects.filter(baseline=False)
        .values("node")
        .annotate(**{f"all_{name}": Sum(name) for name in FIGURES})
    )
    groups = (
        GroupLoad.objects.filter(baseline=False)
        .values("group")
        .annotate(**{f"all_{name}": Sum(name) for name in FIGURES[:3]})
    )
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


def counted_kinds() -> dict[tuple[str, ...], int]:
    """How many jobs there are by node, status and launch type, as the database keeps it."""
    numbers = JobCount.objects.values_list("node", "status", "launch_type").annotate(number=Sum("jobs"))
    return {tuple(key): int(number) for *key, number in numbers if number}


def recounted_kinds() -> dict[tuple[str, ...], int]:
    """The same, from the jobs themselves."""
    return Counter((job.execution_node, job.status, job.launch_type) for job in UnifiedJob.objects.all())


@contextmanager
def another_connection() -> Iterator[psycopg.Connection[Any]]:
    """A writer beside the test's own; each of its statements is a transaction, unless it begins one."""
    parameters = {**connection.get_connection_params(), "autocommit": True}
    with psycopg.connect(**{name: parameters[name] for name in parameters if name != "context"}) as other:
        yield other


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
        assert counted_kinds() == recounted_kinds()


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
            counters.fold()
        case ("empty",):
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE instances_unifiedjob")


@pytest.mark.django_db
def test_a_node_has_one_row_however_often_one_writer_writes() -> None:
    for _ in range(300):
        make_jobs(1, execution_node="busy", status="running")
    assert NodeLoad.objects.count() == 1
    assert counted() == recounted() == ({"busy": (300, 300, 300, 0)}, {})


INSERT = """
INSERT INTO instances_unifiedjob (id, type, name, description, launch_type, status, created, modified, elapsed, failed,
    job_explanation, execution_node, controller_node, task_impact, representation)
SELECT %s, 'job', '', '', 'manual', 'running', now(), now(), 0, false, '', 'busy', '', 1, '{}'
"""


@pytest.mark.django_db(transaction=True)
def test_writers_at_work_at_the_same_time_do_not_wait() -> None:
    """Each has rows of its own; afterwards these are used again, and folded."""
    with another_connection() as one, another_connection() as other:
        for number, writer in enumerate((one, other)):
            writer.execute("BEGIN; SET LOCAL lock_timeout = '50ms'")
            writer.execute(INSERT, [1000 + number])
        make_jobs(1, execution_node="busy", status="running")
        assert counted() == ({"busy": (1, 1, 1, 0)}, {})
        one.execute("COMMIT")
        other.execute("ROLLBACK")
        for _ in range(20):
            make_jobs(1, execution_node="busy", status="running")
    assert counted() == recounted() == ({"busy": (22, 22, 22, 0)}, {})
    assert set(NodeLoad.objects.values_list("slot", flat=True)) == {0, 2}
    counters.fold()
    assert NodeLoad.objects.get().jobs_total == JobCount.objects.get().jobs == 22


@pytest.mark.django_db
def test_folding_forgets_what_is_nothing_and_leaves_single_rows() -> None:
    make_jobs(1, execution_node="left", status="running")
    gone = make_jobs(1, execution_node="gone", status="running")
    UnifiedJob.objects.filter(pk=gone[0].pk).delete()
    assert NodeLoad.objects.filter(node="gone").exists()
    left = NodeLoad.objects.get(node="left").pk
    counters.fold()
    assert NodeLoad.objects.get().pk == left
    assert JobCount.objects.get().node == "left"


@pytest.mark.django_db(transaction=True)
def test_folding_leaves_the_rows_of_a_writer_at_work() -> None:
    with another_connection() as writer, connection.cursor() as cursor:
        for number in range(2):  # the second time the node has two rows, and one of them is the writer's
            writer.execute("BEGIN")
            writer.execute(INSERT, [1000 * number])
            cursor.execute("SET lock_timeout = '50ms'")
            counters.fold()
            cursor.execute("RESET lock_timeout")
            make_jobs(1, execution_node="busy", status="running")
            writer.execute("COMMIT")
    assert counted() == recounted() == ({"busy": (4, 4, 4, 0)}, {})
    assert NodeLoad.objects.count() == 2
    counters.fold()
    assert NodeLoad.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_an_isolated_transaction_is_not_disturbed_by_other_writers(isolation: str) -> None:
    """It could not change rows that others have changed since it began."""
    make_jobs(1, execution_node="busy", status="running")
    with another_connection() as writer:
        writer.execute(f"BEGIN ISOLATION LEVEL {isolation}")
        writer.execute("SELECT count(*) FROM instances_instance")
        make_jobs(1, execution_node="busy", status="running")
        writer.execute(INSERT, [100])
        writer.execute("COMMIT")
    assert counted() == recounted() == ({"busy": (3, 3, 3, 0)}, {})
    counters.fold()
    assert NodeLoad.objects.get().jobs_total == 3


@pytest.mark.django_db(transaction=True)
def test_an_isolated_writer_waits_for_a_folding_that_has_its_slot() -> None:
    """It had rows there, which are taken from it; it makes new ones, though it still sees the old."""
    with another_connection() as writer, another_connection() as folding:
        change = f"BEGIN ISOLATION LEVEL REPEATABLE READ; {INSERT}"
        writer.execute(change.replace("%s", "1"))
        writer.execute("COMMIT")
        folding.execute("BEGIN; SELECT instances_fold_loads()")
        writer.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable, match="advisory"):
            writer.execute(INSERT, [2])
        writer.execute("ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM instances_instance")
        folding.execute("COMMIT")
        writer.execute(INSERT, [2])
        writer.execute("COMMIT")
    assert counted() == recounted() == ({"busy": (2, 2, 2, 0)}, {})


@pytest.mark.django_db(transaction=True)
def test_more_slots_of_isolated_writers_than_a_transaction_can_lock_are_folded() -> None:
    make_jobs(1, execution_node="busy", status="running")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO instances_nodeload (slot, node, jobs_total, jobs_running, impact, jobs_controlled, baseline)"
            " SELECT -number, 'busy', 1, 0, 0, 0, false FROM generate_series(1, 30000) AS number"
        )
    counters.fold()
    folded = NodeLoad.objects.get()
    assert (folded.jobs_total, folded.slot >= 0) == (30_001, True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_an_isolated_transaction_truncates_no_jobs_that_it_does_not_see(isolation: str) -> None:
    with another_connection() as writer:
        writer.execute(f"BEGIN ISOLATION LEVEL {isolation}; SELECT count(*) FROM instances_instance")
        make_jobs(1, execution_node="busy", status="running")
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="READ COMMITTED"):
            writer.execute("TRUNCATE instances_unifiedjob")
    assert counted() == recounted() == ({"busy": (1, 1, 1, 0)}, {})


@pytest.mark.django_db
def test_the_number_of_all_jobs_is_not_counted_again(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    make_jobs(3, execution_node="a")
    make_jobs(2, launch_type="sync")
    with django_assert_num_queries(1) as captured:
        assert UnifiedJob.objects.order_by("id").count() == 5
    assert "unifiedjob" not in captured[0]["sql"]


@pytest.mark.django_db
def test_some_of_the_jobs_are_counted() -> None:
    jobs = UnifiedJob.objects.all()
    assert jobs.count() == 0
    make_jobs(3, execution_node="a")
    make_jobs(2, launch_type="sync")
    assert jobs.filter(execution_node="a").count() == 3
    assert jobs.exclude(execution_node="a").count() == 2
    assert jobs[:4].count() == 4
    assert jobs.values("launch_type").distinct().count() == 2
    assert jobs.none().count() == 0
    assert jobs.values("pk").union(jobs.values("pk")).count() == 5
    assert jobs.values("pk").intersection(jobs.filter(execution_node="a").values("pk")).count() == 3
    assert jobs.values("launch_type").annotate(n=Count("pk")).count() == 2


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
    counters.fold()
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


@pytest.mark.slow
@pytest.mark.django_db
def test_migrating_counts_the_jobs_that_there_are_and_back_again() -> None:
    insert = INSERT % 1
    with new_database() as url:
        manage(url, "migrate", "--verbosity", "0", "instances", "0005")
        with psycopg.connect(url) as database:
            database.execute(insert)
            database.execute(
                "INSERT INTO instances_nodeload (node, jobs_total, jobs_running, impact, jobs_controlled, baseline) "
                "VALUES ('busy', 9, 9, 9, 9, true)"
            )
        manage(url, "migrate", "--verbosity", "0", "instances")
        manage(url, "verify_counters")
        with psycopg.connect(url) as database:
            assert database.execute("SELECT sum(jobs) FROM instances_jobcount").fetchone() == (1,)
            assert database.execute("SELECT sum(jobs_total) FROM instances_nodeload").fetchone() == (10,)
        manage(url, "migrate", "--verbosity", "0", "instances", "0005")
        with psycopg.connect(url) as database:
            database.execute("UPDATE instances_unifiedjob SET execution_node = 'other'")
            assert database.execute(
                "SELECT node, sum(jobs_total) FROM instances_nodeload GROUP BY node ORDER BY node"
            ).fetchall() == [("busy", 9), ("other", 1)]
        manage(url, "migrate", "--verbosity", "0", "instances", "0004")
