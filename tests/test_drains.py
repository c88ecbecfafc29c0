"""Draining a node: who may not, what follows, and that it ends once; held against a plain model."""

import logging
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import timezone as fixed_zone
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries, Settings

from instances import drains, lifecycle, renaming
from instances.drains import DrainPlan, DrainRefusedError
from instances.health import conditions
from instances.mirror import guard
from instances.models import Drain, Instance, InstanceGroup, InstanceLink, Mirror, NodeHealth, UnifiedJob, User
from instances.planning.draining import RemainingJob, estimates, of_all
from tests.make import change_node, make_jobs, make_link, make_node

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
PLAN = DrainPlan("repair")
FORCED = DrainPlan("repair", force_reason="the site is on fire")


@pytest.fixture
def node() -> Instance:
    return make_node("exec-1", node_type="execution", node_state="ready")


def members(minimum: int, *nodes: Instance, name: str = "edge") -> None:
    InstanceGroup.objects.create(name=name, policy_instance_minimum=minimum).instances.set(nodes)


def let_deadline_pass() -> None:
    now = timezone.now()
    Drain.objects.open().exclude(deadline=None).update(began=now - 2 * HOUR, deadline=now - HOUR)


@contextmanager
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


# --- the whole of it, against a model


@dataclass
class Model:
    """A node, and its drain, as one may think of them."""

    enabled: bool = True
    state: str = "ready"
    jobs: int = 0
    drain: dict[str, Any] | None = None
    ended: list[str] = field(default_factory=list)

    def begin(self, then: str, *, forced: bool) -> bool:
        if self.drain or self.state == "deprovisioning":
            return False
        self.drain = {"then": then, "forced": forced, "was": self.enabled, "late": False, "drained": False}
        self.enabled = False
        return True

    def end(self, how: str) -> None:
        self.ended.append(how)
        self.drain = None

    def undo(self) -> None:
        assert self.drain
        self.enabled = self.enabled or self.drain["was"]
        self.end("undone")

    def step(self, *, killed: bool = False) -> None:
        if not self.drain:
            return
        if self.state == "deprovisioning":
            self.end("removed")
        elif self.enabled:
            self.end("enabled")
        elif not self.jobs and not self.drain["drained"]:
            self.drain["drained"] = True
            if not killed:
                self.step()
        elif self.drain["drained"] or (self.drain["forced"] and self.drain["late"]):
            self.enabled = self.drain["then"] == "enable"
            self.state = "deprovisioning" if self.drain["then"] == "deprovision" else self.state
            self.end("done")


PLANS = st.tuples(st.just("begin"), st.sampled_from(Drain.Then.values), st.booleans())
OTHERS = st.sampled_from(["job starts", "job ends", "late", "enable", "disable", "undo", "advance", "killed"])


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.one_of(PLANS, OTHERS, OTHERS, st.just("advance"), st.just("remove")), max_size=14))
def test_whatever_happens_it_goes_on_as_the_model_says(actions: list[Any]) -> None:
    with rolled_back():
        node, model = make_node("exec-1", node_type="execution", node_state="ready"), Model()
        for action in actions:
            act(action, node, model)
            compare(node, model)


def act(action: Any, node: Instance, model: Model) -> None:
    if isinstance(action, tuple):
        _, then, forced = action
        plan = DrainPlan("repair", then, timezone.now() + HOUR, "it burns" if forced else "")
        if model.begin(then, forced=forced):
            drains.begin([node.pk], plan)
        else:
            with pytest.raises(DrainRefusedError):
                drains.begin([node.pk], plan)
    elif action == "job starts":
        make_jobs(1, status="running", execution_node="exec-1")
        model.jobs += 1
    elif action == "job ends":
        last = UnifiedJob.objects.active().order_by("-pk").values("pk")[:1]
        UnifiedJob.objects.filter(pk__in=last).update(status="successful")
        model.jobs = max(0, model.jobs - 1)
    elif action == "late":
        let_deadline_pass()
        if model.drain:
            model.drain["late"] = True
    elif action in ("enable", "disable"):
        model.enabled = action == "enable"
        change_node(node, {"enabled": model.enabled})
    elif action == "remove":
        model.state = "deprovisioning"
        change_node(node, {"node_state": "deprovisioning"})
    elif action == "undo":
        if model.drain:
            drains.undo(node.pk)
            model.undo()
        else:
            with pytest.raises(Drain.DoesNotExist):
                drains.undo(node.pk)
    elif action == "advance":
        drains.advance()
        model.step()
    elif action == "killed":  # after the first transaction
        for drain in Drain.objects.open():
            drains.take_step(drain.pk)
        model.step(killed=True)


def compare(node: Instance, model: Model) -> None:
    node.refresh_from_db()
    assert (node.enabled, node.node_state) == (model.enabled, model.state)
    ended = list(Drain.objects.exclude(ended_at=None).order_by("pk").values_list("ended_how", flat=True))
    assert ended == model.ended
    found = list(Drain.objects.open())
    assert [drain.drained_at is not None for drain in found] == ([model.drain["drained"]] if model.drain else [])


@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize("then", Drain.Then.values)
def test_after_the_deadline_only_a_forced_drain_goes_on_though_jobs_are_left(
    then: str, forced: bool, node: Instance
) -> None:
    make_jobs(1, status="running", execution_node="exec-1")
    drains.begin([node.pk], DrainPlan("repair", then, timezone.now() + HOUR, "it burns" if forced else ""))
    drains.advance()
    assert Drain.objects.open().exists()
    let_deadline_pass()
    drains.advance()
    drain = Drain.objects.get()
    node.refresh_from_db()
    assert (drain.ended_how, drain.drained_at) == ("done" if forced else "", None)
    assert node.enabled == (forced and then == "enable")
    assert (node.node_state == "deprovisioning") == (forced and then == "deprovision")


def test_the_jobs_that_a_forced_drain_leaves_behind_are_logged(
    node: Instance, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any
) -> None:
    jobs = make_jobs(2, status="running", execution_node="exec-1")
    drains.begin([node.pk], DrainPlan("repair", deadline=timezone.now() + HOUR, force_reason="it burns"))
    let_deadline_pass()
    caplog.set_level(logging.INFO, "instances.audit")
    with django_capture_on_commit_callbacks(execute=True):
        drains.advance()
    ids = ", ".join(str(job.pk) for job in jobs)
    assert f'drain deadline passed node="exec-1" active_jobs="2" jobs="{ids}" by="-"' in caplog.text


# --- refusals


def test_it_disables_the_node_with_the_reason_and_says_who_did_it(node: Instance, admin: User) -> None:
    (drain,) = drains.begin([node.pk], DrainPlan("repair", deadline=timezone.now() + HOUR), admin)
    node.refresh_from_db()
    assert not node.enabled
    assert node.health.disabled_reason == "repair"
    assert (drain.requested_by, drain.requested_by_name, drain.hostname) == (admin, "admin", "exec-1")
    undone = drains.undo(node.pk, admin)
    node.refresh_from_db()
    assert node.enabled
    assert node.health.disabled_reason == ""
    assert (undone.ended_how, undone.ended_by, undone.ended_by_name) == ("undone", admin, "admin")


def test_links_that_awx_would_refuse_keep_no_node_from_being_drained(node: Instance) -> None:
    make_link(make_node("hop-1", node_type="hop"), node)  # though it has no port
    drains.begin([node.pk], DrainPlan("repair", "enable"))
    drains.advance()
    assert Drain.objects.get().ended_how == "done"


def test_links_that_awx_makes_no_more_stay(node: Instance, settings: Settings) -> None:
    """With each change over its API AWX takes away those of control nodes that the node does not want."""
    settings.IS_K8S = True
    make_link(make_node("control-1", node_type="control"), node)
    drains.begin([node.pk], DrainPlan("repair", "enable"))
    drains.undo(node.pk)
    drains.begin([node.pk], DrainPlan("repair", "enable"))
    drains.advance()
    assert Instance.objects.get(pk=node.pk).enabled
    assert InstanceLink.objects.count() == 1


def test_a_node_that_was_disabled_stays_so_and_keeps_its_reason(node: Instance) -> None:
    with transaction.atomic():
        lifecycle.change(lifecycle.lock_instance(node.pk), {"enabled": False}, "noise")
    drains.begin([node.pk], PLAN)
    drains.undo(node.pk)
    node.refresh_from_db()
    assert not node.enabled
    assert node.health.disabled_reason == "noise"


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_reason_is_required(reason: str, node: Instance) -> None:
    with pytest.raises(ValidationError, match="reason"):
        drains.begin([node.pk], DrainPlan(reason))
    assert not Drain.objects.exists()


def test_so_is_one_to_force_it(node: Instance) -> None:
    members(1, node)
    with pytest.raises(ValidationError, match="force_reason"):
        drains.begin([node.pk], DrainPlan("repair", force_reason=" "))
    assert not Drain.objects.exists()


def test_so_is_a_deadline_in_the_future(node: Instance) -> None:
    with pytest.raises(ValidationError, match="future"):
        drains.begin([node.pk], DrainPlan("repair", deadline=timezone.now()))


def test_a_deadline_that_could_not_be_read_back_is_refused(node: Instance) -> None:
    late = datetime(9999, 12, 31, 23, tzinfo=fixed_zone(-12 * HOUR))  # in UTC that is the year 10000
    with pytest.raises(ValidationError, match="within 3,650 days"):
        drains.begin([node.pk], DrainPlan("repair", deadline=late))
    assert list(Drain.objects.all()) == []


@pytest.mark.parametrize("node_type", ["control", "hybrid"])
def test_what_cannot_be_deprovisioned_is_not_drained_for_it(node_type: str) -> None:
    node = make_node("control-1", node_type=node_type)
    with pytest.raises(ValidationError, match="deprovision"):
        drains.begin([node.pk], DrainPlan("repair", "deprovision", force_reason="it burns"))
    node.refresh_from_db()
    assert node.enabled


@pytest.mark.parametrize("state", ["deprovisioning", "deprovision-fail"])
def test_nor_is_a_node_that_goes_even_if_forced(state: str) -> None:
    node = make_node("exec-1", node_type="execution", node_state=state)
    with pytest.raises(DrainRefusedError, match=r"exec-1 is being deprovisioned\."):
        drains.begin([node.pk], FORCED)


@pytest.mark.parametrize(("minimum", "refused"), [(0, False), (1, False), (2, True), (3, True)])
def test_a_group_keeps_its_minimum_unless_forced(minimum: int, refused: bool, node: Instance) -> None:
    members(minimum, node, make_node("exec-2", node_type="execution"))
    if refused:
        with pytest.raises(DrainRefusedError, match=rf"edge would keep 1 of the {minimum} enabled nodes"):
            drains.begin([node.pk], PLAN)
    drains.begin([node.pk], FORCED if refused else PLAN)
    assert Drain.objects.open().count() == 1


def test_disabled_nodes_and_those_that_go_do_not_count(node: Instance) -> None:
    members(
        1,
        node,
        make_node("exec-2", node_type="execution", enabled=False),
        make_node("exec-3", node_type="execution", node_state="deprovisioning"),
    )
    with pytest.raises(DrainRefusedError, match="edge would keep 0 of the 1"):
        drains.begin([node.pk], PLAN)


def test_several_nodes_are_judged_together_and_drained_all_or_none(node: Instance) -> None:
    other, third = (make_node(f"exec-{n}", node_type="execution") for n in (2, 3))
    members(2, node, other, third)
    with pytest.raises(DrainRefusedError):
        drains.begin([node.pk, other.pk], PLAN)
    assert not Drain.objects.exists()
    assert Instance.objects.filter(enabled=True).count() == 3
    drains.begin([node.pk], PLAN)
    with pytest.raises(DrainRefusedError):
        drains.begin([other.pk], PLAN)


@pytest.mark.parametrize("node_type", ["control", "hybrid"])
@pytest.mark.parametrize(
    "other", [{"enabled": False}, {"node_state": "unavailable"}, {"node_type": "execution"}], ids=str
)
def test_the_last_control_node_stays_unless_forced(node_type: str, other: dict[str, Any]) -> None:
    node = make_node("control-1", node_type=node_type, node_state="ready")
    make_node("control-2", **{"node_type": "control", "node_state": "ready", **other})
    with pytest.raises(DrainRefusedError, match="No other control or hybrid node"):
        drains.begin([node.pk], PLAN)
    Instance.objects.exclude(pk=node.pk).update(enabled=True, node_state="ready", node_type="hybrid")
    drains.begin([node.pk], PLAN)
    with pytest.raises(DrainRefusedError):
        drains.begin([Instance.objects.get(hostname="control-2").pk], PLAN)
    drains.begin([Instance.objects.get(hostname="control-2").pk], FORCED)


def test_draining_a_disabled_node_takes_nothing_from_anybody() -> None:
    node = make_node("control-1", node_type="control", enabled=False)
    members(1, node)
    drains.begin([node.pk], PLAN)


def test_a_mirror_refuses(node: Instance) -> None:
    now = timezone.now()
    Mirror.objects.create(url="https://awx.example.org", version="23.6.0", began=now, finished=now, every=30)
    guard.enable_guard()
    with pytest.raises(DrainRefusedError, match="DRAIN_TOKEN_FILE"):
        drains.begin([node.pk], PLAN)
    assert not Drain.objects.exists()


# --- what others do to the node meanwhile


def test_the_jobs_of_a_control_node_are_those_that_it_controls(node: Instance) -> None:
    control, _ = (make_node(f"control-{n}", node_type="control", node_state="ready") for n in (1, 2))
    drains.begin([node.pk, control.pk], PLAN)
    make_jobs(1, status="waiting", execution_node="elsewhere", controller_node="control-1")
    make_jobs(1, status="running", execution_node="elsewhere", controller_node="exec-1")  # which controls none
    drains.advance()
    assert [drain.hostname for drain in Drain.objects.open()] == ["control-1"]
    UnifiedJob.objects.update(status="canceled")
    drains.advance()
    assert not Drain.objects.open().exists()


def test_the_record_outlives_its_node_whoever_removes_it(node: Instance, admin: User) -> None:
    drains.begin([node.pk], PLAN, admin)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM instances_nodehealth")
        cursor.execute("DELETE FROM instances_condition")
        cursor.execute("DELETE FROM instances_instance")
        cursor.execute("DELETE FROM instances_user WHERE id = %s", [admin.pk])
    drains.advance()
    drain = Drain.objects.get()
    assert (drain.instance, drain.hostname, drain.ended_how) == (None, "exec-1", "removed")
    assert (drain.requested_by, drain.requested_by_name) == (None, "admin")


def test_it_is_not_the_drain_of_another_node_that_got_the_id(node: Instance) -> None:
    drains.begin([node.pk], DrainPlan("repair", "enable"))
    Instance.objects.filter(pk=node.pk).update(hostname="stranger")
    with pytest.raises(Drain.DoesNotExist):
        drains.undo(node.pk)
    drains.advance()
    assert Drain.objects.get().ended_how == "removed"
    node.refresh_from_db()
    assert not node.enabled


@pytest.mark.parametrize("enabled", [False, True])
def test_nor_in_a_mirror_whatever_is_still_wanted_of_the_awx(enabled: bool, node: Instance, settings: Settings) -> None:
    settings.DRAIN_TOKEN = "secret"
    Mirror.objects.create(url="https://awx.example.org", version="23.6.0", began=NOW, finished=NOW)
    drains.begin([node.pk], PLAN)
    with guard.allow_writes():
        Instance.objects.filter(pk=node.pk).update(hostname="stranger", enabled=enabled)
    drains.advance_all()
    drain = Drain.objects.get()
    assert (drain.ended_how, drain.pending_enabled) == ("removed", None)
    drains.begin([node.pk], PLAN)


def test_a_renamed_node_goes_on_being_drained(node: Instance) -> None:
    drains.begin([node.pk], PLAN)
    make_jobs(1, status="running", execution_node="exec-1")
    Instance.objects.filter(pk=node.pk).update(hostname="exec-9")
    node.refresh_from_db()
    renaming.follow(node, "exec-1")
    drains.advance()
    assert Drain.objects.open().get().hostname == "exec-9"
    UnifiedJob.objects.update(status="failed")
    drains.advance()
    assert Drain.objects.get().ended_how == "done"


def condition_of(node: Instance, kind: str) -> str:
    (found,) = (
        each.status
        for each in conditions.current(Instance.objects.with_conditions().get(pk=node.pk))
        if each.type == kind
    )
    return str(found)


def test_a_node_that_is_renamed_after_its_drain_stays_drained(node: Instance) -> None:
    drains.begin([node.pk], PLAN)
    drains.advance()
    Instance.objects.filter(pk=node.pk).update(hostname="exec-9")
    node.refresh_from_db()
    renaming.follow(node, "exec-1")
    assert condition_of(node, "Drained") == "True"


def test_a_worker_whose_clock_is_behind_lets_the_node_be_drained(
    node: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    drains.begin([node.pk], PLAN)
    behind = timezone.now() - timedelta(seconds=30)
    with monkeypatch.context() as changed:
        changed.setattr(drains.timezone, "now", lambda: behind)
        drains.advance()
    assert Drain.objects.get().ended_how == "done"
    assert condition_of(node, "Drained") == "True"


def test_a_drain_that_cannot_go_on_stops_no_other(node: Instance, caplog: pytest.LogCaptureFixture) -> None:
    other = make_node("exec-2", node_type="execution")
    drains.begin([node.pk, other.pk], DrainPlan("repair", "deprovision"))
    Instance.objects.filter(pk=node.pk).update(node_type="hybrid")
    drains.advance()
    assert list(Drain.objects.open().values_list("hostname", flat=True)) == ["exec-1"]
    assert "The drain of exec-1 cannot go on" in caplog.text
    Instance.objects.filter(pk=node.pk).update(node_type="execution")
    drains.advance()
    assert set(Drain.objects.values_list("ended_how", flat=True)) == {"done"}


# --- the database


@pytest.mark.parametrize(
    "changes",
    [
        {"hostname": ""},
        {"reason": ""},
        {"then": "explode"},
        {"deadline": datetime(2020, 1, 1, tzinfo=UTC)},
        {"ended_at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"ended_how": "done"},
        {"ended_at": datetime(2020, 1, 1, tzinfo=UTC), "ended_how": "somehow"},
    ],
    ids=str,
)
def test_the_database_refuses_what_no_drain_is(changes: dict[str, Any], node: Instance) -> None:
    drains.begin([node.pk], PLAN)
    with pytest.raises(IntegrityError), transaction.atomic():
        Drain.objects.update(**changes)


def test_the_database_refuses_a_second_open_drain(node: Instance) -> None:
    drains.begin([node.pk], PLAN)
    values = {"instance": node, "hostname": "exec-1", "reason": "x", "began": timezone.now(), "was_enabled": True}
    with pytest.raises(IntegrityError), transaction.atomic():
        Drain.objects.create(**values)
    drains.undo(node.pk)
    Drain.objects.create(**values)


# --- how long it will take

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(
    st.lists(st.tuples(st.integers(1, 3), st.none() | st.integers(0, 500)), max_size=6),
    st.dictionaries(st.integers(1, 3), st.lists(st.floats(0.1, 1000), min_size=1, max_size=12)),
)
def test_the_estimate_is_that_of_the_last_job(jobs: list[tuple[int, int | None]], runs: dict[int, list[float]]) -> None:
    remaining = [
        RemainingJob(pk, "", "running", template, None if elapsed is None else NOW - timedelta(seconds=elapsed))
        for pk, (template, elapsed) in enumerate(jobs)
    ]
    found = [each for _, each in estimates(remaining, runs, NOW)]
    medians, late = [], []
    for (template, elapsed), each in zip(jobs, found, strict=True):
        longer = [seconds for seconds in runs.get(template, ()) if seconds >= (elapsed or 0)]
        if not longer:
            assert (each.median, each.p90) == (None, None)
            assert each.basis.startswith("unknown: ")
            continue
        medians.append(statistics.median(longer) - (elapsed or 0))
        late.append(percentile(longer, 0.9) - (elapsed or 0))
        assert seconds(each.median) == pytest.approx(medians[-1], abs=1e-5)
        assert seconds(each.p90) == pytest.approx(late[-1], abs=1e-5)
        assert each.basis.startswith(f"median and p90 of {len(runs[template])} earlier run")
    eta = of_all(found)
    if not jobs:
        assert eta.basis == "no job is left"
    elif len(late) < len(jobs):
        assert (eta.median, eta.p90) == (None, None)
        assert f"{len(jobs) - len(late)} of {len(jobs)} jobs" in eta.basis
        assert eta.basis.startswith(found[eta.job or 0].basis)
    else:
        assert seconds(eta.median) == pytest.approx(max(medians), abs=1e-5)
        assert seconds(eta.p90) == pytest.approx(max(late), abs=1e-5)
        assert late[eta.job or 0] == pytest.approx(max(late), abs=1e-5)


def percentile(values: list[float], share: float) -> float:
    """As PostgreSQL's percentile_cont."""
    ordered, place = sorted(values), share * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def seconds(moment: datetime | None) -> float:
    assert moment is not None
    return (moment - NOW).total_seconds()


@pytest.mark.parametrize("then", Drain.Then.values)
@pytest.mark.parametrize("mirrored", [False, True], ids=["own", "mirrored"])
def test_beginning_drains_costs_the_same_for_one_and_for_many(then: str, mirrored: bool, settings: Settings) -> None:
    """Whatever the nodes have: an address, links, a group, an earlier disabling."""
    if mirrored and then == Drain.Then.DEPROVISION:
        return  # which is refused
    hop = make_node("hop-1", node_type="hop")
    nodes = [make_node(f"exec-{n}", node_type="execution", listener_port=27199 if n % 2 else None) for n in range(42)]
    for node in nodes[1::2]:
        make_link(hop, node)
    members(1, *nodes)
    lifecycle.set_enabled(nodes[40:], False, timezone.now(), "spare")
    if mirrored:
        settings.DRAIN_TOKEN = "secret"
        Mirror.objects.create(url="https://awx.example.org", version="23.6.0", began=NOW, finished=NOW)
    costs = []
    for chosen in (nodes[:2], nodes[2:]):
        with CaptureQueriesContext(connection) as queries:
            drains.begin([node.pk for node in chosen], DrainPlan("repair", then, force_reason="all of them"))
        costs.append(len(queries))
    assert costs[1] <= costs[0]
    assert not mirrored or set(Drain.objects.values_list("pending_enabled", flat=True)) == {False}
    assert mirrored or not Instance.objects.filter(node_type="execution", enabled=True).exists()
    reasons = dict(NodeHealth.objects.values_list("instance", "disabled_reason"))
    assert [reasons.get(node.pk) for node in nodes] == [None if mirrored else "repair"] * 40 + ["spare"] * 2


@pytest.mark.parametrize("rows", [1, 20])
def test_the_progress_costs_two_queries(rows: int, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    now = timezone.now()
    nodes = [make_node(f"exec-{n}", node_type="execution") for n in range(rows)]
    begun = drains.begin([node.pk for node in nodes], PLAN)
    for n, node in enumerate(nodes):
        make_jobs(rows, status="running", execution_node=node.hostname, unified_job_template=n + 1, started=now)
        make_jobs(rows, execution_node="elsewhere", unified_job_template=n + 1, finished=now, elapsed=100 * (n + 1))
        make_jobs(1, status="failed", execution_node="x", unified_job_template=n + 1, finished=now, elapsed=9999)
    with django_assert_num_queries(2):
        progress = drains.progress_of(begun, now)
    for n, drain in enumerate(begun):
        found = progress[drain.pk]
        assert len(found.jobs) == rows
        assert found.eta.median == found.eta.p90 == now + timedelta(seconds=100 * (n + 1))


def test_only_the_latest_runs_count(node: Instance) -> None:
    now = timezone.now()
    (drain,) = drains.begin([node.pk], PLAN)
    make_jobs(1, status="waiting", execution_node="exec-1", unified_job_template=7)
    for age in range(drains.MOST_RUNS + 50):
        elapsed = 10 if age < drains.MOST_RUNS else 1000
        make_jobs(1, unified_job_template=7, finished=now - age * HOUR, elapsed=elapsed)
    eta = drains.progress_of([drain], now)[drain.pk].eta
    assert eta.median == eta.p90 == now + timedelta(seconds=10)
    assert f"{drains.MOST_RUNS} earlier runs" in eta.basis
