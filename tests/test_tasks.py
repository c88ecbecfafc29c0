"""What is queued for the background, and when."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone
from procrastinate import PsycopgConnector
from procrastinate.contrib.django import app, connector_params
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from pytest_django import DjangoCaptureOnCommitCallbacks

from instances import groups, lifecycle, tasks
from instances.models import Instance, InstanceGroup
from tests.make import change_group, change_node

pytestmark = pytest.mark.django_db


def queued() -> list[tuple[str, dict[str, Any]]]:
    return list(ProcrastinateJob.objects.filter(status="todo").order_by("pk").values_list("task_name", "args"))


def begin() -> None:
    """Let a worker, of which nobody has heard since, have begun all that is queued."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE status = 'todo'")


def rescue(heartbeat_between: bool = False) -> None:
    """What workers do regularly, twice, with a connection as they have it."""

    async def open_and_rescue() -> None:
        before: set[tasks.Run] = set()
        async with app.open_async():
            await tasks.requeue_stalled(15, before)
            if heartbeat_between:
                await app.connector.execute_query_async("UPDATE procrastinate_workers SET last_heartbeat = now()")
            await tasks.requeue_stalled(15, before)

    with app.replace_connector(PsycopgConnector(kwargs=connector_params(), min_size=1, max_size=1)):
        asyncio.run(open_and_rescue())


CHANGES: dict[str, Callable[[InstanceGroup, Instance], object]] = {
    "a new instance": lambda group, node: lifecycle.create({"hostname": "new", "node_type": "execution"}),
    "an instance": lambda group, node: change_node(node, {"managed_by_policy": False}),
    "a new group": lambda group, node: groups.create({"name": "new"}),
    "a group": lambda group, node: change_group(group, {"policy_instance_minimum": 1}),
    "no group any more": lambda group, node: groups.delete(group.pk),
    "a new member": lambda group, node: groups.associate(group.pk, node),
    "no member any more": lambda group, node: groups.disassociate(group.pk, node),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_of_instances_and_groups_queues_the_policies(
    change: Callable[[InstanceGroup, Instance], object],
    edge: InstanceGroup,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        change(edge, edge.instances.get())
        assert queued() == []
    assert queued() == [("apply_policies", {})]


def test_the_policies_are_queued_once_while_they_wait(
    edge: InstanceGroup, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    for _ in range(3):
        with django_capture_on_commit_callbacks(execute=True):
            change_group(edge, {"policy_instance_minimum": 1})
    assert queued() == [("apply_policies", {})]
    begin()  # so it may have read the records before the next change
    with django_capture_on_commit_callbacks(execute=True):
        change_group(edge, {"policy_instance_minimum": 2})
    assert queued() == [("apply_policies", {})]


def test_a_refused_change_queues_nothing(
    edge: InstanceGroup, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    hop = Instance.objects.create(hostname="hop-1", node_type="hop")
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(ValidationError):
        groups.associate(edge.pk, hop)
    assert queued() == []


def test_the_removal_of_a_node_is_queued_once_with_the_change_that_asks_for_it(edge: InstanceGroup) -> None:
    node = edge.instances.get()
    for _ in range(2):
        change_node(node, {"node_state": "deprovisioning"})
    assert queued() == [("deprovision", {"pk": node.pk})]


def test_the_removal_is_not_queued_if_the_change_is_not_kept(edge: InstanceGroup) -> None:
    with transaction.atomic():
        change_node(edge.instances.get(), {"node_state": "deprovisioning"})
        transaction.set_rollback(True)
    assert queued() == []


def test_a_worker_that_starts_queues_what_was_lost(edge: InstanceGroup) -> None:
    Instance.objects.update(node_state="deprovisioning")
    for _ in range(2):
        tasks.queue_missed()
    assert queued() == [("apply_policies", {}), ("deprovision", {"pk": edge.instances.get().pk})]


def test_the_pauses_between_tries_grow_up_to_a_minute() -> None:
    def pause(attempts: int) -> int:
        job = Job(id=1, lock=None, queueing_lock=None, task_name="any", queue="default", attempts=attempts)
        decision = tasks.Backoff().get_retry_decision(exception=Exception(), job=job)
        assert decision.retry_at is not None
        return round((decision.retry_at - timezone.now()).total_seconds())

    assert [pause(n) for n in (0, 1, 2, 5, 6, 10**6)] == [1, 2, 4, 32, 60, 60]


def test_the_policies_that_fail_leave_the_next_try_to_the_job_that_waits(edge: InstanceGroup) -> None:
    edge.policy_instance_list = 5
    edge.save()
    with pytest.raises(TypeError):
        tasks.apply_policies()
    tasks.queue_policies()
    assert tasks.apply_policies() == 0


@pytest.fixture
def committed(transactional_db: None) -> Iterator[None]:
    """For what asks the database by another connection; the test's jobs are forgotten, as Django does not do that."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")


def test_the_jobs_of_a_worker_that_is_gone_are_queued_again(committed: None) -> None:
    """Unless the same waits already; then the job is given up for that."""
    tasks.queue_policies()
    begin()
    rescue()
    assert queued() == [("apply_policies", {})]
    begin()
    tasks.queue_policies()
    rescue()
    assert sorted(ProcrastinateJob.objects.values_list("status", flat=True)) == ["aborted", "todo"]


def test_a_worker_that_lives_keeps_its_job_although_the_clock_went_on(committed: None) -> None:
    tasks.queue_policies()
    begin()
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')")
        cursor.execute("UPDATE procrastinate_jobs SET worker_id = (SELECT max(id) FROM procrastinate_workers)")
    rescue(heartbeat_between=True)
    assert queued() == []
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
    rescue()
    assert queued() == [("apply_policies", {})]


def test_a_job_that_ends_while_it_is_rescued_is_left(
    committed: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its worker was silent and lives, or another worker was first."""
    tasks.queue_policies()
    tasks.check_health([Instance.objects.create(hostname="exec-1", node_type="execution")])
    begin()
    stalled = JobManager.get_stalled_jobs

    calls = []

    async def and_end(self: JobManager, *args: Any, **kwargs: Any) -> list[Job]:
        jobs = list(await stalled(self, *args, **kwargs))
        calls.append(jobs)
        if len(calls) == 2:
            await self.finish_job(jobs[0], Status.SUCCEEDED, delete_job=False)
        return jobs

    monkeypatch.setattr(JobManager, "get_stalled_jobs", and_end)
    rescue()
    assert list(ProcrastinateJob.objects.order_by("pk").values_list("status", flat=True)) == ["succeeded", "todo"]
    assert [record.levelname for record in caplog.records if record.name == "instances.tasks"] == ["WARNING"]
