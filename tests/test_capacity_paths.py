"""Whatever changes a node's state, its type or whether it is enabled, its capacity follows from the one formula."""

import ast
import itertools
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from pytest_django import Settings

from instances import deprovisioning, lifecycle
from instances.health import mesh, recording
from instances.health.mesh_view import View
from instances.health.report import NodeReport
from instances.models import Instance, MeshInspection, NodeHealth, User
from tests.conftest import client_of
from tests.mesh import MINUTE, MORNING
from tests.service import PROJECT
from tests.test_admin import NODES, act, browser_of

pytestmark = pytest.mark.django_db

STALE = 100  # what a new node has, and what none keeps
TYPES, STATES = Instance.NodeType.values, Instance.NodeState.values
CHANGING = ("node_state", "node_type", "enabled")

Path = Callable[[Instance, User], object]


def wire(method: str, **body: object) -> Path:
    def send(instance: Instance, admin: User) -> object:
        whole = {"hostname": instance.hostname, "node_type": instance.node_type} if method == "put" else {}
        path = f"/api/v2/instances/{instance.pk}/"
        return getattr(client_of(admin), method)(path, {**whole, **body}, format="json")

    return send


def administration(action: str, **more: object) -> Path:
    def post(instance: Instance, admin: User) -> object:
        return act(browser_of(admin), NODES, action, instance, confirmed="yes", **more)

    return post


def report(errors: str = "", outcome: NodeHealth.Check = NodeHealth.Check.PASSED) -> Path:
    """The report of a heartbeat, a health check or an agent."""
    found = NodeReport(cpu=Decimal(8), memory=2**34, errors=errors, outcome=outcome)
    return lambda instance, admin: recording.record(instance.pk, found, now=MORNING)


def lose(instance: Instance, admin: User) -> object:
    for minute in range(5):
        mesh.inspect(MORNING + minute * MINUTE, View())
    return None


def advertise(instance: Instance, admin: User) -> object:
    for minute in range(1, 4):
        now = MORNING + minute * MINUTE
        mesh.inspect(now, View({instance.hostname: now}))
    return None


PATHS: dict[str, Path] = {
    "PATCH disables": wire("patch", enabled=False),
    "PATCH enables": wire("patch", enabled=True),
    "PATCH begins the removal": wire("patch", node_state="deprovisioning"),
    "PUT disables": wire("put", enabled=False),
    "PUT enables": wire("put", enabled=True),
    "PUT begins the removal": wire("put", node_state="deprovisioning"),
    "the administration disables": administration("disable", reason="broken fan"),
    "the administration enables": administration("enable"),
    "the administration begins the removal": administration("deprovision"),
    "a good report": report(),
    "a report with errors": report("no podman", NodeHealth.Check.NODE_ERRORS),
    "a failed check": report("no route", NodeHealth.Check.UNREACHABLE),
    "silence": lose,
    "advertisements": advertise,
    "a removal that fails": lambda instance, admin: deprovisioning.mark_failed(instance.pk, "locked"),
}
# The functions that assign one of CHANGING; each has a path above.
ASSIGNING = {
    "instances/deprovisioning.py:mark_failed",
    "instances/health/recording.py:bring_online",
    "instances/health/recording.py:take_offline",
    "instances/lifecycle.py:change",
    "instances/planning/changes.py:changed_node",  # of a copy, which test_what_if.py compares with a real change
}


# Nodes that AWX runs on are not removed here, and are not seen by their advertisements; execution nodes are checked.
UNCHANGED = {
    *itertools.product([path for path in PATHS if path.endswith("the removal")], ["control", "hybrid"]),
    *itertools.product(["advertisements"], ["control", "hybrid", "execution"]),
}


@pytest.fixture(autouse=True)
def kubernetes(settings: Settings) -> None:
    """Where an API may remove nodes, and silence is noticed."""
    settings.IS_K8S, settings.HEALTH_PROBE = True, "receptor"


@pytest.mark.parametrize("node_type", TYPES)
@pytest.mark.parametrize("path", PATHS)
def test_every_change_recomputes_the_capacity(path: str, node_type: str, admin: User) -> None:
    figures = {"cpu": 4, "memory": 2**33, "cpu_capacity": 16, "mem_capacity": 61} if node_type != "hop" else {}
    changed = []
    for node_state, enabled in itertools.product(STATES, (True, False)):
        values = {"node_type": node_type, "node_state": node_state, "enabled": enabled, **figures}
        before = Instance.objects.create(hostname="node-1", capacity=STALE, last_seen=MORNING, **values)
        PATHS[path](before, admin)
        after = Instance.objects.get()
        if any(getattr(before, name) != getattr(after, name) for name in CHANGING):
            changed.append((node_state, enabled))
            assert after.capacity == int(after.exact_capacity), (node_state, enabled)
            assert after.capacity == 0 or (after.enabled and node_type != "hop")
        Instance.objects.all().delete()
        MeshInspection.objects.all().delete()
    assert changed or (path, node_type) in UNCHANGED


@pytest.mark.parametrize("node_type", ["execution", "hop"])
def test_a_new_node_has_the_default(node_type: str, admin: User) -> None:
    body = {"hostname": "node-1", "node_type": node_type, "node_state": "installed"}
    answer = client_of(admin).post("/api/v2/instances/", body, format="json")
    assert (answer.status_code, answer.json()["capacity"]) == (201, STALE)


def assignments() -> Iterator[str]:
    """The functions that assign one of CHANGING, or set attributes by name."""
    for file in sorted((PROJECT / "instances").rglob("*.py")):
        path = file.relative_to(PROJECT).as_posix()
        if "/migrations/" in path or "/mirror/" in path or "/snapshot/" in path:  # these copy another's records
            continue
        for function in ast.walk(ast.parse(file.read_text())):
            if isinstance(function, ast.FunctionDef) and any(assigns(node) for node in ast.walk(function)):
                yield f"{path}:{function.name}"


def assigns(node: ast.AST) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(target, ast.Attribute) and target.attr in CHANGING for target in targets)


def test_every_function_that_assigns_a_state_is_known() -> None:
    assert set(assignments()) | {f"{lifecycle.__name__.replace('.', '/')}.py:change"} == ASSIGNING
