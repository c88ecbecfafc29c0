"""The administration: what it shows to whom, and that it asks the same rules as the API."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.forms import BaseForm
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from oauth2_provider.models import AccessToken
from procrastinate.contrib.django.models import ProcrastinateJob

from instances import drains, lifecycle, node_tokens, removals, tasks, tokens
from instances.addresses import address_to_link, peers_of
from instances.admin.nodes import InstanceAdmin
from instances.drains import DrainPlan
from instances.locking import StaleError
from instances.mirror import guard
from instances.models import (
    Instance,
    InstanceGroup,
    InstanceGroupRole,
    InstanceLink,
    MeshInspection,
    Mirror,
    NodeHealth,
    NodeToken,
    ReceptorAddress,
    UnifiedJob,
    User,
)
from tests.conftest import client_of, speaking
from tests.make import change_node, make_jobs, make_link, make_node

pytestmark = pytest.mark.django_db

MOST_QUERIES = 15
HOSTILE = "<script>alert(1)</script>\"'&\u202edlrow"
INDEX = "/admin/"
NODES = "/admin/instances/instance/"
LINKS = "/admin/instances/instancelink/"
ADDRESSES = "/admin/instances/receptoraddress/"
GROUPS = "/admin/instances/instancegroup/"
JOBS = "/admin/instances/unifiedjob/"
USERS = "/admin/instances/user/"
TOKENS = "/admin/oauth2_provider/accesstoken/"
NODE_TOKENS = "/admin/instances/nodetoken/"
QUEUE = "/admin/procrastinate/procrastinatejob/"
MIRROR = "/admin/instances/mirror/"
LOOKS = "/admin/instances/meshinspection/"
DRAINS = "/admin/instances/drain/"
LISTS = [NODES, ADDRESSES, LINKS, GROUPS, JOBS, USERS, TOKENS, NODE_TOKENS, QUEUE, MIRROR, LOOKS, DRAINS]


# --- who


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def root(admin: User) -> Client:
    """The browser of a superuser."""
    return browser_of(admin)


@pytest.fixture
def watcher(auditor: User) -> Client:
    """The browser of a system auditor who is staff."""
    User.objects.filter(pk=auditor.pk).update(is_staff=True)
    return browser_of(auditor)


@pytest.fixture
def newcomer(alice: User) -> Client:
    """The browser of somebody who is staff and has no right."""
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    return browser_of(alice)


@pytest.fixture
def keeper(edge: InstanceGroup) -> Client:
    """The browser of somebody who is staff and administers the group ``edge``."""
    user = User.objects.create_user("keeper", is_staff=True)
    InstanceGroupRole.objects.create(user=user, instance_group=edge, role="admin_role")
    return browser_of(user)


@pytest.fixture
def mirror(db: None) -> Mirror:
    """This service mirrors another one, with the database's own refusals."""
    now = timezone.now()
    return Mirror.objects.create(url="https://awx.example.org", version="23.6.0", began=now, finished=now, every=30)


# --- what a browser does


def shown(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content, "utf-8")


def told(answer: Any) -> list[str]:
    """The messages after this answer."""
    return [str(message) for message in get_messages(answer.wsgi_request)]


def filled(form: BaseForm) -> dict[str, Any]:
    """What a browser sends of a form that nobody changed."""
    data: dict[str, Any] = {}
    for bound in form:
        pairs = [(bound.html_name, bound.field.widget)]
        if bound.field.show_hidden_initial:
            pairs.append((bound.html_initial_name, bound.field.hidden_widget()))
        for name, widget in pairs:
            value = bound.value()
            value = [getattr(one, "pk", one) for one in value] if isinstance(value, list) and name else value
            if isinstance(value, list) and "Textarea" in (type(widget).__name__, type(bound.field.widget).__name__):
                value = "\n".join(map(str, value))
            if value is not None and not (value is False and name == bound.html_name):
                data[name] = value
    return data


def form_at(browser: Client, path: str) -> dict[str, Any]:
    """What a browser sends of the unchanged form at ``path``."""
    context = browser.get(path).context
    data = filled(context["adminform"].form)
    for inline in context["inline_admin_formsets"]:
        data |= filled(inline.formset.management_form)
        for form in inline.formset.forms:
            data |= filled(form)
    return data


def change(browser: Client, path: str, **changes: Any) -> Any:
    """Send the form at ``path`` with these changes; None takes a value away, as unchecking a box does."""
    data = form_at(browser, path) | changes
    return browser.post(path, {name: value for name, value in data.items() if value is not None})


def act(browser: Client, path: str, action: str, *records: Any, **more: Any) -> Any:
    chosen = [str(record.pk) for record in records]
    return browser.post(path, {"action": action, "_selected_action": chosen, "select_across": "0", **more})


def history(record: Any) -> list[str]:
    entries = LogEntry.objects.filter(object_id=str(record.pk)).order_by("pk")
    return [entry.get_change_message() for entry in entries]


def node(hostname: str, **fields: Any) -> Instance:
    return make_node(hostname, **{"node_type": "execution", **fields})


def page_of(record: Any) -> str:
    meta = record._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[record.pk])


# --- the first page


def test_the_first_page_begins_with_what_is_wrong(root: Client) -> None:
    node("exec-1", errors="broken")
    node("exec-2", node_state="unavailable")
    lost = node("exec-3", enabled=False)
    NodeHealth.objects.create(instance=lost, lost_since=timezone.now())
    page = root.get(INDEX)
    numbers = {figure.label: figure.number for figure in page.context["figures"]}
    assert numbers == {"nodes": 3, "needs attention": 2, "disabled": 1, "ready": 0, "lost": 1}
    assert "No worker is running" in shown(page)
    for figure in page.context["figures"]:
        assert root.get(figure.url).context["cl"].result_count == figure.number


@pytest.mark.parametrize("path", LISTS)
def test_an_empty_list_says_what_is_so(path: str, root: Client, mirror: Mirror) -> None:
    """Neither a list without records nor one in which nothing matches is called complete."""
    if path not in (MIRROR, USERS):
        page = shown(root.get(path))
        assert "There are no " in page
        assert "All records are shown" not in page
    answer = root.get(path, {"q": "Backup"} if path not in (QUEUE, MIRROR, LOOKS) else {}, follow=True)
    if path not in (QUEUE, MIRROR, LOOKS):
        assert re.search(r"No [a-z ]+ match\.", shown(answer))
        assert "All records are shown" not in shown(answer)


def test_a_list_of_jobs_says_what_its_search_finds(root: Client) -> None:
    make_jobs(1, name="Backup", status="running", execution_node="exec-1")
    page = shown(root.get(JOBS, {"q": "Backup"}))
    assert "No jobs match." in page
    assert "Search by: Job id or full hostname of the execution node." in page
    page = shown(root.get(JOBS))
    assert "All records are shown." in page
    assert "There are no" not in page


def test_background_jobs_are_filtered_by_every_task_there_is(root: Client) -> None:
    declared = set(re.findall(r'@app\.task\(name="([a-z_]+)"', Path(tasks.__file__).read_text(encoding="utf-8")))
    assert len(declared) >= 5
    offered = dict(root.get(QUEUE).context["cl"].filter_specs[1].lookup_choices)
    assert set(offered) == declared
    for task in declared:
        assert root.get(QUEUE, {"task": task}).status_code == 200


def test_every_page_leads_to_the_api_and_the_dashboard(root: Client) -> None:
    page = shown(root.get(INDEX))
    assert 'href="/api/docs/"' in page
    assert 'href="/"' in page


def test_what_keeps_tokens_or_jobs_around_the_rules_has_no_page(root: Client) -> None:
    pages = re.findall(r'href="(/admin/[a-z0-9_]+/[a-z]+/)"', shown(root.get(INDEX)))
    assert set(pages) == {*LISTS} - {MIRROR}


# --- lists


def test_a_list_tells_the_state_the_load_and_when_a_node_was_seen(root: Client) -> None:
    node("exec-1", capacity=10, last_seen=timezone.now() - timedelta(minutes=2, seconds=5), errors="no disk")
    make_jobs(2, execution_node="exec-1", status="running", task_impact=3)
    make_jobs(1, execution_node="exec-1")
    page = shown(root.get(NODES))
    assert 'value="6"' in page
    assert "6 of 10" in page
    assert "2 running<br>3 in total" in page
    assert "2 min ago" in page
    assert re.search(r"ago \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\)</time>", page)
    assert "no disk" in page
    assert "Ready" in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("node_type__exact=hop", ["hop-1"]),
        ("node_state__exact=unavailable", ["exec-2"]),
        ("enabled__exact=0", ["exec-3"]),
        ("sight=never", ["exec-3", "hop-1"]),
        ("sight=seen", ["exec-1"]),
        ("sight=lost", ["exec-2"]),
        ("with_errors=yes", ["exec-2"]),
        ("with_errors=no", ["exec-1", "exec-3", "hop-1"]),
        ("left=none", ["exec-3", "hop-1"]),
        ("left=low", ["exec-1"]),
        ("left=enough", ["exec-2"]),
        ("q=EXEC", ["exec-1", "exec-2", "exec-3"]),
        ("q=10.0.0.1", ["exec-1"]),
        ("sight=seen&with_errors=no&q=1", ["exec-1"]),
    ],
)
def test_nodes_are_found_by_what_operators_ask_for(query: str, found: list[str], root: Client) -> None:
    node("exec-1", capacity=10, last_seen=timezone.now(), ip_address="10.0.0.1")
    make_jobs(4, execution_node="exec-1", status="running", task_impact=2)
    lost = node("exec-2", capacity=10, node_state="unavailable", errors="gone", last_seen=timezone.now())
    NodeHealth.objects.create(instance=lost, lost_since=timezone.now())
    node("exec-3", capacity=0, enabled=False)
    node("hop-1", node_type="hop", capacity=0)
    assert [each.hostname for each in root.get(f"{NODES}?{query}").context["cl"].result_list] == found


def test_nodes_are_found_by_their_group(root: Client, edge: InstanceGroup) -> None:
    node("exec-2")
    assert [each.hostname for each in root.get(f"{NODES}?group={edge.pk}").context["cl"].result_list] == ["exec-1"]


@pytest.mark.parametrize(
    ("column", "falling"),
    [("shown_load", ["lost", "over", "full", "half", "idle", "off"]), ("jobs", ["half", "full"])],
)
def test_nodes_are_sorted_by_what_the_column_shows(column: str, falling: list[str], root: Client) -> None:
    node("half", capacity=100)
    make_jobs(5, execution_node="half", status="running", task_impact=10)
    node("full", capacity=10, node_type="hybrid")
    make_jobs(2, execution_node="full", controller_node="full", status="running", task_impact=4)
    node("over", capacity=1, node_type="control")
    make_jobs(2, controller_node="over", status="waiting")
    node("lost", capacity=0)
    make_jobs(1, execution_node="lost", status="running")
    node("idle", capacity=1000)
    node("off", capacity=0)
    number = InstanceAdmin.list_display.index(column) + 1
    rising, fallen = (
        [each.hostname for each in root.get(f"{NODES}?o={sign}{number}").context["cl"].result_list]
        for sign in ("", "-")
    )
    assert fallen[: len(falling)] == falling
    assert rising[-len(falling) :] == falling[::-1]


@pytest.mark.parametrize("query", ["sight=x", "left=x", "group=0", "group=x", "node_type__exact=\u202e", "p=x", "o=99"])
def test_a_filter_that_is_none_is_no_error(query: str, root: Client) -> None:
    assert root.get(f"{NODES}?{query}", follow=True).status_code == 200


@pytest.mark.parametrize("query", ["hostname__regex=((", "cpu__gt=1", "rampart_groups__name=edge", "user__password=x"])
def test_other_columns_cannot_be_asked_for(query: str, root: Client) -> None:
    assert root.get(f"{NODES}?{query}").status_code == 400


# --- what pages cost


def grow(admin: User, number: int) -> dict[str, str]:
    """Let there be so many records of each kind; the page of one of each."""
    now = timezone.now()
    hub, _ = Instance.objects.get_or_create(hostname="hub", node_type="hybrid")
    nodes = [
        make_node(f"node-{number}-{n}", node_type="execution", last_seen=now, listener_port=27199)
        for n in range(number)
    ]
    links = [pair for one in nodes for pair in ((one, hub), (hub, one))]
    InstanceLink.objects.bulk_create(
        InstanceLink(source=source, target=address_to_link(target)) for source, target in links
    )
    groups = InstanceGroup.objects.bulk_create(InstanceGroup(name=f"group-{number}-{n}") for n in range(number))
    groups[0].instances.set(nodes)
    nodes[0].rampart_groups.set(groups)
    users = User.objects.bulk_create(User(username=f"user-{number}-{n}") for n in range(number))
    pairs = {(user, groups[0]) for user in users} | {(users[0], group) for group in groups}
    InstanceGroupRole.objects.bulk_create(
        InstanceGroupRole(user=user, instance_group=group, role="use_role") for user, group in pairs
    )
    token = [tokens.issue(user)[0] for user in users].pop()
    for n in range(number):
        node_tokens.issue(nodes[0])
        MeshInspection.objects.create(inspector=f"c-{number}-{n}", began=now, watching_since=now)
    tasks.check_health(nodes)
    jobs = make_jobs(number, execution_node=nodes[0].hostname, status="running", instance_group=groups[0])
    drain, *_ = drains.begin([each.pk for each in nodes], DrainPlan("cables"), admin)
    LogEntry.objects.log_actions(admin.pk, [nodes[0]] * number, 2, change_message="Enabled.")
    found: list[Any] = [
        nodes[0],
        hub,
        InstanceLink.objects.first(),
        groups[0],
        jobs[0],
        users[0],
        token,
        drain,
    ]
    found += [NodeToken.objects.first(), ProcrastinateJob.objects.first()]
    return {f"{type(record).__name__} {record}"[:12]: page_of(record) for record in found}


FILTERED = [f"{NODES}?left=enough&sight=seen&with_errors=no&q=node", f"{JOBS}?activity=active"]
FORMS = [f"{path}add/" for path in (NODES, LINKS, GROUPS, USERS, TOKENS, NODE_TOKENS)]


def costs(browser: Client, pages: dict[str, str]) -> dict[str, int]:
    """How many queries each page takes."""
    found = {}
    for name, path in {**{path: path for path in (INDEX, *LISTS, *FILTERED, *FORMS)}, **pages}.items():
        with CaptureQueriesContext(connection) as asked:
            shown(browser.get(path))
        found[name] = len([query for query in asked if "SAVEPOINT" not in query["sql"]])
    return found


def test_a_page_costs_few_queries_and_no_more_where_there_are_more_records(root: Client, admin: User) -> None:
    pages = grow(admin, 1)
    costs(root, pages)  # what a process reads once
    few = costs(root, pages)
    many = costs(root, grow(admin, 100))
    assert max(many.values()) <= MOST_QUERIES, many
    assert list(many.values()) == list(few.values())


def test_jobs_are_neither_counted_nor_sorted_nor_skipped(root: Client) -> None:
    make_jobs(250)
    pages, path = [], JOBS
    while path:
        with CaptureQueriesContext(connection) as asked:
            cl = root.get(path).context["cl"]
        for query in asked:
            assert not re.search(r"COUNT\(|OFFSET", query["sql"])
        assert any('ORDER BY "instances_unifiedjob"."id" DESC LIMIT' in query["sql"] for query in asked)
        assert not any('"representation"' in query["sql"] for query in asked)
        pages.append([job.pk for job in cl.result_list])
        path = cl.older and JOBS + cl.older
    assert [len(page) for page in pages] == [100, 100, 50]
    pks = [pk for page in pages for pk in page]
    assert pks == sorted(pks, reverse=True)


@pytest.mark.parametrize("order", ["o=2", "o=-5.3", "q=exec-1&o=1"])
def test_jobs_keep_their_order_whatever_is_asked(order: str, root: Client) -> None:
    make_jobs(3, execution_node="exec-1")
    found = [job.pk for job in root.get(f"{JOBS}?{order}").context["cl"].result_list]
    assert found == sorted(found, reverse=True)
    assert len(found) == 3


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("q=exec-1", 2),
        ("q=exec", 0),
        ("q=99999999999999999999999", 0),
        ("activity=active", 1),
        ("activity=running", 1),
        ("activity=waiting", 0),
        ("execution_node=exec-2", 1),
    ],
)
def test_jobs_are_found_by_what_an_index_knows(query: str, number: int, root: Client) -> None:
    make_jobs(2, execution_node="exec-1")
    make_jobs(1, execution_node="exec-2", status="running")
    assert len(root.get(f"{JOBS}?{query}").context["cl"].result_list) == number


@pytest.mark.django_db(transaction=True)
def test_a_list_that_the_database_gives_up_is_told_so(root: Client) -> None:
    with psycopg.connect(connection.connection.info.dsn) as other, connection.cursor() as cursor:
        other.execute("LOCK TABLE instances_unifiedjob")
        cursor.execute("SET statement_timeout = 50")
        answer = root.get(f"{JOBS}?q=exec-1")
        cursor.execute("RESET statement_timeout")
    assert answer.status_code == 503
    assert "takes too long" in str(answer.content, "utf-8")


# --- what a page of a node tells


def test_the_page_of_a_node_says_why_it_is_as_it_is(root: Client, edge: InstanceGroup) -> None:
    exec_1 = edge.instances.get()
    hop = node("hop-1", node_type="hop", listener_port=27199)
    make_link(source=exec_1, target=hop)
    Instance.objects.filter(pk=exec_1.pk).update(errors="no disk", last_seen=timezone.now(), memory=2**33)
    NodeHealth.objects.create(instance=exec_1, check_outcome="NodeReportedErrors")
    page = shown(root.get(page_of(exec_1)))
    for expected in (
        "The node reported errors",
        "It was seen, or reported itself, and was not found lost since",
        "no disk",
        " s ago (",
        "8 GiB",
        f'<a href="{page_of(hop)}"><bdi>hop-1</bdi></a>',
        f'<a href="{page_of(edge)}"><bdi>edge</bdi></a>',
    ):
        assert expected in page


# --- the rules of the API, on forms


def errors_of(answer: Any) -> str:
    """What the form refuses; it was not saved."""
    assert answer.status_code == 200
    return str(answer.context["adminform"].form.errors.get_json_data()).replace("\\'", "'")


def test_a_change_of_a_node_is_what_the_api_would_do(root: Client) -> None:
    one = node("exec-1", cpu_capacity=10, mem_capacity=20, capacity=20)
    answer = change(root, page_of(one), capacity_adjustment="0.50")
    assert answer.status_code == 302
    one.refresh_from_db()
    assert (one.capacity_adjustment, one.capacity, one.enabled) == (0.5, 15, True)
    assert history(one) == ["Changed Capacity adjustment."]


def test_what_never_changes_does_not(root: Client) -> None:
    one = node("exec-1")
    change(root, page_of(one), hostname="x", node_type="hop", node_state="deprovisioning", capacity="7", enabled=None)
    one.refresh_from_db()
    assert (one.hostname, one.node_type, one.node_state, one.enabled) == ("exec-1", "execution", "ready", False)
    assert one.capacity == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"listener_port": 27200},
        {"listener_port": None},
        {"listener_port": 80},
        {"capacity_adjustment": "-1"},
        {"capacity_adjustment": "x"},
        {"peers": ["portless"]},
        {"peers": ["exec-1"]},
        {"peers_from_control_nodes": True, "listener_port": None},
    ],
)
def test_a_form_refuses_in_the_words_of_the_api(changes: dict[str, Any], admin: User, root: Client) -> None:
    one = node("exec-1", listener_port=27199)
    for target in (one, node("portless")):
        make_link(source=node(f"to {target}"), target=target)
    api = client_of(admin).patch(f"/api/v2/instances/{one.pk}/", changes, format="json")
    assert api.status_code == 400
    sent = dict(changes)
    if "peers" in sent:
        sent["peers"] = [ReceptorAddress.objects.get(address=name).pk for name in sent["peers"]]
    found = errors_of(change(root, page_of(one), **sent))
    said = [str(text).rstrip(".") for texts in api.json().values() for text in texts]
    different_words = {"A valid number is required"}  # DRF's, of what is no number
    assert all(text in found for text in said if text not in different_words), (said, found)
    assert found != "{}"
    one.refresh_from_db()
    assert (one.listener_port, one.capacity_adjustment, one.peers.count()) == (27199, 1, 0)


def test_peers_are_chosen_where_there_may_be_any(root: Client) -> None:
    one, hop = node("exec-1"), node("hop-1", node_type="hop", listener_port=27199)
    assert change(root, page_of(one), peers=[address_to_link(hop).pk]).status_code == 302
    assert list(peers_of(one)) == [hop]
    assert change(root, page_of(one), peers=None).status_code == 302
    assert not one.peers.exists()


def test_peers_of_control_nodes_follow_from_the_nodes(root: Client) -> None:
    control = node("control-1", node_type="control")
    hop = node("hop-1", node_type="hop", listener_port=27199)
    change(root, page_of(control), peers=[address_to_link(hop).pk])
    assert not control.peers.exists()
    assert change(root, page_of(hop), peers_from_control_nodes="on").status_code == 302
    assert list(peers_of(control)) == [hop]


def test_a_node_is_added_with_the_rules_of_the_api(root: Client) -> None:
    hop = node("hop-1", node_type="hop", listener_port=27199)
    answer = change(root, f"{NODES}add/", hostname="exec-9.example.org", peers=[address_to_link(hop).pk])
    assert answer.status_code == 302
    made = Instance.objects.get(hostname="exec-9.example.org")
    assert (made.node_type, made.node_state, list(peers_of(made))) == ("execution", "installed", [hop])
    assert history(made) == ["Added."]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"hostname": "localhost"}, "hostname cannot be localhost or 127.0.0.1"),
        ({"hostname": "a b"}, "whitespaces in hostnames are illegal"),
        ({"hostname": "exec-1"}, "This field must be unique."),
        ({"hostname": ""}, "This field is required."),
        ({"hostname": "x" * 251}, "at most 250 characters"),
        ({"hostname": HOSTILE}, "illegal characters detected"),
        ({"node_type": "control"}, "Select a valid choice"),
        ({"peers_from_control_nodes": "on"}, "listener_port must be a valid integer"),
        ({"listener_port": "1023"}, "greater than or equal to 1024"),
    ],
)
def test_a_node_that_may_not_be_is_not_added(changes: dict[str, str], reason: str, root: Client) -> None:
    node("exec-1")
    assert reason in errors_of(change(root, f"{NODES}add/", **{"hostname": "exec-9", **changes}))
    assert Instance.objects.count() == 1


def test_outside_kubernetes_nodes_and_links_stay_as_they_are(root: Client, settings: Any) -> None:
    one = node("exec-1", listener_port=27199)
    hop = node("hop-1", node_type="hop", listener_port=27199)
    link = make_link(source=one, target=hop)
    settings.IS_K8S = False
    assert root.get(f"{NODES}add/").status_code == 403
    assert root.get(f"{LINKS}add/").status_code == 403
    assert root.post(f"{LINKS}{link.pk}/delete/", {"post": "yes"}).status_code == 403
    reason = "Can only be enabled on Kubernetes or Openshift."
    assert reason in errors_of(change(root, page_of(one), peers_from_control_nodes="on"))
    change(root, page_of(one), peers=None, enabled=None)
    one.refresh_from_db()
    assert (one.enabled, one.peers.count()) == (False, 1)
    answer = act(root, NODES, "deprovision", one, confirmed="yes")
    assert told(answer)[-1] == "<bdi>exec-1</bdi>: Can only change the state on Kubernetes or OpenShift."


def test_nodes_are_not_deleted(root: Client) -> None:
    one = node("exec-1")
    assert root.post(f"{NODES}{one.pk}/delete/", {"post": "yes"}).status_code == 403
    act(root, NODES, "delete_selected", one, post="yes")
    assert Instance.objects.filter(pk=one.pk).exists()


# --- others write too


def test_what_somebody_else_changed_meanwhile_is_kept(root: Client) -> None:
    one = node("exec-1")
    sent = form_at(root, page_of(one)) | {"capacity_adjustment": "0.25"}
    change_node(one, {"enabled": False})
    assert root.post(page_of(one), sent).status_code == 302
    one.refresh_from_db()
    assert (one.enabled, one.capacity_adjustment) == (False, 0.25)


def test_a_change_of_what_somebody_else_changed_is_refused(root: Client) -> None:
    one = node("exec-1")
    sent = form_at(root, page_of(one)) | {"capacity_adjustment": "0.25"}
    change_node(one, {"capacity_adjustment": 2})
    assert "This field was changed in the meantime" in errors_of(root.post(page_of(one), sent))
    one.refresh_from_db()
    assert one.capacity_adjustment == 2


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValidationError("Not so."), "Not so."),
        (StaleError(), "was changed since you read it"),
        (IntegrityError("duplicate key"), "conflicts with one that was made at the same moment"),
        (Instance.DoesNotExist(), "conflicts with one that was made at the same moment"),
    ],
)
def test_what_is_refused_at_the_last_moment_is_said_on_the_form(
    error: Exception, reason: str, root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = node("exec-1")

    def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(lifecycle, "change", refuse)
    answer = change(root, page_of(one), capacity_adjustment="0.25")
    assert reason in errors_of(answer)
    assert 'value="0.25"' in shown(answer)
    answer = act(root, NODES, "enable", one)
    assert answer.status_code == 302
    assert reason in told(answer)[0]
    assert history(one) == []


# --- actions


def test_disabling_asks_for_a_reason_and_keeps_it(root: Client) -> None:
    one, two = node("exec-1"), node("exec-2")
    asked = act(root, NODES, "disable", one, two)
    assert "gets no jobs" in shown(asked)
    assert "exec-1" in shown(asked)
    assert "This field is required." in shown(act(root, NODES, "disable", one, two, confirmed="yes", reason=" "))
    assert Instance.objects.filter(enabled=True).count() == 2
    answer = act(root, NODES, "disable", one, two, confirmed="yes", reason="disk <b>fails</b>")
    assert told(answer) == ["2 disabled."]
    one.refresh_from_db()
    assert (one.enabled, one.capacity) == (False, 0)
    assert history(one) == ["Disabled: disk <b>fails</b>"]
    for path in (page_of(one), f"{NODES}{one.pk}/history/"):
        assert "Disabled: disk &lt;b&gt;fails&lt;/b&gt;" in shown(root.get(path))


def test_enabling_works_out_the_capacity(root: Client) -> None:
    one = node("exec-1", enabled=False, cpu_capacity=4, mem_capacity=8, capacity=0)
    act(root, NODES, "enable", one)
    one.refresh_from_db()
    assert (one.enabled, one.capacity, history(one)) == (True, 8, ["Enabled."])


def test_an_action_from_the_page_of_a_node_leads_back_to_it(root: Client) -> None:
    one = node("exec-1", enabled=False)
    assert 'name="action" value="enable"' in shown(root.get(page_of(one)))
    assert act(root, NODES, "enable", one, back="yes").url == page_of(one)
    assert act(root, NODES, "disable", one, back="yes").context["cancel"] == page_of(one)
    assert act(root, NODES, "disable", one, back="yes", confirmed="yes", reason="x").url == page_of(one)


def test_a_health_check_begins_once(root: Client, settings: Any) -> None:
    settings.HEALTH_PROBE = "receptor"
    one, hop = node("exec-1"), node("hop-1", node_type="hop")
    answer = act(root, NODES, "check_health", one, hop)
    assert told(answer) == [
        "1 queued for a health check.",
        "<bdi>hop-1</bdi>: Health checks can be started only for execution nodes.",
    ]
    one.refresh_from_db()
    assert one.health_check_pending
    assert ProcrastinateJob.objects.get(task_name="health_check").args == {"pk": one.pk}
    answer = act(browser_of(User.objects.get(username="admin")), NODES, "check_health", one)
    assert told(answer) == ["<bdi>exec-1</bdi>: A health check is already in progress."]


def test_without_a_probe_no_health_check_begins(root: Client, settings: Any) -> None:
    settings.HEALTH_PROBE = ""
    one = node("exec-1")
    assert "HEALTH_PROBE" in told(act(root, NODES, "check_health", one))[0]
    one.refresh_from_db()
    assert not one.health_check_pending


def test_deprovisioning_is_asked_for_twice_and_says_what_it_ends(root: Client, edge: InstanceGroup) -> None:
    one = edge.instances.get()
    control = node("control-1", node_type="control")
    make_link(source=one, target=control)
    jobs = make_jobs(3, execution_node="exec-1", status="running")
    make_jobs(1, execution_node="exec-1")
    page = shown(act(root, NODES, "deprovision", one, control))
    assert f"3: {jobs[2].pk}, {jobs[1].pk}, {jobs[0].pk}" in page
    assert "exec-1 → control-1" in page
    assert "edge" in page
    assert "Can only deprovision execution or hop nodes." in page
    one.refresh_from_db()
    assert one.node_state == "ready"
    answer = act(root, NODES, "deprovision", one, control, confirmed="yes")
    assert told(answer) == [
        "1 being deprovisioned.",
        "<bdi>control-1</bdi>: Can only deprovision execution or hop nodes.",
    ]
    one.refresh_from_db()
    assert (one.node_state, history(one)) == ("deprovisioning", ["Deprovisioned."])
    assert ProcrastinateJob.objects.get(task_name="deprovision").args == {"pk": one.pk}


def test_deprovisioning_is_undone_from_the_page_of_the_node(root: Client) -> None:
    one, two = node("exec-1"), node("exec-2")
    assert 'value="undo_deprovisioning"' not in shown(root.get(page_of(one)))
    act(root, NODES, "deprovision", one, confirmed="yes")
    assert 'name="action" value="undo_deprovisioning"' in shown(root.get(page_of(one)))
    answer = act(root, NODES, "undo_deprovisioning", one, two)
    assert told(answer)[-2:] == [
        "1 no longer being deprovisioned.",
        f"<bdi>exec-2</bdi>: {removals.NOT_REQUESTED}",
    ]
    one.refresh_from_db()
    assert (one.node_state, history(one), history(two)) == ("ready", ["Deprovisioned.", "Not deprovisioned."], [])


def test_a_forced_removal_names_the_jobs_and_asks_for_a_reason(root: Client, edge: InstanceGroup) -> None:
    one = edge.instances.get()
    jobs = make_jobs(2, execution_node="exec-1", status="running")
    act(root, NODES, "deprovision", one, confirmed="yes")
    assert 'name="action" value="force_removal"' in shown(root.get(page_of(one)))
    for sent in ({}, {"confirmed": "yes", "reason": " "}):
        page = shown(act(root, NODES, "force_removal", one, **sent))
        assert f"2: {jobs[1].pk}, {jobs[0].pk}" in page
        assert "stays in the history" in page
    assert Instance.objects.filter(pk=one.pk).exists()
    answer = act(root, NODES, "force_removal", one, confirmed="yes", reason="burned down", back="yes")
    assert (told(answer)[-1], answer.url) == ("1 removed.", NODES)
    assert not Instance.objects.filter(pk=one.pk).exists()
    assert history(one) == ["Deprovisioned.", "Removed by force: burned down"]
    assert UnifiedJob.objects.filter(execution_node="exec-1", status="running").count() == 2


def test_the_question_before_a_removal_costs_few_queries(root: Client) -> None:
    nodes = Instance.objects.bulk_create(Instance(hostname=f"exec-{n}", node_type="execution") for n in range(100))
    InstanceLink.objects.bulk_create(InstanceLink(source=one, target=address_to_link(nodes[0])) for one in nodes[1:])
    make_jobs(100, execution_node="exec-1", status="running")
    with CaptureQueriesContext(connection) as asked:
        page = shown(act(root, NODES, "deprovision", *nodes))
    assert "100:" in page
    assert "80 more" in page
    counted = [query for query in asked if "SAVEPOINT" not in query["sql"]]
    assert len(counted) <= MOST_QUERIES


def test_more_than_200_are_not_done_at_once(root: Client) -> None:
    Instance.objects.bulk_create(Instance(hostname=f"exec-{n}", enabled=False) for n in range(201))
    answer = act(root, NODES, "enable", *Instance.objects.all())
    assert told(answer) == ["Select at most 200 records."]
    assert not Instance.objects.filter(enabled=True).exists()
    act(root, NODES, "disable", select_across="1", confirmed="yes", reason="x")
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    "action",
    [
        *("enable", "disable", "drain", "undo_drain", "check_health"),
        *("deprovision", "undo_deprovisioning", "force_removal", "nothing"),
    ],
)
def test_an_action_without_nodes_does_nothing(action: str, root: Client) -> None:
    one = node("exec-1")
    assert root.post(NODES, {"action": action, "index": "0"}, follow=True).status_code == 200
    assert root.post(NODES, {"action": action, "_selected_action": "0"}, follow=True).status_code == 200
    one.refresh_from_db()
    assert (one.enabled, one.node_state) == (True, "ready")


# --- links


def test_a_link_is_made_and_ended_with_the_rules_for_peers(root: Client) -> None:
    one, hop = node("exec-1"), node("hop-1", node_type="hop", listener_port=27199)
    other = node("hop-2", node_type="hop", listener_port=27199)
    make_link(source=one, target=other, link_state="established")
    assert change(root, f"{LINKS}add/", source=one.pk, target=address_to_link(hop).pk).status_code == 302
    link = InstanceLink.objects.get(source=one, target__instance=hop)
    assert (link.link_state, set(peers_of(one))) == ("adding", {hop, other})
    assert root.post(f"{LINKS}{link.pk}/delete/", {"post": "yes"}).status_code == 302
    assert list(peers_of(one)) == [other]


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("exec-1", "exec-2", "Field listener_port must be set on peer exec-2."),
        ("control-1", "hop-1", "Setting peers manually for control nodes is not allowed."),
        ("hop-1", "hop-1", "An instance cannot peer to itself."),
    ],
)
def test_a_link_that_may_not_be_is_not_made(source: str, target: str, reason: str, root: Client) -> None:
    node("exec-1"), node("exec-2"), node("control-1", node_type="control")
    node("hop-1", node_type="hop", listener_port=27199)
    nodes = {one.hostname: one for one in Instance.objects.all()}
    ends = {"source": nodes[source].pk, "target": address_to_link(nodes[target]).pk}
    assert reason in errors_of(change(root, f"{LINKS}add/", **ends))
    assert not InstanceLink.objects.exists()


def test_a_link_of_a_control_node_is_not_ended_by_hand(root: Client) -> None:
    control, hop = node("control-1", node_type="control"), node("hop-1", node_type="hop", listener_port=27199)
    link = make_link(source=control, target=hop)
    answer = root.post(f"{LINKS}{link.pk}/delete/", {"post": "yes"})
    assert "Setting peers manually for control nodes is not allowed." in told(answer)[0]
    assert InstanceLink.objects.filter(pk=link.pk).exists()
    assert not LogEntry.objects.exists()


# --- groups


def test_a_group_is_made_changed_and_deleted(root: Client) -> None:
    node("exec-1")
    assert change(root, f"{GROUPS}add/", name="west", policy_instance_list="exec-1").status_code == 302
    group = InstanceGroup.objects.get(name="west")
    assert group.policy_instance_list == ["exec-1"]
    assert change(root, page_of(group), name="far west", max_forks=5).status_code == 302
    group.refresh_from_db()
    assert (group.name, group.max_forks, group.policy_instance_list) == ("far west", 5, ["exec-1"])
    assert "0 roles of users" in shown(root.get(f"{GROUPS}{group.pk}/delete/"))
    assert root.post(f"{GROUPS}{group.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not InstanceGroup.objects.exists()


def test_members_come_and_go_by_the_rules(root: Client, edge: InstanceGroup) -> None:
    two = node("exec-2")
    assert change(root, page_of(edge), instances=[two.pk]).status_code == 302
    edge.refresh_from_db()
    assert list(edge.instances.all()) == [two]
    assert edge.policy_instance_list == ["exec-2"]
    control = node("control-1", node_type="control")
    answer = change(root, page_of(edge), name="other", instances=[two.pk, control.pk])
    assert "Cannot change instance group membership of control-only node: control-1." in errors_of(answer)
    edge.refresh_from_db()
    assert (edge.name, list(edge.instances.all())) == ("edge", [two])


def test_hybrid_nodes_stay_in_the_control_plane(root: Client) -> None:
    plane = InstanceGroup.objects.create(name="controlplane")
    plane.instances.add(node("hybrid-1", node_type="hybrid"))
    assert "Cannot disassociate hybrid node hybrid-1" in errors_of(change(root, page_of(plane), instances=None))
    assert plane.instances.count() == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "x"}, "default instance group name may not be changed."),
        ({"is_container_group": "on"}, "is_container_group may not be changed."),
        ({"policy_instance_percentage": "3"}, "may not be changed from the initial value"),
        ({"policy_instance_list": "exec-1"}, "default instance group policy_instance_list may not be changed."),
        ({"max_forks": "-1"}, "greater than or equal to 0"),
        ({"name": ""}, "This field is required."),
    ],
)
def test_a_protected_group_keeps_what_is_protected(changes: dict[str, str], reason: str, root: Client) -> None:
    node("exec-1")
    group = InstanceGroup.objects.create(name="default")
    assert reason in errors_of(change(root, page_of(group), **changes))
    assert root.post(f"{GROUPS}{group.pk}/delete/", {"post": "yes"}).status_code == 403
    group.refresh_from_db()
    assert (group.name, group.policy_instance_list, group.policy_instance_percentage) == ("default", [], 0)


@pytest.mark.parametrize(
    ("hostnames", "reason"),
    [
        ("nowhere", "nowhere is not a valid hostname of an existing instance."),
        ("exec-1 exec-1", "Duplicate entry exec-1."),
    ],
)
def test_a_group_lists_each_node_once(hostnames: str, reason: str, root: Client, edge: InstanceGroup) -> None:
    assert reason in errors_of(change(root, page_of(edge), policy_instance_list=hostnames))


def test_a_group_with_active_jobs_is_not_deleted(root: Client, edge: InstanceGroup) -> None:
    make_jobs(1, instance_group=edge, status="running")
    answer = root.post(f"{GROUPS}{edge.pk}/delete/", {"post": "yes"})
    assert told(answer) == ["Resource is being used by running jobs."]
    assert InstanceGroup.objects.filter(pk=edge.pk).exists()
    UnifiedJob.objects.update(status="successful")
    assert root.post(f"{GROUPS}{edge.pk}/delete/", {"post": "yes"}).status_code == 302
    assert UnifiedJob.objects.get().instance_group is None


# --- tokens


def test_a_token_is_shown_once(root: Client, admin: User) -> None:
    page = change(root, f"{TOKENS}add/", scope="read", description="for a dashboard")
    raw = re.search(r'id="new-token">([^<]+)<', shown(page))[1]  # type: ignore[index]
    assert "no-store" in page["Cache-Control"]
    token = AccessToken.objects.get()
    assert (token.user, token.scope, token.note.description) == (admin, "read", "for a dashboard")
    answer = Client().get("/api/v2/me/", headers={"Authorization": f"Bearer {raw}"})
    assert answer.json()["results"][0]["username"] == "admin"
    end = tokens.checksum(raw)[-8:]
    for path in (TOKENS, page_of(token), f"{TOKENS}{token.pk}/history/", INDEX):
        assert raw not in shown(root.get(path))
    assert f"…{end}" in shown(root.get(TOKENS))
    assert tokens.checksum(raw) not in shown(root.get(page_of(token)))


def test_a_token_is_revoked_after_a_question(root: Client, admin: User, alice: User) -> None:
    own, others = tokens.issue(admin)[0], tokens.issue(alice)[0]
    assert "are refused from now on" in shown(act(root, TOKENS, "revoke", own, others))
    assert AccessToken.objects.count() == 2
    assert told(act(root, TOKENS, "revoke", own, others, confirmed="yes")) == ["2 revoked."]
    assert not AccessToken.objects.exists()


def test_owners_change_and_revoke_their_tokens_and_nobody_elses(
    newcomer: Client, watcher: Client, alice: User, admin: User
) -> None:
    own, others = tokens.issue(alice)[0], tokens.issue(admin)[0]
    assert change(newcomer, page_of(own), description="mine", scope="read").status_code == 302
    own.refresh_from_db()
    assert (own.scope, own.note.description) == ("read", "mine")
    assert newcomer.get(page_of(others)).status_code == 302
    assert [token.pk for token in newcomer.get(TOKENS).context["cl"].result_list] == [own.pk]
    assert len(watcher.get(TOKENS).context["cl"].result_list) == 2
    assert watcher.post(page_of(own), {"scope": "write"}).status_code == 403
    assert "2 tokens belong to other users." in told(act(watcher, TOKENS, "revoke", own, others, confirmed="yes"))
    act(newcomer, TOKENS, "revoke", own, others, confirmed="yes")
    assert list(AccessToken.objects.all()) == [others]


def test_a_token_of_a_node_is_shown_once(root: Client) -> None:
    one = node("exec-1")
    node_tokens.issue(one)
    page = change(root, f"{NODE_TOKENS}add/", node=one.pk, replaces="on")
    raw = re.search(r'id="new-token">([^<]+)<', shown(page))[1]  # type: ignore[index]
    assert node_tokens.find_by_secret(raw) == NodeToken.objects.get()
    assert raw not in shown(root.get(NODE_TOKENS))
    change(root, f"{NODE_TOKENS}add/", node=one.pk)
    assert NodeToken.objects.count() == 2
    act(root, NODE_TOKENS, "revoke", NodeToken.objects.first(), confirmed="yes")
    assert NodeToken.objects.count() == 1


# --- background jobs


def test_background_jobs_are_retried_and_cancelled(root: Client) -> None:
    pks = [tasks.health_check.defer(pk=number) for number in range(2)]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", [pks[0]])
        cursor.execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE id = %s", [pks[0]])
    failed, waiting = (ProcrastinateJob.objects.get(pk=pk) for pk in pks)
    assert "failed" in shown(root.get(page_of(failed)))
    answer = act(root, QUEUE, "retry", failed, waiting)
    assert told(answer)[0] == "1 queued again."
    assert "The job has not failed." in told(answer)[1]
    failed.refresh_from_db()
    assert failed.status == "todo"
    act(root, QUEUE, "cancel", waiting)
    waiting.refresh_from_db()
    assert waiting.status == "cancelled"
    assert history(waiting) == ["Cancelled."]
    answer = act(browser_of(User.objects.get(username="admin")), QUEUE, "cancel", waiting)
    assert "The job is not waiting." in told(answer)[0]


# --- users


def test_superusers_make_users_and_give_roles(root: Client, edge: InstanceGroup) -> None:
    password = "a-long-Passw0rd"
    made = change(root, f"{USERS}add/", username="carol", password1=password, password2=password)
    assert made.status_code == 302
    carol = User.objects.get(username="carol")
    role = {"instance_group_roles-0-instance_group": edge.pk, "instance_group_roles-0-role": "use_role"}
    more = {**role, "instance_group_roles-TOTAL_FORMS": 1, "instance_group_roles-0-user": carol.pk, "is_staff": "on"}
    assert change(root, page_of(carol), **more).status_code == 302
    assert [(each.instance_group, each.role) for each in carol.instance_group_roles.all()] == [(edge, "use_role")]
    assert change(root, page_of(carol), **{"instance_group_roles-0-role": "read_role"}).status_code == 302
    assert carol.instance_group_roles.get().role == "read_role"
    assert change(root, page_of(carol), **{"instance_group_roles-0-DELETE": "on"}).status_code == 302
    assert not carol.instance_group_roles.exists()
    assert "carol" in shown(root.get(USERS))


def test_others_see_the_users_that_the_api_shows_and_change_none(newcomer: Client, alice: User, bob: User) -> None:
    assert [user.username for user in newcomer.get(USERS).context["cl"].result_list] == ["alice"]
    page = shown(newcomer.get(page_of(alice)))
    assert "pbkdf2" not in page
    assert "algorithm" not in page
    assert newcomer.post(page_of(alice), {"username": "alice", "is_superuser": "on"}).status_code == 403
    assert newcomer.get(page_of(bob)).status_code == 302
    assert newcomer.post(f"{USERS}{alice.pk}/password/", {"password1": "x", "password2": "x"}).status_code == 403
    alice.refresh_from_db()
    assert not alice.is_superuser


# --- who sees and does what


@pytest.mark.parametrize("path", [INDEX, *LISTS, f"{NODES}add/"])
def test_nobody_else_comes_in(path: str, auditor: User) -> None:
    assert shown(Client().get("/admin/login/"))
    for browser in (Client(), browser_of(auditor)):
        answer = browser.get(path)
        assert answer.status_code == 302
        assert answer.url.startswith("/admin/login/")


def test_an_auditor_sees_everything_and_changes_nothing(watcher: Client, edge: InstanceGroup) -> None:
    one = edge.instances.get()
    make_jobs(1, execution_node="exec-1")
    for path in (INDEX, NODES, LINKS, GROUPS, JOBS, USERS, TOKENS, MIRROR, LOOKS, page_of(one), page_of(edge)):
        assert 'name="_save"' not in shown(watcher.get(path))
    for path in (NODE_TOKENS, QUEUE, f"{NODES}add/", f"{GROUPS}add/", f"{LINKS}add/", f"{USERS}add/"):
        assert watcher.get(path).status_code == 403
    assert watcher.post(page_of(one), {"capacity_adjustment": "0.5"}).status_code == 403
    assert watcher.post(page_of(edge), {"name": "x"}).status_code == 403
    assert watcher.post(f"{GROUPS}{edge.pk}/delete/", {"post": "yes"}).status_code == 403
    for action in ("enable", "disable", "check_health", "deprovision", "undo_deprovisioning", "force_removal"):
        act(watcher, NODES, action, one, confirmed="yes", reason="x")
    one.refresh_from_db()
    assert (one.enabled, one.node_state, one.health_check_pending, one.capacity_adjustment) == (True, "ready", False, 1)
    assert not LogEntry.objects.exists()


def test_staff_without_rights_see_what_the_api_shows_them(newcomer: Client, edge: InstanceGroup) -> None:
    one = edge.instances.get()
    link = make_link(source=one, target=node("hop-1"))
    make_jobs(1, execution_node="exec-1", instance_group=edge)
    for path in (NODES, LINKS, GROUPS, JOBS):
        assert not list(newcomer.get(path).context["cl"].result_list)
    for record in (one, link, edge, UnifiedJob.objects.get()):
        assert newcomer.get(page_of(record)).status_code == 302
    for path in (MIRROR, LOOKS, NODE_TOKENS, QUEUE):
        assert newcomer.get(path).status_code == 403
    assert newcomer.get(INDEX).context["figures"][0].number == 0
    assert newcomer.get(f"{NODES}?group={edge.pk}", follow=True).request["QUERY_STRING"] == "e=1"
    autocomplete = "/admin/autocomplete/?app_label=instances&model_name=instance&field_name=peers"
    assert newcomer.get(autocomplete).json()["results"] == []


def test_the_administrator_of_a_group_changes_it_and_nothing_else(keeper: Client, edge: InstanceGroup) -> None:
    one = edge.instances.get()
    hidden = node("exec-2")
    other = InstanceGroup.objects.create(name="other")
    assert [group.name for group in keeper.get(GROUPS).context["cl"].result_list] == ["edge"]
    assert change(keeper, page_of(edge), max_forks=3).status_code == 302
    edge.refresh_from_db()
    assert edge.max_forks == 3
    assert "Select a valid choice" in errors_of(change(keeper, page_of(edge), instances=[one.pk, hidden.pk]))
    assert change(keeper, page_of(edge), instances=None).status_code == 302
    assert not edge.instances.exists()
    assert keeper.get(page_of(other)).status_code == 302
    assert keeper.get(f"{GROUPS}add/").status_code == 403
    assert keeper.post(f"{GROUPS}{edge.pk}/delete/", {"post": "yes"}).status_code == 403
    edge.instances.add(one)
    assert keeper.post(page_of(one), {"enabled": ""}).status_code == 403


# --- while the service is a mirror


@pytest.mark.parametrize("path", [INDEX, NODES, GROUPS, JOBS, TOKENS])
def test_a_mirror_says_so_on_every_page(path: str, root: Client, mirror: Mirror) -> None:
    assert "This service mirrors <bdi>https://awx.example.org</bdi>" in shown(root.get(path))


def test_what_is_mirrored_is_only_looked_at(root: Client, mirror: Mirror, edge: InstanceGroup) -> None:
    one = edge.instances.get()
    link = make_link(source=one, target=node("hop-1"))
    for record in (one, edge, link):
        assert 'name="_save"' not in shown(root.get(page_of(record)))
        assert root.post(page_of(record), {"name": "x"}).status_code == 403
        assert root.post(f"{page_of(record)[: -len('change/')]}delete/", {"post": "yes"}).status_code == 403
    for path in (NODES, GROUPS, LINKS, NODE_TOKENS):
        assert root.get(f"{path}add/").status_code == 403
    act(root, NODES, "disable", one, confirmed="yes", reason="x")
    one.refresh_from_db()
    assert one.enabled
    assert "Up to date" in shown(root.get(MIRROR))
    assert "Up to date" in shown(root.get(page_of(mirror)))


def test_what_belongs_to_a_mirrored_user_is_changed_there(root: Client, mirror: Mirror, edge: InstanceGroup) -> None:
    bob = User.objects.create(username="bob", mirrored=True)
    InstanceGroupRole.objects.create(user=bob, instance_group=edge, role="use_role")
    more = {"is_superuser": "on", "email": "x@example.org", "is_staff": "on", "instance_group_roles-0-DELETE": "on"}
    change(root, page_of(bob), **more)
    bob.refresh_from_db()
    assert (bob.is_superuser, bob.email, bob.is_staff, bob.instance_group_roles.count()) == (False, "", True, 1)
    assert root.post(f"{USERS}{bob.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_mirror_that_began_this_moment_is_a_refusal(
    root: Client, mirror: Mirror, edge: InstanceGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = edge.instances.get()
    monkeypatch.setattr(guard, "current", lambda: None)  # as the page was asked for before
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    guard.enable_guard()
    assert "This service mirrors" in errors_of(change(root, page_of(one), capacity_adjustment="0.5"))
    assert "This service mirrors" in errors_of(change(root, f"{NODES}add/", hostname="exec-9"))
    assert "This service mirrors" in errors_of(change(root, page_of(edge), max_forks=7))
    assert "This service mirrors" in told(act(root, NODES, "enable", one))[0]
    assert "This service mirrors" in told(root.post(f"{GROUPS}{edge.pk}/delete/", {"post": "yes"}))[-1]
    guard.disable_guard()


# --- what others wrote


@pytest.fixture
def hostile(admin: User) -> list[Any]:
    """Records whose every text is an attack, or as long as can be."""
    name = HOSTILE + "x" * (250 - len(HOSTILE))
    one = node(name, errors=HOSTILE * 100, version=HOSTILE)
    other = node("y" * 250, node_type="hop", listener_port=27199)
    link = make_link(source=one, target=other)
    group = InstanceGroup.objects.create(name=name, policy_instance_list=[name])
    group.instances.add(one)
    make_jobs(1, name=HOSTILE, execution_node=name, status="running", instance_group=group)
    UnifiedJob.objects.update(representation={"name": HOSTILE})
    token, _ = tokens.issue(admin, description=HOSTILE)
    user = User.objects.create(username=HOSTILE, first_name=HOSTILE)
    InstanceGroupRole.objects.create(user=user, instance_group=group, role="use_role")
    node_tokens.issue(one)
    now, names = timezone.now(), [HOSTILE]
    look = MeshInspection.objects.create(
        inspector=HOSTILE, began=now, watching_since=now, error=HOSTILE, unknown_nodes=names, unrouted=names
    )
    LogEntry.objects.log_actions(admin.pk, [one], 2, change_message=HOSTILE)
    return [one, other, link, group, UnifiedJob.objects.get(), token, user, NodeToken.objects.get(), look]


@pytest.mark.slow
def test_what_others_wrote_does_no_harm(root: Client, hostile: list[Any]) -> None:
    paths = [INDEX, *LISTS, f"{NODES}?group={hostile[3].pk}", *map(page_of, hostile)]
    paths += [page_of(record).replace("change/", "history/") for record in hostile]
    paths += [f"{GROUPS}{hostile[3].pk}/delete/", f"{LINKS}{hostile[2].pk}/delete/"]
    pages = [root.get(path) for path in paths]
    pages += [act(root, NODES, action, hostile[0]) for action in ("disable", "deprovision", "force_removal")]
    pages.append(root.get(NODES) if act(root, NODES, "enable", *hostile[:2]).status_code == 302 else None)
    for page in pages:
        assert "<script>alert" not in shown(page)
    table = shown(root.get(NODES)).partition('id="result_list"')[2].partition("</table>")[0]
    assert "\u202e" not in re.sub(r"<[^>]*>", "", table)
    assert "&lt;script&gt;alert" in shown(root.get(NODES))


def test_pages_bring_no_styles_or_scripts_of_their_own(root: Client, hostile: list[Any]) -> None:
    paths = [INDEX, *LISTS, *(f"{path}add/" for path in (NODES, GROUPS, LINKS, TOKENS)), *map(page_of, hostile)]
    pages = [root.get(path) for path in paths] + [act(root, NODES, "deprovision", hostile[0])]
    for page in pages:
        tags = re.findall(r"<[a-z][^>]*>", shown(page))
        for tag in tags:
            assert not re.search(r"\s(style|on[a-z]+)=", tag), tag
            assert tag != "<style>"
            assert not tag.startswith("<script") or "src=" in tag or "application/json" in tag, tag


def test_a_node_with_a_port_that_only_awx_24_takes_can_be_changed(root: Client) -> None:
    one = node("exec-1", listener_port=70000)
    with speaking("24.6.1"):
        assert change(root, page_of(one), enabled=None).status_code == 302
    one.refresh_from_db()
    assert (one.enabled, ReceptorAddress.objects.get().port) == (False, 70000)
