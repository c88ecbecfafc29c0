"""What a real Receptor answered to ``status``, and what an inspection of the mesh makes of it.

The answers are recorded: receptor_replay/transcripts.jsonl, whose README describes the cases.
"""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from instances.health import mesh
from instances.health.mesh_view import ControlService, View
from instances.models import Condition, Instance, MeshInspection
from tests.mesh import MORNING, link, node

TRANSCRIPTS = Path(__file__).parent / "receptor_replay" / "transcripts.jsonl"
RUNNER = {"ansible-runner": True}


def answers() -> dict[str, list[dict[str, Any]]]:
    """For each case the objects that Receptor answered to ``status``, in order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for connection in map(json.loads, TRANSCRIPTS.read_text().splitlines()):
        name, asked = connection["name"], connection["asked"]
        if not name.startswith("status-") or asked != "status":
            continue
        text = "".join(event.get("text", "") for event in connection["events"] if event["from"] == "receptor")
        line = text.splitlines()[1]
        if line.endswith("}"):  # status-cut-short has only half of its answer
            found.setdefault(name, []).append(json.loads(line))
    return found


ANSWERS = answers()
CASES = sorted((name, number) for name, each in ANSWERS.items() for number in range(len(each)))


def view_of(name: str, number: int = -1) -> View:
    return View.of_status(ANSWERS[name][number])


def asked_at(view: View) -> datetime:
    """About when it was asked: Receptor's own advertisement is a minute old at most."""
    return view.advertised[view.node] + timedelta(seconds=5)


def inspect(name: str, number: int = -1) -> MeshInspection:
    """The stored inspection of what was answered."""
    view = view_of(name, number)
    assert mesh.inspect(asked_at(view), view) is not None
    return MeshInspection.objects.get()


def nodes(*names: str, node_type: str = "execution") -> None:
    for name in names:
        node(host(name), node_type, last_seen=None)


def host(name: str) -> str:
    return f"{name}.example.org"


@pytest.mark.parametrize(("name", "number"), CASES)
def test_every_recorded_answer_is_understood_whole(name: str, number: int) -> None:
    status = ANSWERS[name][number]
    view = view_of(name, number)
    assert view.node == host("control-1")
    assert view.routes == status["RoutingTable"]
    assert view.advertised.keys() == {each["NodeID"] for each in status["Advertisements"]}
    control = {each["NodeID"]: each for each in status["Advertisements"] if each["Service"] == "control"}
    assert {node: each.conn_type for node, each in view.services.items()} == {
        node: each["ConnType"] for node, each in control.items()
    }
    assert {node: each.work_types for node, each in view.services.items()} == {
        node: {each["WorkType"]: each["Secure"] for each in each["WorkCommands"] or []}
        for node, each in control.items()
    }


def test_a_control_service_is_advertised_with_its_transport_and_its_work_types() -> None:
    services = view_of("status-healthy").services
    assert services[host("exec-1")] == ControlService(2, RUNNER)
    assert services[host("exec-4")] == ControlService(1, {"ansible-runner": False, "cat": True})
    assert services[host("hop-1")] == ControlService(2, {})


def test_variants_of_work_types_are_told_apart() -> None:
    services = view_of("status-variants").services
    assert services[host("exec-6")].work_types == {"something-else": True}
    assert services[host("exec-7")].work_types == {"ansible-runner": False}
    assert host("exec-5") not in services  # it has not advertised anything yet


def test_routes_lead_over_the_next_node() -> None:
    routes = view_of("status-healthy").routes
    assert routes is not None
    assert routes[host("exec-2")] == host("hop-1")
    assert routes[host("exec-1")] == host("exec-1")
    assert host("control-1") not in routes


def test_an_answer_without_a_routing_table_has_no_routes() -> None:
    assert View.of_status({}).routes is None
    assert View.of_status({"RoutingTable": {}}).routes == {}


@pytest.mark.parametrize("commands", ["x", 1, [1], ["ansible-runner"], {"a": 1}])
def test_work_types_that_cannot_be_read_are_not_known(commands: object) -> None:
    entry = {"NodeID": "exec-1", "Service": "control", "Time": "2026-11-28T08:54:13Z", "WorkCommands": commands}
    assert View.of_status({"Advertisements": [entry]}).services == {"exec-1": ControlService(None, None)}


def test_the_last_advertisement_of_a_control_service_counts() -> None:
    def entry(second: int, conn_type: int) -> dict[str, Any]:
        time = f"2026-11-28T08:54:{second:02}Z"
        return {"NodeID": "exec-1", "Service": "control", "Time": time, "ConnType": conn_type}

    for entries in ([entry(1, 1), entry(2, 2)], [entry(2, 2), entry(1, 1)]):
        assert View.of_status({"Advertisements": entries}).services == {"exec-1": ControlService(2, None)}


# --- nodes that no instance describes


@pytest.fixture
def registered(settings: Settings) -> None:
    """An instance for every node that belongs to the recorded mesh."""
    settings.HEALTH_PROBE, settings.CLUSTER_HOST_ID = "receptor", host("control-1")
    nodes("control-1", node_type="control")
    nodes("hop-1", node_type="hop")
    nodes(*(f"exec-{number}" for number in range(1, 11)))


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "number"), CASES)
def test_unknown_is_who_is_on_the_mesh_and_no_instance(name: str, number: int, registered: None) -> None:
    is_there = name == "status-unknown-node"
    assert inspect(name, number).unknown_nodes == ([host("rogue")] if is_there else [])


@pytest.mark.django_db
def test_a_node_that_left_is_forgotten(registered: None) -> None:
    """Receptor lists its advertisement for ever."""
    assert inspect("status-unknown-node").unknown_nodes == [host("rogue")]
    assert inspect("status-unknown-node-gone").unknown_nodes == []
    assert inspect("status-unknown-node").unknown_nodes == [host("rogue")]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("age", "routed", "costs", "is_there"),
    [
        (timedelta(seconds=30), True, {"hop-1": 1.0}, True),
        (timedelta(days=3), True, {"hop-1": 1.0}, True),  # its clock may be wrong
        (timedelta(seconds=30), False, {"hop-1": 1.0}, True),  # it has just joined
        (timedelta(seconds=30), False, None, True),
        (timedelta(seconds=30), False, {}, False),  # it has just left
        (timedelta(minutes=4), False, {"hop-1": 1.0}, False),  # the hop before it has left
        (timedelta(minutes=4), False, None, False),
        (timedelta(minutes=-10), False, None, False),  # it left, and its clock was ahead
        (timedelta(days=3), None, None, True),  # this Receptor tells of no routes
    ],
)
def test_who_is_on_the_mesh(age: timedelta, routed: bool | None, costs: Any, is_there: bool) -> None:
    status: dict[str, Any] = {
        "NodeID": "control-1",
        "Advertisements": [{"NodeID": "rogue", "Time": (MORNING - age).isoformat()}],
        "KnownConnectionCosts": {} if costs is None else {"rogue": costs},
    }
    if routed is not None:
        status["RoutingTable"] = {"hop-1": "hop-1", **({"rogue": "hop-1"} if routed else {})}
    mesh.inspect(MORNING, View.of_status(status))
    assert MeshInspection.objects.get().unknown_nodes == (["rogue"] if is_there else [])


# --- who is reached


LINKS = [("control-1", "hop-1"), ("control-1", "exec-1"), *((f"exec-{n}", "hop-1") for n in range(2, 11))]


@pytest.fixture
def linked(registered: None, settings: Settings) -> None:
    """With the links of the recorded mesh, watched through its Receptor."""
    settings.RECEPTOR_SOCKET = "/run/receptor.sock"
    stored = {each.hostname: each for each in Instance.objects.all()}
    for source, target in LINKS:
        link(stored[host(source)], stored[host(target)])


def reasons() -> dict[str, str]:
    """For each node the reason of its Reachable."""
    stored = Condition.objects.filter(type="Reachable").values_list("instance__hostname", "reason")
    return {hostname.removesuffix(".example.org"): reason for hostname, reason in stored}


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "number"), CASES)
def test_nobody_is_lost_or_down_at_the_first_answer(name: str, number: int, linked: None) -> None:
    """A control node that has just started knows no node: those that it has not heard of are not lost."""
    inspect(name, number)
    assert not Instance.objects.filter(node_state="unavailable").exists()
    view = view_of(name, number)
    for hostname, reason in reasons().items():
        assert reason not in ("NodeDown", "CutOff")
        assert reason != "Connected" or view.reaches(host(hostname))


@pytest.mark.django_db
def test_a_healthy_mesh_is_connected(linked: None) -> None:
    inspect("status-healthy")
    there = {name for name, reason in reasons().items() if reason == "Connected"}
    assert there == {"hop-1", "exec-1", "exec-2", "exec-3", "exec-4"}


@pytest.mark.django_db
def test_a_frozen_node_is_not_connected_once_its_route_is_gone(linked: None) -> None:
    inspect("status-healthy")
    inspect("status-node-frozen")
    assert reasons()["exec-3"] == "Connected"
    inspect("status-node-frozen-later")
    assert reasons()["exec-3"] == "NoRoute"
    assert reasons()["exec-2"] == "Connected"


@pytest.mark.django_db
def test_a_frozen_node_is_down_itself_when_it_is_lost(linked: None) -> None:
    inspect("status-healthy")
    view = view_of("status-node-frozen-later")
    now = asked_at(view)
    for _ in range(5):  # the others go on advertising themselves
        view.advertised |= {each: now for each in view.advertised if each != host("exec-3")}
        mesh.inspect(now, view)
        now += timedelta(minutes=1)
    assert Instance.objects.get(hostname=host("exec-3")).node_state == "unavailable"
    assert reasons()["exec-3"] == "NodeDown"
    assert {reasons()[name] for name in ("hop-1", "exec-1", "exec-2", "exec-4")} == {"Connected"}
