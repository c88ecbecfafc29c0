"""``manage.py configure_database``: write the settings of connections down in the database, for a pooler."""

from argparse import ArgumentParser
from typing import Any

from django.db import connection, transaction

from instances import pooler
from instances.management.refusing import ErrorReportingCommand


class Command(ErrorReportingCommand):
    help = (
        "Write the settings of the connections of serve down as those of the database's user, in this database alone. "
        "A pooler in transaction mode (DATABASE_POOLER=transaction) needs that. Connections have them from their "
        "beginning on: let the pooler make new ones afterwards, PgBouncer by RECONNECT."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="print the SQL, and change nothing")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        statements = pooler.role_statements()
        if not dry_run:
            with transaction.atomic(), connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        for statement in statements:
            self.stdout.write(f"{statement};")
        if dry_run:
            self.stdout.write("-- Nothing was changed: this was a dry run.")
