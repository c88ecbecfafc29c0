"""metrics/: what Prometheus reads equals what the instances show."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from instances.models import Instance, User
from tests.conftest import client_of
from tests.make import make_jobs

pytestmark = pytest.mark.django_db
URL = "/api/v2/metrics/"
# What Prometheus 2 sends.
ACCEPT = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.fixture
def mesh(db: None) -> None:
    for n, node_type in enumerate(Instance.NodeType.values * 2):
        Instance.objects.create(
            hostname=f"node-{n}", node_type=node_type, capacity=10, cpu=2, memory=2**30, enabled=n < 6
        )
    Instance.objects.create(hostname="lost", node_type="execution", node_state="unavailable")
    make_jobs(3, execution_node="node-1", controller_node="node-0", status="running", task_impact=5)
    make_jobs(2, execution_node="gone", status="failed", launch_type="scheduled")
    make_jobs(1, status="new")
    make_jobs(1, status="pending")
    make_jobs(1, status="waiting")
    make_jobs(5, status="running", launch_type="sync")  # AWX's own bookkeeping


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (
            sample.name,
            *(f"{name}={value}" for name, value in sorted(sample.labels.items()) if "uuid" not in name),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_text_is_what_the_instances_show(admin: User, mesh: None) -> None:
    client = client_of(admin)
    answer = client.get(URL, HTTP_ACCEPT=ACCEPT)
    assert answer["Content-Type"].startswith("text/plain")
    told = samples(answer.content.decode())
    shown = {record["hostname"]: record for record in client.get("/api/v2/instances/").json()["results"]}
    for hostname in ("node-0", "node-1", "node-2", "node-4", "node-5"):
        record, labels = shown[hostname], (f"hostname={hostname}", f"node_type={shown[hostname]['node_type']}")
        assert told["awx_instance_capacity", *labels] == record["capacity"]
        assert told["awx_instance_consumed_capacity", *labels] == record["consumed_capacity"]
        assert told["awx_instance_remaining_capacity", *labels] == record["capacity"] - record["consumed_capacity"]
        assert told["awx_instance_cpu", labels[0]] == float(record["cpu"])
        assert told["awx_instance_memory", labels[0]] == record["memory"]
    assert not any(label in key for key in told for label in ("hostname=node-3", "hostname=node-6", "hostname=lost"))
    assert told["awx_instance_remaining_capacity", "hostname=node-1", "node_type=execution"] == -5


def test_counts_of_jobs(admin: User, mesh: None) -> None:
    told = samples(client_of(admin).get(URL).content.decode())
    assert told["awx_running_jobs_total",] == 4
    assert told["awx_pending_jobs_total",] == 1
    statuses = {key[1]: value for key, value in told.items() if key[0] == "awx_status_total"}
    none = dict.fromkeys(["status=successful", "status=error", "status=canceled"], 0)
    assert statuses == {"status=running": 3, "status=failed": 2, "status=pending": 1, "status=waiting": 1, **none}
    assert told["awx_instance_status_total", "node=gone", "status=failed"] == 2
    assert told["awx_instance_launch_type_total", "launch_type=scheduled", "node=gone"] == 2
    assert not any("node=" in key for key in told)


@pytest.mark.parametrize(
    ("query", "content_type"), [("?format=json", "application/json"), ("?format=txt", "text/plain")]
)
def test_formats(query: str, content_type: str, admin: User) -> None:
    assert client_of(admin).get(URL + query)["Content-Type"].startswith(content_type)


def test_a_browser_reads_a_page(admin: User, mesh: None) -> None:
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
    for query, accept in (("", browser), ("?format=api", "*/*")):
        answer = client_of(admin).get(URL + query, HTTP_ACCEPT=accept)
        assert answer["Content-Type"] == "text/html; charset=utf-8"
        assert "awx_instance_remaining_capacity" in answer.content.decode()
    assert client_of(admin).get(URL, HTTP_ACCEPT="*/*")["Content-Type"].startswith("text/plain")


def test_an_empty_mesh_has_metrics(admin: User) -> None:
    assert samples(client_of(admin).get(URL).content.decode())["awx_running_jobs_total",] == 0


@pytest.mark.parametrize(("who", "status"), [("auditor", 200), ("alice", 403)])
def test_who_may_read(who: str, status: int, request: pytest.FixtureRequest) -> None:
    answer = client_of(request.getfixturevalue(who)).get(URL)
    assert answer.status_code == status
    assert status == 200 or answer.json() == {"detail": "You do not have permission to perform this action."}


def test_the_path_without_its_slash_leads_there(admin: User) -> None:
    answer = client_of(admin).get("/api/v2/metrics?format=txt")
    assert (answer.status_code, answer["Location"]) == (301, "/api/v2/metrics/?format=txt")
