"""Two changes at once, of which one must wait for the other, and then judge by what that one left."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client

from instances import deprovisioning, groups, lifecycle, policies, provisioning, removals
from instances.locking import lock_links, lock_record
from instances.models import Instance, InstanceGroup, InstanceLink, User
from tests.conftest import client_of
from tests.make import change_group, make_link, make_node
from tests.test_admin import form_at

pytestmark = pytest.mark.django_db(transaction=True)
INSTANCES = "/api/v2/instances/"
PAGES = "/admin/instances/"
CLOSED = {"listener_port": None}
NO_PORT = {"__all__": ["Field listener_port must be set on peer listening."]}
NEEDS_ITS_PORT = "Field listener_port must be a valid integer when other nodes peer to it."


def waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # which is kept until the transaction's end otherwise
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock')"
        )
        return bool(cursor.fetchone()[0])


def meanwhile(first: Callable[[], Any], second: Callable[[], Any], then: Callable[[], Any] = lambda: None) -> Any:
    """What ``second`` returns, which begins before ``first`` is committed and cannot end before.

    ``then`` belongs to the first; it is called while the second waits.
    """

    def in_its_own_connection() -> Any:
        try:
            return second()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        first()
        asked = pool.submit(in_its_own_connection)
        end = time.monotonic() + 20
        while not waits_for_a_lock():
            assert not asked.done(), "It did not wait."
            assert time.monotonic() < end, "It does not begin."
            time.sleep(0.01)
        then()
    return asked.result()


@pytest.fixture
def listening() -> Instance:
    instance: Instance = make_node(hostname="listening", node_type="hop", listener_port=27199)
    return instance


@pytest.fixture
def dialling() -> Instance:
    instance: Instance = Instance.objects.create(hostname="dialling", node_type="execution")
    return instance


def close(node: Instance) -> Callable[[], Any]:
    return lambda: lifecycle.change_checked(node.pk, CLOSED)


@pytest.mark.parametrize("method", ["patch", "put"])
def test_nobody_peers_to_a_port_that_is_being_cleared(
    method: str, admin: User, listening: Instance, dialling: Instance
) -> None:
    body = {"hostname": "dialling", "node_state": dialling.node_state, "peers": ["listening"]}
    change = getattr(client_of(admin), method)
    answer = meanwhile(close(listening), lambda: change(f"{INSTANCES}{dialling.pk}/", body, format="json"))
    assert (answer.status_code, answer.json()) == (
        400,
        NO_PORT,
    )
    assert not InstanceLink.objects.exists()


def test_no_new_node_peers_to_a_port_that_is_being_cleared(admin: User, listening: Instance) -> None:
    body = {"hostname": "new", "peers": ["listening"]}
    answer = meanwhile(close(listening), lambda: client_of(admin).post(INSTANCES, body, format="json"))
    assert (answer.status_code, answer.json()) == (400, NO_PORT)
    assert not Instance.objects.filter(hostname="new").exists()


def test_no_port_is_cleared_to_which_somebody_is_about_to_peer(
    admin: User, listening: Instance, dialling: Instance
) -> None:
    peer = {"peers": [listening.canonical_address]}
    answer = meanwhile(
        lambda: lifecycle.change_checked(dialling.pk, peer),
        lambda: client_of(admin).patch(f"{INSTANCES}{listening.pk}/", CLOSED, format="json"),
    )
    assert (answer.status_code, answer.json()) == (400, {"__all__": [NEEDS_ITS_PORT]})
    assert Instance.objects.get(pk=listening.pk).listener_port == 27199


def test_a_command_warns_of_a_port_that_is_being_cleared(listening: Instance, dialling: Instance) -> None:
    links = meanwhile(close(listening), lambda: provisioning.connect("dialling", ["listening"]))
    assert "no listener_port is set there" in links.warnings[0]


@pytest.mark.parametrize(
    "begin", [policies.lock_memberships, lambda: lock_record(InstanceGroup, InstanceGroup.objects.get().pk)]
)
def test_a_node_is_renamed_after_who_is_about_to_put_it_into_a_group(
    begin: Callable[[], Any], dialling: Instance
) -> None:
    uuid = "11111111-2222-4333-8444-555555555555"
    Instance.objects.filter(pk=dialling.pk).update(uuid=uuid)
    group = InstanceGroup.objects.create(name="edge")
    meanwhile(
        begin,
        lambda: provisioning.provision("renamed", None, {"uuid": uuid}),
        then=lambda: groups.associate(group.pk, dialling),
    )
    group.refresh_from_db()
    assert group.policy_instance_list == ["renamed"]
    assert [member.hostname for member in group.instances.all()] == ["renamed"]


class TestAdmin:
    """The pages of the administration."""

    @pytest.fixture
    def browser(self, admin: User) -> Client:
        client = Client()
        client.force_login(admin)
        return client

    def new_node(self, listening: Instance) -> dict[str, Any]:
        return {
            "hostname": "new",
            "node_type": "execution",
            "capacity_adjustment": "1",
            "peers": [listening.canonical_address.pk],
        }

    def test_no_new_node_peers_to_a_port_that_is_being_cleared(self, browser: Client, listening: Instance) -> None:
        form = self.new_node(listening)
        answer = meanwhile(close(listening), lambda: browser.post(f"{PAGES}instance/add/", form))
        assert "is not one of the available choices." in answer.content.decode()
        assert not Instance.objects.filter(hostname="new").exists()

    def test_no_new_node_lacks_a_peer_that_is_being_removed(self, browser: Client, listening: Instance) -> None:
        form = self.new_node(listening)
        meanwhile(lambda: provisioning.deprovision("listening"), lambda: browser.post(f"{PAGES}instance/add/", form))
        assert not Instance.objects.filter(hostname="new").exists()

    def test_no_link_is_made_to_a_port_that_is_being_cleared(
        self, browser: Client, listening: Instance, dialling: Instance
    ) -> None:
        form = {"source": dialling.pk, "target": listening.canonical_address.pk}
        meanwhile(close(listening), lambda: browser.post(f"{PAGES}instancelink/add/", form))
        assert not InstanceLink.objects.exists()

    def test_no_port_is_cleared_to_which_somebody_is_about_to_peer(
        self, browser: Client, listening: Instance, dialling: Instance
    ) -> None:
        page = f"{PAGES}instance/{listening.pk}/change/"
        form = {**form_at(browser, page), "listener_port": ""}
        answer = meanwhile(
            lambda: lifecycle.change_checked(dialling.pk, {"peers": [listening.canonical_address]}),
            lambda: browser.post(page, form),
        )
        assert NEEDS_ITS_PORT in answer.content.decode()
        assert Instance.objects.get(pk=listening.pk).listener_port == 27199

    def test_who_waits_to_delete_a_link_holds_nothing(
        self, browser: Client, listening: Instance, dialling: Instance
    ) -> None:
        link = make_link(source=dialling, target=listening)
        answer = meanwhile(
            lock_links,
            lambda: browser.post(f"{PAGES}instancelink/{link.pk}/delete/", {"post": "yes"}),
            then=lambda: InstanceLink.objects.select_for_update(nowait=True).get(),
        )
        assert answer.status_code == 302
        assert not InstanceLink.objects.exists()


def test_who_waits_to_remove_a_node_holds_nothing(listening: Instance) -> None:
    removed = meanwhile(
        lock_links,
        lambda: provisioning.deprovision("listening"),
        then=lambda: Instance.objects.select_for_update(nowait=True).get(),
    )
    assert removed is True


@pytest.fixture
def leaving(listening: Instance, dialling: Instance, settings: Any) -> Instance:
    """A node that is being deprovisioned, without jobs, to which another one peers."""
    settings.IS_K8S = True
    make_link(source=dialling, target=listening, link_state="established")
    removals.request(listening.pk)
    return listening


def test_who_undoes_a_removal_first_has_the_whole_node(leaving: Instance) -> None:
    removed = meanwhile(lambda: removals.undo(leaving.pk), lambda: deprovisioning.deprovision(leaving.pk))
    assert removed is False
    assert Instance.objects.get(pk=leaving.pk).node_state == "ready"
    assert [link.link_state for link in InstanceLink.objects.all()] == ["established"]


def test_who_undoes_a_removal_that_begins_at_the_same_moment_is_late(admin: User, leaving: Instance) -> None:
    path = f"/api/fleet/v1/instances/{leaving.pk}/deprovision/"
    answer = meanwhile(lambda: deprovisioning.begin_removal(leaving.pk), lambda: client_of(admin).delete(path))
    assert (answer.status_code, answer.json()) == (409, {"detail": removals.HAS_BEGUN})
    answer = meanwhile(lambda: deprovisioning.remove(leaving.pk), lambda: client_of(admin).delete(path))
    assert answer.status_code == 409
    assert not Instance.objects.filter(pk=leaving.pk).exists()


def test_who_forces_what_is_removed_at_the_same_moment_is_late(admin: User, leaving: Instance) -> None:
    body = {"force": True, "reason": "x"}
    path = f"/api/fleet/v1/instances/{leaving.pk}/deprovision/"
    answer = meanwhile(
        lambda: deprovisioning.deprovision(leaving.pk), lambda: client_of(admin).post(path, body, format="json")
    )
    assert answer.status_code == 409
    assert not Instance.objects.filter(pk=leaving.pk).exists()


def test_a_new_control_node_peers_to_who_is_about_to_want_it(listening: Instance) -> None:
    meanwhile(
        lambda: lifecycle.change_checked(listening.pk, {"peers_from_control_nodes": True}),
        lambda: provisioning.provision("control", "control", {}),
    )
    assert InstanceLink.objects.filter(source__hostname="control", target__instance=listening).exists()


def test_a_node_that_wants_it_is_peered_to_by_who_is_about_to_come(admin: User, listening: Instance) -> None:
    answer = meanwhile(
        lambda: provisioning.provision("control", "control", {}),
        lambda: client_of(admin).patch(
            f"{INSTANCES}{listening.pk}/", {"peers_from_control_nodes": True}, format="json"
        ),
    )
    assert answer.status_code == 200
    assert InstanceLink.objects.filter(source__hostname="control", target__instance=listening).exists()


def test_a_node_that_is_provisioned_twice_at_once_is_there_once() -> None:
    meanwhile(
        lambda: provisioning.provision("new", "execution", {}),
        lambda: call_command("provision_instance", hostname="new", node_type="execution"),
    )
    assert Instance.objects.filter(hostname="new").count() == 1


def test_a_group_is_deleted_whose_state_nobody_asked_for(admin: User) -> None:
    group = InstanceGroup.objects.create(name="changing")
    answer = meanwhile(
        lambda: change_group(group, {"max_forks": 3}),
        lambda: client_of(admin).delete(f"/api/v2/instance_groups/{group.pk}/"),
    )
    assert answer.status_code == 204
    assert not InstanceGroup.objects.filter(pk=group.pk).exists()


@pytest.mark.parametrize(("method", "body"), [("delete", None), ("patch", {"max_forks": 3})])
def test_a_group_that_somebody_deletes_is_not_there(method: str, body: Any, admin: User) -> None:
    group = InstanceGroup.objects.create(name="going")
    change = getattr(client_of(admin), method)
    answer = meanwhile(
        lambda: groups.delete(group.pk),
        lambda: change(f"/api/v2/instance_groups/{group.pk}/", body, format="json"),
    )
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})
