"""metrics/: what Prometheus reads equals what the instances show."""

import itertools
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries, Settings

from awx_compat.dialects import DIALECTS
from awx_compat.metrics import SUBSYSTEMS
from instances.models import Instance, Mirror, User
from tests.conftest import client_of
from tests.make import make_jobs
from tests.service import PROJECT

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


# --- the figures beside those of instances and jobs


def in_json(user: User, query: str = "") -> dict[str, Any]:
    body: dict[str, Any] = client_of(user).get(f"{URL}?format=json{query}").json()
    return body


def values(body: dict[str, Any], name: str) -> dict[tuple[str, ...], float]:
    return {tuple(sample["labels"].values()): sample["value"] for sample in body[name]["samples"]}


def become_mirror(**values: Any) -> None:
    now = timezone.now()
    Mirror.objects.create(url="https://awx.example.org", began=now, finished=now, **values)


@pytest.mark.parametrize("version", DIALECTS)
def test_the_service_describes_itself(version: str, admin: User, settings: Settings) -> None:
    settings.AWX_VERSION = version
    settings.INSTALL_UUID = "11111111-2222-3333-4444-555555555555"
    answer = client_of(admin).get(f"{URL}?format=json", HTTP_HOST="localhost:8000", secure=True)
    (sample,) = answer.json()["awx_system_info"]["samples"]
    assert sample == {
        "value": 1,
        "labels": {
            "external_logger_enabled": "False",
            "external_logger_type": "None",
            "insights_analytics": "False",
            "install_uuid": "11111111-2222-3333-4444-555555555555",
            "license_expiry": "0",
            "license_type": "open",
            "pendo_tracking": "off",
            "tower_url_base": "https://localhost:8000",
            "tower_version": version,
        },
    }


@pytest.mark.parametrize("number", [0, 1, 20])
def test_users_and_sessions_are_counted(number: int, admin: User) -> None:
    now = timezone.now()
    for n, life in itertools.product(range(number), (timedelta(hours=1), -timedelta(hours=1))):
        Session.objects.create(session_key=f"{n} {life}", session_data="", expire_date=now + life)
    for n in range(number):
        User.objects.create(username=f"user-{n}")
    body = in_json(admin)
    assert values(body, "awx_users_total") == {(): number + 1}
    assert values(body, "awx_sessions_total") == {("all",): number, ("user",): number, ("anonymous",): 0}


def test_no_session_is_anonymous(admin: User) -> None:
    """Only a login begins one, so all of them are users'."""
    visitor = Client(raise_request_exception=False)
    for path in (
        "/",
        "/api/",
        "/api/v2/",
        "/api/login/",
        "/admin/",
        "/admin/login/",
        "/api/o/authorize/",
        "/api/docs/",
    ):
        visitor.get(path)
        visitor.post(path, {"username": "admin", "password": "wrong"})
    assert not Session.objects.exists()
    user = Client()
    user.force_login(admin)
    assert values(in_json(admin), "awx_sessions_total")["user",] == 1
    user.post("/api/logout/")
    assert values(in_json(admin), "awx_sessions_total")["all",] == 0


def test_connections_are_those_to_this_database(admin: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        (number,) = cursor.fetchone()
    assert values(in_json(admin), "awx_database_connections_total") == {(): number}
    assert number > 0


def test_kinds_that_are_not_stored_count_as_none(admin: User) -> None:
    body = in_json(admin)
    for kind in ("organizations", "teams", "inventories", "projects", "job_templates", "workflow_job_templates"):
        assert values(body, f"awx_{kind}_total") == {(): 0}
    assert values(body, "awx_schedules_total") == values(body, "awx_license_instance_free") == {(): 0}
    assert values(body, "awx_license_instance_total") == {(): 0}
    assert values(body, "awx_hosts_total") == {("all",): 0, ("active",): 0}


def test_subsystems_are_those_of_control_nodes(admin: User, mesh: None) -> None:
    """What public checks read; node-0 and node-4 are control nodes, node-2 a hybrid one; node-6 is disabled."""
    body = in_json(admin)
    for name in ("callback_receiver_events_queue_size_redis", "callback_receiver_events_in_memory"):
        assert {sample["labels"]["node"] for sample in body[name]["samples"]} == {"node-0", "node-2", "node-4"}
        assert set(values(body, name).values()) == {0}


QUERIES = {"dbonly": ("", "&dbonly=0", "&dbonly=1", "&dbonly=yes"), "subsystemonly": ("", "&subsystemonly=1")}


@pytest.mark.parametrize(("dbonly", "subsystemonly"), list(itertools.product(*QUERIES.values())))
def test_the_query_parts_database_and_subsystems(dbonly: str, subsystemonly: str, admin: User, mesh: None) -> None:
    names = set(in_json(admin, dbonly + subsystemonly))
    assert (set(SUBSYSTEMS) <= names) is (dbonly != "&dbonly=1")
    assert bool(names - set(SUBSYSTEMS)) is (subsystemonly != "&subsystemonly=1")
    if dbonly == "&dbonly=1" and subsystemonly:
        assert client_of(admin).get(f"{URL}?dbonly=1&subsystemonly=1").content == b""


def test_subsystems_can_be_asked_for_one_by_one(admin: User, mesh: None) -> None:
    names = list(SUBSYSTEMS)[1:3]
    query = "".join(f"&metric={name}" for name in [*names, "awx_users_total", "unknown"])
    body = in_json(admin, f"&subsystemonly=1{query}&node=node-0&node=node-2&node=node-1")
    assert {name: set(values(body, name)) for name in body} == {name: {("node-0",), ("node-2",)} for name in names}
    assert "awx_users_total" in in_json(admin, "&metric=unknown&node=unknown")


def test_a_mirror_shows_only_what_it_copies(admin: User, mesh: None) -> None:
    here = set(in_json(admin))
    become_mirror(records={"users": {"total": 42, "new": 0, "changed": 0, "gone": 0}})
    body = in_json(admin)
    assert values(body, "awx_users_total") == {(): 42}  # not those that exist here alone
    absent = {row["name"] for row in described() if row["in a mirror"] == "absent"}
    assert here - set(body) == absent
    assert absent >= {"awx_sessions_total", "awx_organizations_total", "callback_receiver_events_in_memory"}


def test_before_the_first_sync_a_mirror_knows_no_users(admin: User) -> None:
    become_mirror()
    assert "awx_users_total" not in in_json(admin)


@pytest.mark.parametrize("query", ["", "?dbonly=1", "?subsystemonly=1", "?format=json"])
def test_it_costs_three_queries(
    query: str, admin: User, mesh: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_of(admin)
    with django_assert_num_queries(3):
        client.get(URL + query)


# --- the table of docs/compatibility.md


def described() -> list[dict[str, str]]:
    """The rows of the table: name, labels, here, in a mirror."""
    page = (PROJECT / "docs" / "compatibility.md").read_text("utf-8").partition("## Metrics")[2]
    head, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")
    )
    return [dict(zip(head, [row[0].strip("`"), *row[1:]], strict=True)) for row in rows]


def test_all_families_are_described_and_no_other(admin: User, mesh: None) -> None:
    here = in_json(admin)
    become_mirror(
        records={kind: {"total": 1, "new": 0, "changed": 0, "gone": 0} for kind in ("users", "instances")},
        left_out={"instances": 1},
    )
    in_mirror = in_json(admin)
    assert sorted(row["name"] for row in described()) == sorted(here | in_mirror)
    for row in described():
        assert (row["here"] == "absent") is (row["name"] not in here), row
        assert (row["in a mirror"] == "absent") is (row["name"] not in in_mirror), row
        labels = {name for sample in (here | in_mirror)[row["name"]]["samples"] for name in sample["labels"]}
        assert set(re.findall(r"`(\w+)`", row["labels"])) == labels, row
