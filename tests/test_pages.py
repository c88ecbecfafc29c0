"""The pages for people, without a browser: who sees what, what it costs, and what is told."""

import csv
import io
import re
from datetime import timedelta
from decimal import Decimal
from html import escape, unescape
from itertools import product
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from awx_compat import csp
from fleet.templatetags.pages import ago, gibibytes, plain
from instances import capacity, overview
from instances.models import Instance, InstanceGroup, LeftOutJob, Mirror, User
from instances.node_list import natural
from instances.overview import Standing
from tests.make import make_jobs
from tests.mesh import link, node

pytestmark = pytest.mark.django_db
State, NodeType = Instance.NodeState, Instance.NodeType
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
SCRIPT = "<script>alert(1)</script>"


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text(client: Client, path: str = "/", status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status
    return answer.content.decode()


def shown(client: Client, query: str = "") -> list[str]:
    """The hostnames in the table, in their order."""
    return [instance.hostname for instance in client.get(f"/{query}").context["page"]]


# --- who sees what


def test_who_is_not_logged_in_is_told_where_to(edge: InstanceGroup) -> None:
    """As AWX does, the first page answers 200 to anybody; it tells nothing of the mesh."""
    page = text(Client())
    assert '<a class="button" href="/api/login/?next=/">' in page
    assert "exec-1" not in page
    answer = Client().get(f"/nodes/{edge.instances.get().pk}/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/api/login/?next=/nodes/")


@pytest.mark.parametrize("who", ["admin", "auditor"])
def test_administrators_and_auditors_see_everything(who: str, edge: InstanceGroup, request: Any) -> None:
    hidden = node("exec-2")
    client = browser_of(request.getfixturevalue(who))
    assert shown(client) == ["exec-1", "exec-2"]
    assert "exec-2" in text(client, f"/nodes/{hidden.pk}/")


def test_others_see_the_nodes_of_their_groups(bob: User, edge: InstanceGroup) -> None:
    hidden, visible = node("exec-2", errors="secret"), edge.instances.get()
    InstanceGroup.objects.create(name="other group").instances.add(hidden)
    link(hidden, visible)
    client = browser_of(bob)
    page = text(client)
    assert shown(client) == ["exec-1"]
    assert "exec-2" not in page
    assert "other group" not in page
    assert "path data-key" not in page  # no line to what is not seen
    assert "exec-2" not in text(client, f"/nodes/{visible.pk}/")
    assert "secret" not in text(client, f"/nodes/{hidden.pk}/", status=404)


def test_a_group_that_is_not_seen_filters_nothing_out_that_tells_of_it(bob: User, edge: InstanceGroup) -> None:
    unseen = InstanceGroup.objects.create(name="other group")
    unseen.instances.add(edge.instances.get())
    assert shown(browser_of(bob), f"?group={unseen.pk}") == []
    assert shown(browser_of(bob), f"?group={edge.pk}") == ["exec-1"]


def test_jobs_are_told_to_those_who_may_see_jobs(admin: User, bob: User, edge: InstanceGroup) -> None:
    path = f"/nodes/{edge.instances.get().pk}/"
    make_jobs(2, name="payroll", status="running", execution_node="exec-1", task_impact=3)
    assert text(browser_of(admin), path).count("payroll") == 2
    page = text(browser_of(bob), path)
    assert "payroll" not in page
    assert "using 6 forks" in page


@pytest.mark.parametrize("who", ["admin", "auditor"])
def test_where_the_mesh_would_break_is_shown_to_who_sees_all_of_it(who: str, edge: InstanceGroup, request: Any) -> None:
    control, hop = node("control-1", "control"), node("hop-1", "hop")
    link(control, hop)
    link(hop, edge.instances.get())
    client = browser_of(request.getfixturevalue(who))
    page = text(client, "/?sort=-node")
    assert 'href="?sort=-node&amp;risk=1#topology-heading">Show where it would break</a>' in page
    assert "cuts off" not in page
    page = text(client, "/?sort=-node&risk=1")
    assert 'href="?sort=-node#topology-heading">Hide where it would break</a>' in page
    assert "Node \u2068hop-1\u2069: its loss cuts off \u2068exec-1\u2069" in page
    assert '<input type="hidden" name="risk" value="1">' in page  # a filter leaves it as it is
    assert "nodes.csv?sort=-node" in page


def test_where_the_mesh_would_break_is_not_shown_to_others(bob: User, edge: InstanceGroup) -> None:
    link(node("control-1", "control"), edge.instances.get())
    page = text(browser_of(bob), "/?risk=1")
    assert "exec-1" in page
    assert "would break" not in page
    assert "cuts off" not in page


def test_a_node_that_is_not_there_is_not_found(admin: User) -> None:
    assert "Node not found" in text(browser_of(admin), "/nodes/7/", status=404)
    assert "Node not found" in text(browser_of(admin), f"/nodes/{10**30}/", status=404)


def test_links_within_the_dashboard_lead_somewhere(admin: User, alice: User) -> None:
    for page in (text(browser_of(admin)), text(browser_of(alice))):  # no node yet, none that is seen
        assert "Skip to the content" in page
        assert "Skip to the table" not in page
    node("exec-1")
    page = text(browser_of(admin))
    assert 'href="#nodes"' in page
    assert 'id="nodes"' in page


def test_the_pages_change_nothing(admin: User) -> None:
    assert browser_of(admin).post("/").status_code == 405
    assert browser_of(admin).post("/nodes/1/").status_code == 405
    assert browser_of(admin).head("/").status_code == 200


def test_the_administration_is_shown_to_staff(admin: User, alice: User) -> None:
    assert 'href="/admin/"' in text(browser_of(admin))
    assert 'href="/admin/"' not in text(browser_of(alice))


# --- what it costs


@pytest.fixture(params=[1, 25, 60])
def mesh(request: pytest.FixtureRequest, admin: User) -> list[Instance]:
    """So many execution nodes behind a hop, in as many groups, with jobs on the first."""
    hop = node("hop-1", "hop")
    nodes = [node(f"exec-{number}") for number in range(request.param)]
    for one in nodes:
        link(hop, one)
        InstanceGroup.objects.create(name=f"group-{one.pk}").instances.set(nodes)
    link(nodes[0], node("hop-2", "hop"))
    make_jobs(20, status="running", execution_node="exec-0", controller_node="exec-0")
    return nodes


# A session's own: it, its user, and the renewal in a transaction of its own.
SESSION = 5


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("", 4),
        ("?open=execution&sort=-used&q=exec", 4),
        ("?risk=1", 4),
        ("?group={group}", 5),
        ("nodes.csv", 2),
        ("nodes.json?q=exec&sort=-used&group={group}", 3),
    ],
)
def test_the_dashboard_costs_the_same_for_any_mesh(
    mesh: list[Instance], admin: User, path: str, queries: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The mirror, the nodes, the links, the groups; and the members of the group that is asked for.

    A file of the table needs the nodes and the groups, and likewise the members.
    """
    group = InstanceGroup.objects.first()
    assert group is not None
    client = browser_of(admin)
    with django_assert_num_queries(SESSION + queries):
        assert client.get("/" + path.format(group=group.pk)).status_code == 200


def test_a_node_costs_the_same_for_any_mesh(
    mesh: list[Instance], admin: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The mirror, the node, its conditions, who watches, all links and its drain, its drain for itself, its jobs as
    executor and as controller, two for its own links, the groups, the addresses.
    """
    client = browser_of(admin)
    with django_assert_num_queries(SESSION + 13):
        client.get(f"/nodes/{mesh[0].pk}/")


# --- what browsers may load, and what is written into the pages


@pytest.mark.parametrize("path", ["/", "/nodes/{pk}/", "/nodes/0/"])
def test_every_page_forbids_what_is_not_the_service_s_own(path: str, admin: User, edge: InstanceGroup) -> None:
    answer = browser_of(admin).get(path.format(pk=edge.instances.get().pk))
    assert answer["Content-Security-Policy"] == csp.header()
    assert "unsafe" not in csp.header()
    page = answer.content.decode()
    assert " style=" not in page
    assert "<script>" not in page
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize(
    "path", ["/", "/api/login/", "/api/v2/?format=api", "/api/docs/", "/admin/login/", "/api/o/authorize/"]
)
def test_no_page_is_without_a_policy(path: str, db: None) -> None:
    policy = Client().get(path, HTTP_ACCEPT="text/html")["Content-Security-Policy"]
    more = {"form_action": "https:"} if "authorize" in path else {}
    assert policy == csp.header(**more)


def test_what_nodes_tell_is_text(admin: User) -> None:
    hostile = node(SCRIPT, errors=SCRIPT, version=SCRIPT, node_state="unavailable")
    link(hostile, node(f'"{SCRIPT}'))
    group = InstanceGroup.objects.create(name=SCRIPT)
    group.instances.add(hostile)
    make_jobs(1, name=SCRIPT, status="running", execution_node=SCRIPT)
    for path in (
        "/",
        f"/nodes/{hostile.pk}/",
        f"/?q={SCRIPT}&sort={SCRIPT}&open={SCRIPT}&page={SCRIPT}&group={SCRIPT}",
    ):
        page = text(browser_of(admin), path)
        assert SCRIPT not in page
        assert "&lt;script&gt;" in page


def test_no_name_can_look_like_another_by_turning_its_direction(admin: User) -> None:
    turned = node("\u202egro.elpmaxe.1-cexe")
    link(turned, node("exec-1"))
    for path in ("/", f"/nodes/{turned.pk}/"):
        page = text(browser_of(admin), path)
        assert "\u202e" not in page
        assert "\ufffdgro.elpmaxe.1-cexe" in page


# --- the table


def test_names_are_ordered_as_people_count(admin: User) -> None:
    for hostname in ("node-10", "node-2", "Node-1", "7", "²"):
        node(hostname)
    assert shown(browser_of(admin)) == ["7", "Node-1", "node-2", "node-10", "²"]
    assert shown(browser_of(admin), "?sort=-node") == ["²", "node-10", "node-2", "Node-1", "7"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?type=hop", ["hop-1"]),
        ("?state=fault", ["lost", "wrong"]),
        ("?state=state-ready", ["hop-1", "off", "wrong"]),
        ("?state=disabled", ["off"]),
        ("?state=ready", ["hop-1"]),
        ("?q=O&type=execution", ["lost", "off", "wrong"]),
        ("?type=nonsense&state=nonsense&page=900&sort=nonsense", ["hop-1", "lost", "off", "wrong"]),
    ],
)
def test_the_table_filters(query: str, expected: list[str], admin: User) -> None:
    standing_differently()
    assert shown(browser_of(admin), query) == expected


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("node", ["hop-1", "lost", "off", "wrong"]),
        ("-node", ["wrong", "off", "lost", "hop-1"]),
        ("state", ["wrong", "lost", "off", "hop-1"]),
        ("-capacity", ["off", "wrong", "lost", "hop-1"]),
        ("-used", ["wrong", "hop-1", "lost", "off"]),
        ("jobs", ["hop-1", "lost", "off", "wrong"]),
        ("-seen", ["lost", "hop-1", "off", "wrong"]),
    ],
)
def test_the_table_sorts_and_equals_come_by_name(column: str, expected: list[str], admin: User) -> None:
    standing_differently()
    Instance.objects.filter(hostname="lost").update(last_seen=timezone.now(), capacity=5)
    make_jobs(1, status="running", execution_node="wrong", task_impact=3)
    assert shown(browser_of(admin), f"?sort={column}") == expected


def standing_differently() -> None:
    node("hop-1", "hop")
    node("lost", node_state="unavailable", capacity=0)
    node("off", enabled=False)
    node("wrong", errors="disk full")


def test_a_page_of_the_table_has_a_hundred_rows(admin: User) -> None:
    Instance.objects.bulk_create(Instance(hostname=f"node-{number}") for number in range(205))
    client = browser_of(admin)
    assert shown(client, "?page=2") == [f"node-{number}" for number in range(100, 200)]
    assert "Page 3 of 3" in text(client, "/?page=3")


# --- the table as a file


def downloaded(client: Client, path: str) -> list[str]:
    """The hostnames in the file, in their order."""
    answer = client.get(path)
    assert answer.status_code == 200
    if ".json" in path:
        return [row["hostname"] for row in answer.json()]
    return [row["hostname"] for row in csv.DictReader(io.StringIO(answer.content.decode()))]


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("query", ["", "?type=hop", "?state=fault", "?q=O&type=execution&sort=-node", "?sort=-used"])
def test_a_file_has_the_rows_of_the_table(query: str, form: str, admin: User) -> None:
    standing_differently()
    client = browser_of(admin)
    assert downloaded(client, f"/nodes.{form}{query}") == shown(client, query) != []


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_file_has_all_pages_of_the_table(form: str, admin: User) -> None:
    Instance.objects.bulk_create(Instance(hostname=f"node-{number}") for number in range(205))
    client = browser_of(admin)
    page = text(client, "/?page=2&open=execution&q=NODE&sort=-node")
    (link,) = re.findall(rf'<a href="(/nodes\.{form}[^"]*)" download>', page)
    assert unescape(link) == f"/nodes.{form}?q=NODE&sort=-node"
    assert downloaded(client, unescape(link)) == [f"node-{number}" for number in reversed(range(205))]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_file_has_what_its_reader_may_see(form: str, bob: User, alice: User, edge: InstanceGroup) -> None:
    unseen = InstanceGroup.objects.create(name="other group")
    unseen.instances.add(node("exec-2"), edge.instances.get())
    assert downloaded(browser_of(bob), f"/nodes.{form}") == ["exec-1"]
    assert downloaded(browser_of(bob), f"/nodes.{form}?group={edge.pk}") == ["exec-1"]
    assert downloaded(browser_of(bob), f"/nodes.{form}?group={unseen.pk}") == []
    assert downloaded(browser_of(alice), f"/nodes.{form}") == []
    assert Client().get(f"/nodes.{form}")["Location"] == f"/api/login/?next=/nodes.{form}"
    assert browser_of(bob).post(f"/nodes.{form}").status_code == 405


@pytest.mark.parametrize(("form", "media_type"), [("csv", "text/csv; charset=utf-8"), ("json", "application/json")])
def test_a_file_has_a_name_and_is_not_cached(form: str, media_type: str, admin: User) -> None:
    answer = browser_of(admin).get(f"/nodes.{form}")
    assert answer["Content-Type"] == media_type
    name = rf'attachment; filename="nodes-\d{{4}}-\d\d-\d\dT\d{{4}}Z\.{form}"'
    assert re.fullmatch(name, answer["Content-Disposition"])
    assert "no-store" in answer["Cache-Control"]


def test_no_file_is_offered_of_no_node(admin: User) -> None:
    node("exec-1")
    assert "download" in text(browser_of(admin), "/")
    assert "download" not in text(browser_of(admin), "/?q=nothing")


def test_the_first_steps_are_told_where_there_are_no_nodes(admin: User, alice: User) -> None:
    assert "provision_instance" in text(browser_of(admin))
    page = text(browser_of(alice))
    assert "No nodes are visible to you" in page
    assert "provision_instance" not in page


# --- capacity


def test_the_explanation_ends_in_the_capacity_of_the_one_formula(settings: Settings) -> None:
    settings.IS_K8S = False
    told = capacity.explained(
        cpu=Decimal(4), memory=8 * 2**30, cpu_forks=16, mem_forks=61, adjustment=Decimal("0.50"), counts=True, stored=38
    )
    assert (told.lower, told.higher, told.exact, told.result) == (16, 61, Decimal("38.5"), 38)
    assert told.result == capacity.effective(16, 61, Decimal("0.50"))
    assert (told.cpu_expected, told.mem_expected) == (16, 61)
    assert told.reserved == 2 * 2**30
    assert told.scarcer == "cpu"


def test_the_page_of_a_node_tells_the_formula_with_its_numbers(admin: User, settings: Settings) -> None:
    settings.IS_K8S = False
    own = node("exec-1", mem_capacity=61, capacity=38, capacity_adjustment="0.50")
    make_jobs(1, status="running", execution_node="exec-1", task_impact=6, name="deploy")
    make_jobs(1, status="successful", execution_node="exec-1", name="done")
    page = text(browser_of(admin), f"/nodes/{own.pk}/")
    for told in (
        "4 cores \u00d7 4 forks for each",
        "(8 GiB \u2212 2 GiB for the system) \u00f7 100 MiB for each fork",
        "16 + (61 \u2212 16) \u00d7 0.50, in whole forks",
        "<td>38.5</td>",
        "<td>38</td>",
        "32 free",
        "deploy",
    ):
        assert told in page
    assert "done" not in page


def test_a_disabled_node_and_one_with_other_figures_are_explained(admin: User) -> None:
    disabled = node("off", enabled=False, capacity=0)
    page = text(browser_of(admin), f"/nodes/{disabled.pk}/")
    assert "no: a disabled node gets no jobs" in page
    lost = node("lost", node_state="unavailable", capacity=0)
    assert "0 while the node is unavailable" in text(browser_of(admin), f"/nodes/{lost.pk}/")
    other = node("other", cpu_capacity=8)
    assert "4 cores \u00d7 4 forks for each = 16; the reported capacity is" in text(
        browser_of(admin), f"/nodes/{other.pk}/"
    )


def test_a_node_that_has_not_reported_is_not_calculated(admin: User) -> None:
    new = node("new", node_state="installed", cpu=0, memory=0, cpu_capacity=0, mem_capacity=0, capacity=0)
    page = text(browser_of(admin), f"/nodes/{new.pk}/")
    assert page.count("<td>not reported yet</td><td>0</td>") == 2
    assert "for each" not in page


def test_the_least_that_a_node_has_is_told_where_the_formula_gives_less(admin: User, settings: Settings) -> None:
    settings.IS_K8S = False
    small = node("small", cpu="0.1", memory=2**30, cpu_capacity=1, mem_capacity=1, capacity=1)
    page = text(browser_of(admin), f"/nodes/{small.pk}/")
    assert "0.1 cores \u00d7 4 forks for each, at least 1</td><td>1</td>" in page
    assert "(1 GiB \u2212 2 GiB for the system) \u00f7 100 MiB for each fork, at least 1</td><td>1</td>" in page
    assert "at least 1" not in text(browser_of(admin), f"/nodes/{node('usual').pk}/")


def test_a_job_counts_where_it_runs_and_where_it_is_controlled(admin: User) -> None:
    own = node("hybrid-1", "hybrid")
    make_jobs(1, status="running", execution_node="hybrid-1", controller_node="hybrid-1", task_impact=4)
    make_jobs(1, status="waiting", execution_node="exec-1", controller_node="hybrid-1", task_impact=9)
    told = browser_of(admin).get(f"/nodes/{own.pk}/").context
    assert [(job.executes, job.controls, job.forks) for job in told["jobs"]] == [(False, True, 1), (True, True, 5)]
    assert told["forks_of_others"] == 0
    assert told["node"].consumed_capacity == 6


def test_jobs_beyond_those_shown_are_summed(admin: User) -> None:
    own = node("exec-1")
    make_jobs(60, status="running", execution_node="exec-1", task_impact=2)
    make_jobs(500, status="successful", execution_node="exec-1")
    told = browser_of(admin).get(f"/nodes/{own.pk}/").context
    assert len(told["jobs"]) == 50
    assert told["forks_of_others"] == 20


# --- states


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Standing.READY),
        ({"enabled": False}, Standing.DISABLED),
        ({"errors": "disk full"}, Standing.FAULT),
        ({"node_state": "unavailable", "enabled": False}, Standing.FAULT),
        ({"node_state": "provision-fail"}, Standing.FAULT),
        ({"node_state": "installed"}, Standing.CHANGING),
        ({"node_state": "deprovisioning"}, Standing.CHANGING),
    ],
)
def test_how_a_node_stands(values: dict[str, Any], expected: Standing) -> None:
    instance = Instance(hostname="exec-1", **values)
    instance.load = capacity.Load()
    assert overview.standing(instance) == expected


@pytest.mark.parametrize(
    ("node_type", "capacity_told", "impact", "controlled", "expected"),
    [
        ("execution", 10, 10, 0, Standing.READY),
        ("execution", 10, 11, 0, Standing.FAULT),
        ("control", 10, 0, 11, Standing.FAULT),
        ("control", 10, 99, 0, Standing.READY),  # control nodes run nothing
        ("hybrid", 10, 6, 5, Standing.FAULT),
        ("hop", 0, 5, 5, Standing.READY),
        ("execution", 0, 5, 0, Standing.READY),  # it is not known yet what it can carry
    ],
)
def test_a_node_with_more_than_it_can_carry_needs_attention(
    node_type: str, capacity_told: int, impact: int, controlled: int, expected: Standing
) -> None:
    instance = Instance(hostname="exec-1", node_type=node_type, node_state="ready", capacity=capacity_told)
    instance.load = capacity.Load(impact=impact, jobs_controlled=controlled)
    assert overview.standing(instance) == expected


@pytest.fixture
def every_kind(admin: User) -> None:
    """Nodes of every type in every state, enabled or not, with and without errors, capacity and too much load."""
    for number, (kind, state, enabled, errors, load) in enumerate(
        product(NodeType.values, State.values, (True, False), ("", "disk full"), ("none", "full", "over", "of nothing"))
    ):
        own = node(
            f"node-{number}",
            kind,
            node_state=state,
            enabled=enabled,
            errors=errors,
            capacity=0 if load == "of nothing" or kind == "hop" else 4,
        )
        taken = {"none": 0, "full": 4, "over": 5, "of nothing": 5}[load]
        if taken and kind != "control":
            make_jobs(1, status="running", execution_node=own.hostname, task_impact=taken)
        elif taken:
            make_jobs(taken, status="running", execution_node="elsewhere", controller_node=own.hostname)


def test_every_page_counts_the_same_nodes_as_needing_attention(every_kind: None, admin: User) -> None:
    """The tiles, the table's filter, the administration's overview and its list."""
    client = browser_of(admin)
    tiles = client.get("/").context["total"].standings
    figures = {figure.label: figure for figure in client.get("/admin/").context["figures"]}
    for each in Standing:
        assert tiles[each] > 0
        assert client.get(f"/?state={each}").context["page"].paginator.count == tiles[each]
        figure = figures[each.label.lower()]
        assert figure.number == tiles[each]
        assert client.get(figure.url).context["cl"].result_count == tiles[each]


@pytest.mark.slow
def test_no_node_without_capacity_is_shown_as_overloaded(every_kind: None, admin: User) -> None:
    """Whatever the reason is, its load is told plainly; who has too much of it is shown red in both places."""
    client = browser_of(admin)
    for own in Instance.objects.with_load().filter(errors="", node_type__in=("control", "execution", "hop")):
        page = text(client, f"/nodes/{own.pk}/")
        is_over = own.capacity > 0 and own.consumed_capacity > own.capacity
        assert ("bar-over" in page) == is_over
        assert ("more than the capacity" in page) == is_over
        assert ("over capacity" in page) == is_over
        if own.capacity == 0 and own.node_type != "hop":
            assert "still" in page or not own.consumed_capacity
            assert " of <span" not in page
            assert "in use; " in page
            assert own.enabled or ", disabled" in page


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"enabled": False}, "disabled"),
        ({"node_state": "unavailable"}, "unavailable"),
        ({"node_state": "unavailable", "enabled": False}, "unavailable, disabled"),
        ({"node_state": "installed", "cpu_capacity": 0, "mem_capacity": 0}, "installed, no capacity reported"),
        ({"cpu_capacity": 0, "mem_capacity": 0}, "no capacity reported"),
        ({}, "no capacity"),
        ({"node_type": "hop"}, "carries no jobs"),
    ],
)
def test_why_a_node_has_no_capacity_is_told(values: dict[str, Any], told: str, admin: User) -> None:
    own = node("exec-1", **{"capacity": 0, **values})
    make_jobs(3, status="running", execution_node="exec-1", task_impact=4)
    client = browser_of(admin)
    load = "" if own.node_type == "hop" else "12 still in use; "
    assert f'<span class="none">{load}{told}</span>' in text(client)
    if load:
        page = text(client, f"/nodes/{own.pk}/")
        assert f'<span class="big">12</span> forks still in use; {told}</p>' in page
        assert f"12 in use; {told}" in text(client, "/admin/instances/instance/")


# --- the way there and back


QUERY = "?q=exec&sort=-used&open=execution&open=hop&state=ready"


def test_the_way_back_from_a_node_keeps_what_was_filtered_sorted_and_opened(admin: User) -> None:
    own, other = node("exec-1"), node("exec-2")
    link(own, other)
    client = browser_of(admin)
    for origin in ("/", f"/nodes/{other.pk}/"):
        assert f'href="/nodes/{own.pk}/{escape(QUERY)}"' in text(client, origin + QUERY)
    page = text(client, f"/nodes/{own.pk}/{QUERY}")
    assert f'<a href="/{escape(QUERY)}">Mesh</a>' in page
    assert '<a href="/">Mesh</a>' in text(client, f"/nodes/{own.pk}/")


def test_logging_in_leads_back_to_where_one_was(admin: User, settings: Settings) -> None:
    admin.set_password("admin")
    admin.save()
    own = node("exec-1")
    client = Client()
    there = f"/{QUERY}"
    login = re.search(r'class="button" href="([^"]+)"', text(client, there))
    assert login
    for address, login_page in (
        (there, unescape(login[1])),
        (f"/nodes/{own.pk}/{QUERY}", client.get(f"/nodes/{own.pk}/{QUERY}")["Location"]),
    ):
        asked = client.get(login_page).context["next"]
        answer = client.post("/api/login/", {"username": "admin", "password": "admin", "next": asked})
        assert (answer.status_code, answer["Location"]) == (302, address)
        client.logout()


@pytest.mark.parametrize("path", ["/", f"/{QUERY}", "/nodes/{pk}/", "/nodes/0/", "/api/v2/?format=api"])
def test_logging_out_ends_on_a_page_for_people(path: str, admin: User) -> None:
    own = node("exec-1")
    client = browser_of(admin)
    page = client.get(path.format(pk=own.pk), headers={"Accept": BROWSER}).content.decode()
    link_out = re.search(r'href="([^"]+)">Log out</a>', page)
    assert link_out
    left = client.get(unescape(link_out[1]), headers={"Accept": BROWSER}, follow=True)
    assert left["Content-Type"].startswith("text/html")
    assert not left.wsgi_request.user.is_authenticated
    assert "Log in" in left.content.decode()


def test_a_click_on_a_total_leads_to_the_table(admin: User) -> None:
    """Without scripts, too: the heading of the table, below which the count is, is what the address names."""
    node("exec-1")
    page = text(browser_of(admin))
    totals = page[page.index('id="totals"') : page.index("</section>")]
    links = re.findall(r'<a href="([^"]*)"', totals)
    assert len(links) == totals.count('class="card')
    assert all(each.startswith("?") and each.endswith("#nodes") for each in links)
    assert 'action="#nodes"' in page


def test_totals(admin: User) -> None:
    node("control-1", "control")
    node("exec-1")
    node("hop-1", "hop", node_state="unavailable")
    make_jobs(2, status="running", execution_node="exec-1", controller_node="control-1", task_impact=5)
    told = browser_of(admin).get("/").context["total"]
    assert (told.nodes, told.capacity, told.consumed, told.jobs_running) == (3, 162, 12, 2)
    assert told.percent_used == 7.41
    assert told.standings == {Standing.READY: 2, Standing.FAULT: 1}


def test_a_node_s_page_says_why_it_is_in_its_state(admin: User) -> None:
    lost = node("exec-1", node_state="unavailable", errors="disk full", last_seen=timezone.now() - timedelta(hours=3))
    page = text(browser_of(admin), f"/nodes/{lost.pk}/")
    for told in (
        "It was lost or has errors",
        "disk full",
        "Is it seen?",
        "3 h ago",
        f"{lost.last_seen:%Y-%m-%d %H:%M}",
    ):
        assert told in page


# --- a mirror


def test_a_mirror_says_of_what_and_how_old(admin: User, bob: User, settings: Settings) -> None:
    settings.MIRROR_STALE_AFTER = 60
    now = timezone.now()
    Mirror.objects.create(
        url="https://awx.example.org", version="24.6.1", began=now - timedelta(seconds=7), finished=now
    )
    page = text(browser_of(admin))
    assert "https://awx.example.org" in page
    assert "24.6.1" in page
    assert "7 s ago" in page
    assert "Out of date" not in page
    assert "awx.example.org" not in text(browser_of(bob))
    Mirror.objects.update(began=now - timedelta(hours=1))
    assert "Out of date" in text(browser_of(bob))


@pytest.mark.parametrize("is_staff", [True, False])
def test_a_mirror_says_how_many_records_are_left_out_and_where_they_are_named(
    is_staff: bool, auditor: User, bob: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    User.objects.filter(pk=auditor.pk).update(is_staff=is_staff)
    now = timezone.now()
    Mirror.objects.create(url="https://awx.example.org", version="24.6.1", began=now, finished=now)
    auditors, bobs = browser_of(auditor), browser_of(bob)
    assert "left out" not in text(auditors)
    Mirror.objects.update(left_out={"links": 2, "jobs": 1, "all jobs": 3})
    LeftOutJob.objects.bulk_create(LeftOutJob(pk=pk, ended=pk != 1) for pk in (1, 2, 3))
    with django_assert_num_queries(SESSION + 5):
        page = text(auditors)
    assert "5 records of the mirrored AWX are left out here" in page
    where = "/admin/instances/mirror/1/change/" if is_staff else "/api/fleet/v1/mirror/"
    assert f'<a href="{where}">' in page
    assert auditors.get(where).status_code == 200
    assert "left out" not in text(bobs)


# --- words


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s ago"),
        (-2, "0 s ago"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (7200, "2 h ago"),
        (86400, "1 day ago"),
        (200000, "2 days ago"),
        (70000000, "2 years ago"),
        (-125, "in 2 min"),
    ],
)
def test_times_in_words(seconds: float, expected: str) -> None:
    assert ago(timezone.now() - timedelta(seconds=seconds + 0.2 * (seconds > 0))) == expected
    assert ago(None) == "never"


def test_numbers_in_words() -> None:
    assert gibibytes(8 * 2**30) == "8 GiB"
    assert gibibytes(3344682261) == "3.1 GiB"
    assert [plain(Decimal(number)) for number in ("4.0", "2.50", "100", "0.0")] == ["4", "2.5", "100", "0"]
    assert natural("a10") > natural("a9")
