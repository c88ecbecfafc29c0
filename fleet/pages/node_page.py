"""The contents of a node's page: capacity, conditions, jobs, peers and groups, as far as the reader may see them."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fleet.pages.drain_views import drain_of, may_drain
from instances import capacity
from instances.capacity import Load
from instances.drain_form import DrainForm
from instances.health import conditions, reasons
from instances.models import Condition, Instance, InstanceLink, UnifiedJob
from instances.models.address import full_address
from instances.overview import standing
from instances.reader import Reader

MOST_JOBS = 50
PARTS_OF_ADDRESS = ("address", "port", "protocol", "websocket_path")
IN_WORDS = dict(reasons.REASONS)


@dataclass(frozen=True, slots=True)
class ConditionRow:
    name: str
    question: str
    status: str
    answer: str
    severity: str
    reason: str
    message: str  # "" if it equals the node's errors, which the page shows anyway
    since: datetime | None  # None if unknown


@dataclass(frozen=True, slots=True)
class JobRow:
    pk: int
    name: str
    kind: str
    status: str
    started: datetime | None
    executes: bool
    controls: bool
    forks: int  # of the node's capacity


@dataclass(frozen=True, slots=True)
class PeerRow:
    pk: int | None  # None if the reader may not see the peer's page
    hostname: str
    state: str
    direction: str  # of the link, as a text
    address: str  # to which the link leads; "" if no other link joins the two nodes in this direction


def context_of(node: Instance, reader: Reader, now: datetime) -> dict[str, Any]:
    """The template's context. ``node`` must be read with load, links and conditions."""
    jobs = active_jobs(node, reader)
    found = conditions.current_for(reader, node)
    return {
        "node": node,
        "standing": standing(node),
        "state_in_words": node.state_sentence,
        "explained": node.capacity_explained,
        "free": node.capacity - node.consumed_capacity,
        "conditions": [condition_row(each, node) for each in found],
        "is_drained": (Condition.Type.DRAINED, Condition.Status.TRUE) in ((each.type, each.status) for each in found),
        "open_drain": drain_of(node, now),
        "may_drain": may_drain(reader),
        "form": DrainForm(),
        "sees_jobs": reader.sees_everything,
        "jobs": jobs,
        "forks_of_others": node.consumed_capacity - sum(job.forks for job in jobs),
        "addresses": node.receptor_addresses.order_by("-canonical", "address"),
        "peers": peers(node, reader),
        "groups": node.rampart_groups.visible_to(reader).order_by("name").values_list("name", flat=True),
    }


def condition_row(condition: Condition, node: Instance) -> ConditionRow:
    kind, status = Condition.Type(condition.type), Condition.Status(condition.status)
    return ConditionRow(
        name=kind.value,
        question=kind.question,
        status=status.value,
        answer=status.answer,
        severity=condition.severity,
        reason=IN_WORDS.get(condition.reason, condition.reason),
        message="" if condition.message == node.errors else condition.message,
        since=condition.last_transition,
    )


def active_jobs(node: Instance, reader: Reader) -> list[JobRow]:
    jobs = UnifiedJob.objects.visible_to(reader).active_on(node.hostname, MOST_JOBS, node.load.jobs_running)
    return [job_row(job, node) for job in jobs]


def job_row(job: UnifiedJob, node: Instance) -> JobRow:
    executes, controls = job.execution_node == node.hostname, job.controller_node == node.hostname
    load = Load(impact=job.task_impact * executes, jobs_controlled=int(controls))
    return JobRow(
        pk=job.pk,
        name=job.name,
        kind=job.get_type_display(),
        status=job.get_status_display(),
        started=job.started,
        executes=executes,
        controls=controls,
        forks=capacity.consumed(node.node_type, load),
    )


def peers(node: Instance, reader: Reader) -> list[PeerRow]:
    """The other ends of the node's links, by hostname: of outbound links all, as in the API's ``peers``; of inbound
    links those that ``reader`` may see."""
    incoming = InstanceLink.objects.filter(target__instance=node, source__in=Instance.objects.visible_to(reader))
    columns = ("source_id", "source__hostname", "link_state", *(f"target__{name}" for name in PARTS_OF_ADDRESS))
    found = [
        PeerRow(pk, hostname, state, "inbound", full_address(*address))
        for pk, hostname, state, *address in incoming.order_by("target__address").values_list(*columns)
    ]
    targets = [link["target_id"] for link in node.outgoing_links]
    visible = set(Instance.objects.visible_to(reader).filter(pk__in=targets).values_list("pk", flat=True))
    for link in node.outgoing_links:
        pk = link["target_id"] if link["target_id"] in visible else None
        address = full_address(link["address"], link["port"], link["protocol"], link["path"])
        found.append(PeerRow(pk, link["target"], link["link_state"], "outbound", address))
    links = Counter((peer.hostname, peer.direction) for peer in found)
    rows = [peer if links[peer.hostname, peer.direction] > 1 else replace(peer, address="") for peer in found]
    return sorted(rows, key=lambda peer: peer.hostname)
