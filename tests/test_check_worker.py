"""``manage.py check_worker``: what it says of the heartbeats in the database, and of a worker that is killed."""

import signal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from instances import startup
from tests.service import manage, new_database
from tests.test_worker import until, working


def add_worker(silence: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(secs => %s))", [silence]
        )


@pytest.mark.django_db
@pytest.mark.parametrize("heartbeat", [1, 5, 60])
def test_a_worker_counts_until_it_has_missed_three_heartbeats(
    heartbeat: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with override_settings(WORKER_HEARTBEAT=heartbeat):
        with pytest.raises(CommandError, match="No worker runs"):
            call_command("check_worker")
        add_worker(3 * heartbeat + 1)
        with pytest.raises(CommandError, match=f"was {3 * heartbeat + 1} seconds ago; after {3 * heartbeat} "):
            call_command("check_worker")
        add_worker(3 * heartbeat - 1)
        call_command("check_worker")
    assert f"{3 * heartbeat - 1} seconds ago" in capsys.readouterr().out


@pytest.mark.django_db
def test_an_unmigrated_database_is_named() -> None:
    app, name = sorted(startup.newest_migrations())[0]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = %s AND name = %s", [app, name])
    with pytest.raises(CommandError, match="awx-instances migrate"):
        call_command("check_worker")


@pytest.mark.slow
@pytest.mark.django_db
def test_a_killed_worker_is_missed(dataset_template: str) -> None:
    with new_database(dataset_template) as url:

        def check() -> int:
            return manage(url, "check_worker", check=False, WORKER_HEARTBEAT="1").returncode

        assert check() == 1
        with working(url, signal.SIGKILL, WORKER_HEARTBEAT="1"):
            until(lambda: check() == 0)
        until(lambda: check() == 1)


@pytest.mark.slow
def test_without_a_database_the_reason_is_said() -> None:
    done = manage("postgresql://nobody:hunter2@127.0.0.1:1/none", "check_worker", check=False)
    assert done.returncode == 1
    assert "The database cannot be reached" in done.stderr
    assert "hunter2" not in done.stderr
