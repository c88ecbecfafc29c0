"""Who was seen, lost and found, and what an inspection of the whole mesh costs."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from procrastinate.contrib.django.models import ProcrastinateJob
from pytest_django import Settings

from instances.addresses import address_to_link
from instances.health import conditions, mesh, periodic, recording
from instances.health.mesh_view import View
from instances.health.report import Check, NodeReport
from instances.models import Condition, Instance, InstanceLink, MeshInspection, NodeHealth, ReceptorAddress
from tests.mesh import MINUTE, MORNING, Mesh, link, node, state

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def through_receptor(settings: Settings) -> None:
    settings.HEALTH_PROBE = "receptor"


@pytest.fixture
def nodes() -> Mesh:
    return Mesh()


def condition(hostname: str, kind: str) -> tuple[str, str, str]:
    found = Condition.objects.get(instance__hostname=hostname, type=kind)
    return found.status, found.reason, found.message


def queued() -> list[int]:
    jobs = ProcrastinateJob.objects.filter(task_name="health_check", status="todo")
    return [job.args["pk"] for job in jobs.order_by("pk")]


# --- seen


def test_an_advertisement_moves_last_seen(nodes: Mesh) -> None:
    node("exec-1")
    nodes.pass_minutes(1, "exec-1")
    assert Instance.objects.get().last_seen == MORNING + timedelta(seconds=55)


def test_being_seen_is_no_change_of_the_record(nodes: Mesh) -> None:
    """A client that sends If-Match is not refused because a minute passed."""
    modified = node("exec-1").modified
    nodes.pass_minutes(1, "exec-1")
    assert Instance.objects.get().modified == modified


def test_last_seen_never_moves_backwards(nodes: Mesh) -> None:
    node("exec-1", last_seen=MORNING + timedelta(hours=1))
    nodes.pass_minutes(2, "exec-1")
    assert Instance.objects.get().last_seen == MORNING + timedelta(hours=1)


@pytest.mark.parametrize("hours", [-3, -1, 1, 3])
def test_a_node_with_a_wrong_clock_is_seen_when_it_advertises(hours: int, nodes: Mesh) -> None:
    node("exec-1")
    for minute in range(1, 10):
        nodes.now = MORNING + minute * MINUTE
        nodes.advertised["exec-1"] = nodes.now + timedelta(hours=hours)
        nodes.look()
    found = Instance.objects.get()
    assert found.node_state == "ready"
    assert nodes.now - MINUTE <= found.last_seen <= nodes.now


def test_a_clock_that_is_put_back_does_not_lose_the_node(nodes: Mesh) -> None:
    node("exec-1")
    for minute in range(1, 10):
        nodes.now = MORNING + minute * MINUTE
        nodes.advertised["exec-1"] = nodes.now - (timedelta(hours=1) if minute > 4 else timedelta())
        nodes.look()
    assert state("exec-1") == "ready"


def test_an_old_advertisement_that_receptor_remembers_is_no_sign_of_life(nodes: Mesh) -> None:
    node("exec-1", node_state="unavailable", last_seen=MORNING - timedelta(hours=2))
    nodes.advertised["exec-1"] = MORNING - timedelta(hours=1)
    nodes.pass_minutes(4)
    assert condition("exec-1", "Seen")[1] == "Lost"


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"Advertisements": None, "KnownConnectionCosts": None},
        {"Advertisements": "x", "KnownConnectionCosts": []},
        {
            "Advertisements": [
                None,
                {},
                {"NodeID": 1, "Time": "x"},
                {"NodeID": "exec-1", "Time": "2026-13-45T99:99:99Z"},
            ]
        },
        {"Advertisements": [{"NodeID": "exec-1", "Time": "2026-03-29T00:30:00"}], "KnownConnectionCosts": {"a": 1}},
    ],
)
def test_what_receptor_should_not_say_is_passed_over(status: dict[str, Any]) -> None:
    node("exec-1")
    assert mesh.inspect(MORNING, View.of_status(status)) is not None
    assert Instance.objects.get().last_seen == MORNING


# --- lost


@pytest.mark.parametrize(("node_type", "minutes"), [("control", 2), ("hybrid", 2), ("execution", 3), ("hop", 3)])
def test_a_silent_node_is_lost_after_the_tolerance_of_its_type(node_type: str, minutes: int, nodes: Mesh) -> None:
    node("node-1", node_type)
    nodes.pass_minutes(minutes)
    assert state("node-1") == "ready"
    nodes.now += timedelta(seconds=1)
    nodes.look()
    lost = Instance.objects.get()
    assert (lost.node_state, lost.errors) == (
        "unavailable",
        "Another cluster node has determined this instance to be unresponsive",
    )
    assert (lost.capacity, lost.cpu_capacity, lost.mem_capacity) == (0, 0, 0)
    assert condition("node-1", "Seen")[:2] == ("False", "Lost")


@pytest.mark.parametrize("node_state", [value for value in Instance.NodeState.values if value != "ready"])
def test_only_a_ready_node_becomes_unavailable(node_state: str, nodes: Mesh) -> None:
    node("exec-1", node_state=node_state)
    nodes.pass_minutes(5)
    found = Instance.objects.get()
    assert (found.node_state, found.errors) == (node_state, "")


def test_a_node_that_was_never_seen_is_not_lost(nodes: Mesh) -> None:
    node("exec-1", last_seen=None)
    nodes.pass_minutes(10)
    assert state("exec-1") == "ready"
    assert condition("exec-1", "Seen")[1] == "NeverSeen"


def test_nobody_is_lost_while_receptor_does_not_answer(settings: Settings) -> None:
    settings.RECEPTOR_SOCKET = "/nowhere/receptor.sock"
    node("exec-1")
    periodic.inspect_mesh()
    assert state("exec-1") == "ready"
    assert MeshInspection.objects.get().error


def test_a_control_node_is_not_seen_by_its_receptor(nodes: Mesh) -> None:
    """Its worker has to report it: where that is dead, so is the node."""
    node("control-2", "control")
    for minute in range(1, 4):
        nodes.now = MORNING + minute * MINUTE
        nodes.advertised["control-2"] = nodes.now
        nodes.look()
    assert state("control-2") == "unavailable"


@pytest.mark.parametrize("probe", ["", "local"])
def test_nobody_is_lost_where_not_every_node_is_heard_of(probe: str, nodes: Mesh, settings: Settings) -> None:
    settings.HEALTH_PROBE = probe
    node("exec-1")
    nodes.pass_minutes(10)
    assert state("exec-1") == "ready"


def test_silence_that_nobody_listened_to_does_not_count(nodes: Mesh) -> None:
    """The worker was down, or Receptor was: the nodes have their full time from the first look."""
    node("exec-1")
    nodes.now += timedelta(minutes=20)
    nodes.look()
    nodes.pass_minutes(3)
    assert state("exec-1") == "ready"
    nodes.pass_minutes(1)
    assert state("exec-1") == "unavailable"


def test_after_receptor_failed_nodes_have_their_full_time(nodes: Mesh) -> None:
    node("exec-1")
    for _ in range(10):
        nodes.now += MINUTE
        nodes.look(error="no socket")
    nodes.pass_minutes(3)
    assert state("exec-1") == "ready"
    nodes.pass_minutes(2)
    assert state("exec-1") == "unavailable"


def test_a_time_in_the_future_does_not_hide_a_dead_node(nodes: Mesh) -> None:
    node("exec-1", last_seen=MORNING + timedelta(hours=3))
    nodes.pass_minutes(4)
    assert state("exec-1") == "unavailable"


def test_two_receptors_with_different_last_words_of_a_dead_node(nodes: Mesh, settings: Settings) -> None:
    node("exec-1")
    last_words = {"control-1": MORNING, "control-2": MORNING + timedelta(seconds=30)}
    for minute in range(1, 11):
        for inspector, at in last_words.items():
            settings.CLUSTER_HOST_ID = inspector
            nodes.now = MORNING + minute * MINUTE
            nodes.advertised["exec-1"] = at
            nodes.look()
    assert state("exec-1") == "unavailable"
    assert condition("exec-1", "Seen")[1] == "Lost"


# --- found


def test_a_hop_node_that_was_imported_as_unavailable_rejoins(nodes: Mesh) -> None:
    node("hop-1", "hop", node_state="unavailable", errors="as imported")
    nodes.pass_minutes(1, "hop-1")
    assert state("hop-1") == "ready"
    assert Instance.objects.get().errors == ""


def test_a_hop_node_is_back_when_it_was_seen_twice(nodes: Mesh) -> None:
    node("hop-1", "hop")
    nodes.pass_minutes(5)
    nodes.pass_minutes(1, "hop-1")
    assert state("hop-1") == "unavailable"
    assert condition("hop-1", "Seen")[:2] == ("Unknown", "SeenOnceAfterLoss")
    nodes.pass_minutes(1, "hop-1")
    assert state("hop-1") == "ready"
    assert Instance.objects.get().errors == ""


def test_the_same_advertisement_is_no_second_sighting(nodes: Mesh) -> None:
    node("hop-1", "hop")
    nodes.pass_minutes(5)
    nodes.pass_minutes(1, "hop-1")
    nodes.pass_minutes(1)
    assert state("hop-1") == "unavailable"


def test_flapping_does_not_reach_the_state(nodes: Mesh) -> None:
    node("hop-1", "hop")
    nodes.pass_minutes(5)
    for _ in range(5):
        nodes.pass_minutes(1, "hop-1")
        nodes.pass_minutes(4)
        assert state("hop-1") == "unavailable"


def test_an_execution_node_that_is_back_is_checked(nodes: Mesh) -> None:
    own = node("exec-1")
    nodes.pass_minutes(5)
    nodes.pass_minutes(1, "exec-1")
    assert queued() == []
    nodes.pass_minutes(2, "exec-1")
    assert queued() == [own.pk]  # once, though there were two more looks
    recording.record(own.pk, NodeReport(cpu=Decimal(4), memory=2**33), now=nodes.now)
    assert state("exec-1") == "ready"


def test_a_new_node_is_checked_when_it_is_first_seen(nodes: Mesh) -> None:
    own = node("exec-1", node_state="installed", last_seen=None, last_health_check=None)
    nodes.pass_minutes(1, "exec-1")
    assert queued() == [own.pk]


def test_a_node_with_errors_is_checked_again_after_half_an_hour(nodes: Mesh) -> None:
    own = node("exec-1", node_state="unavailable", errors="broken")
    nodes.pass_minutes(29, "exec-1")
    assert queued() == []
    nodes.pass_minutes(1, "exec-1")
    assert queued() == [own.pk]


@pytest.mark.parametrize(
    ("outcome", "is_checked"), [(Check.UNREACHABLE, True), (Check.TIMED_OUT, False), (Check.NODE_ERRORS, False)]
)
def test_a_node_that_no_check_reached_is_checked_when_it_is_seen(outcome: Check, is_checked: bool, nodes: Mesh) -> None:
    """Receptor may have known no route yet, as it had just started."""
    own = node("exec-1")
    recording.record(own.pk, NodeReport(errors="failed", outcome=outcome), now=nodes.now)
    nodes.pass_minutes(1, "exec-1")
    assert (queued() == [own.pk]) is is_checked


def test_a_check_that_is_dated_in_the_future_is_due(nodes: Mesh) -> None:
    own = node("exec-1", node_state="unavailable", last_health_check=MORNING + timedelta(hours=5))
    nodes.pass_minutes(1, "exec-1")
    assert queued() == [own.pk]


@pytest.mark.parametrize("probe", ["", "agent"])
def test_no_check_is_begun_where_nobody_would_do_it(probe: str, nodes: Mesh, settings: Settings) -> None:
    settings.HEALTH_PROBE = probe
    node("exec-1", node_state="unavailable", last_health_check=None)
    nodes.pass_minutes(2, "exec-1")
    assert queued() == []


# --- links


def test_a_known_connection_establishes_the_links_of_both_directions(nodes: Mesh) -> None:
    one, other, third = node("one"), node("other"), node("third")
    links = [link(one, other, "adding"), link(other, one, "adding"), link(one, third, "adding")]
    removing = link(other, third, "removing")
    nodes.connections = {"one": {"other": 1.0}, "other": {"one": 1.0, "third": 1.0}, "stranger": {"one": 1.0}}
    nodes.look()
    states = [InstanceLink.objects.get(pk=each.pk).link_state for each in [*links, removing]]
    assert states == ["established", "established", "adding", "removing"]


def test_a_connection_establishes_the_links_to_every_address_of_the_node(nodes: Mesh) -> None:
    """Receptor tells which nodes are connected, not at which address."""
    one, other, third = node("one"), node("other"), node("third")
    link(one, other, "adding")
    for address, values in (("a", {"protocol": "ws"}), ("b", {"port": 443}), ("c", {"is_internal": True})):
        InstanceLink.objects.create(
            source=one, target=ReceptorAddress.objects.create(instance=other, address=address, **values)
        )
    elsewhere = ReceptorAddress.objects.create(instance=third, address="d")
    InstanceLink.objects.create(source=one, target=elsewhere)
    nodes.connections = {"other": {"one": 1.0}, "third": {"other": 1.0}}
    nodes.look()
    states = dict(InstanceLink.objects.values_list("target__address", "link_state"))
    assert states == {**dict.fromkeys(("other", "a", "b", "c"), "established"), "d": "adding"}


# --- cut off


def test_nodes_behind_a_hop_node_that_is_down_say_which(nodes: Mesh) -> None:
    control, hop, exec_1, exec_2 = node("control", "control"), node("hop", "hop"), node("exec-1"), node("exec-2")
    link(control, hop)
    link(exec_1, hop)
    link(exec_2, exec_1)
    nodes.pass_minutes(5, "control")
    assert condition("hop", "Reachable")[:2] == ("False", "NodeDown")
    for hostname in ("exec-1", "exec-2"):
        assert condition(hostname, "Reachable") == (
            "False",
            "CutOff",
            "Every path to it leads over hop, which is down.",
        )


def test_a_node_with_another_path_is_down_itself(nodes: Mesh) -> None:
    control, hop, other, exec_1 = node("control", "control"), node("hop", "hop"), node("other", "hop"), node("exec-1")
    for source, target in ((control, hop), (control, other), (exec_1, hop), (exec_1, other)):
        link(source, target)
    nodes.pass_minutes(5, "control", "other")
    assert condition("exec-1", "Reachable")[:2] == ("False", "NodeDown")


def test_a_node_behind_two_that_are_down_names_both(nodes: Mesh) -> None:
    control, hop, other, exec_1 = node("control", "control"), node("hop", "hop"), node("other", "hop"), node("exec-1")
    for source, target in ((control, hop), (control, other), (exec_1, hop), (exec_1, other)):
        link(source, target)
    nodes.pass_minutes(5, "control")
    assert condition("exec-1", "Reachable")[2] == "Every path to it leads over hop, other, which are down."


# --- cut off, by the routing table


@pytest.fixture
def behind_a_hop(nodes: Mesh, settings: Settings) -> Mesh:
    """Control, hop and exec-1 behind it, all of which Receptor reaches; and exec-2, which the control node dials."""
    settings.RECEPTOR_SOCKET, settings.CLUSTER_HOST_ID = "/run/receptor.sock", "control"
    control, hop, exec_1, exec_2 = node("control", "control"), node("hop", "hop"), node("exec-1"), node("exec-2")
    for source, target in ((control, hop), (exec_1, hop), (control, exec_2)):
        link(source, target)
    nodes.routes = {"hop": "hop", "exec-1": "hop", "exec-2": "exec-2"}
    nodes.pass_minutes(2, "control", "hop", "exec-1", "exec-2")
    assert {condition(each, "Reachable")[1] for each in ("hop", "exec-1", "exec-2")} == {"Connected"}
    return nodes


CUT_OFF = ("False", "CutOff", "Every path to it leads over hop, which is down.")


def test_a_hop_node_that_is_down_and_not_lost_yet_cuts_off(behind_a_hop: Mesh) -> None:
    """Its last advertisement came later than those of the nodes behind it."""
    behind_a_hop.pass_minutes(1, "control", "hop", "exec-2")
    behind_a_hop.routes = {"exec-2": "exec-2"}
    behind_a_hop.pass_minutes(2, "control", "exec-2")
    assert (state("hop"), state("exec-1")) == ("ready", "unavailable")
    assert condition("exec-1", "Reachable") == CUT_OFF
    assert condition("hop", "Reachable")[:2] == ("Unknown", "NoRoute")
    behind_a_hop.pass_minutes(1, "control", "exec-2")
    assert condition("exec-1", "Reachable") == CUT_OFF
    assert condition("hop", "Reachable")[:2] == ("False", "NodeDown")


def test_a_node_behind_a_hop_node_that_is_back_is_not_down(behind_a_hop: Mesh) -> None:
    behind_a_hop.routes = {"exec-2": "exec-2"}
    behind_a_hop.pass_minutes(5, "control", "exec-2")
    assert condition("exec-1", "Reachable") == CUT_OFF
    behind_a_hop.routes = {"hop": "hop", "exec-1": "hop", "exec-2": "exec-2"}
    behind_a_hop.pass_minutes(2, "control", "hop", "exec-2")
    assert (state("hop"), state("exec-1")) == ("ready", "unavailable")
    assert condition("exec-1", "Reachable")[:2] == ("Unknown", "NotHeardYet")
    behind_a_hop.pass_minutes(1, "control", "hop", "exec-1", "exec-2")
    assert condition("exec-1", "Reachable")[:2] == ("Unknown", "SeenOnceAfterLoss")
    behind_a_hop.pass_minutes(1, "control", "hop", "exec-1", "exec-2")
    assert condition("exec-1", "Seen")[1] == "SeenInTime"
    assert condition("exec-1", "Reachable")[1] == "Connected"


def test_only_the_node_that_is_down_is_down(behind_a_hop: Mesh) -> None:
    behind_a_hop.routes = {"hop": "hop", "exec-2": "exec-2"}
    behind_a_hop.pass_minutes(5, "control", "hop", "exec-2")
    assert condition("exec-1", "Reachable")[:2] == ("False", "NodeDown")
    assert {condition(each, "Reachable")[1] for each in ("hop", "exec-2")} == {"Connected"}


def test_the_first_inspection_that_finds_no_route_says_so(behind_a_hop: Mesh) -> None:
    """Nobody is lost yet, and nobody is connected for being seen a minute ago."""
    behind_a_hop.routes = {"exec-2": "exec-2"}
    behind_a_hop.pass_minutes(1, "control", "exec-2")
    for hostname in ("hop", "exec-1"):
        assert (state(hostname), condition(hostname, "Seen")[0]) == ("ready", "True")
        assert condition(hostname, "Reachable")[:2] == ("Unknown", "NoRoute")
    assert condition("exec-2", "Reachable")[1] == condition("control", "Reachable")[1] == "Connected"


def test_a_node_that_reports_after_the_inspection_is_reached(behind_a_hop: Mesh) -> None:
    behind_a_hop.routes = {"hop": "hop", "exec-2": "exec-2"}
    behind_a_hop.pass_minutes(1, "control", "hop", "exec-2")
    own, later = Instance.objects.get(hostname="exec-1"), behind_a_hop.now + timedelta(seconds=5)
    recording.record(own.pk, NodeReport(cpu=Decimal(4), memory=2**33), now=later)
    found = conditions.current(Instance.objects.with_conditions().get(pk=own.pk), now=later)
    assert next(each.reason for each in found if each.type == "Reachable") == "Connected"


def test_agents_report_from_outside_of_the_mesh(behind_a_hop: Mesh, settings: Settings) -> None:
    settings.HEALTH_PROBE = "agent"
    behind_a_hop.routes = {}
    behind_a_hop.pass_minutes(1, "control", "hop", "exec-1", "exec-2")
    assert {condition(each, "Reachable")[1] for each in ("hop", "exec-1", "exec-2")} == {"Connected"}


def test_what_one_of_two_receptors_reaches_is_reached(behind_a_hop: Mesh, settings: Settings) -> None:
    node("control-2", "control")
    for inspector, routes in (("control-2", {"exec-1": "exec-1"}), ("control", {"hop": "hop", "exec-2": "exec-2"})):
        settings.CLUSTER_HOST_ID, behind_a_hop.routes = inspector, routes
        behind_a_hop.look()
    assert {condition(each, "Reachable")[1] for each in ("hop", "exec-1", "exec-2")} == {"Connected"}
    settings.CLUSTER_HOST_ID, behind_a_hop.routes = "control-2", {}
    behind_a_hop.look()
    assert condition("exec-1", "Reachable")[1] == "NoRoute"
    assert condition("hop", "Reachable")[1] == "Connected"


def test_the_heartbeat_of_a_control_node_is_no_route_to_it(behind_a_hop: Mesh, settings: Settings) -> None:
    """It is written to the database, whatever became of the node's own Receptor."""
    other = node("control-2", "control", last_seen=behind_a_hop.now)
    behind_a_hop.look()
    recording.record(other.pk, NodeReport(cpu=Decimal(4), memory=2**33), now=behind_a_hop.now + timedelta(seconds=5))
    assert condition("control-2", "Seen")[0] == "True"
    assert condition("control-2", "Reachable")[:2] == ("Unknown", "NoRoute")


# --- two control nodes


def take_turns(nodes: Mesh, settings: Settings, at: Any = None) -> None:
    """Let both control nodes inspect, one after the other; ``at``: what exec-1 and hop-1 wrote in the meantime."""
    for inspector in ("control-1", "control-2"):
        settings.CLUSTER_HOST_ID = inspector
        if at is not None:
            nodes.advertised |= {"exec-1": at, "hop-1": at}
        nodes.look()
        nodes.now += timedelta(seconds=1)


@pytest.fixture
def lost(nodes: Mesh, settings: Settings) -> Mesh:
    """An execution and a hop node that both control nodes have lost, each with its last words."""
    node("exec-1")
    node("hop-1", "hop")
    for minute in range(7):
        nodes.now = MORNING + minute * MINUTE
        take_turns(nodes, settings, at=MORNING if minute == 0 else None)
    assert state("exec-1") == state("hop-1") == "unavailable"
    return nodes


def test_one_advertisement_is_one_sighting_whoever_reads_it(lost: Mesh, settings: Settings) -> None:
    for _ in range(3):
        take_turns(lost, settings, at=MORNING + 7 * MINUTE)
        lost.now += MINUTE / 6
    assert {each.sightings for each in NodeHealth.objects.all()} == {1}
    assert state("hop-1") == "unavailable"
    assert queued() == []
    assert condition("exec-1", "Seen")[:2] == condition("hop-1", "Seen")[:2] == ("Unknown", "SeenOnceAfterLoss")
    take_turns(lost, settings, at=MORNING + 8 * MINUTE)
    assert state("hop-1") == "ready"
    assert len(queued()) == 1


def test_an_older_advertisement_that_comes_late_is_no_sighting(lost: Mesh, settings: Settings) -> None:
    for inspector, seconds in (("control-1", 30), ("control-2", 0)):
        settings.CLUSTER_HOST_ID = inspector
        lost.advertised["hop-1"] = lost.now - timedelta(seconds=60 - seconds)
        lost.look()
    assert NodeHealth.objects.get(instance__hostname="hop-1").sightings == 1


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_jumps_loses_no_node_of_two_control_nodes(hours: int, nodes: Mesh, settings: Settings) -> None:
    node("exec-1")
    node("hop-1", "hop")
    for minute in range(1, 12):
        nodes.now = MORNING + minute * MINUTE
        offset = timedelta(hours=hours) if minute > 4 else timedelta()
        take_turns(nodes, settings, at=nodes.now + offset)
        assert state("exec-1") == state("hop-1") == "ready"


def test_a_control_node_that_is_gone_hides_no_sighting(nodes: Mesh, settings: Settings) -> None:
    """What it recorded stays; the clock of the node was put back since."""
    node("exec-1")
    nodes.advertised["exec-1"] = MORNING
    settings.CLUSTER_HOST_ID = "control-2"
    nodes.look()
    settings.CLUSTER_HOST_ID = "control-1"
    nodes.look()
    for minute in range(1, 12):
        nodes.now = MORNING + minute * MINUTE
        nodes.advertised["exec-1"] = nodes.now - timedelta(hours=1)
        nodes.look()
        assert state("exec-1") == "ready"


# --- conditions over time


def test_a_transition_is_dated_when_the_status_changed(nodes: Mesh) -> None:
    node("hop-1", "hop")
    nodes.pass_minutes(1, "hop-1")
    first = Condition.objects.get(type="Seen").last_transition
    nodes.pass_minutes(3, "hop-1")
    assert Condition.objects.get(type="Seen").last_transition == first
    nodes.pass_minutes(3)
    assert Condition.objects.get(type="Seen").last_transition == nodes.now
    nodes.pass_minutes(3)
    assert Condition.objects.get(type="Seen").last_transition == nodes.now - 3 * MINUTE


def test_conditions_are_told_before_they_are_noted() -> None:
    node("exec-1", enabled=False)
    instance = Instance.objects.with_conditions().get()
    told = {each.type: (each.status, each.reason) for each in conditions.current(instance, now=MORNING)}
    assert told == {
        "Seen": ("True", "SeenInTime"),
        "HealthChecked": ("True", "CheckPassed"),
        "Reachable": ("True", "Connected"),
        "CapacityReported": ("True", "FiguresReported"),
        "Enabled": ("False", "DisabledByOperator"),
        "BundleCurrent": ("Unknown", "NoBundleRecorded"),
        "SinglePath": ("Unknown", "NoWayToControlNode"),
        "Draining": ("False", "NotDraining"),
        "Drained": ("False", "NotDraining"),
    }


# --- at size


def big_mesh(number: int) -> list[Instance]:
    """A control node, a hop node for every 50 others, and execution nodes behind them."""
    instances = [node("control", "control")]
    hops = [node(f"hop-{n}", "hop") for n in range(number // 50)]
    behind = [
        Instance(
            hostname=f"exec-{n}",
            node_type="execution",
            cpu=4,
            memory=2**33,
            cpu_capacity=16,
            mem_capacity=81,
            capacity=81,
            modified=MORNING,
            last_seen=MORNING,
            last_health_check=MORNING,
        )
        for n in range(number - len(hops) - 1)
    ]
    executing = Instance.objects.bulk_create(behind)
    dialled = [address_to_link(hop) for hop in hops]
    links = [InstanceLink(source=instances[0], target=each, link_state="established") for each in dialled]
    links += [
        InstanceLink(source=each, target=dialled[n % len(hops)], link_state="established")
        for n, each in enumerate(executing)
    ]
    InstanceLink.objects.bulk_create(links)
    return [*instances, *hops, *executing]


@pytest.mark.parametrize("number", [100, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("routed", [False, True])
def test_an_inspection_takes_as_many_queries_for_any_mesh(
    number: int, routed: bool, nodes: Mesh, settings: Settings
) -> None:
    settings.RECEPTOR_SOCKET = "/run/receptor.sock"
    hostnames = [each.hostname for each in big_mesh(number)]
    for seen in (hostnames, [], [], [], [], hostnames, hostnames):  # the first, usual, losing and recovering looks
        nodes.advertised |= dict.fromkeys(seen, nodes.now)
        nodes.routes = dict.fromkeys(seen, "hop-0") if routed else None
        with CaptureQueriesContext(connection) as queries:
            nodes.look()
        assert len(queries) <= 20, [query["sql"][:100] for query in queries]
        nodes.now += MINUTE


@pytest.mark.slow
def test_a_day_of_a_thousand_nodes_ends_as_it_must(nodes: Mesh) -> None:
    """Losses, flaps, a hop node that fails, workers that start again; each look goes by what is stored alone."""
    everybody = {each.hostname for each in big_mesh(1000)}
    behind_hop_3 = set(
        InstanceLink.objects.filter(target__instance__hostname="hop-3", source__node_type="execution").values_list(
            "source__hostname", flat=True
        )
    )
    gone, flapping, brief = "exec-100", "exec-101", "exec-102"  # none of them behind hop-3
    assert not {gone, flapping, brief} & behind_hop_3

    def pass_time(minutes: int, silent: set[str]) -> None:
        nodes.pass_minutes(minutes, *(everybody - silent))

    def finish_checks() -> None:
        for pk in queued():
            recording.record(pk, NodeReport(cpu=Decimal(4), memory=2**33), now=nodes.now)
        ProcrastinateJob.objects.filter(task_name="health_check").delete()

    pass_time(2, set())
    assert set(Instance.objects.values_list("node_state", flat=True)) == {"ready"}
    pass_time(2, {brief})  # within the tolerance
    pass_time(1, set())
    assert state(brief) == "ready"
    pass_time(5, {gone, flapping})
    assert {state(gone), state(flapping)} == {"unavailable"}
    pass_time(1, {gone})  # once is not enough
    pass_time(4, {gone, flapping})
    assert state(flapping) == "unavailable"
    nodes.now += timedelta(minutes=20)  # no worker ran
    pass_time(1, {gone, flapping})
    assert Instance.objects.filter(node_state="unavailable").count() == 2
    pass_time(5, {gone, flapping, "hop-3", *behind_hop_3})
    cut_off = Condition.objects.filter(type="Reachable", reason="CutOff")
    assert set(cut_off.values_list("instance__hostname", flat=True)) == behind_hop_3
    assert set(cut_off.values_list("message", flat=True)) == {"Every path to it leads over hop-3, which is down."}
    pass_time(2, {gone})
    finish_checks()
    pass_time(1, {gone})
    expected = {gone: "unavailable"}
    found = dict(Instance.objects.exclude(node_state="ready").values_list("hostname", "node_state"))
    assert found == expected
    assert condition(gone, "Reachable")[:2] == ("False", "NodeDown")
    assert not NodeHealth.objects.filter(lost_since__isnull=False).exclude(instance__hostname=gone).exists()
    came_back = dict.fromkeys([flapping, "hop-3", *behind_hop_3], ("True", 43))
    turned = {gone: ("False", 8), **came_back}  # status, and the minute in which it became that
    for kind in ("Seen", "Reachable"):
        found_turned = {
            each.instance.hostname: (each.status, (each.last_transition - MORNING) // MINUTE)
            for each in Condition.objects.filter(type=kind, last_transition__gt=MORNING).select_related("instance")
        }
        assert found_turned == turned
    assert not Condition.objects.exclude(type__in=("Seen", "Reachable")).filter(status="False").exists()


# --- answers of any kind

ODD_TIMES = ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "2026-02-30T00:00:00Z", "12:00", "", "\0"]
ODD_NAMES = ["", "\0", "\ud800", "a\udfffb", "x" * 10_000, "\x1b[2J", "exec-1", "exec-2"]
names = st.sampled_from(ODD_NAMES) | st.text()
scalars = st.none() | st.booleans() | st.integers() | st.floats() | names | st.sampled_from(ODD_TIMES)
anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=5)
times = st.sampled_from([*ODD_TIMES, "2026-03-01T08:59:30Z"]) | st.datetimes(timezones=st.timezones()).map(str)
commands = st.lists(st.fixed_dictionaries({"WorkType": names | anything, "Secure": anything}) | anything) | anything
advertisements = (
    st.fixed_dictionaries(
        {"NodeID": names | anything, "Time": times | anything},
        optional={"Service": st.just("control") | anything, "ConnType": anything, "WorkCommands": commands},
    )
    | anything
)
costs = st.dictionaries(names, st.dictionaries(names, anything) | anything)
statuses = st.fixed_dictionaries(
    {},
    optional={
        "Advertisements": st.lists(advertisements) | anything,
        "KnownConnectionCosts": costs | anything,
        "RoutingTable": st.dictionaries(names, names | anything) | anything,
        "NodeID": names | anything,
    },
)


@pytest.mark.parametrize("time", ODD_TIMES)
def test_an_odd_time_of_one_node_is_no_sign_of_it_and_hides_no_other(time: str) -> None:
    node("exec-1", last_seen=None)
    node("exec-2", last_seen=None)
    told = [{"NodeID": "exec-1", "Time": time}, {"NodeID": "exec-2", "Time": MORNING.isoformat()}]
    assert mesh.inspect(MORNING, View.of_status({"Advertisements": told})) is not None
    seen = dict(Instance.objects.values_list("hostname", "last_seen"))
    assert seen == {"exec-1": None, "exec-2": MORNING}


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_name_on_the_mesh_hides_no_node(name: str) -> None:
    node("exec-2")
    told = [{"NodeID": each, "Time": MORNING.isoformat()} for each in (name, "exec-2")]
    assert mesh.inspect(MORNING, View.of_status({"Advertisements": told})) is not None
    assert Instance.objects.get(hostname="exec-2").last_seen == MORNING


@given(status=statuses)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_answer_ends_a_look(status: dict[str, Any]) -> None:
    if not Instance.objects.exists():
        node("exec-1")
    with transaction.atomic():
        assert mesh.inspect(MORNING, View.of_status(status)) is not None
