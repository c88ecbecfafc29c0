"""metrics/ below /api/fleet/v1/: of every node whatever its state, what the API and the pages show of it."""

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from procrastinate.contrib.django.models import ProcrastinateWorker
from prometheus_client import parser as prometheus
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from instances import monitoring, tasks
from instances.models import (
    Condition,
    Instance,
    InstanceGroup,
    InstanceLink,
    IssuedBundle,
    Mirror,
    NodeHealth,
    User,
)
from tests.conftest import client_of
from tests.make import make_jobs, make_link, make_node, record_bundle
from tests.promtool import needs_prometheus, promtool
from tests.service import PROJECT

pytestmark = pytest.mark.django_db
URL = "/api/fleet/v1/metrics/"
# What Prometheus 2.42 sends.
ACCEPT = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
Samples = dict[str, dict[tuple[str, ...], float]]  # name -> values of the labels, ordered by their names -> value


def samples(text: str) -> Samples:
    found: Samples = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = tuple(value for _, value in sorted(sample.labels.items()))
            assert key not in found[sample.name], "a sample is there twice"
            found[sample.name][key] = sample.value
    return {name.removeprefix("awx_fleet_"): values for name, values in found.items()}


def read(user: User) -> Samples:
    answer = client_of(user).get(URL)
    assert answer.status_code == 200
    return samples(answer.content.decode())


def of_nodes(figures: Samples, name: str) -> dict[str, float]:
    return {key[0]: value for key, value in figures.get(name, {}).items()}


def become_mirror(**values: Any) -> None:
    now = timezone.now()
    Mirror.objects.create(url="https://awx.example.org", began=now, finished=now, **values)


@pytest.fixture
def mesh() -> list[Instance]:
    """A node of each state and type, some of them disabled, with links, groups, jobs, a bundle and a worker."""
    kinds = [(state, kind) for state in Instance.NodeState.values for kind in Instance.NodeType.values]
    nodes = [
        make_node(f"{kind}-{state}", node_state=state, node_type=kind, enabled=n % 3 > 0, capacity=10, cpu=2, memory=n)
        for n, (state, kind) in enumerate(kinds)
    ]
    for n, state in enumerate([*InstanceLink.State.values, "established"]):
        make_link(nodes[n], nodes[n + 1], link_state=state)
    edge = InstanceGroup.objects.create(name='e"dge\\')
    edge.instances.set(nodes)
    InstanceGroup.objects.create(name="containers", is_container_group=True, max_forks=7)
    make_jobs(3, execution_node=nodes[1].hostname, controller_node=nodes[0].hostname, status="running", task_impact=5)
    record_bundle(nodes[1])
    return nodes


# --- what it shows


def test_every_node_is_there_whatever_its_state(admin: User, mesh: list[Instance]) -> None:
    figures = read(admin)
    records = client_of(admin).get("/api/v2/instances/?page_size=200").json()["results"]
    shown = {record["hostname"]: record for record in records}
    assert len(shown) == len(mesh)
    for family, value in {
        "enabled": lambda record: record["enabled"],
        "up": lambda record: record["enabled"] and record["node_state"] == "ready",
        "capacity_forks": lambda record: record["capacity"],
        "consumed_forks": lambda record: record["consumed_capacity"],
        "remaining_forks": lambda record: record["capacity"] - record["consumed_capacity"],
        "jobs_running": lambda record: record["jobs_running"],
        "cpu_cores": lambda record: float(record["cpu"]),
        "memory_bytes": lambda record: record["memory"],
    }.items():
        expected = {hostname: value(record) for hostname, record in shown.items()}
        assert of_nodes(figures, f"node_{family}") == expected, family
    states = {key: value for key, value in figures["node_state"].items() if value}
    assert set(states) == {(hostname, record["node_state"]) for hostname, record in shown.items()}
    assert len(figures["node_state"]) == len(shown) * len(Instance.NodeState)
    info = {(h, each["uuid"], each["node_type"], each["version"]): 1 for h, each in shown.items()}
    assert figures["node_info"] == info


def test_a_state_of_a_newer_awx_is_shown(admin: User) -> None:
    Instance.objects.create(hostname="n", node_state="hibernating")
    states = read(admin)["node_state"]
    assert [state for (_, state), value in states.items() if value] == ["hibernating"]


def test_conditions_are_those_of_the_api(admin: User, mesh: list[Instance]) -> None:
    for node in mesh[4:6]:
        NodeHealth.objects.create(instance=node, lost_since=timezone.now())
    Condition.objects.create(instance=mesh[4], type="Reachable", status="False", reason="CutOff")
    Instance.objects.filter(pk=mesh[6].pk).update(last_seen=timezone.now())
    figures = read(admin)["node_condition"]
    client = client_of(admin)
    for node in mesh:
        for condition in client.get(f"/api/fleet/v1/instances/{node.pk}/conditions/").json()["results"]:
            found = {key[1]: value for key, value in figures.items() if key[::2] == (node.hostname, condition["type"])}
            assert found == {status: status == condition["status"] for status in Condition.Status.values}
    assert len(figures) == len(mesh) * len(Condition.Type) * len(Condition.Status)


def test_the_bad_status_of_each_condition_is_named(admin: User) -> None:
    bad = {("False", kind.value) for kind in Condition.Type if kind.good == "True"}
    assert read(admin)["condition_bad"] == dict.fromkeys(bad | {("True", "SinglePath")}, 1)


@pytest.mark.parametrize("ages", [(None, None), (30, None), (None, 30), (300, 30), (30, 300), (-10, None), (-7200, 30)])
def test_the_age_of_the_last_sign_of_life(ages: tuple[float | None, float | None], admin: User) -> None:
    """By AWX or here, whichever is later; a time in the future, by another clock, is now, or none at all."""
    now = timezone.now()
    seen, sighted = (None if age is None else now - timedelta(seconds=age) for age in ages)
    node = Instance.objects.create(hostname="n", node_type="execution", last_seen=seen)
    NodeHealth.objects.create(instance=node, sighted=sighted)
    expected = min((age for age in ages if age is not None and age > -60), default=None)
    found = of_nodes(read(admin), "node_last_seen_age_seconds")
    assert found == ({} if expected is None else {"n": pytest.approx(max(expected, 0), abs=5)})


def test_when_certificates_expire(admin: User, mesh: list[Instance]) -> None:
    expires = IssuedBundle.objects.get().certificate_expires.timestamp()
    found = of_nodes(read(admin), "node_certificate_expiry_timestamp_seconds")
    assert found == {mesh[1].hostname: pytest.approx(expires, abs=1)}


def test_groups_are_as_the_api_shows_them(admin: User, mesh: list[Instance]) -> None:
    figures = read(admin)
    records = client_of(admin).get("/api/v2/instance_groups/").json()["results"]
    assert {record["name"] for record in records} == {'e"dge\\', "containers"}
    for family, field in {"capacity_forks": "capacity", "consumed_forks": "consumed_capacity"}.items():
        assert figures[f"group_{family}"] == {(record["name"],): record[field] for record in records}
    assert figures["group_jobs_running"] == {(record["name"],): record["jobs_running"] for record in records}
    assert figures["group_members"] == {('e"dge\\',): len(mesh), ("containers",): 0}
    in_service = Instance.objects.in_service().count()
    assert figures["group_members_in_service"] == {('e"dge\\',): in_service, ("containers",): 0}
    assert 0 < in_service < len(mesh)


def test_links_are_counted_by_state(admin: User, mesh: list[Instance]) -> None:
    assert read(admin)["links"] == {("adding",): 1, ("established",): 2, ("removing",): 1}


def test_links_of_no_state_are_none(admin: User) -> None:
    assert read(admin)["links"] == dict.fromkeys([("adding",), ("established",), ("removing",)], 0)


# --- the background work


def add_job(task: str, status: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status) VALUES ('default', %s, %s)", [task, status]
        )


def add_worker(age: float) -> int:
    with connection.cursor() as cursor:
        at = timezone.now() - timedelta(seconds=age)
        cursor.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (%s) RETURNING id", [at])
        return int(cursor.fetchone()[0])


def test_background_jobs_are_counted_by_task_and_status(admin: User) -> None:
    none = read(admin)["background_jobs"]
    assert set(none.values()) == {0}
    own = {task for _, task in none}
    assert own == set(monitoring.own_tasks()) >= {"apply_policies", "deprovision", "health_check"}
    for task, status in [("health_check", "todo")] * 2 + [("deprovision", "failed"), ("apply_policies", "doing")]:
        add_job(task, status)
    add_job("health_check", "succeeded")
    found = {key: value for key, value in read(admin)["background_jobs"].items() if value}
    assert found == {("todo", "health_check"): 2, ("failed", "deprovision"): 1, ("doing", "apply_policies"): 1}


def test_workers_and_their_heartbeats(admin: User) -> None:
    assert read(admin)["workers"] == {(): 0}
    ages = {add_worker(age): age for age in (0, tasks.longest_silence() - 5, tasks.longest_silence() + 5)}
    figures = read(admin)
    assert figures["workers"] == {(): 2}
    found = figures["worker_heartbeat_age_seconds"]
    assert found == {(str(pk),): pytest.approx(age, abs=4) for pk, age in ages.items()}
    assert ProcrastinateWorker.objects.count() == 3


# --- the mirror


def test_a_mirror_shows_how_old_it_is(admin: User) -> None:
    assert not any(name.startswith("mirror") for name in read(admin))
    records = {"instances": {"total": 3, "new": 1, "changed": 0, "gone": 0}}
    become_mirror(every=30, records=records, left_out={"links": 2}, failures=4, failures_total=9)
    Mirror.objects.update(began=timezone.now() - timedelta(seconds=100))
    figures = {name: value for name, value in read(admin).items() if name.startswith("mirror")}
    assert figures.pop("mirror_age_seconds") == {(): pytest.approx(100, abs=5)}
    assert figures.pop("mirror_sync_duration_seconds") == {(): pytest.approx(100, abs=5)}
    figures.pop("mirror_sync_failures_created", None)
    assert figures == {
        "mirror_stale": {(): 0},
        "mirror_consecutive_failures": {(): 4},
        "mirror_sync_failures_total": {(): 9},
        "mirror_records": {("instances",): 3},
        "mirror_records_left_out": {("links",): 2},
    }


def test_an_empty_service_has_figures(admin: User) -> None:
    assert read(admin)["workers"] == {(): 0}


# --- who reads it, in which format, and what it costs


@pytest.mark.parametrize(("who", "status"), [("admin", 200), ("auditor", 200), ("alice", 403), ("bob", 403)])
def test_who_may_read(who: str, status: int, request: pytest.FixtureRequest) -> None:
    answer = client_of(request.getfixturevalue(who)).get(URL, HTTP_ACCEPT=ACCEPT)
    assert answer.status_code == status
    assert status == 200 or answer.json() == {"detail": "You do not have permission to perform this action."}
    assert status == 200 or answer["Content-Type"] == "application/json"


def test_nobody_reads_it_without_credentials() -> None:
    assert client_of(None).get(URL).status_code == 401


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (ACCEPT, "application/openmetrics-text; version=1.0.0"),
        ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0"),
        ("text/plain", "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
        (None, "text/plain; version=0.0.4"),
    ],
)
def test_the_format_is_the_one_that_is_accepted(
    accept: str | None, content_type: str, admin: User, mesh: list[Instance]
) -> None:
    answer = client_of(admin).get(URL, **({} if accept is None else {"HTTP_ACCEPT": accept}))
    assert answer["Content-Type"].startswith(content_type)
    text = answer.content.decode()
    assert text.endswith("# EOF\n") is ("openmetrics" in content_type)
    parser = openmetrics if "openmetrics" in content_type else prometheus
    assert "awx_fleet_node_state" in {family.name for family in parser.text_string_to_metric_families(text)}


def test_it_is_there_as_json_and_as_a_page(admin: User, mesh: list[Instance]) -> None:
    client = client_of(admin)
    for query, accept in (("", "application/json"), ("?format=json", "*/*")):
        answer = client.get(URL + query, HTTP_ACCEPT=accept)
        assert answer["Content-Type"] == "application/json"
        up = {each["labels"]["hostname"]: each["value"] for each in answer.json()["awx_fleet_node_up"]["samples"]}
        assert up == of_nodes(read(admin), "node_up")
    for query, accept in (("", "text/html,application/xhtml+xml,*/*;q=0.8"), ("?format=api", "*/*")):
        answer = client.get(URL + query, HTTP_ACCEPT=accept)
        assert answer["Content-Type"] == "text/html; charset=utf-8"
        assert "awx_fleet_node_up" in answer.content.decode()


@pytest.mark.parametrize("accept", [ACCEPT, "*/*", "text/plain", "application/openmetrics-text"])
@pytest.mark.parametrize(
    ("name", "content_type"), [("txt", "text/plain"), ("openmetrics", "application/openmetrics-text")]
)
def test_a_format_that_is_named_decides(name: str, content_type: str, accept: str, admin: User) -> None:
    answer = client_of(admin).get(f"{URL}?format={name}", HTTP_ACCEPT=accept)
    assert answer.status_code == (200 if accept in (ACCEPT, "*/*", content_type) else 406)
    assert answer["Content-Type"].startswith(content_type if answer.status_code == 200 else "application/json")


@pytest.mark.parametrize("size", [1, 20])
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_number_of_queries_is_constant(size: int, mirrored: bool, admin: User) -> None:
    """Who asks; nodes, inspections, links of bundles and of the mesh, drains; groups, links, jobs, workers, mirror."""
    for n in range(size):
        node = make_node(f"node-{n}", listener_port=27199)
        record_bundle(node)
        Condition.objects.create(instance=node, type="Seen", status="True", reason="SeenInTime")
        InstanceGroup.objects.create(name=f"group-{n}").instances.add(node)
        add_worker(1)
        add_job("health_check", "todo")
        make_jobs(1, execution_node=node.hostname, status="running")
    if mirrored:
        become_mirror()
    client = client_of(admin)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(URL).status_code == 200
    assert len(captured) == (10 if mirrored else 11)


# --- Prometheus' conventions


@needs_prometheus
@pytest.mark.parametrize("mirrored", [False, True])
def test_promtool_has_no_objection(mirrored: bool, admin: User, mesh: list[Instance]) -> None:
    add_worker(1)
    if mirrored:
        become_mirror(every=30, records={"instances": {"total": 3}}, left_out={"links": 2})
    assert promtool("check", "metrics", given=client_of(admin).get(URL).content) == ""


def test_units_are_base_units_and_only_counters_are_totals(admin: User, mesh: list[Instance]) -> None:
    become_mirror(every=30)
    for family in text_string_to_metric_families(client_of(admin).get(URL).content.decode()):
        assert re.fullmatch(r"awx_fleet_[a-z_]+", family.name), family.name
        assert all(sample.name.endswith("_total") is (family.type == "counter") for sample in family.samples)
        assert family.documentation.endswith(".")
        assert not re.search(r"_(ms|milli|mb|kb|mib|gib|percent|minutes|hours|days)", family.name)


def families(user: User) -> Iterator[str]:
    for family in text_string_to_metric_families(client_of(user).get(URL).content.decode()):
        yield f"{family.name}_total" if family.type == "counter" else family.name


def test_the_page_describes_all_families_and_no_other(admin: User, mesh: list[Instance]) -> None:
    add_worker(1)
    become_mirror(every=30, records={"instances": {"total": 3}}, left_out={"links": 2})
    page = (PROJECT / "docs" / "monitoring.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(awx_fleet_\w+)` \| (.*?) \|", page, re.MULTILINE))
    assert sorted(rows) == sorted(families(admin))
    for family in text_string_to_metric_families(client_of(admin).get(URL).content.decode()):
        for sample in family.samples:
            assert set(re.findall(r"`(\w+)`", rows[sample.name])) == set(sample.labels), sample.name


class AnyMesh(TestCase):
    @settings(max_examples=25, deadline=None)
    @given(
        st.lists(
            st.tuples(st.text(min_size=1, max_size=20).filter(lambda name: "\0" not in name), st.text(max_size=10)),
            unique_by=lambda pair: pair[0],
            max_size=5,
        )
    )
    def test_any_hostname_and_version_survives_the_format(self, pairs: list[tuple[str, str]]) -> None:
        nodes = {}
        for hostname, version in pairs:
            if "\0" not in version and hostname.encode("utf-8", "replace").decode() == hostname:
                version = version.encode("utf-8", "replace").decode()
                nodes[hostname] = version
        Instance.objects.bulk_create(Instance(hostname=name, version=text) for name, text in nodes.items())
        admin = User.objects.create(username="any", is_superuser=True)
        figures = read(admin)
        assert {(key[0], key[3]) for key in figures.get("node_info", {})} == set(nodes.items())
        assert of_nodes(figures, "node_up") == dict.fromkeys(nodes, 1)
