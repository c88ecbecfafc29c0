"""The jobs that were read from an AWX: their records, and the rows of these; others are left out."""

from collections.abc import Container
from typing import Any

from instances.capacity import IMPACT_BY_HOSTS, task_impact
from instances.groups import UNFINISHED
from instances.mirror.left_out import LeftOut, OddRecord
from instances.mirror.reported import JOBS
from instances.models import UnifiedJob
from instances.snapshot.jobs import job_values
from instances.snapshot.problems import shown

Record = dict[str, Any]
Values = dict[str, Any]


def job_rows(jobs: list[Record], group_ids: Container[int]) -> tuple[list[Values], list[LeftOut]]:
    """The rows of ``job_record()``'s records, and those left out; an unknown group, such as a deleted one, is none."""
    rows, left_out = [], []
    for number, job in enumerate(jobs):
        odd = OddRecord(f"unified_jobs[{number}]")
        if job["failure"]:
            left_out.append(LeftOut("jobs", job_name(job), job["failure"]))
            continue
        row = job_values(job, JOBS.columns, odd.place, odd)
        odd.raise_if_any()
        if odd.reasons:
            left_out.append(LeftOut("jobs", job_name(job), "; ".join(odd.reasons)))
        else:
            if row["instance_group_id"] not in group_ids:
                row["instance_group_id"] = None
            rows.append(row)
    return rows, left_out


def job_name(job: Record) -> str:
    return f"job {job['id']} ({shown(job['representation'].get('name'))})"


def needs_detail(representation: Record) -> bool:
    """Whether a job in a list of AWX lacks the fields from which its task impact is computed."""
    if representation.get("type") not in IMPACT_BY_HOSTS:
        return False
    inventory = (representation.get("summary_fields") or {}).get("inventory")
    return "forks" not in representation or (representation.get("inventory") is not None and not inventory)


def with_capabilities_of_superusers(representation: Record) -> Record:
    """A job that was read as an auditor, whose capabilities are all false, with the capabilities of a superuser.

    Superusers may delete every job, and start every one again but for system jobs. Source: recorded answers.
    """
    summary = representation.get("summary_fields") or {}
    if "user_capabilities" not in summary:
        return representation
    may_start = representation.get("type") != UnifiedJob.Type.SYSTEM_JOB
    capabilities = {name: name != "start" or may_start for name in summary["user_capabilities"]}
    return {**representation, "summary_fields": {**summary, "user_capabilities": capabilities}}


def job_record(representation: Record, failure: str = "") -> Record:
    """A job of AWX's API as a record of a snapshot, with the task impact computed from it.

    ``failure``: why its impact could not be read, so that the job is left out.
    """
    summary = representation.get("summary_fields") or {}
    group = representation.get("instance_group") or (summary.get("instance_group") or {}).get("id")
    if representation.get("status") in UNFINISHED:
        representation = {**representation, "elapsed": 0.0}  # the time so far, which moves while nothing else does
    return {
        "id": representation.get("id"),
        "task_impact": task_impact(
            str(representation.get("type")),
            representation.get("forks") or 0,
            (summary.get("inventory") or {}).get("total_hosts"),
        ),
        "instance_group": group,
        "execution_node": representation.get("execution_node") or "",
        "controller_node": representation.get("controller_node") or "",
        "representation": representation,
        "failure": failure,
    }
