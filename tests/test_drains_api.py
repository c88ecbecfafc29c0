"""Draining nodes over the API and by the command, and what others see of it."""

import json
import logging
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from instances import drains
from instances.drains import DrainPlan
from instances.management.commands import drain as command
from instances.models import Drain, Instance, InstanceGroup, InstanceGroupRole, UnifiedJob, User
from tests.conftest import client_of
from tests.make import change_node, make_jobs, make_node

pytestmark = pytest.mark.django_db

FLEET = "/api/fleet/v1/"
DRAINS = f"{FLEET}drains/"
HOUR = timedelta(hours=1)
PLAN = DrainPlan("repair")


def path(node: Instance | str) -> str:
    return f"{FLEET}instances/{node}/drain/"


@pytest.fixture
def node(edge: InstanceGroup) -> Instance:
    node: Instance = edge.instances.get()
    return node


@pytest.fixture
def client(admin: User) -> APIClient:
    return client_of(admin)


def post(client: APIClient, where: str, **body: Any) -> Any:
    return client.post(where, body, format="json")


def statuses(client: APIClient, node: Instance) -> dict[str, tuple[str, str, str | None]]:
    found = client.get(f"{FLEET}instances/{node.pk}/conditions/").json()["results"]
    wanted = ("Draining", "Drained")
    return {
        each["type"]: (each["status"], each["reason"], each["last_transition"])
        for each in found
        if each["type"] in wanted
    }


# --- one node


def test_from_its_beginning_to_its_end(client: APIClient, node: Instance) -> None:
    assert client.get(path("exec-1")).status_code == 404
    make_jobs(1, status="running", execution_node="exec-1", name="deploy", unified_job_template=1)
    answer = post(client, path("exec-1"), reason="repair", then="enable")
    assert (answer.status_code, answer["Location"]) == (201, path("exec-1"))
    begun = answer.json()
    assert begun == client.get(path(str(node.pk))).json()
    assert (begun["requested_by"], begun["jobs_remaining"], begun["ended_how"]) == ("admin", 1, "")
    assert [(job["name"], job["eta"]["median"]) for job in begun["jobs"]] == [("deploy", None)]
    assert "no earlier run" in begun["eta"]["basis"]
    assert not client.get(f"/api/v2/instances/{node.pk}/").json()["enabled"]
    UnifiedJob.objects.update(status="successful")
    drains.advance()
    ended = client.get(path("exec-1")).json()
    assert (ended["ended_how"], ended["jobs_remaining"], ended["jobs"], ended["eta"]) == ("done", None, [], None)
    assert client.get(f"/api/v2/instances/{node.pk}/").json()["enabled"]


def test_a_drain_is_undone_once(client: APIClient, node: Instance) -> None:
    post(client, path("exec-1"), reason="repair")
    answer = client.delete(path("exec-1"))
    assert (answer.status_code, answer.json()["ended_how"], answer.json()["ended_by"]) == (200, "undone", "admin")
    assert client.delete(path("exec-1")).status_code == 404
    assert Instance.objects.get(pk=node.pk).enabled


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reason"),
        ({"reason": ""}, "reason"),
        ({"reason": 1}, "reason"),
        ({"reason": "x\0"}, "reason"),
        ({"reason": "x" * 1001}, "reason"),
        ({"reason": "x", "then": "explode"}, "then"),
        ({"reason": "x", "deadline": "soon"}, "deadline"),
        ({"reason": "x", "deadline": "2020-01-01T00:00:00Z"}, "deadline"),
        ({"reason": "x", "force": True}, "force_reason"),
        ({"reason": "x", "force_reason": "y"}, "force_reason"),
        ({"reason": "x", "dealine": "2030-01-01T00:00:00Z"}, "dealine"),
    ],
    ids=str,
)
def test_what_is_not_valid_is_refused_by_its_field(
    body: dict[str, Any], field: str, client: APIClient, node: Instance
) -> None:
    for where, further in ((path("exec-1"), {}), (DRAINS, {"instances": ["exec-1"]})):
        answer = post(client, where, **further, **body)
        assert (answer.status_code, list(answer.json())) == (400, [field])
    assert Instance.objects.get(pk=node.pk).enabled


def test_without_kubernetes_nothing_is_drained_to_be_removed(client: APIClient, node: Instance, settings: Any) -> None:
    settings.IS_K8S = False
    answer = post(client, path("exec-1"), reason="x", then="deprovision")
    assert (answer.status_code, list(answer.json())) == (400, ["then"])


def test_what_others_need_is_refused_with_the_reason(client: APIClient, node: Instance, edge: InstanceGroup) -> None:
    InstanceGroup.objects.filter(pk=edge.pk).update(policy_instance_minimum=1)
    answer = post(client, path("exec-1"), reason="repair")
    assert (answer.status_code, answer.json()) == (
        409,
        {"detail": "The group edge would keep 0 of the 1 enabled nodes that it needs."},
    )
    forced = post(client, path("exec-1"), reason="repair", force=True, force_reason="it burns")
    assert (forced.status_code, forced.json()["forced"], forced.json()["force_reason"]) == (201, True, "it burns")
    again = post(client, path("exec-1"), reason="repair", force=True, force_reason="it burns")
    assert (again.status_code, again.json()) == (409, {"detail": "exec-1 is being drained already."})


def test_who_does_what_is_logged(
    client: APIClient, node: Instance, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any
) -> None:
    caplog.set_level(logging.INFO, "instances.audit")
    with django_capture_on_commit_callbacks(execute=True):
        post(client, path("exec-1"), reason="repair", then="enable")
        client.delete(path("exec-1"))
    lines = [record.getMessage() for record in caplog.records if record.name == "instances.audit"]
    assert [line.partition(" from=")[0] for line in lines if line.startswith("drain")] == [
        'drain began node="exec-1" reason="repair" then="enable" force="" by="admin"',
        'drain ended node="exec-1" how="undone" then="enable" requested="admin" by="admin"',
    ]


# --- several nodes


def test_several_are_drained_all_or_none(client: APIClient, node: Instance) -> None:
    other = make_node("exec-2", node_type="execution")
    assert post(client, DRAINS, reason="x", instances=["exec-1", 987654]).json() == {
        "instances": ["There is no instance 987654."]
    }
    drains.begin([other.pk], PLAN)
    assert post(client, DRAINS, reason="x", instances=["exec-1", other.pk]).status_code == 409
    assert Instance.objects.get(pk=node.pk).enabled
    drains.undo(other.pk)
    answer = post(client, DRAINS, reason="x", instances=["exec-1", other.pk, "exec-1"])
    assert answer.status_code == 201
    assert [each["hostname"] for each in answer.json()["results"]] == ["exec-1", "exec-2"]


@pytest.mark.parametrize(
    "instances", [[], [True], [1.5], ["a\0"], [2**70], [None], "exec-1", ["exec-1"] * 101], ids=str
)
def test_what_names_no_nodes_is_refused(instances: Any, client: APIClient, node: Instance) -> None:
    answer = post(client, DRAINS, reason="x", instances=instances)
    assert (answer.status_code, list(answer.json())) == (400, ["instances"])


def test_the_list_has_all_the_latest_first(client: APIClient, node: Instance) -> None:
    other = make_node("exec-2", node_type="execution")
    drains.begin([node.pk], PLAN)
    drains.undo(node.pk)
    drains.begin([other.pk], PLAN)

    def listed(query: str) -> list[str]:
        return [each["hostname"] for each in client.get(f"{DRAINS}?{query}").json()["results"]]

    assert listed("") == ["exec-2", "exec-1"]
    assert listed("open=true") == ["exec-2"]
    assert listed("open=False") == ["exec-1"]
    assert listed("hostname=exec-1") == ["exec-1"]
    assert listed("open=true&hostname=exec-1") == []
    assert listed("page_size=1&page=2") == ["exec-1"]
    assert client.get(f"{DRAINS}?open=perhaps").status_code == 400
    assert client.get(f"{DRAINS}?hostname=%00").status_code == 400


@pytest.mark.parametrize("rows", [1, 20])
def test_the_list_costs_the_same_for_any_number(
    rows: int, client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Who asks, the drains, their jobs, the runs of the templates."""
    nodes = [make_node(f"node-{n}", node_type="execution") for n in range(rows)]
    for n, each in enumerate(nodes):
        make_jobs(rows, status="running", execution_node=each.hostname, unified_job_template=n + 1)
    drains.begin([each.pk for each in nodes], PLAN)
    with django_assert_num_queries(4):
        found = client.get(DRAINS).json()
    assert [each["jobs_remaining"] for each in found["results"]] == [rows] * rows


# --- who may, and who sees what


def test_a_groups_admin_sees_drains_of_its_nodes_without_jobs_and_drains_none(
    node: Instance, edge: InstanceGroup
) -> None:
    """As over AWX's API, where only superusers change ``enabled``, and jobs are seen by those who see everything."""
    user = User.objects.create_user("group-admin")
    InstanceGroupRole.objects.create(user=user, instance_group=edge, role="admin_role")
    hidden = make_node("hidden", node_type="execution")
    make_jobs(1, status="running", execution_node="exec-1", name="secret")
    drains.begin([node.pk, hidden.pk], PLAN)
    client = client_of(user)
    found = client.get(DRAINS).json()["results"]
    assert [each["hostname"] for each in found] == ["exec-1"]
    assert found == [client.get(path("exec-1")).json()]
    assert (found[0]["jobs_remaining"], found[0]["jobs"], found[0]["eta"]["job"]) == (1, [], None)
    assert "secret" not in json.dumps(found)
    for answer in (
        post(client, path(str(node.pk)), reason="x"),
        client.delete(path(str(node.pk))),
        post(client, DRAINS, reason="x", instances=["exec-1"]),
        client.get(path(str(hidden.pk))),
    ):
        assert answer.status_code == 403
    assert client.get(path("hidden")).status_code == 404
    assert Drain.objects.open().count() == 2


@pytest.mark.parametrize("sees_mirror", [False, True])
def test_where_the_mirrored_awx_is_those_learn_alone_who_see_the_mirror(
    sees_mirror: bool, node: Instance, edge: InstanceGroup, auditor: User
) -> None:
    user = auditor if sees_mirror else User.objects.create_user("group-admin")
    InstanceGroupRole.objects.create(user=user, instance_group=edge, role="admin_role")
    drains.begin([node.pk], PLAN)
    Drain.objects.update(pending_enabled=False, awx_error="awx.internal did not answer in time.")
    client = client_of(user)
    assert (client.get("/api/fleet/v1/mirror/").status_code == 403) is not sees_mirror
    browser = Client()
    browser.force_login(user)
    for found in (client.get(DRAINS), client.get(path("exec-1")), browser.get(f"/nodes/{node.pk}/")):
        assert found.status_code == 200
        assert ("awx.internal" in found.content.decode()) is sees_mirror


def test_a_drain_is_not_shown_as_that_of_a_node_that_got_the_id(
    client: APIClient, node: Instance, edge: InstanceGroup
) -> None:
    """An import gives the id to another node."""
    user = User.objects.create_user("group-admin")
    InstanceGroupRole.objects.create(user=user, instance_group=edge, role="admin_role")
    drains.begin([node.pk], PLAN)
    Instance.objects.filter(pk=node.pk).update(hostname="stranger")
    for each in (client, client_of(user)):
        assert each.get(path("stranger")).status_code == 404
    assert client_of(user).get(DRAINS).json()["count"] == 0
    assert client.get(DRAINS).json()["count"] == 1


def test_who_read_the_node_before_does_not_overwrite_the_drain(client: APIClient, node: Instance) -> None:
    """A client that asks for that by If-Match learns of each step that changed the node."""
    url = f"/api/v2/instances/{node.pk}/"
    for change in (
        lambda: drains.begin([node.pk], DrainPlan("x", "enable")),
        lambda: drains.undo(node.pk),
        lambda: drains.begin([node.pk], DrainPlan("x", "enable")),
        drains.advance,
    ):
        tag = client.get(url)["ETag"]
        change()
        answer = client.patch(url, {"enabled": True}, format="json", headers={"If-Match": tag})
        assert answer.status_code == 412


def test_an_auditor_sees_all_and_changes_nothing(node: Instance, auditor: User) -> None:
    make_jobs(1, status="running", execution_node="exec-1", name="deploy")
    drains.begin([node.pk], PLAN)
    found = client_of(auditor).get(DRAINS).json()["results"]
    assert [job["name"] for job in found[0]["jobs"]] == ["deploy"]
    assert client_of(auditor).delete(path(str(node.pk))).status_code == 403


# --- conditions


def test_the_conditions_say_how_far_it_is(client: APIClient, node: Instance) -> None:
    neither = {"Draining": ("False", "NotDraining", None), "Drained": ("False", "NotDraining", None)}
    assert statuses(client, node) == neither
    make_jobs(1, status="running", execution_node="exec-1")
    drains.begin([node.pk], DrainPlan("repair", deadline=timezone.now() + HOUR))
    drain = Drain.objects.get()
    began = told(drain.began)
    assert statuses(client, node) == {
        "Draining": ("True", "JobsRemain", began),
        "Drained": ("False", "JobsRemain", None),
    }
    long_ago = timezone.now() - 2 * HOUR
    Drain.objects.update(began=long_ago, deadline=timezone.now() - HOUR)
    assert statuses(client, node) == {
        "Draining": ("True", "DeadlinePassed", told(long_ago)),
        "Drained": ("False", "DeadlinePassed", None),
    }
    UnifiedJob.objects.update(status="successful")
    drains.take_step(drain.pk)
    since = told(Drain.objects.get().drained_at)
    drained = {"Draining": ("False", "NoJobsRemain", since), "Drained": ("True", "NoJobsRemain", since)}
    assert statuses(client, node) == drained
    drains.advance()
    assert not Drain.objects.open().exists()
    assert statuses(client, node) == drained  # as long as it stays disabled
    change_node(node, {"enabled": True})
    assert statuses(client, node) == neither
    change_node(node, {"enabled": False})  # it may have got jobs meanwhile
    assert statuses(client, node) == neither


@pytest.mark.parametrize("end", [drains.undo, lambda pk: drains.advance()], ids=["undone", "enabled again"])
def test_once_it_is_enabled_again_nothing_is_said_of_it(
    end: Callable[[int], Any], client: APIClient, node: Instance
) -> None:
    drains.begin([node.pk], DrainPlan("repair", "enable"))
    end(node.pk)
    assert {status for status, *_ in statuses(client, node).values()} == {"False"}


def told(moment: Any) -> str:
    return str(moment.isoformat().replace("+00:00", "Z"))


# --- the command


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0, errors: str = "") -> str:
    with pytest.raises(SystemExit) if code else nullcontext() as ended:
        call_command("drain", *arguments)
    assert code == (ended.value.code if ended else 0)
    printed = capsys.readouterr()
    assert errors in printed.err
    return printed.out


def test_the_command_drains_shows_and_undoes(
    client: APIClient, node: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    now = timezone.now()
    make_jobs(1, status="running", execution_node="exec-1", name="deploy\x1b", unified_job_template=1, started=now)
    make_jobs(1, unified_job_template=1, finished=now, elapsed=3700)
    begun = run(capsys, "exec-1", "--reason", "repair\n", "--deadline", "2h", "--then", "enable")
    assert begun.startswith("exec-1: 1 job left. Then: It is enabled again. Requested ")
    assert "deploy\\u001b), running: in 1 h, by the p90 in 1 h (median and p90 of 1 earlier" in begun
    assert run(capsys) == run(capsys, "--status") == run(capsys, "exec-1")
    drain = Drain.objects.get()
    assert abs(drain.deadline - timezone.now() - 2 * HOUR) < timedelta(minutes=5)  # type: ignore[operator]
    assert (drain.requested_by_name, drain.reason, drain.then) == ("", "repair\n", "enable")
    assert json.loads(run(capsys, "--json")) == client.get(DRAINS).json()["results"]
    assert run(capsys, "exec-1", "exec-1", "--undo").count("It was undone") == 1
    assert Instance.objects.get(pk=node.pk).enabled
    assert run(capsys) == "No node is being drained.\n"
    assert "It was undone" in run(capsys, "exec-1", "--status")
    assert json.loads(run(capsys, "exec-1", "--json")) == client.get(DRAINS).json()["results"]


def test_the_command_is_refused_in_words(node: Instance, edge: InstanceGroup) -> None:
    InstanceGroup.objects.filter(pk=edge.pk).update(policy_instance_minimum=1)
    for arguments, message in (
        (["exec-1", "--reason", "x"], "edge would keep 0 of the 1"),
        (["exec-1", "--reason", ""], "A reason is required"),
        (["exec-1", "--reason", "x", "--deadline", "2020-01-01"], "in the future"),
        (["exec-1", "nobody", "--reason", "x"], "No instance is named nobody"),
        (["--undo"], "Name the nodes"),
        (["exec-1", "--undo", "--wait"], "Nothing is to be waited for"),
        (["exec-1", "--reason", "x", "--undo"], "not allowed with"),
        (["exec-1", "--reason", "x", "--deadline", "soon"], "neither a duration"),
        (["exec-1", "--deadline", "2h", "--then", "stay"], "--deadline and --then without --reason"),
        (["exec-1", "--force", "it burns", "--wait"], "--force without --reason"),
        (["exec-1", "--undo", "--then", "enable"], "--then without --reason"),
        (["exec-1", "--undo"], r"Not being drained: exec-1\. Nothing was changed\."),
        (["exec-1", "--reason", "x", "--force", ""], "A forced drain needs a reason"),
    ):
        with pytest.raises(CommandError, match=message):
            call_command("drain", *arguments)
    assert not Drain.objects.exists()
    call_command("drain", "exec-1", "--reason", "x", "--force", "it burns")
    assert Drain.objects.get().force_reason == "it burns"


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the command does in place of its pauses: a worker's turn. Afterwards how often it paused."""
    pauses: list[int] = []

    def turn(seconds: float) -> None:
        pauses.append(1)
        drains.advance()

    monkeypatch.setattr(command.time, "sleep", turn)
    return pauses


def test_it_waits_until_the_drain_has_ended(node: Instance, worked: list[int], capsys: Any) -> None:
    assert "The next step was done" in run(capsys, "exec-1", "--reason", "x", "--wait")
    assert worked == [1]


def test_who_waits_is_told_that_no_worker_runs(node: Instance, worked: list[int], capsys: Any) -> None:
    run(capsys, "exec-1", "--reason", "x", "--wait", errors="No worker runs: start 'awx-instances worker'. ")


def test_a_drain_whose_node_is_gone(node: Instance, capsys: Any) -> None:
    drains.begin([node.pk], PLAN)
    Instance.objects.filter(pk=node.pk).delete()
    assert run(capsys).startswith("exec-1: The node is gone. Requested ")


def test_nodes_without_a_drain(node: Instance, capsys: Any) -> None:
    assert run(capsys, "exec-1", errors="No drain is known of exec-1.") == "No node is being drained.\n"
    with pytest.raises(CommandError, match=r"No drain is known of exec-1\. There is nothing to wait for\."):
        call_command("drain", "exec-1", "--wait")


def test_who_no_longer_waits_is_told_that_the_drain_goes_on(
    node: Instance, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command.time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):  # of which the program makes exit status 130
        call_command("drain", "exec-1", "--reason", "x", "--wait")
    assert "No longer waited for; the drains go on." in capsys.readouterr().err
    assert Drain.objects.open().exists()


def test_a_deadline_that_passes_is_no_success(node: Instance, worked: list[int], capsys: Any) -> None:
    make_jobs(1, status="running", execution_node="exec-1")
    drains.begin([node.pk], DrainPlan("x", deadline=timezone.now() + HOUR))
    long_ago = timezone.now() - 2 * HOUR
    Drain.objects.update(began=long_ago, deadline=long_ago + HOUR)
    assert "1 job left, which should have ended before the deadline" in run(capsys, "exec-1", "--wait", code=1)
    assert worked == []
    Drain.objects.update(force_reason="it burns", then="enable")
    assert "The next step was done" in run(capsys, "exec-1", "--wait")


def test_nor_is_a_drain_that_others_ended(node: Instance, worked: list[int], capsys: Any) -> None:
    drains.begin([node.pk], PLAN)
    change_node(node, {"enabled": True})
    assert "Somebody enabled the node meanwhile" in run(capsys, "exec-1", "--wait", code=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90m", timedelta(minutes=90)), ("2h", 2 * HOUR), ("1d", 24 * HOUR), ("30s", timedelta(seconds=30))],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert abs(command.moment(text) - timezone.now() - expected) < timedelta(seconds=20)


@pytest.mark.parametrize("text", ["2030-01-02T03:04:05Z", "2030-01-02T04:04:05+01:00", "2030-01-02 03:04:05"])
def test_times(text: str) -> None:
    assert command.moment(text) == parse_datetime("2030-01-02T03:04:05Z")
