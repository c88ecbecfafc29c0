"""Writing the small lists, and updating sequences and planner statistics afterwards."""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from instances.addresses import delete_unused_addresses
from instances.models import TokenNote
from instances.models.fields import HIGHEST_ID
from instances.snapshot import listeners
from instances.snapshot.content import Content
from instances.snapshot.tables import (
    ADDRESSES,
    GROUPS,
    HASHED_TOKENS,
    INSTANCES,
    JOBS,
    LINKS,
    TOKEN_DESCRIPTION,
    TOKEN_TIMES,
    TOKENS,
    USERS,
    Table,
    TableRow,
)

BATCH = 1000  # rows a statement
LAST_DAY = datetime(9999, 12, 31, tzinfo=UTC)


def clear() -> None:
    """Delete all rows of the tables that a snapshot fills."""
    for table in (JOBS, LINKS, GROUPS, ADDRESSES, INSTANCES, TOKENS, USERS):
        table.model._default_manager.all().delete()


def write(content: Content) -> None:
    """Write the rows of ``content``, over those with the same ids."""
    upsert(USERS, with_hashes(content.rows[USERS]))
    upsert(TOKENS, content.rows[TOKENS], expires=expiry())
    write_tokens(content.rows[HASHED_TOKENS])
    earlier = dict(INSTANCES.model._default_manager.values_list("pk", "hostname"))
    upsert(INSTANCES, content.rows[INSTANCES])
    upsert(GROUPS, content.rows[GROUPS])
    upsert(ADDRESSES, content.rows[ADDRESSES] or listeners.addresses(content, earlier))
    links = content.rows[LINKS] or listeners.links(content)
    exchange(LINKS, "id", [link.values["id"] for link in links], links)
    delete_unused_addresses()
    for table, owners in content.owners.items():
        exchange(table, table.owner, owners, content.rows[table])


def with_hashes(users: list[TableRow]) -> list[TableRow]:
    """The users with their passwords' hashes; one without a password has the stored hash, or an unusable one."""
    stored = dict(USERS.model._default_manager.values_list("pk", "password"))
    return [TableRow(row.place, with_hash(dict(row.values), stored)) for row in users]


def with_hash(user: dict[str, Any], stored: dict[int, str]) -> dict[str, Any]:
    password, given_hash = user.pop("password"), user.pop("password_hash")
    stored_hash = given_hash or (stored.get(user["id"]) if password is None else None)
    return {**user, "password": stored_hash or make_password(password)}


def write_tokens(rows: list[TableRow]) -> None:
    """Write tokens whose hashes are given, with their times and descriptions."""
    descriptions = {row.values["id"]: row.values.pop(TOKEN_DESCRIPTION.attname) for row in rows}
    upsert(HASHED_TOKENS, rows)
    # Inserting sets these times to the current one.
    HASHED_TOKENS.model._default_manager.bulk_update(
        [HASHED_TOKENS.model(**row.values) for row in rows], [each.attname for each in TOKEN_TIMES], batch_size=BATCH
    )
    TokenNote.objects.bulk_create(
        [TokenNote(token_id=pk, description=text) for pk, text in descriptions.items() if text is not None],
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["token"],
        update_fields=["description"],
    )


def expiry() -> datetime:
    """When a token that is written now expires; at the latest on the last day that there is."""
    now = timezone.now()
    seconds = min(settings.OAUTH2_ACCESS_TOKEN_EXPIRE_SECONDS, (LAST_DAY - now) // timedelta(seconds=1))
    return now + timedelta(seconds=seconds)


def upsert(table: Table, rows: list[TableRow], **values: Any) -> None:
    """Insert the rows, or update those whose ids are stored."""
    if not rows:
        return
    release_keys(table, rows)
    table.model._default_manager.bulk_create(
        [table.model(**row.values, **values) for row in rows],
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[name for name in (*rows[0].values, *values) if name != "id"],
    )


def release_keys(table: Table, rows: list[TableRow]) -> None:
    """Set the unique values of the stored rows that will be updated to placeholders, so that two may swap theirs."""
    stored = table.model._default_manager.filter(pk__in=[row.values["id"] for row in rows])
    nobodys = Concat(Value(f"{secrets.token_hex(8)} "), Cast("pk", CharField()))
    names = [name for key in table.keys for name in key if name != "id"]
    stored.update(**dict.fromkeys(names, nobodys), **table.released)


def exchange(table: Table, column: str, values: Iterable[int], rows: list[TableRow]) -> None:
    """Replace the rows whose ``column`` has one of ``values`` by ``rows``."""
    table.model._default_manager.filter(**{f"{column}__in": values}).delete()
    table.model._default_manager.bulk_create([table.model(**row.values) for row in rows], batch_size=BATCH)


def restart_sequences(tables: Iterable[Table]) -> None:
    """Restart the sequences of ids above the highest id of each table, where nothing else is stored."""
    with connection.cursor() as cursor:
        for table in tables:
            name = connection.ops.quote_name(table.model._meta.db_table)
            cursor.execute(f"SELECT pg_get_serial_sequence(%s, 'id'), coalesce(max(id), 0) + 1 FROM {name}", [name])  # noqa: S608
            sequence, following = cursor.fetchone()
            # Unlike setval() this is undone with the transaction.
            cursor.execute(f"ALTER SEQUENCE {sequence} RESTART WITH {min(following, HIGHEST_ID)}")


def move_sequences(tables: Iterable[Table]) -> None:
    """Move the sequences of ids above the highest id of each table; never back, since others may use them now."""
    with connection.cursor() as cursor:
        for table in tables:
            name = connection.ops.quote_name(table.model._meta.db_table)
            cursor.execute(
                f"SELECT setval(sequence, max(id)) FROM {name}, pg_get_serial_sequence(%s, 'id') AS sequence "  # noqa: S608
                "GROUP BY sequence HAVING max(id) > coalesce(pg_sequence_last_value(sequence::regclass), 0)",
                [name],
            )


def analyze(tables: Iterable[Table]) -> None:
    """Update the planner's statistics of the tables."""
    names = ", ".join(connection.ops.quote_name(table.model._meta.db_table) for table in tables)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {names}")
