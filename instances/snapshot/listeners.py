"""The canonical addresses of a snapshot of AWX 23, which knows instances that listen, and links to instances."""

from typing import Any

from django.db import connection

from instances.models import Instance, ReceptorAddress
from instances.snapshot.content import Content
from instances.snapshot.tables import TO_INSTANCES, TableRow

NOTHING = {"port": None, "peers_from_control_nodes": False}


def addresses(content: Content) -> list[TableRow]:
    """The canonical address of each instance that has one by now, listens, or is linked to; others stay without.

    One that has none keeps what it has, if the snapshot only has links to it.
    """
    targets = {row.values["target_id"] for row in content.rows[TO_INSTANCES]}
    concerned = Instance.objects.filter(pk__in=content.listeners.keys() | targets).order_by("pk")
    rows = []
    for instance in concerned.select_related("canonical_address"):
        stored = instance.canonical_address
        listener = content.listeners.get(instance.pk, stored and listener_of(stored)) or NOTHING
        if stored or listener != NOTHING or instance.pk in targets:
            values = {"address": instance.hostname, "canonical": True, "instance_id": instance.pk, **listener}
            rows.append(TableRow("", {"id": stored and stored.pk, **values}))
    fill_ids([row for row in rows if row.values["id"] is None])
    return rows


def listener_of(address: ReceptorAddress) -> dict[str, Any]:
    return {name: getattr(address, name) for name in NOTHING}


def fill_ids(rows: list[TableRow]) -> None:
    """Give these rows the next ids of their table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [ReceptorAddress._meta.db_table, len(rows)],
        )
        for row, (pk,) in zip(rows, cursor.fetchall(), strict=True):
            row.values["id"] = pk


def links(content: Content) -> list[TableRow]:
    """The links, now to canonical addresses."""
    targets = {row.values["target_id"] for row in content.rows[TO_INSTANCES]}
    canonical = ReceptorAddress.objects.filter(canonical=True, instance__in=targets)
    ids = dict(canonical.values_list("instance_id", "pk"))
    return [
        TableRow(row.place, {**row.values, "target_id": ids[row.values["target_id"]]})
        for row in content.rows[TO_INSTANCES]
    ]
