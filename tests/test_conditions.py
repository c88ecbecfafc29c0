"""The conditions of nodes say what is known of them, whoever watches, and since when."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from json import dumps
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoDbBlocker, Settings

from instances import demonstration, lifecycle
from instances.health import conditions, mesh, periodic, reasons, recording
from instances.health.conditions import MIRRORING, Watch
from instances.health.mesh_view import View
from instances.health.report import NodeReport
from instances.health.rules import LOST_ERROR, tolerance
from instances.models import (
    Condition,
    Instance,
    InstanceGroup,
    InstanceGroupRole,
    MeshInspection,
    Mirror,
    NodeHealth,
    UnifiedJob,
    User,
)
from instances.snapshot import import_snapshot
from tests.conftest import client_of
from tests.factories import instance as told_instance
from tests.factories import snapshot
from tests.make import make_jobs
from tests.mesh import MINUTE, link, node
from tests.mirroring import sync
from tests.service import connected_to, new_database, served

Status, Type = Condition.Status, Condition.Type
NOT_STORED = {Type.BUNDLE_CURRENT, Type.SINGLE_PATH, Type.DRAINING, Type.DRAINED}
NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)
NO_ROUTE = "Receptor error from exec-1, detail:\nno route to node"


def told(instance: Instance, now: datetime | None = None) -> dict[str, Condition]:
    found = Instance.objects.with_conditions().get(pk=instance.pk)
    return {each.type: each for each in conditions.current(found, now=now)}


def statuses(instance: Instance) -> dict[str, str]:
    """Of the node's health, so without its install bundle and its place in the mesh."""
    return {kind: each.status for kind, each in told(instance).items() if kind not in NOT_STORED}


def become_mirror(**values: Any) -> None:
    now = timezone.now()
    Mirror.objects.create(
        url="https://awx.example.org", version="24.6.1", every=30, **{"began": now, "finished": now, **values}
    )


# --- no condition contradicts what is known


times = st.one_of(
    st.none(),
    st.sampled_from([0, 30, 119, 121, 179, 181, 3600, 18 * 3600, -5, -400]).map(lambda s: NOW - timedelta(seconds=s)),
)
healths = st.builds(
    NodeHealth,
    sighted=times,
    lost_since=times,
    sightings=st.integers(0, 2),
    check_outcome=st.sampled_from(["", *NodeHealth.Check.values]),
    disabled_reason=st.sampled_from(["", "CHG-1"]),
)
nodes = st.builds(
    Instance,
    pk=st.just(1),
    node_type=st.sampled_from(Instance.NodeType.values),
    node_state=st.sampled_from([*Instance.NodeState.values, "brand-new"]),
    errors=st.sampled_from(["", LOST_ERROR, NO_ROUTE, "no podman"]),
    last_seen=times,
    last_health_check=times,
    cpu=st.sampled_from([0, 4]),
    memory=st.sampled_from([0, 2**33]),
    enabled=st.booleans(),
)
watches = st.one_of(
    st.just(MIRRORING),
    st.builds(
        Watch,
        by_worker=st.booleans(),
        receptor_error=st.sampled_from(["", "no socket"]),
        is_blind=st.booleans(),
        unrouted=st.sampled_from([None, frozenset(), frozenset({""})]),
        inspected=times,
    ),
)


def contradictions(instance: Instance, found: dict[Any, Any], now: datetime, mirrored: bool = False) -> Iterator[str]:
    """What the conditions, by their types, claim against the node's own fields."""
    seen, checked, reached = (found[kind].status for kind in (Type.SEEN, Type.HEALTH_CHECKED, Type.REACHABLE))
    patience = tolerance(instance.node_type)
    own = instance._state.fields_cache.get("health")
    own_sight = own is not None and own.sighted is not None and abs(now - own.sighted) <= patience
    in_time = instance.last_seen is not None and abs(now - instance.last_seen) <= patience
    if seen == Status.TRUE and not (in_time or own_sight):
        yield "seen, although not in time"
    if seen == Status.TRUE and instance.errors == LOST_ERROR and not own_sight:
        yield "seen, although found unresponsive"
    if seen == Status.FALSE and in_time and own is None:
        yield "not seen, although in time"
    if checked == Status.TRUE and (instance.errors or instance.node_state == "unavailable"):
        yield "checked without an error, although it has some"
    if checked != Status.UNKNOWN and (instance.node_type == "hop" or not (instance.last_health_check or own)):
        yield "checked, although it never was"
    if reached == Status.TRUE and seen != Status.TRUE:
        yield "reached, although not seen"
    if reached == Status.TRUE and instance.node_state == "unavailable" and own is None:
        yield "reached, although nobody here saw it"
    after_check = own_sight and (instance.last_health_check is None or own.sighted > instance.last_health_check)
    if reached == Status.FALSE and seen == Status.TRUE and after_check:
        yield "not reached, although seen since"
    if found[Type.HEALTH_CHECKED].message == LOST_ERROR:
        yield "a loss told as what a check found"
    if mirrored and reached == Status.FALSE:
        yield "not reached, although nobody looked"
    if found[Type.ENABLED].status != str(instance.enabled):
        yield "enabled or not"
    figures = instance.node_type != "hop" and bool(instance.cpu and instance.memory)
    if (found[Type.CAPACITY_REPORTED].status == Status.TRUE) != figures:
        yield "figures or not"


@given(instance=nodes, health=st.one_of(st.none(), healths), watch=watches)
def test_no_condition_contradicts_what_is_known(instance: Instance, health: NodeHealth | None, watch: Watch) -> None:
    if health is None:
        instance._state.fields_cache["health"] = None  # as select_related() does
    else:
        instance.health = health
    found = conditions.findings(instance, watch, NOW, blockers={})
    assert found.keys() == set(Type) - NOT_STORED
    assert not list(contradictions(instance, found, NOW, watch.is_mirror and health is None))
    for finding in found.values():
        assert finding.reason.label
        assert finding.since is None or finding.since <= NOW + timedelta(seconds=400)
    if watch.receptor_error:
        assert found[Type.REACHABLE].status != Status.TRUE


@pytest.mark.django_db
@pytest.mark.parametrize("minutes", [0, 1, 5, 1000])
def test_the_demonstration_contradicts_nothing(minutes: int) -> None:
    demonstration.load()
    now = timezone.now() + minutes * MINUTE
    for instance in Instance.objects.with_conditions():
        found = {each.type: each for each in conditions.current(instance, now=now)}
        assert not list(contradictions(instance, found, now))
    assert told(Instance.objects.get(hostname="exec-west-2.demo"), now)["Reachable"].status == "Unknown"


@pytest.mark.django_db
def test_the_demonstration_contradicts_nothing_after_its_worker_worked(settings: Settings) -> None:
    settings.HEALTH_PROBE, settings.CLUSTER_HOST_ID = "local", "control-1.demo"
    demonstration.load()
    periodic.heartbeat()
    found = told(Instance.objects.get(hostname="exec-west-2.demo"))
    assert {found[kind].status for kind in ("Seen", "HealthChecked", "Reachable")} == {"Unknown"}
    assert set(statuses(Instance.objects.get(hostname="control-1.demo")).values()) == {"True"}


@pytest.mark.django_db
def test_what_was_never_reached_has_no_time_at_which_that_ended() -> None:
    """Unknown before its tolerance was over and after, so nothing changed then."""
    become_mirror()
    broken = node("exec-1", node_state="unavailable", errors="no podman", last_seen=timezone.now())
    later = timezone.now() + timedelta(hours=5)
    for now in (timezone.now(), later):
        reached = told(broken, now)["Reachable"]
        assert (reached.status, reached.last_transition) == ("Unknown", None)
    assert told(broken, later)["Seen"].last_transition is not None


@pytest.mark.django_db
def test_a_sign_of_life_after_a_silence_that_nobody_noted_is_a_change() -> None:
    """Conditions are told as they are; they are noted only where something happens."""
    watch, first = Watch(), timezone.now()
    exec_1 = node("exec-1", last_seen=first)
    conditions.store([exec_1], first, watch, earlier={exec_1.pk: {}})
    back = first + timedelta(hours=1)
    silent = conditions.findings(exec_1, watch, back)
    assert silent[Type.SEEN].status == Status.UNKNOWN
    exec_1.last_seen = back
    conditions.store([exec_1], back, watch, earlier={exec_1.pk: silent})
    noted = Condition.objects.get(instance=exec_1, type=Type.SEEN)
    assert (noted.status, noted.last_transition) == (Status.TRUE, back)


def down(**values: Any) -> dict[str, Any]:
    """What AWX says of a node that is away since 18 hours."""
    away = timezone.now() - timedelta(hours=18)
    return {
        "node_state": "unavailable",
        "errors": NO_ROUTE,
        "last_seen": away,
        "last_health_check": away,
        "capacity": 0,
        **values,
    }


WHERE_NOBODY_WATCHES = {"mirror": "NotReportedByAWX", "import": "NotWatched"}


@pytest.mark.django_db
@pytest.mark.parametrize(("where", "reason"), WHERE_NOBODY_WATCHES.items())
def test_a_node_that_is_down_is_not_explained_as_well(where: str, reason: str, admin: User) -> None:
    exec_1 = node("exec-1", **down())
    if where == "mirror":
        become_mirror()
    results = client_of(admin).get(f"/api/fleet/v1/instances/{exec_1.pk}/conditions/").json()["results"]
    found = {each["type"]: each for each in results}
    assert {kind: each["status"] for kind, each in found.items()} == {
        "Seen": "False",
        "HealthChecked": "False",
        "Reachable": "Unknown",
        "CapacityReported": "True",
        "Enabled": "True",
        "BundleCurrent": "Unknown",
        "SinglePath": "Unknown",
        "Draining": "False",
        "Drained": "False",
    }
    assert found["Reachable"]["reason"] == reason
    assert found["HealthChecked"]["message"] == NO_ROUTE
    page = Client()
    page.force_login(admin)
    assert page.get(f"/nodes/{exec_1.pk}/").content.decode().count(">Yes</strong>") == 2


@pytest.mark.django_db
def test_conditions_heal_as_soon_as_the_data_say_so() -> None:
    exec_1 = node("exec-1", **down())
    now = timezone.now()
    Instance.objects.update(node_state="ready", errors="", last_seen=now, last_health_check=now)
    assert set(statuses(exec_1).values()) == {"True"}


@pytest.mark.django_db
def test_what_was_recorded_of_former_records_does_not_outlive_an_import() -> None:
    exec_1 = node("exec-1", **down())
    NodeHealth.objects.create(instance=exec_1, lost_since=timezone.now(), check_outcome="NodeUnreachable")
    conditions.store([Instance.objects.get()], timezone.now(), Watch(), {})
    now = timezone.now().isoformat()
    record = told_instance(exec_1.pk, hostname="exec-1", last_seen=now, last_health_check=now)
    new = snapshot(instances=[record], instance_links=[], instance_groups=[], unified_jobs=[], users=[])
    import_snapshot(BytesIO(dumps(new).encode()))
    assert set(statuses(exec_1).values()) == {"True"}


# --- Receptor


@pytest.fixture
def through_receptor(settings: Settings) -> None:
    settings.HEALTH_PROBE, settings.RECEPTOR_SOCKET = "receptor", "/nowhere/receptor.sock"


@pytest.mark.django_db
def test_nothing_is_connected_while_receptor_is_down(through_receptor: None) -> None:
    exec_1 = node("exec-1", last_seen=timezone.now())
    periodic.inspect_mesh()
    found = told(exec_1)["Reachable"]
    assert (found.status, found.reason) == ("Unknown", "ReceptorUnavailable")
    assert found.message == MeshInspection.objects.get().error
    assert Condition.objects.get(type="Reachable").status == "Unknown"
    later = timezone.now()
    mesh.inspect(later, View({"exec-1": later}))
    assert told(exec_1)["Reachable"].reason == "Connected"


NO_SOCKET = "Receptor at /nowhere/receptor.sock fails: No such file or directory"


def reached_on_pages(instance: Instance, admin: User) -> set[str]:
    """What is told of Reachable by the API and the node's page."""
    browser = Client()
    browser.force_login(admin)
    answer = client_of(admin).get(f"/api/fleet/v1/instances/{instance.pk}/conditions/").json()["results"]
    found = {next(each["status"] for each in answer if each["type"] == "Reachable")}
    page = browser.get(f"/nodes/{instance.pk}/").content.decode()
    told_there = page.split(Type.REACHABLE.question)[1].split("</tr>")[0].split("</li>")[0]
    found |= {
        word for word, said in (("True", "Yes"), ("False", "No<"), ("Unknown", "Not known")) if said in told_there
    }
    return found


@pytest.mark.django_db
@pytest.mark.parametrize("node_type", Instance.NodeType.values)
@pytest.mark.parametrize(
    "before", ["never inspected", "worked a minute ago", "failed a minute ago", "stopped an hour ago"]
)
def test_a_check_that_finds_no_receptor_counts_for_all_nodes(
    before: str, node_type: str, admin: User, through_receptor: None
) -> None:
    """Also the first one after a restart, before any inspection."""
    now = timezone.now()
    one, other = node("exec-1", last_seen=now), node("node-2", node_type, last_seen=now)
    age = timedelta(hours=1) if "hour" in before else timedelta(minutes=1)
    if before != "never":
        mesh.inspect(now - age, View({"exec-1": now - age}), NO_SOCKET if "failed" in before else "")
    recording.record(one.pk, NodeReport(errors=NO_SOCKET, outcome=NodeHealth.Check.NO_RECEPTOR))
    for each in (one, other):
        found = told(each)["Reachable"]
        assert (found.status, found.reason, found.message) == ("Unknown", "ReceptorUnavailable", NO_SOCKET)
        assert reached_on_pages(each, admin) == {"Unknown"}
    stored = Condition.objects.filter(type="Reachable", instance=one)
    assert {each.status for each in stored} == {"Unknown"}


@pytest.mark.django_db
@pytest.mark.parametrize("age", [None, timedelta(hours=1)])
def test_nobody_is_connected_before_receptor_was_asked(
    age: timedelta | None, admin: User, through_receptor: None
) -> None:
    now = timezone.now()
    exec_1 = node("exec-1", last_seen=now)
    if age is not None:
        mesh.inspect(now - age, View({"exec-1": now - age}))
    found = told(exec_1)["Reachable"]
    assert (found.status, found.reason) == ("Unknown", "NotWatched")
    assert reached_on_pages(exec_1, admin) == {"Unknown"}
    mesh.inspect(now, View({"exec-1": now}))
    assert told(exec_1)["Reachable"].reason == "Connected"
    assert reached_on_pages(exec_1, admin) == {"True"}


@pytest.mark.django_db
def test_a_receptor_that_works_is_sufficient(settings: Settings) -> None:
    """The mesh reaches what another control node sees; so both give the same answer."""
    now = timezone.now()
    for inspector, error in (("control-1", "no socket"), ("control-2", "")):
        MeshInspection.objects.create(inspector=inspector, began=now, watching_since=now, error=error)
    exec_1 = node("exec-1", last_seen=now)
    for inspector in ("control-1", "control-2"):
        settings.CLUSTER_HOST_ID = inspector
        assert told(exec_1)["Reachable"].status == "True"
    MeshInspection.objects.filter(inspector="control-2").update(error="no socket either")
    for inspector in ("control-1", "control-2"):
        settings.CLUSTER_HOST_ID = inspector
        found = told(exec_1)["Reachable"]
        assert (found.status, found.message) == ("Unknown", "no socket")
    MeshInspection.objects.update(began=now - timedelta(hours=1))
    assert Watch.here().receptor_error == ""


@pytest.mark.django_db
def test_a_working_receptor_beside_a_failing_one_changes_no_condition(settings: Settings) -> None:
    """The inspections of two control nodes, in turns, agree on what they store."""
    now = timezone.now()
    node("exec-1", last_seen=now)
    stored = set()
    for turn in range(6):
        at = now + timedelta(seconds=turn)
        settings.CLUSTER_HOST_ID = f"control-{2 - turn % 2}"
        mesh.inspect(at, View(), "no socket" if turn % 2 else "")
        stored.add(Condition.objects.values_list("status", "last_transition").get(type="Reachable"))
    assert len(stored) == 1


# --- since when


@pytest.mark.django_db
def test_a_change_of_the_record_is_no_transition(admin: User) -> None:
    exec_1 = node("exec-1", last_seen=timezone.now())
    began = timezone.now()
    lifecycle.change_checked(exec_1.pk, {"enabled": False})
    found = told(exec_1)
    assert began <= found["Enabled"].last_transition <= timezone.now()
    assert {each.last_transition for kind, each in found.items() if kind != "Enabled"} == {None}
    lifecycle.change_checked(exec_1.pk, {"managed_by_policy": False})
    assert told(exec_1)["Enabled"].last_transition == found["Enabled"].last_transition
    page = Client()
    page.force_login(admin)
    assert "Since: not known" in page.get(f"/nodes/{exec_1.pk}/").content.decode()
    assert "not known" in page.get(f"/admin/instances/instance/{exec_1.pk}/change/").content.decode()


@pytest.mark.django_db
def test_the_first_report_is_a_transition() -> None:
    exec_1 = node("exec-1", node_state="installed", last_seen=None, last_health_check=None, cpu=0)
    now = timezone.now()
    recording.record(exec_1.pk, NodeReport(cpu=Decimal(4), memory=2**33), now=now)
    found = told(exec_1)
    assert {kind: each.last_transition for kind, each in found.items()} == {
        **dict.fromkeys(("Seen", "HealthChecked", "Reachable", "CapacityReported"), now),
        "Enabled": None,
        "BundleCurrent": None,
        "SinglePath": None,
        "Draining": None,
        "Drained": None,
    }


@pytest.mark.django_db
def test_a_new_node_has_its_conditions_since_it_was_made(settings: Settings) -> None:
    settings.IS_K8S = True
    began = timezone.now()
    made = lifecycle.create({"hostname": "exec-1", "node_type": "execution", "node_state": "installed"})
    found = told(made)
    for kind in NOT_STORED:  # it may have had a bundle elsewhere
        assert found.pop(kind).last_transition is None
    assert all(began <= each.last_transition <= timezone.now() for each in found.values())


@pytest.mark.django_db
def test_silence_began_when_the_tolerance_ended() -> None:
    exec_1 = node("exec-1", **down())
    assert told(exec_1)["Seen"].last_transition == exec_1.last_seen + tolerance("execution")


@pytest.mark.django_db
def test_what_depends_on_the_time_is_not_told_from_memory(admin: User, settings: Settings) -> None:
    """The very same request, of the very same rows."""
    exec_1 = node("exec-1", last_seen=timezone.now())
    client, path = client_of(admin), f"/api/fleet/v1/instances/{exec_1.pk}/conditions/"
    first = client.get(path)
    again = {"If-None-Match": first.get("ETag", "*")}
    client.get(path, headers=again)
    settings.CLUSTER_NODE_HEARTBEAT_PERIOD = settings.RECEPTOR_SERVICE_ADVERTISEMENT_PERIOD = 0
    second = client.get(path, headers=again)
    assert second.status_code == 200
    assert (first.json()["results"][0]["status"], second.json()["results"][0]["status"]) == ("True", "Unknown")


@pytest.mark.slow
def test_a_mirror_dates_what_changed_between_two_syncs(
    dataset_template: str, migrated: str, django_db_blocker: DjangoDbBlocker
) -> None:
    """A real AWX moves ``modified`` with each heartbeat; that is no transition."""
    with django_db_blocker.unblock(), new_database(dataset_template) as source, new_database(migrated) as url:
        with served(source) as address:
            with connected_to(source):
                names = list(Instance.objects.filter(node_type="execution").values_list("hostname", flat=True)[:2])
                Instance.objects.all().update(
                    **{**down(), "node_state": "ready", "errors": "", "last_seen": timezone.now()}
                )
            sync(url, address, "oracle-admin-token")
            with connected_to(source):
                Instance.objects.update(modified=timezone.now())
                Instance.objects.filter(hostname=names[0]).update(**down())
            between = timezone.now()
            sync(url, address, "oracle-admin-token")
        with connected_to(url):
            gone, well = (told(Instance.objects.get(hostname=name)) for name in names)
            assert gone["Seen"].status == gone["HealthChecked"].status == "False"
            assert gone["Reachable"].reason == "NotReportedByAWX"
            assert between <= gone["HealthChecked"].last_transition <= timezone.now()
            assert {each.last_transition for each in well.values()} == {None}
            for instance in Instance.objects.with_conditions():
                found = {each.type: each for each in conditions.current(instance)}
                assert not list(contradictions(instance, found, timezone.now(), mirrored=True))
            assert Condition.objects.filter(instance__hostname=names[0], type="Seen", status="False").exists()


# --- the reason of a disabling


@pytest.mark.django_db
def test_the_reason_of_a_disabling_is_shown_while_it_is_disabled(admin: User) -> None:
    exec_1 = node("exec-1")
    browser = Client()
    browser.force_login(admin)
    query = {"action": "disable", "_selected_action": exec_1.pk, "confirmed": "yes", "reason": "patch <CHG-1>"}
    browser.post("/admin/instances/instance/", query)
    assert told(exec_1)["Enabled"].message == "patch <CHG-1>"
    page = f"/nodes/{exec_1.pk}/"
    assert "patch &lt;CHG-1&gt;" in browser.get(page).content.decode()
    client, path = client_of(admin), f"/api/v2/instances/{exec_1.pk}/"
    assert client.patch(path, {"enabled": False}, format="json").status_code == 200
    assert told(exec_1)["Enabled"].message == "patch <CHG-1>"
    for enabled in (True, False):
        assert client.patch(path, {"enabled": enabled}, format="json").status_code == 200
        assert told(exec_1)["Enabled"].message == ""
    assert "CHG-1" not in browser.get(page).content.decode()
    assert NodeHealth.objects.get().disabled_reason == ""


# --- every value of every enumeration


def pages_of(instance: Instance) -> list[str]:
    admin = "/admin/instances/"
    return [
        "/",
        "/?open=control&open=hop&open=execution&sort=state",
        f"/nodes/{instance.pk}/",
        f"/api/v2/instances/{instance.pk}/?format=api",
        "/api/v2/instances/?format=api",
        "/api/v2/instances/",
        "/api/v2/mesh_visualizer/?format=api",
        "/api/v2/unified_jobs/?format=api",
        "/api/v2/instance_groups/?format=api",
        "/api/v2/ping/?format=api",
        "/api/v2/dashboard/?format=api",
        "/api/v2/metrics/",
        f"/api/fleet/v1/instances/{instance.pk}/conditions/?format=api",
        "/admin/",
        *(f"{admin}{model}/" for model in ("instance", "instancelink", "instancegroup", "unifiedjob", "user")),
        f"{admin}instance/{instance.pk}/change/",
    ]


def assert_all_shown(admin: User, instance: Instance, *texts: str) -> None:
    browser = Client()
    browser.force_login(admin)
    page = ""
    for path in pages_of(instance):
        answer = browser.get(path)
        assert answer.status_code == 200, path
        page += answer.content.decode()
    for text in texts:
        assert text in page


@pytest.mark.django_db
@pytest.mark.parametrize("value", [*Instance.NodeType.values, "brand-new"])
def test_every_node_type_has_its_pages(value: str, admin: User) -> None:
    one = node("one", value)
    link(one, node("two", "control"))
    assert_all_shown(admin, one, value)


@pytest.mark.django_db
@pytest.mark.parametrize("value", [*Instance.NodeState.values, "brand-new"])
@pytest.mark.parametrize("node_type", ["execution", "hop"])
def test_every_node_state_has_its_pages(value: str, node_type: str, admin: User) -> None:
    one = node("one", node_type, node_state=value)
    assert one.state_sentence
    assert_all_shown(admin, one, one.state_sentence, one.get_node_state_display())


@pytest.mark.django_db
@pytest.mark.parametrize("value", ["adding", "established", "removing", "brand-new"])
def test_every_link_state_has_its_pages(value: str, admin: User) -> None:
    one = node("one")
    link(node("two", "control"), one, value)
    assert_all_shown(admin, one, value)


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["status", "type", "launch_type"])
def test_every_kind_of_job_has_its_pages(field: str, admin: User) -> None:
    one = node("one")
    for value in [*dict(UnifiedJob._meta.get_field(field).choices), "brand-new"]:
        make_jobs(1, **{"execution_node": "one", "status": "running", field: value})
    assert_all_shown(admin, one, "brand-new")


@pytest.mark.django_db
@pytest.mark.parametrize("value", [*NodeHealth.Check.values, "brand-new"])
def test_every_outcome_of_a_check_has_its_pages(value: str, admin: User) -> None:
    one = node("one")
    NodeHealth.objects.create(instance=one, check_outcome=value)
    assert_all_shown(admin, one)


@pytest.mark.django_db
@pytest.mark.parametrize("value", [*InstanceGroupRole.Role.values, "brand-new"])
def test_every_role_has_its_pages(value: str, admin: User, alice: User) -> None:
    group = InstanceGroup.objects.create(name="edge")
    InstanceGroupRole.objects.create(user=alice, instance_group=group, role=value)
    assert_all_shown(admin, node("one"), "alice")
    pages = [f"/api/v2/instance_groups/{group.pk}/access_list/", f"/api/v2/users/{alice.pk}/roles/"]
    assert [client_of(admin).get(page).status_code for page in pages] == [200, 200]
    pages = [f"/admin/instances/instancegroup/{group.pk}/change/", f"/admin/instances/user/{alice.pk}/change/"]
    browser = Client()
    browser.force_login(admin)
    assert [browser.get(page).status_code for page in pages] == [200, 200]


@pytest.mark.django_db
def test_a_node_with_a_single_path_says_over_what_and_that_it_is_bad(admin: User) -> None:
    control, hop, execution = node("control-1", "control"), node("hop-1", "hop"), node("exec-1")
    for source, target in ((control, hop), (node("control-2", "control"), hop), (hop, execution)):
        link(source, target)
    url = f"/api/fleet/v1/instances/{execution.pk}/conditions/"
    found = {each["type"]: each for each in client_of(admin).get(url).json()["results"]}["SinglePath"]
    assert (found["status"], found["reason"]) == ("True", "OneLossCutsOff")
    assert found["message"] == "Every way to a control node leads over the link hop-1 → exec-1, hop-1."
    page = Client()
    page.force_login(admin)
    question = '<span class="question">Would the loss of one other node or link cut it off?</span> '
    for path, answer in (
        (f"/nodes/{execution.pk}/", f'{question}<strong class="answer answer-bad">Yes</strong>'),
        (f"/nodes/{hop.pk}/", f'{question}<strong class="answer answer-good">No</strong>'),
        (f"/admin/instances/instance/{execution.pk}/change/", 'mesh-bad">True</span>'),
    ):
        assert answer in page.get(path).content.decode()


@pytest.mark.django_db
def test_what_a_node_hangs_by_is_named_to_those_alone_who_see_the_whole_mesh(alice: User, auditor: User) -> None:
    hop, execution, lost = node("hop-1", "hop"), node("exec-1"), node("exec-2", node_state="unavailable")
    link(node("control-1", "control"), hop)
    link(hop, execution)
    link(hop, lost)
    NodeHealth.objects.create(instance=lost, lost_since=timezone.now())
    message = "Every path to it leads over hop-1, which is down."
    Condition.objects.create(instance=lost, type="Reachable", status="False", reason="CutOff", message=message)
    group = InstanceGroup.objects.create(name="edge")
    group.instances.set([execution, lost])
    InstanceGroupRole.objects.create(user=alice, instance_group=group, role="admin_role")
    for each, kind, reason in ((execution, "SinglePath", "OneLossCutsOff"), (lost, "Reachable", "CutOff")):
        for user, is_named in ((alice, False), (auditor, True)):
            answer = client_of(user).get(f"/api/fleet/v1/instances/{each.pk}/conditions/").json()["results"]
            found = next(row for row in answer if row["type"] == kind)
            assert (found["reason"], "hop-1" in found["message"]) == (reason, is_named)
            page = Client()
            page.force_login(user)
            assert (
                f"leads over {'hop-1' if each is lost else 'the link hop-1'}"
                in page.get(f"/nodes/{each.pk}/").content.decode()
            ) is is_named


def test_every_value_has_a_text() -> None:
    assert all(kind.question.endswith("?") and kind.question != f"{kind.label}?" for kind in Type)
    assert {status.answer for status in Status} == {"Yes", "No", "Not known"}
    assert all("Its state is" not in state.sentence for state in Instance.NodeState)
    assert len(dict(reasons.REASONS)) == len(reasons.REASONS)
    longest = Condition._meta.get_field("reason").max_length
    assert longest is not None
    assert all(len(value) <= longest for value, _ in reasons.REASONS)
