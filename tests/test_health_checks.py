"""Reports and health checks: what follows from them, and that each one ends."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.jobs import Job
from pytest_django import Settings

from fleet.serializers import ReportSerializer
from instances import tasks
from instances.health import checks, periodic, start
from instances.health.recording import record
from instances.health.report import Check, NodeReport, ProbeError, parse_report
from instances.models import Condition, Instance, MeshInspection, NodeHealth, User
from tests.conftest import client_of
from tests.mesh import MINUTE, MORNING, Mesh, node, state

pytestmark = pytest.mark.django_db

WELL = NodeReport(version="ansible-runner-2.4.3", cpu=Decimal(8), memory=32 * 2**30, uuid="a-uuid")
ILL = NodeReport(errors="broken", outcome=Check.UNREACHABLE)
States = Instance.NodeState


def health_checked(hostname: str) -> tuple[str, str, str]:
    found = Condition.objects.get(instance__hostname=hostname, type="HealthChecked")
    return found.status, found.reason, found.message


# --- what follows from a report


def test_a_report_fills_the_figures() -> None:
    own = node("exec-1", cpu=0, memory=0, version="", node_state="installed", last_seen=None, capacity_adjustment="0.5")
    told = record(own.pk, WELL, now=MORNING + MINUTE)
    stored = Instance.objects.get()
    assert (stored.version, stored.uuid, stored.cpu, stored.memory) == (
        "ansible-runner-2.4.3",
        "a-uuid",
        Decimal("8.0"),
        32 * 2**30,
    )
    assert (stored.cpu_capacity, stored.mem_capacity, stored.capacity) == (32, 327, 179)  # IS_K8S: nothing is set aside
    assert (stored.node_state, stored.errors) == ("ready", "")
    assert stored.last_seen == stored.last_health_check == MORNING + MINUTE
    assert told.capacity == stored.capacity


@pytest.mark.parametrize("node_state", States.values)
def test_a_report_decides_about_three_states_only(node_state: str) -> None:
    own = node("exec-1", node_state=node_state)
    record(own.pk, WELL)
    decides = node_state in ("ready", "unavailable", "installed")
    assert state("exec-1") == ("ready" if decides else node_state)
    record(own.pk, ILL)
    assert state("exec-1") == ("unavailable" if decides else node_state)


@pytest.mark.parametrize("node_state", ["provision-fail", "deprovision-fail", "provisioning", "deprovisioning"])
def test_why_a_node_was_not_set_up_or_removed_stays_told(node_state: str, settings: Settings) -> None:
    own = node("exec-1", node_state=node_state, errors="provisioning timed out")
    for report in (WELL, ILL):
        record(own.pk, report)
        assert Instance.objects.get().errors == "provisioning timed out"
    started = MORNING + MINUTE
    Instance.objects.update(health_check_started=started, last_health_check=MORNING)
    assert checks.expire(started + timedelta(seconds=settings.HEALTH_CHECK_TIMEOUT)) == 1
    stored = Instance.objects.get()
    assert (stored.node_state, stored.errors) == (node_state, "provisioning timed out")
    assert not stored.health_check_pending


def test_errors_take_the_capacity_and_keep_what_was_known() -> None:
    own = node("exec-1", version="ansible-runner-2.3.0")
    record(own.pk, ILL)
    stored = Instance.objects.get()
    assert (stored.node_state, stored.errors) == ("unavailable", "broken")
    assert (stored.capacity, stored.cpu_capacity, stored.mem_capacity) == (0, 0, 0)
    assert (stored.version, stored.cpu, stored.memory) == ("ansible-runner-2.3.0", 4, 8 * 2**30)
    assert stored.last_seen == MORNING  # it did not answer
    assert health_checked("exec-1") == ("False", "NodeUnreachable", "broken")


def test_a_disabled_node_and_a_hop_node_have_no_capacity() -> None:
    disabled, hop = node("exec-1", enabled=False), node("hop-1", "hop")
    for own in (disabled, hop):
        record(own.pk, WELL)
    assert list(Instance.objects.order_by("pk").values_list("node_state", "capacity", "cpu_capacity")) == [
        ("ready", 0, 32),
        ("ready", 0, 0),
    ]


def test_a_lost_node_is_back_with_its_second_report(settings: Settings) -> None:
    settings.HEALTH_PROBE = "agent"
    own = node("exec-1")
    Mesh().pass_minutes(5)
    record(own.pk, WELL)
    assert state("exec-1") == "unavailable"
    assert Instance.objects.get().capacity == 0
    record(own.pk, WELL)
    assert state("exec-1") == "ready"
    assert Instance.objects.get().errors == ""


def test_last_seen_stays_where_the_clock_runs_backwards() -> None:
    own = node("exec-1")
    record(own.pk, WELL, now=MORNING - timedelta(hours=1))
    assert Instance.objects.get().last_seen == MORNING
    assert Instance.objects.get().last_health_check == MORNING - timedelta(hours=1)


def test_a_check_ends_where_the_clock_runs_backwards() -> None:
    own = node("exec-1")
    start.start(own.pk)
    record(own.pk, WELL, now=MORNING)
    assert not Instance.objects.get().health_check_pending


@pytest.mark.parametrize("node_type", ["control", "hybrid"])
def test_the_settings_overrule_what_control_and_hybrid_nodes_report(node_type: str, settings: Settings) -> None:
    settings.SYSTEM_TASK_ABS_CPU, settings.SYSTEM_TASK_ABS_MEM = "2500m", "2Gi"
    record(node("one", node_type).pk, WELL)
    record(node("other").pk, WELL)
    one, other = Instance.objects.order_by("pk")
    assert (one.cpu, one.memory) == (Decimal("2.5"), 2 * 2**30)
    assert (other.cpu, other.memory) == (8, 32 * 2**30)


@pytest.mark.parametrize("source", ["report", "agent", "setting"])
@pytest.mark.parametrize(
    ("cpu", "expected"),
    [("0.000000001", "0.1"), ("0.04", "0.1"), ("0.049", "0.1"), ("0.05", "0.1"), ("0.149", "0.1"), ("0.25", "0.2")],
)
def test_a_small_share_of_a_cpu_is_no_missing_figure(source: str, cpu: str, expected: str, settings: Settings) -> None:
    memory = 2**33
    if source == "setting":
        settings.SYSTEM_TASK_ABS_CPU = cpu
        own = node("one", "control")
        report = NodeReport(cpu=Decimal(8), memory=memory)
    elif source == "agent":
        own = node("one", cpu=0)
        serializer = ReportSerializer(data={"cpu": float(cpu), "memory": memory})
        serializer.is_valid(raise_exception=True)
        report = serializer.report(own)
    else:
        own = node("one", cpu=0)
        report = parse_report(f"{{cpu_count: {cpu}, mem_in_bytes: {memory}}}".encode())
    record(own.pk, report)
    stored = Instance.objects.get()
    assert (stored.cpu, stored.cpu_capacity) == (Decimal(expected), 1)


@pytest.mark.parametrize("cpu", ["1m", "40m", "49m"])
def test_a_few_thousandths_of_a_cpu_count_as_a_tenth(cpu: str, settings: Settings) -> None:
    settings.SYSTEM_TASK_ABS_CPU = cpu
    record(node("one", "hybrid").pk, WELL)
    assert Instance.objects.get().cpu == Decimal("0.1")


def test_a_report_without_cpus_leaves_those_that_are_known() -> None:
    record(node("one").pk, ILL)
    assert Instance.objects.get().cpu == 4


# --- the heartbeat


@pytest.mark.parametrize(("node_type", "beats"), [("control", True), ("hybrid", True), ("execution", False)])
def test_the_own_node_reports_itself(node_type: str, beats: bool, settings: Settings) -> None:
    own = node(settings.CLUSTER_HOST_ID, node_type, cpu=0, memory=0, node_state="installed")
    periodic.report_own_node()
    stored = Instance.objects.get(pk=own.pk)
    assert (stored.node_state == "ready" and stored.cpu > 0 and stored.memory > 0) is beats
    assert (stored.version == settings.AWX_VERSION) is beats


def test_a_heartbeat_without_an_instance_does_nothing() -> None:
    periodic.report_own_node()
    assert not NodeHealth.objects.exists()


# --- a check from start to end


@pytest.fixture(autouse=True)
def local(settings: Settings) -> None:
    settings.HEALTH_PROBE = "local"


def answer(monkeypatch: pytest.MonkeyPatch, report: NodeReport) -> list[float]:
    """Let nodes answer with ``report``; the result collects the seconds that they were given."""
    given: list[float] = []

    @contextmanager
    def probing(hostname: str, seconds: float) -> Iterator[NodeReport]:
        given.append(seconds)
        yield report

    monkeypatch.setattr(checks, "probing", probing)
    return given


def test_a_check_that_is_asked_for_is_queued(settings: Settings, admin: User) -> None:
    settings.HEALTH_PROBE = "receptor"
    own = node("exec-1")
    for text in ("is running", "was already in progress"):
        answered = client_of(admin).post(f"/api/v2/instances/{own.pk}/health_check/")
        assert answered.json() == {"msg": f"Health check {text} for exec-1."}
    assert [job.args for job in ProcrastinateJob.objects.filter(task_name="health_check")] == [{"pk": own.pk}]


def test_without_a_probe_a_check_is_refused(settings: Settings, admin: User) -> None:
    settings.HEALTH_PROBE = ""
    own = node("exec-1")
    answered = client_of(admin).post(f"/api/v2/instances/{own.pk}/health_check/")
    assert answered.status_code == 503
    assert not Instance.objects.get().health_check_pending


def test_a_check_stores_what_comes_back(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    given = answer(monkeypatch, WELL)
    own = node("exec-1", node_state="installed")
    start.start(own.pk)
    checks.run(own.pk)
    assert state("exec-1") == "ready"
    assert not Instance.objects.get().health_check_pending
    assert 0 < given[0] < settings.HEALTH_CHECK_TIMEOUT


def test_a_check_that_nobody_asked_for_begins_when_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, ILL)
    own = node("exec-1")
    checks.run(own.pk)
    assert Instance.objects.get().health_check_started > timezone.now() - MINUTE
    assert state("exec-1") == "unavailable"


@pytest.mark.parametrize("node_state", ["provisioning", "deprovisioning", "provision-fail", "deprovision-fail"])
def test_nodes_in_other_states_are_not_asked(node_state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = answer(monkeypatch, WELL)
    checks.run(node("exec-1", node_state=node_state).pk)
    checks.run(99999)
    assert given == []


def test_a_check_that_never_returns_expires(settings: Settings) -> None:
    own = node("exec-1")
    start.start(own.pk)
    started = Instance.objects.get().health_check_started
    timeout = timedelta(seconds=settings.HEALTH_CHECK_TIMEOUT)
    assert checks.expire(started + timeout - timedelta(seconds=2)) == 0
    assert Instance.objects.get().health_check_pending
    assert checks.expire(started + timeout - timedelta(seconds=0.5)) == 1  # not one moment late
    stored = Instance.objects.get()
    assert not stored.health_check_pending
    assert stored.errors == "Nothing came back from the health check within 120 seconds."
    assert health_checked("exec-1")[1] == "CheckExpired"


def test_a_check_expires_though_the_clock_was_put_back(settings: Settings) -> None:
    node("exec-1", health_check_started=MORNING + timedelta(hours=1))
    assert checks.expire(MORNING) == 1
    assert not Instance.objects.get().health_check_pending


def test_what_comes_back_too_late_is_not_stored() -> None:
    own = node("exec-1", health_check_started=MORNING + MINUTE)
    checks.expire(MORNING + timedelta(hours=1))
    record(own.pk, WELL, check=MORNING + MINUTE)
    assert health_checked("exec-1")[1] == "CheckExpired"


@pytest.mark.parametrize("outcome", [Check.EXPIRED, Check.NO_RECEPTOR, Check.MISCONFIGURED])
def test_what_is_no_fault_of_the_node_does_not_take_it_offline(outcome: Check) -> None:
    own = node("exec-1")
    record(own.pk, NodeReport(errors="not the node", outcome=outcome))
    stored = Instance.objects.get()
    assert (stored.node_state, stored.capacity, stored.errors) == ("ready", 81, "not the node")
    assert health_checked("exec-1") == ("False", outcome, "not the node")


def test_a_check_that_waited_long_is_given_its_full_time(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    given = answer(monkeypatch, WELL)
    started = timezone.now() - timedelta(seconds=settings.HEALTH_CHECK_TIMEOUT - 5)
    checks.run(node("exec-1", health_check_started=started).pk)
    assert given[0] > settings.HEALTH_CHECK_TIMEOUT / 2
    assert not Instance.objects.get().health_check_pending


def test_a_last_check_in_the_future_hinders_no_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock was put back since."""
    answer(monkeypatch, WELL)
    own = node("exec-1", node_state="unavailable", last_health_check=timezone.now() + timedelta(hours=1))
    assert start.start(own.pk)
    assert Instance.objects.get().health_check_pending
    checks.run(own.pk)
    assert state("exec-1") == "ready"
    assert Instance.objects.get().last_health_check <= timezone.now()


@pytest.mark.parametrize(
    "values",
    [
        {"health_check_started": None},
        {"health_check_started": MORNING - MINUTE},
        {"health_check_started": None, "last_health_check": None},
    ],
)
def test_only_pending_checks_expire(values: dict[str, Any]) -> None:
    node("exec-1", **values)
    assert checks.expire(datetime(2030, 1, 1, tzinfo=UTC)) == 0


@pytest.mark.parametrize("outcome", [check for check in Check if check != Check.PASSED])
def test_every_way_to_fail_is_a_reason(outcome: Check) -> None:
    own = node("exec-1")
    record(own.pk, NodeReport.of_failure(ProbeError(outcome, f"{outcome} \0 text")))
    assert health_checked("exec-1") == ("False", outcome, f"{outcome}  text")


# --- where another control node reaches the mesh


def inspection(inspector: str, ago: float = 5, error: str = "") -> None:
    """An inspection of that control node's worker, so many seconds ago."""
    began = timezone.now() - timedelta(seconds=ago)
    MeshInspection.objects.create(inspector=inspector, began=began, watching_since=began, error=error)


@pytest.mark.parametrize(
    ("values", "is_left"),
    [
        ({"inspector": "control-2"}, True),
        ({"inspector": "control-2", "error": "Receptor does not answer."}, False),
        ({"inspector": "control-2", "ago": 1000}, False),
        ({"inspector": "own"}, False),
    ],
)
def test_a_check_is_left_to_a_worker_whose_receptor_answers(
    values: dict[str, Any], is_left: bool, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.CLUSTER_HOST_ID = "own"
    answer(monkeypatch, NodeReport(errors="Receptor does not answer.", outcome=Check.NO_RECEPTOR))
    inspection(**values)
    own = node("exec-1")
    start.start(own.pk)
    with pytest.raises(checks.ReachedElsewhereError) if is_left else nullcontext():
        tasks.health_check(own.pk)
    assert Instance.objects.get().health_check_pending is is_left


def test_a_check_that_is_left_to_others_is_soon_run_again() -> None:
    job = Job(id=1, queue="", lock=None, queueing_lock=None, task_name="health_check", attempts=5)
    again = tasks.Backoff().get_retry_decision(exception=checks.ReachedElsewhereError(), job=job)
    assert again.retry_at is not None
    assert again.retry_at - timezone.now() < timedelta(seconds=2)


@pytest.mark.parametrize("text", ["\x1b[31mred\x1b[0m", "a\rb", "\u202eright to left"])
def test_what_a_node_says_cannot_control_a_terminal(text: str) -> None:
    own = node("exec-1")
    record(own.pk, NodeReport(version=text * 20, uuid=text, errors=f"{text}\n{text}", outcome=Check.NODE_ERRORS))
    stored = Instance.objects.get()
    for shown in (stored.version, stored.uuid, stored.errors.replace("\n", "")):
        assert shown.isprintable()
        assert "\\u" in shown
