"""A mirror of a real AWX, as far as one was recorded: what it told is here, and no odd record stops it."""

import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from awx_compat.awx_client.client import Access
from awx_compat.awx_client.errors import ChangingError, NotAWXError, UnreachableError
from awx_compat.awx_client.syncing import Sync
from instances.addresses import LISTENER
from instances.health import conditions
from instances.mirror import guard, writing
from instances.mirror.reported import ADDRESSES, GROUPS, INSTANCES, LISTENING_INSTANCES
from instances.mirror.writing import Counts, Plan
from instances.models import (
    Condition,
    Instance,
    InstanceGroup,
    InstanceGroupRole,
    InstanceLink,
    LeftOutJob,
    Mirror,
    NodeHealth,
    ReceptorAddress,
    UnifiedJob,
    User,
)
from instances.snapshot import SnapshotError
from tests.conftest import client_of
from tests.mirroring import PAUSE, unheard
from tests.recorded_awx import RecordedAWX
from tests.service import PROJECT, environment, manage, new_database

pytestmark = pytest.mark.django_db

VERSIONS = ("awx23", "awx24")
ACTIVE = (
    "/api/v2/unified_jobs/?order_by=id&id__gt=0&page_size=200&count_disabled=1&status__in=new,pending,waiting,running"
)
ALL_JOBS = "/api/v2/unified_jobs/?order_by=id&id__gt=0&page_size=200&count_disabled=1"
MESH = "/api/v2/mesh_visualizer/"
# What a list of groups tells of their load counts in AWX only the groups on the page.
LOAD_OF_GROUP = ("consumed_capacity", "percent_capacity_remaining", "jobs_running")
OF_24 = ("managed", "reverse_peers", "protocol", "peers")  # the mirror speaks 23.6.0

Record = dict[str, Any]


def mirror(awx: RecordedAWX, **options: Any) -> Counts:
    """Sync; always as if with the AWX at the same address, so that one sync may follow on another."""
    plan = Plan("https://awx.example.org", **options)
    return Sync(Access(awx.address, token="token"), plan, threading.Event(), unheard, pause=PAUSE).run()


def answer(path: str, as_: str = "admin") -> Any:
    """What the mirror answers to that user."""
    response = client_of(User.objects.get(username=as_)).get(path)
    assert response.status_code == 200, response.content
    return response.json()


def results(path: str) -> list[Record]:
    found: list[Record] = answer(f"{path}?page_size=200&order_by=id")["results"]
    return found


def without(record: Record, *names: str) -> Record:
    return {name: value for name, value in record.items() if name not in names}


def group_of_any_ids(group: Record) -> Record:
    """A group without its load, and without the ids of its roles, which are no records here."""
    summary = {**group["summary_fields"], "object_roles": sorted(group["summary_fields"]["object_roles"])}
    return {**without(group, *LOAD_OF_GROUP), "summary_fields": summary}


# --- whole


@pytest.mark.parametrize("version", VERSIONS)
def test_every_record_of_a_real_awx_is_told(version: str) -> None:
    with RecordedAWX(version) as awx:
        mirror(awx)
    told = [without(one, "related", *OF_24) for one in awx.records("instances")]
    assert [without(one, "related", *OF_24) for one in results("/api/v2/instances/")] == told
    told = [group_of_any_ids(one) for one in awx.records("instance_groups")]
    assert [group_of_any_ids(one) for one in results("/api/v2/instance_groups/")] == told
    for group in awx.records("instance_groups"):
        path = f"instance_groups/{group['id']}/instances"
        members = [one["id"] for one in results(f"/api/v2/{path}/")]
        assert members == [one["id"] for one in awx.records(path)]
    nodes = answer(MESH)["nodes"]
    assert sorted(map(str, nodes)) == sorted(map(str, awx.response(MESH)["nodes"]))
    active = answer("/api/v2/unified_jobs/?order_by=id&page_size=200")["results"]
    assert [without(job, "elapsed") for job in active] == [
        without(job, "elapsed") for job in awx.response(ACTIVE)["results"]
    ]
    accounts = ("username", "first_name", "last_name", "email", "is_superuser", "is_system_auditor")
    assert sorted(User.objects.values_list(*accounts)) == sorted(
        tuple(one[name] for name in accounts) for one in awx.records("users")
    )
    rights = InstanceGroupRole.objects.values_list("instance_group_id", "user__username", "role")
    assert list(rights) == [(3, "bob", "use_role")]


def test_the_links_of_awx_23() -> None:
    with RecordedAWX("awx23") as awx:
        counts = mirror(awx, all_jobs=True)
    assert answer(MESH)["links"] == awx.response(MESH)["links"]
    assert [one["peers"] for one in results("/api/v2/instances/")] == [one["peers"] for one in awx.records("instances")]
    told = [without(job, "elapsed") for job in awx.response(ALL_JOBS)["results"]]
    assert [without(job, "elapsed") for job in results("/api/v2/unified_jobs/")] == told
    assert counts["all jobs"].total == len(told)
    assert not any(Mirror.objects.get().left_out.values())


def test_the_addresses_and_all_links_of_awx_24() -> None:
    """Of two links that join the same nodes too: they lead to two addresses."""
    with RecordedAWX("awx24") as awx:
        counts = mirror(awx)
    columns = [column.key for column in ADDRESSES.columns]
    stored = [
        dict(zip(columns, row, strict=True)) for row in ReceptorAddress.objects.order_by("id").values_list(*columns)
    ]
    assert stored == [{name: one[name] for name in columns} for one in awx.records("receptor_addresses")]
    assert [each.full_address for each in ReceptorAddress.objects.order_by("id")] == [
        one["full_address"] for one in awx.records("receptor_addresses")
    ]
    assert stored_links() == links_of(awx)
    managed = Instance.objects.order_by("id").values_list("id", "managed")
    assert list(managed) == [(one["id"], one["managed"]) for one in awx.records("instances")]
    assert (counts["addresses"].total, counts["links"].total) == (18, 33)
    assert not any(Mirror.objects.get().left_out.values())


def stored_links() -> set[tuple[int, str, int, str]]:
    """Id, source, address, and state of each."""
    links = InstanceLink.objects.values_list("id", "source__hostname", "target", "link_state")
    return set(links)


def links_of(awx: RecordedAWX) -> set[tuple[int, str, int, str]]:
    """The same of an AWX 24."""
    ids = {one["url"]: one["id"] for one in awx.records("receptor_addresses")}
    return {
        (link["id"], link["source"], ids[link["related"]["target_address"]], link["link_state"])
        for link in awx.response(MESH)["links"]
    }


@pytest.mark.parametrize(
    ("states", "kept"),
    [
        (("removing", "established"), 29),
        (("removing", "adding"), 29),
        (("adding", "established"), 29),
        (("adding", "adding"), 1),
        (("established", "removing"), 1),
    ],
)
def test_of_two_links_to_one_address_the_one_is_kept_that_is_established_or_will_be(
    states: tuple[str, str], kept: int
) -> None:
    with RecordedAWX("awx24") as awx:
        links = {link["id"]: link for link in awx.response(MESH)["links"]}
        links[29]["related"] = links[1]["related"]
        links[1]["link_state"], links[29]["link_state"] = states
        mirror(awx)
    link = InstanceLink.objects.get(source=1, target=24)
    assert (link.pk, link.link_state) == (kept, states[kept == 29])
    left_out = Mirror.objects.get()
    assert {kind: number for kind, number in left_out.left_out.items() if number} == {"links": 1}
    other = 1 if kept == 29 else 29
    ends = 'from instance 1 ("control-1.example.org") to address 24 ("exec-1.example.org")'
    assert left_out.left_out_names == [
        f"link {other} {ends} is left out: it has the same source and target as link {kept} {ends}."
    ]


# --- what was here before


def test_nothing_that_was_noted_of_the_nodes_before_is_told_of_those_that_have_their_ids() -> None:
    now = timezone.now()
    other = Instance.objects.create(pk=5, hostname="other", node_type="execution", enabled=False)
    NodeHealth.objects.create(instance=other, lost_since=now - timedelta(days=9), disabled_reason="CHG-old")
    conditions.store([other], now, conditions.Watch())
    connection.check_constraints()  # a table with constraints to be checked yet cannot be altered
    with RecordedAWX("awx23") as awx:
        mirror(awx, replace=True)
        assert not NodeHealth.objects.exists()
        noted = Condition.objects.filter(instance=5).values_list("status", "reason", "message")
        assert noted
        assert not [each for each in noted if "CHG-old" in each[2] or each[1] in ("Lost", "NodeDown")]
        assert "Lost since" not in json.dumps(answer("/api/fleet/v1/instances/5/conditions/"))
        NodeHealth.objects.create(instance_id=5, disabled_reason="noted while it is mirrored")
        mirror(awx, replace=True)
    assert NodeHealth.objects.exists(), "what was noted of this mirror's own nodes stays"


# --- odd records


def set_in_lists(awx: RecordedAWX, pk: int, **changes: Any) -> None:
    """Change a node in both lists that tell of it."""
    node = next(one for one in awx.records("instances") if one["id"] == pk)
    for one in awx.response(MESH)["nodes"]:
        if one["id"] == pk:
            one.update({name: value for name, value in changes.items() if name in one})
    node.update(changes)


NODE: Record = {
    "listener_port": [-5, 65536, 70000],
    "hostname": ["x" * 251, ""],
    "uuid": ["x" * 41],
    "version": ["x" * 121],
    "ip_address": ["x" * 51],
    "node_type": ["satellite"],
    "node_state": ["degraded", ""],
    "capacity": [-1, 2**31],
    "cpu": ["1000.0", "-1.0", "0.25"],
    "memory": [-1],
    "capacity_adjustment": ["-0.01", "10.00", "0.123"],
    "mem_capacity": [2**31],
    "cpu_capacity": [-(2**31) - 1],
    "last_seen": ["soon", "2023-12-21T11:46:49"],
    "errors": [None, "\0"],
}
ADDRESS: Record = {
    "address": ["x" * 256, ""],
    "port": [2**31, -(2**31) - 1],
    "protocol": ["quic"],
    "websocket_path": ["x" * 256],
    "peers_from_control_nodes": [None],
}
GROUP: Record = {
    "name": ["x" * 251, ""],
    "max_forks": [-1],
    "max_concurrent_jobs": [2**31],
    "policy_instance_percentage": [101, -1],
    "policy_instance_minimum": [-1],
    "pod_spec_override": [None],
}
USER: Record = {
    "username": ["x" * 151, ""],
    "first_name": ["x" * 151],
    "email": ["x" * 255],
    "created": ["never"],
}
JOB: Record = {
    "type": ["workflow_approval"],
    "status": ["paused"],
    "launch_type": ["webhook2"],
    "name": ["x" * 513],
    "execution_node": ["x" * 251],
    "elapsed": ["10000000000.0"],
    "created": [None],
}


def each(fields: Record) -> list[tuple[str, Any]]:
    return [(name, value) for name, values in fields.items() for value in values]


@pytest.mark.slow
@pytest.mark.parametrize(("field", "value"), each(NODE))
def test_an_odd_node_is_left_out_with_its_links_and_memberships(
    field: str, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    version = "awx23" if field == "listener_port" else "awx24"  # there it is the port of an address
    with RecordedAWX(version) as awx, caplog.at_level(logging.WARNING):
        hostname = next(one["hostname"] for one in awx.records("instances") if one["id"] == 6)
        if field == "hostname":
            for link in awx.response(MESH)["links"]:
                link.update({end: value for end in ("source", "target") if link[end] == hostname})
        set_in_lists(awx, 6, **{field: value})
        mirror(awx)
    assert set(Instance.objects.values_list("pk", flat=True)) == {one["id"] for one in awx.records("instances")} - {6}
    left_out = Mirror.objects.get().left_out
    name = value if field == "hostname" else hostname
    lost = [link for link in awx.response(MESH)["links"] if name in (link["source"], link["target"])]
    memberships = [
        group["id"]
        for group in awx.records("instance_groups")
        if 6 in [one["id"] for one in awx.records(f"instance_groups/{group['id']}/instances")]
    ]
    assert lost
    assert memberships
    assert left_out["instances"] == 1
    assert left_out["addresses"] == (version == "awx24")
    assert left_out["members"] == len(memberships)
    assert InstanceLink.objects.count() == len(awx.response(MESH)["links"]) - left_out["links"]
    assert f"instance 6 ({json.dumps(name)[:60]}" in caplog.text
    assert f"{field} " in caplog.text
    for link in lost:
        assert f"link {link['id']} from " in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize(("field", "value"), each(ADDRESS))
def test_an_odd_address_is_left_out_with_the_links_to_it(
    field: str, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Address 39, one of three of instance 5, which stays."""
    with RecordedAWX("awx24") as awx, caplog.at_level(logging.WARNING):
        kept = {link for link in links_of(awx) if link[2] != 39}
        lost = links_of(awx) - kept
        next(one for one in awx.records("receptor_addresses") if one["id"] == 39)[field] = value
        mirror(awx)
    assert len(lost) == 2
    assert stored_links() == kept
    assert set(ReceptorAddress.objects.filter(instance=5).values_list("pk", flat=True)) == {24, 37}
    left_out = Mirror.objects.get().left_out
    assert {kind: number for kind, number in left_out.items() if number} == {"addresses": 1, "links": len(lost)}
    assert f"{field} " in caplog.text


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"address": "exec-1.example.org"}, 'it has the same address as address 24 ("exec-1.example.org")'),
        ({"canonical": True}, "another address of its node is canonical"),
        ({"instance": 99}, "no instance has the id 99"),
    ],
)
def test_an_address_that_contradicts_another_record_is_left_out(
    changes: Record, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with RecordedAWX("awx24") as awx, caplog.at_level(logging.WARNING):
        next(one for one in awx.records("receptor_addresses") if one["id"] == 39).update(changes)
        mirror(awx)
    assert not ReceptorAddress.objects.filter(pk=39).exists()
    assert Mirror.objects.get().left_out["addresses"] == 1
    assert f"is left out: {reason}." in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "pk", "field", "value"),
    [
        *(("instance_groups", 3, field, value) for field, value in each(GROUP)),
        *(("users", 4, field, value) for field, value in each(USER)),
    ],
)
def test_an_odd_group_or_user_is_left_out_with_its_rights(
    name: str, pk: int, field: str, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with RecordedAWX("awx23") as awx, caplog.at_level(logging.WARNING):
        next(one for one in awx.records(name) if one["id"] == pk)[field] = value
        mirror(awx)
    left_out = Mirror.objects.get().left_out
    kind = {"instance_groups": "groups", "users": "users"}[name]
    members = awx.records("instance_groups/3/instances")
    assert (left_out[kind], left_out["roles"]) == (1, 1)
    assert left_out["members"] == (len(members) if kind == "groups" else 0)
    assert InstanceGroup.objects.count() == len(awx.records("instance_groups")) - (kind == "groups")
    assert User.objects.count() == len(awx.records("users")) - (kind == "users")
    assert Instance.objects.count() == len(awx.records("instances"))
    assert not InstanceGroupRole.objects.exists()
    assert "use_role of user 4" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize(("field", "value"), each(JOB))
def test_an_odd_job_is_left_out_and_still_counted(field: str, value: Any) -> None:
    with RecordedAWX("awx23") as awx:
        job = next(job for job in awx.response(ALL_JOBS)["results"] if job["status"] == "successful")
        job[field] = value
        jobs = len(awx.response(ALL_JOBS)["results"])
        mirror(awx, all_jobs=True)
        assert UnifiedJob.objects.count() == jobs - 1
        assert Mirror.objects.get().left_out["all jobs"] == 1
        awx.add("/api/v2/unified_jobs/?id__lte=172&page_size=1", {"count": jobs, "next": None, "results": []})
        awx.asked.clear()
        mirror(awx)
        assert not [path for path in awx.asked if "id__gt=0" in path and "status__in" not in path], "copied again"
    told = {one["id"]: one["jobs_total"] for one in awx.records("instances")}
    assert {one["id"]: one["jobs_total"] for one in results("/api/v2/instances/")} == told


def test_a_job_that_is_odd_only_until_it_ends_is_told_from_then_on() -> None:
    with RecordedAWX("awx23") as awx:
        active = awx.response(ACTIVE)["results"]
        job = next(job for job in active if job["status"] == "pending")
        everywhere = [
            one for page in (ACTIVE, ALL_JOBS) for one in awx.response(page)["results"] if one["id"] == job["id"]
        ]
        for one in everywhere:
            one["launch_type"] = "odd"
        mirror(awx, all_jobs=True)
        assert list(LeftOutJob.objects.values_list("pk", "ended")) == [(job["id"], False)]
        for one in everywhere:
            one["launch_type"] = "manual"
        jobs = len(awx.response(ALL_JOBS)["results"])
        awx.add("/api/v2/unified_jobs/?id__lte=172&page_size=1", {"count": jobs, "next": None, "results": []})
        mirror(awx)
    assert UnifiedJob.objects.filter(pk=job["id"]).exists()
    assert Mirror.objects.get().left_out["all jobs"] == 0


def test_a_link_from_a_node_to_itself_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with RecordedAWX("awx24") as awx, caplog.at_level(logging.WARNING):
        links = awx.response(MESH)["links"]
        own = {**links[0]["related"], "target_address": "/api/v2/receptor_addresses/21/"}
        links.append({**links[0], "id": 99, "target": links[0]["source"], "related": own})
        mirror(awx)
    assert (
        'link 99 from instance 1 ("control-1.example.org") to address 21 ("control-1.example.org") is left out: '
        "it leads from a node to itself."
    ) in caplog.text
    assert InstanceLink.objects.count() == 33


def test_a_link_in_an_unknown_state_is_left_out() -> None:
    with RecordedAWX("awx23") as awx:
        awx.response(MESH)["links"][0]["link_state"] = "broken"
        mirror(awx)
    assert Mirror.objects.get().left_out["links"] == 1
    assert InstanceLink.objects.count() == 18


@pytest.mark.parametrize(
    ("name", "field"), [("instances", "hostname"), ("instances", "ip_address"), ("instance_groups", "name")]
)
def test_of_two_with_the_same_unique_value_the_first_is_kept(
    name: str, field: str, caplog: pytest.LogCaptureFixture
) -> None:
    with RecordedAWX("awx23") as awx, caplog.at_level(logging.WARNING):
        first, second = [one for one in awx.records(name) if one[field]][:2]
        value = first[field]
        if name == "instances":
            set_in_lists(awx, second["id"], **{field: value})
            if field == "hostname":
                links = awx.response(MESH)["links"]
                links[:] = [link for link in links if second["id"] not in ends(awx, link)]
        second[field] = value
        mirror(awx)
    model = {"instances": Instance, "instance_groups": InstanceGroup}[name]
    assert model.objects.get(**{field: value}).pk == first["id"]
    assert not model.objects.filter(pk=second["id"]).exists()
    assert f"it has the same {field} as " in caplog.text


def ends(awx: RecordedAWX, link: Record) -> set[int]:
    ids = {one["hostname"]: one["id"] for one in RecordedAWX("awx23").records("instances")}
    return {ids[link["source"]], ids[link["target"]]}


def test_the_right_on_a_group_that_is_not_there_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with RecordedAWX("awx24") as awx, caplog.at_level(logging.WARNING):
        awx.change("role_user_assignments", lambda all_: all_.append({**all_[1], "id": 9, "object_id": "77"}))
        mirror(awx)
    assert "no instance group has the id 77" in caplog.text
    assert Mirror.objects.get().left_out["roles"] == 1


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_odd_the_rest_is_told(data: st.DataObject) -> None:
    """Random odd values in random nodes, addresses, groups, users and links, but never in all of a kind."""
    version = data.draw(st.sampled_from(VERSIONS))
    recorded = RecordedAWX(version)
    odd: dict[str, set[int]] = {}
    kinds = {"instances": without(NODE, "hostname"), "instance_groups": GROUP, "users": USER}
    if version == "awx24":
        kinds["instances"] = without(NODE, "hostname", "listener_port")
        kinds["receptor_addresses"] = ADDRESS
    for name, fields in kinds.items():
        ids = [one["id"] for one in recorded.records(name)]
        odd[name] = data.draw(st.sets(st.sampled_from(ids), max_size=len(ids) - 1))
        for pk in sorted(odd[name]):
            field, value = data.draw(st.sampled_from(each(fields)))
            if name == "instances":
                set_in_lists(recorded, pk, **{field: value})
            next(one for one in recorded.records(name) if one["id"] == pk)[field] = value
    links = recorded.response(MESH)["links"]
    for link in links:
        change = data.draw(st.sampled_from([{}, {}, {}, {"link_state": "odd"}, to_itself(recorded, link)]))
        link.update(change)
    with recorded as awx:
        mirror(awx)
    for name, model in (("instances", Instance), ("instance_groups", InstanceGroup)):
        told = {one["id"] for one in awx.records(name)} - odd[name]
        assert set(model.objects.values_list("pk", flat=True)) == told
    told_names = {one["username"] for one in awx.records("users") if one["id"] not in odd["users"]}
    assert set(User.objects.filter(mirrored=True).values_list("username", flat=True)) == told_names
    ids = {one["hostname"]: one["id"] for one in awx.records("instances")}
    addresses = awx.records("receptor_addresses") if version == "awx24" else []
    kept = {one["url"]: one for one in addresses if one["id"] not in odd["receptor_addresses"]}
    expected = set()
    for link in links:
        address = kept.get(link["related"].get("target_address"))
        nodes = ids[link["source"]], ids[link["target"]]
        told = (address is not None) if addresses else True
        if told and link["link_state"] != "odd" and nodes[0] != nodes[1] and not odd["instances"].intersection(nodes):
            expected.add((nodes[0], address["id"] if address else nodes[1]))
    target = "target" if addresses else "target__instance"
    assert set(InstanceLink.objects.values_list("source", target)) == expected
    members = {
        (group["id"], one["id"])
        for group in awx.records("instance_groups")
        if group["id"] not in odd["instance_groups"]
        for one in awx.records(f"instance_groups/{group['id']}/instances")
        if one["id"] not in odd["instances"]
    }
    through = InstanceGroup.instances.through
    assert set(through.objects.values_list("instancegroup_id", "instance_id")) == members
    left_out = Mirror.objects.get().left_out
    assert left_out["instances"] == len(odd["instances"])
    assert left_out["links"] == len(links) - InstanceLink.objects.count()


def to_itself(awx: RecordedAWX, link: Record) -> Record:
    """What makes the link lead to its own source; nothing if AWX 24 has no address of that."""
    if "target_address" not in link["related"]:
        return {"target": link["source"]}
    ids = {one["hostname"]: one["id"] for one in awx.records("instances")}
    own = [one["url"] for one in awx.records("receptor_addresses") if one["instance"] == ids[link["source"]]]
    return {"target": link["source"], "related": {**link["related"], "target_address": own[0]}} if own else {}


@pytest.mark.parametrize("ends", [("source",), ("target",), ("source", "target")])
def test_a_link_without_an_end_is_left_out(ends: tuple[str, ...], caplog: pytest.LogCaptureFixture) -> None:
    with RecordedAWX("awx23") as awx, caplog.at_level(logging.WARNING):
        links = awx.response(MESH)["links"]
        links.append({**links[0], "id": 99, **dict.fromkeys(ends)})
        mirror(awx)
    assert Mirror.objects.get().left_out["links"] == 1
    assert InstanceLink.objects.count() == len(links) - 1
    assert "link 99 from " in caplog.text
    assert ("it has no ends" if len(ends) == 2 else "it has only one end") in caplog.text


# --- records for which AWX fails


def failing(awx: RecordedAWX, path: str, status: int = 500) -> None:
    awx.add(path, {"error": "A server error has occurred."}, status)


def in_list(pk: int, rest: str) -> str:
    return f"/api/v2/instance_groups/{pk}/{rest}/?page_size=200&order_by=id"


@pytest.mark.slow
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_the_rights_on_a_group_for_which_awx_fails_are_left_out(status: int, caplog: pytest.LogCaptureFixture) -> None:
    with RecordedAWX("awx23") as awx, caplog.at_level(logging.WARNING):
        mirror(awx)
        assert rights() == {(3, "bob", "use_role")}
        failing(awx, in_list(3, "access_list"), status)
        mirror(awx)
        assert rights() == set(), "nothing is kept that is not told"
        assert Mirror.objects.get().left_out["roles"] == 1
        assert Mirror.objects.get().failures == 0
        named = f"access to instance group 3 ({json.dumps(awx.records('instance_groups')[2]['name'])}) is left out: "
        assert named in caplog.text
        assert f"/access_list/ with {status}." in caplog.text
        assert any(named in name for name in Mirror.objects.get().left_out_names)
        assert InstanceGroup.objects.count() == len(awx.records("instance_groups"))
        awx.exchanges.update(RecordedAWX("awx23").exchanges)
        mirror(awx)
    assert rights() == {(3, "bob", "use_role")}
    assert Mirror.objects.get().left_out["roles"] == 0


def test_a_group_whose_members_awx_fails_to_tell_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with RecordedAWX("awx23") as awx, caplog.at_level(logging.WARNING):
        failing(awx, in_list(3, "instances"))
        mirror(awx)
    assert set(InstanceGroup.objects.values_list("pk", flat=True)) == {
        one["id"] for one in awx.records("instance_groups")
    } - {3}
    left_out = Mirror.objects.get().left_out
    assert (left_out["groups"], left_out["roles"]) == (1, 1)
    assert "/instance_groups/3/instances/ with 500." in caplog.text


@pytest.mark.parametrize("keeps_ended", [False, True])
def test_a_job_for_which_awx_fails_is_left_out_until_it_does_not(
    keeps_ended: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with RecordedAWX("awx23") as awx, caplog.at_level(logging.WARNING):
        mirror(awx, all_jobs=keeps_ended)
        told = UnifiedJob.objects.count()
        job = next(job for job in awx.response(ACTIVE)["results"] if job["type"] == "job")
        whole = deepcopy(job)
        for page in (ACTIVE, ALL_JOBS):
            for one in awx.response(page)["results"]:
                if one["id"] == job["id"]:
                    del one["forks"]
        failing(awx, job["url"])
        jobs = len(awx.response(ALL_JOBS)["results"])
        awx.add("/api/v2/unified_jobs/?id__lte=172&page_size=1", {"count": jobs, "next": None, "results": []})
        for _ in range(2):
            mirror(awx)
            assert UnifiedJob.objects.count() == told - 1
            assert Mirror.objects.get().left_out["jobs"] == 1
            assert LeftOutJob.objects.count() == keeps_ended
        assert f"job {job['id']} (" in caplog.text
        assert f"{job['url']} with 500." in caplog.text
        awx.add(job["url"], whole)
        mirror(awx)
    assert UnifiedJob.objects.count() == told
    assert Mirror.objects.get().left_out["jobs"] == 0
    assert not LeftOutJob.objects.exists()


def test_an_ended_job_for_which_awx_fails_is_left_out_and_counted() -> None:
    with RecordedAWX("awx23") as awx:
        jobs = awx.response(ALL_JOBS)["results"]
        job = next(job for job in jobs if job["type"] == "job" and job["status"] == "successful")
        del job["forks"]
        failing(awx, job["url"])
        mirror(awx, all_jobs=True)
    assert UnifiedJob.objects.count() == len(jobs) - 1
    assert list(LeftOutJob.objects.values_list("pk", "ended")) == [(job["id"], True)]


def team_with_a_right(awx: RecordedAWX) -> str:
    """Let a team have a right on group 1, and alice be one whom an assignment makes a member; the list of its users."""
    own = awx.records("role_user_assignments")[1]
    awx.change("teams", lambda all_: all_.append({"id": 7, "name": "night shift", "organization": 1}))
    given = {**without(own, "user"), "id": 1, "team": 7, "role_definition": 25, "object_id": "1"}
    awx.change("role_team_assignments", lambda all_: all_.append(given))
    return "/api/v2/teams/7/users/?page_size=200&order_by=id"


def test_the_rights_of_a_team_whose_users_awx_fails_to_tell_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with RecordedAWX("awx24") as awx, caplog.at_level(logging.WARNING):
        users = team_with_a_right(awx)
        alice = next(one for one in awx.records("users") if one["username"] == "alice")
        awx.add(users, {"count": 1, "next": None, "results": [alice]})
        mirror(awx)
        assert rights() == {(3, "bob", "use_role"), (1, "alice", "use_role")}
        failing(awx, users)
        mirror(awx)
    assert rights() == {(3, "bob", "use_role")}, "nothing is kept that is not told"
    assert Mirror.objects.get().left_out["roles"] == 1
    assert 'access of the users of team 7 ("night shift") is left out: ' in caplog.text


@pytest.mark.parametrize("path", ["/api/v2/ping/", in_list(3, "access_list")])
def test_where_awx_fails_for_everything_no_record_is_to_blame(path: str) -> None:
    """It answers ping/ once, before it fails; what was mirrored stays."""
    with RecordedAWX("awx23") as awx:
        mirror(awx)
        failing(awx, in_list(3, "access_list"))
        asked = awx.asked
        awx.asked = Asked(lambda: len(awx.asked) > 3 and failing(awx, path))  # type: ignore[func-returns-value]
        if path == "/api/v2/ping/":
            with pytest.raises(UnreachableError, match="/api/v2/ping/ with 500"):
                mirror(awx)
            assert rights() == {(3, "bob", "use_role")}
        else:
            mirror(awx)
            assert rights() == set()
        assert asked


class Asked(list[str]):
    """What is asked; each time something is done."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self.act = act

    def append(self, path: str) -> None:
        super().append(path)
        self.act()


def test_a_record_is_asked_for_again_when_awx_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWX is restarted while it is asked for a record: ping/ is answered when it is there again."""
    with RecordedAWX("awx23") as awx:
        failing(awx, in_list(3, "access_list"), 502)
        asked: list[str] = []

        def back() -> None:
            asked.append(awx.asked[-1])
            if asked.count("/api/v2/ping/") == 2:
                awx.exchanges.update(RecordedAWX("awx23").exchanges)

        awx.asked = Asked(back)
        mirror(awx)
    assert rights() == {(3, "bob", "use_role")}
    assert Mirror.objects.get().left_out["roles"] == 0


# --- what is no odd record but no answer of AWX's


def assert_refused(awx: RecordedAWX, *kinds: type[Exception]) -> None:
    """A sync with the changed AWX fails, and what was mirrored before stays."""
    with RecordedAWX("awx23") as before:
        mirror(before)
    stored = list(Instance.objects.order_by("pk").values())
    with awx, pytest.raises(kinds):
        mirror(awx)
    assert list(Instance.objects.order_by("pk").values()) == stored
    assert Mirror.objects.get().failures == 1


@pytest.mark.parametrize("name", ["instances", "instance_groups", "users"])
def test_a_list_of_which_nothing_would_remain_is_refused(name: str) -> None:
    awx = RecordedAWX("awx23")
    for one in awx.records(name):
        one.update(
            {"instances": {"errors": None}, "instance_groups": {"max_forks": -1}, "users": {"created": "x"}}[name]
        )
    assert_refused(awx, SnapshotError)


def test_a_list_without_the_nodes_of_the_mesh_is_refused() -> None:
    awx = RecordedAWX("awx23")
    awx.change("instances", lambda records: records.clear())
    assert_refused(awx, ChangingError)


def test_members_that_no_list_has_are_refused() -> None:
    awx = RecordedAWX("awx23")
    awx.records("instance_groups/2/instances")[0]["id"] = 77
    assert_refused(awx, ChangingError)
    assert len([path for path in awx.asked if path.startswith("/api/v2/instances/")]) > 1, "it is read again"


@pytest.mark.parametrize("value", [[], {}, True, 5, 10**30])
def test_a_value_of_another_kind_is_refused(value: Any) -> None:
    awx = RecordedAWX("awx23")
    field = "capacity" if value == 10**30 else "errors"
    awx.records("instances")[5][field] = value
    assert_refused(awx, SnapshotError)


def test_another_job_than_was_asked_for_is_refused() -> None:
    awx = RecordedAWX("awx23")
    job = next(job for job in awx.response(ACTIVE)["results"] if job["type"] == "job")
    del job["forks"]
    awx.add(job["url"], {})
    assert_refused(awx, NotAWXError)


# --- rights of AWX 24.6


def rights() -> set[tuple[int, str, str]]:
    return set(InstanceGroupRole.objects.values_list("instance_group_id", "user__username", "role"))


def test_where_access_lists_fail_assignments_tell_the_rights() -> None:
    """bob has a definition of one's own on group 2, whose access_list/ is AWX's own 500."""
    with RecordedAWX("awx24", "awx24_custom_role") as awx:
        mirror(awx)
    assert not [path for path in awx.asked if "access_list" in path]
    assert rights() == {(3, "bob", "use_role"), (2, "bob", "read_role")}
    assert [one["id"] for one in answer("/api/v2/instance_groups/", "bob")["results"]] == [2, 3]


DEFINITIONS = {24: "admin_role", 25: "use_role"}


@pytest.mark.parametrize("definition", DEFINITIONS)
@pytest.mark.parametrize("how", ["listed", "Team Member", "Team Admin", "Organization Admin", "nobody"])
def test_the_members_of_a_team_have_its_rights(definition: int, how: str) -> None:
    with RecordedAWX("awx24") as awx:
        own = awx.records("role_user_assignments")[1]
        awx.change("teams", lambda all_: all_.append({"id": 7, "name": "night shift", "organization": 1}))
        given = {**without(own, "user"), "id": 1, "team": 7, "role_definition": definition, "object_id": "1"}
        awx.change("role_team_assignments", lambda all_: all_.append(given))
        listed = [one for one in awx.records("users") if one["username"] == "alice" and how == "listed"]
        awx.add(
            "/api/v2/teams/7/users/?page_size=200&order_by=id", {"count": len(listed), "next": None, "results": listed}
        )
        if how not in ("listed", "nobody"):
            named = next(one["id"] for one in awx.records("role_definitions") if one["name"] == how)
            on = ("shared.organization", "1") if how.startswith("Org") else ("shared.team", "7")
            member = {**own, "id": 8, "user": 3, "role_definition": named, "content_type": on[0], "object_id": on[1]}
            awx.change("role_user_assignments", lambda all_: all_.append(member))
        mirror(awx)
    expected = set() if how == "nobody" else {(1, "alice", DEFINITIONS[definition])}
    assert rights() == {(3, "bob", "use_role"), *expected}


def test_a_team_that_is_deleted_meanwhile_gives_no_right() -> None:
    with RecordedAWX("awx24") as awx:
        own = awx.records("role_user_assignments")[1]
        for name, one in (("teams", {"id": 7, "organization": 1}), ("role_team_assignments", {**own, "team": 7})):
            awx.change(name, lambda all_, one=one: all_.append(one))  # type: ignore[misc]
        mirror(awx)
    assert rights() == {(3, "bob", "use_role")}


def test_a_right_on_everything_is_one_on_each_group_but_for_auditors() -> None:
    with RecordedAWX("awx24") as awx:
        everything = awx.records("role_user_assignments")[0]
        awx.change("role_user_assignments", lambda all_: all_.append({**everything, "id": 9, "user": 3}))
        mirror(awx)
    assert rights() == {(3, "bob", "use_role"), *((pk, "alice", "read_role") for pk in range(1, 6))}


ODD_ASSIGNMENTS: Record = {
    "user": [None, "bob", [], 1.5, True],
    "object_id": [None, "here", "1.0", "-3", "9" * 5000, {}, ["3"]],
    "role_definition": [None, [], "use"],
    "content_type": [5, ["awx.instancegroup"], True],
}


@pytest.mark.slow
@pytest.mark.parametrize(("field", "value"), each(ODD_ASSIGNMENTS))
def test_an_assignment_that_cannot_be_read_is_left_out(
    field: str, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with RecordedAWX("awx24") as awx, caplog.at_level(logging.WARNING):
        own = awx.records("role_user_assignments")[1]
        awx.change("role_user_assignments", lambda all_: all_.append({**own, "id": 9, field: value}))
        mirror(awx)
    assert rights() == {(3, "bob", "use_role")}
    assert Mirror.objects.get().left_out["roles"] == 1
    assert f"role assignment 9 of a user is left out: {field} must be " in caplog.text


def test_what_is_assigned_on_other_things_than_groups_need_not_be_read() -> None:
    with RecordedAWX("awx24") as awx:
        own = awx.records("role_user_assignments")[1]
        odd = {**own, "id": 9, "content_type": "awx.project", "object_id": "5f0c", "user": None}
        awx.change("role_user_assignments", lambda all_: all_.append(odd))
        mirror(awx)
    assert Mirror.objects.get().left_out["roles"] == 0


@pytest.mark.parametrize("permissions", [None, 5, [None], "view_instancegroup"])
def test_a_definition_that_cannot_be_read_permits_nothing(permissions: Any, caplog: pytest.LogCaptureFixture) -> None:
    with RecordedAWX("awx24") as awx, caplog.at_level(logging.WARNING):
        used = awx.records("role_user_assignments")[1]["role_definition"]
        next(one for one in awx.records("role_definitions") if one["id"] == used)["permissions"] = permissions
        mirror(awx)
    assert rights() == set()
    assert f"role definition {used} is left out: permissions must be a list of names" in caplog.text


def test_an_auditor_keeps_a_right_on_one_group() -> None:
    with RecordedAWX("awx24") as awx:
        auditor = next(one["id"] for one in awx.records("users") if one["is_system_auditor"])
        own = awx.records("role_user_assignments")[1]
        awx.change("role_user_assignments", lambda all_: all_.append({**own, "id": 9, "user": auditor}))
        mirror(awx)
    assert rights() == {(3, "bob", "use_role"), (3, "auditor", "use_role")}


# --- what depends on who asks


def as_auditor(awx: RecordedAWX) -> None:
    """Let the recorded AWX answer as it does to a system auditor."""
    me = awx.response("/api/v2/me/?page_size=200")["results"][0]
    me.update(is_superuser=False, is_system_auditor=True)
    for path in (ACTIVE, ALL_JOBS):
        for job in awx.response(path)["results"]:
            capabilities = job["summary_fields"]["user_capabilities"]
            job["summary_fields"]["user_capabilities"] = dict.fromkeys(capabilities, False)


@pytest.mark.parametrize("reader", [lambda awx: None, as_auditor])
def test_jobs_are_told_as_each_reader_may_use_them_whoever_read_them(
    reader: Callable[[RecordedAWX], None],
) -> None:
    with RecordedAWX("awx23") as awx:
        told = deepcopy(awx.response(ALL_JOBS)["results"])
        reader(awx)
        mirror(awx, all_jobs=True)
    assert [without(job, "elapsed") for job in results("/api/v2/unified_jobs/")] == [
        without(job, "elapsed") for job in told
    ]
    for job in answer("/api/v2/unified_jobs/?page_size=200", "auditor")["results"]:
        assert not any(job["summary_fields"]["user_capabilities"].values())


# --- what AWX reports


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_mirrored_is_what_every_version_reports(version: str) -> None:
    awx = RecordedAWX(version)
    computed = {"type", "url", "related", "summary_fields", "health_check_pending", "consumed_capacity", "jobs_total"}
    computed |= {"percent_capacity_remaining", "jobs_running", "peers"}
    table = LISTENING_INSTANCES
    if version == "awx24":
        table = INSTANCES
        computed |= {"reverse_peers", "protocol", *LISTENER}
        reported = awx.records("receptor_addresses")[0].keys() - {"url", "full_address"}
        assert {column.key for column in ADDRESSES.columns} == reported
    assert {column.key for column in table.columns} == awx.records("instances")[0].keys() - computed
    of_members = {"capacity", "instances"}
    assert {column.key for column in GROUPS.columns} == awx.records("instance_groups")[0].keys() - computed - of_members


OWN_COLUMN = """
import json, sys, django
django.setup()
from django.db import models
from instances.models import Instance, InstanceGroup, InstanceLink, User
for model in (Instance, InstanceGroup, InstanceLink, User):
    models.CharField(max_length=9).contribute_to_class(model, "owner")
from instances.mirror.records import MirroredRows, Records
rows = MirroredRows(Records(**json.load(sys.stdin)))
"""


def test_a_column_of_our_own_is_nothing_that_awx_would_have_to_report() -> None:
    """In a process of its own, where the models have one more column."""
    awx = RecordedAWX("awx23")
    groups = [{**group, "instances": []} for group in awx.records("instance_groups")]
    users = [{**user, "date_joined": user["created"]} for user in awx.records("users")]
    records = {"version": "23.6.0", "instances": awx.records("instances"), "groups": groups, "users": users}
    records["links"] = [{"id": 1, "source": 1, "target": 5, "link_state": "adding"}]
    done = subprocess.run(
        [sys.executable, "-c", OWN_COLUMN],
        cwd=PROJECT,
        env=environment("postgresql://nobody@localhost:1/nothing"),
        input=json.dumps(records),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


# --- what is said of it


@pytest.fixture
def odd() -> Iterator[RecordedAWX]:
    """An AWX of which one node has a port that is none."""
    with RecordedAWX("awx23") as awx:
        set_in_lists(awx, 14, listener_port=70000)
        yield awx


@pytest.fixture
def command(odd: RecordedAWX, tmp_path: Path) -> list[str]:
    token = tmp_path / "token"
    token.write_text("secret-token")
    return ["sync_awx", "--url", odd.address, "--token-file", str(token)]


@pytest.fixture
def database(migrated: str) -> Iterator[str]:
    """An empty database for processes."""
    with new_database(migrated) as url:
        yield url


@pytest.mark.slow
def test_the_command_names_what_it_leaves_out(command: list[str], database: str) -> None:
    done = manage(database, *command)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    named = [line["message"] for line in lines if line["event"] == "left out"]
    assert 'instance 14 ("hop-3") is left out: listener_port must be between 0 and 65535, not 70000.' in named
    assert lines[-1]["event"] == "synced"
    with psycopg.connect(database) as stored:
        numbers = stored.execute("SELECT left_out FROM instances_mirror").fetchall()[0][0]
    assert len(named) == sum(numbers.values())
    again = manage(database, *command)
    assert [json.loads(line)["message"] for line in again.stderr.splitlines() if '"left out"' in line] == named


@pytest.mark.slow
def test_following_names_it_once(odd: RecordedAWX, command: list[str], database: str) -> None:
    named, synced = [], 0
    with subprocess.Popen(
        [sys.executable, "manage.py", *command, "--follow", "1"],
        cwd=PROJECT,
        env=environment(database),
        stderr=subprocess.PIPE,
        text=True,
    ) as following:
        for line in following.stderr or ():
            event = json.loads(line)
            synced += event["event"] == "synced"
            if event["event"] == "left out" and event["kind"] == "instances":
                named.append(event["message"].partition(", not ")[2])
            if synced == 2:
                set_in_lists(odd, 14, listener_port=-5)
            if synced == 4:
                break
        following.terminate()
        following.communicate(timeout=30)
    assert named == ["70000.", "-5."]


def test_the_mirror_and_metrics_tell_how_many_are_left_out(odd: RecordedAWX) -> None:
    mirror(odd)
    state = answer("/api/fleet/v1/mirror/")
    assert (state["left_out"]["instances"], state["left_out"]["groups"]) == (1, 0)
    assert any(name.startswith('instance 14 ("hop-3")') for name in state["left_out_names"])
    client = client_of(User.objects.get(username="admin"))
    text = client.get("/api/v2/metrics/").content.decode()
    assert 'awx_mirror_records_left_out{kind="instances"} 1.0' in text
    assert 'awx_mirror_records_left_out{kind="groups"} 0.0' in text
    set_in_lists(odd, 14, listener_port=27199)
    mirror(odd)
    assert answer("/api/fleet/v1/mirror/")["left_out"]["instances"] == 0
    assert Instance.objects.filter(pk=14).exists()


def pages(who: str = "admin") -> tuple[str, str]:
    """The first page of the administration, and the mirror's."""
    user, browser = User.objects.get(username=who), Client()
    User.objects.filter(pk=user.pk).update(is_staff=True)
    browser.force_login(user)
    first, own = (browser.get(path) for path in ("/admin/", "/admin/instances/mirror/1/change/"))
    return first.content.decode(), own.content.decode()


def rows_of_table(page: str) -> dict[str, str]:
    """What the page tells of what is left out, by kind."""
    table = page.partition('aria-label="Left out"')[2].partition("</table>")[0]
    return dict(re.findall(r'data-label="Kind">([^<]*)</td><td data-label="Number">([^<]*)</td>', table))


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0, ""),
        (1, "1 record of the mirrored AWX is left out here."),
        (3, "3 records of the mirrored AWX are left out here."),
    ],
)
def test_the_administration_tells_of_ended_jobs_that_are_left_out(number: int, told: str) -> None:
    with RecordedAWX("awx23") as awx:
        odd = [job for job in awx.response(ALL_JOBS)["results"] if job["status"] == "successful"][:number]
        for job in odd:
            job["launch_type"] = "odd"
        mirror(awx, all_jobs=True)
    first, own = pages()
    assert "left out here" in first if told else "left out here" not in first
    if told:
        assert f'<a href="/admin/instances/mirror/1/change/">{told}</a>' in first
    assert rows_of_table(own) == ({"jobs that have ended": str(number)} if number else {})
    assert all(f"job {job['id']}, which has ended, is left out." in own for job in odd)
    assert own.count(", which has ended, is left out.") == number
    assert answer("/api/fleet/v1/mirror/")["left_out_names"] == [
        f"job {job['id']}, which has ended, is left out." for job in odd
    ]
    assert not re.search("and [0-9]+ more", own)


def test_the_administration_tells_how_many_more_are_left_out_than_it_names() -> None:
    with RecordedAWX("awx23") as awx:
        links = awx.response(MESH)["links"]
        links += [{**links[0], "id": pk, "target": None} for pk in range(1000, 1497)]
        set_in_lists(awx, 14, listener_port=70000)
        mirror(awx)
    left_out = Mirror.objects.get().left_out
    number = sum(left_out.values())
    assert left_out["links"] >= 497
    for who in ("admin", "auditor"):
        first, own = pages(who)
        assert f"{number} records of the mirrored AWX are left out here." in first
        assert rows_of_table(own) == {kind: str(each) for kind, each in left_out.items() if each}
        assert f"and {number - 100} more" in own
    first, own = pages("alice")
    assert "left out here" not in first
    assert rows_of_table(own) == {}


def test_nothing_is_known_as_left_out_once_the_mirror_is_detached() -> None:
    with RecordedAWX("awx23") as awx:
        next(job for job in awx.response(ALL_JOBS)["results"] if job["status"] == "successful")["type"] = "odd"
        mirror(awx, all_jobs=True)
    assert LeftOutJob.objects.count() == 1
    connection.check_constraints()  # a table with constraints to be checked yet cannot be altered
    writing.detach()
    assert not LeftOutJob.objects.exists()
    assert guard.current() is None
