"""Draining nodes in the administration, and the list of drains."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from instances import drains
from instances.drains import DrainPlan
from instances.models import Drain, Instance, InstanceGroup, InstanceGroupRole, Mirror, User
from tests.make import make_jobs
from tests.mesh import node
from tests.test_admin import DRAINS, NODES, act, browser_of, history, page_of, shown, told

pytestmark = pytest.mark.django_db
CONFIRMED = {"confirmed": "yes", "reason": "new disks", "then": "stay"}


@pytest.fixture
def root(admin: User) -> Client:
    return browser_of(admin)


@pytest.fixture
def nodes(db: None) -> list[Instance]:
    return [node(f"exec-{number}") for number in range(2)]


def enabled() -> list[str]:
    return list(Instance.objects.filter(enabled=True).order_by("pk").values_list("hostname", flat=True))


def test_draining_asks_for_a_reason_and_what_comes_then(root: Client, nodes: list[Instance], admin: User) -> None:
    make_jobs(3, status="running", execution_node="exec-0")
    page = shown(act(root, NODES, "drain", *nodes))
    for field in ("reason", "deadline", "then", "force_reason"):
        assert f'name="{field}"' in page
    assert '<td data-label="Active jobs">3</td>' in page
    assert "This field is required." in shown(act(root, NODES, "drain", *nodes, **{**CONFIRMED, "reason": ""}))
    assert not Drain.objects.exists()
    deadline = timezone.now() + timedelta(days=1)
    answer = act(root, NODES, "drain", *nodes, **CONFIRMED, deadline=f"{deadline:%Y-%m-%dT%H:%M}")
    assert told(answer) == ["2 being drained."]
    assert enabled() == []
    begun = Drain.objects.values_list("requested_by", "reason", "then", "deadline__date")
    assert list(begun) == [(admin.pk, "new disks", "stay", deadline.date())] * 2
    assert history(nodes[0]) == ["Drained: new disks"]


def test_of_several_nodes_all_or_none_are_drained(root: Client, nodes: list[Instance]) -> None:
    group = InstanceGroup.objects.create(name="edge", policy_instance_minimum=1)
    group.instances.set(nodes)
    page = shown(act(root, NODES, "drain", *nodes, **CONFIRMED))
    assert drains.needed_by_others(nodes)[0] in page
    assert 'value="new disks"' in page  # what was typed
    assert enabled() == ["exec-0", "exec-1"]
    assert history(nodes[0]) == []
    assert told(act(root, NODES, "drain", *nodes, **CONFIRMED, force_reason="agreed")) == ["2 being drained."]


def test_a_drain_is_undone_for_each_node_that_has_one(root: Client, nodes: list[Instance], admin: User) -> None:
    act(root, NODES, "drain", nodes[0], **CONFIRMED)
    answer = act(root, NODES, "undo_drain", *nodes)
    assert told(answer)[-2] == "1 no longer being drained."
    assert told(answer)[-1] == f"<bdi>exec-1</bdi>: {drains.NOT_DRAINING}"
    assert enabled() == ["exec-0", "exec-1"]
    assert Drain.objects.get().ended_by == admin
    assert history(nodes[0]) == ["Drained: new disks", "Drain undone."]
    assert history(nodes[1]) == []


def test_the_page_of_a_node_offers_the_action_that_applies(root: Client, nodes: list[Instance]) -> None:
    page = shown(root.get(page_of(nodes[0])))
    assert ('value="drain"' in page, 'value="undo_drain"' in page) == (True, False)
    assert act(root, NODES, "drain", nodes[0], back="yes").context["cancel"] == page_of(nodes[0])
    assert act(root, NODES, "drain", nodes[0], back="yes", **CONFIRMED).url == page_of(nodes[0])
    page = shown(root.get(page_of(nodes[0])))
    assert ('value="drain"' in page, 'value="undo_drain"' in page) == (False, True)
    assert shown(root.get(NODES)).count(">Draining<") == 1
    assert act(root, NODES, "undo_drain", nodes[0], back="yes").url == page_of(nodes[0])


def test_nobody_drains_who_may_not_disable(root: Client, nodes: list[Instance], auditor: User) -> None:
    edge = InstanceGroup.objects.create(name="edge")
    edge.instances.set(nodes)
    User.objects.filter(pk=auditor.pk).update(is_staff=True)
    keeper = User.objects.create_user("keeper", is_staff=True)
    InstanceGroupRole.objects.create(user=keeper, instance_group=edge, role="admin_role")
    act(root, NODES, "drain", nodes[0], **CONFIRMED)
    for user in (auditor, keeper):
        act(browser_of(user), NODES, "drain", nodes[1], **CONFIRMED)
        act(browser_of(user), NODES, "undo_drain", nodes[0])
    assert Drain.objects.get().is_open


def test_the_drains_are_listed_with_who_when_why_and_how_they_ended(
    root: Client, nodes: list[Instance], admin: User, auditor: User
) -> None:
    drains.begin([nodes[0].pk], DrainPlan("<b>cables</b>", force_reason="at once"), admin)
    drains.undo(nodes[0].pk, User.objects.create_superuser("second"))
    drains.begin([nodes[1].pk], DrainPlan("disks", then="enable"), None)
    page = shown(root.get(DRAINS))
    assert page.index("exec-1") < page.index("exec-0")  # the latest first
    for text in ("&lt;b&gt;cables&lt;/b&gt;", "It was undone", "a command", "It is enabled again", "Draining"):
        assert text in page
    page = shown(root.get(f"{DRAINS}{Drain.objects.earliest('pk').pk}/change/"))
    assert "second" in page
    assert "at once" in page
    assert 'name="_save"' not in page
    assert "exec-0" not in shown(root.get(f"{DRAINS}?state=open"))
    assert "exec-1" not in shown(root.get(f"{DRAINS}?state=ended"))
    User.objects.filter(pk=auditor.pk).update(is_staff=True)
    assert "disks" in shown(browser_of(auditor).get(DRAINS))


def test_drains_of_nodes_that_are_not_seen_are_not_listed(root: Client, nodes: list[Instance], alice: User) -> None:
    edge = InstanceGroup.objects.create(name="edge")
    edge.instances.set(nodes[1:])
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    InstanceGroupRole.objects.create(user=alice, instance_group=edge, role="read_role")
    act(root, NODES, "drain", *nodes, **CONFIRMED)
    assert [each.hostname for each in browser_of(alice).get(DRAINS).context["cl"].result_list] == ["exec-1"]


def test_what_is_mirrored_is_not_drained_here(root: Client, nodes: list[Instance]) -> None:
    now = timezone.now()
    Mirror.objects.create(url="https://awx.example.org", version="23.6.0", began=now, finished=now, every=30)
    act(root, NODES, "drain", nodes[0], **CONFIRMED)
    assert not Drain.objects.exists()


def test_the_question_costs_the_same_for_any_number(root: Client, django_assert_num_queries: Any) -> None:
    counts = []
    for number in (1, 50):
        some = [node(f"node-{number}-{each}") for each in range(number)]
        with django_assert_num_queries(100, exact=False) as asked:
            shown(act(root, NODES, "drain", *some))
        counts.append(len(asked))
    assert counts[0] == counts[1]
