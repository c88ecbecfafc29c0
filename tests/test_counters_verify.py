"""manage.py verify_counters: it finds each figure that is stored wrongly, and repairs it."""

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F

from instances.models import GroupLoad, InstanceGroup, JobCount, NodeLoad, UnifiedJob
from tests.make import make_jobs
from tests.test_counters import another_connection, counted, recounted

RIGHT = "All counters agree with the jobs.\n"


@pytest.fixture
def group(db: None) -> InstanceGroup:
    """Jobs on one node and in one group, counted."""
    group = InstanceGroup.objects.create(name="group")
    make_jobs(3, execution_node="exec-1", controller_node="control-1", instance_group=group, status="running")
    make_jobs(2)
    return group


def verify(*arguments: str) -> tuple[int, str]:
    """Its exit code, and what it prints."""
    output, code = io.StringIO(), 0
    try:
        call_command("verify_counters", *arguments, stdout=output)
    except SystemExit as end:
        code = end.code
    return code, output.getvalue()


def with_triggers(state: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE instances_unifiedjob {state} TRIGGER USER")


@pytest.mark.parametrize("options", [[], ["--repair"]])
def test_counters_that_are_right(options: list[str], group: InstanceGroup) -> None:
    assert verify(*options) == (0, RIGHT)


def test_no_jobs_are_right_too(db: None) -> None:
    assert verify() == (0, RIGHT)


def test_a_baseline_is_no_drift(group: InstanceGroup) -> None:
    NodeLoad.objects.create(node_id="exec-1", jobs_total=5, jobs_running=-1, impact=0, jobs_controlled=0, baseline=True)
    GroupLoad.objects.create(group=group.pk, jobs_total=5, jobs_running=-1, impact=0, baseline=True)
    assert verify("--repair") == (0, RIGHT)
    assert (NodeLoad.objects.get(baseline=True).jobs_total, GroupLoad.objects.get(baseline=True).jobs_total) == (5, 5)


def test_each_wrong_figure_is_named(group: InstanceGroup) -> None:
    NodeLoad.objects.filter(node="exec-1").update(jobs_total=F("jobs_total") + 4, impact=F("impact") - 1)
    GroupLoad.objects.all().delete()
    JobCount.objects.filter(status="running").update(jobs=9)
    code, output = verify()
    assert code == 1
    assert output.splitlines() == [
        "node exec-1: jobs_total is 7, counted 3",
        "node exec-1: impact is 2, counted 3",
        f"group {group.pk}: jobs_total is 0, counted 3",
        f"group {group.pk}: jobs_running is 0, counted 3",
        f"group {group.pk}: impact is 0, counted 3",
        "jobs exec-1, running, manual: jobs is 9, counted 3",
        "6 figures are wrong; --repair corrects them.",
    ]


def test_comparing_repairs_nothing(group: InstanceGroup) -> None:
    NodeLoad.objects.update(jobs_total=77)
    assert verify() == verify()
    assert verify()[0] == 1


def test_jobs_that_came_while_the_triggers_were_off_are_counted_by_a_repair(group: InstanceGroup) -> None:
    with_triggers("DISABLE")
    make_jobs(4, execution_node="exec-2", status="waiting", task_impact=2)
    UnifiedJob.objects.filter(execution_node="exec-1").delete()
    with_triggers("ENABLE")
    assert counted() != recounted()
    code, output = verify("--repair")
    assert code == 0
    assert "node exec-2: jobs_total is 0, counted 4" in output.splitlines()
    assert output.splitlines()[-1].endswith("were wrong and are repaired.")
    assert counted() == recounted()
    assert verify() == (0, RIGHT)


def test_as_json(group: InstanceGroup) -> None:
    assert json.loads(verify("--format", "json")[1]) == {"drift": [], "repaired": False}
    JobCount.objects.filter(status="running").update(jobs=9)
    drift = {"of": "jobs", "key": ["exec-1", "running", "manual"], "figure": "jobs", "kept": 9, "counted": 3}
    assert json.loads(verify("--format", "json")[1]) == {"drift": [drift], "repaired": False}
    assert json.loads(verify("--format", "json", "--repair")[1]) == {"drift": [drift], "repaired": True}
    assert json.loads(verify("--format", "json")[1]) == {"drift": [], "repaired": False}


@pytest.mark.django_db(transaction=True)
def test_a_repair_does_not_run_beside_a_writer() -> None:
    """Otherwise it could not know whether the figures of a writer that has not committed are in what it reads."""
    make_jobs(1, execution_node="exec-1")
    with another_connection() as writer, connection.cursor() as cursor:
        writer.execute("BEGIN; UPDATE instances_unifiedjob SET execution_node = 'exec-2'")
        cursor.execute("SET lock_timeout = '50ms'")
        assert verify() == (0, RIGHT)
        with pytest.raises(CommandError, match="lock timeout"):
            verify("--repair")
        writer.execute("COMMIT")
        assert verify("--repair") == (0, RIGHT)
        cursor.execute("RESET lock_timeout")


def test_a_format_that_it_does_not_know() -> None:
    with pytest.raises(CommandError, match="invalid choice: 'xml'"):
        verify("--format", "xml")
