"""Where the mesh would break, held against the loss of each node and each link in turn."""

import itertools
import json

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from instances.addresses import address_to_link
from instances.health import conditions
from instances.models import Condition, Instance, InstanceLink, User
from instances.planning import risk
from instances.planning.risk import Link, Node
from instances.planning.ways import Ways
from tests.conftest import client_of
from tests.make import make_jobs

RISK = "/api/fleet/v1/mesh/risk/"

TYPES = ("control", "hybrid", "execution", "execution", "hop", "hop")


@st.composite
def meshes(draw: st.DrawFn) -> tuple[list[Node], list[Link]]:
    kinds = draw(st.lists(st.sampled_from(TYPES), max_size=9))
    nodes = [Node(f"{kind}-{number}", kind, number, number % 3) for number, kind in enumerate(kinds)]
    names = [node.hostname for node in nodes]
    pairs = list(itertools.permutations(names, 2))
    links = draw(st.lists(st.sampled_from(pairs), max_size=14)) if pairs else []  # two links between the same, too
    return nodes, [Link(*pair) for pair in links]


def reached(nodes: list[Node], links: list[Link], without: str | None = None) -> set[str]:
    """The nodes that can reach a control or hybrid node; spread link by link, as slowly as can be."""
    found = {node.hostname for node in nodes if node.node_type in ("control", "hybrid")} - {without}
    for _ in nodes:
        for one, other in links:
            if without not in (one, other) and {one, other} & found:
                found |= {one, other}
    return found


def lost_by_each_loss(nodes: list[Node], links: list[Link]) -> tuple[dict[str, set[str]], list[tuple[Link, set[str]]]]:
    now = reached(nodes, links)
    by_node = {name: now - reached(nodes, links, name) - {name} for name in (node.hostname for node in nodes)}
    by_link = [(link, now - reached(nodes, links[:i] + links[i + 1 :])) for i, link in enumerate(links)]
    return {name: lost for name, lost in by_node.items() if lost}, sorted(
        (link, lost) for link, lost in by_link if lost
    )


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(meshes())
def test_equals_the_loss_of_each_in_turn(mesh: tuple[list[Node], list[Link]]) -> None:
    nodes, links = mesh
    found = risk.assess(nodes, links)
    by_node, by_link = lost_by_each_loss(nodes, links)
    assert {cut.hostname: set(cut.cuts_off) for cut in found.nodes} == by_node
    assert sorted((Link(cut.source, cut.target), set(cut.cuts_off)) for cut in found.links) == by_link
    assert set(found.unreachable) == {node.hostname for node in nodes} - reached(nodes, links)
    lost = set().union(*by_node.values(), *(names for _, names in by_link))
    assert found.single_path == sorted(lost)


@pytest.mark.django_db
@given(meshes())
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
def test_the_condition_of_each_node_agrees(mesh: tuple[list[Node], list[Link]]) -> None:
    nodes, links = mesh[0], list(dict.fromkeys(mesh[1]))
    by_node, by_link = lost_by_each_loss(nodes, links)
    now = reached(nodes, links)
    with transaction.atomic():
        store(nodes, links)
        for instance, found in conditions.all_findings(Instance.objects.with_health(), timezone.now()):
            name, finding = instance.hostname, found[Condition.Type.SINGLE_PATH]
            threads = [one for one, lost in by_node.items() if name in lost]
            threads += [f"the link {one} → {other}" for (one, other), lost in by_link if name in lost]
            if instance.controls:
                assert finding[:2] == ("Unknown", "NotApplicable")
            elif name not in now:
                assert finding[:2] == ("Unknown", "NoWayToControlNode")
            elif not threads:
                assert finding[:2] == ("False", "NoOneLossCutsOff")
            else:
                assert finding[:2] == ("True", "OneLossCutsOff")
                named = finding.message.removeprefix("Every way to a control node leads over ").removesuffix(".")
                assert set(named.removesuffix(" and others").split(", ")) <= set(threads)
                assert named.count(", ") == min(len(threads), 4) - 1
                assert named.endswith(" and others") == (len(threads) > 4)
        transaction.set_rollback(True)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(meshes())
def test_what_is_proposed_repairs_all_that_links_can_repair(mesh: tuple[list[Node], list[Link]]) -> None:
    nodes, links = mesh
    found = risk.assess(nodes, links)
    remedy = found.remedy
    by_node, by_link = lost_by_each_loss(nodes, [*links, *remedy.links])
    left = set().union(*by_node.values(), *(names for _, names in by_link))
    assert remedy.unrepaired == sorted(left)
    assert len(remedy.links) <= len(found.single_path)
    reachable = sorted(reached(nodes, links))
    neighbours = {frozenset(link) for link in links}
    all_new = [Link(*pair) for pair in itertools.combinations(reachable, 2) if frozenset(pair) not in neighbours]
    by_node, by_link = lost_by_each_loss(nodes, [*links, *all_new])
    assert left == set().union(*by_node.values(), *(names for _, names in by_link))


# --- of the stored mesh


def store(nodes: list[Node], links: list[Link]) -> None:
    stored = {
        node.hostname: Instance.objects.create(
            hostname=node.hostname, node_type=node.node_type, capacity=node.capacity, cpu_capacity=node.capacity
        )
        for node in nodes
    }
    InstanceLink.objects.bulk_create(
        InstanceLink(source=stored[source], target=address_to_link(stored[target])) for source, target in links
    )


FORKED = (
    [
        Node("control", "control", 9),
        *(Node(name, "hop") for name in ("hop-1", "hop-2")),
        *(Node(name, "execution", forks) for name, forks in (("exec-1", 30), ("exec-2", 10), ("lone", 0))),
    ],
    [Link("control", "hop-1"), Link("control", "hop-2"), Link("exec-1", "hop-1"), Link("exec-2", "hop-2")],
)


@pytest.mark.django_db
def test_the_api_names_what_would_be_cut_off(admin: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    store(*FORKED)
    make_jobs(2, execution_node="exec-1", status="running")
    client = client_of(admin)
    with django_assert_num_queries(3):  # with the token
        found = client.get(RISK).json()
    assert found["nodes"][1] == {
        "hostname": "hop-1",
        "cuts_off": ["exec-1"],
        "capacity": 30,
        "share": 0.75,
        "jobs_running": 2,
    }
    assert found["links"][0]["cuts_off"] == ["hop-1", "exec-1"]
    assert found["unreachable"] == ["lone"]
    assert found["longest_ways"][0] == ["control", "hop-1", "exec-1"]
    assert found["remedy"]["links"] == [{"source": "exec-1", "target": "exec-2"}]


@pytest.mark.django_db
def test_a_link_that_is_being_removed_does_not_count(admin: User) -> None:
    store(*FORKED)
    InstanceLink.objects.filter(source__hostname="exec-1").update(link_state="removing")
    assert client_of(admin).get(RISK).json()["unreachable"] == ["exec-1", "lone"]
    ways = Ways.stored()
    assert ways.reach("exec-2")
    assert not ways.reach("exec-1")


@pytest.mark.django_db
def test_of_a_long_chain_the_condition_names_the_nearest() -> None:
    names = ["control", "hop-1", "hop-2", "exec"]
    store([Node(name, name.partition("-")[0].replace("exec", "execution")) for name in names], chain(names))
    ways = Ways.stored()
    assert ways.threads("hop-2") == "the link hop-1 → hop-2, hop-1, the link control → hop-1, control"
    assert ways.threads("exec") == "the link hop-2 → exec, hop-2, the link hop-1 → hop-2, hop-1 and others"


def chain(names: list[str]) -> list[Link]:
    return [Link(*pair) for pair in itertools.pairwise(names)]


def test_in_a_chain_each_loss_cuts_off_all_behind_it_the_nearest_first() -> None:
    names = ["control", *(f"hop-{number:04}" for number in range(2_000))]
    found = risk.assess([Node(names[0], "control"), *(Node(name, "hop") for name in names[1:])], chain(names))
    assert [(cut.hostname, cut.cuts_off) for cut in found.nodes] == [
        (name, names[number:]) for number, name in enumerate(names[:-1], start=1)
    ]
    assert [len(cut.cuts_off) for cut in found.links] == list(range(2_000, 0, -1))


@pytest.mark.django_db
def test_the_command_says_it_in_words_and_by_its_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("mesh_risk")
    assert capsys.readouterr().out == "The loss of one node or of one link cuts off no other node.\n"
    store(*FORKED)
    with pytest.raises(SystemExit) as ended:
        call_command("mesh_risk")
    assert ended.value.code == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "Node lone can reach no control node now."
    assert "Node hop-1: its loss cuts off exec-1 (30 forks, 75% of the mesh)." in told
    assert "    exec-1 → exec-2" in told


@pytest.mark.django_db
def test_the_command_prints_as_json_what_the_api_answers(admin: User, capsys: pytest.CaptureFixture[str]) -> None:
    store(*FORKED)
    with pytest.raises(SystemExit):
        call_command("mesh_risk", json=True)
    assert json.loads(capsys.readouterr().out) == client_of(admin).get(RISK).json()
