"""A pooler between the service and PostgreSQL, such as PgBouncer.

It refuses or ignores the settings with which a connection begins. In session mode the service makes them at the
beginning of each session. In transaction mode clients share the connections to PostgreSQL: the settings are those of
the role, which ``manage.py configure_database`` writes, and nothing may last longer than a transaction.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from psycopg import sql

from settings.env import SESSION, TRANSACTION

STATEMENTS = 5  # enough to see that a pooler changes the connection
PROBE = "instances_probe"  # the name of a prepared statement
TAKES_LONG = "its statements may take longer than those of requests, whose limit the database's user has there"


def register() -> None:
    """Register what a new connection does, and the check that ``migrate`` runs first."""
    connection_created.connect(set_for_session)
    checks.register(refuse_to_migrate, checks.Tags.database)


def set_for_session(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Receiver of connection_created: in session mode, make the settings of the connection, until it ends."""
    if settings.DATABASE_POOLER != SESSION:
        return
    with connection.cursor() as cursor:
        for name, value in settings.CONNECTION_SETTINGS.items():
            cursor.execute("SELECT set_config(%s, %s, false)", [name, value])


def refuse_to_migrate(databases: Sequence[str] | None = None, **options: Any) -> list[checks.CheckMessage]:
    """An error in transaction mode, where the database is checked."""
    if not databases or settings.DATABASE_POOLER != TRANSACTION:
        return []
    return [checks.Error(refusal("migrate", TAKES_LONG), id="instances.E002")]


def refusal(command: str, why: str) -> str:
    return (
        f"{command} cannot go through a pooler in transaction mode: {why}. Unset DATABASE_POOLER for it, and let "
        "DATABASE_URL lead to PostgreSQL itself, or to a pooler in session mode with DATABASE_POOLER=session."
    )


def lost_settings(wanted: dict[str, str]) -> dict[str, str]:
    """Those of the settings ``wanted`` that the connection has not, with the values that it has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(wanted)])
        return {name: value for name, value in cursor.fetchall() if value != wanted[name]}


def shares_connections() -> bool:
    """Whether the pooler gives clients the same connection in turn, as in transaction mode.

    A busy one in that mode might not do so in these few statements.
    """
    other = connection.copy()
    try:
        own, others = processes(connection), processes(other)
    finally:
        other.close()
    return len(own) > 1 or own == others


def processes(connection: BaseDatabaseWrapper) -> set[int]:
    """The processes of PostgreSQL that execute a few statements of this connection."""
    with connection.cursor() as cursor:
        return {cursor.execute("SELECT pg_backend_pid()").fetchone()[0] for _ in range(STATEMENTS)}


def separates_prepared_statements() -> bool:
    """Whether clients may have prepared statements of the same name: the pooler gives them other names then."""
    connection.ensure_connection()
    client: Any = connection.connection
    with client.transaction():
        client.pgconn.prepare(PROBE.encode(), b"SELECT 1")
        if client.execute("SELECT 1 FROM pg_prepared_statements WHERE name = %s", [PROBE]).fetchone() is None:
            return True
        client.execute(f"DEALLOCATE {PROBE}")
        return False


def role_statements() -> list[str]:
    """The SQL that makes ``SERVING_SETTINGS`` those of this role's connections to this database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_database()")
        role, database = map(sql.Identifier, cursor.fetchone())
        return [
            sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} TO {}")
            .format(role, database, sql.Identifier(name), sql.Literal(value))
            .as_string(cursor.connection)
            for name, value in settings.SERVING_SETTINGS.items()
        ]
