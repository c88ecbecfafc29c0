"""The background tasks that ``manage.py worker`` runs: procrastinate's jobs, stored in the database.

Without a running worker the jobs wait. A job whose worker was killed is run again by another one, so every task can
be repeated. A task that fails is retried, after longer and longer pauses.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q
from django.db.models.functions import Extract, Now
from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status
from psycopg.errors import RaiseException

from instances import counters, deprovisioning, policies, retention
from instances.health import checks
from instances.mirror.guard import skip_if_mirrored
from instances.models import Instance

logger = logging.getLogger(__name__)

Run = tuple[int | None, int]  # the id of a job, and the number of its earlier attempts
LONGEST_PAUSE = 60  # seconds
LOW_PRIORITY = -10  # of jobs for whose result no user waits
MISSED_HEARTBEATS = 3  # after which a worker counts as lost, and others take over its jobs


class Backoff(BaseRetryStrategy):
    """Retry after 1, 2, 4, … seconds, LONGEST_PAUSE at most, until the task succeeds; at once for another worker."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        if isinstance(exception, checks.ReachedElsewhereError):
            return RetryDecision(retry_in={"seconds": 1})
        return RetryDecision(retry_in={"seconds": min(2 ** min(job.attempts, 10), LONGEST_PAUSE)})


# --- tasks


@app.task(name="apply_policies", queueing_lock="apply_policies", retry=Backoff())
@skip_if_mirrored
def apply_policies() -> int:
    """Apply the policies of the groups; the result is how many memberships changed."""
    try:
        return policies.apply_policies()
    except Exception:
        logger.exception("The policies could not be applied; this will be retried.")
        if is_queued("apply_policies"):  # the next job of the kind is the next try; two cannot wait
            return 0
        raise


@app.task(name="deprovision", retry=Backoff())
@skip_if_mirrored
def deprovision(pk: int) -> None:
    """Remove the instance as soon as no job needs it. The policies follow, in case fewer nodes want other members."""
    try:
        removed = deprovisioning.deprovision(pk)
    except deprovisioning.StillActiveError as node:
        logger.info("%s is not removed yet: it has active jobs.", node)
        raise
    except Exception:
        logger.exception("Instance %s could not be removed; this will be retried.", pk)
        raise
    if removed:
        logger.info("Instance %s was removed from the mesh.", pk)
    policies.apply_policies()


@app.task(name="health_check", retry=Backoff())
@skip_if_mirrored
def health_check(pk: int) -> None:
    """Check the health of the instance; whatever the node does, the result is recorded and the job succeeds."""
    try:
        checks.run(pk)
    except checks.ReachedElsewhereError as node:
        logger.info("%s is left to the worker of another control node: Receptor does not answer here.", node)
        raise


@app.periodic(cron="30 2 * * *")
@app.task(name="cleanup", aliases=["tidy"], queueing_lock="cleanup", retry=Backoff())  # queued by earlier versions
def cleanup(timestamp: int) -> None:
    """Remove what is of no use any more, once a day."""
    logger.info("The daily cleanup removed: %s.", retention.summary(retention.cleanup()))


@app.periodic(cron="*/10 * * * *")
@app.task(name="fold_counters", queueing_lock="fold_counters")
def fold_counters(timestamp: int) -> None:
    """Merge the rows that concurrent writers added to the counters."""
    counters.fold()


# --- queueing them


def instance_changed(instance: Instance) -> None:
    """To be called in the transaction that creates or changes ``instance``: queue what follows from that.

    The removal is queued by the transaction itself, so it is there if and only if the change is.
    """
    policies_changed()
    if instance.node_state == Instance.NodeState.DEPROVISIONING and not is_queued("deprovision", pk=instance.pk):
        deprovision.defer(pk=instance.pk)


def check_health(instances: Iterable[Instance]) -> None:
    """Queue health checks that no user requested, one for each instance, with low priority."""
    queued = ProcrastinateJob.objects.filter(task_name="health_check", status="todo")
    waiting = set(queued.values_list("args__pk", flat=True))
    jobs: list[Any] = [{"pk": instance.pk} for instance in instances if instance.pk not in waiting]
    if jobs:
        health_check.configure(priority=LOW_PRIORITY).batch_defer(*jobs)


def policies_changed() -> None:
    """Queue apply_policies after the commit of the transaction, so that it sees the changes."""
    transaction.on_commit(queue_policies, robust=True)


def queue_policies() -> None:
    if not is_queued("apply_policies"):
        with suppress(AlreadyEnqueued):  # by somebody else, this moment
            apply_policies.defer()


def is_queued(task: str, **arguments: int) -> bool:
    """Whether a job of this task with these arguments is queued and has not begun."""
    return ProcrastinateJob.objects.filter(task_name=task, args=arguments, status="todo").exists()


# --- after an interruption


@skip_if_mirrored
def queue_missed() -> None:
    """Queue the jobs that earlier changes may still need, whether or not they were queued then."""
    queue_policies()
    for node in Instance.objects.filter(node_state=Instance.NodeState.DEPROVISIONING).order_by("pk"):
        if not is_queued("deprovision", pk=node.pk):
            deprovision.defer(pk=node.pk)


def longest_silence() -> int:
    """The seconds without a heartbeat after which a worker counts as lost."""
    return MISSED_HEARTBEATS * int(settings.WORKER_HEARTBEAT)


def current_silence() -> float | None:
    """The seconds since the last heartbeat of any worker, by the database's clock; None without a worker.

    A heartbeat of the future is from before the clock was set back: a worker that lives has sent another one since.
    """
    latest = Now() + timedelta(seconds=longest_silence())
    age = Extract(Now() - Max("last_heartbeat", filter=Q(last_heartbeat__lte=latest)), "epoch")
    silence: Decimal | None = ProcrastinateWorker.objects.aggregate(age=age)["age"]
    return None if silence is None else float(silence)


def worker_fault(silence: float | None) -> str:
    """Why no worker can be relied on, by the ``current_silence()``; "" while one sends its heartbeats."""
    if silence is None:
        return "No worker runs: start 'awx-instances worker'."
    if silence > longest_silence():
        return (
            f"The last heartbeat of a worker was {silence:.0f} seconds ago; "
            f"after {longest_silence()} a worker counts as lost."
        )
    return ""


async def resume_retries() -> None:
    """Let jobs that would wait longer than any pause be tried now: the clock was set back since they failed."""
    await app.connector.execute_query_async(
        "UPDATE procrastinate_jobs SET scheduled_at = now() "
        "WHERE status = 'todo' AND scheduled_at > now() + make_interval(secs => %(pause)s)",
        pause=LONGEST_PAUSE,
    )


async def requeue_stalled(silent_for: float, before: set[Run]) -> None:
    """Queue again the jobs of workers without a heartbeat for ``silent_for`` seconds, now and the time before.

    ``before``: the jobs that were found the time before; afterwards those of now. Once is not enough: it may be the
    clock that went on, and a worker that lives sends a heartbeat in between.
    """
    jobs = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=silent_for)
    found = {(job.id, job.attempts): job for job in jobs}
    stalled = [job for run, job in found.items() if run in before]
    before.clear()
    before.update(found)
    for job in stalled:
        with suppress_no_longer_running():
            try:
                await app.job_manager.retry_job(job)
            except UniqueViolation:  # the next job of the kind waits already
                await app.job_manager.finish_job(job, Status.ABORTED, delete_job=False)
            logger.warning("The worker of job %s (%s) stopped; the job is queued again.", job.id, job.task_name)


@contextmanager
def suppress_no_longer_running() -> Iterator[None]:
    """Context manager: ignore the error for a job that its worker finished, or another one queued, meanwhile."""
    try:
        yield
    except ConnectorException as error:
        if not isinstance(error.__cause__, RaiseException):
            raise
