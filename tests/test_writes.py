"""Creating and changing instances and groups, beyond the recordings: rights, refusals, and several at once."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import requests
from django.db import connection

from instances import groups, policies
from instances.models import Instance, InstanceGroup, InstanceGroupRole, InstanceLink, User
from tests.conftest import client_of
from tests.make import change_group, change_node, listen, make_jobs, make_link, make_node
from tests.service import new_database, served

INSTANCES = "/api/v2/instances/"
GROUPS = "/api/v2/instance_groups/"
TABLES = (
    "instances_instance",
    "instances_instancelink",
    "instances_instancegroup",
    "instances_instancegroup_instances",
)


def stored() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the mesh."""
    with connection.cursor() as cursor:
        rows = {}
        for table in TABLES:
            cursor.execute(f"SELECT * FROM {table} ORDER BY id")
            rows[table] = cursor.fetchall()
        return rows


@pytest.fixture
def mesh(edge: InstanceGroup) -> dict[str, int]:
    """One node of each type, their links, two groups; by name their ids."""
    control = Instance.objects.create(hostname="control", node_type="control")
    hybrid = Instance.objects.create(hostname="hybrid", node_type="hybrid")
    hop = make_node(hostname="hop", node_type="hop", listener_port=27199)
    exec_1 = Instance.objects.get(hostname="exec-1")
    Instance.objects.filter(pk=exec_1.pk).update(cpu_capacity=16, mem_capacity=61)
    listen(exec_1, 27200)
    make_link(source=control, target=hop, link_state="established")
    make_link(source=exec_1, target=hop)
    plane = InstanceGroup.objects.create(name="controlplane")
    plane.instances.set([control, hybrid])
    make_jobs(1, instance_group=edge, status="running", execution_node="exec-1")
    records = [control, hybrid, hop, exec_1]
    return {**{one.hostname: one.pk for one in records}, "edge": edge.pk, "controlplane": plane.pk}


REFUSED: list[tuple[str, str, Any, int]] = [
    ("post", INSTANCES, {"hostname": "exec-1"}, 400),
    ("post", INSTANCES, {"hostname": "new", "peers": ["exec-1", "control"]}, 400),
    ("post", INSTANCES, {"hostname": "new", "node_type": "control"}, 400),
    ("post", INSTANCES, {"hostname": "a\0b"}, 400),
    ("post", INSTANCES, {"hostname": "new", "capacity_adjustment": "NaN"}, 400),
    ("post", INSTANCES, {"hostname": "new", "listener_port": 2**70}, 400),
    ("post", INSTANCES, {"hostname": "new", "listener_port": True}, 400),
    ("post", INSTANCES, {"hostname": "new", "peers": [{}]}, 400),
    ("post", INSTANCES, {"hostname": "new", "peers": ["a\0b"]}, 400),
    ("patch", INSTANCES + "{exec-1}/", {"enabled": False, "hostname": "other"}, 400),
    ("patch", INSTANCES + "{exec-1}/", {"enabled": False, "peers": ["nobody"]}, 400),
    ("patch", INSTANCES + "{exec-1}/", {"enabled": False, "peers": ["exec-1"]}, 400),
    ("patch", INSTANCES + "{hop}/", {"listener_port": None}, 400),
    ("patch", INSTANCES + "{control}/", {"enabled": False, "peers": []}, 400),
    ("patch", INSTANCES + "{hybrid}/", {"node_state": "deprovisioning"}, 400),
    ("patch", INSTANCES + "0/", {"enabled": False}, 404),
    ("put", INSTANCES + "{exec-1}/", {}, 400),
    ("post", GROUPS, {"name": "edge"}, 400),
    ("post", GROUPS, {"name": "new", "policy_instance_list": ["nobody"]}, 400),
    ("post", GROUPS, {"name": "new", "policy_instance_percentage": 101}, 400),
    ("post", GROUPS, {"name": "new", "max_forks": 2**40}, 400),
    ("post", GROUPS, {"name": "x" * 251}, 400),
    ("patch", GROUPS + "{controlplane}/", {"max_forks": 1, "name": "other"}, 400),
    ("delete", GROUPS + "{controlplane}/", None, 403),
    ("delete", GROUPS + "{edge}/", None, 409),
    ("post", GROUPS + "{edge}/instances/", {"id": "{hop}"}, 400),
    ("post", GROUPS + "{edge}/instances/", {"id": 2**70}, 400),
    ("post", GROUPS + "{edge}/instances/", {"id": "9" * 4301}, 400),
    ("post", INSTANCES + "{exec-1}/instance_groups/", {"id": "9" * 4301}, 400),
    ("post", GROUPS + "{edge}/instances/", {"id": True}, 400),
    ("post", GROUPS + "{edge}/instances/", {"id": [1]}, 400),
    ("post", GROUPS + "{controlplane}/instances/", {"id": "{hybrid}", "disassociate": True}, 400),
    ("post", INSTANCES + "{control}/instance_groups/", {"id": "{edge}"}, 400),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path", "body", "status"), REFUSED)
def test_a_refusal_leaves_everything_as_it_was(
    method: str, path: str, body: Any, status: int, admin: User, mesh: dict[str, int]
) -> None:
    def filled(value: Any) -> Any:
        return mesh[value[1:-1]] if isinstance(value, str) and value.startswith("{") else value

    before = stored()
    sent = {name: filled(value) for name, value in body.items()} if body is not None else None
    answer = getattr(client_of(admin), method)(path.format(**mesh), sent, format="json")
    assert answer.status_code == status, answer.content
    assert stored() == before


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["auditor", "alice", "bob"])
def test_only_superusers_change_instances(who: str, request: pytest.FixtureRequest, mesh: dict[str, int]) -> None:
    client = client_of(request.getfixturevalue(who))
    before = stored()
    for method, path in (
        ("post", INSTANCES),
        ("patch", f"{INSTANCES}{mesh['exec-1']}/"),
        ("put", f"{INSTANCES}{mesh['exec-1']}/"),
        ("post", f"{INSTANCES}{mesh['exec-1']}/instance_groups/"),
        ("post", f"{INSTANCES}{mesh['exec-1']}/health_check/"),
        ("post", GROUPS),
        ("patch", f"{GROUPS}{mesh['edge']}/"),
        ("delete", f"{GROUPS}{mesh['edge']}/"),
        ("post", f"{GROUPS}{mesh['edge']}/instances/"),
    ):
        member = mesh["exec-1" if path.endswith("/instances/") else "edge"]
        assert getattr(client, method)(path, {"id": member}, format="json").status_code == 403, path
    assert stored() == before


@pytest.mark.django_db
def test_a_groups_admin_changes_it_and_its_members(alice: User, mesh: dict[str, int]) -> None:
    group = InstanceGroup.objects.get(pk=mesh["edge"])
    InstanceGroupRole.objects.create(user=alice, instance_group=group, role="admin_role")
    client = client_of(alice)
    assert "PUT" in client.options(f"{GROUPS}{group.pk}/").json()["actions"]
    assert client.patch(f"{GROUPS}{group.pk}/", {"max_forks": 3}, format="json").json()["max_forks"] == 3
    member = {"id": mesh["exec-1"]}
    assert client.post(f"{GROUPS}{group.pk}/instances/", member, format="json").status_code == 204
    unseen = {"id": mesh["hybrid"]}
    assert client.post(f"{GROUPS}{group.pk}/instances/", unseen, format="json").status_code == 403
    assert client.delete(f"{GROUPS}{group.pk}/").status_code == 403


@pytest.mark.django_db
def test_capacity_follows_the_adjustment(admin: User, mesh: dict[str, int]) -> None:
    client, url = client_of(admin), f"{INSTANCES}{mesh['exec-1']}/"
    for body, expected in (
        ({"capacity_adjustment": "0.00"}, 16),
        ({"capacity_adjustment": "0.50"}, 38),
        ({"enabled": False}, 0),
        ({"enabled": True}, 38),
        ({"capacity_adjustment": 1}, 61),
    ):
        assert client.patch(url, body, format="json").json()["capacity"] == expected
        assert client.get(url).json()["capacity"] == expected


@pytest.mark.django_db
def test_the_peers_of_a_control_node_may_be_sent_as_they_are(admin: User, mesh: dict[str, int]) -> None:
    """As who reads a record, changes one field and writes all of it."""
    client, url = client_of(admin), f"{INSTANCES}{mesh['control']}/"
    told = client.get(url).json()
    assert told["peers"] == ["hop"]
    changed = client.put(url, {**told, "enabled": False}, format="json")
    assert (changed.status_code, changed.json()["enabled"], changed.json()["peers"]) == (200, False, ["hop"])
    assert client.patch(url, {"peers": []}, format="json").status_code == 400


@pytest.mark.django_db
def test_control_nodes_peer_to_who_asks_for_it(admin: User, mesh: dict[str, int]) -> None:
    client, url = client_of(admin), f"{INSTANCES}{mesh['exec-1']}/"
    client.patch(url, {"peers_from_control_nodes": True}, format="json")
    sources = InstanceLink.objects.filter(target__instance=mesh["exec-1"]).values_list("source__hostname", "link_state")
    assert set(sources) == {("control", "adding"), ("hybrid", "adding")}
    client.patch(url, {"peers_from_control_nodes": False}, format="json")
    assert not InstanceLink.objects.filter(target__instance=mesh["exec-1"]).exists()


@pytest.mark.django_db
class TestEtag:
    @pytest.mark.parametrize("path", [INSTANCES + "{exec-1}/", GROUPS + "{edge}/"])
    def test_an_unchanged_record_is_not_sent_again(self, path: str, admin: User, mesh: dict[str, int]) -> None:
        client, url = client_of(admin), path.format(**mesh)
        etag = client.get(url)["ETag"]
        again = client.get(url, HTTP_IF_NONE_MATCH=etag)
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
        make_jobs(1, execution_node="exec-1", instance_group_id=mesh["edge"], status="running")
        assert client.get(url, HTTP_IF_NONE_MATCH=etag).status_code == 200

    @pytest.mark.parametrize("method", ["patch", "put"])
    def test_a_change_of_an_older_state_is_refused(self, method: str, admin: User, mesh: dict[str, int]) -> None:
        client, url = client_of(admin), f"{GROUPS}{mesh['edge']}/"
        old = client.get(url)["ETag"]
        assert client.patch(url, {"max_forks": 1}, format="json", HTTP_IF_MATCH=old).status_code == 200
        before = stored()
        for stale in (old, '"nothing"', "nothing", f"W/{old}"):
            change = getattr(client, method)(url, {"name": "edge", "max_forks": 2}, format="json", HTTP_IF_MATCH=stale)
            assert change.status_code == 412
            assert set(change.json()) == {"detail"}
        assert stored() == before
        for fresh in (client.get(url)["ETag"], "*"):
            assert client.patch(url, {"max_forks": 3}, format="json", HTTP_IF_MATCH=fresh).status_code == 200

    def test_if_none_match_refuses_to_change_what_it_names(self, admin: User) -> None:
        client, url = client_of(admin), f"{GROUPS}{InstanceGroup.objects.create(name='idle').pk}/"
        etag, before = client.get(url)["ETag"], stored()
        for known in (etag, f"W/{etag}", "*"):
            for method in ("patch", "put", "delete"):
                change = getattr(client, method)(url, {"name": "x"}, format="json", HTTP_IF_NONE_MATCH=known)
                assert (change.status_code, "If-None-Match" in change.json()["detail"]) == (412, True), (method, known)
        assert stored() == before
        changed = client.patch(url, {"max_forks": 1}, format="json", HTTP_IF_NONE_MATCH='"another"')
        assert (changed.status_code, changed.json()["max_forks"]) == (200, 1)

    def test_a_group_that_changed_meanwhile_is_not_deleted(self, admin: User) -> None:
        client, url = client_of(admin), f"{GROUPS}{InstanceGroup.objects.create(name='idle').pk}/"
        old = client.get(url)["ETag"]
        client.patch(url, {"max_forks": 1}, format="json")
        assert client.delete(url, HTTP_IF_MATCH=old).status_code == 412
        assert client.delete(url, HTTP_IF_MATCH=client.get(url)["ETag"]).status_code == 204

    def test_a_job_is_no_change_of_the_node(self, admin: User, mesh: dict[str, int]) -> None:
        client, url = client_of(admin), f"{INSTANCES}{mesh['exec-1']}/"
        etag = client.get(url)["ETag"]
        make_jobs(1, execution_node="exec-1", status="running")
        assert client.patch(url, {"enabled": False}, format="json", HTTP_IF_MATCH=etag).status_code == 200


HEADERS = {"Authorization": "Bearer oracle-admin-token"}


def at_once(number: int, seconds: float, work: Callable[[int, requests.Session], requests.Response]) -> list[int]:
    """The statuses of what ``number`` writers do for so long, each with a connection of its own."""
    statuses: list[int] = []
    end = time.monotonic() + seconds

    def write(n: int) -> None:
        with requests.Session() as session:
            session.headers.update(HEADERS)
            while time.monotonic() < end:
                statuses.append(work(n, session).status_code)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def test_changes_of_different_fields_do_not_undo_each_other(module_service: str) -> None:
    """Each writer owns a field; in the end every field has what its writer sent last."""
    last: dict[str, Any] = {}
    values = {
        "enabled": [True, False],
        "managed_by_policy": [True, False],
        "capacity_adjustment": ["0.10", "0.90"],
    }

    def patch(n: int, session: requests.Session) -> requests.Response:
        field = list(values)[n]
        last[field] = values[field][int(time.monotonic_ns()) % 2]
        return session.patch(f"{module_service}{INSTANCES}5/", json={field: last[field]})

    assert set(at_once(3, 3, patch)) == {200}
    told = requests.get(f"{module_service}{INSTANCES}5/", headers=HEADERS).json()
    assert {field: told[field] for field in values} == last


@pytest.mark.slow
def test_sixteen_writers_neither_deadlock_nor_fail(module_service: str) -> None:
    """Peers, membership, policies and deletion, all on the same few records."""

    def write(n: int, session: requests.Session) -> requests.Response:
        turn = time.monotonic_ns() // 1000
        match n % 6:
            case 0:
                peers = ["exec-1.example.org"] if turn % 2 else ["hop-1.example.org", "exec-1.example.org"]
                return session.patch(f"{module_service}{INSTANCES}6/", json={"peers": peers})
            case 1:
                peers = ["exec-2.example.org"] if turn % 2 else []
                return session.patch(f"{module_service}{INSTANCES}5/", json={"peers": peers, "enabled": turn % 3 > 0})
            case 2:
                body = {"id": 5, "disassociate": bool(turn % 2)}
                return session.post(f"{module_service}{GROUPS}5/instances/", json=body)
            case 3:
                return session.patch(
                    f"{module_service}{INSTANCES}11/", json={"peers_from_control_nodes": bool(turn % 2)}
                )
            case 4:
                made = session.post(f"{module_service}{GROUPS}", json={"name": f"group-{turn % 3}"})
                if made.status_code == 201:
                    session.post(f"{module_service}{made.json()['url']}instances/", json={"id": 5})
                    return session.delete(f"{module_service}{made.json()['url']}")
                return made
            case _:
                return session.post(f"{module_service}{INSTANCES}5/instance_groups/", json={"id": 3})

    statuses = at_once(16, 8, write)
    # 503: a machine that is busy with other things may be too slow for STATEMENT_TIMEOUT
    assert set(statuses) <= {200, 201, 204, 400, 404, 409, 503}, set(statuses)
    assert statuses.count(200) + statuses.count(204) > 100


@pytest.mark.slow
def test_a_change_that_waits_too_long_is_503_and_changes_nothing(dataset_template: str) -> None:
    with new_database(dataset_template) as url, served(url, STATEMENT_TIMEOUT="200") as address:
        path = f"{address}{INSTANCES}5/"
        before = requests.get(path, headers=HEADERS).json()
        with psycopg.connect(url) as other:
            other.execute("SELECT 1 FROM instances_instance WHERE id = 5 FOR UPDATE")
            answered = requests.patch(path, json={"enabled": not before["enabled"]}, headers=HEADERS)
        assert answered.status_code == 503
        assert answered.json() == {"detail": "The database is too busy; nothing was changed. Try again."}
        assert requests.get(path, headers=HEADERS).json() == before


@pytest.mark.parametrize("request_line", [f"POST {INSTANCES}", f"PATCH {INSTANCES}6/"])
def test_nobody_waits_for_a_body_that_comes_slowly(request_line: str, module_service: str) -> None:
    address = urlsplit(module_service)
    with socket.create_connection((address.hostname, address.port), timeout=30) as slow:
        headers = {**HEADERS, "Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": "100"}
        lines = [f"{request_line} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        slow.sendall("\r\n".join([*lines, "", "{"]).encode())
        time.sleep(0.5)  # until it is being answered
        changed = requests.patch(f"{module_service}{INSTANCES}5/", json={"enabled": True}, headers=HEADERS, timeout=30)
    assert changed.status_code == 200


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_policies_run_beside_changes() -> None:
    """A change of a node, its membership by hand and the policies at once: nobody fails, the last change stays."""
    nodes = [Instance.objects.create(hostname=f"node-{n}", node_type="execution", cpu_capacity=9) for n in range(6)]
    group = InstanceGroup.objects.create(name="all", policy_instance_percentage=50)
    end = time.monotonic() + 4
    failures: list[BaseException] = []

    def repeat(work: Callable[[int], object]) -> None:
        turn = 0
        try:
            while time.monotonic() < end:
                work(turn)
                turn += 1
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    works: list[Callable[[int], object]] = [
        lambda turn: policies.apply_policies(),
        lambda turn: policies.apply_policies(),
        lambda turn: change_node(nodes[0], {"enabled": turn % 2 == 0}),
        lambda turn: change_node(nodes[0], {"managed_by_policy": turn % 2 == 0}),
        lambda turn: (groups.disassociate if turn % 2 else groups.associate)(group.pk, nodes[1]),
        lambda turn: change_group(group, {"max_forks": turn}),
    ]
    threads = [threading.Thread(target=repeat, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    groups.associate(group.pk, nodes[1])
    policies.apply_policies()
    assert policies.apply_policies() == 0
    assert group.instances.filter(pk=nodes[1].pk).exists()
