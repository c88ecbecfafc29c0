"""Removing a node at once, and undoing a removal that has not begun: the domain, the API, the command."""

import logging
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob
from pytest_django import DjangoAssertNumQueries

from fleet.deprovisioning import LONGEST_REASON
from instances import counters, deprovisioning, policies, removals, tasks
from instances.health.recording import record
from instances.health.report import NodeReport
from instances.mirror import guard
from instances.models import Instance, InstanceGroup, InstanceLink, Mirror, NodeHealth, UnifiedJob, User
from instances.removals import HAS_BEGUN, NOT_REQUESTED, RemovalConflictError
from tests.conftest import client_of
from tests.make import change_node, listen, make_jobs, make_link, make_node

pytestmark = pytest.mark.django_db
FLEET = "/api/fleet/v1/instances/"
STATES = sorted(set(Instance.NodeState.values) - {"deprovisioning"})
FIGURES = {"cpu": 4, "memory": 8 * 2**30, "cpu_capacity": 16, "mem_capacity": 80}


@pytest.fixture
def node(edge: InstanceGroup, settings: Any) -> Instance:
    """A node with capacity in a group, that peers to a hop node and that a control node peers to."""
    settings.IS_K8S = True
    Instance.objects.filter(hostname="exec-1").update(capacity=80, **FIGURES)
    node: Instance = Instance.objects.get(hostname="exec-1")
    listen(node, peers_from_control_nodes=True)
    hop, control = (
        make_node("hop-1", node_type="hop", listener_port=27199, peers_from_control_nodes=True),
        make_node("control-1", node_type="control"),
    )
    for source, target in ((node, hop), (control, node), (control, hop)):
        make_link(source=source, target=target, link_state="established")
    return node


def in_state(node_state: str, node: Instance) -> Instance:
    """The node in this state, with the capacity that goes with it, as it is stored."""
    stored = Instance.objects.get(pk=node.pk)
    stored.node_state = node_state
    stored.recompute_capacity()
    stored.save()
    return stored


def columns(pk: int) -> dict[str, Any]:
    """What is stored of the node, but for when it was changed."""
    (values,) = Instance.objects.filter(pk=pk).values()
    return {name: value for name, value in values.items() if name != "modified"}


def links() -> list[str]:
    return [f"{link} {link.link_state}" for link in InstanceLink.objects.order_by("pk")]


def path(node: Instance) -> str:
    return f"{FLEET}{node.pk}/deprovision/"


# --- undo


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("node_state", STATES)
def test_undoing_leaves_all_as_it_was(node_state: str, enabled: bool, node: Instance) -> None:
    change_node(node, {"enabled": enabled})
    in_state(node_state, node)
    before, links_before = columns(node.pk), links()
    removals.request(node.pk)
    assert columns(node.pk)["node_state"] == "deprovisioning"
    removals.undo(node.pk)
    assert (columns(node.pk), links()) == (before, links_before)
    assert NodeHealth.objects.get().state_before_removal == ""


def test_the_state_is_that_before_the_last_request(node: Instance) -> None:
    in_state("installed", node)
    removals.request(node.pk)
    removals.request(node.pk)  # as a client that tries again
    assert removals.undo(node.pk).node_state == "installed"
    in_state("unavailable", node)
    removals.request(node.pk)
    assert removals.undo(node.pk).node_state == "unavailable"


@pytest.mark.parametrize("version", ["2.4.0", ""])
def test_where_the_state_is_not_known_the_next_report_decides(version: str, node: Instance) -> None:
    """Deprovisioned by an earlier version of this service, or loaded in that state."""
    in_state("deprovisioning", node)
    assert removals.undo(node.pk).node_state == "installed"
    errors = "" if version else "Podman is not installed."
    record(
        node.pk, NodeReport(version=version, cpu=Decimal(4), memory=8 * 2**30, errors=errors, outcome=outcome(errors))
    )
    assert Instance.objects.get(pk=node.pk).node_state == ("ready" if version else "unavailable")


def outcome(errors: str) -> NodeHealth.Check:
    return NodeHealth.Check.NODE_ERRORS if errors else NodeHealth.Check.PASSED


@pytest.mark.parametrize("node_state", STATES)
def test_only_a_removal_can_be_undone(node_state: str, node: Instance) -> None:
    in_state(node_state, node)
    before = columns(node.pk)
    with pytest.raises(RemovalConflictError, match=NOT_REQUESTED):
        removals.undo(node.pk)
    assert columns(node.pk) == before


def test_what_has_begun_is_not_undone(node: Instance) -> None:
    removals.request(node.pk)
    assert deprovisioning.begin_removal(node.pk)
    with pytest.raises(RemovalConflictError, match=HAS_BEGUN):
        removals.undo(node.pk)
    assert deprovisioning.deprovision(node.pk)


@pytest.mark.parametrize("ends_as", ["deprovisioning", "deprovision-fail"])
def test_a_neighbour_that_goes_is_no_beginning(ends_as: str, node: Instance) -> None:
    hop = Instance.objects.get(hostname="hop-1")
    for each in (node, hop):
        removals.request(each.pk)
    assert deprovisioning.begin_removal(hop.pk)
    Instance.objects.filter(pk=hop.pk).update(node_state=ends_as)
    assert removals.undo(node.pk).node_state == "ready"
    Instance.objects.filter(pk=hop.pk).update(node_state="deprovisioning")
    with pytest.raises(RemovalConflictError, match=HAS_BEGUN):
        removals.undo(hop.pk)


def test_a_removal_that_failed_is_requested_again_and_undone(node: Instance) -> None:
    removals.request(node.pk)
    deprovisioning.begin_removal(node.pk)
    deprovisioning.mark_failed(node.pk, "the archive refers to it")
    failed, links_before = columns(node.pk), links()
    removals.request(node.pk)
    removals.undo(node.pk)
    assert (columns(node.pk), links()) == (failed, links_before)


def test_the_job_that_was_to_remove_it_ends_without_doing_so(node: Instance) -> None:
    removals.request(node.pk)
    job = ProcrastinateJob.objects.get(task_name="deprovision")
    removals.undo(node.pk)
    tasks.deprovision.func(**job.args)
    assert columns(node.pk)["node_state"] == "ready"
    assert "removing" not in " ".join(links())


@pytest.mark.parametrize("again", [True, False])
def test_jobs_do_not_matter_until_the_removal_begins(again: bool, node: Instance) -> None:
    make_jobs(2, execution_node="exec-1", status="running")
    removals.request(node.pk)
    with pytest.raises(deprovisioning.StillActiveError):
        deprovisioning.deprovision(node.pk)
    UnifiedJob.objects.update(status="successful")
    removals.undo(node.pk)
    if again:
        removals.request(node.pk)
    assert deprovisioning.deprovision(node.pk) == again


def test_the_group_has_its_member_again(node: Instance, edge: InstanceGroup) -> None:
    InstanceGroup.objects.filter(pk=edge.pk).update(policy_instance_percentage=100)
    removals.request(node.pk)
    policies.apply_policies()
    removals.undo(node.pk)
    policies.apply_policies()
    assert "exec-1" in edge.instances.values_list("hostname", flat=True)


# --- force


def test_by_force_the_node_goes_and_its_jobs_stay_known(node: Instance, edge: InstanceGroup) -> None:
    (running, *_) = make_jobs(2, execution_node="exec-1", status="running", instance_group=edge)
    make_jobs(3, execution_node="exec-1")
    removals.force(node.pk, "burned down")
    assert not Instance.objects.filter(hostname="exec-1").exists()
    assert not edge.instances.exists()
    assert links() == ["control-1 → hop-1:27199 established"]
    running.refresh_from_db()
    assert (running.execution_node, running.status, running.instance_group) == ("exec-1", "running", edge)
    assert UnifiedJob.objects.filter(execution_node="exec-1").count() == 5
    assert [counters.find_drift(each) for each in counters.ALL] == [[], [], []]


def test_by_force_goes_what_waits_for_its_jobs_and_what_has_begun(node: Instance) -> None:
    make_jobs(1, execution_node="exec-1", status="running")
    removals.request(node.pk)
    InstanceLink.objects.update(link_state="removing")
    removals.force(node.pk, "it hangs")
    assert not Instance.objects.filter(pk=node.pk).exists()
    assert not deprovisioning.deprovision(node.pk)


@pytest.mark.parametrize("refused", ["control node", "outside Kubernetes"])
def test_force_removes_only_what_may_be_deprovisioned(refused: str, node: Instance, settings: Any) -> None:
    pk = Instance.objects.get(hostname="control-1").pk if refused == "control node" else node.pk
    settings.IS_K8S = refused == "control node"
    for act in (removals.request, removals.force):
        with pytest.raises(ValidationError, match=r"Can only deprovision|Can only change"):
            act(pk, "because")
    assert Instance.objects.filter(node_state="ready").count() == 3


# --- the API


def test_over_the_api_a_removal_is_requested_and_undone(admin: User, node: Instance) -> None:
    make_jobs(2, execution_node="exec-1", status="running")
    client = client_of(admin)
    answer = client.post(path(node), {}, format="json")
    expected = {"hostname": "exec-1", "node_state": "deprovisioning", "active_jobs": 2}
    assert (answer.status_code, answer.json()) == (200, expected)
    answer = client.delete(f"{FLEET}exec-1/deprovision/")
    assert (answer.status_code, answer.json()) == (200, {**expected, "node_state": "ready"})
    answer = client.delete(path(node))
    assert (answer.status_code, answer.json()) == (409, {"detail": NOT_REQUESTED})


def test_over_the_api_a_removal_is_forced(admin: User, node: Instance) -> None:
    make_jobs(2, execution_node="exec-1", status="running")
    client = client_of(admin)
    for reason in ({}, {"reason": ""}, {"reason": " "}, {"reason": "x" * 501}, {"reason": None}):
        answer = client.post(path(node), {"force": True, **reason}, format="json")
        assert (answer.status_code, list(answer.json())) == (400, ["reason"])
    answer = client.post(path(node), {"force": True, "reason": "burned down"}, format="json")
    expected = {"hostname": "exec-1", "node_state": None, "active_jobs": 2}
    assert (answer.status_code, answer.json()) == (200, expected)
    assert client.delete(path(node)).status_code == 404


@pytest.mark.parametrize("body", [{}, {"force": True, "reason": "x"}], ids=str)
def test_over_the_api_awxs_rules_hold(body: dict[str, Any], admin: User, node: Instance) -> None:
    control = Instance.objects.get(hostname="control-1")
    answer = client_of(admin).post(path(control), body, format="json")
    expected = {"node_state": ["Can only deprovision execution or hop nodes."]}
    assert (answer.status_code, answer.json()) == (400, expected)


def test_over_the_api_what_has_begun_is_a_conflict(admin: User, node: Instance) -> None:
    removals.request(node.pk)
    deprovisioning.begin_removal(node.pk)
    answer = client_of(admin).delete(path(node))
    assert (answer.status_code, answer.json()) == (409, {"detail": HAS_BEGUN})


def test_who_may_not_deprovision_may_neither_force_nor_undo(node: Instance, auditor: User, bob: User) -> None:
    removals.request(node.pk)
    for user in (auditor, bob):
        client = client_of(user)
        assert client.post(path(node), {"force": True, "reason": "x"}, format="json").status_code == 403
        assert client.delete(path(node)).status_code == 403
    assert columns(node.pk)["node_state"] == "deprovisioning"


def test_a_mirror_refuses_in_words(admin: User, node: Instance) -> None:
    removals.request(node.pk)
    Mirror.objects.create(url="https://awx.example.org", began=timezone.now(), finished=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    guard.enable_guard()
    client = client_of(admin)
    for answer in (
        client.delete(path(node)),
        client.post(path(node), {"force": True, "reason": "x"}, format="json"),
    ):
        assert answer.status_code == 403
        assert "mirror" in answer.json()["detail"]
    assert columns(node.pk)["node_state"] == "deprovisioning"


@pytest.mark.parametrize("rows", [1, 50])
def test_costs_the_same_in_any_mesh(
    rows: int, admin: User, node: Instance, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(rows):
        make_link(source=make_node(f"node-{number}", node_type="execution"), target=node)
    make_jobs(rows, execution_node="exec-1", status="running")
    client = client_of(admin)
    removals.request(node.pk)  # the node has a row of its health from now on
    removals.undo(node.pk)
    with django_assert_num_queries(QUERIES["post"]):
        assert client.post(path(node), {}, format="json").status_code == 200
    with django_assert_num_queries(QUERIES["delete"]):
        assert client.delete(path(node)).status_code == 200
    with django_assert_num_queries(QUERIES["force"]):
        body = {"force": True, "reason": "x"}
        assert client.post(path(node), body, format="json").status_code == 200


QUERIES = {"post": 18, "delete": 16, "force": 21}


@pytest.mark.django_db(transaction=True)
def test_the_audit_log_says_who_and_why(admin: User, node: Instance, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "instances.audit")
    make_jobs(2, execution_node="exec-1", status="running")
    client = client_of(admin)
    client.post(path(node), {"reason": "old"}, format="json")
    client.delete(path(node))
    client.post(path(node), {"force": True, "reason": 'it "burns"'}, format="json")
    by = 'by="admin" from="127.0.0.1"'
    lines = [each.getMessage() for each in caplog.records if 'node="exec-1"' in each.getMessage()]
    assert lines == [
        f'deprovisioning requested node="exec-1" reason="old" {by}',
        f'deprovisioning undone node="exec-1" state="ready" {by}',
        f'node removed node="exec-1" active_jobs="2" reason="it \\"burns\\"" {by}',
    ]


@pytest.mark.django_db(transaction=True)
def test_the_audit_log_has_the_whole_of_a_reason(admin: User, node: Instance, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "instances.audit")
    reason = "x" * LONGEST_REASON
    assert client_of(admin).post(path(node), {"force": True, "reason": reason}, format="json").status_code == 200
    assert f'reason="{reason}"' in caplog.text


# --- the command


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    call_command("deprovision_instance", *arguments)
    return capsys.readouterr().out


def test_the_command_undoes(node: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    removals.request(node.pk)
    printed = run(capsys, "--hostname", "exec-1", "--undo")
    assert printed == "exec-1 is not removed; its state is ready again.\n(changed: True)\n"
    with pytest.raises(CommandError, match=NOT_REQUESTED):
        run(capsys, "--hostname", "exec-1", "--undo")
    with pytest.raises(CommandError, match="No instance is named nobody"):
        run(capsys, "--hostname", "nobody", "--undo")


@pytest.mark.django_db(transaction=True)
def test_the_command_logs_the_reason(
    node: Instance, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "instances.audit")
    assert run(capsys, "--hostname", "exec-1", "--force", "burned down").startswith("exec-1 was removed.")
    assert 'node removed node="exec-1" active_jobs="0" reason="burned down" by="-"' in caplog.text


def test_the_command_does_one_of_both(node: Instance) -> None:
    with pytest.raises(CommandError, match="not allowed with"):
        call_command("deprovision_instance", "--hostname", "exec-1", "--undo", "--force", "x")
