"""What a real Receptor answered to ``status``, and what an inspection of the mesh makes of it.

The answers are recorded: receptor_replay/transcripts.jsonl, whose README describes the cases.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from instances.health.mesh_view import ControlService, View

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
