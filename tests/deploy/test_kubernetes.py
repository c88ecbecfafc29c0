"""deploy/kubernetes.yaml: valid by Kubernetes' own schemas, and about commands, paths and settings that there are."""

from copy import deepcopy
from typing import Any

import kubernetes_validate
import pytest
import yaml

from awx_compat import probes
from tests.deploy.commands import AWX_INSTANCES, default, parse, unknown_settings
from tests.service import PROJECT

DOCUMENTS = list(yaml.safe_load_all((PROJECT / "deploy" / "kubernetes.yaml").read_text()))
MEMORY_OF_A_PROCESS = 130  # MB: docs/performance.md


def named(kind: str, name: str) -> dict[str, Any]:
    (document,) = (each for each in DOCUMENTS if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return deepcopy(document)


SETTINGS = named("ConfigMap", "awx-instances")["data"]
SERVER, WORKER = (named("Deployment", f"awx-instances-{name}")["spec"]["template"] for name in ("server", "worker"))
PODS = [SERVER["spec"], WORKER["spec"], named("Job", "awx-instances-migrate")["spec"]["template"]["spec"]]


def container(pod: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod["containers"]
    return dict(only)


def mebibytes(quantity: str) -> int:
    return int(quantity.removesuffix("Mi"))


@pytest.mark.parametrize("version", [kubernetes_validate.latest_version(), "1.30"])
def test_the_manifests_are_valid(version: str) -> None:
    for document in DOCUMENTS:
        kubernetes_validate.validate(document, version, strict=True)


def test_a_misspelt_key_is_not_valid() -> None:
    document = named("PodDisruptionBudget", "awx-instances-server")
    document["spec"]["minAvailabel"] = document["spec"].pop("minAvailable")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("pod", PODS, ids=lambda pod: pod["containers"][0]["name"])
def test_a_pod_may_do_little(pod: dict[str, Any]) -> None:
    """What the level "restricted" of Kubernetes' pod security standards wants, and a root file system that is read."""
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container(pod)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert container(pod)["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    assert pod["volumes"] == [{"name": "tmp", "emptyDir": {}}]


@pytest.mark.parametrize("pod", PODS, ids=lambda pod: pod["containers"][0]["name"])
def test_a_container_runs_a_command_that_there_is(pod: dict[str, Any]) -> None:
    assert "command" not in container(pod)  # the image has it
    assert parse(container(pod)["args"])


def test_settings_and_secrets_are_of_the_service() -> None:
    assert unknown_settings(SETTINGS) == set()
    for pod in PODS:
        assert container(pod)["envFrom"] == [
            {"configMapRef": {"name": "awx-instances"}},
            {"secretRef": {"name": "awx-instances"}},
        ]
        assert pod["enableServiceLinks"] is False  # which would set further variables


def test_the_server_is_probed_where_it_listens() -> None:
    server = container(SERVER["spec"])
    host, port = parse(server["args"]).bind
    assert host == "0.0.0.0"
    assert server["ports"] == [{"name": "http", "containerPort": port}]
    paths = {"startupProbe": probes.HEALTH, "livenessProbe": probes.HEALTH, "readinessProbe": probes.READINESS}
    assert {name: server[name]["httpGet"] for name in paths} == {
        name: {"path": path, "port": "http"} for name, path in paths.items()
    }


def test_the_worker_is_probed_by_its_heartbeat() -> None:
    """Which must not restart it: the database may be away."""
    worker = container(WORKER["spec"])
    program, *arguments = worker["readinessProbe"]["exec"]["command"]
    assert program == AWX_INSTANCES
    assert parse(arguments)
    assert not {"livenessProbe", "startupProbe"} & worker.keys()


def test_the_service_and_the_budget_find_the_server() -> None:
    labels = SERVER["metadata"]["labels"]
    service, budget = named("Service", "awx-instances"), named("PodDisruptionBudget", "awx-instances-server")
    assert service["spec"]["selector"] == budget["spec"]["selector"]["matchLabels"] == labels
    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http"]
    assert named("Deployment", "awx-instances-server")["spec"]["replicas"] > budget["spec"]["minAvailable"]
    for name in ("server", "worker"):
        spec = named("Deployment", f"awx-instances-{name}")["spec"]
        assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]


def test_a_pod_is_given_the_time_that_it_needs_to_stop() -> None:
    drain, probe = int(SETTINGS["DRAIN_SECONDS"]), container(SERVER["spec"])["readinessProbe"]
    assert drain > probe["periodSeconds"] * probe["failureThreshold"]
    assert SERVER["spec"]["terminationGracePeriodSeconds"] >= 2 * drain + 15
    assert WORKER["spec"]["terminationGracePeriodSeconds"] >= default("HEALTH_CHECK_TIMEOUT") + 10


def test_the_server_has_the_memory_of_its_processes() -> None:
    """Those that answer, and the one that starts them."""
    server = container(SERVER["spec"])
    processes = parse(server["args"]).workers + 1
    assert mebibytes(server["resources"]["requests"]["memory"]) >= processes * MEMORY_OF_A_PROCESS
    assert mebibytes(server["resources"]["limits"]["memory"]) >= 1.5 * processes * MEMORY_OF_A_PROCESS
