"""Draining nodes from their pages: who may, what is shown, and what a refusal leaves in the form."""

from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from instances import drains
from instances.drains import DrainPlan
from instances.mirror import guard
from instances.models import Drain, Instance, InstanceGroup, Mirror, UnifiedJob, User
from tests.make import change_node, make_jobs
from tests.mesh import node
from tests.test_pages import SCRIPT, SESSION, browser_of, text

pytestmark = pytest.mark.django_db
REQUEST = {"reason": "its disk fails", "then": "stay", "deadline": "", "force_reason": ""}


@pytest.fixture
def root(admin: User) -> Client:
    return browser_of(admin)


@pytest.fixture
def own(edge: InstanceGroup) -> Instance:
    """A node with three running jobs, which the reader ``bob`` sees too."""
    found = edge.instances.get()
    make_jobs(3, name="payroll", status="running", execution_node=found.hostname, unified_job_template=7)
    return found


def drain(client: Client, node: Instance, **changes: str) -> Any:
    return client.post(f"/nodes/{node.pk}/drain/", {**REQUEST, **changes})


def messages_of(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


# --- draining


def test_a_node_is_drained_from_its_page_and_the_page_says_so(root: Client, own: Instance, admin: User) -> None:
    assert 'name="reason"' in text(root, f"/nodes/{own.pk}/")
    answer = drain(root, own, then="enable")
    assert (answer.status_code, answer["Location"]) == (302, f"/nodes/{own.pk}/")
    (found,) = Drain.objects.all()
    assert (found.instance, found.requested_by, found.reason, found.then) == (own, admin, "its disk fails", "enable")
    assert not Instance.objects.get(pk=own.pk).enabled
    page = text(root, f"/nodes/{own.pk}/")
    assert "The node is being drained: it gets no new jobs." in page
    for shown in (
        "Draining",
        "its disk fails",
        admin.username,
        "It is enabled again",
        "payroll",
        "no earlier run of the same template",
    ):
        assert shown in page
    assert page.count("/api/v2/unified_jobs/?id=") == 3
    assert "The node is being drained: it gets no new jobs." not in text(root, f"/nodes/{own.pk}/")  # only once


def test_the_end_is_estimated_with_its_basis(root: Client, own: Instance) -> None:
    now = timezone.now()
    make_jobs(4, status="successful", unified_job_template=7, finished=now, elapsed=90_000)
    make_jobs(1, status="running", execution_node=own.hostname, unified_job_template=7, started=now)
    drain(root, own)
    page = text(root, f"/nodes/{own.pk}/")
    assert "by the p90" in page
    assert "median and p90 of 4 earlier runs of the same template" in page


def test_a_drain_is_undone(root: Client, own: Instance) -> None:
    drain(root, own)
    answer = root.post(f"/nodes/{own.pk}/drain/undo/")
    assert (answer.status_code, answer["Location"]) == (302, f"/nodes/{own.pk}/")
    assert messages_of(answer) == ["The node is being drained: it gets no new jobs.", "The drain was undone."]
    assert Drain.objects.get().ended_how == "undone"
    assert Instance.objects.get(pk=own.pk).enabled
    assert messages_of(root.post(f"/nodes/{own.pk}/drain/undo/"))[-1] == drains.NOT_DRAINING


def test_the_page_says_that_the_node_was_drained_and_stays_disabled(root: Client, own: Instance) -> None:
    drain(root, own)
    UnifiedJob.objects.all().delete()
    drains.advance()
    assert "The node was drained, and stays disabled until somebody enables it." in text(root, f"/nodes/{own.pk}/")
    change_node(own, {"enabled": True})
    assert "The node is not being drained." in text(root, f"/nodes/{own.pk}/")


@pytest.mark.parametrize(("minutes", "jobs", "state"), [(-5, 1, "Overdue"), (5, 1, "Draining"), (-5, 0, "Drained")])
def test_the_state_of_a_drain_is_in_words(
    minutes: int, jobs: int, state: str, root: Client, own: Instance, admin: User
) -> None:
    make_jobs(0)
    drains.begin([own.pk], DrainPlan("cables", deadline=timezone.now() + timedelta(days=1)), admin)
    now = timezone.now()
    Drain.objects.update(
        began=now - timedelta(hours=1),
        deadline=now + timedelta(minutes=minutes),
        drained_at=None if jobs else now,
    )
    page = text(root, f"/nodes/{own.pk}/")
    assert f">{state}</strong>" in page
    assert ("has passed" in page) == (minutes < 0)


# --- what refuses it


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"reason": ""}, "reason", "This field is required."),
        ({"reason": "\u202eabc"}, "reason", "Characters that change the direction"),
        ({"reason": "x" * 1001}, "reason", "at most 1000 characters"),
        ({"deadline": "2020-01-01T00:00"}, "deadline", "The deadline must be in the future."),
        ({"deadline": "soon"}, "deadline", "Enter a valid date/time."),
        ({"then": "explode"}, "then", "Select a valid choice."),
    ],
)
def test_an_error_is_shown_at_its_field_and_nothing_is_drained(
    changes: dict[str, str], field: str, reason: str, root: Client, own: Instance
) -> None:
    answer = drain(root, own, **{"force_reason": "as agreed", **changes})
    assert answer.status_code == 200
    assert reason in str(answer.context["form"].errors[field])
    page = unescape(answer.content.decode())
    assert reason in page
    assert 'value="as agreed"' in page  # what was typed is there
    assert not Drain.objects.exists()
    assert Instance.objects.get(pk=own.pk).enabled


def test_a_refusal_is_shown_with_its_numbers_and_can_be_forced(
    root: Client, own: Instance, edge: InstanceGroup
) -> None:
    InstanceGroup.objects.filter(pk=edge.pk).update(policy_instance_minimum=1)
    deadline = f"{timezone.now() + timedelta(days=2):%Y-%m-%dT%H:%M}"
    answer = drain(root, own, deadline=deadline)
    page = unescape(answer.content.decode())
    assert answer.status_code == 200
    (refusal,) = drains.needed_by_others([own])
    assert refusal in page
    assert 'value="its disk fails"' in page
    assert f'value="{deadline}"' in page
    assert not Drain.objects.exists()
    assert drain(root, own, force_reason="the minimum is for weekdays").status_code == 302
    assert Drain.objects.get().force_reason == "the minimum is for weekdays"
    assert "the minimum is for weekdays" in text(root, f"/nodes/{own.pk}/")


def test_a_node_is_drained_once(root: Client, own: Instance) -> None:
    drain(root, own)
    assert "is being drained already" in drain(root, own).content.decode()
    assert Drain.objects.count() == 1


def test_a_mirror_refuses_in_its_words(root: Client, own: Instance, edge: InstanceGroup) -> None:
    now = timezone.now()
    Mirror.objects.create(url="https://awx.example.org", version="23.6.0", began=now, finished=now, every=30)
    connection.check_constraints()  # or the tables could not be altered
    guard.enable_guard()
    answer = drain(root, own)
    assert answer.status_code == 200
    assert answer.context["form"].non_field_errors()
    assert not Drain.objects.exists()


# --- who may


def test_who_may_not_disable_nodes_sees_a_drain_and_changes_nothing(
    root: Client, bob: User, auditor: User, own: Instance
) -> None:
    drain(root, own)
    for user in (bob, auditor):
        client = browser_of(user)
        page = text(client, f"/nodes/{own.pk}/")
        assert "its disk fails" in page
        assert "Undo the drain" not in page
        assert ("payroll" in page) == (user == auditor)
        assert client.post(f"/nodes/{own.pk}/drain/undo/").status_code == 403
        assert client.get(f"/nodes/{own.pk}/drain/").status_code == 403
    assert Drain.objects.get().is_open
    root.post(f"/nodes/{own.pk}/drain/undo/")
    for user in (bob, auditor):
        assert 'name="reason"' not in text(browser_of(user), f"/nodes/{own.pk}/")
        assert drain(browser_of(user), own).status_code == 403
    assert Drain.objects.open().count() == 0


def test_a_job_is_not_named_to_who_may_not_see_jobs_by_the_estimate_either(
    root: Client, bob: User, own: Instance
) -> None:
    make_jobs(4, status="successful", unified_job_template=7, finished=timezone.now(), elapsed=90_000)
    drain(root, own)
    for path in (f"/nodes/{own.pk}/", "/planning/drains/"):
        assert "payroll" in text(root, path)
        assert "payroll" not in text(browser_of(bob), path)


def test_a_node_that_is_not_seen_is_not_there(alice: User, own: Instance) -> None:
    client = browser_of(alice)
    assert "Node not found" in text(client, f"/nodes/{own.pk}/drain/", status=404)
    assert drain(client, own).status_code == 404
    assert client.post(f"/nodes/{own.pk}/drain/undo/").status_code == 404
    assert client.post(f"/nodes/{10**30}/drain/undo/").status_code == 404


def test_a_session_and_a_token_against_forgery_are_needed(admin: User, own: Instance) -> None:
    assert drain(Client(), own)["Location"].startswith("/api/login/?next=/nodes/")
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    assert drain(client, own).status_code == 403
    assert client.post(f"/nodes/{own.pk}/drain/undo/").status_code == 403
    assert client.get(f"/nodes/{own.pk}/drain/undo/").status_code == 405
    assert not Drain.objects.exists()


# --- the list


def test_open_drains_are_listed_for_the_nodes_that_are_seen(root: Client, bob: User, own: Instance) -> None:
    assert "No node is being drained" in text(root, "/planning/drains/")
    hidden = node("exec-2")
    for each in (hidden, own):
        drain(root, each)
    page = text(root, "/planning/drains/")
    assert page.index("exec-1") < page.index("exec-2")
    assert page.count("Undo the drain") == 2
    seen = text(browser_of(bob), "/planning/drains/")
    assert "exec-1" in seen
    assert "exec-2" not in seen
    assert "Undo the drain" not in seen
    root.post(f"/nodes/{hidden.pk}/drain/undo/")
    assert "exec-2" not in text(root, "/planning/drains/")
    assert Client().get("/planning/drains/")["Location"] == "/api/login/?next=/planning/drains/"


def test_a_drain_whose_node_is_gone_is_no_page_of_errors(root: Client, own: Instance) -> None:
    drain(root, own)
    drain(root, node("exec-2"))
    Instance.objects.filter(pk=own.pk).delete()
    page = text(root, "/planning/drains/")
    assert ("exec-1" in page, "exec-2" in page) == (False, True)
    assert "No node is being drained" not in page


def test_a_long_list_is_cut_and_says_so(root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet.pages.drain_views.MOST_DRAINS", 2)
    for number in range(3):
        assert "are shown" not in text(root, "/planning/drains/")
        drain(root, node(f"exec-{number}"))
    page = text(root, "/planning/drains/")
    assert ("exec-1" in page, "exec-2" in page) == (True, False)
    assert "The 2 that began first are shown; the API lists all." in page


@pytest.mark.parametrize("number", [1, 20])
def test_drains_cost_the_same_however_many_there_are(
    number: int, root: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The list: the drains, their jobs, earlier runs. The node's page: beside its own queries the same."""
    nodes = [node(f"exec-{each}") for each in range(number)]
    for each in nodes:
        make_jobs(number, status="running", execution_node=each.hostname, unified_job_template=7)
        drain(root, each)
    root.get(f"/nodes/{nodes[0].pk}/")  # which shows the messages
    with django_assert_num_queries(SESSION + 3):
        root.get("/planning/drains/")
    with django_assert_num_queries(SESSION + 14):
        root.get(f"/nodes/{nodes[0].pk}/")


def test_what_was_typed_is_text(root: Client, own: Instance) -> None:
    drain(root, own, reason=SCRIPT, force_reason=SCRIPT)
    for path in (f"/nodes/{own.pk}/", "/planning/drains/"):
        page = text(root, path)
        assert SCRIPT not in page
        assert page.count("&lt;script&gt;") >= 2
