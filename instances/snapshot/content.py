"""The small lists of a snapshot, which fit in memory: everything but the jobs."""

from collections.abc import Iterable
from typing import Any

from instances.snapshot import tables
from instances.snapshot.columns import clean
from instances.snapshot.problems import Problems, shown
from instances.snapshot.tables import GROUPS, INSTANCES, LINKS, MEMBERS, ROLES, TOKENS, USERS, Table, TableRow


class Content:
    """Rows by table, and the records that have lists of parts: a list that a record lacks changes nothing."""

    LISTS = {"users": USERS, "instances": INSTANCES, "instance_links": LINKS, "instance_groups": GROUPS}

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self.rows: dict[Table, list[TableRow]] = {table: [] for table in [*self.LISTS.values(), TOKENS, ROLES, MEMBERS]}
        self.owners: dict[Table, list[int]] = {ROLES: [], MEMBERS: []}

    def read(self, name: str, records: Iterable[Any]) -> None:
        """Add the records of the list ``name``, and their problems."""
        for index, record in enumerate(records):
            place = f"{name}[{index}]"
            if not isinstance(record, dict):
                self._problems.add(place, f"must be an object, not {shown(record)}")
                continue
            values = self._add(self.LISTS[name], record, place)
            match name:
                case "users":
                    self._add_parts_of_user(record, values, place)
                case "instance_groups":
                    self._add_parts_of_group(record, values, place)

    def ids(self, table: Table) -> set[int]:
        return {row.values["id"] for row in self.rows[table]}

    def _add(self, table: Table, record: dict[str, Any], place: str, **owner: Any) -> dict[str, Any]:
        values = clean(record, table.columns, place, self._problems) | owner
        self.rows[table].append(TableRow(place, values))
        return values

    def _add_parts_of_user(self, record: dict[str, Any], values: dict[str, Any], place: str) -> None:
        user = values.get("id")
        if record.get("token") is not None:
            self._add(TOKENS, record, place, user_id=user)
        for part, role in self._parts(ROLES, record, "instance_group_roles", user, place):
            if isinstance(role, dict):
                self._add(ROLES, role, part, user_id=user)
            else:
                self._problems.add(part, f"must be an object, not {shown(role)}")

    def _add_parts_of_group(self, record: dict[str, Any], values: dict[str, Any], place: str) -> None:
        group = values.get("id")
        for part, member in self._parts(MEMBERS, record, "instances", group, place):
            self._add(MEMBERS, {"": member}, part, instancegroup_id=group)
        summary = record.get("summary_fields", {})
        if isinstance(summary, dict):
            values |= clean(summary, tables.GROUP_SUMMARY, f"{place}.summary_fields", self._problems)
        else:
            self._problems.add(f"{place}.summary_fields", f"must be an object, not {shown(summary)}")

    def _parts(self, table: Table, record: dict[str, Any], key: str, owner: Any, place: str) -> list[tuple[str, Any]]:
        """The places and the values of the list ``record[key]``, which replaces what ``owner`` has."""
        if key not in record:
            return []
        parts = record[key]
        if not isinstance(parts, list):
            self._problems.add(f"{place}.{key}", f"must be a list, not {shown(parts)}")
            return []
        self.owners[table].append(owner)
        return [(f"{place}.{key}[{index}]", part) for index, part in enumerate(parts)]
