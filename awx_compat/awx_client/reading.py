"""Which of AWX's answers make up its mesh, and whether they fit together. Source: recorded answers."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

from awx_compat import paths
from awx_compat.awx_client import rights
from awx_compat.awx_client.client import Source
from awx_compat.awx_client.errors import AccessRefusedError, ChangingError, FailingError, NotAWXError
from instances.groups import UNFINISHED
from instances.lifecycle import hostname_error
from instances.mirror.left_out import LeftOut
from instances.mirror.records import Record, Records, job_record, needs_detail, with_capabilities_of_superusers
from instances.snapshot.problems import shown

logger = logging.getLogger(__name__)

S = TypeVar("S")
T = TypeVar("T")

KNOWN_VERSIONS = r"2[34]\.[-+.\w]{1,60}"
JOBS = paths.collection("unified_jobs")
IDS_AT_ONCE = 100  # in a filter "id__in"
# What the lists, or others of their records, are compared or joined by; the rest is looked at when all is read.
NODE = {"id": int, "hostname": str, "node_type": str, "node_state": str, "enabled": bool}  # told by both lists of nodes
LINK = {"source": str, "target": str}
ADDRESS = {"address": str, "instance": int, "canonical": bool}
ME = {"username": str, "is_superuser": bool, "is_system_auditor": bool}
MISSING = object()
KINDS = {int: "an integer", str: "a string", bool: "true or false"}

Announce = Callable[[str, int, int], None]
"""Is told the list that is read, how many of its records are, and how many there are."""


@dataclass(frozen=True)
class AWXReader:
    """Reads one mesh from ``source``, by so many requests at the same time."""

    source: Source
    announce: Announce
    concurrency: int = 1

    def version(self) -> str:
        """AWX's version. Raises SourceError if it is not one to be mirrored, or does not show everything."""
        version = self.source.object(paths.collection("ping")).get("version")
        if not (isinstance(version, str) and re.fullmatch(KNOWN_VERSIONS, version)):
            raise NotAWXError(f"{self.source.host} tells the version {shown(version)}: it must be 23.x or 24.x.")
        if not sees_everything(self.me):
            raise AccessRefusedError(
                f"{shown(self.me.get('username'))} sees only a part of {self.source.host}: "
                "a superuser or a system auditor is needed."
            )
        return version

    @cached_property
    def me(self) -> Record:
        """Who asks."""
        found = self.listed("me")
        self.refuse_shapes("me", found, ME)
        return found[0]

    def records(self, unfinished: Iterable[int] = ()) -> Records:
        """All that makes up the mesh. ``unfinished``: ids of jobs to be read even if they have ended by now.

        Lists that do not fit together, since AWX changed meanwhile, are all read again.
        """
        with self.awx_shape():
            version = self.version()
            records = self.source.retrying(ChangingError)(self.read, version, list(unfinished))
        warn_of_hostnames(records.instances)
        return records

    @contextmanager
    def awx_shape(self) -> Iterator[None]:
        """Raise NotAWXError where an answer is not made as AWX's are."""
        try:
            yield
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            logger.debug("An answer has another shape than AWX's.", exc_info=True)
            reason = f"{type(error).__name__}: {shown(str(error))}"
            raise NotAWXError(f"{self.source.host} answers in another shape than AWX does ({reason}).") from None

    def read(self, version: str, unfinished: list[int]) -> Records:
        self.source.meter.start_again()
        instances = self.listed("instances", order_by="id")
        self.refuse_shapes("instances", instances, NODE)
        root = self.source.object(paths.ROOT)
        addresses = self.addresses(root)
        groups = self.listed("instance_groups", order_by="id")
        users = self.listed("users", order_by="id")
        members = self.of_each(groups, partial(self.unless_failing, self.members), "members")
        groups = [with_members(group, found) for group, found in zip(groups, members, strict=True)]
        access, left_out = self.access(root, groups, users)
        jobs = self.jobs(unfinished)
        mesh = self.source.object(paths.collection("mesh_visualizer"))
        self.refuse_shapes("mesh_visualizer.nodes", mesh["nodes"], NODE)
        self.refuse_shapes("mesh_visualizer.links", mesh["links"], LINK, or_null=True)
        check_nodes(mesh, instances)
        check_members(groups, instances)
        return Records(
            version=version,
            instances=[{**listening(instance, addresses), **instance} for instance in instances],
            links=links(mesh, instances, addresses),
            groups=groups,
            users=[{**user, "date_joined": user.get("created")} for user in users],
            access=access,
            jobs=jobs,
            left_out=left_out,
        )

    def refuse_shapes(self, name: str, records: Any, shape: Mapping[str, type], *, or_null: bool = False) -> None:
        """Raise NotAWXError for the first record that lacks a field of ``shape``, or has another type there.

        Such a record would look like one that changes while it is read, and all would be read again.
        """
        for number, record in enumerate(records):
            for field, kind in shape.items():
                value = record.get(field, MISSING)
                if type(value) is not kind and not (or_null and value is None):
                    wrong = "is missing" if value is MISSING else f"must be {KINDS[kind]}, not {shown(value)}"
                    raise NotAWXError(f"{self.source.host} tells what is not AWX's: {name}[{number}].{field} {wrong}.")

    def listed(self, name: str, **params: Any) -> list[Record]:
        return self.source.listed(paths.collection(name), lambda done, of: self.announce(name, done, of), **params)

    def of_each(self, records: list[S], read: Callable[[S], T], name: str) -> list[T]:
        """What ``read`` finds for each record, in their order."""
        found: list[T] = []
        with ThreadPoolExecutor(self.concurrency) as pool:
            for one in map(read, records) if self.concurrency == 1 else pool.map(read, records):
                found.append(one)
                self.announce(name, len(found), len(records))
        return found

    def unless_failing(self, read: Callable[[S], T], record: S) -> T | FailingError:
        """What ``read`` finds for a record, or AWX's failure, where it fails for that record and not for everything.

        It is asked once more after it answered something else: it may have been restarted meanwhile.
        """
        try:
            return read(record)
        except FailingError:
            self.source.object(paths.collection("ping"))
        try:
            return read(record)
        except FailingError as error:
            return error

    # --- groups

    def members(self, group: Record) -> list[int]:
        path = paths.record("instance_groups", group.get("id"), "instances")
        return [instance["id"] for instance in self.source.listed(path, unheard, is_told=True, order_by="id")]

    def access(
        self, root: Record, groups: list[Record], users: list[Record]
    ) -> tuple[list[rights.Right], list[LeftOut]]:
        """Who may see the groups by a right on them, their own or a team's, and which rights are not known.

        Superusers and auditors see all groups.
        """
        if not rights.are_assigned(root):
            lists, left_out = self.told_of(groups, self.access_list, "access", rights.on_group)
            return [right for listed in lists.values() for right in listed], left_out
        assignments = rights.Assignments(*(self.listed(name, order_by="id") for name in rights.LISTS))
        members, left_out = self.told_of(
            assignments.teams_with_rights(), self.users_of_team, "team members", rights.of_team
        )
        all_seeing = {user["id"] for user in users if sees_everything(user)}
        found = assignments.rights([group["id"] for group in groups], members)
        return [right for right in found if right[1] not in all_seeing], [*assignments.left_out, *left_out]

    def told_of(
        self, records: list[Record], read: Callable[[Record], T], name: str, called: Callable[[Record], str]
    ) -> tuple[dict[int, T], list[LeftOut]]:
        """What ``read`` finds, by the records' ids, and the rights, as they are ``called``, for which AWX fails."""
        found, left_out = {}, []
        answers = self.of_each(records, partial(self.unless_failing, read), name)
        for record, answer in zip(records, answers, strict=True):
            if isinstance(answer, FailingError):
                left_out.append(LeftOut("roles", called(record), in_words(answer)))
            else:
                found[record["id"]] = answer
        return found, left_out

    def access_list(self, group: Record) -> list[rights.Right]:
        path = paths.record("instance_groups", group["id"], "access_list")
        return rights.listed(group["id"], self.source.listed(path, unheard, is_told=True, order_by="id"))

    def users_of_team(self, team: Record) -> list[int]:
        """Whom AWX lists as the team's users; those whom assignments make members may not be among them."""
        path = paths.record("teams", team["id"], "users")
        with suppress(ChangingError):  # it has just been deleted; the next sync will know
            return [user["id"] for user in self.source.listed(path, unheard, is_told=True, order_by="id")]
        return []

    # --- links

    def addresses(self, root: Record) -> list[Record]:
        """The addresses at which nodes are dialled, which AWX keeps by themselves since 24.0; none before."""
        if "receptor_addresses" not in root:
            return []
        found = self.listed("receptor_addresses", order_by="id")
        self.refuse_shapes("receptor_addresses", found, ADDRESS)
        return found

    # --- jobs

    def jobs(self, unfinished: list[int]) -> list[Record]:
        """The jobs that have not ended, and those of ``unfinished`` that have by now."""
        jobs = {job["id"]: job for page in self.source.after(JOBS, 0, status__in=",".join(UNFINISHED)) for job in page}
        ended = [pk for pk in unfinished if pk not in jobs]
        for first in range(0, len(ended), IDS_AT_ONCE):
            ids = ",".join(map(str, ended[first : first + IDS_AT_ONCE]))
            jobs |= {job["id"]: job for page in self.source.after(JOBS, 0, id__in=ids) for job in page}
        return self.of_each(list(jobs.values()), self.job, "jobs")

    def job(self, told: Record) -> Record:
        """A job with what its impact follows from, for which lists of some kinds of jobs are too short."""
        if not needs_detail(told):
            return self.seen_by_superusers(told)
        try:
            answer = self.unless_failing(self.detail, told)
        except ChangingError:  # it has just been deleted; the next sync will know
            return self.seen_by_superusers(told)
        if isinstance(answer, FailingError):
            return job_record(told, failure=in_words(answer))
        return self.seen_by_superusers(answer)

    def detail(self, told: Record) -> Record:
        detail = self.source.object(told["url"], is_told=True)
        if detail.get("id") != told["id"]:
            raise NotAWXError(f"{self.source.host} answers {told['url']} with another job.")
        return detail

    def seen_by_superusers(self, job: Record) -> Record:
        return job_record(job if self.me.get("is_superuser") else with_capabilities_of_superusers(job))

    def ended_jobs(self, after: int) -> Iterator[list[Record]]:
        """All jobs above that id, page by page."""
        with self.awx_shape():
            for page in self.source.after(JOBS, after):
                self.source.meter.start_again()  # the page before is written
                yield self.of_each(page, self.job, "ended jobs")

    def count_jobs(self, up_to: int) -> int:
        """How many jobs AWX has up to that id."""
        with self.awx_shape():
            return int(self.source.page(JOBS, {"id__lte": up_to, "page_size": 1})["count"])


def warn_of_hostnames(instances: list[Record]) -> None:
    """Name what is mirrored as it is, though nobody could give such a name here."""
    for instance in instances:
        if reason := hostname_error(instance["hostname"]):
            text = "The API would refuse the hostname %s: %s"
            logger.warning(text, shown(instance["hostname"]), reason, extra={"once": True})


def in_words(failure: FailingError) -> str:
    return str(failure).rstrip(".")


def with_members(group: Record, members: list[int] | FailingError) -> Record:
    """A group whose members cannot be read is left out: without them it would be another one."""
    if isinstance(members, FailingError):
        return {**group, "instances": [], "failure": in_words(members)}
    return {**group, "instances": members, "failure": ""}


def unheard(done: int, of: int) -> None:
    """Nobody is told of the records of a short list."""


def sees_everything(user: Record) -> bool:
    return bool(user.get("is_superuser") or user.get("is_system_auditor"))


def check_nodes(mesh: Record, instances: list[Record]) -> None:
    """Raise ChangingError unless the nodes of the mesh, read last, are the instances, read first."""
    if {told(node) for node in mesh["nodes"]} != {told(instance) for instance in instances}:
        raise ChangingError("The mesh keeps changing while it is read: its nodes are not those of the list.")


def check_members(groups: list[Record], instances: list[Record]) -> None:
    """Raise ChangingError unless all members, read after the instances, are among them."""
    unknown = {pk for group in groups for pk in group["instances"]} - {instance["id"] for instance in instances}
    if unknown:
        raise ChangingError(
            f"The mesh keeps changing while it is read: a group has the member {min(unknown)}, which is no node."
        )


def told(node: Record) -> tuple[Any, ...]:
    return tuple(node.get(name) for name in NODE)


def listening(instance: Record, addresses: list[Record]) -> Record:
    """What AWX 23 tells of a node itself, and later ones may tell of its canonical address alone."""
    canonical = (one for one in addresses if one["instance"] == instance["id"] and one["canonical"])
    return next(
        (
            {"listener_port": one["port"], "peers_from_control_nodes": one["peers_from_control_nodes"]}
            for one in canonical
        ),
        {"listener_port": None, "peers_from_control_nodes": False},
    )


def links(mesh: Record, instances: list[Record], addresses: list[Record]) -> list[Record]:
    """The links by the ids of their ends, which may be told by hostname or by address."""
    ids = {one["address"]: one["instance"] for one in addresses}
    ids |= {instance.get("hostname"): instance["id"] for instance in instances}

    def end(name: str | None) -> int | None:
        if name is None:
            return None
        found: int | None = ids.get(name)
        if found is None:
            raise ChangingError(
                f"The mesh keeps changing while it is read: a link leads to {shown(name)}, which is no node."
            )
        return found

    return [
        {
            "id": link.get("id"),
            "source": end(link.get("source")),
            "target": end(link.get("target")),
            "link_state": link.get("link_state"),
        }
        for link in mesh["links"]
    ]
