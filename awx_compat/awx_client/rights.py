"""The rights of users on groups. Source: answers recorded from AWX 23.6.0 and 24.6.1.

AWX 23 lists them group by group in access_list/. AWX 24.6 assigns role definitions to users and teams, and its
access_list/ leaves out the rights of teams, and fails where a definition is not one of AWX's own.
"""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from instances.mirror.jobs import Record
from instances.mirror.left_out import LeftOut
from instances.mirror.records import INSTANCE_GROUPS
from instances.snapshot.problems import shown

T = TypeVar("T")
ID = "[0-9]{1,18}"

Right = tuple[int, int, list[list[str]]]
"""A group, a user, and for each of that user's rights there the names of the roles that it includes."""

# The definitions are read last, so that none that was just created is missing.
LISTS = ("role_user_assignments", "role_team_assignments", "teams", "role_definitions")
# The permissions that each role needs here: a role is never more than what its definition grants.
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


def name_of_access(group: Record) -> str:
    """How messages name the rights on a group."""
    return f"access to {INSTANCE_GROUPS.describe(group)}"


def name_of_team_access(team: Record) -> str:
    """How messages name the rights of a team's users."""
    return f"access of the users of team {team['id']} ({shown(team.get('name'))})"


def of_access_list(group: int, users: Iterable[Record]) -> list[Right]:
    """The rights of an access_list/; superusers and auditors see the group without any."""
    rights = ((user["id"], list(included_roles(user))) for user in users)
    return [(group, user, roles) for user, roles in rights if roles]


def included_roles(user: Record) -> Iterator[list[str]]:
    """For each right of the user in an access_list/, the names of the roles that it includes."""
    summary = user.get("summary_fields", {})
    for right in [*summary.get("direct_access", []), *summary.get("indirect_access", [])]:
        if "resource_name" in right.get("role", {}):
            yield [str(role) for role in right.get("descendant_roles", [])]


@dataclass(frozen=True)
class Assignment:
    """The permissions of a user or a team, the ``actor``, on one object; on all objects if ``kind`` is empty."""

    actor: int
    kind: str
    pk: int
    permissions: frozenset[str]

    @property
    def roles(self) -> list[str]:
        """The names of the roles for which the permissions suffice."""
        return [role for role, needed in NEEDED.items() if needed <= self.permissions]

    def groups(self, groups: Iterable[int]) -> list[int]:
        """The groups on which it gives a role: the one that it names, or all ``groups``."""
        if not self.roles or self.kind not in (GROUP, EVERYTHING):
            return []
        return [self.pk] if self.kind == GROUP else list(groups)

    def makes_member(self, team: Record) -> bool:
        """Whether it makes its user a member of the team."""
        if MEMBERSHIP not in self.permissions:
            return False
        return (self.kind, self.pk) in ((TEAM, team["id"]), (ORGANIZATION, team.get("organization")), (EVERYTHING, 0))


class InvalidAssignmentError(Exception):
    """A record of an assignment is not valid; the message is the reason."""


def number(record: Record, field: str) -> int:
    """The id in a field, which may be a text. Raises InvalidAssignmentError."""
    value = record[field]
    if type(value) is int or (isinstance(value, str) and re.fullmatch(ID, value)):
        return int(value)
    raise InvalidAssignmentError(f"{field} must be a number, not {shown(value)}")


def kind_of(record: Record) -> str:
    """The model of the object; empty for rights on all objects. Raises InvalidAssignmentError."""
    content_type = record["content_type"]
    if not isinstance(content_type, str | None):
        raise InvalidAssignmentError(f"content_type must be a name, not {shown(content_type)}")
    return (content_type or EVERYTHING).rpartition(".")[2]


def permissions_of(definition: Record) -> tuple[int, frozenset[str]]:
    """The id of a role definition, and its permissions. Raises InvalidAssignmentError."""
    names = definition["permissions"]
    if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise InvalidAssignmentError(f"permissions must be a list of names, not {shown(names)}")
    return definition["id"], frozenset(name.rpartition(".")[2] for name in names)


class Assignments:
    """All assignments of AWX 24.6: the four lists of LISTS, in this order. Invalid records are in ``left_out``."""

    def __init__(
        self, of_users: list[Record], of_teams: list[Record], teams: list[Record], definitions: list[Record]
    ) -> None:
        self.left_out: list[LeftOut] = []
        self.permissions = dict(self.valid(definitions, permissions_of, "role definition {id}"))
        self.of_users = self.assignments(of_users, "user")
        self.of_teams = self.assignments(of_teams, "team")
        self.teams = {team["id"]: team for team in teams}

    def assignments(self, records: list[Record], actor: str) -> list[Assignment]:
        read, name = partial(self.assignment, actor=actor), f"role assignment {{id}} of a {actor}"
        return [assignment for assignment in self.valid(records, read, name) if assignment is not None]

    def assignment(self, record: Record, actor: str) -> Assignment | None:
        """The assignment of a record; None where it gives no right on groups."""
        kind = kind_of(record)
        if kind not in OBJECTS:
            return None
        permissions = self.permissions.get(number(record, "role_definition"), frozenset())
        pk = number(record, "object_id") if kind or record["object_id"] else 0
        return Assignment(number(record, actor), kind, pk, permissions)

    def valid(self, records: Iterable[Record], read: Callable[[Record], T], name: str) -> Iterator[T]:
        """What ``read`` returns for each valid record. ``name``, with ``{id}``, is how messages name the others."""
        for record in records:
            try:
                yield read(record)
            except InvalidAssignmentError as reason:
                self.left_out.append(LeftOut("roles", name.format(id=record["id"]), str(reason)))

    def teams_with_rights(self) -> list[Record]:
        """The teams that have a right on any group."""
        actors = {assignment.actor for assignment in self.of_teams if assignment.groups([0])}
        return [self.teams[pk] for pk in sorted(actors & self.teams.keys())]

    def rights(
        self, groups: Iterable[int], members: Mapping[int, Iterable[int]], all_seeing: Container[int]
    ) -> Iterator[Right]:
        """The rights of users on ``groups``. ``members``: by team, the ids of the users in AWX's list.

        ``all_seeing``: superusers and auditors, to whom an assignment on everything gives nothing that they lack.
        """
        for assignment, users in self.assigned(members):
            for group in assignment.groups(groups):
                for user in users:
                    if assignment.kind != EVERYTHING or user not in all_seeing:
                        yield group, user, [assignment.roles]

    def assigned(self, members: Mapping[int, Iterable[int]]) -> Iterator[tuple[Assignment, list[int]]]:
        """Each assignment, and the users who have what it permits."""
        yield from ((assignment, [assignment.actor]) for assignment in self.of_users)
        for assignment in self.of_teams:
            team = assignment.actor
            yield assignment, sorted({*members.get(team, ()), *self.assigned_members(team)})

    def assigned_members(self, team: int) -> Iterator[int]:
        """The users with a right on the team, or on its organization, that makes them members."""
        if team in self.teams:
            yield from (one.actor for one in self.of_users if one.makes_member(self.teams[team]))
