"""The counters through histories of two writers, one of whom may have a transaction open while the other works."""

from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.db.models import Model
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from instances import counters
from instances.capacity import Load
from instances.models import GroupLoad, Instance, InstanceGroup, JobCount, NodeLoad, UnifiedJob
from tests.make import make_jobs
from tests.test_counters import INSERT, another_connection, counted, counted_kinds, recounted, recounted_kinds

pytestmark = pytest.mark.slow

COPY = """
COPY instances_unifiedjob (id, type, name, description, launch_type, status, created, modified, elapsed, failed,
    job_explanation, execution_node, controller_node, task_impact, representation) FROM STDIN
"""
TABLES: list[type[Model]] = [NodeLoad, GroupLoad, JobCount]

nodes = st.sampled_from(["", "a", "b", "c"])
statuses = st.sampled_from(UnifiedJob.Status.values)
impacts = st.integers(0, 9)
isolations = st.sampled_from(["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


class Writers(RuleBasedStateMachine):
    """The first writer has Django's connection. The second changes only jobs that it has inserted itself."""

    def __init__(self) -> None:
        super().__init__()
        self.connecting = another_connection()
        self.second: psycopg.Connection[Any] = self.connecting.__enter__()
        self.is_open = False
        self.job_id = 0
        self.own_job = 0  # the second writer's, in its open transaction
        execute("SET lock_timeout = '5s'")  # whoever waits for the other waits for ever

    def teardown(self) -> None:
        self.connecting.__exit__(None, None, None)
        execute("TRUNCATE instances_unifiedjob; RESET lock_timeout")
        for model in (InstanceGroup, Instance, NodeLoad):
            model.objects.all().delete()

    @initialize()
    def mesh(self) -> None:
        Instance.objects.bulk_create(Instance(hostname=name, node_type="hybrid") for name in "ab")
        NodeLoad.objects.create(
            node_id="a", jobs_total=40, jobs_running=-3, impact=5, jobs_controlled=-1, baseline=True
        )
        self.new_group()

    def ids(self, number: int = 1) -> int:
        """The first of ``number`` ids that no job had."""
        self.job_id += number
        return self.job_id - number + 1

    # --- the first writer

    @rule(number=st.integers(1, 4), node=nodes, controller=nodes, status=statuses, impact=impacts)
    def insert(self, number: int, node: str, controller: str, status: str, impact: int) -> None:
        fields = {"execution_node": node, "controller_node": controller, "status": status, "task_impact": impact}
        make_jobs(number, self.ids(number), **fields)

    @rule(to=st.lists(nodes, max_size=4), status=statuses)
    def copy(self, to: list[str], status: str) -> None:
        with connection.cursor() as cursor, cursor.copy(COPY) as copy:
            for node in to:
                row = (self.ids(), "job", "", "", "scheduled", status, "now", "now", 0, False, "", node, "b", 2, "{}")
                copy.write_row(row)

    @rule(node=nodes, status=statuses)
    def change_status(self, node: str, status: str) -> None:
        UnifiedJob.objects.filter(execution_node=node).update(status=status)

    @rule(node=nodes, other=nodes)
    def move(self, node: str, other: str) -> None:
        UnifiedJob.objects.filter(execution_node=node).update(execution_node=other, controller_node=node)

    @rule(status=statuses, impact=impacts)
    def change_impact(self, status: str, impact: int) -> None:
        UnifiedJob.objects.filter(status=status).update(task_impact=impact, launch_type="sync")

    @rule(node=nodes)
    def delete(self, node: str) -> None:
        UnifiedJob.objects.filter(execution_node=node).delete()

    @rule()
    def new_group(self) -> None:
        InstanceGroup.objects.create(name=f"group-{InstanceGroup.objects.count()}-{self.ids()}")

    @rule(node=nodes)
    def send_to_group(self, node: str) -> None:
        UnifiedJob.objects.filter(execution_node=node).update(instance_group=InstanceGroup.objects.last())

    @rule()
    def delete_group(self) -> None:
        """Its jobs stay, without a group."""
        InstanceGroup.objects.order_by("pk")[:1].get().delete() if InstanceGroup.objects.exists() else None

    @rule(hostname=st.sampled_from(["a", "b", "c", "d"]))
    def rename(self, hostname: str) -> None:
        """What jobs ran there counts for whoever has the name."""
        if not Instance.objects.filter(hostname=hostname).exists():
            node = Instance.objects.order_by("pk")[:1].get()
            execute(f"UPDATE instances_instance SET hostname = '{hostname}' WHERE id = {node.pk}")

    @rule(node=nodes, status=statuses, whole=st.booleans())
    def change_and_think_better_of_it(self, node: str, status: str, whole: bool) -> None:
        """To a savepoint, or from the beginning."""
        with transaction.atomic():
            UnifiedJob.objects.filter(execution_node=node).update(status=status)
            with transaction.atomic():
                self.insert(2, node, node, status, 1)
                UnifiedJob.objects.exclude(execution_node=node).delete()
                transaction.set_rollback(True)
            self.insert(1, node, node, status, 3)
            transaction.set_rollback(whole)

    @rule()
    def fold(self) -> None:
        counters.fold()

    @precondition(lambda self: not self.is_open)
    @rule()
    def truncate(self) -> None:
        execute("TRUNCATE instances_unifiedjob")

    # --- what only somebody who writes to the counters, or past the triggers, can do

    @precondition(lambda self: not self.is_open)
    @rule(table=st.sampled_from(TABLES), by=st.integers(-2, 2), lost=st.booleans(), past=st.booleans())
    def drift_and_repair(self, table: type[Model], by: int, lost: bool, past: bool) -> None:
        rows = table._default_manager.exclude(slot=None)
        rows.delete() if lost else rows.update(**{"jobs" if table is JobCount else "jobs_total": by})
        if past:
            execute("ALTER TABLE instances_unifiedjob DISABLE TRIGGER USER")
            self.insert(2, "b", "c", "running", 4)
            execute("ALTER TABLE instances_unifiedjob ENABLE TRIGGER USER")
        right = counted() == recounted() and counted_kinds() == recounted_kinds()
        assert right == (self.differences() == [])
        with transaction.atomic():
            counters.lock()
            counters.repair(self.differences())

    def differences(self) -> list[counters.CounterDrift]:
        return [each for table in counters.ALL for each in counters.find_drift(table)]

    # --- the second writer

    @precondition(lambda self: not self.is_open)
    @rule(isolation=isolations)
    def begin(self, isolation: str) -> None:
        self.second.execute(f"BEGIN ISOLATION LEVEL {isolation}; SELECT count(*) FROM instances_instance")
        self.second.execute(INSERT, [self.ids()])
        self.own_job, self.is_open = self.job_id, True

    @precondition(lambda self: self.is_open)
    @rule(node=nodes, status=statuses)
    def change_own(self, node: str, status: str) -> None:
        change = "UPDATE instances_unifiedjob SET execution_node = %s, status = %s WHERE id = %s"
        self.second.execute(change, [node, status, self.own_job])

    @precondition(lambda self: self.is_open)
    @rule()
    def change_own_and_roll_back(self) -> None:
        self.second.execute("SAVEPOINT before")
        self.change_own("c", "waiting")
        self.second.execute("ROLLBACK TO before")

    @precondition(lambda self: self.is_open)
    @rule(how=st.sampled_from(["COMMIT", "ROLLBACK"]))
    def end(self, how: str) -> None:
        self.second.execute(how)
        self.is_open = False

    # --- what is always so

    @invariant()
    def figures_are_those_of_a_recount(self) -> None:
        assert counted() == recounted()
        assert counted_kinds() == recounted_kinds()
        assert self.differences() == []
        assert UnifiedJob.objects.count() == len(UnifiedJob.objects.all())

    @invariant()
    def instances_show_them(self) -> None:
        nodes = recounted()[0]
        for instance in Instance.objects.with_load():
            found = nodes.get(instance.hostname, (0, 0, 0, 0))
            beyond = (40, -3, 5, -1) if instance.hostname == "a" else (0, 0, 0, 0)
            assert instance.load == Load(*map(sum, zip(found, beyond, strict=True)))

    @invariant()
    def rows_are_few(self) -> None:
        """One for each of two writers, one of the second's own when it is isolated, and the baseline."""
        for hostname in "abcd":
            assert NodeLoad.objects.filter(node=hostname).count() <= 4


@pytest.mark.django_db(transaction=True)
def test_the_counters_are_right_through_any_history() -> None:
    run_state_machine_as_test(
        Writers,
        settings=settings(
            max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
