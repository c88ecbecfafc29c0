"""Who has which rights on which groups. Source: answers recorded from AWX 23.6.0 and 24.6.1.

AWX 23 lists them group by group in access_list/. AWX 24.6 assigns role definitions to users and teams, and its
access_list/ leaves out the rights of teams, and fails where a definition is not one of AWX's own.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from instances.mirror.left_out import LeftOut
from instances.mirror.records import INSTANCE_GROUPS, Record
from instances.snapshot.problems import shown

T = TypeVar("T")
ID = "[0-9]{1,18}"

Right = tuple[int, int, list[list[str]]]
"""A group, a user, and for each of that user's rights there the names of the roles that it includes."""

# The definitions are read last, so that none that was just made is missing.
LISTS = ("role_user_assignments", "role_team_assignments", "teams", "role_definitions")
# What must be permitted for each role here: nobody gets more from a definition than it grants.
NEEDED = {
    "admin_role": {"view_instancegroup", "use_instancegroup", "change_instancegroup", "delete_instancegroup"},
    "use_role": {"view_instancegroup", "use_instancegroup"},
    "read_role": {"view_instancegroup"},
}
MEMBERSHIP = "member_team"
GROUP, TEAM, ORGANIZATION, EVERYTHING = "instancegroup", "team", "organization", ""
OBJECTS = (GROUP, TEAM, ORGANIZATION, EVERYTHING)  # rights on others say nothing about groups


def are_assigned(root: Record) -> bool:
    """Whether the AWX whose ``/api/v2/`` is ``root`` assigns role definitions."""
    return root.keys() >= set(LISTS)


def on_group(group: Record) -> str:
    """What an operator is told if they cannot be read."""
    return f"access to {INSTANCE_GROUPS.describe(group)}"


def of_team(team: Record) -> str:
    """Likewise."""
    return f"access of the users of team {team['id']} ({shown(team.get('name'))})"


def listed(group: int, users: Iterable[Record]) -> list[Right]:
    """The rights of an access_list/; superusers and auditors see the group without any."""
    rights = ((user["id"], list(included_roles(user))) for user in users)
    return [(group, user, found) for user, found in rights if found]


def included_roles(user: Record) -> Iterator[list[str]]:
    summary = user.get("summary_fields", {})
    for right in [*summary.get("direct_access", []), *summary.get("indirect_access", [])]:
        if "resource_name" in right.get("role", {}):
            yield [str(role) for role in right.get("descendant_roles", [])]


@dataclass(frozen=True)
class Assignment:
    """What a user or a team, the ``actor``, may do with the object of a kind; with everything, if there is no kind."""

    actor: int
    kind: str
    pk: int
    permissions: frozenset[str]

    @property
    def roles(self) -> list[str]:
        return [role for role, needed in NEEDED.items() if needed <= self.permissions]

    def groups(self, groups: Iterable[int]) -> list[int]:
        """The groups, of those that there are or the one that it names, on which it gives a role."""
        if not self.roles or self.kind not in (GROUP, EVERYTHING):
            return []
        return [self.pk] if self.kind == GROUP else list(groups)

    def makes_member(self, team: Record) -> bool:
        """Whether its user has what the team has."""
        if MEMBERSHIP not in self.permissions:
            return False
        return (self.kind, self.pk) in ((TEAM, team["id"]), (ORGANIZATION, team.get("organization")), (EVERYTHING, 0))


class OddError(Exception):
    """What is assigned cannot be read; the message is the reason."""


def number(record: Record, field: str) -> int:
    """An id, which may be told as text."""
    value = record[field]
    if type(value) is int or (isinstance(value, str) and re.fullmatch(ID, value)):
        return int(value)
    raise OddError(f"{field} must be a number, not {shown(value)}")


def kind_of(record: Record) -> str:
    """The kind of the object that is assigned; rights on everything name none."""
    told = record["content_type"]
    if not isinstance(told, str | None):
        raise OddError(f"content_type must be a name, not {shown(told)}")
    return (told or EVERYTHING).rpartition(".")[2]


def permissions_of(definition: Record) -> tuple[int, frozenset[str]]:
    """The id of a role definition, and what it permits."""
    names = definition["permissions"]
    if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise OddError(f"permissions must be a list of names, not {shown(names)}")
    return definition["id"], frozenset(name.rpartition(".")[2] for name in names)


class Assignments:
    """All that AWX 24.6 assigns: the four lists of LISTS, in this order. What cannot be read of it is ``left_out``."""

    def __init__(
        self, of_users: list[Record], of_teams: list[Record], teams: list[Record], definitions: list[Record]
    ) -> None:
        self.left_out: list[LeftOut] = []
        self.permissions = dict(self.readable(definitions, permissions_of, "role definition {id}"))
        self.of_users = self.assignments(of_users, "user")
        self.of_teams = self.assignments(of_teams, "team")
        self.teams = {team["id"]: team for team in teams}

    def assignments(self, records: list[Record], actor: str) -> list[Assignment]:
        read, called = partial(self.assignment, actor=actor), f"role assignment {{id}} of a {actor}"
        return [found for found in self.readable(records, read, called) if found is not None]

    def assignment(self, record: Record, actor: str) -> Assignment | None:
        """What the record assigns; None where nothing follows from it here."""
        kind = kind_of(record)
        if kind not in OBJECTS:
            return None
        permissions = self.permissions.get(number(record, "role_definition"), frozenset())
        pk = number(record, "object_id") if kind or record["object_id"] else 0
        return Assignment(number(record, actor), kind, pk, permissions)

    def readable(self, records: Iterable[Record], read: Callable[[Record], T], called: str) -> Iterator[T]:
        for record in records:
            try:
                yield read(record)
            except OddError as reason:
                self.left_out.append(LeftOut("roles", called.format(id=record["id"]), str(reason)))

    def teams_with_rights(self) -> list[Record]:
        """The teams, of those that there are, that have a right on any group."""
        having = {one.actor for one in self.of_teams if one.groups([0])}
        return [self.teams[pk] for pk in sorted(having & self.teams.keys())]

    def rights(self, groups: Iterable[int], members: Mapping[int, Iterable[int]]) -> Iterator[Right]:
        """Who has which rights on the groups. ``members``: by team, the users whom AWX lists as such."""
        for assignment in self.of_users:
            for group in assignment.groups(groups):
                yield group, assignment.actor, [assignment.roles]
        for assignment in self.of_teams:
            for group in assignment.groups(groups):
                for user in sorted({*members.get(assignment.actor, ()), *self.assigned_members(assignment.actor)}):
                    yield group, user, [assignment.roles]

    def assigned_members(self, team: int) -> Iterator[int]:
        """The users with a right on the team, or on its organization, that makes them members."""
        if team in self.teams:
            yield from (one.actor for one in self.of_users if one.makes_member(self.teams[team]))
