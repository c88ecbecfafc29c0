"""Typed reads of the environment, for the settings modules.

Every variable may instead be given as ``NAME_FILE``, the path of a file that contains the value, so that a secret
need not be in the environment. Invalid values are collected: ``seal()`` at the end of a settings module raises one
``SettingsError`` that names every invalid variable, never its value.
"""

import os
import re
from collections.abc import Callable, Collection
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from environs import EnvValidationError, FileAwareEnv, ValidationError
from environs import validate as validate
from platformdirs import user_data_path
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

DISTRIBUTION = "awx-instance-service"
PROJECT = Path(__file__).resolve().parent.parent  # a checkout, or site-packages


class SettingsError(ImproperlyConfigured):
    """The environment has invalid values; the message has one line for each."""


class Environment(FileAwareEnv):
    """environs' reader, which also collects the NAME_FILE that cannot be read."""

    def __init__(self) -> None:
        super().__init__(eager=False, strip_whitespace=True)

    def _get_value(self, env_key: str, default: Any) -> Any:
        try:
            return super()._get_value(env_key, default)
        except (ValueError, OSError):
            self._errors[f"{env_key}_FILE"].append("Must name a readable text file.")
            return ""

    def refuse(self, name: str, text: str) -> None:
        """Report the variable ``name`` as invalid, for a reason that involves other variables."""
        self._errors[name].append(text)

    def seal(self) -> None:
        """Raise SettingsError if any variable read so far is invalid."""
        try:
            super().seal()
        except EnvValidationError as error:
            problems: Any = error.error_messages
            lines = [f"  {name}: {' '.join(map(str, texts))}" for name, texts in sorted(problems.items())]
            raise SettingsError("The environment cannot be used:\n" + "\n".join(lines)) from None


LARGEST = 2**31 - 1  # PostgreSQL's integer


def between(least: int, most: int = LARGEST) -> validate.Range:
    return validate.Range(least, most, error=f"Must be from {least:,} to {most:,}.")


positive = between(1)
not_negative = between(0)
lifetime = between(1, 200_000_000_000)  # seconds: from now on, all days have a date
not_empty = validate.Length(min=1, error="Must not be empty.")
short_uuid = validate.Length(max=40, error="Must have at most 40 characters.")


UNIX = "unix"  # peers on a Unix socket, which have no address


def peers(entries: list[str]) -> None:
    """Validator: each entry is an address, a network as ``10.0.0.0/8``, or UNIX."""
    for entry in map(str.strip, entries):
        try:
            entry == UNIX or ip_network(entry)
        except ValueError:
            raise ValidationError("Must be addresses or networks, as 192.0.2.7,10.0.0.0/8, or unix.") from None


# Of the service's own paths.
FIRST_SEGMENTS = (
    *("admin", "api", "favicon.ico", "healthz", "nodes", "nodes.csv", "nodes.json", "planning", "readyz", "static"),
)
SEGMENT = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")


def base_path(value: str) -> str:
    """The path without a slash at its end; empty for ``/``."""
    return (value or "").rstrip("/")


def served_below(value: str) -> None:
    """Validator: ``value`` is empty, or a path below which no own path of the service could be meant."""
    if not base_path(value):
        return
    start, *segments = base_path(value).split("/")
    if start or not all(map(SEGMENT.fullmatch, segments)):
        raise ValidationError("Must be a path of letters, digits and -._~ that begins with a slash, as /awx.")
    if segments[0] in FIRST_SEGMENTS:
        raise ValidationError(f"Must not begin with {segments[0]}, which is one of the service's own paths.")


def names_below_api(taken: Collection[str]) -> Callable[[list[str]], None]:
    """A validator: each name can stand below /api/, where those in ``taken`` do already."""

    def validator(names: list[str]) -> None:
        for name in names:
            if not re.fullmatch(r"[\w-]{1,50}", name, re.ASCII):
                raise ValidationError("Must be names of letters, digits, - and _, separated by commas, as controller.")
            if name in taken:
                raise ValidationError(f"Must not have {name}, which is below /api/ already.")

    return validator


def cpu_quantity(value: str) -> None:
    """Validator: ``value`` is empty, or CPUs in Kubernetes' notation."""
    if value and (cores(value) is None or not 0 < (cores(value) or 0) < 1000):
        raise ValidationError("Must be a number of CPUs above 0 and below 1000, as 4, 0.5 or 500m.")


def memory_quantity(value: str) -> None:
    """Validator: ``value`` is empty, or memory in Kubernetes' notation."""
    if value and not 0 < (bytes_of(value) or 0) < 2**63:
        raise ValidationError("Must be an amount of memory, as 2Gi, 512M or a number of bytes.")


SUFFIXES = (
    {"": 1}
    | {
        prefix + suffix: base**power
        for suffix, base in (("", 1000), ("i", 1024))
        for power, prefix in enumerate("KMGTPE", start=1)
    }
    | {"k": 1000}
)


def cores(text: str) -> Decimal | None:
    """The number of CPUs of a text as ``500m`` or ``4``; None if it is invalid."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)(m?)", text, re.ASCII)
    return None if found is None else Decimal(found[1]) / (1000 if found[2] else 1)


def bytes_of(text: str) -> int | None:
    """The bytes of a text as ``2Gi``, ``512M`` or ``1024``; None if it is invalid."""
    found = re.fullmatch(r"(\d{1,19}(?:\.\d{1,9})?)([A-Za-z]{0,2})", text, re.ASCII)
    return None if found is None or found[2] not in SUFFIXES else int(Decimal(found[1]) * SUFFIXES[found[2]])


def default_data_dir() -> Path:
    """The folder of data: ``.data`` in a checkout, the account's own where the package is installed."""
    return PROJECT / ".data" if (PROJECT / "manage.py").exists() else user_data_path(DISTRIBUTION)


def can_be_written(folder: Path) -> bool:
    """Whether ``folder`` is writable, or can be created."""
    there = next(each for each in (folder, *folder.parents) if os.path.exists(each))
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def secret_line(value: str) -> None:
    """Validator: ``value`` can be sent in a header."""
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise ValidationError("Must be one line of ASCII without spaces.")


def postgresql_url(value: str) -> None:
    """Validator: ``value`` is empty, or a connection string of libpq's that names a database."""
    if not value:
        return
    try:
        named = conninfo_to_dict(value).get("dbname")
    except ProgrammingError:
        named = None
    if not named:
        raise ValidationError("Must name a database, as in postgresql://user:password@host:5432/name.")


# Connections count as lost after 4 seconds without an answer from the server's machine; keepalives in seconds,
# tcp_user_timeout in milliseconds.
LOST_SERVER = {"keepalives_idle": 2, "keepalives_interval": 1, "keepalives_count": 2, "tcp_user_timeout": 4_000}
SESSION, TRANSACTION = "session", "transaction"  # for what a pooler gives a client a connection of the server's
# Of all statements of a slow list together, so that its request takes less than 1 s.
SERVING_STATEMENT_TIMEOUT = 800  # milliseconds


def connection_parts(url: str | None) -> dict[str, Any]:
    """What libpq reads in ``url``; without one, what names the database of the embedded PostgreSQL."""
    try:
        return conninfo_to_dict(url or "dbname=postgres")
    except ProgrammingError:  # found by postgresql_url() already; seal() reports it with the others
        return {}


def connection_settings(url: str | None, statement_timeout: int) -> dict[str, str]:
    """PostgreSQL's settings of each connection, as ``pg_settings`` has them, without those in ``url``'s ``options``.

    ``statement_timeout`` is in milliseconds, 0 is no limit.
    """
    settings = {
        # The tables are small and in memory, where random reads cost hardly more than sequential ones.
        "random_page_cost": "1.1",
        # Prepared statements are look-ups, whose plan does not depend on the values.
        "plan_cache_mode": "force_generic_plan",
        "statement_timeout": str(statement_timeout),
    }
    chosen = str(connection_parts(url).get("options", ""))
    return {name: value for name, value in settings.items() if name not in chosen}


def database(
    url: str | None, connect_timeout: int | None, settings: dict[str, str], pooler: str | None
) -> dict[str, Any]:
    """Django's description of the database that ``url`` names, or of the embedded PostgreSQL without one.

    ``url`` is what libpq reads: ``postgresql://user@host:port/name?sslmode=require`` or ``host=… dbname=…``.
    ``connect_timeout`` is in seconds; one in ``url`` takes precedence. A connection begins with these ``settings``,
    unless there is a ``pooler``, which would refuse them: instances/pooler.py.
    """
    parts = connection_parts(url)
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    known = {names[part]: str(parts.pop(part)) for part in names if part in parts}
    options = [] if pooler else [f"-c {name}={value}" for name, value in settings.items()]
    if own := parts.pop("options", ""):
        options.append(str(own))
    engine = "django.db.backends.postgresql" if url else "settings.embedded"
    described = {
        "connect_timeout": connect_timeout,
        **LOST_SERVER,
        **parts,
        **({"options": " ".join(options)} if options else {}),
        "prepare_threshold": 0,  # instances.rows selects what is prepared; without a threshold nothing would be
    }
    # Each thread has a connection of its own, checked at the first statement of a request: so the first request after a
    # restart of the database succeeds, and requests do not wait for connections of other threads.
    return {
        "ENGINE": engine,
        **known,
        "OPTIONS": described,
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": pooler == TRANSACTION,  # they last longer than a transaction
    }
