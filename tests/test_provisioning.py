"""The commands by which an installer registers nodes, groups and links: all or nothing, and twice is like once."""

import io
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Q
from django.test import Client

from instances import counters, provisioning, tasks
from instances.counters import find_drift
from instances.health import conditions
from instances.lifecycle import hostname_error
from instances.models import Instance, InstanceGroup, InstanceLink, NodeHealth, NodeLoad, UnifiedJob, User
from instances.models.instance import NO_UUID
from instances.policies import apply_policies
from tests.conftest import client_of
from tests.make import listen, make_jobs, make_link, make_node
from tests.service import manage, new_database

TABLES = (
    "instances_instance",
    "instances_instancelink",
    "instances_instancegroup",
    "instances_instancegroup_instances",
)
ADDRESS = "10.0.0.7"
ONE_UUID = "11111111-2222-4333-8444-555555555555"
HOP_UUID = "22222222-2222-4333-8444-555555555555"
TWICE_UUID = "33333333-2222-4333-8444-555555555555"
pytestmark = pytest.mark.django_db


def stored() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the mesh."""
    rows = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT * FROM {table} ORDER BY id")
            rows[table] = cursor.fetchall()
    return rows


def run(command: str) -> str:
    """What the command, its arguments separated by spaces, prints on standard output."""
    return run_and_warn(command)[0]


def run_and_warn(command: str) -> tuple[str, str]:
    """What the command prints on standard output and on standard error."""
    printed, warned = io.StringIO(), io.StringIO()
    name, *arguments = command.split()
    call_command(name, *arguments, stdout=printed, stderr=warned)
    return printed.getvalue(), warned.getvalue()


def links() -> set[tuple[str, str, str]]:
    return set(InstanceLink.objects.values_list("source__hostname", "target__instance__hostname", "link_state"))


def want_control_nodes(**which: Any) -> None:
    """Let control nodes peer to these nodes."""
    for node in Instance.objects.filter(**which):
        listen(node, node.listener_port, peers_from_control_nodes=True)


@pytest.fixture
def mesh(db: None) -> None:
    """Nodes of each type; exec-1 dials hop-1 and hop-1 dials hop-2; two groups."""
    create = make_node
    control = create(hostname="control-1", node_type="control", version="23.6.0", capacity=50)
    hybrid = create(hostname="hybrid-1", node_type="hybrid", ip_address=ADDRESS)
    exec_1 = create(hostname="exec-1", node_type="execution", listener_port=27199, version="ansible-runner-2.3.4")
    create(hostname="exec-2", node_type="execution", enabled=False)
    hop_1, hop_2 = (create(hostname=f"hop-{n}", node_type="hop", listener_port=27200, capacity=0) for n in (1, 2))
    make_link(source=exec_1, target=hop_1, link_state="established")
    make_link(source=hop_1, target=hop_2, link_state="adding")
    plane = InstanceGroup.objects.create(name="controlplane", policy_instance_percentage=100)
    plane.instances.set([control, hybrid])
    edge = InstanceGroup.objects.create(
        name="edge", policy_instance_list=["exec-1"], policy_instance_minimum=1, policy_instance_percentage=10
    )
    edge.instances.set([exec_1])
    Instance.objects.filter(pk=hop_1.pk).update(uuid=HOP_UUID)
    Instance.objects.filter(pk__in=[control.pk, hybrid.pk]).update(uuid=TWICE_UUID)
    InstanceGroup.objects.create(name="pods", is_container_group=True)


# --- every command


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("provision_instance --node_type hop", "--hostname"),
        ("provision_instance --hostname new --node_type router", "router"),
        ("provision_instance --hostname a\x1bb --node_type hop", "control characters in hostnames are illegal"),
        (f"provision_instance --hostname {'x' * 251} --node_type hop", "at most 250 characters"),
        ("provision_instance --hostname new --node_type hop --uuid 1", "'1' is not a UUID"),
        ("provision_instance --hostname new --node_type hop --ip_address 10.0.0", "10.0.0 is no IP address"),
        (f"provision_instance --hostname new --node_type hop --ip_address {ADDRESS}", "hybrid-1 has 10.0.0.7 already"),
        (f"provision_instance --hostname exec-1 --node_type execution --ip_address {ADDRESS}", "hybrid-1 has"),
        ("provision_instance --hostname new --node_type hop --listener_port x", "listener_port"),
        ("provision_instance --hostname new --node_type hop --listener_port 80", "listener_port: .*1024"),
        (f"provision_instance --hostname new --node_type hop --listener_port {2**70}", "listener_port: .*65535"),
        ("provision_instance --hostname exec-2 --node_type execution --listener_port 65536", "listener_port: .*65535"),
        ("provision_instance --hostname exec-1 --node_type execution --listener_port 27200", "Cannot change listener"),
        (f"provision_instance --hostname exec-1 --node_type hop --uuid {ONE_UUID}", "Cannot change node type"),
        ("deprovision_instance", "--hostname"),
        ("register_queue", "--queuename"),
        (f"register_queue --queuename {'x' * 251}", "name: .*at most 250 characters"),
        ("register_queue --queuename new --instance_percent 101", "policy_instance_percentage: .*100"),
        ("register_queue --queuename new --instance_percent -1", "policy_instance_percentage: .*0"),
        ("register_queue --queuename edge --instance_percent 50 --instance_minimum -1", "policy_instance_minimum"),
        (f"register_queue --queuename edge --instance_minimum {2**40}", "policy_instance_minimum"),
        ("register_queue --queuename new --hostnames exec-1,nobody,noone", "No instance is named nobody, noone"),
        ("register_queue --queuename edge --instance_percent 50 --hostnames exec-2,nobody", "No instance is named"),
        ("register_queue --queuename pods --hostnames exec-2", "pods is a container group"),
        ("register_queue --queuename pods --instance_minimum 1", "pods is a container group"),
        ("provision_instance --hostname=", "hostname: This field cannot be blank"),
        ("provision_instance --hostname a\x00b", "control characters in hostnames are illegal"),
        (f"provision_instance --hostname {'x' * 251} --uuid {HOP_UUID}", "at most 250 characters"),
        (f"provision_instance --hostname= --uuid {HOP_UUID}", "hostname: This field cannot be blank"),
        (f"provision_instance --hostname a\x7fb --uuid {HOP_UUID}", "control characters in hostnames are illegal"),
        (f"provision_instance --hostname exec-1 --uuid {HOP_UUID}", "uuid of hop-1, and exec-1 is another node"),
        (f"provision_instance --hostname new --uuid {TWICE_UUID}", "uuid of several nodes: control-1, hybrid-1"),
        (f"provision_instance --hostname new --uuid {HOP_UUID} --node_type hybrid", "Cannot change node type"),
        (f"provision_instance --hostname new --uuid {HOP_UUID} --ip_address {ADDRESS}", "hybrid-1 has 10.0.0.7"),
        ("register_peers --peers hop-1", "SOURCE"),
        ("register_peers exec-2", "--peers, --disconnect and --exact is required"),
        ("register_peers exec-2 --exact --disconnect hop-1", "not allowed with"),
        ("register_peers exec-2 --peers", "--peers"),
        ("register_peers exec-2 --peers hop-1 --exact hop-2", "not allowed with"),
        ("register_peers nobody --exact", "No instance is named nobody"),
        ("register_peers exec-2 --peers hop-1 nobody", "No instance is named nobody"),
        ("register_peers exec-1 --exact hop-2 nobody", "No instance is named nobody"),
        ("register_peers exec-1 --peers hop-2 exec-1", "exec-1 cannot peer to itself"),
        ("register_peers exec-1 --disconnect exec-1", "exec-1 cannot peer to itself"),
    ],
)
def test_a_refusal_gives_the_reason_and_leaves_everything_as_it_was(command: str, reason: str, mesh: None) -> None:
    before = stored()
    with pytest.raises(CommandError, match=reason):
        run(command)
    assert stored() == before


@pytest.mark.parametrize(
    "command",
    [
        "provision_instance --hostname new --node_type hop --listener_port 27199 --ip_address 10.0.0.8",
        f"provision_instance --hostname exec-2 --node_type execution --uuid {ONE_UUID} --listener_port 2000",
        "provision_instance --hostname control-2 --node_type control",
        "provision_instance --hostname awx_1",
        f"provision_instance --hostname hop_9 --uuid {HOP_UUID}",
        "register_queue --queuename edge --hostnames exec-2,hop-1,control-1",
        "register_queue --queuename controlplane --hostnames exec-1,hop-1",
        "register_peers hop-1 --exact control-1 exec-1",
        "register_peers hop-1 --peers hybrid-1 --disconnect hop-2 nobody",
        "deprovision_instance --hostname exec-1",
        "register_queue --queuename new",
        "register_queue --queuename new --instance_percent 50 --instance_minimum 2 --hostnames exec-2,exec-1",
        "register_queue --queuename edge --instance_minimum 2",
        "register_queue --queuename edge --hostnames exec-2",
        "register_queue --queuename controlplane --instance_percent 90 --hostnames control-1",
        "register_peers exec-2 --peers hop-2 hop-1 hop-2",
        "register_peers exec-1 --exact hop-2",
        "register_peers exec-1 --exact",
        "register_peers exec-1 --disconnect hop-1",
    ],
)
def test_twice_is_like_once(command: str, mesh: None) -> None:
    want_control_nodes(hostname__startswith="hop")
    before = stored()
    assert "(changed: True)" in run(command)
    once = stored()
    assert once != before
    again = run(command)
    assert "nothing was changed" in again
    assert "(changed: True)" not in again
    assert stored() == once


@pytest.mark.parametrize(
    "command",
    [
        "provision_instance",
        "deprovision_instance",
        "list_instances",
        "list_groups",
        "list_jobs",
        "register_queue",
        "register_peers",
        "add_receptor_address",
        "remove_receptor_address",
    ],
)
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command(command, "--help")
    assert ended.value.code == 0
    assert len(capsys.readouterr().out.split()) > 50


@pytest.mark.slow
def test_an_operator_reads_no_traceback() -> None:
    with new_database() as url:  # without any table
        for arguments in (
            ["list_instances"],
            ["register_peers", "a", "--peers", "a\udcff"],
            ["provision_instance", "--hostname", "a", "--node_type", "hop"],
        ):
            done = manage(url, *arguments, check=False)
            assert done.returncode == 1
            assert done.stderr.startswith("CommandError: ")
            assert len(done.stderr.splitlines()) == 1


# --- provision_instance


def test_a_new_node_waits_for_its_first_report(mesh: None) -> None:
    assert run("provision_instance --hostname new --node_type execution").startswith("new was registered.")
    node = Instance.objects.get(hostname="new")
    assert (node.node_type, node.node_state, node.capacity, node.enabled) == ("execution", "installed", 0, True)
    assert (node.ip_address, node.listener_port) == ("", None)
    assert UUID(node.uuid).version == 4


def test_what_is_not_given_stays_as_it_is(mesh: None) -> None:
    run(f"provision_instance --hostname exec-1 --node_type execution --uuid {ONE_UUID} --ip_address 2001:db8::1")
    node = Instance.objects.get(hostname="exec-1")
    assert (node.uuid, node.ip_address, node.listener_port) == (ONE_UUID, "2001:db8::1", 27199)
    assert (node.version, node.node_state, node.capacity) == ("ansible-runner-2.3.4", "ready", 100)


@pytest.mark.parametrize(
    ("node_type", "peers"), [("control", {"hop-1"}), ("hybrid", {"hop-1"}), ("execution", set()), ("hop", set())]
)
def test_control_nodes_peer_to_those_that_want_it(node_type: str, peers: set[str], mesh: None) -> None:
    want_control_nodes(hostname="hop-1")
    run(f"provision_instance --hostname new --node_type {node_type}")
    assert {(target, state) for source, target, state in links() if source == "new"} == {
        (peer, "adding") for peer in peers
    }


def test_a_control_node_that_is_there_gets_its_missing_links(mesh: None) -> None:
    want_control_nodes(hostname="hop-1")
    assert "control-1 was changed." in run("provision_instance --hostname control-1 --node_type control")
    assert ("control-1", "hop-1", "adding") in links()


def test_a_new_node_is_a_hybrid_one_and_a_known_one_keeps_its_type(mesh: None) -> None:
    run("provision_instance --hostname=new")
    run("provision_instance --hostname=exec-1")
    assert list(Instance.objects.filter(hostname__in=["exec-1", "new"]).values_list("hostname", "node_type")) == [
        ("exec-1", "execution"),
        ("new", "hybrid"),
    ]


@pytest.mark.parametrize("node_type", Instance.NodeType.values)
@pytest.mark.parametrize("hostname", ["awx_1", "localhost", "-", "a/b", "ü" * 250, "12", "."])
def test_a_hostname_that_the_api_would_refuse_is_taken_with_a_warning(node_type: str, hostname: str) -> None:
    printed, warned = run_and_warn(f"provision_instance --hostname {hostname} --node_type {node_type}")
    assert printed.startswith(f"{hostname} was registered.")
    assert bool(warned) == bool(hostname_error(hostname))
    assert Instance.objects.get(hostname=hostname).node_type == node_type


# --- provision_instance that renames


def node_in_use(node_type: str) -> Instance:
    """A node with jobs, links in both directions, memberships and health notes; beside it, what a node once left."""
    node = Instance.objects.create(hostname="old", node_type=node_type, uuid=ONE_UUID, version="1", capacity=7)
    other = make_node(hostname="other", node_type="hop", listener_port=27199)
    make_link(source=node, target=other, link_state="established")
    make_link(source=other, target=node, link_state="removing")
    listing = InstanceGroup.objects.create(name="listing", policy_instance_list=["a", "old", "b", "new"])
    listing.instances.add(node)
    conditions.health_of(node).save()
    NodeHealth.objects.filter(instance=node).update(disabled_reason="on strike")
    for name in ("old", "new"):
        own = {"execution_node": name, "controller_node": name}
        jobs = make_jobs(2, status="running", task_impact=3, **own)
        UnifiedJob.objects.filter(pk__in=[job.pk for job in jobs]).update(representation=own)
        make_jobs(1, status="successful", task_impact=3, execution_node=name)
        NodeLoad.objects.create(node_id=name, baseline=True, jobs_total=5, jobs_running=4, impact=3, jobs_controlled=2)
    make_jobs(1, status="running", execution_node="other", controller_node="old")
    return node


@pytest.mark.parametrize("node_type", Instance.NodeType.values)
def test_a_node_is_renamed_with_all_that_belongs_to_it(node_type: str) -> None:
    node = node_in_use(node_type)
    printed, warned = run_and_warn(f"provision_instance --hostname=new --uuid={ONE_UUID}")
    assert "renamed to new" in printed
    assert "old had this uuid and is named new now" in warned
    renamed = Instance.objects.with_load().get(pk=node.pk)
    assert (renamed.hostname, renamed.node_type, renamed.version, renamed.capacity) == ("new", node_type, "1", 7)
    assert links() == {("new", "other", "established"), ("other", "new", "removing")}
    assert [group.name for group in renamed.rampart_groups.all()] == ["listing"]
    assert InstanceGroup.objects.get(name="listing").policy_instance_list == ["a", "new", "b"]
    assert NodeHealth.objects.get(instance=node).disabled_reason == "on strike"
    assert not UnifiedJob.objects.filter(Q(execution_node="old") | Q(controller_node="old")).exists()
    assert [find_drift(each) for each in counters.ALL] == [[], [], []]
    load = renamed.load
    assert (load.jobs_total, load.jobs_running, load.impact, load.jobs_controlled) == (16, 12, 18, 9)


def test_the_jobs_of_a_renamed_node_are_answered_with_its_new_name(admin: User) -> None:
    node = node_in_use("execution")
    run(f"provision_instance --hostname=awx_1 --uuid={ONE_UUID}")
    jobs = client_of(admin).get(f"/api/v2/instances/{node.pk}/jobs/").json()["results"]
    told = {(job["execution_node"], job["controller_node"]) for job in jobs if "execution_node" in job}
    assert told == {("awx_1", "awx_1")}


def test_a_uuid_is_found_however_it_is_written(mesh: None) -> None:
    run(f"provision_instance --hostname new --uuid {HOP_UUID.replace('-', '').upper()}")
    assert Instance.objects.get(hostname="new").uuid == HOP_UUID


def test_no_node_is_found_by_the_uuid_that_stands_for_none(mesh: None) -> None:
    run(f"provision_instance --hostname new --uuid {NO_UUID}")
    assert Instance.objects.filter(hostname__in=["exec-1", "exec-2", "new"]).count() == 3


# --- deprovision_instance


def test_a_node_goes_with_its_links_and_memberships_and_its_jobs_stay(mesh: None) -> None:
    (job,) = make_jobs(1, status="running", execution_node="exec-1")
    assert run("deprovision_instance --hostname exec-1").startswith("exec-1 was removed.")
    assert not Instance.objects.filter(hostname="exec-1").exists()
    assert links() == {("hop-1", "hop-2", "adding")}
    assert not InstanceGroup.objects.get(name="edge").instances.exists()
    job.refresh_from_db()
    assert job.execution_node == "exec-1"


def test_an_unknown_node_need_not_be_removed(mesh: None) -> None:
    assert run("deprovision_instance --hostname nobody") == "No instance is named nobody; nothing was changed.\n"


# --- list_instances


def test_the_list(mesh: None) -> None:
    Instance.objects.filter(hostname="exec-1").update(last_seen=datetime(2023, 12, 21, 11, 44, 49, tzinfo=UTC))
    Instance.objects.filter(hostname="hop-1").update(node_state="unavailable")
    assert run("list_instances") == (
        "[controlplane capacity=150 policy=100%]\n"
        "\tcontrol-1 capacity=50 node_type=control node_state=ready version=23.6.0\n"
        "\thybrid-1 capacity=100 node_type=hybrid node_state=ready version=?\n"
        "\n"
        "[edge capacity=100 policy=10% policy>=1]\n"
        "\texec-1 capacity=100 node_type=execution node_state=ready version=ansible-runner-2.3.4"
        ' heartbeat="2023-12-21 11:44:49"\n'
        "\n"
        "[pods capacity=0]\n"
        "\n"
        "[ungrouped]\n"
        "\t[DISABLED] exec-2 capacity=100 node_type=execution node_state=ready version=?\n"
        "\thop-1 capacity=0 node_type=hop node_state=unavailable version=?\n"
        "\thop-2 capacity=0 node_type=hop node_state=ready version=?\n"
        "\n"
    )


def test_the_list_of_an_empty_mesh_is_empty() -> None:
    assert run("list_instances") == ""


@pytest.mark.parametrize("number", [1, 20])
def test_the_list_takes_three_queries(number: int, mesh: None, django_assert_num_queries: Callable[..., Any]) -> None:
    for n in range(number):
        group = InstanceGroup.objects.create(name=f"group-{n}")
        group.instances.add(Instance.objects.create(hostname=f"node-{n}"))
    with django_assert_num_queries(3):  # groups with their figures, members, ungrouped instances
        run("list_instances")


# --- register_queue


def test_a_new_group(mesh: None) -> None:
    printed = run(
        "register_queue --queuename new --instance_percent 50 --instance_minimum 2 --hostnames exec-2,,exec-1"
    )
    assert printed.startswith("The instance group new was created.")
    group = InstanceGroup.objects.get(name="new")
    assert (group.policy_instance_percentage, group.policy_instance_minimum) == (50, 2)
    assert group.policy_instance_list == ["exec-2", "exec-1"]
    assert {member.hostname for member in group.instances.all()} == {"exec-1", "exec-2"}


def test_members_are_added_and_none_is_taken_out(mesh: None) -> None:
    run("register_queue --queuename edge --instance_percent 20 --hostnames hybrid-1")
    group = InstanceGroup.objects.get(name="edge")
    assert (group.policy_instance_percentage, group.policy_instance_minimum) == (20, 0)
    assert group.policy_instance_list == ["exec-1", "hybrid-1"]
    assert {member.hostname for member in group.instances.all()} == {"exec-1", "hybrid-1"}


def test_an_installer_sets_up_the_protected_groups(mesh: None) -> None:
    run("register_queue --queuename controlplane --instance_percent 90 --hostnames control-1")
    group = InstanceGroup.objects.get(name="controlplane")
    assert (group.policy_instance_percentage, group.policy_instance_list) == (90, ["control-1"])


@pytest.mark.parametrize(
    "command",
    [
        "register_queue --queuename new",
        "register_queue --queuename edge --instance_minimum 2",
        f"provision_instance --hostname hop_9 --uuid {HOP_UUID}",
        "deprovision_instance --hostname exec-1",
        "provision_instance --hostname new --node_type execution",
    ],
)
def test_the_policies_follow_a_change_and_nothing_else(
    command: str, mesh: None, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    with django_capture_on_commit_callbacks() as once:
        run(command)
    with django_capture_on_commit_callbacks() as again:
        run(command)
    assert (once.count(tasks.queue_policies), again) == (1, [])


def test_percentage_and_minimum_become_0_without_their_options(mesh: None) -> None:
    run("register_queue --queuename edge --hostnames exec-2")
    group = InstanceGroup.objects.get(name="edge")
    assert (group.policy_instance_percentage, group.policy_instance_minimum) == (0, 0)
    assert group.policy_instance_list == ["exec-1", "exec-2"]
    assert "nothing was changed" in run("register_queue --queuename pods --instance_minimum 0")


@pytest.mark.parametrize(
    ("queue", "inside", "outside"),
    [
        ("controlplane", {"control-1", "hybrid-1"}, {"exec-1", "hop-1"}),
        ("edge", {"exec-1", "hybrid-1"}, {"control-1", "hop-1"}),
    ],
)
def test_whom_the_policies_keep_out_is_listed_only(queue: str, inside: set[str], outside: set[str], mesh: None) -> None:
    listed = sorted(inside | outside)
    _, warned = run_and_warn(
        f"register_queue --queuename {queue} --instance_percent 100 --hostnames {','.join(listed)}"
    )
    assert {line.split()[1] for line in warned.splitlines()} == outside
    apply_policies()
    group = InstanceGroup.objects.get(name=queue)
    members = {member.hostname for member in group.instances.all()}
    assert inside <= members
    assert not members & outside
    assert set(group.policy_instance_list) == inside | outside


def test_nodes_that_control_stay_in_controlplane(mesh: None) -> None:
    """AWX would set its percentage to 0, and the worker take them out."""
    _, warned = run_and_warn("register_queue --queuename controlplane --hostnames exec-1")
    assert "stays 100" in warned
    assert "exec-1 is listed" in warned
    apply_policies()
    group = InstanceGroup.objects.get(name="controlplane")
    assert {member.hostname for member in group.instances.all()} == {"control-1", "hybrid-1"}
    assert group.policy_instance_percentage == 100
    run("register_queue --queuename controlplane --instance_percent 0")
    group.refresh_from_db()
    assert group.policy_instance_percentage == 0


# --- register_peers


@pytest.mark.parametrize(
    ("command", "after"),
    [
        ("exec-1 --peers hop-2", {"hop-1": "established", "hop-2": "established"}),
        ("exec-1 --exact hop-2", {"hop-2": "established"}),
        ("exec-1 --exact", {}),
        ("exec-1 --disconnect hop-1", {}),
        ("hop-1 --peers hop-2", {"hop-2": "established"}),
        ("control-1 --peers hop-1 exec-1", {"hop-1": "established", "exec-1": "established"}),
    ],
)
def test_links_are_added_and_removed(command: str, after: dict[str, str], mesh: None) -> None:
    source = command.split()[0]
    others = {link for link in links() if link[0] != source}
    run(f"register_peers {command}")
    assert links() == {(source, target, state) for target, state in after.items()} | others


@pytest.mark.parametrize("target", Instance.NodeType.values)
@pytest.mark.parametrize("source", Instance.NodeType.values)
@pytest.mark.parametrize("option", ["--peers", "--exact"])
def test_no_peer_needs_a_port(option: str, source: str, target: str, admin: User) -> None:
    for name, node_type in (("a_1", source), ("b_1", target)):
        run(f"provision_instance --hostname={name} --node_type={node_type}")
    _, warned = run_and_warn(f"register_peers a_1 {option} b_1")
    assert "b_1: no listener_port is set there" in warned
    assert links() == {("a_1", "b_1", "established")}
    client = client_of(admin)
    for path in ("", "a_1/", "b_1/", "a_1/peers/", "b_1/peers/"):
        assert client.get(f"/api/v2/instances/{path}").status_code == 200
    assert client.get("/api/v2/instances/a_1/").json()["peers"] == ["b_1"]
    (shown,) = client.get("/api/v2/mesh_visualizer/").json()["links"]
    assert (shown["source"], shown["target"], shown["link_state"]) == ("a_1", "b_1", "established")
    run("register_peers a_1 --disconnect b_1")
    assert links() == set()


def test_the_pages_show_nodes_that_the_api_would_not_name(admin: User) -> None:
    for name, node_type in (("awx_1", "hybrid"), ("hop_1", "hop"), ("awx 2", "execution")):
        call_command("provision_instance", f"--hostname={name}", f"--node_type={node_type}", stderr=io.StringIO())
    run("register_peers hop_1 --peers awx_1")
    run("register_queue --queuename edge_1 --hostnames awx_1")
    browser = Client()
    browser.force_login(admin)
    nodes = [f"/nodes/{pk}/" for pk in Instance.objects.values_list("pk", flat=True)]
    pages = [f"/admin/instances/instance/{pk}/change/" for pk in Instance.objects.values_list("pk", flat=True)]
    for path in ("/", "/admin/instances/instance/", *nodes, *pages, "/api/v2/ping/", "/api/v2/metrics/"):
        assert browser.get(path).status_code == 200, path
    assert client_of(admin).get("/api/v2/instances/awx%202/").json()["hostname"] == "awx 2"


@pytest.mark.parametrize(
    ("command", "from_whom"),
    [
        ("hop-1 --peers exec-1", "exec-1 to hop-1"),
        ("hop-2 --peers exec-1", "exec-1 to hop-2"),
        ("hop-2 --exact hop-1 exec-1", "hop-1, exec-1 to hop-2"),
    ],
)
def test_a_cycle_is_made_with_a_warning(command: str, from_whom: str, mesh: None) -> None:
    listen(Instance.objects.get(hostname="exec-1"))
    _, warned = run_and_warn(f"register_peers {command}")
    assert f"Links lead from {from_whom} already: the links form a cycle now." in warned
    source, _, *peers = command.split()
    assert {(source, peer, "established") for peer in peers} <= links()


def test_peers_are_added_and_others_removed_at_once(mesh: None) -> None:
    printed = run("register_peers exec-1 --peers hop-2 --disconnect hop-1 nobody")
    assert "1 links of exec-1 were added, 1 removed." in printed
    assert links() == {("exec-1", "hop-2", "established"), ("hop-1", "hop-2", "adding")}


def test_links_that_part_and_meet_again_are_no_cycle(mesh: None) -> None:
    run("register_peers exec-1 --peers hop-2")
    run("register_peers exec-2 --peers exec-1 hop-1 hop-2")
    assert {(source, target) for source, target, _ in links()} == {
        ("exec-1", "hop-1"),
        ("exec-1", "hop-2"),
        ("exec-2", "exec-1"),
        ("exec-2", "hop-1"),
        ("exec-2", "hop-2"),
        ("hop-1", "hop-2"),
    }


def test_the_links_are_counted(mesh: None) -> None:
    assert run("register_peers exec-1 --exact hop-2") == "1 links of exec-1 were added, 1 removed.\n(changed: True)\n"


@pytest.mark.django_db(transaction=True)
def test_of_two_commands_at_once_the_one_that_closes_the_cycle_warns() -> None:
    for hostname in ("a", "b"):
        make_node(hostname=hostname, node_type="hop", listener_port=27199)
    outcomes: list[int] = []
    begin = threading.Barrier(2)

    def link(source: str, target: str) -> None:
        begin.wait()
        try:
            outcomes.append(len(provisioning.connect(source, [target]).warnings))
        finally:
            connection.close()

    threads = [threading.Thread(target=link, args=ends) for ends in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == [0, 1]
    assert InstanceLink.objects.count() == 2
