"""The administration: what it shows to whom, and that it asks the same rules as the API."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.db import connection
from django.forms import BaseForm
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from instances import node_tokens, tasks, tokens
from instances.models import (
    Instance,
    InstanceGroup,
    InstanceGroupRole,
    InstanceLink,
    MeshInspection,
    Mirror,
    NodeHealth,
    NodeToken,
    User,
)
from tests.make import make_jobs

pytestmark = pytest.mark.django_db

MOST_QUERIES = 12
HOSTILE = "<script>alert(1)</script>\"'&\u202edlrow"
INDEX = "/admin/"
NODES = "/admin/instances/instance/"
LINKS = "/admin/instances/instancelink/"
GROUPS = "/admin/instances/instancegroup/"
JOBS = "/admin/instances/unifiedjob/"
USERS = "/admin/instances/user/"
TOKENS = "/admin/oauth2_provider/accesstoken/"
NODE_TOKENS = "/admin/instances/nodetoken/"
QUEUE = "/admin/procrastinate/procrastinatejob/"
MIRROR = "/admin/instances/mirror/"
LOOKS = "/admin/instances/meshinspection/"
LISTS = [NODES, LINKS, GROUPS, JOBS, USERS, TOKENS, NODE_TOKENS, QUEUE, MIRROR, LOOKS]


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
def mirror(db: None) -> Iterator[Mirror]:
    """This service mirrors another one, with the database's own refusals."""
    now = timezone.now()
    mirror = Mirror.objects.create(url="https://awx.example.org", version="23.6.0", began=now, finished=now, every=30)
    yield mirror


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
    return Instance.objects.create(hostname=hostname, **{"node_type": "execution", **fields})


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
    assert numbers == {"nodes": 3, "ready": 2, "unavailable": 1, "lost": 1, "with errors": 1, "disabled": 1}
    assert "No worker runs" in shown(page)
    for figure in page.context["figures"]:
        assert root.get(figure.url).context["cl"].result_count == figure.number


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
    assert "2 running, 3 in all" in page
    assert "2\xa0minutes ago" in page
    assert re.search(r'title="\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"', page)
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
    hub, _ = Instance.objects.get_or_create(hostname="hub", node_type="hybrid", listener_port=27199)
    nodes = Instance.objects.bulk_create(
        Instance(hostname=f"node-{number}-{n}", node_type="execution", last_seen=now, listener_port=27199)
        for n in range(number)
    )
    links = [pair for one in nodes for pair in ((one, hub), (hub, one))]
    InstanceLink.objects.bulk_create(InstanceLink(source=source, target=target) for source, target in links)
    groups = InstanceGroup.objects.bulk_create(InstanceGroup(name=f"group-{number}-{n}") for n in range(number))
    groups[0].instances.set(nodes)
    nodes[0].rampart_groups.set(groups)
    users = User.objects.bulk_create(User(username=f"user-{number}-{n}") for n in range(number))
    pairs = {(user, groups[0]) for user in users} | {(users[0], group) for group in groups}
    InstanceGroupRole.objects.bulk_create(
        InstanceGroupRole(user=user, instance_group=group, role="use_role") for user, group in pairs
    )
    token = [tokens.issue(user)[0] for user in users][0]
    for n in range(number):
        node_tokens.issue(nodes[0])
        MeshInspection.objects.create(inspector=f"c-{number}-{n}", began=now, watching_since=now)
    tasks.check_health(nodes)
    jobs = make_jobs(number, execution_node=nodes[0].hostname, status="running", instance_group=groups[0])
    LogEntry.objects.log_actions(admin.pk, [nodes[0]] * number, 2, change_message="Enabled.")
    found: list[Any] = [
        nodes[0],
        hub,
        InstanceLink.objects.filter(source=hub).first(),
        groups[0],
        jobs[0],
        users[0],
        token,
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
    few = costs(root, grow(admin, 1))
    many = costs(root, grow(admin, 100))
    assert max(many.values()) <= MOST_QUERIES, many
    assert list(many.values()) == list(few.values())
