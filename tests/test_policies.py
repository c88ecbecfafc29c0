"""Which instances the policies of the groups make members. AWX's order: list, then minimum, then percentage."""

from typing import Any

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from pytest_django import DjangoAssertNumQueries

from instances.groups import associate
from instances.models import Instance, InstanceGroup
from instances.policies import Membership, apply_policies, may_be_member, memberships

# --- which memberships, without a database


def nodes(*node_types: str, **fields: Any) -> list[Instance]:
    """One node of each type, with the ids 1, 2, … and the hostnames node-1, node-2, …"""
    return [Instance(pk=pk, hostname=f"node-{pk}", node_type=kind, **fields) for pk, kind in enumerate(node_types, 1)]


def group(pk: int = 1, name: str = "", minimum: int = 0, percentage: int = 0, **fields: Any) -> InstanceGroup:
    return InstanceGroup(
        pk=pk,
        name=name or f"group-{pk}",
        policy_instance_minimum=minimum,
        policy_instance_percentage=percentage,
        **fields,
    )


def test_a_group_without_policies_has_no_members() -> None:
    assert memberships(nodes("execution"), [group()]) == {1: set()}


def test_the_listed_come_first_and_count_towards_the_minimum() -> None:
    assert memberships(nodes("execution", "execution"), [group(minimum=1, policy_instance_list=["node-2"])]) == {1: {2}}


def test_a_listed_hostname_that_is_nobody_s_is_passed_over() -> None:
    assert memberships(nodes("execution"), [group(policy_instance_list=["gone", "node-1"])]) == {1: {1}}


def test_minimums_are_spread_over_the_nodes_that_serve_the_fewest_groups() -> None:
    assert memberships(nodes("execution", "execution"), [group(1, minimum=1), group(2, minimum=1)]) == {1: {1}, 2: {2}}


def test_the_group_with_fewest_members_is_served_first() -> None:
    groups = [group(1, minimum=2, policy_instance_list=["node-2"]), group(2, minimum=1)]
    assert memberships(nodes("execution", "execution"), groups) == {1: {1, 2}, 2: {1}}


def test_being_listed_does_not_count_as_serving_a_group() -> None:
    """AWX's own choice: the first node serves the second group, though a list has put it into the first already."""
    groups = [group(1, policy_instance_list=["node-1"]), group(2, minimum=1)]
    assert memberships(nodes("execution", "execution"), groups)[2] == {1}


@pytest.mark.parametrize(
    ("percentage", "members"), [(0, 0), (1, 1), (33, 1), (34, 2), (50, 2), (67, 3), (100, 3)], ids=str
)
def test_a_percentage_is_reached_and_not_passed(percentage: int, members: int) -> None:
    assert len(memberships(nodes(*["execution"] * 3), [group(percentage=percentage)])[1]) == members


def test_a_percentage_is_of_the_nodes_that_the_group_can_have() -> None:
    mesh = nodes("control", "hop", "execution", "execution")
    assert memberships(mesh, [group(percentage=50), group(2, "controlplane", percentage=50)]) == {1: {3}, 2: {1}}


def test_hybrid_nodes_serve_both_planes() -> None:
    groups = [group(percentage=100), group(2, "controlplane", percentage=100)]
    assert memberships(nodes("hybrid"), groups) == {1: {1}, 2: {1}}


def test_nodes_that_no_policy_manages_are_members_by_list_only() -> None:
    mesh = nodes("execution", "execution", managed_by_policy=False)
    assert memberships(mesh, [group(minimum=2, percentage=100, policy_instance_list=["node-1"])]) == {1: {1}}


def test_an_execution_node_listed_in_controlplane_stays_out_and_displaces_nobody() -> None:
    groups = [group(1, "controlplane", percentage=100, policy_instance_list=["node-1"])]
    assert memberships(nodes("execution", "hybrid", "control"), groups) == {1: {2, 3}}


def test_control_and_hop_nodes_are_not_put_elsewhere_by_a_list() -> None:
    assert memberships(nodes("control", "hop"), [group(policy_instance_list=["node-1", "node-2"])]) == {1: set()}


MESHES = st.lists(st.tuples(st.sampled_from(Instance.NodeType.values), st.booleans()), min_size=0, max_size=12).map(
    lambda kinds: [
        Instance(pk=n, hostname=f"node-{n}", node_type=t, managed_by_policy=m) for n, (t, m) in enumerate(kinds, 1)
    ]
)
HOSTNAMES = st.lists(st.integers(1, 14).map("node-{}".format), unique=True, max_size=4)
GROUPS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 100), HOSTNAMES, st.booleans()), min_size=1, max_size=5
).map(
    lambda policies: [
        group(
            pk,
            "controlplane" if pk == 1 else "",
            minimum,
            percentage,
            policy_instance_list=hostnames,
            is_container_group=in_container and pk > 1,
        )
        for pk, (minimum, percentage, hostnames, in_container) in enumerate(policies, 1)
    ]
)


@given(MESHES, GROUPS)
def test_whatever_the_policies_say(mesh: list[Instance], groups: list[InstanceGroup]) -> None:
    """The rules hold for each group, and what the policies do not want is not there."""
    wanted = memberships(mesh, groups)
    assert wanted.keys() == {group.pk for group in groups if not group.is_container_group}
    for one in groups:
        if one.is_container_group:
            continue
        members = [instance for instance in mesh if instance.pk in wanted[one.pk]]
        by_list = {i.hostname for i in mesh if i.hostname in one.policy_instance_list and may_be_member(i, one)}
        by_policy = [i for i in members if i.hostname not in by_list]
        eligible = [i for i in mesh if i.managed_by_policy and may_be_member(i, one)]

        assert by_list <= {i.hostname for i in members}
        assert not any(i.node_type == "hop" for i in members)
        assert not any(i.node_type == "control" for i in members) or one.name == "controlplane"
        assert not any(i.node_type == "execution" for i in members) or one.name != "controlplane"
        assert all(i.managed_by_policy for i in by_policy)
        if not {i.pk for i in eligible} <= wanted[one.pk]:
            assert len(members) >= one.policy_instance_minimum
            assert 100 * len(members) >= one.policy_instance_percentage * len(eligible)
        if by_policy:  # none of them was needless
            fewer = len(members) - 1
            assert fewer < one.policy_instance_minimum or 100 * fewer < one.policy_instance_percentage * len(eligible)


# --- in the database


@pytest.fixture
def mesh(db: None) -> list[Instance]:
    """Two execution nodes, a hop node, a control node and the group controlplane."""
    InstanceGroup.objects.create(name="controlplane", policy_instance_percentage=100)
    kinds = {"exec-1": "execution", "exec-2": "execution", "hop-1": "hop", "control-1": "control"}
    return [Instance.objects.create(hostname=hostname, node_type=kind) for hostname, kind in kinds.items()]


def members(name: str) -> list[str]:
    return sorted(InstanceGroup.objects.get(name=name).instances.values_list("hostname", flat=True))


@pytest.mark.slow
def test_what_the_policies_want_begins_and_what_they_do_not_want_ends(mesh: list[Instance]) -> None:
    edge = InstanceGroup.objects.create(name="edge", policy_instance_list=["exec-2"])
    edge.instances.add(mesh[0])
    assert apply_policies() == 3
    assert members("edge") == ["exec-2"]
    assert members("controlplane") == ["control-1"]


class AnyMesh(TestCase):
    """Whatever the records and the memberships so far."""

    @settings(max_examples=30, deadline=None)
    @given(MESHES, GROUPS, st.sets(st.tuples(st.integers(0, 4), st.integers(0, 11))))
    def test_a_second_run_changes_nothing(
        self, mesh: list[Instance], groups: list[InstanceGroup], present: set[tuple[int, int]]
    ) -> None:
        Instance.objects.bulk_create(mesh)
        InstanceGroup.objects.bulk_create(groups)
        for n, node in present:
            groups[n % len(groups)].instances.add(*mesh[node : node + 1])
        in_containers = Membership.objects.filter(instancegroup__is_container_group=True)
        untouched = set(in_containers.values_list())
        apply_policies()
        after = set(Membership.objects.values_list())
        assert apply_policies() == 0
        assert set(Membership.objects.values_list()) == after
        assert set(in_containers.values_list()) == untouched


def test_an_execution_node_put_into_controlplane_by_hand_stays_and_displaces_nobody(mesh: list[Instance]) -> None:
    plane = InstanceGroup.objects.get(name="controlplane")
    associate(plane.pk, mesh[0])
    apply_policies()
    assert members("controlplane") == ["control-1", "exec-1"]
    plane.instances.remove(mesh[0])
    apply_policies()
    assert members("controlplane") == ["control-1"]


def test_container_groups_are_left_alone(mesh: list[Instance]) -> None:
    pods = InstanceGroup.objects.create(name="pods", is_container_group=True, policy_instance_minimum=2)
    pods.instances.add(mesh[0])
    apply_policies()
    assert members("pods") == ["exec-1"]


@pytest.mark.parametrize("size", [1, 20])
def test_the_number_of_queries_does_not_grow(
    size: int, mesh: list[Instance], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The lock, the instances, the groups, their members; what ends and what begins; and a savepoint's two."""
    for n in range(size):
        Instance.objects.create(hostname=f"more-{n}", node_type="execution")
        InstanceGroup.objects.create(name=f"group-{n}", policy_instance_percentage=100)
        InstanceGroup.objects.create(name=f"wrong-{n}").instances.set(mesh[:2])
    with django_assert_num_queries(8):
        assert apply_policies() == 1 + 2 * size + size * (size + 2)
    with django_assert_num_queries(6):
        assert apply_policies() == 0


@pytest.mark.django_db
def test_the_memberships_are_held_until_the_transaction_ends(mesh: list[Instance]) -> None:
    apply_policies()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid()"
        )
        assert cursor.fetchone() == (1,)
