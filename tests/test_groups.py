"""Instance groups, what they add up to, and what lies below them."""

from threading import Timer
from typing import Any

import psycopg
import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from instances.models import Instance, InstanceGroup, InstanceGroupRole, User
from tests.conftest import client_of
from tests.make import make_jobs

pytestmark = pytest.mark.django_db
URL = "/api/v2/instance_groups/"
FIGURES = ("capacity", "consumed_capacity", "percent_capacity_remaining", "jobs_running", "jobs_total", "instances")
ACTIVE = ("running", "waiting")

members = st.builds(
    dict,
    node_type=st.sampled_from(Instance.NodeType.values),
    node_state=st.sampled_from(["ready", "ready", "unavailable", "installed"]),
    enabled=st.sampled_from([True, True, False]),
    capacity=st.integers(0, 100),
)
jobs = st.builds(
    dict,
    execution_node=st.integers(0, 5).map("node-{}".format),
    controller_node=st.integers(0, 5).map("node-{}".format),
    status=st.sampled_from(["running", "waiting", "pending", "successful"]),
    task_impact=st.integers(0, 50),
    in_group=st.booleans(),
)


def figures(nodes: list[dict[str, Any]], work: list[dict[str, Any]]) -> dict[str, Any]:
    """What a group of these nodes shows, worked out one node at a time."""
    served = {
        f"node-{n}": node
        for n, node in enumerate(nodes)
        if node["node_state"] == "ready" and node["enabled"] and node["node_type"] != "hop"
    }
    capacity = sum(node["capacity"] for node in served.values())
    consumed = running = 0
    for job in work:
        if job["status"] not in ACTIVE:
            continue
        if served.get(job["execution_node"], {}).get("node_type") in ("execution", "hybrid"):
            consumed, running = consumed + job["task_impact"], running + 1
        if served.get(job["controller_node"], {}).get("node_type") in ("control", "hybrid"):
            consumed += 1
    return {
        "capacity": capacity,
        "consumed_capacity": consumed,
        "percent_capacity_remaining": round((capacity - consumed) / capacity * 100, 2) if capacity else 0.0,
        "jobs_running": running,
        "jobs_total": sum(job["in_group"] for job in work),
        "instances": len(served),
    }


class TestFigures(TestCase):
    @settings(max_examples=60, deadline=None)
    @given(st.lists(members, max_size=6), st.lists(jobs, max_size=8))
    def test_of_any_group_are_the_sums_of_its_members(self, nodes: list[Any], work: list[Any]) -> None:
        admin = User.objects.create_superuser("admin")
        group = InstanceGroup.objects.create(name="any")
        InstanceGroup.objects.create(name="other").instances.add(Instance.objects.create(hostname="stranger"))
        for n, node in enumerate(nodes):
            group.instances.add(Instance.objects.create(hostname=f"node-{n}", **node))
        for job in work:
            fields = {name: value for name, value in job.items() if name != "in_group"}
            make_jobs(1, instance_group=group if job["in_group"] else None, **fields)
        client = client_of(admin)
        detail = client.get(f"{URL}{group.pk}/").json()
        listed = next(told for told in client.get(URL).json()["results"] if told["id"] == group.pk)
        assert {name: detail[name] for name in FIGURES} == figures(nodes, work)
        assert {name: listed[name] for name in FIGURES} == figures(nodes, work)


def test_a_container_group_counts_its_own_jobs(admin: User) -> None:
    group = InstanceGroup.objects.create(name="pods", is_container_group=True, max_forks=20)
    for status in ("running", "waiting", "pending", "failed"):
        make_jobs(1, instance_group=group, status=status, task_impact=11)
    body = client_of(admin).get(f"{URL}{group.pk}/").json()
    assert {name: body[name] for name in FIGURES} == {
        "capacity": 20,
        "consumed_capacity": 22,
        "percent_capacity_remaining": -10.0,
        "jobs_running": 2,
        "jobs_total": 4,
        "instances": 0,
    }


@pytest.mark.parametrize("role", InstanceGroupRole.Role.values)
def test_every_role_shows_the_group_and_only_admin_may_edit(role: str, alice: User, edge: InstanceGroup) -> None:
    hidden = InstanceGroup.objects.create(name="hidden")
    InstanceGroupRole.objects.create(user=alice, instance_group=edge, role=role)
    client = client_of(alice)
    shown = client.get(URL).json()["results"]
    assert [group["name"] for group in shown] == ["edge"]
    assert shown[0]["summary_fields"]["user_capabilities"] == {"edit": role == "admin_role", "delete": False}
    for sub in ("", "instances/", "jobs/", "object_roles/", "access_list/"):
        assert client.get(f"{URL}{edge.pk}/{sub}").status_code == 200
        assert client.get(f"{URL}edge/{sub}").status_code == 200
        assert client.get(f"{URL}{hidden.pk}/{sub}").status_code == 403
        assert client.get(f"{URL}hidden/{sub}").status_code == 404


def test_the_access_list_tells_why(admin: User, auditor: User, alice: User, bob: User, edge: InstanceGroup) -> None:
    told = client_of(admin).get(f"{URL}{edge.pk}/access_list/").json()["results"]
    why = {
        user["username"]: [
            [access["role"]["name"] for access in user["summary_fields"][kind]]
            for kind in ("direct_access", "indirect_access")
        ]
        for user in told
    }
    assert why == {
        "admin": [[], ["System Administrator"]],
        "auditor": [[], ["System Auditor"]],
        "bob": [["Use"], []],
    }


@pytest.mark.parametrize("name", ["controlplane", "default", "other"])
def test_own_groups_of_awx_cannot_be_deleted(name: str, admin: User) -> None:
    group = InstanceGroup.objects.create(name=name)
    summary = client_of(admin).get(f"{URL}{group.pk}/").json()["summary_fields"]
    assert summary["user_capabilities"]["delete"] is (name == "other")


@pytest.mark.django_db(transaction=True)
def test_a_deletion_that_writes_many_jobs_gets_more_time(admin: User, edge: InstanceGroup) -> None:
    make_jobs(1, instance_group=edge)
    with psycopg.connect(connection.connection.info.dsn) as other, connection.cursor() as cursor:
        other.execute("SELECT FROM instances_unifiedjob FOR UPDATE")  # writing it takes as long as this lasts
        cursor.execute("SET statement_timeout = 100")
        Timer(0.4, other.rollback).start()
        answer = client_of(admin).delete(f"{URL}{edge.pk}/")
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("100ms",)
        cursor.execute("RESET statement_timeout")
    assert answer.status_code == 204
    assert not InstanceGroup.objects.filter(pk=edge.pk).exists()


def test_a_role_can_be_asked_for_by_its_field(admin: User, edge: InstanceGroup) -> None:
    roles = client_of(admin).get(f"{URL}{edge.pk}/object_roles/?role_field=use_role").json()
    assert [role["name"] for role in roles["results"]] == ["Use"]


@pytest.mark.parametrize(("level", "seen"), [("read_role", 1), ("use_role", 1), ("admin_role", 0), ("x", 0)])
def test_groups_by_the_readers_role(level: str, seen: int, bob: User) -> None:
    assert client_of(bob).get(f"{URL}?role_level={level}").json()["count"] == seen


# --- groups whose administrators set no policies

POLICIES = {
    "policy_instance_percentage": 50,
    "policy_instance_minimum": 1,
    "policy_instance_list": ["exec-1"],
    "pod_spec_override": "a: b",
}


@pytest.fixture
def ruled(alice: User, settings: Any) -> InstanceGroup:
    """Alice administers it, and sets no policies."""
    settings.GROUP_ADMINS_SET_POLICIES = False
    Instance.objects.create(hostname="exec-1", node_type="execution")
    ruled = InstanceGroup.objects.create(name="edge", policy_instance_percentage=10, max_forks=1)
    InstanceGroupRole.objects.create(user=alice, instance_group=ruled, role="admin_role")
    return ruled


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("method", ["patch", "put"])
def test_only_superusers_set_policies_where_that_is_set(
    name: str, method: str, admin: User, alice: User, ruled: InstanceGroup, settings: Any
) -> None:
    path, body = f"/api/v2/instance_groups/{ruled.pk}/", {"name": "edge", name: POLICIES[name]}
    answer = getattr(client_of(alice), method)(path, body, format="json")
    assert answer.status_code == 403
    assert answer.json() == {"detail": "Only superusers may change the policies and the pod specification of a group."}
    assert client_of(alice).get(path).json()[name] != POLICIES[name]
    assert getattr(client_of(admin), method)(path, body, format="json").status_code == 200
    settings.GROUP_ADMINS_SET_POLICIES = True
    assert getattr(client_of(alice), method)(path, body, format="json").status_code == 200


@pytest.mark.parametrize("method", ["patch", "put"])
def test_policies_stay_where_somebody_else_changes_the_rest(method: str, alice: User, ruled: InstanceGroup) -> None:
    path = f"/api/v2/instance_groups/{ruled.pk}/"
    told = client_of(alice).get(path).json()
    for body in ({"name": "edge", "max_forks": 7}, {**told, "max_forks": 8}):
        answer = getattr(client_of(alice), method)(path, body, format="json")
        assert (answer.status_code, answer.json()["max_forks"]) == (200, body["max_forks"])
        assert answer.json()["policy_instance_percentage"] == 10


def test_options_tell_who_sets_policies(admin: User, alice: User, ruled: InstanceGroup, settings: Any) -> None:
    path = f"/api/v2/instance_groups/{ruled.pk}/"
    for user, allowed in ((alice, False), (admin, True)):
        actions = client_of(user).options(path).json()["actions"]
        assert POLICIES.keys().isdisjoint(actions["PUT"]) != allowed
        assert POLICIES.keys() <= actions["GET"].keys()
        assert "max_forks" in actions["PUT"]
    settings.GROUP_ADMINS_SET_POLICIES = True
    assert POLICIES.keys() <= client_of(alice).options(path).json()["actions"]["PUT"].keys()


@pytest.mark.parametrize("summary", [None, {"id": 7, "name": "k8s", "kind": "kubernetes_bearer_token", "cloud": False}])
def test_the_credential_of_a_group(summary: dict[str, Any] | None, admin: User, bob: User, edge: InstanceGroup) -> None:
    """Who sees a group that has it sees what the group knows; nothing else is known of credentials."""
    for name in ("pods", "more pods"):
        pods = InstanceGroup.objects.create(
            name=name, is_container_group=True, credential=7, credential_summary=summary
        )
    client = client_of(admin)
    path = client.get(f"/api/v2/instance_groups/{pods.pk}/").json()["related"]["credential"]
    told = client.get(path).json()
    assert (told["id"], told["url"], told["type"]) == (7, path, "credential")
    assert {name: told[name] for name in summary or {}} == (summary or {})
    assert told["kubernetes"] is None
    assert [client_of(user).get(path).status_code for user in (bob, None)] == [403, 401]
    InstanceGroupRole.objects.create(user=bob, instance_group=pods, role="read_role")
    assert client_of(bob).get(path).status_code == 200
    for missing in ("8", "0", "99999999999999999999"):
        assert client.get(f"/api/v2/credentials/{missing}/").status_code == 404
