"""Whether a job would run and where, held against looking at every node of every group for each copy in turn."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from instances.mirror import guard
from instances.models import Instance, InstanceGroup, InstanceGroupRole, Mirror, UnifiedJob, User
from instances.planning import fit_on_mesh
from instances.planning.fit import MOST_COPIES, Fit, assess_fit
from instances.planning.obstacles import Obstacle
from instances.planning.placement import Candidate, CandidateGroup, Workload
from tests.conftest import client_of, token_for
from tests.make import make_jobs, make_node

FIT = "/api/fleet/v1/fit/"
CONTROL_IMPACT = 1  # AWX's default, and that of the tests

JOB_KINDS = ("job", "ad_hoc_command", "inventory_update")
CONTROL_KINDS = ("project_update", "system_job")


# --- a plain model of the rule


@dataclass
class Mesh:
    """Groups and nodes as one copy after another takes of them."""

    groups: Sequence[CandidateGroup]
    control_plane: CandidateGroup
    taken: dict[str, int] = field(default_factory=dict)  # by node
    busy: set[str] = field(default_factory=set)
    copies: dict[str, int] = field(default_factory=dict)  # by group

    def place(self, kind: str, impact: int) -> tuple[str, str | None, str] | None:
        """Group, executing node and controlling node of another copy."""
        on_control_plane = kind in CONTROL_KINDS
        controllers = self.able(self.control_plane, ("control", "hybrid"))
        controllers = [node for node in controllers if self.left(node) >= CONTROL_IMPACT]
        if not controllers and not on_control_plane:
            return None
        for group in [self.control_plane] if on_control_plane else self.groups:
            copies = self.copies.get(group.name, 0)
            if group.max_concurrent_jobs and group.jobs_running + copies + 1 > group.max_concurrent_jobs:
                continue
            if group.max_forks and group.impact + (copies + 1) * impact > group.max_forks:
                continue
            if group.is_container_group:
                return self.take(group.name, None, most(controllers, self.left), impact)
            nodes = self.able(group, ("control", "hybrid") if on_control_plane else ("execution", "hybrid"))
            needs = {
                node.hostname: impact + (CONTROL_IMPACT if node.node_type in ("control", "hybrid") else 0)
                for node in nodes
            }
            roomy = [node for node in nodes if self.left(node) >= needs[node.hostname]]
            idle = [node for node in nodes if not node.jobs_running and node.hostname not in self.busy]
            idle = [] if on_control_plane else idle
            if roomy:
                node = most(roomy, lambda each, needs=needs: self.left(each) - needs[each.hostname])
            elif idle:
                node = most(idle, lambda each: each.capacity)
            else:
                continue
            itself = node.node_type in ("control", "hybrid")
            return self.take(group.name, node, node if itself else most(controllers, self.left), impact)
        return None

    def able(self, group: CandidateGroup, types: Sequence[str]) -> list[Candidate]:
        return [
            node
            for node in group.nodes
            if node.node_type in types and node.enabled and node.node_state == "ready" and node.capacity > 0
        ]

    def left(self, node: Candidate) -> int:
        return node.capacity - node.consumed - self.taken.get(node.hostname, 0)

    def take(
        self, group: str, node: Candidate | None, controller: Candidate, impact: int
    ) -> tuple[str, str | None, str]:
        self.copies[group] = self.copies.get(group, 0) + 1
        self.taken[controller.hostname] = self.taken.get(controller.hostname, 0) + CONTROL_IMPACT
        if node is not None:
            self.taken[node.hostname] = self.taken.get(node.hostname, 0) + impact
            self.busy.add(node.hostname)
        return group, node and node.hostname, controller.hostname


def most(nodes: Sequence[Candidate], figure: Any) -> Candidate:
    """The first by hostname of those with the highest figure."""
    highest = max(figure(node) for node in nodes)
    return min((node for node in nodes if figure(node) == highest), key=lambda node: node.hostname)


@st.composite
def meshes(draw: st.DrawFn) -> tuple[list[CandidateGroup], CandidateGroup]:
    small = st.integers(0, 12)
    nodes = [
        Candidate(
            hostname=f"node-{number}",
            node_type=draw(st.sampled_from(("execution", "execution", "hybrid", "control", "hop"))),
            capacity=draw(small),
            consumed=draw(st.integers(0, 6)),
            jobs_running=draw(st.integers(0, 1)),
            node_state=draw(st.sampled_from(("ready", "ready", "ready", "unavailable"))),
            enabled=draw(st.sampled_from((True, True, True, False))),
        )
        for number in range(draw(st.integers(0, 6)))
    ]
    groups = []
    for number in range(draw(st.integers(1, 3))):
        contains = draw(st.sampled_from((False, False, True)))
        groups.append(
            CandidateGroup(
                name=f"group-{number}",
                nodes=[] if contains or not nodes else draw(st.lists(st.sampled_from(nodes), unique=True)),
                is_container_group=contains,
                max_forks=draw(st.sampled_from((0, 0, 8, 20))),
                max_concurrent_jobs=draw(st.sampled_from((0, 0, 1, 3))),
                impact=draw(st.integers(0, 9)),
                jobs_running=draw(st.integers(0, 2)),
            )
        )
    controlling = [node for node in nodes if node.node_type in ("control", "hybrid")]
    room = Candidate("always-1", "control", draw(st.sampled_from((0, 1, 40))))
    return groups, CandidateGroup("controlplane", [*controlling, room], max_forks=draw(st.sampled_from((0, 0, 9))))


IMPACTS = st.integers(1, 9)
COUNTS = st.integers(1, 6)
Groups = tuple[list[CandidateGroup], CandidateGroup]


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(meshes(), st.sampled_from(JOB_KINDS + CONTROL_KINDS), IMPACTS, COUNTS)
def test_equals_looking_at_every_node_for_each_copy(mesh: Groups, kind: str, impact: int, count: int) -> None:
    model, places = Mesh(*mesh), []
    for _ in range(count):
        place = model.place(kind, impact)
        if place is None:
            break
        places.append(place)
    found = assess_fit(Workload(kind, impact), count, *mesh)
    assert (found.fits, found.placed, found.impact) == (len(places) == count, len(places), impact)
    first = places[0] if places else (None, None, None)
    assert (found.instance_group, found.instance, found.control_node) == first
    numbers = Counter((group, node) for group, node, _ in places)
    assert {(place.instance_group, place.instance): place.count for place in found.placements} == numbers


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(meshes(), st.sampled_from(JOB_KINDS), IMPACTS)
def test_each_group_and_node_fits_if_it_would_take_the_job_alone(mesh: Groups, kind: str, impact: int) -> None:
    groups, control_plane = mesh
    found = assess_fit(Workload(kind, impact), 1, *mesh)
    for group, fit in zip(groups, found.groups, strict=True):
        alone = Mesh([group], control_plane).place(kind, impact)
        assert (fit.name, fit.fits, not fit.in_the_way) == (group.name, alone is not None, alone is not None)
        unlimited = replace(group, max_forks=0, max_concurrent_jobs=0)
        room = CandidateGroup("controlplane", [Candidate("always-1", "control", 40)])
        taker = Mesh([unlimited], room).place(kind, impact)
        for node, node_fit in zip(group.nodes, fit.nodes, strict=True):
            never_idle = replace(node, jobs_running=1)
            roomy = Mesh([replace(unlimited, nodes=[never_idle])], room).place(kind, impact)
            fits = roomy is not None or (taker is not None and taker[1] == node.hostname)
            assert (node_fit.fits, not node_fit.in_the_way) == (fits, fits), node_fit


def test_a_thousand_copies_on_five_thousand_nodes_take_no_time() -> None:
    nodes = [Candidate(f"exec-{number:04}", "execution", 60, number % 9) for number in range(5_000)]
    control = CandidateGroup("controlplane", [Candidate("control-1", "control", 9_000)])
    began = time.process_time()
    small = assess_fit(Workload("job", 51), MOST_COPIES, [CandidateGroup("edge", nodes)], control)
    large = assess_fit(Workload("job", 99), MOST_COPIES, [CandidateGroup("edge", nodes)], control)
    assert (small.placed, len(small.placements)) == (MOST_COPIES, MOST_COPIES)
    assert large.placed == MOST_COPIES
    assert time.process_time() - began < 10


# --- what is in the way

CONTROL = CandidateGroup("controlplane", [Candidate("control-1", "control", 10)])
EXEC = Candidate("exec-1", "execution", 60, consumed=20, jobs_running=2)


def fit_on(*nodes: Candidate, takes: int = 51, control: CandidateGroup = CONTROL, **group: Any) -> Fit:
    return assess_fit(Workload("job", takes), 1, [CandidateGroup("edge", nodes, **group)], control)


# By code: what of the job and its surroundings is changed, and whether the group or the node names it, and how.
IN_THE_WAY: dict[str, tuple[Fit, bool, str]] = {
    "capacity": (fit_on(EXEC), False, "The job takes 51 forks of it, and 40 of 60 are free."),
    "disabled": (fit_on(replace(EXEC, enabled=False)), False, "It is disabled."),
    "state": (fit_on(replace(EXEC, node_state="unavailable")), False, "Its state is unavailable, not ready."),
    "node_type": (fit_on(replace(EXEC, node_type="hop")), False, "It is of type hop, which executes no such job."),
    "empty": (fit_on(), True, "It has no nodes."),
    "max_forks": (
        fit_on(EXEC, takes=9, max_forks=50, impact=42),
        True,
        "The job takes 9 forks, and 42 of its limit of 50 forks are in use.",
    ),
    "max_concurrent_jobs": (
        fit_on(EXEC, takes=9, max_concurrent_jobs=3, jobs_running=3),
        True,
        "It has 3 jobs, and its limit is 3.",
    ),
    "control_capacity": (
        fit_on(EXEC, takes=9, control=replace(CONTROL, nodes=[Candidate("control-1", "control", 10, consumed=10)])),
        True,
        "No node of controlplane has room for the 1 fork that it takes to control the job.",
    ),
}


@pytest.mark.parametrize("code", Obstacle.Code.values)
def test_each_obstacle_has_a_code_and_the_numbers(code: str) -> None:
    found, of_group, message = IN_THE_WAY[code]
    (group,) = found.groups
    named_by = group.in_the_way if of_group else group.nodes[0].in_the_way
    assert (found.fits, group.fits) == (False, False)
    assert [(str(obstacle.code), obstacle.message) for obstacle in named_by] == [(code, message)]
    assert [str(obstacle.code) for obstacle in group.in_the_way] == [code]
    assert group.in_the_way[0].message in found.reason


@pytest.mark.parametrize("changes", [{"enabled": False}, {"node_state": "unavailable"}, {"capacity": 0}])
def test_that_no_node_controls_is_no_matter_of_room(changes: dict[str, Any]) -> None:
    found = fit_on(EXEC, takes=9, control=replace(CONTROL, nodes=[replace(CONTROL.nodes[0], **changes)]))
    message = "No control or hybrid node of controlplane that is ready and enabled has capacity to control the job."
    assert found.groups[0].in_the_way[0].message == message
    assert message in found.reason


def test_what_is_free_of_a_group_is_within_its_limit() -> None:
    assert fit_on(EXEC, takes=1).groups[0].free == 40
    assert fit_on(EXEC, takes=1, max_forks=50, impact=42).groups[0].free == 8
    assert fit_on(takes=1, is_container_group=True, max_forks=50, impact=42).groups[0].free == 8
    assert fit_on(takes=1, is_container_group=True).groups[0].free is None


def test_if_some_copies_fit_the_groups_are_as_the_next_one_finds_them() -> None:
    found = assess_fit(Workload("job", 15), 3, [CandidateGroup("edge", [EXEC])], CONTROL)
    assert (found.fits, found.placed) == (False, 2)
    assert (found.groups[0].free, found.groups[0].fits) == (10, False)
    assert found.reason == (
        "2 of 3 copies fit, the first on exec-1 in group edge: it takes 15 forks, and 40 of 60 are free. "
        "The next one does not. Group edge: Without room for it: 1 of 1 node."
    )


def test_an_idle_node_takes_what_is_larger_than_any_node() -> None:
    idle = Candidate("exec-3", "execution", 30)
    found = fit_on(EXEC, replace(idle, hostname="exec-2", capacity=20), idle, takes=99)
    assert (found.fits, found.instance) == (True, "exec-3")
    assert found.reason == (
        "It fits on exec-3 in group edge: it takes 99 forks, and the node has only 30, but is idle, "
        "and no node of the group has room."
    )
    assert [node.fits for node in found.groups[0].nodes] == [False, False, True]


def test_without_room_to_control_not_even_an_idle_hybrid_node_starts_a_job() -> None:
    hybrid = Candidate("hybrid-1", "hybrid", 3, consumed=3)
    room = Candidate("control-1", "control", 1)
    for nodes, fits in (([hybrid], False), ([hybrid, room], True)):
        found = fit_on(hybrid, control=CandidateGroup("controlplane", nodes))
        assert (found.fits, found.control_node) == (fits, "hybrid-1" if fits else None)


def test_a_workflow_needs_no_node() -> None:
    found = assess_fit(Workload("workflow_job", 0), 7, [CandidateGroup("edge")], CandidateGroup("controlplane"))
    assert (found.fits, found.placed, found.instance_group, found.placements) == (True, 7, None, [])


# --- of the stored mesh


@pytest.fixture
def edge(db: None) -> InstanceGroup:
    """The group edge with a node in use, a control plane, a group of containers, and a group that few may see."""
    groups = {name: InstanceGroup.objects.create(name=name) for name in ("controlplane", "default", "edge", "hidden")}
    InstanceGroup.objects.create(name="containers", is_container_group=True, max_forks=30)
    for group, hostname, kind, forks in (
        ("controlplane", "control-1", "control", 10),
        ("edge", "exec-1", "execution", 60),
        ("edge", "exec-2", "execution", 20),
        ("hidden", "secret-1", "execution", 500),
    ):
        groups[group].instances.add(make_node(hostname, node_type=kind, capacity=forks))
    running = {"status": "running", "execution_node": "exec-1", "controller_node": "control-1"}
    make_jobs(2, task_impact=10, instance_group=groups["edge"], **running)
    make_jobs(1, task_impact=5, status="waiting", execution_node="exec-2")
    return groups["edge"]


@pytest.fixture
def bob(edge: InstanceGroup) -> User:
    """Somebody who sees the group edge alone."""
    user: User = User.objects.create_user("bob")
    InstanceGroupRole.objects.create(user=user, instance_group=edge, role="read_role")
    return user


def ask(client: APIClient, status: int = 200, **body: Any) -> Any:
    answer = client.post(FIT, body, format="json")
    assert answer.status_code == status, answer.content
    return answer.json()


@pytest.mark.django_db
def test_the_api_names_the_place_and_what_is_in_the_way(admin: User, edge: InstanceGroup) -> None:
    found = ask(client_of(admin), forks=30, hosts=200, instance_groups=["containers", "edge"])
    assert found == {
        "fits": True,
        "placed": 1,
        "impact": 31,
        "reason": "It fits on exec-1 in group edge: it takes 31 forks, and 40 of 60 are free.",
        "instance_group": "edge",
        "instance": "exec-1",
        "control_node": "control-1",
        "placements": [{"instance_group": "edge", "instance": "exec-1", "count": 1}],
        "groups": [
            {
                "name": "containers",
                "fits": False,
                "free": 30,
                "in_the_way": [
                    {
                        "code": "max_forks",
                        "message": "The job takes 31 forks, and 0 of its limit of 30 forks are in use.",
                    }
                ],
                "nodes": [],
            },
            {
                "name": "edge",
                "fits": True,
                "free": 55,
                "in_the_way": [],
                "nodes": [
                    {"hostname": "exec-1", "capacity": 60, "free": 40, "fits": True, "in_the_way": []},
                    {
                        "hostname": "exec-2",
                        "capacity": 20,
                        "free": 15,
                        "fits": False,
                        "in_the_way": [
                            {
                                "code": "capacity",
                                "message": "The job takes 31 forks of it, and 15 of 20 are free.",
                            }
                        ],
                    },
                ],
            },
        ],
    }


@pytest.mark.django_db
def test_in_a_container_group_no_node_executes(admin: User, edge: InstanceGroup) -> None:
    found = ask(client_of(admin), impact=10, count=4, instance_groups=["containers", "edge"])
    assert found["placements"] == [
        {"instance_group": "containers", "instance": None, "count": 3},
        {"instance_group": "edge", "instance": "exec-1", "count": 1},
    ]
    assert found["reason"] == (
        "4 of 4 copies fit, the first in container group containers: it takes 10 forks, and 30 of 30 are free."
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "impact"),
    [
        ({"forks": 0, "hosts": 200}, 6),
        ({"forks": 50, "hosts": 3}, 4),
        ({"hosts": 3}, 4),
        ({"forks": 50}, 51),
        ({"kind": "inventory_update"}, 1),
        ({"kind": "system_job"}, 5),
        ({"kind": "project_update", "impact": 3}, 3),
    ],
)
def test_the_impact_is_that_of_awx(body: dict[str, Any], impact: int, admin: User, edge: InstanceGroup) -> None:
    assert ask(client_of(admin), **body)["impact"] == impact


@pytest.mark.django_db
def test_what_the_control_plane_executes_runs_there(admin: User, edge: InstanceGroup) -> None:
    found = ask(client_of(admin), kind="system_job", instance_groups=["edge"])
    assert (found["instance_group"], found["instance"], found["control_node"]) == ("controlplane",) + 2 * ("control-1",)
    assert found["reason"] == (
        "AWX runs each system job in controlplane, whatever its groups. "
        "It fits on control-1 in group controlplane: it takes 6 forks, and 8 of 10 are free."
    )


@pytest.mark.django_db
def test_where_there_is_no_control_plane_nothing_runs(admin: User, edge: InstanceGroup) -> None:
    InstanceGroup.objects.filter(name="controlplane").delete()
    client = client_of(admin)
    for body in ({"impact": 1, "instance_groups": ["edge"]}, {"kind": "project_update"}):
        assert ask(client, **body)["fits"] is False


BAD = {
    "nothing": ({}, ["impact"]),
    "two sizes": ({"impact": 3, "forks": 3}, ["impact"]),
    "unknown field": ({"impact": 3, "colour": 1, "job": 7}, ["colour", "job"]),
    "no job": ({"impact": 0}, ["impact"]),
    "text": ({"impact": "3"}, ["impact"]),
    "true": ({"forks": True}, ["forks"]),
    "fraction": ({"hosts": 1.5}, ["hosts"]),
    "too large": ({"impact": 2**31}, ["impact"]),
    "negative": ({"forks": -1, "hosts": -1}, ["forks", "hosts"]),
    "no copies": ({"impact": 3, "count": 0}, ["count"]),
    "many copies": ({"impact": 3, "count": MOST_COPIES + 1}, ["count"]),
    "kind": ({"impact": 3, "kind": "unified_job"}, ["kind"]),
    "a name": ({"impact": 3, "instance_groups": "edge"}, ["instance_groups"]),
    "numbers": ({"impact": 3, "instance_groups": [3]}, ["instance_groups"]),
    "many groups": ({"impact": 3, "instance_groups": ["edge"] * 101}, ["instance_groups"]),
    "unknown groups": ({"impact": 3, "instance_groups": ["edge", "nope", "nil"]}, ["instance_groups"]),
}


@pytest.mark.django_db
@pytest.mark.parametrize("fault", BAD)
def test_what_cannot_be_asked_is_refused_by_field(fault: str, admin: User, edge: InstanceGroup) -> None:
    body, fields = BAD[fault]
    assert sorted(ask(client_of(admin), 400, **body)) == fields


@pytest.mark.django_db
@pytest.mark.parametrize("body", [b"[]", b"3", b'"x"', b"{", b'{"impact": 3, "instance_groups": ["\\u0000"]}'])
def test_what_is_no_object_of_json_is_refused(body: bytes, admin: User, edge: InstanceGroup) -> None:
    assert client_of(admin).post(FIT, body, content_type="application/json").status_code == 400


# --- who asks


@pytest.mark.django_db
def test_a_hidden_group_is_as_one_that_does_not_exist(bob: User) -> None:
    client = client_of(bob)
    for name in ("hidden", "default", "controlplane"):
        answers = [ask(client, 400, impact=3, instance_groups=["edge", each]) for each in (name, "n" * len(name))]
        assert str(answers[0]).replace(name, "n" * len(name)) == str(answers[1])
    assert ask(client, 400, impact=3) == {"instance_groups": ["No group is named default."]}


@pytest.mark.django_db
def test_of_hidden_control_nodes_only_the_room_is_shown(bob: User) -> None:
    client = client_of(bob)
    seen = [ask(client, impact=3, instance_groups=["edge"]), ask(client, kind="project_update")]
    assert [each["fits"] for each in seen] == [True, True]
    assert seen[1]["placements"] == [{"instance_group": None, "instance": None, "count": 1}]
    assert seen[1]["groups"] == []
    Instance.objects.filter(hostname="control-1").update(enabled=False)
    unseen = [ask(client, impact=3, instance_groups=["edge"]), ask(client, kind="project_update")]
    assert [each["fits"] for each in unseen] == [False, False]
    assert not any("control-1" in json.dumps(each) for each in (*seen, *unseen))


@pytest.mark.django_db
def test_a_control_node_that_is_seen_in_another_group_is_named(bob: User, edge: InstanceGroup) -> None:
    edge.instances.add(Instance.objects.get(hostname="control-1"))
    assert ask(client_of(bob), impact=3, instance_groups=["edge"])["control_node"] == "control-1"


@pytest.mark.django_db
def test_a_token_that_may_only_read_may_ask(admin: User, edge: InstanceGroup) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token_for(admin, scope='read')}")
    assert ask(client, impact=3, instance_groups=["edge"])["fits"]
    assert client_of(None).post(FIT, {}, format="json").status_code == 401


@pytest.mark.django_db
def test_a_mirror_answers_as_well(admin: User, edge: InstanceGroup) -> None:
    now = timezone.now()
    client = client_of(admin)
    Mirror.objects.create(url="https://awx.example.org", version="23.6.0", began=now, finished=now, every=30)
    connection.check_constraints()  # no trigger may be pending where triggers change
    guard.enable_guard()
    assert ask(client, impact=3, instance_groups=["edge"])["fits"]


@pytest.mark.django_db
@pytest.mark.parametrize("number", [1, 20])
def test_an_answer_costs_the_same_in_any_mesh(
    number: int, bob: User, edge: InstanceGroup, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    names = [f"more-{n}" for n in range(number)]
    for name in names:
        group = InstanceGroup.objects.create(name=name)
        group.instances.add(*(make_node(f"{name}-{n}", node_type="execution") for n in range(number)))
        InstanceGroupRole.objects.create(user=bob, instance_group=group, role="read_role")
    client = client_of(bob)
    with django_assert_num_queries(4):  # the token, the groups, their members, the nodes
        ask(client, impact=3, count=number, instance_groups=names)


# --- a job that is stored


def ask_for_job(client: APIClient, job: object, status: int = 200) -> Any:
    read = client.get(FIT, {"job": job})
    posted = client.post(f"{FIT}?job={job}", {}, format="json")
    assert (read.status_code, posted.status_code) == (status, status)
    assert read.json() == posted.json()
    return read.json()


def job_of(**values: Any) -> UnifiedJob:
    return make_jobs(1, status="pending", **values)[0]


@pytest.mark.django_db
def test_a_job_waits_for_capacity(admin: User, edge: InstanceGroup) -> None:
    job = job_of(task_impact=51, instance_group=edge, job_explanation="Not enough capacity.")
    found = ask_for_job(client_of(admin), job.pk)
    assert (found["fits"], found["impact"], [group["name"] for group in found["groups"]]) == (False, 51, ["edge"])
    assert found["reason"] == (
        f"Job {job.pk} is pending. It does not fit now. Group edge: Without room for it: 2 of 2 nodes. "
        "AWX explains: Not enough capacity."
    )


@pytest.mark.django_db
def test_a_job_without_a_group_would_run_in_the_default_one(admin: User, edge: InstanceGroup) -> None:
    assert ask_for_job(client_of(admin), job_of().pk)["groups"][0]["name"] == "default"
    assert ask_for_job(client_of(admin), job_of(type="system_job").pk)["groups"][0]["name"] == "controlplane"


@pytest.mark.django_db
def test_a_job_whose_group_does_not_exist_fits_nowhere(admin: User, edge: InstanceGroup) -> None:
    InstanceGroup.objects.filter(name="default").delete()
    job = job_of()
    found = ask_for_job(client_of(admin), job.pk)
    assert found["fits"] is False
    assert found["reason"] == (
        f"Job {job.pk} is pending. Which groups may run it is not known here before it starts: this is about the group "
        "default. No group is named default."
    )


@pytest.mark.django_db
def test_more_nodes_than_are_answered_of_are_refused(
    admin: User, bob: User, edge: InstanceGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit_on_mesh, "MOST_NODES", 3)  # edge has two, controlplane one
    client = client_of(admin)
    assert ask(client, impact=3, instance_groups=["edge"])["fits"]
    refused = ask(client, 400, impact=3, instance_groups=["edge", "hidden"])
    assert refused["instance_groups"][0].startswith("These groups have more than 3 nodes together")
    unknown = ask(client_of(bob), 400, impact=3, instance_groups=["edge", "hidden"])
    assert unknown == {"instance_groups": ["No group is named hidden."]}


@pytest.mark.django_db
def test_a_job_waits_for_another_run_of_its_template(admin: User, edge: InstanceGroup) -> None:
    client = client_of(admin)
    job = job_of(instance_group=edge, unified_job_template=7)
    assert ask_for_job(client, job.pk)["reason"].endswith("which is not known here.")
    (active,) = make_jobs(1, status="running", unified_job_template=7)
    assert f" Job {active.pk} of the same template is active" in ask_for_job(client, job.pk)["reason"]
    parallel = job_of(instance_group=edge, unified_job_template=7, representation={"id": 1, "allow_simultaneous": True})
    assert "same template" not in ask_for_job(client, parallel.pk)["reason"]


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["waiting", "running"])
def test_of_a_job_that_has_a_place_that_is_shown(status: str, admin: User, edge: InstanceGroup) -> None:
    (job,) = make_jobs(
        1, status=status, task_impact=500, execution_node="exec-1", controller_node="control-1", instance_group=edge
    )
    found = ask_for_job(client_of(admin), job.pk)
    assert (found["fits"], found["placed"], found["control_node"]) == (True, 1, "control-1")
    assert found["placements"] == [{"instance_group": "edge", "instance": "exec-1", "count": 1}]
    assert found["reason"] == f"Job {job.pk} is {status} already: group edge, on exec-1, by control-1."


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["successful", "failed", "error", "canceled"])
def test_a_job_that_has_ended_fits_nowhere(status: str, admin: User, edge: InstanceGroup) -> None:
    (job,) = make_jobs(1, status=status, instance_group=edge)
    found = ask_for_job(client_of(admin), job.pk)
    assert (found["fits"], found["placed"], found["groups"]) == (None, 0, [])
    assert found["reason"] == f"Job {job.pk} has ended: {status}."


@pytest.mark.django_db
def test_a_job_that_is_unknown_or_hidden_is_404(admin: User, bob: User, edge: InstanceGroup) -> None:
    job = job_of(instance_group=edge)
    for client, key in ((client_of(bob), job.pk), (client_of(admin), 0), (client_of(admin), 10**30)):
        assert ask_for_job(client, key, 404) == {"detail": "No job has this id."}
    assert ask_for_job(client_of(admin), "x", 404)


@pytest.mark.django_db
def test_a_job_is_named_alone(admin: User, edge: InstanceGroup) -> None:
    client = client_of(admin)
    assert client.get(FIT).json() == {"detail": "Name a job by ?job= and its id, or POST what it would take."}
    assert client.post(f"{FIT}?job={job_of().pk}", {"impact": 3}, format="json").status_code == 400


@pytest.mark.django_db
def test_a_job_costs_the_same_in_any_mesh(
    admin: User, edge: InstanceGroup, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_jobs(30, status="running", unified_job_template=7)
    job, client = job_of(instance_group=edge, unified_job_template=7), client_of(admin)
    with django_assert_num_queries(6):  # the token, the job, the groups, members and nodes, a run of the template
        client.get(FIT, {"job": job.pk})


# --- the command


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Its exit status, and what it printed."""
    status = 0
    try:
        call_command("fit", *arguments)
    except SystemExit as ended:
        status = int(ended.code or 0)
    except CommandError as error:
        return error.returncode, str(error)
    return status, capsys.readouterr().out


@pytest.mark.django_db
def test_the_command_says_it_in_words_and_by_its_exit_status(
    capsys: pytest.CaptureFixture[str], edge: InstanceGroup
) -> None:
    status, printed = run(capsys, "--forks", "30", "--hosts", "200", "--group", "containers", "--group", "edge")
    assert status == 0
    assert printed.splitlines() == [
        "It fits on exec-1 in group edge: it takes 31 forks, and 40 of 60 are free.",
        "      1 on exec-1 of edge",
        "",
        "no  containers: 30 free. The job takes 31 forks, and 0 of its limit of 30 forks are in use.",
        "",
        "yes edge: 55 free.",
        "    yes exec-1      40 of      60",
        "    no  exec-2      15 of      20  The job takes 31 forks of it, and 15 of 20 are free.",
    ]
    status, printed = run(capsys, "--impact", "31", "--count", "2", "--group", "edge")
    assert (status, printed.splitlines()[0][:19]) == (1, "1 of 2 copies fit, ")


@pytest.mark.django_db
def test_the_command_prints_as_json_what_the_api_answers(
    admin: User, capsys: pytest.CaptureFixture[str], edge: InstanceGroup
) -> None:
    status, printed = run(capsys, "--impact", "51", "--group", "edge", "--json")
    assert (status, json.loads(printed)) == (1, ask(client_of(admin), impact=51, instance_groups=["edge"]))
    status, printed = run(capsys, "--job", "1", "--json")
    assert (status, json.loads(printed)) == (0, client_of(admin).get(FIT, {"job": 1}).json())


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "Give --impact, or --forks and --hosts, or --job."),
        ("--impact 3 --hosts 4", "Give either --impact, or --forks and --hosts."),
        ("--job 1 --group edge", "--job goes with --json alone."),
        ("--job 1 --count 2", "--job goes with --json alone."),
        ("--job 1 --kind job --hosts 3", "--job goes with --json alone."),
        ("--job 1 --kind system_job", "--job goes with --json alone."),
        ("--impact 3 --count 1001", "--count is at most 1,000."),
        ("--impact 3 --group nope --group nil", "No group is named nope, nil."),
        ("--job 987654", "No job has the id 987654."),
    ],
)
def test_wrong_arguments_are_neither_yes_nor_no(
    arguments: str, message: str, capsys: pytest.CaptureFixture[str], edge: InstanceGroup
) -> None:
    assert run(capsys, *arguments.split()) == (2, message)


# --- served


def test_the_service_answers_of_a_recorded_mesh(service: str) -> None:
    headers = {"Authorization": "Bearer oracle-admin-token"}
    nodes = requests.get(f"{service}/api/v2/instances/?page_size=200", headers=headers).json()["results"]
    left = {node["hostname"]: node["capacity"] - node["consumed_capacity"] for node in nodes}
    found = requests.post(f"{service}{FIT}", headers=headers, json={"forks": 50, "hosts": 200}).json()
    assert (found["fits"], found["instance_group"], found["impact"]) == (True, "default", 51)
    shown = {node["hostname"]: node["free"] for node in found["groups"][0]["nodes"]}
    assert shown == {hostname: max(0, left[hostname]) for hostname in shown}
    executing = [node for node in nodes if node["node_type"] == "execution" and node["hostname"] in shown]
    assert found["instance"] == max(executing, key=lambda node: left[node["hostname"]])["hostname"]
    waiting = requests.get(f"{service}{FIT}?job=101", headers=headers)
    assert waiting.json()["reason"].startswith("Job 101 is new.")
