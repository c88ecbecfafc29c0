"""What was read of an AWX, checked as a snapshot is and made rows."""

from dataclasses import dataclass, field, fields
from typing import Any

from django.db import models

from instances.capacity import IMPACT_BY_HOSTS, task_impact
from instances.groups import UNFINISHED
from instances.models import UnifiedJob, User
from instances.querysets import INCLUDED_ROLES
from instances.snapshot.checks import check
from instances.snapshot.columns import clean, column
from instances.snapshot.content import Content
from instances.snapshot.jobs import job_values
from instances.snapshot.problems import Problems, shown
from instances.snapshot.tables import GROUPS, INSTANCES, JOB_RECORD, LINKS, MEMBERS, Table, columns

Record = dict[str, Any]
Values = dict[str, Any]

ACCOUNT = ["id", "date_joined", "is_superuser", "is_system_auditor"]
# Directories know names and addresses that no form here would take.
TEXTS = {"username": 150, "first_name": 150, "last_name": 150, "email": 254}
ACCOUNTS = Table(
    User,
    (
        *columns(User, only=ACCOUNT),
        *(
            column(models.CharField(max_length=longest, blank=name != "username"), name, name)
            for name, longest in TEXTS.items()
        ),
    ),
)
JOBS = Table(UnifiedJob, columns(UnifiedJob, only=JOB_RECORD))
ROLES = list(INCLUDED_ROLES)  # the strongest first
MOST_LOAD = 2**53  # that JSON's numbers tell exactly


@dataclass(frozen=True)
class Told:
    """The load of a node or a group as AWX tells it."""

    jobs_total: int
    jobs_running: int
    consumed_capacity: int


@dataclass
class Records:
    """Records of one AWX, in the shape of its API, all of about the same moment.

    ``links`` have the ids of their ends as ``source`` and ``target``, groups those of their members as ``instances``,
    jobs are ``of_job()``'s. ``access``: for each group and user the names of the roles that each right includes.
    """

    version: str
    instances: list[Record]
    links: list[Record]
    groups: list[Record]
    users: list[Record]
    access: list[tuple[int, int, list[list[str]]]] = field(default_factory=list)  # group, user, the roles of each right
    jobs: list[Record] = field(default_factory=list)


class Rows:
    """The rows that the records fill. Raises SnapshotError where a record is not what AWX's would be."""

    def __init__(self, records: Records) -> None:
        problems = Problems()
        refuse_gaps(records, problems)
        content = Content(problems)
        content.read("instances", records.instances)
        content.read("instance_links", records.links)
        content.read("instance_groups", records.groups)
        self.accounts = accounts(records.users, problems)
        self.roles = roles(records.access)
        problems.refuse()
        self.jobs = job_rows(records.jobs, content.ids(GROUPS), problems)
        self.nodes = {row["hostname"]: told(row, "instances", n, problems) for n, row in enumerate(records.instances)}
        self.loads = {row["id"]: told(row, "instance_groups", n, problems) for n, row in enumerate(records.groups)}
        problems.refuse()
        check(content, problems, replace=True)
        problems.refuse()
        self.of = {table: [row.values for row in content.rows[table]] for table in (INSTANCES, LINKS, GROUPS, MEMBERS)}


def refuse_gaps(records: Records, problems: Problems) -> None:
    """Note what the records lack: a snapshot may leave out what has a default, but a mirror invents nothing."""
    kinds = (
        ("instances", records.instances, INSTANCES),
        ("instance_groups", records.groups, GROUPS),
        ("users", records.users, ACCOUNTS),
    )
    for name, told_of_kind, table in kinds:
        for n, record in enumerate(told_of_kind):
            for key in (each.key for each in table.columns if each.key not in record):
                problems.add(f"{name}[{n}].{key}", "is missing")
    problems.refuse()


def accounts(users: list[Record], problems: Problems) -> list[Values]:
    return [clean(user, ACCOUNTS.columns, f"users[{n}]", problems) for n, user in enumerate(users)]


def roles(access: list[tuple[int, int, list[list[str]]]]) -> set[tuple[int, int, str]]:
    """Group, user and role for each right: the strongest of the roles that it includes."""
    return {
        (group, user, next(role for role in ROLES if role in right))
        for group, user, rights in access
        for right in rights
        if not INCLUDED_ROLES.keys().isdisjoint(right)
    }


def told(record: Record, name: str, number: int, problems: Problems) -> Told:
    figures: dict[str, Any] = {figure.name: record.get(figure.name) for figure in fields(Told)}
    for key, value in figures.items():
        if type(value) not in (int, float) or abs(value) > MOST_LOAD:
            problems.add(f"{name}[{number}].{key}", f"must be a number, not {shown(value)}")
            return Told(0, 0, 0)
    return Told(**{key: int(value) for key, value in figures.items()})


def job_rows(jobs: list[Record], group_ids: set[int], problems: Problems) -> list[Values]:
    """The rows of ``of_job()``'s records; a group that is not known, such as a deleted one, is none."""
    rows = [job_values(job, JOBS.columns, f"unified_jobs[{n}]", problems) for n, job in enumerate(jobs)]
    for row in rows:
        if row.get("instance_group_id") not in group_ids:
            row["instance_group_id"] = None
    return rows


def needs_detail(representation: Record) -> bool:
    """Whether a job as a list tells it lacks what its impact follows from."""
    if representation.get("type") not in IMPACT_BY_HOSTS:
        return False
    inventory = (representation.get("summary_fields") or {}).get("inventory")
    return "forks" not in representation or (representation.get("inventory") is not None and not inventory)


def of_job(representation: Record) -> Record:
    """AWX's own record of a job as one of a snapshot, with the impact that follows from it."""
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
    }
