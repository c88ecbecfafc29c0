"""The canonical addresses of a snapshot of AWX 23, which knows instances that listen, and links to instances."""

from typing import Any

from django.db import connection
from django.db.models import F, QuerySet

from instances.models import Instance, ReceptorAddress
from instances.snapshot.content import Content
from instances.snapshot.tables import TO_INSTANCES, TableRow

NOTHING = {"port": None, "peers_from_control_nodes": False}


def addresses(content: Content, earlier: dict[int, str]) -> list[TableRow]:
    """The canonical address of each instance that has one by now, listens, or is linked to; others stay without.

    ``earlier``: by id the hostnames before the import, with which addresses of the same name change. What the snapshot
    does not say of an instance stays; one that listens takes over a plain address of its own name.
    """
    targets = {row.values["target_id"] for row in content.rows[TO_INSTANCES]}
    concerned = Instance.objects.filter(pk__in=content.listeners.keys() | targets).order_by("pk")
    plain = plain_addresses(concerned)
    rows = []
    for instance in concerned.select_related("canonical_address"):
        stored, own = instance.canonical_address, plain.get(instance.pk)
        listener = content.listeners.get(instance.pk, stored and listener_of(stored)) or NOTHING
        if stored is None and own is not None and listener != NOTHING:
            stored = own
        if stored or listener != NOTHING or (instance.pk in targets and own is None):
            is_renamed = stored is None or stored.address == earlier.get(instance.pk)
            values = {"address": instance.hostname if is_renamed else stored.address, "canonical": True}
            rows.append(TableRow("", {"id": stored and stored.pk, **values, "instance_id": instance.pk, **listener}))
    fill_ids([row for row in rows if row.values["id"] is None])
    return rows


def plain_addresses(instances: QuerySet[Instance]) -> dict[int, ReceptorAddress]:
    """The addresses of these instances' own hostnames that are not canonical, by the ids of the instances."""
    found = ReceptorAddress.objects.filter(canonical=False, address=F("instance__hostname"), instance__in=instances)
    return {address.instance_id: address for address in found}


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
    """The links, now to canonical addresses, or to plain ones of the instances' own hostnames."""
    targets = {row.values["target_id"] for row in content.rows[TO_INSTANCES]}
    canonical = ReceptorAddress.objects.filter(canonical=True, instance__in=targets)
    plain = plain_addresses(Instance.objects.filter(pk__in=targets))
    ids = {pk: address.pk for pk, address in plain.items()} | dict(canonical.values_list("instance_id", "pk"))
    return [
        TableRow(row.place, {**row.values, "target_id": ids[row.values["target_id"]]})
        for row in content.rows[TO_INSTANCES]
    ]
