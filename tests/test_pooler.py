"""A pooler between the service and PostgreSQL: settings of connections, and what does not go through."""

from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.db import OperationalError, connection

from instances import pooler
from instances.database import limit_statements, reason
from settings import env

SYNC = ("sync_awx", "--url", "https://awx.example.org", "--token-file", "/dev/null")
SQL = "SELECT unnest(setconfig) FROM pg_db_role_setting JOIN pg_database ON oid = setdatabase WHERE datname = %s"


def settings_of_the_role() -> set[str]:
    """Those of any role in this database."""
    with connection.cursor() as cursor:
        cursor.execute(SQL, [connection.settings_dict["NAME"]])
        return {row[0] for row in cursor.fetchall()}


def shown(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return str(cursor.fetchone()[0])


@pytest.mark.parametrize("mode", ["", "session", "transaction"])
def test_a_pooler_is_sent_no_settings(mode: str) -> None:
    described = env.database("dbname=x", connect_timeout=2, settings={"statement_timeout": "5"}, pooler=mode)
    assert described["OPTIONS"].get("options") == (None if mode else "-c statement_timeout=5")
    assert described["DISABLE_SERVER_SIDE_CURSORS"] == (mode == "transaction")


@pytest.mark.parametrize("mode", ["", "session", "transaction"])
def test_settings_in_the_url_take_precedence(mode: str) -> None:
    url = "dbname=x options='-c statement_timeout=7'"
    settings = env.connection_settings(url, 5)
    assert settings == {"random_page_cost": "1.1", "plan_cache_mode": "force_generic_plan"}
    options = env.database(url, connect_timeout=2, settings=settings, pooler=mode)["OPTIONS"]["options"]
    assert options.split("-c ")[-1] == "statement_timeout=7"
    assert ("plan_cache_mode" in options) == (mode == "")


@pytest.mark.django_db
def test_lost_settings_are_found(settings: Any) -> None:
    assert pooler.lost_settings(settings.CONNECTION_SETTINGS) == {}
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL random_page_cost TO 3")
    assert pooler.lost_settings(settings.CONNECTION_SETTINGS) == {"random_page_cost": "3"}


@pytest.mark.django_db(transaction=True)
def test_a_session_is_given_its_settings(settings: Any) -> None:
    connection.close()
    settings.DATABASE_POOLER = "session"
    settings.CONNECTION_SETTINGS = {"statement_timeout": "4321", "random_page_cost": "2.5"}
    try:
        assert pooler.lost_settings(settings.CONNECTION_SETTINGS) == {}
    finally:
        connection.close()


@pytest.mark.django_db
@pytest.mark.parametrize("options", [[], ["--dry-run"]], ids=["write", "dry-run"])
def test_the_settings_of_the_role_are_written(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    call_command("configure_database", *options)
    wanted = {"random_page_cost=1.1", "plan_cache_mode=force_generic_plan", "statement_timeout=800"}
    assert settings_of_the_role() == (set() if options else wanted)
    printed = capsys.readouterr().out
    assert printed.count("ALTER ROLE") == 3
    assert ("dry run" in printed) == bool(options)


@pytest.mark.django_db
def test_the_printed_sql_is_what_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("configure_database", "--dry-run")
    with connection.cursor() as cursor:
        cursor.execute(capsys.readouterr().out)
    assert "statement_timeout=800" in settings_of_the_role()


@pytest.mark.parametrize("command", [("worker",), SYNC, ("import_awx", "-"), ("verify_counters",)], ids=lambda c: c[0])
def test_what_needs_a_connection_of_its_own_refuses_a_shared_one(command: tuple[str, ...], settings: Any) -> None:
    settings.DATABASE_POOLER = "transaction"
    with pytest.raises(
        CommandError, match=f"^{command[0]} cannot go through a pooler in transaction mode: "
    ) as refused:
        call_command(*command)
    assert "\n" not in str(refused.value)


@pytest.mark.django_db
def test_migrate_refuses_a_shared_connection(settings: Any) -> None:
    call_command("check", databases=["default"])
    settings.DATABASE_POOLER = "transaction"
    with pytest.raises(SystemCheckError, match="migrate cannot go through a pooler in transaction mode"):
        call_command("check", databases=["default"])


@pytest.mark.django_db(transaction=True)
def test_a_limit_of_time_leaves_nothing_in_a_shared_connection(settings: Any) -> None:
    settings.DATABASE_POOLER = "transaction"
    with connection.cursor() as cursor, limit_statements(5_000):
        cursor.execute("SELECT pg_sleep(0.6)")
        cursor.execute("SELECT 1")
        assert connection.in_atomic_block
        assert shown("statement_timeout") != "0"
    assert shown("statement_timeout") == "0"


@pytest.mark.django_db(transaction=True)
def test_a_limit_of_time_ends_statements_of_a_shared_connection(settings: Any) -> None:
    def ask() -> None:
        with connection.cursor() as cursor, limit_statements(400):
            for _ in range(100):
                cursor.execute("SELECT pg_sleep(0.05)")

    settings.DATABASE_POOLER = "transaction"
    with pytest.raises(OperationalError, match="statement timeout"):
        ask()
    assert shown("statement_timeout") == "0"


@pytest.mark.django_db
def test_without_a_pooler_no_connection_is_shared() -> None:
    assert not pooler.shares_connections()


def test_the_error_of_a_pooler_says_what_to_set() -> None:
    assert "set DATABASE_POOLER" in reason(psycopg.OperationalError("FATAL: unsupported startup parameter: options"))
