"""What the page of a node tells: the parts of the API's answers about it, in words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from instances import capacity
from instances.capacity import Load
from instances.health import conditions
from instances.models import Condition, Instance, InstanceLink, UnifiedJob
from instances.overview import standing
from instances.reader import Reader

MOST_JOBS = 50
IN_WORDS = dict(conditions.REASONS)


@dataclass(frozen=True, slots=True)
class ToldCondition:
    name: str
    question: str
    status: str
    answer: str
    reason: str
    message: str  # "" where it only repeats the node's errors, which the page shows in full
    since: datetime | None  # None where it is not known


@dataclass(frozen=True, slots=True)
class ToldJob:
    pk: int
    name: str
    kind: str
    status: str
    started: datetime | None
    executes: bool
    controls: bool
    taken: int  # of the node's capacity, in forks


@dataclass(frozen=True, slots=True)
class ToldPeer:
    pk: int | None  # None where the reader may not see the node itself
    hostname: str
    state: str
    dials: str  # which of the two dials the other


def told(node: Instance, reader: Reader) -> dict[str, Any]:
    """Everything about ``node``, read with its load, links and conditions, that ``reader`` may see."""
    jobs = active_jobs(node, reader)
    return {
        "node": node,
        "standing": standing(node),
        "state_in_words": node.state_sentence,
        "explained": node.capacity_explained,
        "free": node.capacity - node.consumed_capacity,
        "conditions": [told_condition(each, node) for each in conditions.current(node)],
        "sees_jobs": reader.sees_everything,
        "jobs": jobs,
        "taken_by_others": node.consumed_capacity - sum(job.taken for job in jobs),
        "peers": peers(node, reader),
        "groups": node.rampart_groups.visible_to(reader).order_by("name").values_list("name", flat=True),
    }


def told_condition(condition: Condition, node: Instance) -> ToldCondition:
    kind, status = Condition.Type(condition.type), Condition.Status(condition.status)
    return ToldCondition(
        name=kind.value,
        question=kind.question,
        status=status.value,
        answer=status.answer,
        reason=IN_WORDS.get(condition.reason, condition.reason),
        message="" if condition.message == node.errors else condition.message,
        since=condition.last_transition,
    )


def active_jobs(node: Instance, reader: Reader) -> list[ToldJob]:
    jobs = UnifiedJob.objects.visible_to(reader).active_on(node.hostname, MOST_JOBS, node.load.jobs_running)
    return [told_job(job, node) for job in jobs]


def told_job(job: UnifiedJob, node: Instance) -> ToldJob:
    executes, controls = job.execution_node == node.hostname, job.controller_node == node.hostname
    load = Load(impact=job.task_impact * executes, jobs_controlled=int(controls))
    return ToldJob(
        pk=job.pk,
        name=job.name,
        kind=job.get_type_display(),
        status=job.get_status_display(),
        started=job.started,
        executes=executes,
        controls=controls,
        taken=capacity.consumed(node.node_type, load),
    )


def peers(node: Instance, reader: Reader) -> list[ToldPeer]:
    """The other ends of the node's links, by hostname: all that it dials, as the API tells them, and those that dial it
    and that ``reader`` may see."""
    incoming = InstanceLink.objects.filter(target=node, source__in=Instance.objects.visible_to(reader))
    found = [
        ToldPeer(pk, hostname, state, "dials this node")
        for pk, hostname, state in incoming.values_list("source_id", "source__hostname", "link_state")
    ]
    targets = [link["target_id"] for link in node.outgoing_links]
    visible = set(Instance.objects.visible_to(reader).filter(pk__in=targets).values_list("pk", flat=True))
    for link in node.outgoing_links:
        pk = link["target_id"] if link["target_id"] in visible else None
        found.append(ToldPeer(pk, link["target"], link["link_state"], "is dialled by this node"))
    return sorted(found, key=lambda peer: peer.hostname)
