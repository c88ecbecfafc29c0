"""Which of AWX's answers make up its mesh, and whether they fit together. Source: AWX_BEHAVIOUR, recorded answers."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from awx_compat import paths
from awx_compat.mirror.client import ChangingError, NotAWXError, RefusedError, Source
from instances.groups import UNFINISHED
from instances.mirror.records import Record, Records, needs_detail, of_job
from instances.snapshot.problems import shown

logger = logging.getLogger(__name__)

T = TypeVar("T")

KNOWN_VERSIONS = r"2[34]\.[-+.\w]{1,60}"
JOBS = paths.collection("unified_jobs")
IDS_AT_ONCE = 100  # in a filter "id__in"
NODE = ("id", "hostname", "node_type", "node_state", "enabled")  # what both lists tell of a node

Announce = Callable[[str, int, int], None]
"""Is told the list that is read, how many of its records are, and how many there are."""


@dataclass(frozen=True)
class Reader:
    """Reads one mesh from ``source``, by so many requests at the same time."""

    source: Source
    announce: Announce
    concurrency: int = 1

    def version(self) -> str:
        """AWX's version. Raises SourceError if it is not one to be mirrored, or does not show everything."""
        version = self.source.object(paths.collection("ping")).get("version")
        if not (isinstance(version, str) and re.fullmatch(KNOWN_VERSIONS, version)):
            raise NotAWXError(f"{self.source.host} tells the version {shown(version)}: it must be 23.x or 24.x.")
        me = self.listed("me")[0]
        if not (me.get("is_superuser") or me.get("is_system_auditor")):
            raise RefusedError(
                f"{shown(me.get('username'))} sees only a part of {self.source.host}: "
                "a superuser or a system auditor is needed."
            )
        return version

    def records(self, unfinished: Iterable[int] = ()) -> Records:
        """All that makes up the mesh. ``unfinished``: ids of jobs to be read even if they have ended by now.

        Lists that do not fit together, since AWX changed meanwhile, are all read again.
        """
        with self.awx_shape():
            version = self.version()
            return self.source.retrying(ChangingError)(self.read, version, list(unfinished))

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
        instances = self.listed("instances", order_by="id")
        addresses = self.addresses()
        groups = self.listed("instance_groups", order_by="id")
        users = self.listed("users", order_by="id")
        members = self.of_each(groups, self.members, "members")
        access = self.of_each(groups, self.access, "access")
        jobs = self.jobs(unfinished)
        mesh = self.source.object(paths.collection("mesh_visualizer"))
        check_nodes(mesh, instances)
        return Records(
            version=version,
            instances=[{**listening(instance, addresses), **instance} for instance in instances],
            links=links(mesh, instances, addresses),
            groups=[{**group, "instances": ids} for group, ids in zip(groups, members, strict=True)],
            users=[{**user, "date_joined": user.get("created")} for user in users],
            access=[right for rights in access for right in rights],
            jobs=jobs,
        )

    def listed(self, name: str, **params: Any) -> list[Record]:
        return self.source.listed(paths.collection(name), lambda done, of: self.announce(name, done, of), **params)

    def of_each(self, records: list[Record], read: Callable[[Record], T], name: str) -> list[T]:
        """What ``read`` finds for each record, in their order."""
        found: list[T] = []
        with ThreadPoolExecutor(self.concurrency) as pool:
            for one in map(read, records) if self.concurrency == 1 else pool.map(read, records):
                found.append(one)
                self.announce(name, len(found), len(records))
        return found

    # --- groups

    def members(self, group: Record) -> list[int]:
        path = paths.record("instance_groups", group.get("id"), "instances")
        return [instance["id"] for instance in self.source.listed(path, unheard, is_told=True, order_by="id")]

    def access(self, group: Record) -> list[tuple[int, int, list[list[str]]]]:
        """Who may see the group by a right on it, their own or by others; superusers and auditors see all groups."""
        path = paths.record("instance_groups", group.get("id"), "access_list")
        users = self.source.listed(path, unheard, is_told=True, order_by="id")
        rights = ((user["id"], list(rights_of(user))) for user in users)
        return [(group["id"], user, found) for user, found in rights if found]

    # --- links

    def addresses(self) -> list[Record]:
        """The addresses at which nodes are dialled, which AWX keeps by themselves since 24.0; none before."""
        is_known = "receptor_addresses" in self.source.object(paths.ROOT)
        return self.listed("receptor_addresses", order_by="id") if is_known else []

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
        if needs_detail(told):
            with suppress(ChangingError):  # it has just been deleted; the next sync will know
                return of_job(self.source.object(told["url"], is_told=True))
        return of_job(told)

    def ended_jobs(self, after: int) -> Iterator[list[Record]]:
        """All jobs above that id, page by page."""
        with self.awx_shape():
            for page in self.source.after(JOBS, after):
                yield self.of_each(page, self.job, "ended jobs")

    def count_jobs(self, up_to: int) -> int:
        """How many jobs AWX has up to that id."""
        with self.awx_shape():
            return int(self.source.page(JOBS, {"id__lte": up_to, "page_size": 1})["count"])


def unheard(done: int, of: int) -> None:
    """Nobody is told of the records of a short list."""


def rights_of(user: Record) -> Iterator[list[str]]:
    """For each right of a user on a group the roles that it includes; not those of superusers and auditors."""
    summary = user.get("summary_fields", {})
    for right in [*summary.get("direct_access", []), *summary.get("indirect_access", [])]:
        if "resource_name" in right.get("role", {}):
            yield right.get("descendant_roles", [])


def check_nodes(mesh: Record, instances: list[Record]) -> None:
    """Raise ChangingError unless the nodes of the mesh, read last, are the instances, read first."""
    if {told(node) for node in mesh["nodes"]} != {told(instance) for instance in instances}:
        raise ChangingError("The mesh keeps changing while it is read: its nodes are not those of the list.")


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

    def end(name: Any) -> int:
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
