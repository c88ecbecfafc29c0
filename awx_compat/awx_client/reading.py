"""Reads the answers that make up AWX's mesh, and checks that they are consistent. Source: recorded answers."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

from awx_compat import paths
from awx_compat.awx_client import rights
from awx_compat.awx_client.client import PING, Source
from awx_compat.awx_client.consistency import NODE, check_members, check_nodes, links
from awx_compat.awx_client.errors import AccessRefusedError, ChangingError, FailingError, NotAWXError
from instances.groups import UNFINISHED
from instances.lifecycle import hostname_error
from instances.mirror import spoken
from instances.mirror.jobs import Record, job_record, needs_detail, with_capabilities_of_superusers
from instances.mirror.left_out import LeftOut
from instances.mirror.records import Records
from instances.snapshot.problems import shown

logger = logging.getLogger(__name__)

S = TypeVar("S")
T = TypeVar("T")

JOBS = paths.collection("unified_jobs")
IDS_AT_ONCE = 100  # in a filter "id__in"
# The fields by which lists are compared or joined, by type. All others are validated when everything was read.
LINK = {"source": str, "target": str}
ADDRESS = {"id": int, "url": str, "address": str, "instance": int, "canonical": bool}
ME = {"username": str, "is_superuser": bool, "is_system_auditor": bool}
MISSING = object()
KINDS = {int: "an integer", str: "a string", bool: "true or false"}

OnProgress = Callable[[str, int, int], None]
"""Called with the name of the list that is being read, how many of its records were read, and how many there are."""


@dataclass(frozen=True)
class AWXReader:
    """Reads one mesh from ``source``, by at most ``concurrency`` requests at the same time."""

    source: Source
    on_progress: OnProgress
    concurrency: int = 1

    def version(self) -> str:
        """AWX's version. Raises SourceError if it cannot be mirrored, or if the user may not see everything."""
        version = self.source.ping().get("version")
        if not (isinstance(version, str) and (line := spoken.nearest(version))):
            raise NotAWXError(
                f"{self.source.host} has the version {shown(version)}: it must be 23.x, 24.x, or 4.5 to 4.7."
            )
        if not spoken.is_known(version):
            text = "%s has the version %s, which is newer than those known here: it is read as %s."
            logger.warning(text, self.source.host, version, line, extra={"once": True})
        if not sees_everything(self.me):
            raise AccessRefusedError(
                f"{shown(self.me.get('username'))} sees only a part of {self.source.host}: "
                "a superuser or a system auditor is needed."
            )
        return version

    @cached_property
    def me(self) -> Record:
        """The user of the credentials."""
        users = self.get_list("me")
        self.check_shapes("me", users, ME)
        return users[0]

    def records(self, unfinished: Iterable[int] = ()) -> Records:
        """All records of the mesh. ``unfinished``: ids of jobs to be read even if they have ended by now.

        If AWX changed meanwhile, so that the lists are inconsistent, all are read again. Raises SourceError.
        """
        with self.refuse_other_shapes():
            version = self.version()
            records = self.source.retrying(ChangingError)(self.read, version, list(unfinished))
        warn_of_hostnames(records.instances)
        return records

    @contextmanager
    def refuse_other_shapes(self) -> Iterator[None]:
        """Raise NotAWXError where an answer has another structure than AWX's."""
        try:
            yield
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            logger.debug("An answer has another shape than AWX's.", exc_info=True)
            reason = f"{type(error).__name__}: {shown(str(error))}"
            raise NotAWXError(f"{self.source.host} answers in another shape than AWX does ({reason}).") from None

    def read(self, version: str, unfinished: list[int]) -> Records:
        """All records of the mesh, read once. Raises ChangingError if they are inconsistent."""
        self.source.meter.reset_counts()
        instances = self.get_list("instances", order_by="id")
        self.check_shapes("instances", instances, NODE)
        root = self.source.get_object(paths.ROOT)
        addresses = self.addresses(root)
        groups = self.get_list("instance_groups", order_by="id")
        users = self.get_list("users", order_by="id")
        members = self.read_each(groups, partial(self.unless_failing, self.members), "members")
        groups = [with_members(group, ids) for group, ids in zip(groups, members, strict=True)]
        access, left_out = self.access(root, groups, users)
        jobs = self.jobs(unfinished)
        mesh = self.source.get_object(paths.collection("mesh_visualizer"))
        self.check_shapes("mesh_visualizer.nodes", mesh["nodes"], NODE)
        self.check_shapes("mesh_visualizer.links", mesh["links"], LINK, or_null=True)
        check_nodes(mesh, instances)
        check_members(groups, instances)
        return Records(
            version=version,
            instances=instances,
            addresses=addresses,
            links=links(mesh, instances, addresses),
            groups=groups,
            users=[{**user, "date_joined": user.get("created")} for user in users],
            access=access,
            jobs=jobs,
            left_out=left_out,
        )

    def check_shapes(self, name: str, records: Any, shape: Mapping[str, type], *, or_null: bool = False) -> None:
        """Raise NotAWXError for the first record that lacks a field of ``shape``, or has another type there.

        Otherwise such a record would count as one that changes while it is read, and all would be read again.
        """
        for number, record in enumerate(records):
            for field, kind in shape.items():
                value = record.get(field, MISSING)
                if type(value) is not kind and not (or_null and value is None):
                    wrong = "is missing" if value is MISSING else f"must be {KINDS[kind]}, not {shown(value)}"
                    raise NotAWXError(
                        f"{self.source.host} returned what AWX does not: {name}[{number}].{field} {wrong}."
                    )

    def get_list(self, name: str, **params: Any) -> list[Record]:
        return self.source.get_list(paths.collection(name), lambda done, of: self.on_progress(name, done, of), **params)

    def read_each(self, records: list[S], read: Callable[[S], T], name: str) -> list[T]:
        """What ``read`` returns for each record, in their order."""
        results: list[T] = []
        with ThreadPoolExecutor(self.concurrency) as pool:
            for result in map(read, records) if self.concurrency == 1 else pool.map(read, records):
                results.append(result)
                self.on_progress(name, len(results), len(records))
        return results

    def unless_failing(self, read: Callable[[S], T], record: S) -> T | FailingError:
        """What ``read`` returns for a record, or the FailingError, where AWX fails for that record alone.

        It is read once more after AWX answered another request: AWX may have been restarted meanwhile.
        """
        try:
            return read(record)
        except FailingError:
            self.source.get_object(PING)
        try:
            return read(record)
        except FailingError as error:
            return error

    # --- groups

    def members(self, group: Record) -> list[int]:
        """The ids of the group's instances."""
        path = paths.record("instance_groups", group.get("id"), "instances")
        return [
            instance["id"] for instance in self.source.get_list(path, ignore_progress, from_awx=True, order_by="id")
        ]

    def access(
        self, root: Record, groups: list[Record], users: list[Record]
    ) -> tuple[list[rights.Right], list[LeftOut]]:
        """The rights of users on the groups, their own or a team's, and those that AWX failed to return.

        Superusers and auditors see all groups without any.
        """
        if not rights.are_assigned(root):
            lists, left_out = self.read_rights(groups, self.access_list, "access", rights.name_of_access)
            return [right for of_group in lists.values() for right in of_group], left_out
        assignments = rights.Assignments(*(self.get_list(name, order_by="id") for name in rights.LISTS))
        members, left_out = self.read_rights(
            assignments.teams_with_rights(), self.users_of_team, "team members", rights.name_of_team_access
        )
        all_seeing = {user["id"] for user in users if sees_everything(user)}
        of_groups = list(assignments.rights([group["id"] for group in groups], members, all_seeing))
        return of_groups, [*assignments.left_out, *left_out]

    def read_rights(
        self, records: list[Record], read: Callable[[Record], T], name: str, name_of: Callable[[Record], str]
    ) -> tuple[dict[int, T], list[LeftOut]]:
        """What ``read`` returns, by the records' ids, and the rights, named by ``name_of``, for which AWX fails."""
        results, left_out = {}, []
        answers = self.read_each(records, partial(self.unless_failing, read), name)
        for record, answer in zip(records, answers, strict=True):
            if isinstance(answer, FailingError):
                left_out.append(LeftOut("roles", name_of(record), reason_of(answer)))
            else:
                results[record["id"]] = answer
        return results, left_out

    def access_list(self, group: Record) -> list[rights.Right]:
        """The rights of users on the group, as AWX 23 lists them."""
        path = paths.record("instance_groups", group["id"], "access_list")
        return rights.of_access_list(
            group["id"], self.source.get_list(path, ignore_progress, from_awx=True, order_by="id")
        )

    def users_of_team(self, team: Record) -> list[int]:
        """The ids of the team's users in AWX's list, in which members by an assignment may be missing."""
        path = paths.record("teams", team["id"], "users")
        with suppress(ChangingError):  # it has just been deleted, which the next sync will notice
            return [user["id"] for user in self.source.get_list(path, ignore_progress, from_awx=True, order_by="id")]
        return []

    # --- links

    def addresses(self, root: Record) -> list[Record] | None:
        """The addresses at which nodes are dialled: records of their own since AWX 24.0; None before."""
        if "receptor_addresses" not in root:
            return None
        addresses = self.get_list("receptor_addresses", order_by="id")
        self.check_shapes("receptor_addresses", addresses, ADDRESS)
        return addresses

    # --- jobs

    def jobs(self, unfinished: list[int]) -> list[Record]:
        """The jobs that have not ended, and those of ``unfinished`` that have by now."""
        jobs = {
            job["id"]: job for page in self.source.pages_after(JOBS, 0, status__in=",".join(UNFINISHED)) for job in page
        }
        ended = [pk for pk in unfinished if pk not in jobs]
        for first in range(0, len(ended), IDS_AT_ONCE):
            ids = ",".join(map(str, ended[first : first + IDS_AT_ONCE]))
            jobs |= {job["id"]: job for page in self.source.pages_after(JOBS, 0, id__in=ids) for job in page}
        return self.read_each(list(jobs.values()), self.job, "jobs")

    def job(self, listed: Record) -> Record:
        """A job with the fields that determine its impact, which lists omit for some types of jobs."""
        if not needs_detail(listed):
            return self.as_superuser(listed)
        try:
            answer = self.unless_failing(self.detail, listed)
        except ChangingError:  # it has just been deleted, which the next sync will notice
            return self.as_superuser(listed)
        if isinstance(answer, FailingError):
            return job_record(listed, failure=reason_of(answer))
        return self.as_superuser(answer)

    def detail(self, listed: Record) -> Record:
        """The job at the ``url`` of its record in a list. Raises NotAWXError if the ids differ."""
        detail = self.source.get_object(listed["url"], from_awx=True)
        if detail.get("id") != listed["id"]:
            raise NotAWXError(f"{self.source.host} answers {listed['url']} with another job.")
        return detail

    def as_superuser(self, job: Record) -> Record:
        """The job as AWX shows it to a superuser."""
        return job_record(job if self.me.get("is_superuser") else with_capabilities_of_superusers(job))

    def ended_jobs(self, after: int) -> Iterator[list[Record]]:
        """All jobs with ids above ``after``, page by page."""
        with self.refuse_other_shapes():
            for page in self.source.pages_after(JOBS, after):
                self.source.meter.reset_counts()  # the page before is written
                yield self.read_each(page, self.job, "ended jobs")

    def count_jobs(self, up_to: int) -> int:
        """How many jobs AWX has with ids up to ``up_to``."""
        with self.refuse_other_shapes():
            return int(self.source.get_page(JOBS, {"id__lte": up_to, "page_size": 1})["count"])


def warn_of_hostnames(instances: list[Record]) -> None:
    """Log the hostnames that the API would refuse here. They are mirrored as they are."""
    for instance in instances:
        if reason := hostname_error(instance["hostname"]):
            text = "The API would refuse the hostname %s: %s"
            logger.warning(text, shown(instance["hostname"]), reason, extra={"once": True})


def reason_of(failure: FailingError) -> str:
    """The message of the error, without the full stop."""
    return str(failure).rstrip(".")


def with_members(group: Record, members: list[int] | FailingError) -> Record:
    """The group with its members, or with the reason why it is left out: they could not be read."""
    if isinstance(members, FailingError):
        return {**group, "instances": [], "failure": reason_of(members)}
    return {**group, "instances": members, "failure": ""}


def ignore_progress(done: int, of: int) -> None:
    """For short lists, whose progress is not shown."""


def sees_everything(user: Record) -> bool:
    """Whether the user is a superuser or a system auditor of AWX."""
    return bool(user.get("is_superuser") or user.get("is_system_auditor"))
