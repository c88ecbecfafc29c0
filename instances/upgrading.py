"""The check that a database can be upgraded to the current migrations."""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

APP = "instances"


def register() -> None:
    """Register the check, which ``migrate`` runs first."""
    checks.register(refuse_unfinished_history, checks.Tags.database)


def replaced_migrations() -> set[str]:
    """The names of the migrations that squashed migrations replace."""
    migrations = MigrationLoader(None).disk_migrations.values()
    return {name for migration in migrations for app, name in migration.replaces if app == APP}


def refuse_unfinished_history(databases: Sequence[str] | None = None, **options: Any) -> list[checks.CheckMessage]:
    """An error for each database that has some of the replaced migrations, and not all.

    Django would take what is left of the new ones for conflicting branches.
    """
    replaced = replaced_migrations()
    found: list[checks.CheckMessage] = []
    for database in databases or []:
        applied = {name for app, name in MigrationRecorder(connections[database]).applied_migrations() if app == APP}
        if replaced & applied and replaced - applied:
            found.append(unfinished(max(replaced & applied), max(replaced)))
    return found


def unfinished(last: str, needed: str) -> checks.Error:
    return checks.Error(
        f"The database was migrated up to {APP}.{last} by an older version; this one upgrades from {needed} on.",
        hint=f"Run 'awx-instances migrate' of the version that has {needed} first, then this one's.",
        id=f"{APP}.E001",
    )
