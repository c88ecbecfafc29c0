"""A service that mirrors another one tells of every record what that one tells."""

import contextlib
import io
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from pytest_django import DjangoDbBlocker

from instances import tokens
from instances.capacity import CONTROLLING
from instances.mirror import guard, writing
from instances.mirror.guard import SyncRunningError
from instances.mirror.writing import Counts, OccupiedError
from instances.models import (
    GroupLoad,
    Instance,
    InstanceGroup,
    InstanceGroupRole,
    Mirror,
    NodeLoad,
    ReceptorAddress,
    UnifiedJob,
    User,
)
from instances.snapshot import import_snapshot
from instances.snapshot.problems import SnapshotError
from tests.mirroring import sync
from tests.proxy import Fault, Proxy, says, tells
from tests.random_mesh import RandomMesh
from tests.service import connected_to, manage, new_database, served

pytestmark = pytest.mark.slow  # two services

TOKEN = "token-of-admin"
LISTS = ("instances", "instance_groups", "mesh_visualizer")


@dataclass
class Pair:
    """A served service, and another one that is to mirror it."""

    source_url: str
    source: str
    mirror_url: str
    mirror: str
    token: str = ""

    def load(self, mesh: RandomMesh) -> None:
        """Let the source tell of ``mesh``."""
        with connected_to(self.source_url):
            import_snapshot(io.BytesIO(json.dumps(mesh.content).encode()), replace=True)

    def sync(self, **options: Any) -> Counts:
        return sync(self.mirror_url, self.source, TOKEN, **options)

    def ask(self, address: str, path: str, token: str = "") -> Any:
        token = token or (TOKEN if address == self.source else self.token)
        answer = requests.get(address + path, headers={"Authorization": f"Bearer {token}"}, timeout=60)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        return answer.json()

    def both(self, path: str) -> tuple[Any, Any]:
        return self.ask(self.source, path), self.ask(self.mirror, path)


@pytest.fixture(scope="module")
def services(migrated: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Pair]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(django_db_blocker.unblock())
        source_url, mirror_url = (stack.enter_context(new_database(migrated)) for _ in range(2))
        source, mirror = (stack.enter_context(served(url)) for url in (source_url, mirror_url))
        pair = Pair(source_url, source, mirror_url, mirror)
        with connected_to(mirror_url):
            pair.token = tokens.issue(User.objects.create_superuser("operator", password="operator"))[1]
        yield pair


@pytest.fixture
def pair(services: Pair) -> Pair:
    """The two, where the mirror has nothing but a superuser of its own."""
    with connected_to(services.mirror_url):
        writing.detach()
        for model in (UnifiedJob, InstanceGroup, Instance, NodeLoad, GroupLoad):
            model.objects.all().delete()
        User.objects.exclude(username="operator").delete()
    return services


def assert_equal(pair: Pair) -> None:
    """Every instance, list and visible record of the source is the same in the mirror."""
    for name in LISTS:
        there, here = pair.both(f"/api/v2/{name}/?page_size=200")
        assert here == there
    for instance in pair.ask(pair.source, "/api/v2/instances/?page_size=200")["results"]:
        there, here = pair.both(instance["url"])
        assert here == there
    for group in pair.ask(pair.source, "/api/v2/instance_groups/?page_size=200")["results"]:
        there, here = pair.both(f"{group['url']}instances/?page_size=200")
        assert here == there
        assert who_sees(pair, pair.mirror, group) == who_sees(pair, pair.source, group)
    there, here = pair.both("/api/v2/unified_jobs/?page_size=200&status__in=new,pending,waiting,running")
    assert [timeless(job) for job in here["results"]] == [timeless(job) for job in there["results"]]


def timeless(job: dict[str, Any]) -> dict[str, Any]:
    return {**job, "elapsed": None}


def who_sees(pair: Pair, address: str, group: dict[str, Any]) -> Any:
    users = pair.ask(address, f"{group['url']}access_list/?page_size=200")["results"]
    return {
        user["username"]: [right["role"]["name"] for right in user["summary_fields"]["direct_access"]]
        for user in users
        if user["username"] not in ("admin", "operator")
    }


def changed(counts: Counts) -> dict[str, tuple[int, int, int]]:
    changes = {kind: (count.new, count.changed, count.gone) for kind, count in counts.items()}
    return {kind: numbers for kind, numbers in changes.items() if any(numbers)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_record_of_a_mesh_is_told_alike(pair: Pair, seed: int) -> None:
    mesh = RandomMesh(seed, nodes=(1, 12, 30)[seed - 1])
    pair.load(mesh)
    counts = pair.sync(concurrency=seed)
    assert counts["instances"].new == len(mesh.content["instances"]) == counts["instances"].total
    assert_equal(pair)


@pytest.mark.slow
def test_it_follows_fifty_random_changes_and_writes_nothing_without_one(pair: Pair) -> None:
    mesh = RandomMesh(seed=7, nodes=8)
    pair.load(mesh)
    pair.sync()
    kinds: set[str] = set()
    for _ in range(50):
        mesh.change()
        pair.load(mesh)
        kinds |= changed(pair.sync()).keys()
        assert_equal(pair)
        assert changed(pair.sync()) == {}
    assert kinds == {"instances", "addresses", "links", "groups", "members", "users", "roles", "jobs"}


def written(pair: Pair) -> list[Any]:
    """The version of every row of the mirrored tables: a row that is written again has another."""
    with connected_to(pair.mirror_url):
        return [
            list(model.objects.order_by("pk").extra(select={"version": "xmin::text"}).values_list("pk", "version"))
            for model in (*guard.MIRRORED, User, InstanceGroupRole, NodeLoad, GroupLoad)
        ]


def test_a_sync_without_changes_writes_no_row(pair: Pair) -> None:
    pair.load(RandomMesh(seed=4, nodes=6))
    pair.sync()
    before = written(pair)
    assert changed(pair.sync()) == {}
    assert written(pair) == before


@pytest.mark.parametrize("port", [None, 27199])
def test_what_is_new_changed_and_gone_is_counted(port: int | None, pair: Pair) -> None:
    """An address without port is there for its links, and goes with the last."""
    mesh = RandomMesh(seed=5, nodes=5)
    links = mesh.content["instance_links"]
    target = links[0]["target"]
    links[:] = [links[0], *(link for link in links if link["target"] != target)]
    next(each for each in mesh.content["instances"] if each["id"] == target)["listener_port"] = port
    pair.load(mesh)
    pair.sync()
    del links[0]
    mesh.content["instances"][0]["errors"] = "something else"
    mesh.add_group()
    mesh.content["instance_groups"][-1]["instances"] = [mesh.content["instances"][0]["id"]]
    pair.load(mesh)
    counts = changed(pair.sync())
    gone = {} if port else {"addresses": (0, 0, 1)}
    assert counts == {"instances": (0, 1, 0), "links": (0, 0, 1), "groups": (1, 0, 0), "members": (1, 0, 0)} | gone


# --- jobs


def test_jobs_that_have_ended_are_counted_but_not_copied(pair: Pair) -> None:
    mesh = RandomMesh(seed=6, nodes=6)
    pair.load(mesh)
    pair.sync()
    with connected_to(pair.mirror_url):
        assert not UnifiedJob.objects.exclude(status__in=["new", "pending", "waiting", "running"]).exists()
    totals = {one["id"]: one["jobs_total"] for one in pair.ask(pair.mirror, "/api/v2/instances/")["results"]}
    assert sum(totals.values()) > 0
    there = pair.ask(pair.source, "/api/v2/instances/")["results"]
    assert totals == {one["id"]: one["jobs_total"] for one in there}


@pytest.mark.slow
def test_with_all_jobs_they_are_copied_too_and_nothing_else_moves(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("awx_compat.awx_client.client.PAGE_SIZE", 7)
    mesh = RandomMesh(seed=8, nodes=6)
    pair.load(mesh)
    pair.sync(all_jobs=True)
    for _ in range(10):
        there, here = pair.both("/api/v2/unified_jobs/?page_size=200")
        assert [timeless(job) for job in here["results"]] == [timeless(job) for job in there["results"]]
        assert_equal(pair)
        for change in (mesh.add_job, mesh.touch_job, mesh.touch_job, mesh.remove_job):
            change()
        pair.load(mesh)
        pair.sync()  # once they were copied, they are from then on


def test_a_copy_of_all_jobs_goes_on_where_it_stopped(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("awx_compat.awx_client.client.PAGE_SIZE", 5)
    pair.load(RandomMesh(seed=9, nodes=6))
    pages: list[int] = []
    write_page = writing_pages(monkeypatch, pages, fail_at=3)
    with pytest.raises(ZeroDivisionError):
        pair.sync(all_jobs=True)
    assert_equal(pair)
    assert len(pages) == 2
    monkeypatch.setattr("instances.mirror.history.write_page", write_page)
    asked = writing_pages(monkeypatch, pages, fail_at=None)
    assert asked is write_page
    pair.sync()
    ids = [job["id"] for job in pair.ask(pair.source, "/api/v2/unified_jobs/?page_size=200")["results"]]
    assert pages == ids[4::5] + ids[-1:] * (len(ids) % 5 > 0)


def writing_pages(monkeypatch: pytest.MonkeyPatch, pages: list[int], fail_at: int | None) -> Any:
    """Note the last id of each page that is written; fail instead of writing the page of that number."""
    from instances.mirror import history

    real = history.write_page

    def noted(jobs: Any, up_to: int | None = None) -> Any:
        if len(pages) + 1 == fail_at:
            raise ZeroDivisionError
        count = real(jobs, up_to)
        pages.append(up_to or jobs[-1]["id"])
        return count

    monkeypatch.setattr(history, "write_page", noted)
    return real


@pytest.mark.slow
@pytest.mark.parametrize("which", ["first", "last", "some"])
def test_jobs_that_awx_removes_go_here_too(pair: Pair, monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    """The first one that is gone is found by halving, and the copy is over once the numbers agree again."""
    monkeypatch.setattr("awx_compat.awx_client.client.PAGE_SIZE", 3)
    mesh = RandomMesh(seed=10, nodes=6)
    pair.load(mesh)
    pair.sync(all_jobs=True)
    ended = [job for job in mesh.content["unified_jobs"] if job["representation"]["finished"]]
    after_all = [job for job in mesh.content["unified_jobs"] if job["id"] >= ended[-5]["id"]]
    gone = {"first": ended[:5], "last": after_all, "some": ended[2:9:3]}[which]
    mesh.content["unified_jobs"][:] = [job for job in mesh.content["unified_jobs"] if job not in gone]
    pair.load(mesh)
    pages: list[int] = []
    writing_pages(monkeypatch, pages, fail_at=None)
    assert changed(pair.sync())["all jobs"][2] == sum(job in ended for job in gone)
    if which == "first":
        assert len(pages) == 1
    there, here = pair.both("/api/v2/unified_jobs/?page_size=200")
    assert [job["id"] for job in here["results"]] == [job["id"] for job in there["results"]]
    assert_equal(pair)


# --- users


def test_users_see_here_what_they_see_there(pair: Pair) -> None:
    mesh = RandomMesh(seed=11, nodes=6)
    mesh.content["users"].append({**mesh.others()[0], "id": 999, "username": "bob"})
    group = mesh.content["instance_groups"][0]["id"]
    mesh.content["users"][-1]["instance_group_roles"] = [{"instance_group": group, "role": "read_role"}]
    pair.load(mesh)
    pair.sync()
    seen = []
    for url, address in ((pair.source_url, pair.source), (pair.mirror_url, pair.mirror)):
        with connected_to(url):
            token = tokens.issue(User.objects.get(username="bob"))[1]
        seen.append(pair.ask(address, "/api/v2/instance_groups/", token))
        assert [one["id"] for one in seen[-1]["results"]] == [group]
    assert seen[0]["results"][0]["jobs_total"] == seen[1]["results"][0]["jobs_total"]
    mesh.content["users"].pop()
    pair.load(mesh)
    pair.sync()
    answer = requests.get(f"{pair.mirror}/api/v2/instances/", headers={"Authorization": f"Bearer {token}"}, timeout=60)
    assert answer.status_code == 401, "who is gone there has no token here any more"


def test_an_account_of_the_mirrors_own_keeps_its_password_and_rank(pair: Pair) -> None:
    mesh = RandomMesh(seed=12, nodes=3)
    mesh.content["users"].append({**mesh.others()[0], "id": 998, "username": "operator", "is_superuser": False})
    mesh.content["users"][-1]["instance_group_roles"] = []
    pair.load(mesh)
    pair.sync()
    with connected_to(pair.mirror_url):
        operator = User.objects.get(username="operator")
        assert operator.check_password("operator")
        assert operator.is_superuser
        mirrored = User.objects.get(username="admin")
        assert mirrored.is_superuser
        assert not mirrored.has_usable_password()


# --- what a mirror refuses


CHANGES = (
    ("PATCH", "/api/v2/instances/{instance}/", {"enabled": False}),
    ("POST", "/api/v2/instances/", {"hostname": "new.example.org"}),
    ("POST", "/api/v2/instances/{execution}/health_check/", {}),
    ("POST", "/api/v2/instance_groups/", {"name": "new"}),
    ("PATCH", "/api/v2/instance_groups/{group}/", {"max_forks": 1}),
    ("DELETE", "/api/v2/instance_groups/{group}/", {}),
    ("POST", "/api/v2/instance_groups/{group}/instances/", {"id": "{free}"}),
)


def test_it_is_read_only_until_it_is_detached(pair: Pair) -> None:
    mesh = RandomMesh(seed=13, nodes=1)
    for pk, node_type in ((501, "execution"), (502, "execution")):
        figures = mesh.figures(node_type)
        mesh.content["instances"].append(
            {**mesh.content["instances"][0], **figures, "id": pk, "hostname": f"exec-{pk}", "node_type": node_type}
            | {"ip_address": "", "node_state": "ready", "health_check_started": None}
        )
    mesh.content["instance_groups"][:] = [
        {**mesh.content["instance_groups"][0], "id": 601, "is_container_group": False, "instances": [501]}
    ]
    for job in mesh.content["unified_jobs"]:
        mesh.place(job, instance_group=None)
    for user in mesh.content["users"]:
        user["instance_group_roles"] = []
    pair.load(mesh)
    pair.sync()
    before = written(pair)
    headers = {"Authorization": f"Bearer {pair.token}"}
    names = {"instance": 501, "execution": 501, "group": 601, "free": 502}

    def change(method: str, path: str, body: dict[str, Any]) -> requests.Response:
        filled = {key: names["free"] if value == "{free}" else value for key, value in body.items()}
        url = pair.mirror + path.format(**names)
        return requests.request(method, url, headers=headers, json=filled, timeout=60)

    for method, path, body in CHANGES:
        answer = change(method, path, body)
        assert answer.status_code == 403, f"{method} {path}: {answer.text}"
        assert answer.json()["detail"].startswith(f"This service mirrors {pair.source} and changes nothing of it")
    assert written(pair) == before

    assert manage(pair.mirror_url, "sync_awx", "--detach").stdout.startswith("This service no longer mirrors")
    for method, path, body in sorted(CHANGES, key=lambda change: change[0] == "DELETE"):
        answer = change(method, path, body)
        assert answer.status_code in (200, 201, 204), f"{method} {path}: {answer.text}"
    again = manage(pair.mirror_url, "sync_awx", "--detach", check=False)
    assert (again.returncode, again.stderr.strip()) == (1, "CommandError: This service is no mirror.")


def test_detaching_forgets_the_jobs_that_would_never_end(pair: Pair) -> None:
    pair.load(RandomMesh(seed=14, nodes=6))
    pair.sync()
    with connected_to(pair.mirror_url):
        writing.detach()
        assert not UnifiedJob.objects.exists()
    for one in pair.ask(pair.mirror, "/api/v2/instances/")["results"]:
        assert (one["consumed_capacity"], one["jobs_running"]) == (0, 0)


def test_commands_are_refused_in_the_same_words(pair: Pair) -> None:
    pair.load(RandomMesh(seed=15, nodes=2))
    pair.sync()
    new = ("--hostname", "new.example.org", "--node_type", "execution")
    refused = manage(pair.mirror_url, "provision_instance", *new, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"CommandError: This service mirrors {pair.source} and changes nothing of it")
    assert 'end the mirror by "awx-instances sync_awx --detach".' in refused.stderr
    hostname = pair.ask(pair.mirror, "/api/v2/instances/")["results"][0]["hostname"]
    refused = manage(pair.mirror_url, "issue_node_token", hostname, check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(
        f"CommandError: This service mirrors {pair.source}: nodes cannot report themselves here"
    )


def test_it_removes_nothing_that_came_from_elsewhere_unless_asked_to(pair: Pair) -> None:
    with connected_to(pair.mirror_url):
        InstanceGroup.objects.create(name="own")
    pair.load(RandomMesh(seed=16, nodes=3))
    with pytest.raises(OccupiedError, match="There are instance groups here already"):
        pair.sync()
    with connected_to(pair.mirror_url):
        assert InstanceGroup.objects.get().name == "own"
    assert pair.sync(replace=True)["groups"].gone == 1
    assert_equal(pair)


def test_it_mirrors_one_awx_at_a_time(pair: Pair) -> None:
    pair.load(RandomMesh(seed=17, nodes=2))
    pair.sync(all_jobs=True)
    with pytest.raises(OccupiedError, match="--detach"):
        pair.sync(url="https://another.example.org")
    pair.load(RandomMesh(seed=21, nodes=4))
    pair.sync(url="https://another.example.org", replace=True)
    assert_equal(pair)
    with connected_to(pair.mirror_url):
        assert not UnifiedJob.objects.filter(status__in=["successful", "failed", "error", "canceled"]).exists()


def test_a_mirror_that_was_detached_is_not_begun_again_by_who_follows_it(pair: Pair) -> None:
    pair.load(RandomMesh(seed=22, nodes=2))
    pair.sync()
    with connected_to(pair.mirror_url):
        writing.detach()
    with pytest.raises(OccupiedError, match="detached"):
        pair.sync(goes_on=True)


def test_accounts_lose_the_rank_that_awx_gave_them_when_it_is_detached(pair: Pair) -> None:
    pair.load(RandomMesh(seed=23, nodes=2))
    pair.sync()
    with connected_to(pair.mirror_url):
        assert User.objects.get(username="admin").is_superuser
        writing.detach()
        admin = User.objects.get(username="admin")
        assert (admin.is_superuser, admin.is_staff, admin.is_system_auditor) == (False, False, False)
        assert User.objects.get(username="operator").is_superuser


def test_names_that_only_a_directory_knows_are_no_obstacle(pair: Pair) -> None:
    mesh = RandomMesh(seed=24, nodes=2)
    pair.load(mesh)
    with connected_to(pair.source_url):
        for username, email in (("john smith", "jdoe@corp"), (r"DOM\bob", "n/a")):
            User.objects.create(username=username, email=email)
    pair.sync()
    with connected_to(pair.mirror_url):
        assert User.objects.get(username="john smith").email == "jdoe@corp"


def test_the_ports_of_awx_24_may_be_low(pair: Pair) -> None:
    mesh = RandomMesh(seed=25, nodes=3)
    mesh.content["instances"][0]["listener_port"] = 443
    pair.load(mesh)
    pair.sync()
    assert_equal(pair)


def test_only_one_sync_runs_at_a_time(pair: Pair) -> None:
    pair.load(RandomMesh(seed=18, nodes=2))
    holding, done = threading.Event(), threading.Event()
    url = pair.mirror_url

    def hold() -> None:
        import psycopg

        from instances.locks import Lock

        with psycopg.connect(url) as other:
            other.execute("SELECT pg_advisory_lock(%s)", [Lock.SYNC])
            holding.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holding.wait(60)
    try:
        with pytest.raises(SyncRunningError):
            pair.sync()
    finally:
        done.set()
        thread.join()
    pair.sync()


def test_a_failure_is_remembered_until_the_next_success(pair: Pair) -> None:
    pair.load(RandomMesh(seed=19, nodes=2))
    pair.sync(every=30)
    with pytest.raises(OccupiedError):
        pair.sync(url="https://another.example.org")
    state = pair.ask(pair.mirror, "/api/fleet/v1/mirror/")
    assert (state["failures"], state["failures_total"]) == (1, 1)
    assert "--detach" in state["failure"]
    pair.sync(every=30)
    with connected_to(pair.mirror_url):
        mirror = Mirror.objects.get()
        assert (mirror.failures, mirror.failures_total) == (0, 1)


@pytest.mark.parametrize("key", ["capacity", "errors", "last_seen", "version", "cpu"])
def test_what_awx_does_not_tell_is_not_invented(key: str, pair: Pair) -> None:
    pair.load(RandomMesh(seed=25, nodes=3))
    pair.sync()
    before = written(pair)

    def without(number: int, path: str) -> Fault | None:
        if not path.startswith("/api/v2/instances/?"):
            return None
        return tells(lambda page: {**page, "results": [omit(one, key) for one in page["results"]]})

    with Proxy(pair.source, {}) as proxy:
        proxy.begin(without)
        with pytest.raises(SnapshotError, match=rf"instances\[0\]\.{key}: is missing"):
            sync(pair.mirror_url, proxy.address, TOKEN, url=pair.source)
    assert written(pair) == before


def omit(record: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != key}


# --- AWX 24


def test_the_receptor_addresses_of_awx_24_become_hostnames(pair: Pair) -> None:
    """There a peer is the id of an address, and a link leads to an address, whatever that is called."""
    mesh = RandomMesh(seed=20, nodes=9)
    for node in mesh.content["instances"]:
        node["listener_port"] = node["listener_port"] or 27199 + node["id"] % 2
    pair.load(mesh)
    nodes = pair.ask(pair.source, "/api/v2/instances/?page_size=200")["results"]
    ids = {node["hostname"]: 1000 + node["id"] for node in nodes}
    addresses = [
        {
            "id": ids[node["hostname"]],
            "url": path_of(ids[node["hostname"]]),
            "address": f"dial-{node['id']}",
            "port": node["listener_port"],
            "protocol": "tcp",
            "websocket_path": "",
            "is_internal": False,
            "canonical": True,
            "instance": node["id"],
            "peers_from_control_nodes": node["peers_from_control_nodes"],
            "full_address": f"dial-{node['id']}:{node['listener_port']}",
        }
        for node in nodes
    ]

    def as_awx_24(number: int, path: str) -> Fault | None:
        if path == "/api/v2/ping/":
            return tells(lambda ping: {**ping, "version": "24.6.1"})
        if path == "/api/v2/":
            return tells(lambda root: {**root, "receptor_addresses": "/api/v2/receptor_addresses/"})
        if path.startswith("/api/v2/receptor_addresses/"):
            page = {"count": len(addresses), "next": None, "previous": None, "results": addresses}
            return says(200, json.dumps(page).encode())
        if path.startswith("/api/v2/instances/"):
            return tells(lambda page: {**page, "results": [instance_of_24(one) for one in page["results"]]})
        if path.startswith("/api/v2/mesh_visualizer/"):
            return tells(lambda told: {**told, "links": [link_of_24(link) for link in told["links"]]})
        return None

    def instance_of_24(instance: dict[str, Any]) -> dict[str, Any]:
        managed = instance["node_type"] in CONTROLLING
        return {**instance, "managed": managed, "peers": [ids[name] for name in instance["peers"]], "protocol": "tcp"}

    def link_of_24(link: dict[str, Any]) -> dict[str, Any]:
        related = {
            "source_instance": link["related"]["source_instance"],
            "target_address": path_of(ids[link["target"]]),
        }
        return {**{k: v for k, v in link.items() if k != "url"}, "related": related}

    with Proxy(pair.source, {}) as proxy:
        proxy.begin(as_awx_24)
        sync(pair.mirror_url, proxy.address, TOKEN)
    assert_equal(pair)
    with connected_to(pair.mirror_url):
        assert Mirror.objects.get().version == "24.6.1"
        stored = ReceptorAddress.objects.order_by("pk").values_list("pk", "address", "port")
        assert list(stored) == sorted((each["id"], each["address"], each["port"]) for each in addresses)


def path_of(pk: int) -> str:
    return f"/api/v2/receptor_addresses/{pk}/"
