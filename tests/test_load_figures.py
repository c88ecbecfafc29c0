"""What follows from a load is worked out twice, in Python and by the database, and once the other way round."""

import math
from dataclasses import astuple

import pytest
from django.db.models import F
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from instances import capacity
from instances.capacity import Load
from instances.mirror import baseline
from instances.mirror.records import ReportedLoad
from instances.models import GroupLoad, Instance, InstanceGroup, NodeLoad

types = st.sampled_from(Instance.NodeType.values)
states = st.sampled_from(["ready", "ready", "installed", "unavailable"])
numbers = st.integers(-50, 500)  # a baseline may be negative
loads = st.builds(Load, numbers, numbers, numbers, numbers)
nodes = st.tuples(types, states, st.booleans(), st.integers(0, 60), st.lists(loads, max_size=3))
control_impacts = st.integers(0, 7)


def total(*parts: Load) -> Load:
    return Load(*(sum(figures) for figures in zip(*map(astuple, (Load(), *parts)), strict=True)))


def make_mesh(mesh: list[tuple[str, str, bool, int, list[Load]]]) -> list[Instance]:
    """Instances of these types, states and capacities, enabled or not, each with the parts of its load."""
    made = Instance.objects.bulk_create(
        Instance(hostname=f"node-{number}", node_type=kind, node_state=state, enabled=enabled, capacity=forks)
        for number, (kind, state, enabled, forks, _) in enumerate(mesh)
    )
    NodeLoad.objects.bulk_create(
        NodeLoad(node=node, slot=slot, **figures_of(part))
        for node, (*_, parts) in zip(made, mesh, strict=True)
        for slot, part in enumerate(parts)
    )
    return made


def figures_of(load: Load) -> dict[str, int]:
    return {name: getattr(load, name) for name in ("jobs_total", "jobs_running", "impact", "jobs_controlled")}


PATIENT = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class TestLoadFigures(TestCase):
    @PATIENT
    @given(st.lists(nodes, max_size=6), control_impacts)
    def test_nodes_are_sorted_by_what_they_show(self, mesh: list, control_impact: int) -> None:
        with override_settings(AWX_CONTROL_NODE_TASK_IMPACT=control_impact):
            make_mesh(mesh)
            found = Instance.objects.with_load().sortable_by_load()
            for node in found.annotate(sql_consumed=F("consumed"), running=F("jobs_running"), share=F("share_in_use")):
                assert node.sql_consumed == node.consumed_capacity
                assert node.running == node.load.jobs_running
                assert node.share == share_in_use(node)

    @PATIENT
    @given(st.lists(nodes, max_size=6), loads, control_impacts)
    def test_a_group_is_the_sum_of_its_members_in_service(self, mesh: list, sent: Load, control_impact: int) -> None:
        with override_settings(AWX_CONTROL_NODE_TASK_IMPACT=control_impact):
            groups = [InstanceGroup.objects.create(name=str(is_c), is_container_group=is_c) for is_c in (False, True)]
            made = make_mesh(mesh)
            for group in groups:
                group.instances.set(made)
                figures = dict(list(figures_of(sent).items())[:3])
                GroupLoad.objects.create(group=group.pk, slot=0, **figures)
            usual, container = InstanceGroup.objects.with_load().order_by("pk")
            members = [node for node in Instance.objects.with_load() if node.counts and node.node_state == "ready"]
            executing = [node for node in members if node.node_type in capacity.EXECUTING]
            assert usual.members == len(members)
            assert usual.capacity == sum(node.capacity for node in members)
            assert usual.consumed_capacity == sum(node.consumed_capacity for node in members)
            assert usual.jobs_running == sum(node.load.jobs_running for node in executing)
            assert container.consumed_capacity == sent.impact
            assert usual.jobs_total == container.jobs_total == sent.jobs_total


def share_in_use(node: Instance) -> float:
    """In the order that the administration sorts by: without capacity full, or empty, which is emptier than idle."""
    if node.capacity > 0:
        return node.consumed_capacity / node.capacity
    return math.inf if node.consumed_capacity > 0 else -1.0


@PATIENT
@given(types, loads, loads, control_impacts)
def test_a_baseline_makes_up_for_the_jobs_that_are_not_kept(kind: str, there: Load, kept: Load, impact: int) -> None:
    with override_settings(AWX_CONTROL_NODE_TASK_IMPACT=impact):
        told = ReportedLoad(there.jobs_total, there.jobs_running, capacity.consumed(kind, there))
        shown = total(kept, baseline.node_baseline(kind, told, kept))
        assert ReportedLoad(shown.jobs_total, shown.jobs_running, capacity.consumed(kind, shown)) == told


@PATIENT
@given(loads, loads)
def test_so_does_that_of_a_container_group(there: Load, kept: Load) -> None:
    told = ReportedLoad(there.jobs_total, there.jobs_running, there.impact)
    shown = total(kept, baseline.group_baseline(True, told, kept))
    assert ReportedLoad(shown.jobs_total, shown.jobs_running, shown.impact) == told


@pytest.mark.parametrize("rest", [1, 2])
def test_a_control_node_that_is_weighed_otherwise_is_refused(rest: int) -> None:
    with override_settings(AWX_CONTROL_NODE_TASK_IMPACT=3), pytest.raises(baseline.ImpactError):
        baseline.node_baseline("control", ReportedLoad(0, 0, 3 + rest), Load())
