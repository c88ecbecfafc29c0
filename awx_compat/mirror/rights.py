"""Who has which rights on which groups. Source: answers recorded from AWX 23.6.0 and 24.6.1.

AWX 23 lists them group by group in access_list/. AWX 24.6 assigns role definitions to users and teams, and its
access_list/ leaves out the rights of teams, and fails where a definition is not one of AWX's own.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from instances.mirror.records import Record

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


def are_assigned(root: Record) -> bool:
    """Whether the AWX whose ``/api/v2/`` is ``root`` assigns role definitions."""
    return root.keys() >= set(LISTS)


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


class Assignments:
    """All that AWX 24.6 assigns: the four lists of LISTS, in this order."""

    def __init__(
        self, of_users: list[Record], of_teams: list[Record], teams: list[Record], definitions: list[Record]
    ) -> None:
        self.permissions = {
            one["id"]: frozenset(name.rpartition(".")[2] for name in one["permissions"]) for one in definitions
        }
        self.of_users = [self.assignment(one, "user") for one in of_users]
        self.of_teams = [self.assignment(one, "team") for one in of_teams]
        self.teams = {team["id"]: team for team in teams}

    def assignment(self, record: Record, actor: str) -> Assignment:
        kind = (record["content_type"] or EVERYTHING).rpartition(".")[2]
        permissions = self.permissions.get(record["role_definition"], frozenset())
        return Assignment(int(record[actor]), kind, int(record["object_id"] or 0), permissions)

    def teams_with_rights(self) -> list[int]:
        """The teams, of those that there are, that have a right on any group."""
        return sorted({one.actor for one in self.of_teams if one.groups([0])} & self.teams.keys())

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
