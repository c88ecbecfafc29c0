"""The records that were read from an AWX, validated like a snapshot, and their rows; others are left out."""

from collections.abc import Container, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

from instances.capacity import CONTROLLING
from instances.mirror.jobs import Record, Values, job_rows
from instances.mirror.left_out import LeftOut, OddRecord
from instances.mirror.reported import ACCOUNTS, ADDRESSES, GROUPS, INSTANCES, LINKS, LISTENING_INSTANCES
from instances.models import InstanceLink, ReceptorAddress
from instances.querysets import INCLUDED_ROLES
from instances.snapshot.checks import with_values_of
from instances.snapshot.columns import clean
from instances.snapshot.problems import Problems, SnapshotError, shown, within, wrong_kind
from instances.snapshot.tables import GROUP_SUMMARY, Table, TableRow

ROLES = list(INCLUDED_ROLES)  # the strongest first
MOST_LOAD = 2**53  # up to which JSON's numbers are exact
# Of several links between the same two nodes the one that comes first here says best whether the nodes are linked.
LINK_STATES = [InstanceLink.State.ESTABLISHED, InstanceLink.State.ADDING, InstanceLink.State.REMOVING]


@dataclass(frozen=True)
class ReportedLoad:
    """The load of a node or a group as AWX reports it."""

    jobs_total: int
    jobs_running: int
    consumed_capacity: int


@dataclass
class Records:
    """Records of one AWX, in the shape of its API, read at about the same time.

    ``links`` have the ids of their ends as ``source`` and ``target``, which is an address; of an AWX without
    ``addresses``, an instance. Groups have the ids of their members as ``instances``,
    and, like jobs, a ``failure`` where not all of them could be read;
    jobs are ``job_record()``'s. ``access``: for each group and user the names of the roles that each right includes.
    ``left_out``: what could not be read of them.
    """

    version: str
    instances: list[Record]
    links: list[Record]
    groups: list[Record]
    users: list[Record]
    access: list[tuple[int, int, list[list[str]]]] = field(default_factory=list)  # group, user, the roles of each right
    jobs: list[Record] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    addresses: list[Record] | None = None  # None of AWX 23, where instances listen themselves

    def of_kinds(self) -> "list[tuple[RecordKind, list[Record]]]":
        """What can be stored without regard to other records."""
        nodes = LISTENING_NODES if self.addresses is None else NODES
        return [(nodes, self.instances), (INSTANCE_GROUPS, self.groups), (USERS, self.users)]


@dataclass(frozen=True)
class RecordKind:
    """A list of AWX whose records have endpoints of their own."""

    name: str  # one of left_out.KINDS
    list: str
    table: Table
    noun: str
    label: str
    """The field by which an operator knows a record."""

    def describe(self, record: Record) -> str:
        return f"{self.noun} {record['id']} ({shown(record[self.label])})"


NODES = RecordKind("instances", "instances", INSTANCES, "instance", "hostname")
LISTENING_NODES = replace(NODES, table=LISTENING_INSTANCES)  # those of AWX 23
RECEPTORS = RecordKind("addresses", "receptor_addresses", ADDRESSES, "address", "address")
INSTANCE_GROUPS = RecordKind("groups", "instance_groups", GROUPS, "instance group", "name")
USERS = RecordKind("users", "users", ACCOUNTS, "user", "username")


class MirroredRows:
    """The rows for these records, and the records that are ``left_out``, since this service cannot store them.

    What belongs to a record that is left out is left out with it. Raises SnapshotError where a record is malformed,
    and where nothing of a list would remain: then something is wrong with the list, and not with a record.
    """

    def __init__(self, records: Records) -> None:
        refuse_incomplete_records(records)
        self.left_out = list(records.left_out)
        self.names: dict[tuple[str, int], str] = {}
        nodes, groups, accounts = (self.valid_rows(*each) for each in records.of_kinds())
        if records.addresses is None:
            links = self.valid_links(records.links, nodes, NODES, nodes)
            addresses = canonical_addresses(nodes, {link["target_id"] for link in links})
        else:
            addresses = self.valid_addresses(records.addresses, nodes)
            links = self.valid_links(records.links, nodes, RECEPTORS, addresses)
        self.accounts = list(accounts.values())
        self.roles = set(self.valid_roles(records.access, groups, accounts))
        self.of: dict[Table, list[Values]] = {
            INSTANCES: list(nodes.values()),
            ADDRESSES: list(addresses.values()),
            GROUPS: list(groups.values()),
            LINKS: links,
        }
        self.members = list(self.valid_members(records.groups, groups, nodes))
        self.jobs, left_out_jobs = job_rows(records.jobs, groups.keys())
        self.left_out += left_out_jobs
        self.nodes = {nodes[pk]["hostname"]: load for pk, load in loads(NODES, records.instances, nodes)}
        self.loads = dict(loads(INSTANCE_GROUPS, records.groups, groups))

    def leave_out(self, kind: str, name: str, reason: str) -> None:
        self.left_out.append(LeftOut(kind, name, reason))

    def valid_rows(self, kind: RecordKind, records: list[Record]) -> dict[int, Values]:
        """The rows of a list by their ids."""
        rows = []
        for number, record in enumerate(records):
            name = self.names[kind.name, record["id"]] = kind.describe(record)
            odd = OddRecord(f"{kind.list}[{number}]")
            values = row_values(kind, record, odd)
            odd.raise_if_any()
            if failure := record.get("failure"):
                odd.reasons.append(failure)
            if odd.reasons:
                self.leave_out(kind.name, name, "; ".join(odd.reasons))
            else:
                rows.append(TableRow(name, values))
        rows = self.distinct(kind.name, kind.table, rows)
        if records and not rows:
            reasons = [str(one) for one in self.left_out if one.kind == kind.name]
            raise SnapshotError(f"{kind.list}: none of the {len(records)} can be mirrored. {reasons[0]}")
        return {row.values["id"]: row.values for row in rows}

    def distinct(self, kind: str, table: Table, rows: list[TableRow]) -> list[TableRow]:
        """The rows without those whose unique values an earlier row has; these are left out."""
        keys = {column.attname: column.key for column in table.columns}
        for key in table.keys:
            first: dict[Any, TableRow] = {}
            again = set()
            for values, row in with_values_of(rows, key):
                if (other := first.setdefault(values, row)) is not row:
                    same = " and ".join(keys[name] for name in key)
                    self.leave_out(kind, row.place, f"it has the same {same} as {other.place}")
                    again.add(id(row))
            rows = [row for row in rows if id(row) not in again]
        return rows

    def valid_addresses(self, records: list[Record], nodes: dict[int, Values]) -> dict[int, Values]:
        """The rows of the addresses, by id: each of a node that has a row, and at most one canonical of each."""
        canonical: set[int] = set()
        valid = {}
        for pk, values in self.valid_rows(RECEPTORS, records).items():
            reasons = self.missing((NODES, values["instance_id"], nodes))
            if values["canonical"] and values["instance_id"] in canonical:
                reasons.append("another address of its node is canonical")
            if reasons:
                self.leave_out(RECEPTORS.name, self.name(RECEPTORS, pk), "; ".join(reasons))
                continue
            valid[pk] = values
            if values["canonical"]:
                canonical.add(values["instance_id"])
        return valid

    def valid_links(
        self, links: list[Record], nodes: dict[int, Values], kind: RecordKind, targets: dict[int, Values]
    ) -> list[Values]:
        """The rows of the links, which lead to records of this ``kind``: to ``targets`` if they are valid."""
        rows = []
        for number, link in enumerate(links):
            ends = [
                "nothing" if pk is None else self.name(of, pk)
                for of, pk in ((NODES, link["source"]), (kind, link["target"]))
            ]
            name = f"link {link['id']} from {ends[0]} to {ends[1]}"
            if "nothing" in ends:
                self.leave_out("links", name, "it has only one end" if ends != ["nothing"] * 2 else "it has no ends")
                continue
            odd = OddRecord(f"instance_links[{number}]")
            values = clean(link, LINKS.columns, odd.place, odd)
            odd.raise_if_any()
            odd.reasons += self.missing((NODES, link["source"], nodes), (kind, link["target"], targets))
            target = targets.get(link["target"], {})
            if link["source"] == target.get("instance_id", link["target"] if kind is NODES else None):
                odd.reasons.append("it leads from a node to itself")
            if odd.reasons:
                self.leave_out("links", name, "; ".join(odd.reasons))
            else:
                rows.append(TableRow(name, values))
        rows.sort(key=lambda row: [*LINK_STATES, row.values["link_state"]].index(row.values["link_state"]))
        return [row.values for row in self.distinct("links", LINKS, rows)]

    def valid_members(
        self, groups: list[Record], valid: dict[int, Values], nodes: dict[int, Values]
    ) -> Iterator[tuple[int, int]]:
        """Group and instance of each membership."""
        for group in groups:
            for node in group["instances"]:
                if reasons := self.missing((INSTANCE_GROUPS, group["id"], valid), (NODES, node, nodes)):
                    name = f"{self.name(NODES, node)} in {self.name(INSTANCE_GROUPS, group['id'])}"
                    self.leave_out("members", name, "; ".join(reasons))
                else:
                    yield group["id"], node

    def valid_roles(
        self,
        access: list[tuple[int, int, list[list[str]]]],
        groups: dict[int, Values],
        accounts: dict[int, Values],
    ) -> Iterator[tuple[int, int, str]]:
        """Group, user and role for each right: the strongest of the roles that it includes."""
        for group, user, rights in access:
            roles = {next(role for role in ROLES if role in right) for right in rights if {*ROLES}.intersection(right)}
            reasons = self.missing((INSTANCE_GROUPS, group, groups), (USERS, user, accounts))
            for role in sorted(roles):
                if reasons:
                    name = f"{role} of {self.name(USERS, user)} on {self.name(INSTANCE_GROUPS, group)}"
                    self.leave_out("roles", name, "; ".join(reasons))
                else:
                    yield group, user, role

    def name(self, kind: RecordKind, pk: int) -> str:
        return self.names.get((kind.name, pk), f"{kind.noun} {pk}")

    def missing(self, *references: tuple[RecordKind, int, dict[int, Values]]) -> list[str]:
        """The reasons to leave out a record that refers to these ids; empty where all of them have a row."""
        return [
            f"{self.name(kind, pk)} is left out" if (kind.name, pk) in self.names else f"no {kind.noun} has the id {pk}"
            for kind, pk, valid in references
            if pk not in valid
        ]


def canonical_addresses(nodes: dict[int, Values], linked: Container[int]) -> dict[int, Values]:
    """The rows of the canonical addresses of nodes of AWX 23 that listen or are ``linked``, each with its node's id.

    Takes what an address has out of the rows of ``nodes``, and completes these.
    """
    addresses = {}
    for pk, node in nodes.items():
        listener = {"port": node.pop("port"), "peers_from_control_nodes": node.pop("peers_from_control_nodes")}
        node["managed"] = node["node_type"] in CONTROLLING
        if listener["port"] is not None or listener["peers_from_control_nodes"] or pk in linked:
            addresses[pk] = {
                "id": pk,
                "address": node["hostname"],
                "protocol": ReceptorAddress.Protocol.TCP.value,
                "websocket_path": "",
                "is_internal": False,
                "canonical": True,
                "instance_id": pk,
                **listener,
            }
    return addresses


def refuse_incomplete_records(records: Records) -> None:
    """Raise SnapshotError if a record lacks a field: unlike a snapshot, a mirror must not fill in defaults."""
    problems = Problems()
    for kind, records_of_kind in records.of_kinds():
        for n, record in enumerate(records_of_kind):
            for key in (each.key for each in kind.table.columns if each.key not in record):
                problems.add(f"{kind.list}[{n}].{key}", "is missing")
    problems.raise_if_any()


def row_values(kind: RecordKind, record: Record, odd: OddRecord) -> Values:
    values = clean(record, kind.table.columns, odd.place, odd)
    if kind is INSTANCE_GROUPS:
        summary, place = record.get("summary_fields", {}), within(odd.place, "summary_fields")
        if isinstance(summary, dict):
            values |= clean(summary, GROUP_SUMMARY, place, odd)
        else:
            odd.add(place, wrong_kind("an object", summary))
    return values


def loads(kind: RecordKind, records: list[Record], valid: dict[int, Values]) -> Iterator[tuple[int, ReportedLoad]]:
    """The load of each record that has a row, by its id."""
    problems = Problems()
    for number, record in enumerate(records):
        if record["id"] in valid:
            yield record["id"], reported_load(record, kind.list, number, problems)
    problems.raise_if_any()


def reported_load(record: Record, name: str, number: int, problems: Problems) -> ReportedLoad:
    figures: dict[str, Any] = {figure.name: record.get(figure.name) for figure in fields(ReportedLoad)}
    for key, value in figures.items():
        if type(value) not in (int, float) or abs(value) > MOST_LOAD:
            problems.add(f"{name}[{number}].{key}", f"must be a number, not {shown(value)}")
            return ReportedLoad(0, 0, 0)
    return ReportedLoad(**{key: int(value) for key, value in figures.items()})
