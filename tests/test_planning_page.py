"""The planning pages: they show what the domain answers for the choices in the address, and change nothing."""

import re
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from fleet.pages.planning_forms import MOST_CHOSEN, MOST_ROWS, NOT_THERE
from fleet.pages.what_if_page import MOST_LISTED
from instances.models import Instance, InstanceGroup, UnifiedJob, User
from instances.planning.changes import Change, NewNode
from instances.planning.fit_on_mesh import fit_of_job, fit_of_workload
from instances.planning.placement import Workload
from instances.planning.what_if import what_if
from tests.make import make_jobs
from tests.mesh import link, node
from tests.test_pages import SCRIPT, SESSION, browser_of, text

pytestmark = pytest.mark.django_db
LONGEST_ADDRESS = 8_000  # bytes, which proxies take
ROW = {"add-0-number": "2", "add-0-node_type": "execution", "add-0-cpu": "8", "add-0-memory": "16"}


class Page(HTMLParser):
    """What a browser would send of the forms of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.controls: list[tuple[str, str]] = []
        self.select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        name = values.get("name", "")
        if tag == "select":
            self.select = name
        elif tag == "option" and "selected" in values:
            self.controls.append((self.select, values["value"]))
        elif tag == "input" and name and (values.get("type") != "checkbox" or "checked" in values):
            self.controls.append((name, values.get("value", "")))


@pytest.fixture
def root(admin: User) -> Client:
    return browser_of(admin)


@pytest.fixture
def mesh(db: None) -> list[Instance]:
    """A control node, three execution nodes behind a hop, and two groups, of which one is short of nodes."""
    control, hop = node("control-1", "control"), node("hop-1", "hop")
    nodes = [node(f"exec-{number}") for number in range(3)]
    link(control, hop)
    for each in nodes:
        link(hop, each)
    edge = InstanceGroup.objects.create(name="edge", policy_instance_minimum=2)
    edge.instances.set(nodes[:2])
    InstanceGroup.objects.create(name="spare").instances.set(nodes[2:])
    InstanceGroup.objects.create(name="pods", is_container_group=True)
    make_jobs(3, status="running", execution_node="exec-0", controller_node="control-1", task_impact=30)
    return [control, hop, *nodes]


def pk_of(name: str) -> int:
    found = Instance.objects.filter(hostname=name).first() or InstanceGroup.objects.get(name=name)
    return found.pk


def plan(client: Client, query: Any, status: int = 200) -> Any:
    answer = client.get(f"/planning/?{urlencode(query, doseq=True)}")
    assert answer.status_code == status
    return answer


# --- what if

PLANS: list[tuple[dict[str, Any], Change]] = [
    ({"remove": ["exec-0"]}, Change(remove=["exec-0"])),
    ({"remove": ["hop-1", "exec-1"], "disable": ["exec-0"]}, Change(remove=["exec-1", "hop-1"], disable=["exec-0"])),
    ({"remove_members": ["edge"]}, Change(remove=["exec-0", "exec-1"])),
    ({"disable_members": ["edge", "spare"]}, Change(disable=["exec-0", "exec-1", "exec-2"])),
    ({"remove_members": ["edge"], "disable": ["exec-0"]}, Change(remove=["exec-1"], disable=["exec-0"])),
    ({"disable_members": ["edge"], "remove": ["exec-0"]}, Change(remove=["exec-0"], disable=["exec-1"])),
    ({**ROW}, Change(add=[NewNode(cpu=Decimal(8), memory=16 * 2**30)] * 2)),
    (
        {**ROW, "add-0-number": "1", "add-0-groups": ["edge", "spare"], "add-0-memory": "0.5"},
        Change(add=[NewNode(cpu=Decimal(8), memory=2**29, groups=["edge", "spare"])]),
    ),
    (
        {"policy-0-group": "spare", "policy-0-policy_instance_minimum": "3"},
        Change(policies={"spare": {"policy_instance_minimum": 3}}),
    ),
    (
        {"policy-0-group": "edge", "policy-0-policy_instance_percentage": "0"},
        Change(policies={"edge": {"policy_instance_percentage": 0}}),
    ),
    (
        {
            "policy-TOTAL_FORMS": "2",
            "policy-0-group": "spare",
            "policy-0-policy_instance_minimum": "3",
            "policy-1-group": "spare",
            "policy-1-policy_instance_percentage": "0",
        },
        Change(policies={"spare": {"policy_instance_minimum": 3, "policy_instance_percentage": 0}}),
    ),
    ({"capacity_adjustment": "0.5"}, Change(capacity_adjustment=Decimal("0.5"))),
]
NAMING = re.compile("(remove|disable)(_members)?|add-0-groups|policy-[01]-group")


def by_ids(query: dict[str, Any]) -> dict[str, Any]:
    """The query with the ids of the records that are named."""
    names = {name: [value] if isinstance(value, str) else value for name, value in query.items()}
    return {name: [*map(pk_of, value)] if NAMING.fullmatch(name) else value for name, value in names.items()}


@pytest.mark.parametrize(("query", "change"), PLANS, ids=[str(query) for query, _ in PLANS])
def test_a_plan_is_what_the_domain_answers(
    query: dict[str, Any], change: Change, root: Client, admin: User, mesh: list[Instance]
) -> None:
    answer = plan(root, by_ids(query))
    expected = what_if(admin.reader, change)
    assert answer.context["outcome"] == expected
    page = answer.content.decode()
    for sentence in expected.in_words:
        assert f"<li>{sentence}</li>" in page
    assert ("The mesh would carry it" in page) == expected.carries


def test_what_gets_worse_is_in_words(root: Client, mesh: list[Instance]) -> None:
    answer = plan(root, {"remove": pk_of("exec-0"), "disable": pk_of("exec-1")})
    page = answer.content.decode()
    assert "It would not suffice" in page
    (edge,) = (group for group in answer.context["outcome"].groups if group.name == "edge")
    assert edge.after.missing_now > 0
    assert f'<strong class="worse">lacks {edge.after.missing_now} now</strong>' in page
    assert f"{edge.before.capacity} \u2192 {edge.after.capacity}</td>" in page
    query = by_ids({"policy-0-group": "edge", "policy-0-policy_instance_minimum": "0"})
    assert '<strong class="worse">no capacity left</strong>' in plan(root, query).content.decode()
    page = plan(root, {"remove": pk_of("hop-1")}).content.decode()
    assert page.index("Nodes that would be cut off") < page.index('<bdi dir="ltr">exec-0</bdi>')


def test_a_window_is_compared_too(root: Client, admin: User, mesh: list[Instance]) -> None:
    now = timezone.now()
    UnifiedJob.objects.update(created=now - timedelta(days=9), started=now - timedelta(hours=6))
    answer = plan(root, {"remove": pk_of("exec-1"), "over": "12h"})
    outcome = answer.context["outcome"]
    assert outcome.window.jobs == 3
    assert outcome.fleet.after.load.peak == 93
    page = answer.content.decode()
    assert "p50, p95, peak" in page
    assert f"{outcome.fleet.after.load.p50}, {outcome.fleet.after.load.p95}, 93" in page
    assert "p50" not in plan(root, {"remove": pk_of("exec-1")}).content.decode()


def test_without_a_choice_nothing_is_computed(root: Client, mesh: list[Instance]) -> None:
    for query in ("", "?q=exec", "?add-TOTAL_FORMS=1&add-0-number=1&add-0-node_type=execution&policy-TOTAL_FORMS=1"):
        answer = root.get(f"/planning/{query}")
        assert answer.context["outcome"] is None
        assert "cannot be computed" not in answer.content.decode()
        assert "Choose what would change" in answer.content.decode()


# --- errors


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"remove": "999999"}, NOT_THERE),
        ({"remove": "x"}, NOT_THERE),
        ({"disable_members": "999999"}, NOT_THERE),
        ({"of": "999999"}, "Select a valid choice."),
        ({**ROW, "add-0-cpu": "-1"}, "greater than or equal to 0.1"),
        ({**ROW, "add-0-cpu": ""}, "This field is required."),
        ({**ROW, "add-0-memory": "much"}, "Enter a number."),
        ({**ROW, "add-0-number": "101"}, "less than or equal to 100"),
        ({**ROW, "add-0-node_type": "chair"}, "Select a valid choice."),
        ({**ROW, "add-0-groups": "999999"}, NOT_THERE),
        ({"policy-0-policy_instance_minimum": "1"}, "Choose a group."),
        ({"capacity_adjustment": "1.5"}, "less than or equal to 1"),
        ({"over": "yesterday"}, "Name a time that is past"),
        ({"over": "52w"}, "choose a window that begins later"),
        ({**ROW, "add-0-number": "1", "add-0-node_type": "hop", "add-0-groups": "{edge}"}, "hop"),
        ({"q": "x" * 251}, "at most 250 characters"),
        ({"q": "a\0b"}, "Null characters are not allowed."),
    ],
)
def test_an_error_is_shown_and_what_was_chosen_stays(
    query: dict[str, str], reason: str, root: Client, mesh: list[Instance]
) -> None:
    query = {name: value.format(edge=pk_of("edge")) for name, value in query.items()}
    answer = plan(root, {"disable": pk_of("exec-2"), **query})
    page = answer.content.decode()
    assert answer.context["outcome"] is None
    errors = re.findall(r'<p class="errorlist"[^>]*>(.*?)</p>', page)
    assert any(reason in each for each in errors), errors
    assert "The plan cannot be computed" in page
    sent = dict(Page(page).controls)
    assert sent["disable"] == str(pk_of("exec-2"))
    for name in ("add-0-cpu", "add-0-memory", "over", "capacity_adjustment", "policy-0-policy_instance_minimum"):
        assert sent[name] == query.get(name, "")


@pytest.mark.parametrize(
    "query",
    [
        *("add-TOTAL_FORMS=x", "add-TOTAL_FORMS=-1", "add-TOTAL_FORMS=99999999", "policy-TOTAL_FORMS=\u0663"),
        *("remove=\u0663", f"remove={10**40}", "remove=", "of=x", "add-INITIAL_FORMS=7", "more=nothing"),
        *("add-0-number=\u0663&over=%00", "count=x&group=&impact=%00", "job=", "job=%00", "job=1&job=2"),
    ],
)
def test_no_address_is_a_failure(query: str, root: Client, mesh: list[Instance]) -> None:
    assert root.get(f"/planning/?{query}").status_code == 200
    assert root.get(f"/planning/fit/?{query}&kind=job").status_code == 200


def test_more_nodes_than_an_address_has_room_for_are_refused(root: Client) -> None:
    first = 10**12  # ids longer than any that a mesh will have for long
    number = MOST_CHOSEN + 1
    Instance.objects.bulk_create(Instance(pk=first + each, hostname=f"exec-{each}") for each in range(number))
    chosen = [first + each for each in range(number)]
    assert "Choose at most 400 nodes one by one" in plan(root, {"remove": chosen}).content.decode()
    answer = plan(root, {"remove": chosen[:200], "disable": chosen[200:400], "q": "x"})
    assert len(answer.context["outcome"].fleet.after.members) == 201


def test_an_address_with_as_many_nodes_as_may_be_chosen_goes_through_proxies(root: Client) -> None:
    first = 1_000_000
    Instance.objects.bulk_create(Instance(pk=first + each, hostname=f"exec-{each}") for each in range(MOST_CHOSEN))
    answer = plan(root, {"disable": [first + each for each in range(MOST_CHOSEN)]})
    sent = Page(answer.content.decode()).controls
    assert len([name for name, _ in sent if name == "disable"]) == MOST_CHOSEN
    assert len(urlencode(sent)) < LONGEST_ADDRESS


# --- choosing


def test_a_row_more_keeps_what_was_typed(root: Client, mesh: list[Instance]) -> None:
    query = {**ROW, "add-0-cpu": "x", "add-TOTAL_FORMS": "1", "remove": str(pk_of("exec-0")), "more": "add"}
    sent = dict(Page(plan(root, query).content.decode()).controls)
    assert sent["add-TOTAL_FORMS"] == "2"
    assert (sent["add-0-cpu"], sent["add-0-memory"], sent["remove"]) == ("x", "16", query["remove"])
    assert sent["add-1-number"] == "1"
    sent = dict(Page(plan(root, {**sent, "more": "policy"}).content.decode()).controls)
    assert (sent["add-TOTAL_FORMS"], sent["policy-TOTAL_FORMS"]) == ("2", "2")
    most = plan(root, {"add-TOTAL_FORMS": str(MOST_ROWS), "more": "add"}).content.decode()
    assert dict(Page(most).controls)["add-TOTAL_FORMS"] == str(MOST_ROWS)


def test_a_plan_that_is_sent_again_is_the_same_plan(root: Client, mesh: list[Instance]) -> None:
    query = by_ids({"remove": ["exec-0"], "disable_members": ["spare"], **ROW, "add-0-groups": ["edge"]})
    first = plan(root, query)
    again = plan(root, Page(first.content.decode()).controls)
    assert again.context["outcome"] == first.context["outcome"] is not None


def listed(answer: Any) -> list[str]:
    return [choice.record.hostname for choice in answer.context["node_choices"]]


def test_the_list_is_filtered_and_has_what_is_chosen(root: Client, mesh: list[Instance]) -> None:
    assert listed(plan(root, {"q": "HOP"})) == ["hop-1"]
    assert listed(plan(root, {"q": "hop", "remove": pk_of("exec-2")})) == ["exec-2", "hop-1"]
    assert listed(plan(root, {"of": pk_of("edge")})) == ["exec-0", "exec-1"]
    assert listed(plan(root, {"of": pk_of("edge"), "q": "1"})) == ["exec-1"]
    groups = plan(root, {"q": "spa"}).context["group_choices"]
    assert [(each.record.name, each.number) for each in groups] == [("spare", 1)]


def test_a_long_list_is_cut_and_says_so(root: Client) -> None:
    Instance.objects.bulk_create(Instance(hostname=f"exec-{each}") for each in range(MOST_LISTED + 5))
    last = pk_of(f"exec-{MOST_LISTED + 4}")
    answer = plan(root, {"remove": last})
    assert listed(answer)[0] == f"exec-{MOST_LISTED + 4}"
    assert f"{MOST_LISTED + 1} of {MOST_LISTED + 5} nodes shown. Filter" in answer.content.decode()


# --- who sees what


def test_a_plan_is_made_with_what_the_user_sees(bob: User, edge: InstanceGroup) -> None:
    hidden = node("exec-2")
    other = InstanceGroup.objects.create(name="other group")
    other.instances.add(hidden)
    client, own = browser_of(bob), edge.instances.get()
    page = plan(client, {"disable": own.pk}).content.decode()
    for path in ("/planning/", "/planning/fit/", "/planning/drains/"):
        page += text(client, path)
    assert "exec-1" in page
    assert "exec-2" not in page
    assert "other group" not in page
    for query in ({"remove": hidden.pk}, {"remove_members": other.pk}, {**ROW, "add-0-groups": other.pk}):
        answer = plan(client, query)
        missing = plan(
            client,
            {
                name: 999_999 if name in ("remove", "remove_members", "add-0-groups") else value
                for name, value in query.items()
            },
        )
        assert NOT_THERE in answer.content.decode()
        assert "exec-2" not in answer.content.decode()
        assert answer.context["outcome"] is missing.context["outcome"] is None
    for value in (hidden.pk, other.pk):
        assert "is not one of the available choices" in plan(client, {"of": value}).content.decode() or value == edge.pk


@pytest.mark.parametrize("path", ["/planning/", "/planning/fit/", "/planning/drains/"])
def test_the_pages_are_for_users_to_read(path: str, alice: User) -> None:
    assert Client().get(path)["Location"] == f"/api/login/?next={path}"
    assert browser_of(alice).post(path).status_code == 405
    assert "no-store" in browser_of(alice).get(path)["Cache-Control"]
    assert f'href="{path}"' in text(browser_of(alice), path)
    assert 'href="/planning/"' in text(browser_of(alice))
    assert 'href="/planning/"' not in text(Client())


def test_a_plan_writes_nothing_but_the_session(root: Client, mesh: list[Instance]) -> None:
    query = by_ids({"remove": ["exec-0"], **ROW, "policy-0-group": "spare", "policy-0-policy_instance_minimum": "3"})
    with CaptureQueriesContext(connection) as done:
        assert plan(root, query).context["outcome"] is not None
        root.get(f"/planning/fit/?impact=3&group={pk_of('edge')}")
    written = {each["sql"] for each in done if re.match("(INSERT|UPDATE|DELETE)", each["sql"])}
    assert all("django_session" in sql for sql in written)


# --- would it run


def fit(client: Client, query: Any) -> Any:
    answer = client.get(f"/planning/fit/?{urlencode(query, doseq=True)}")
    assert answer.status_code == 200
    return answer


@pytest.mark.parametrize(
    ("query", "workload", "count", "groups"),
    [
        ({"forks": "5", "hosts": "3"}, Workload("job", 4), 1, ["edge"]),
        ({"impact": "60", "count": "2"}, Workload("job", 60), 2, ["edge", "spare"]),
        ({"impact": "60", "count": "2"}, Workload("job", 60), 2, ["spare", "edge"]),
        ({"impact": "500"}, Workload("job", 500), 1, ["edge", "pods"]),
        ({"kind": "project_update"}, Workload("project_update", 1), 1, []),
        ({"kind": "workflow_job"}, Workload("workflow_job", 0), 1, ["edge"]),
    ],
)
def test_the_fit_is_what_the_domain_answers(
    query: dict[str, str], workload: Workload, count: int, groups: list[str], root: Client, admin: User, mesh: Any
) -> None:
    InstanceGroup.objects.create(name="controlplane").instances.set(mesh[:1])
    chosen = ["", *map(pk_of, groups), ""]  # gaps between the choices do not matter
    answer = fit(root, {"kind": "job", "count": "1", **query, "group": chosen})
    expected = fit_of_workload(admin.reader, workload, count, groups)
    assert answer.context["answer"] == expected
    page = answer.content.decode()
    assert ("Yes: it would run now" in page, "No: it would not run now" in page) == (expected.fits, not expected.fits)
    for group in expected.groups:
        for obstacle in [*group.in_the_way, *(each for row in group.nodes for each in row.in_the_way)]:
            assert obstacle.message in page
    selected = [value for name, value in Page(page).controls if name == "group" and value]
    assert selected == [str(pk_of(name)) for name in groups]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({}, "Enter the forks and the hosts, or the impact."),
        ({"impact": "5", "forks": "5"}, "Leave this empty where forks or hosts are given."),
        ({"impact": "0"}, "greater than or equal to 1"),
        ({"impact": "5", "count": "1001"}, "less than or equal to 1000"),
        ({"impact": "5", "kind": "chair"}, "Select a valid choice."),
        ({"impact": "5", "group": "999999"}, NOT_THERE),
        ({"impact": "5"}, "No group is named default."),
    ],
)
def test_an_error_of_a_fit_is_shown_and_what_was_typed_stays(
    query: dict[str, str], reason: str, root: Client, mesh: Any
) -> None:
    answer = fit(root, {"kind": "job", "count": "1", **query})
    page = answer.content.decode()
    assert answer.context["answer"] is None
    assert reason in page
    sent = dict(Page(page).controls)
    assert (sent["impact"], sent["forks"]) == (query.get("impact", ""), query.get("forks", ""))


def test_why_a_job_waits(root: Client, admin: User, alice: User, mesh: Any) -> None:
    edge = InstanceGroup.objects.get(name="edge")
    (job,) = make_jobs(1, status="pending", task_impact=500, instance_group=edge)
    answer = fit(root, {"job": job.pk})
    assert answer.context["answer"] == fit_of_job(admin.reader, job.pk)
    assert f"Job {job.pk} is pending." in answer.content.decode()
    for client, pk in ((root, 999_999), (browser_of(alice), job.pk)):
        page = fit(client, {"job": pk}).content.decode()
        assert "No job has this id, or you may not see it." in page
        assert f'value="{pk}"' in page
    assert "Ensure this value" in fit(root, {"job": 10**30}).content.decode()


# --- what it costs, and what is text


@pytest.mark.parametrize("number", [1, 30])
def test_a_plan_costs_the_same_for_any_mesh(
    number: int, root: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The mirror, nodes, groups and members to choose from; and what the domain reads: the same again and the links,
    for a window also whether there is a mirror, the first job, and the jobs, in a transaction with more time.

    A fit: the mirror, the groups, and what the domain reads.
    """
    hop = node("hop-1", "hop")
    nodes = [node(f"exec-{each}") for each in range(number)]
    for each in nodes:
        link(hop, each)
        InstanceGroup.objects.create(name=f"group-{each.pk}").instances.set(nodes)
        make_jobs(1, status="running", execution_node=each.hostname, created=timezone.now() - timedelta(days=9))
    query = urlencode({"remove": [each.pk for each in nodes], "more": "add"}, doseq=True)
    groups = urlencode({"group": list(InstanceGroup.objects.values_list("pk", flat=True))}, doseq=True)
    for path, queries in (
        ("/planning/", 4),
        (f"/planning/?{query}", 8),
        (f"/planning/?{query}&over=7d", 14),
        ("/planning/fit/", 2),
        (f"/planning/fit/?kind=job&impact=5&count=3&{groups}", 5),
    ):
        with django_assert_num_queries(SESSION + queries):
            assert root.get(path).status_code == 200


def test_names_are_text(root: Client, admin: User) -> None:
    own = node(SCRIPT)
    group = InstanceGroup.objects.create(name=SCRIPT)
    group.instances.add(own)
    plan_page = plan(root, {"remove": own.pk, "q": SCRIPT, "over": SCRIPT}).content.decode()
    outcome_page = plan(root, {"disable": own.pk}).content.decode()
    fit_page = fit(root, {"kind": "job", "count": "3", "impact": "10", "group": group.pk}).content.decode()
    for page in (plan_page, outcome_page, fit_page):
        assert SCRIPT not in page
        assert "&lt;script&gt;" in page
        assert " style=" not in page
        assert "<script>" not in page
