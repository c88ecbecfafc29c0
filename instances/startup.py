"""What the commands that run for long do before they begin."""

import os
from argparse import ArgumentTypeError

from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from psycopg.conninfo import make_conninfo


def positive(text: str) -> int:
    """The type of an argument that is a whole number, 1 or more."""
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def refuse_unmigrated_database() -> None:
    """Raise CommandError unless the database has every migration."""
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        first = missing[0][0]
        raise CommandError(
            f"{len(missing)} migrations are not applied, the first of them {first.app_label}.{first.name}: "
            "run 'manage.py migrate' first."
        )


def share_embedded_database() -> None:
    """Tell child processes where the embedded PostgreSQL is, which this process holds for them."""
    if connection.settings_dict["ENGINE"] == "settings.embedded":
        connection.ensure_connection()
        host, port, name, user = (connection.settings_dict[key] for key in ("HOST", "PORT", "NAME", "USER"))
        os.environ["DATABASE_URL"] = make_conninfo(host=host, port=port, dbname=name, user=user)
    connection.close()
