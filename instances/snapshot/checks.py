"""Checks across the records of a snapshot: values that occur twice, and ids that no record has."""

from collections.abc import Iterator
from typing import Any

from django.db import models

from instances.models import ReceptorAddress
from instances.snapshot.content import Content
from instances.snapshot.problems import Problems, within
from instances.snapshot.tables import (
    ADDRESSES,
    GROUPS,
    HASHED_TOKENS,
    INSTANCES,
    LINKS,
    MEMBERS,
    ROLES,
    TO_INSTANCES,
    TOKENS,
    USERS,
    Table,
    TableRow,
)

Key = tuple[Any, ...]
REFERENCES = (
    (ADDRESSES, INSTANCES),
    (LINKS, INSTANCES),
    (LINKS, ADDRESSES),
    (TO_INSTANCES, INSTANCES),
    (MEMBERS, INSTANCES),
    (ROLES, GROUPS),
    (HASHED_TOKENS, USERS),
)


def check(content: Content, problems: Problems, *, replace: bool) -> None:
    """Add the problems between the records of ``content``, and between them and the rows that stay."""
    for table, rows in content.rows.items():
        check_keys(table, rows, problems)
    check_canonical(content.rows[ADDRESSES], problems)
    check_links(content, problems)
    for table, target in REFERENCES:
        check_references(table, content, target, problems, replace=replace)
    if not replace:
        for table in [*content.LISTS.values(), TO_INSTANCES, TOKENS]:
            check_stored_keys(table, content.rows[table], problems)
        check_stored_canonical(content.rows[ADDRESSES], problems)
        for table in (TOKENS, HASHED_TOKENS, ROLES):
            check_stored_owners(table, content.rows[table], problems)


def with_values_of(rows: list[TableRow], key: tuple[str, ...]) -> Iterator[tuple[Key, TableRow]]:
    """The rows with their values of ``key``; rows without a value in it, such as no address, are left out."""
    for row in rows:
        values = tuple(row.values[name] for name in key)
        if "" not in values and None not in values:
            yield values, row


def place_of(table: Table, row: TableRow, key: tuple[str, ...]) -> str:
    """The place of the field that fills the one column of ``key``; of the record if they are several."""
    keys = {column.attname: column.key for column in table.columns}
    return within(row.place, keys[key[0]] if len(key) == 1 else "")


def check_keys(table: Table, rows: list[TableRow], problems: Problems) -> None:
    for key in table.keys:
        first: dict[Key, TableRow] = {}
        for values, row in with_values_of(rows, key):
            other = first.setdefault(values, row)
            if other is not row:
                problems.add(place_of(table, row, key), f"is given twice (also {other.place})")


def check_canonical(addresses: list[TableRow], problems: Problems) -> None:
    first: dict[int, TableRow] = {}
    for row in addresses:
        if row.values.get("canonical") and (other := first.setdefault(row.values["instance_id"], row)) is not row:
            problems.add(f"{row.place}.canonical", f"its instance has a canonical address already, {other.place}")


def check_stored_canonical(addresses: list[TableRow], problems: Problems) -> None:
    """Add a problem for each canonical address of an instance that has another one stored, which is not updated."""
    given = {row.values["instance_id"]: row for row in addresses if row.values.get("canonical")}
    ids = [row.values["id"] for row in addresses]
    stored = ReceptorAddress.objects.filter(canonical=True, instance__in=given).exclude(pk__in=ids)
    for instance, pk in stored.values_list("instance_id", "pk"):
        place = f"{given[instance].place}.canonical"
        problems.add(place, f"its instance has a canonical address in the database already, with the id {pk}")


def check_links(content: Content, problems: Problems) -> None:
    """Add a problem for each link that leads back to its source."""
    given = {row.values["id"]: row.values["instance_id"] for row in content.rows[ADDRESSES]}
    linked = {row.values["target_id"] for row in content.rows[LINKS]}
    stored = ReceptorAddress.objects.filter(pk__in=linked - given.keys()).values_list("pk", "instance_id")
    owners = given | dict(stored)
    ends = [(row, owners.get(row.values["target_id"])) for row in content.rows[LINKS]]
    ends += [(row, row.values["target_id"]) for row in content.rows[TO_INSTANCES]]
    for row, target in ends:
        if row.values["source_id"] == target:
            problems.add(f"{row.place}.target", "is the source itself")


def check_references(table: Table, content: Content, target: Table, problems: Problems, *, replace: bool) -> None:
    """Add a problem for each row of ``table`` that refers to a row of ``target`` that will not exist."""
    references = [column for column in table.columns if column.target is target.model]
    wanted = {row.values[column.attname] for row in content.rows[table] for column in references}
    unknown = unknown_ids(wanted, content, target, replace=replace)
    for row in content.rows[table]:
        for column in references:
            if row.values[column.attname] in unknown:
                reason = missing_reference(target.model, row.values[column.attname])
                problems.add(within(row.place, column.key), reason)


def unknown_ids(wanted: set[int], content: Content, target: Table, *, replace: bool) -> set[int]:
    """Those of the ids that no row of ``target`` will have."""
    unknown = wanted - content.ids(target)
    if unknown and not replace:
        unknown -= set(target.model._default_manager.filter(pk__in=unknown).values_list("pk", flat=True))
    return unknown


def missing_reference(model: type[models.Model], pk: int) -> str:
    return f"no {model._meta.verbose_name} has the id {pk}"


def check_stored_keys(table: Table, rows: list[TableRow], problems: Problems) -> None:
    """Add a problem for each row with a unique value of a stored row that the snapshot does not update."""
    ids = [row.values["id"] for row in rows]
    for key in table.keys:
        given = dict(with_values_of(rows, key))
        others = table.model._default_manager.exclude(pk__in=ids).filter(
            **{f"{key[0]}__in": {values[0] for values in given}}
        )
        for *values, pk in others.values_list(*(table.paths.get(name, name) for name in key), "pk"):
            if row := given.get(tuple(values)):
                problems.add(place_of(table, row, key), f"is in the database already, with the id {pk}")


def check_stored_owners(table: Table, rows: list[TableRow], problems: Problems) -> None:
    """Add a problem for each row with the id of another user's token or role, which would be overwritten."""
    given = {row.values["id"]: row for row in rows if row.values["id"] is not None}
    noun = table.model._meta.verbose_name
    for pk, owner in table.model._default_manager.filter(pk__in=given).values_list("pk", "user_id"):
        if owner != given[pk].values["user_id"]:
            problems.add(place_of(table, given[pk], ("id",)), f"is the id of another user's {noun} in the database")
