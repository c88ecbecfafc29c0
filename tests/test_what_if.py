"""What if: held against really changing a copy and reading it, and the load of the past against each of its seconds."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries, Settings

from instances import groups, policies
from instances.deprovisioning import deprovision
from instances.health.recording import record
from instances.health.report import NodeReport
from instances.management.commands.what_if import Command
from instances.mirror import guard
from instances.models import Instance, InstanceGroup, InstanceGroupRole, Mirror, UnifiedJob, User
from instances.planning import risk
from instances.planning.changes import Change, NewNode
from instances.planning.loads import LoadHistory, Run
from instances.planning.what_if import WhatIf, what_if
from instances.reader import OPERATOR
from tests.conftest import client_of, rolled_back
from tests.make import change_group, change_node, make_jobs, make_link

WHAT_IF = "/api/fleet/v1/what_if/"
GIB = 2**30
EXAMPLES = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)

# --- against what the change really does

HOSTNAMES = [f"node-{number}" for number in range(7)]
GROUP_NAMES = ["controlplane", "edge", "far", "pods"]  # the last is a container group
TYPES = ("control", "hybrid", "execution", "execution", "hop")


@dataclass
class Fleet:
    """A mesh, its jobs, and a change of it, as hypothesis draws them."""

    nodes: list[dict[str, Any]]
    members: set[tuple[str, str]]
    policies: dict[str, dict[str, Any]]
    links: list[tuple[str, str]]
    jobs: list[dict[str, Any]]
    change: Change = field(default_factory=Change)

    def store(self) -> None:
        nodes = {values["hostname"]: Instance.objects.create(**values) for values in self.nodes}
        stored = {
            name: InstanceGroup.objects.create(
                name=name, is_container_group=name == "pods", **self.policies.get(name, {})
            )
            for name in GROUP_NAMES
        }
        for group, node in self.members:
            stored[group].instances.add(nodes[node])
        for source, target in self.links:
            make_link(source=nodes[source], target=nodes[target])
        for values in self.jobs:
            make_jobs(1, status="running", **values)

    def make_the_change(self) -> None:
        """By what the service does where an operator does it; jobs on removed nodes have ended before."""
        for node in Instance.objects.filter(hostname__in=self.change.remove):
            for end in ("execution_node", "controller_node"):
                UnifiedJob.objects.filter(**{end: node.hostname}).update(**{end: ""})
            change_node(node, {"node_state": "deprovisioning"})
            assert deprovision(node.pk)
        for node in Instance.objects.filter(hostname__in=self.change.disable):
            change_node(node, {"enabled": False})
        for new in self.change.add:
            node = Instance.objects.create(hostname=new.hostname, node_type=new.node_type, node_state="installed")
            record(node.pk, NodeReport(cpu=new.cpu, memory=new.memory))
        for node in Instance.objects.all():
            if (adjustment := self.change.adjustment_of(node.hostname)) is not None:
                change_node(node, {"capacity_adjustment": adjustment})
        for name, values in self.change.policies.items():
            change_group(InstanceGroup.objects.get(name=name), dict(values))
        for new in self.change.add:
            for name in dict.fromkeys(new.groups):
                node = Instance.objects.get(hostname=new.hostname)
                groups.associate(InstanceGroup.objects.get(name=name).pk, node)
        policies.apply_policies()


def policies_of(hostnames: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "policy_instance_minimum": st.integers(0, 4),
            "policy_instance_percentage": st.sampled_from([0, 34, 50, 100]),
            "policy_instance_list": st.lists(st.sampled_from(hostnames), max_size=3, unique=True)
            if hostnames
            else st.just([]),
        },
    )


ADJUSTMENTS = st.integers(0, 100).map(lambda number: Decimal(number) / 100)


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    hostnames = draw(st.lists(st.sampled_from(HOSTNAMES), unique=True))
    node = {
        "node_type": st.sampled_from(TYPES),
        "node_state": st.sampled_from(["ready", "ready", "ready", "unavailable", "installed"]),
        "enabled": st.sampled_from([True, True, False]),
        "managed_by_policy": st.sampled_from([True, True, False]),
        "capacity": st.integers(0, 90),
        "cpu_capacity": st.integers(0, 40),
        "mem_capacity": st.integers(0, 90),
    }
    nodes = [{"hostname": name, **draw(st.fixed_dictionaries(node))} for name in hostnames]
    pairs = [(group, name) for group in GROUP_NAMES for name in hostnames]
    ends = list(permutations(hostnames, 2))
    places = st.sampled_from([*hostnames, "gone", ""])
    job = st.fixed_dictionaries(
        {"execution_node": places, "controller_node": places, "task_impact": st.integers(0, 30)}
    )
    fleet = Fleet(
        nodes=nodes,
        members=set(draw(st.lists(st.sampled_from(pairs), max_size=10))) if pairs else set(),
        policies={name: draw(policies_of(hostnames)) for name in GROUP_NAMES[:-1]},
        links=draw(st.lists(st.sampled_from(ends), unique=True, max_size=8)) if ends else [],
        jobs=draw(st.lists(job, max_size=6)),
    )
    fleet.change = draw(changes(nodes))
    return fleet


@st.composite
def changes(draw: st.DrawFn, nodes: list[dict[str, Any]]) -> Change:
    fates = {node["hostname"]: draw(st.sampled_from(["stay", "stay", "remove", "disable"])) for node in nodes}
    removed, disabled = ([name for name, fate in fates.items() if fate == each] for each in ("remove", "disable"))
    new = []
    free = [*removed, "added-0", "added-1"]  # one that goes can be replaced under its name
    for name in draw(st.lists(st.sampled_from(free), unique=True, max_size=2)):
        kind = draw(st.sampled_from(TYPES))
        moves = kind in ("execution", "hybrid")
        new.append(
            NewNode(
                cpu=Decimal(draw(st.integers(1, 9))),
                memory=draw(st.integers(1, 9)) * GIB,
                hostname=name,
                node_type=kind,
                groups=draw(st.lists(st.sampled_from(GROUP_NAMES[:-1]), max_size=2)) if moves else (),
            )
        )
    left = [*(name for name in fates if name not in removed), *(each.hostname for each in new)]
    by_node = st.dictionaries(st.sampled_from(left), ADJUSTMENTS) if left else st.just({})
    return Change(
        remove=removed,
        disable=disabled,
        add=new,
        capacity_adjustment=draw(st.one_of(st.none(), ADJUSTMENTS, by_node)),
        policies=draw(st.dictionaries(st.sampled_from(["edge", "far"]), policies_of(left))),
    )


def groups_of_the_api(admin: User) -> dict[str, tuple[int, int, list[str]]]:
    """Capacity, consumed capacity and members of each group that is not of containers."""
    answer = client_of(admin).get("/api/v2/instance_groups/?page_size=200&is_container_group=false").json()
    members = {group.name: group.member_hostnames for group in InstanceGroup.objects.with_members()}
    return {
        group["name"]: (int(group["capacity"]), int(group["consumed_capacity"]), members[group["name"]])
        for group in answer["results"]
    }


def figures(found: WhatIf, side: str) -> dict[str, tuple[int, int, list[str]]]:
    sides = {group.name: getattr(group, side) for group in found.groups}
    return {name: (each.capacity, each.consumed, each.members) for name, each in sides.items()}


def whole_fleet() -> tuple[int, int, list[str]]:
    serving = Instance.objects.in_service().with_load()
    return (
        sum(node.capacity for node in serving),
        sum(node.consumed_capacity for node in serving),
        sorted(Instance.objects.values_list("hostname", flat=True)),
    )


def loads(nodes: Any) -> dict[int, int]:
    """By id."""
    return {node.pk: node.consumed_capacity for node in nodes.with_load()}


@pytest.mark.slow
@pytest.mark.django_db
@override_settings(IS_K8S=False)  # there a change of a node takes away links that a control node would not make itself
@EXAMPLES
@given(fleets())
def test_equals_what_the_change_really_does(admin: User, fleet: Fleet) -> None:
    with rolled_back():
        fleet.store()
        found = what_if(OPERATOR, fleet.change)
        before, lost = groups_of_the_api(admin), set(risk.of_mesh().unreachable)
        all_loads, served = loads(Instance.objects), loads(Instance.objects.in_service())
        names = dict(Instance.objects.values_list("pk", "hostname"))
        assert figures(found, "before") == before
        assert (found.fleet.before.capacity, found.fleet.before.consumed, found.fleet.before.members) == whole_fleet()
        fleet.make_the_change()
        assert figures(found, "after") == groups_of_the_api(admin)
        assert (found.fleet.after.capacity, found.fleet.after.consumed, found.fleet.after.members) == whole_fleet()
        assert found.cut_off is not None
        stayed = set(Instance.objects.filter(pk__in=names).values_list("hostname", flat=True))
        assert set(found.cut_off.nodes) == (set(risk.of_mesh().unreachable) & stayed) - lost
        gone = served.keys() - loads(Instance.objects.in_service()).keys()
        gone |= names.keys() - set(Instance.objects.values_list("pk", flat=True))
    for group in found.groups:
        own = [pk for pk in gone if names[pk] in before[group.name][2]]
        assert group.after.displaced == sum(all_loads[pk] for pk in own)
        assert group.after.remaining == group.after.capacity - group.after.consumed - group.after.displaced
    assert found.fleet.after.displaced == sum(all_loads[pk] for pk in gone)
    assert found.added == [new.hostname for new in fleet.change.add]


# --- the load of the past

SPAN = 24  # seconds, of which the window has those from 6 to 18
BEGAN, ENDED = 6, 18


@given(
    st.lists(
        st.tuples(st.integers(0, SPAN), st.integers(0, SPAN), st.sampled_from(["a", "b", 1]), st.integers(0, 9)),
        max_size=9,
    ),
    st.sets(st.sampled_from(["a", "b", 1])),
    st.integers(0, 30),
)
def test_the_load_of_each_second(jobs: list[tuple[int, int, Any, int]], places: set[Any], forks: int) -> None:
    past = [Run(min(job[:2]), max(job[:2]), *job[2:]) for job in jobs]
    past = [run for run in past if run.began < ENDED and run.ended > BEGAN]
    levels = sorted(
        sum(run.forks for run in past if run.began <= second < run.ended and run.place in places)
        for second in range(BEGAN, ENDED)
    )
    load = LoadHistory(past, BEGAN, ENDED).of(places).against(forks)
    assert load.peak == levels[-1]
    assert load.p50 == levels[(len(levels) + 1) // 2 - 1]
    assert load.p95 == levels[-(-len(levels) * 95 // 100) - 1]
    assert load.over_capacity == round(sum(level > forks for level in levels) / len(levels), 4)


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(second: int) -> datetime:
    return NOON + timedelta(seconds=second)


@st.composite
def jobs_of_the_past(draw: st.DrawFn) -> list[dict[str, Any]]:
    job = {
        "execution_node": st.sampled_from(["exec-1", "exec-2", "hop-1", "gone", ""]),
        "controller_node": st.sampled_from(["control-1", "exec-1", ""]),
        "task_impact": st.integers(0, 9),
        "instance_group": st.sampled_from([None, "edge", "far"]),
        "status": st.sampled_from(["successful", "running"]),
        "span": st.tuples(st.integers(0, SPAN), st.integers(0, SPAN)).map(sorted),
    }
    return draw(st.lists(st.fixed_dictionaries(job), max_size=6))


def took(job: dict[str, Any], group: str, members: set[str]) -> int:
    """What a job takes of a group, by the rules in words."""
    forks = job["task_impact"] if job["execution_node"] in members - {"hop-1"} else 0
    if job["execution_node"] == "gone" and job["instance_group"] == group:
        forks += job["task_impact"]
    return forks + (1 if job["controller_node"] == "control-1" in members else 0)


@pytest.mark.slow
@pytest.mark.django_db
@override_settings(AWX_CONTROL_NODE_TASK_IMPACT=1)
@EXAMPLES
@given(jobs_of_the_past())
def test_the_window_of_the_stored_jobs(jobs: list[dict[str, Any]]) -> None:
    members = {"edge": {"exec-1", "hop-1"}, "far": {"exec-2"}, "controlplane": {"control-1"}}
    with rolled_back():
        stored_groups = {name: InstanceGroup.objects.create(name=name) for name in members}
        for name, hostnames in members.items():
            for hostname in hostnames:
                node = Instance.objects.create(hostname=hostname, node_type=kind_of(hostname))
                stored_groups[name].instances.add(node)
        make_jobs(1, created=at(-1))  # since then all are stored
        for job in jobs:
            values = {name: job[name] for name in ("execution_node", "controller_node", "task_impact", "status")}
            finished = None if job["status"] == "running" else at(job["span"][1])
            group = stored_groups.get(job["instance_group"])
            make_jobs(1, started=at(job["span"][0]), finished=finished, instance_group=group, **values)
        found = what_if(OPERATOR, Change(), f"{at(BEGAN).isoformat()}/{at(ENDED).isoformat()}")
    for group in found.groups:
        levels = [
            sum(took(job, group.name, members[group.name]) for job in jobs if is_active(job, second))
            for second in range(BEGAN, ENDED)
        ]
        load = group.before.load
        assert load is not None
        assert load.peak == max(levels)
        assert load.over_capacity == round(sum(level > group.before.capacity for level in levels) / len(levels), 4)


def kind_of(hostname: str) -> str:
    return {"exec": "execution"}.get(hostname[:-2], hostname[:-2])


def is_active(job: dict[str, Any], second: int) -> bool:
    began, ended = job["span"]
    return began <= second and (second < ended or job["status"] == "running")


# --- of a small mesh


@pytest.fixture
def mesh(db: None) -> dict[str, Instance]:
    """A control node, a hop to exec-2, and exec-1 beside it; both execute for edge, which jobs of 20 forks load."""
    figures = {"cpu_capacity": 30, "mem_capacity": 30, "capacity": 30}
    nodes = {
        name: Instance.objects.create(
            hostname=name, node_type=kind_of(name), **({} if kind_of(name) == "hop" else figures)
        )
        for name in ("control-1", "exec-1", "exec-2", "hop-1")
    }
    edge = InstanceGroup.objects.create(
        name="edge", policy_instance_minimum=1, policy_instance_list=["exec-1", "exec-2"]
    )
    edge.instances.add(nodes["exec-1"], nodes["exec-2"])
    make_link(source=nodes["control-1"], target=nodes["exec-1"])
    make_link(source=nodes["control-1"], target=nodes["hop-1"])
    make_link(source=nodes["hop-1"], target=nodes["exec-2"])
    make_jobs(2, status="running", execution_node="exec-1", task_impact=20)
    return nodes


def post(user: User | None, body: Any) -> Any:
    return client_of(user).post(WHAT_IF, json.dumps(body), content_type="application/json")


def test_a_node_that_goes_leaves_its_load(mesh: Any, admin: User) -> None:
    answer = post(admin, {"remove": ["exec-1"]}).json()
    (edge,) = answer["groups"]
    assert edge["after"] == {
        "members": ["exec-2"],
        "capacity": 30,
        "consumed": 0,
        "displaced": 40,
        "remaining": -10,
        "load": None,
    }
    assert (edge["falls_short"], answer["carries"]) == (True, False)
    assert "Group edge would lack 10 forks: its load is 40 forks now, its capacity would be 30." in answer["in_words"]
    assert answer["cut_off"] == {"nodes": [], "links": []}


def test_so_does_one_that_is_disabled_already(mesh: Any, admin: User) -> None:
    change_node(mesh["exec-1"], {"enabled": False})
    assert post(admin, {}).json()["fleet"]["after"]["displaced"] == 0
    answer = post(admin, {"remove": ["exec-1"]}).json()
    assert (answer["fleet"]["after"]["displaced"], answer["carries"]) == (40, False)


@pytest.mark.parametrize("over", ["", "1h"])
def test_a_group_with_load_that_is_left_without_nodes_falls_short(over: str, mesh: Any, admin: User) -> None:
    now = timezone.now()
    UnifiedJob.objects.update(created=now - timedelta(hours=9), started=now - timedelta(hours=9))
    body = {"policies": {"edge": {"policy_instance_list": [], "policy_instance_minimum": 0}}}
    answer = post(admin, {**body, "over": over} if over else body).json()
    (edge,) = answer["groups"]
    assert (edge["after"]["capacity"], edge["falls_short"], answer["carries"]) == (0, True, False)
    window = ", and up to 40 were over the window" if over else ""
    assert f"Group edge would have no capacity left: 40 forks are in use now{window}." in answer["in_words"]
    UnifiedJob.objects.all().delete()
    assert post(admin, body).json()["carries"] is True


@pytest.mark.parametrize(
    ("minimum", "change", "left"),
    [
        (2, {"disable": ["exec-2"]}, 1),
        (2, {"remove": ["exec-1", "exec-2"]}, 0),
        (1, {"disable": ["exec-2"]}, None),
        (2, {"disable": ["hop-1"]}, None),
        (3, {}, None),
    ],
)
def test_what_a_drain_would_be_refused_for_is_said(
    minimum: int, change: Any, left: int | None, mesh: Any, admin: User
) -> None:
    InstanceGroup.objects.update(policy_instance_minimum=minimum)
    said = [line for line in post(admin, change).json()["in_words"] if "its policy asks for" in line]
    assert said == (
        []
        if left is None
        else [f"Group edge would keep {left} of the {minimum} enabled nodes that its policy asks for."]
    )


def test_a_node_is_replaced_under_its_name(mesh: Any, admin: User) -> None:
    new = {"hostname": "exec-1", "cpu": 4, "memory": 16 * GIB}
    answer = post(admin, {"remove": ["exec-1"], "add": [new]}).json()
    assert answer["added"] == ["exec-1"]
    assert answer["fleet"]["after"]["displaced"] == 40
    assert "exec-1 would need links to be reached" in " ".join(answer["in_words"])
    assert answer["cut_off"] == {"nodes": [], "links": []}
    assert post(admin, {"add": [new]}).status_code == 400
    assert post(admin, {"remove": ["exec-1"], "add": [new, new]}).status_code == 400


def test_a_hop_that_goes_cuts_off_what_is_behind_it(mesh: Any, admin: User) -> None:
    make_link(source=mesh["exec-2"], target=Instance.objects.create(hostname="behind", node_type="execution"))
    answer = post(admin, {"remove": ["hop-1"]}).json()
    links = [{"source": "exec-2", "target": "behind"}]
    assert answer["cut_off"] == {"nodes": ["behind", "exec-2"], "links": links}
    assert answer["carries"] is False
    assert answer["fleet"]["falls_short"] is False


def test_a_disabled_node_still_passes_on_what_others_send(mesh: Any, admin: User) -> None:
    answer = post(admin, {"disable": ["hop-1", "exec-2"]}).json()
    assert answer["cut_off"] == {"nodes": [], "links": []}
    assert answer["groups"][0]["after"]["members"] == ["exec-1", "exec-2"]
    assert answer["groups"][0]["after"]["capacity"] == 30


def test_nothing_to_think_of_changes_nothing(mesh: Any, admin: User) -> None:
    answer = post(admin, {}).json()
    assert answer["carries"] is True
    assert answer["fleet"]["before"] == answer["fleet"]["after"]
    assert answer["in_words"] == [
        "Neither a group nor the fleet would fall short of its load by this change.",
        "No member, capacity or load of a group would change.",
    ]


def test_a_group_that_lacks_capacity_already_falls_short_only_by_more(mesh: Any, admin: User) -> None:
    make_jobs(1, status="running", execution_node="exec-2", task_impact=90)
    assert post(admin, {}).json()["carries"] is True
    assert post(admin, {"add": [{"cpu": 1, "memory": GIB, "groups": ["edge"]}]}).json()["carries"] is True
    assert post(admin, {"capacity_adjustment": {"exec-1": 0.5}}).json()["carries"] is True  # both figures are alike
    assert post(admin, {"disable": ["exec-2"]}).json()["carries"] is False


def test_new_nodes_get_names_that_are_free(mesh: Any, admin: User) -> None:
    Instance.objects.create(hostname="new-1", node_type="execution")
    new = {"cpu": 2, "memory": 8 * GIB}
    answer = post(admin, {"add": [new, {**new, "hostname": "new-3"}, new]}).json()
    assert answer["added"] == ["new-2", "new-3", "new-4"]
    assert any(sentence.startswith("new-2, new-3, new-4 would need links") for sentence in answer["in_words"])


def test_policies_choose_again(mesh: Any, admin: User) -> None:
    body = {"remove": ["exec-2"], "add": [{"hostname": "spare", "cpu": 2, "memory": 8 * GIB}]}
    assert post(admin, body).json()["groups"][0]["after"]["members"] == ["exec-1"]
    policies = {"policies": {"edge": {"policy_instance_minimum": 2}}}
    assert post(admin, {**body, **policies}).json()["groups"][0]["after"]["members"] == ["exec-1", "spare"]


def contents() -> dict[str, Any]:
    """Each table of the service, but for that of tokens, which note when they were used."""
    tables = [name for name in connection.introspection.table_names() if "oauth2" not in name]
    with connection.cursor() as cursor:
        found = {}
        for table in tables:
            cursor.execute(f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {table} AS t")
            found[table] = cursor.fetchone()
    return found


def test_nothing_is_changed(mesh: Any, admin: User) -> None:
    UnifiedJob.objects.update(
        created=timezone.now() - timedelta(hours=2), started=timezone.now() - timedelta(minutes=9)
    )
    before = contents()
    assert len(before) > 20
    body = {
        "remove": ["hop-1"],
        "disable": ["exec-1"],
        "add": [{"cpu": 2, "memory": 8 * GIB, "groups": ["edge"]}],
        "capacity_adjustment": 0.5,
        "policies": {"edge": {"policy_instance_percentage": 100}},
        "over": "1h",
    }
    assert post(admin, body).status_code == 200
    assert contents() == before


# --- what is refused

NEW = {"cpu": 2, "memory": 8 * GIB}
REFUSED = [
    ({"remove": ["nobody"]}, "remove", "No node is named nobody."),
    ({"disable": ["nobody"]}, "disable", "No node is named nobody."),
    ({"remove": ["exec-1"], "disable": ["exec-1"]}, "disable", "exec-1 is to be removed as well."),
    ({"add": [{**NEW, "hostname": "exec-1"}]}, "add", "A node is named exec-1 already."),
    ({"add": [{**NEW, "hostname": "twin"}] * 2}, "add", "A node is named twin already."),
    ({"add": [{**NEW, "groups": ["none"]}]}, "add", "No group is named none."),
    ({"add": [{**NEW, "groups": ["pods"]}]}, "add", "pods is a container group, which has no nodes."),
    ({"add": [{**NEW, "groups": ["edge"], "node_type": "hop"}]}, "add", "hop node"),
    ({"add": [{**NEW, "hostname": "a b"}]}, "add", "whitespaces"),
    ({"add": [{**NEW, "cpu": 0}]}, "add", "above 0"),
    ({"add": [{**NEW, "memory": 0}]}, "add", "above 0"),
    ({"add": [{**NEW, "node_type": "moon"}]}, "add", "moon"),
    ({"add": [{**NEW, "disk": 1}]}, "add", "There is no such field."),
    ({"add": [{"cpu": 2}]}, "add", "required"),
    ({"capacity_adjustment": 1.5}, "capacity_adjustment", "from 0 to 1"),
    ({"capacity_adjustment": True}, "capacity_adjustment", "from 0 to 1"),
    ({"capacity_adjustment": {"exec-1": -1}}, "capacity_adjustment", "from 0 to 1"),
    ({"capacity_adjustment": {"nobody": 1}}, "capacity_adjustment", "No node is named nobody."),
    ({"policies": {"none": {}}}, "policies", "No group is named none."),
    ({"policies": {"edge": {"policy_instance_minimum": -1}}}, "policies", "greater than or equal"),
    ({"policies": {"edge": {"policy_instance_minimum": "2"}}}, "policies", "integer"),
    ({"policies": {"edge": {"policy_instance_list": ["nobody"]}}}, "policies", "nobody"),
    ({"policies": {"edge": {"minimum": 1}}}, "policies", "There is no such field."),
    ({"policies": {"pods": {"policy_instance_minimum": 1}}}, "policies", "Containerized"),
    ({"over": "yesterday"}, "over", "past"),
    ({"over": "2026-01-01/2025-01-01"}, "over", "begins before"),
    ({"over": "2026-01-01T00:00Z/9999-01-01T00:00Z"}, "over", "no later than now"),
    ({"over": "9000w"}, "over", "Jobs are stored since"),
    ({"colour": "red"}, "colour", "There is no such field."),
    (None, "__all__", "No data"),
]


@pytest.mark.parametrize(("body", "name", "words"), REFUSED, ids=lambda value: str(value)[:60])
def test_what_cannot_be_thought_of_is_refused_by_its_name(
    body: Any, name: str, words: str, mesh: Any, admin: User
) -> None:
    InstanceGroup.objects.create(name="pods", is_container_group=True)
    answer = post(admin, body)
    assert answer.status_code == 400
    assert list(answer.json()) == [name]
    assert words in answer.content.decode()


def test_the_past_must_be_stored(mesh: Any, admin: User, settings: Settings) -> None:
    now = timezone.now()
    UnifiedJob.objects.update(created=now - timedelta(days=5), started=now - timedelta(minutes=30))
    assert post(admin, {"over": "4d"}).status_code == 200
    assert "Jobs are stored since" in post(admin, {"over": "6d"}).json()["over"][0]
    settings.JOBS_KEPT_DAYS = 3
    assert "Jobs are stored since" in post(admin, {"over": "4d"}).json()["over"][0]
    assert post(admin, {"over": "2d"}).status_code == 200
    mirror = Mirror.objects.create(url="https://awx.example.org", version="23.6.0", began=now, finished=now)
    assert "jobs that have ended are not copied" in post(admin, {"over": "2d"}).json()["over"][0]
    mirror.all_jobs = True
    mirror.save()
    assert post(admin, {"over": "4d"}).status_code == 200
    with guard.allow_writes():
        UnifiedJob.objects.all().delete()
    assert post(admin, {"over": "2d"}).json()["over"] == ["The past is not known, as no job is stored."]


def test_bounds(mesh: Any, admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    make_jobs(3, created=timezone.now() - timedelta(days=1), started=timezone.now() - timedelta(hours=1))
    monkeypatch.setattr("instances.planning.windows.MOST_JOBS", 1)
    UnifiedJob.objects.update(
        status="running", created=timezone.now() - timedelta(days=1), started=timezone.now() - timedelta(hours=1)
    )
    assert "More than 1 jobs ran in that window" in post(admin, {"over": "2h"}).json()["over"][0]
    monkeypatch.setattr("instances.planning.windows.MOST_JOBS", 5)
    monkeypatch.setattr("instances.planning.loads.MOST_STEPS", 3)
    assert "Too many groups share the jobs" in post(admin, {"over": "2h"}).json()["over"][0]
    monkeypatch.setattr("instances.planning.changes.MOST_MEMBERS", 2)
    assert post(admin, {}).status_code == 200
    wide = {"policies": {"edge": {"policy_instance_percentage": 51}}}
    assert "up to 2 members" in post(admin, wide).json()["__all__"][0]
    assert "up to 2 members" in post(admin, {"add": [{**NEW, "groups": ["edge"]}]}).json()["__all__"][0]
    assert "up to 2 members" in post(admin, {"add": [{**NEW, "groups": ["nobody"] * 3}]}).json()["__all__"][0]
    monkeypatch.setattr("instances.planning.changes.MOST_PAIRS", 3)
    assert "4 nodes and 1 groups" in post(admin, {}).json()["__all__"][0]
    monkeypatch.setattr("instances.planning.changes.MOST_PAIRS", 5)
    monkeypatch.setattr("instances.planning.changes.MOST_NODES", 4)
    assert post(admin, {}).status_code == 200
    assert "up to 4 nodes" in post(admin, {"add": [NEW]}).json()["__all__"][0]


# --- who sees what


@pytest.fixture
def planner(mesh: Any) -> User:
    """The administrator of edge, who sees neither hop-1 nor control-1, nor the group far with its node."""
    user = User.objects.create_user("planner")
    edge = InstanceGroup.objects.get(name="edge")
    InstanceGroupRole.objects.create(user=user, instance_group=edge, role=InstanceGroupRole.Role.ADMIN)
    far = Instance.objects.create(hostname="far-1", node_type="execution", capacity=1000, cpu_capacity=1000)
    InstanceGroup.objects.create(name="far").instances.add(far)
    return user


def test_everybody_plans_with_what_they_see(planner: User) -> None:
    answer = post(planner, {"remove": ["exec-2"]}).json()
    assert [group["name"] for group in answer["groups"]] == ["edge"]
    assert answer["fleet"]["before"]["members"] == ["exec-1", "exec-2"]
    assert answer["cut_off"] is None
    assert any("You do not see the whole mesh" in sentence for sentence in answer["in_words"])


@pytest.mark.parametrize(
    "body",
    [
        {"remove": ["{}"]},
        {"disable": ["{}"]},
        {"capacity_adjustment": {"{}": 1}},
        {"policies": {"edge": {"policy_instance_list": ["{}"]}}},
    ],
    ids=str,
)
def test_a_hidden_node_is_answered_as_an_unknown_one(body: Any, planner: User) -> None:
    hidden, unknown = (json.dumps(body).replace("{}", name) for name in ("far-1", "new-9"))
    answers = [post(planner, json.loads(each)) for each in (hidden, unknown)]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[0].content.decode().replace("far-1", "new-9") == answers[1].content.decode()


def test_hidden_names_may_be_planned_with_as_if_they_were_free(planner: User) -> None:
    assert post(planner, {"add": [{**NEW, "hostname": "far-1"}]}).status_code == 200
    assert post(planner, {"policies": {"far": {}}}).json() == {"policies": ["No group is named far."]}


def test_a_policy_takes_out_no_node_where_hidden_ones_may_count(planner: User, admin: User) -> None:
    InstanceGroup.objects.filter(name="edge").update(policy_instance_list=[], policy_instance_percentage=50)
    assert post(admin, {}).json()["groups"][0]["after"]["members"] == ["exec-1", "exec-2"]
    assert post(planner, {}).json()["groups"][0]["after"]["members"] == ["exec-1", "exec-2"]


def test_who_sees_nothing_plans_with_nothing(mesh: Any, alice: User) -> None:
    assert post(alice, {}).json()["groups"] == []
    assert post(alice, {"remove": ["exec-1"]}).status_code == 400
    assert post(None, {}).status_code == 401


def test_of_jobs_only_those_count_that_ran_where_the_reader_sees(planner: User, admin: User) -> None:
    now = timezone.now()
    make_jobs(2, execution_node="far-1", status="running")
    UnifiedJob.objects.update(created=now - timedelta(days=1), started=now - timedelta(hours=1))
    assert post(admin, {"over": "2h"}).json()["window"]["jobs"] == 4
    answer = post(planner, {"over": "2h"}).json()
    assert answer["window"]["jobs"] == 2
    assert answer["fleet"]["before"]["load"]["peak"] == 40


# --- costs


@pytest.mark.parametrize("rows", [1, 20])
def test_it_costs_the_same_in_any_fleet(
    rows: int, mesh: Any, admin: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The token; nodes, groups, members, links; the mirror, the first job; a transaction, its timeout, and the jobs."""
    for number in range(rows):
        node = Instance.objects.create(hostname=f"node-{number}", node_type="execution")
        InstanceGroup.objects.create(name=f"group-{number}", policy_instance_minimum=1).instances.add(node)
        make_jobs(1, execution_node=node.hostname, status="running")
    UnifiedJob.objects.update(created=timezone.now() - timedelta(days=1), started=timezone.now() - timedelta(hours=1))
    client = client_of(admin)
    body = json.dumps({"remove": ["exec-1"], "over": "2h"})
    with django_assert_num_queries(1 + 4 + 2 + 4):
        assert client.post(WHAT_IF, body, content_type="application/json").status_code == 200


# --- the command


def run(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    status = 0
    try:
        call_command("what_if", *options)
    except SystemExit as ended:
        status = ended.code  # type: ignore[assignment]
    except CommandError as error:
        return error.returncode, str(error)
    return status, capsys.readouterr().out


def test_the_command_shows_both_sides(mesh: Any, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = run(capsys, "--remove", "exec-1")
    assert status == 1
    assert " ".join(text.splitlines()[-1].split()) == "edge 2 → 1 60 → 30 40 20 → -10"
    assert run(capsys)[0] == 0


def test_the_command_prints_as_json_what_the_api_answers(
    mesh: Any, admin: User, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--disable=exec-2", "--add=cpu=8,memory=16GiB,group=edge,hostname=spare", "--adjust=exec-1=0.5"]
    status, text = run(capsys, *options, "--policy=edge:minimum=2", "--json")
    body = {
        "disable": ["exec-2"],
        "add": [{"cpu": 8, "memory": 16 * GIB, "groups": ["edge"], "hostname": "spare"}],
        "capacity_adjustment": {"exec-1": 0.5},
        "policies": {"edge": {"policy_instance_minimum": 2}},
    }
    assert (status, json.loads(text)) == (0, post(admin, body).json())


WRONG = [
    ["--remove=nobody"],
    ["--add=cpu=8"],
    ["--add=cpu=8,memory=0"],
    ["--add=cpu=8,memory=1Gi,colour=red"],
    ["--add=cpu=8,memory=1Gi,node_type=moon"],
    ["--adjust=exec-1=2"],
    ["--adjust=1", "--adjust=exec-1=0.5"],
    ["--policy=edge=2"],
    ["--policy=edge:percentage=101"],
    ["--over=soon"],
]


@pytest.mark.parametrize("options", WRONG, ids=str)
def test_wrong_arguments_of_the_command(options: list[str], mesh: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((SystemExit, CommandError)) as refused:
        run_as_the_shell(*options)
    assert getattr(refused.value, "code", getattr(refused.value, "returncode", 0)) == 2


def run_as_the_shell(*options: str) -> None:
    """Run the command; errors of argparse end it, which Django changes only where code calls the command."""
    command: Any = Command()
    command._called_from_command_line = True
    command.create_parser("awx-instances", "what_if").parse_args(options)
    call_command("what_if", *options)
