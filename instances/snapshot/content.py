"""The small lists of a snapshot, which fit in memory: everything but the jobs."""

from collections.abc import Iterable
from typing import Any

from instances.capacity import CONTROLLING
from instances.snapshot import tables
from instances.snapshot.columns import clean
from instances.snapshot.problems import Problems, shown
from instances.snapshot.tables import (
    ADDRESSES,
    GROUPS,
    HASHED_TOKENS,
    INSTANCES,
    LINKS,
    LISTENER,
    MEMBERS,
    ROLES,
    TO_INSTANCES,
    TOKENS,
    USERS,
    Table,
    TableRow,
)


class Content:
    """Rows by table, and the records that have lists of parts: a list that a record lacks changes nothing.

    ``listeners``: of each instance, by its id, the port and peers_from_control_nodes. Without the list of addresses,
    which only AWX 24 has, those are the instance's own, and links lead to instances (``TO_INSTANCES``).
    """

    LISTS = {
        "users": USERS,
        "instances": INSTANCES,
        "receptor_addresses": ADDRESSES,
        "instance_links": LINKS,
        "instance_groups": GROUPS,
        "tokens": HASHED_TOKENS,
    }

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self.rows: dict[Table, list[TableRow]] = {
            table: [] for table in [*self.LISTS.values(), TO_INSTANCES, TOKENS, ROLES, MEMBERS]
        }
        self.owners: dict[Table, list[int]] = {ROLES: [], MEMBERS: []}
        self.listeners: dict[int, dict[str, Any]] = {}
        self.has_addresses = False

    def read(self, name: str, records: Iterable[Any]) -> None:
        """Add the records of the list ``name``, and their problems."""
        self.has_addresses |= name == "receptor_addresses"
        for index, record in enumerate(records):
            place = f"{name}[{index}]"
            if not isinstance(record, dict):
                self._problems.add(place, f"must be an object, not {shown(record)}")
                continue
            values = self._add(self.LISTS[name], record, place)
            match name:
                case "instances":
                    self._add_listener(record, values, place)
                case "users":
                    self._add_parts_of_user(record, values, place)
                case "instance_groups":
                    self._add_parts_of_group(record, values, place)

    def end(self) -> None:
        """To be called once all lists were read: only now it is known whether there are addresses and tokens."""
        if self.rows[TOKENS] and self.rows[HASHED_TOKENS]:
            self._problems.add("tokens", f"are given with their users already (also {self.rows[TOKENS][0].place})")
        if self.has_addresses:
            self.listeners.clear()
        else:
            self.rows[TO_INSTANCES], self.rows[LINKS] = self.rows[LINKS], []

    def ids(self, table: Table) -> set[int]:
        return {row.values["id"] for row in self.rows[table]}

    def _add(self, table: Table, record: dict[str, Any], place: str, **owner: Any) -> dict[str, Any]:
        values = clean(record, table.columns, place, self._problems) | owner
        self.rows[table].append(TableRow(place, values))
        return values

    def _add_listener(self, record: dict[str, Any], values: dict[str, Any], place: str) -> None:
        self.listeners[values.get("id", 0)] = clean(record, LISTENER, place, self._problems)
        if "managed" not in record:
            values["managed"] = values.get("node_type") in CONTROLLING

    def _add_parts_of_user(self, record: dict[str, Any], values: dict[str, Any], place: str) -> None:
        user = values.get("id")
        if "is_staff" not in record:
            values["is_staff"] = values.get("is_superuser", False)  # AWX's superusers administer this service too
        if values.get("password") and values.get("password_hash"):
            self._problems.add(f"{place}.password_hash", "is given beside the password")
        if record.get("token") is not None:
            self._add(TOKENS, record, place, user_id=user)
        for part, role in self._parts(ROLES, record, user, place):
            if isinstance(role, dict):
                self._add(ROLES, role, part, user_id=user)
            else:
                self._problems.add(part, f"must be an object, not {shown(role)}")

    def _add_parts_of_group(self, record: dict[str, Any], values: dict[str, Any], place: str) -> None:
        group = values.get("id")
        for part, member in self._parts(MEMBERS, record, group, place):
            self._add(MEMBERS, {"": member}, part, instancegroup_id=group)
        summary = record.get("summary_fields", {})
        if isinstance(summary, dict):
            values |= clean(summary, tables.GROUP_SUMMARY, f"{place}.summary_fields", self._problems)
        else:
            self._problems.add(f"{place}.summary_fields", f"must be an object, not {shown(summary)}")

    def _parts(self, table: Table, record: dict[str, Any], owner: Any, place: str) -> list[tuple[str, Any]]:
        """The places and the values of the record's list of parts, which replaces what ``owner`` has."""
        key = table.key
        if key not in record:
            return []
        parts = record[key]
        if not isinstance(parts, list):
            self._problems.add(f"{place}.{key}", f"must be a list, not {shown(parts)}")
            return []
        self.owners[table].append(owner)
        return [(f"{place}.{key}[{index}]", part) for index, part in enumerate(parts)]
