"""Migration 0008: the ports of instances become those of addresses, links lead to these, and back again."""

import itertools
import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from tests.service import connected_to, new_database
from tests.test_migrations import schema

pytestmark = pytest.mark.slow

BEFORE, AFTER = "0007_bundles", "0008_addresses"
TYPES = ("control", "hybrid", "execution", "hop")
STATES = ("adding", "established", "removing")

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
def database(migrated: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The URL of one as it was before, to which Django's connection leads meanwhile."""
    with django_db_blocker.unblock(), new_database(migrated) as url, connected_to(url):
        migrate(BEFORE)
        yield url


def migrate(name: str) -> None:
    call_command("migrate", "instances", name, verbosity=0)


def fill(seed: int, *, mirrored: bool) -> None:
    """Nodes of all types with and without port and flag, and links in all states; or a mirror of these."""
    chance = random.Random(seed)
    models = MigrationExecutor(connection).loader.project_state([("instances", BEFORE)]).apps
    instance, link, mirror = (models.get_model("instances", name) for name in ("Instance", "InstanceLink", "Mirror"))
    pks = chance.sample(range(1, 99), 16)
    for number, pk in enumerate(pks):
        instance.objects.create(
            pk=pk,
            hostname=f"node-{pk}",
            node_type=TYPES[number % 4],
            listener_port=chance.choice((None, None, 0, 80, 27199, 65535)),
            peers_from_control_nodes=chance.random() < 0.3,
        )
    pairs = chance.sample(list(itertools.permutations(pks[:12], 2)), 20)  # the others are not linked
    for number, (source, target) in enumerate(pairs):
        link.objects.create(source_id=source, target_id=target, link_state=STATES[number % 3])
    if mirrored:
        now = timezone.now()
        mirror.objects.create(url="https://awx.example.org", version="23.6.0", began=now, finished=now)
        with connection.cursor() as cursor:
            for table in ("instance", "instancelink", "instancegroup", "instancegroup_instances", "unifiedjob"):
                cursor.execute(f"ALTER TABLE instances_{table} ENABLE TRIGGER instances_mirrored")


def rows(url: str, *tables: str) -> Rows:
    """All rows of these tables, by id."""
    with psycopg.connect(url) as database:
        return {
            table: [row for (row,) in database.execute(f"SELECT to_jsonb(t) FROM instances_{table} AS t ORDER BY id")]
            for table in tables
        }


def shape(url: str) -> set[tuple[str, str, str]]:
    """The schema, but for the order of the columns, which differs where a column was removed and is back."""
    return {each for each in schema(url) if each[0] != "column"}


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_port_flag_and_link_is_taken_along_and_back(seed: int, mirrored: bool, database: str) -> None:
    fill(seed, mirrored=mirrored)
    before, earlier = rows(database, "instance", "instancelink"), shape(database)
    linked = {link["target_id"] for link in before["instancelink"]}
    listening = [
        node
        for node in before["instance"]
        if node["listener_port"] is not None or node["peers_from_control_nodes"] or node["id"] in linked
    ]
    assert any(node["listener_port"] is None and not node["peers_from_control_nodes"] for node in listening)
    assert any(node["listener_port"] is None and node["peers_from_control_nodes"] for node in listening)
    assert len(listening) < len(before["instance"])

    migrate(AFTER)
    after = rows(database, "instance", "instancelink", "receptoraddress")
    assert after["receptoraddress"] == [
        {
            "id": number,
            "instance_id": node["id"],
            "address": node["hostname"],
            "port": node["listener_port"],
            "peers_from_control_nodes": node["peers_from_control_nodes"],
            "canonical": True,
            "protocol": "tcp",
            "websocket_path": "",
            "is_internal": False,
        }
        for number, node in enumerate(listening, start=1)
    ]
    own = {address["instance_id"]: address["id"] for address in after["receptoraddress"]}
    assert after["instancelink"] == [{**link, "target_id": own[link["target_id"]]} for link in before["instancelink"]]
    moved = ("listener_port", "peers_from_control_nodes")
    assert after["instance"] == [
        {
            **{name: value for name, value in node.items() if name not in moved},
            "managed": node["node_type"] in ("control", "hybrid"),
        }
        for node in before["instance"]
    ]
    assert is_guarded(database) == mirrored

    migrate(BEFORE)
    assert rows(database, "instance", "instancelink") == before
    assert shape(database) == earlier


def is_guarded(url: str) -> bool:
    """Whether the database refuses to delete addresses, as in a mirror."""
    with psycopg.connect(url) as database:
        try:
            database.execute("DELETE FROM instances_receptoraddress WHERE false")
        except psycopg.DatabaseError as error:
            return "awx.example.org" in str(error)
    return False


def test_it_goes_back_only_where_nothing_would_be_lost(database: str) -> None:
    """All of it is named, and nothing changed."""
    fill(4, mirrored=False)
    migrate(AFTER)
    tables = ("instance", "instancelink", "receptoraddress")
    with psycopg.connect(database) as stored:
        (another, path, internal, renamed, protocol) = (
            name for (name,) in stored.execute("SELECT address FROM instances_receptoraddress ORDER BY id LIMIT 5")
        )
        changes = {
            path: "websocket_path = 'mesh'",
            internal: "is_internal = true",
            renamed: "address = 'dialled-here'",
            protocol: "protocol = 'wss'",
        }
        for name, change in changes.items():
            stored.execute(f"UPDATE instances_receptoraddress SET {change} WHERE address = %s", [name])
        stored.execute(
            "INSERT INTO instances_receptoraddress (address, port, protocol, websocket_path, is_internal, canonical, "
            "peers_from_control_nodes, instance_id) SELECT 'second', 443, 'tcp', '', false, false, false, id "
            "FROM instances_instance WHERE hostname = %s",
            [another],
        )
        odd = stored.execute(
            "UPDATE instances_instance SET managed = false WHERE id = (SELECT min(id) FROM instances_instance "
            "WHERE node_type = 'control') RETURNING hostname"
        ).fetchall()
        odd += stored.execute(
            "UPDATE instances_instance SET managed = true WHERE id = (SELECT min(id) FROM instances_instance "
            "WHERE node_type = 'hop') RETURNING hostname"
        ).fetchall()
    before, earlier = rows(database, *tables), shape(database)
    with pytest.raises(DatabaseError) as refusal:
        migrate(BEFORE)
    lost = sorted(
        [
            f"the address second of {another}",
            f"the address {path} of {path}",
            f"the address {internal} of {internal}",
            f"the address dialled-here of {renamed}",
            f"the address {protocol} of {protocol}",
            f"that {odd[0][0]} is not managed",
            f"that {odd[1][0]} is managed",
        ]
    )
    message = str(refusal.value).partition("\n")[0]
    start, end = "The earlier version cannot store ", ". Remove it first, or restore a backup."
    assert message.startswith(start)
    assert message.endswith(end)
    assert sorted(message.removeprefix(start).removesuffix(end).split(", ")) == lost
    assert rows(database, *tables) == before
    assert shape(database) == earlier
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM django_migrations WHERE app = 'instances' ORDER BY id DESC LIMIT 1")
        assert cursor.fetchall() == [(AFTER,)]
