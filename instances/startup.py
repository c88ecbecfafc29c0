"""Checks before a command that serves or works starts."""

import os
from argparse import ArgumentTypeError
from functools import cache
from ipaddress import ip_address

from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from psycopg.conninfo import make_conninfo

from instances import pooler
from instances.demonstration import LOGINS
from instances.mirror import spoken
from instances.models import User
from instances.not_shown import in_a_sentence
from settings.env import SESSION, TRANSACTION

SHORTEST_KEY = 50  # characters of SECRET_KEY, as Django's deployment check wants it
FEWEST = 5  # different ones, likewise
PLACEHOLDERS = ("…", "...", "changeme", "change-me", "change_me", "django-insecure-")


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
            "run 'awx-instances migrate' first."
        )


def refuse_shared_connections(command: str, why: str) -> None:
    """Raise CommandError if a pooler lets the command share its connection with others, transaction by transaction."""
    if settings.DATABASE_POOLER == TRANSACTION:
        raise CommandError(pooler.refusal(command, why))


def refuse_unfit_pooler() -> None:
    """Raise CommandError if what is between the service and PostgreSQL does not work as DATABASE_POOLER says."""
    mode = settings.DATABASE_POOLER
    if mode == SESSION and pooler.shares_connections():
        raise CommandError("The pooler is not in session mode: clients share its connections. Correct DATABASE_POOLER.")
    wanted = settings.SERVING_SETTINGS if mode == TRANSACTION else settings.CONNECTION_SETTINGS
    if lost := pooler.lost_settings(wanted):
        found = ", ".join(f"{name} is {value} in place of {wanted[name]}" for name, value in lost.items())
        remedy = (
            "run 'awx-instances configure_database', then let the pooler connect anew (PgBouncer: RECONNECT)"
            if mode == TRANSACTION
            else "a pooler ignores what they begin with; set DATABASE_POOLER to its mode, session or transaction"
        )
        raise CommandError(f"In connections to the database {found}: {remedy}.")
    if mode == TRANSACTION and not pooler.separates_prepared_statements():
        raise CommandError(
            "The pooler does not support prepared statements in transaction mode: PgBouncer does from 1.22 on, with "
            "max_prepared_statements above 0. Set that, or use session mode."
        )


@cache
def newest_migrations() -> frozenset[tuple[str, str]]:
    """The last migration of each app, as app and name: who has it has those before it."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


def has_all_migrations() -> bool:
    """Whether the database has every migration of this release, whatever further ones it has."""
    return newest_migrations() <= MigrationRecorder(connection).applied_migrations().keys()


def refuse_what_is_not_shown() -> None:
    """Raise CommandError if the version of AWX that is spoken cannot show what is stored."""
    if names := spoken.not_shown():
        raise CommandError(
            f"AWX {settings.AWX_VERSION} cannot show {in_a_sentence(names)}. "
            "Choose another AWX_VERSION, or change this with the other one first."
        )


def refuse_weak_key() -> None:
    """Raise CommandError where others could find SECRET_KEY, and with it sign sessions, by trying."""
    key = settings.SECRET_KEY
    if len(key) < SHORTEST_KEY or len(set(key)) < FEWEST or any(each in key.lower() for each in PLACEHOLDERS):
        raise CommandError(
            f"SECRET_KEY must be {SHORTEST_KEY} random characters or more, and no placeholder. One is made by: "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"
        )


def refuse_debugging_in_public(host: str) -> None:
    """Raise CommandError where Django's pages for debugging would be shown beyond this machine."""
    if settings.DEBUG and not is_loopback(host):
        raise CommandError(f"DEBUG shows the service's insides to whoever reaches {host}: bind 127.0.0.1, or unset it.")


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def known_passwords() -> list[str]:
    """The names of the active users whose password is the one that the demonstration gave them."""
    users = User.objects.filter(username__in=LOGINS, is_active=True).order_by("username")
    return [user.username for user in users if check_password(user.username, user.password)]


def share_embedded_database() -> None:
    """Set DATABASE_URL for child processes to the embedded PostgreSQL, which this process keeps running for them."""
    if connection.settings_dict["ENGINE"] == "settings.embedded":
        connection.ensure_connection()
        host, port, name, user = (connection.settings_dict[key] for key in ("HOST", "PORT", "NAME", "USER"))
        os.environ["DATABASE_URL"] = make_conninfo(host=host, port=port, dbname=name, user=user)
    connection.close()
