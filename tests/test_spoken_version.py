"""The version that a mirror speaks as: its AWX's, unless AWX_VERSION says otherwise; then exactly, or not at all."""

import logging
import os
import threading
from typing import Any

import pytest
from django.core.management import CommandError
from pytest_django import Settings

from awx_compat.awx_client.client import Access
from awx_compat.awx_client.errors import NotAWXError
from awx_compat.awx_client.syncing import Sync
from instances.mirror import spoken
from instances.mirror.writing import Counts, Plan
from instances.models import Instance, InstanceLink, Mirror, ReceptorAddress, User
from instances.startup import refuse_what_is_not_shown
from tests.conftest import client_of, speaking
from tests.make import make_node
from tests.mirroring import PAUSE, unheard
from tests.recorded_awx import RecordedAWX

pytestmark = pytest.mark.django_db

AWX23, AWX24 = "23.6.0", "24.6.1"
MESH = "/api/v2/mesh_visualizer/"
CHANGE = "The AWX has version 24.6.1: processes that start from now on speak as 24.6.1. Restart those that run already."
NOW = "2026-11-29T11:00:00Z"


@pytest.fixture(autouse=True)
def _undecided(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """No process has chosen yet."""
    monkeypatch.delenv("AWX_VERSION", raising=False)
    settings.AWX_VERSION, settings.CHOSEN_AWX_VERSION = AWX23, None


def mirror(awx: RecordedAWX, **options: Any) -> Counts:
    plan = Plan("https://awx.example.org", **options)
    return Sync(Access(awx.address, token="token"), plan, threading.Event(), unheard, pause=PAUSE).run()


def version(awx: RecordedAWX, value: str) -> None:
    awx.response("/api/v2/ping/")["version"] = value


# --- which version it is


@pytest.mark.parametrize(
    ("of_awx", "expected", "known"),
    [
        ("23.0.0", AWX23, True),
        ("23.9.0", AWX23, True),
        ("24.0.0", AWX24, True),
        ("24.6.2.dev12+g0ab", AWX24, True),
        ("4.5.0", AWX24, True),
        ("4.6.17", AWX24, True),
        ("4.7.1", AWX24, True),
        ("4.8.0", AWX24, False),
        ("5.0", AWX24, False),
        ("25.1.0", AWX24, False),
        ("4.4.9", None, False),
        ("3.8.6", None, False),
        ("22.7.0", None, False),
        ("", None, False),
        ("24", None, False),
        ("24.6.1\n", None, False),
        ("latest", None, False),
    ],
)
def test_the_version_for_that_of_an_awx(of_awx: str, expected: str | None, known: bool) -> None:
    assert spoken.nearest(of_awx) == expected
    assert spoken.is_known(of_awx) is known


@pytest.mark.parametrize("chosen", [None, AWX23, AWX24])
@pytest.mark.parametrize(("of_awx", "expected"), [(None, AWX23), ("23.9.0", AWX23), ("4.6.1", AWX24), (AWX24, AWX24)])
def test_a_process_chooses_it_at_its_start(
    of_awx: str | None, expected: str, chosen: str | None, settings: Settings
) -> None:
    """Those that it starts get the same, whatever a sync meanwhile finds."""
    settings.CHOSEN_AWX_VERSION, settings.AWX_VERSION = chosen, chosen or AWX23
    if of_awx:
        Mirror.objects.create(url="https://awx.example.org", version=of_awx, began=NOW, finished=NOW)
    spoken.speak_as_mirrored()
    assert (chosen or expected) == settings.AWX_VERSION
    assert os.environ.get("AWX_VERSION") == (None if chosen else expected)


def test_a_newer_awx_is_read_as_the_nearest_and_that_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with RecordedAWX("awx24") as awx, caplog.at_level(logging.WARNING):
        version(awx, "25.1.0")
        mirror(awx)
    assert "has the version 25.1.0, which is newer than those known here: it is read as 24.6.1." in caplog.text
    assert Mirror.objects.get().version == "25.1.0"


@pytest.mark.parametrize("old", ["22.7.0", "4.4.9"])
def test_an_older_awx_is_refused(old: str) -> None:
    with RecordedAWX("awx23") as awx:
        version(awx, old)
        with pytest.raises(NotAWXError, match=f'"{old}": it must be 23.x, 24.x, or 4.5 to 4.7'):
            mirror(awx)
    assert not Mirror.objects.exists()


def test_a_sync_says_once_that_processes_must_be_restarted(caplog: pytest.LogCaptureFixture) -> None:
    with RecordedAWX("awx23") as old, RecordedAWX("awx24") as new, caplog.at_level(logging.WARNING):
        mirror(old)
        assert "Restart" not in caplog.text
        mirror(new)
        assert [record.getMessage() for record in caplog.records if "Restart" in record.getMessage()] == [CHANGE]
        caplog.clear()
        mirror(new)
        assert "Restart" not in caplog.text


# --- all of it


def test_everything_that_a_real_awx_24_answers_is_answered_alike() -> None:
    """The AWX's own order of addresses and links aside, which is its database's."""
    with RecordedAWX("awx24") as awx:
        mirror(awx)
    with speaking(AWX24):
        client = client_of(User.objects.get(username="admin"))

        def page(name: str) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = client.get(f"/api/v2/{name}/?page_size=200&order_by=id").json()["results"]
            return found

        assert page("instances") == awx.records("instances")
        assert page("receptor_addresses") == awx.records("receptor_addresses")
        mesh, recorded = client.get(MESH).json(), awx.response(MESH)
    for name in ("nodes", "links"):
        assert sorted(mesh[name], key=lambda each: each["id"]) == sorted(recorded[name], key=lambda each: each["id"])
    assert not any(Mirror.objects.get().left_out.values())


def test_the_mirror_names_both_versions(settings: Settings) -> None:
    with RecordedAWX("awx24") as awx:
        mirror(awx)
    admin = User.objects.get(username="admin")
    state = client_of(admin).get("/api/fleet/v1/mirror/").json()
    assert (state["version"], state["spoken_version"]) == (AWX24, AWX23)
    client = client_of(None)
    client.force_login(admin)
    assert "AWX <bdi>24.6.1</bdi> shown as <bdi>23.6.0</bdi>, last synced" in client.get("/").content.decode()
    settings.AWX_VERSION = AWX24
    assert "AWX <bdi>24.6.1</bdi>, last synced" in client.get("/").content.decode()


# --- exactly, or not at all


def plain(awx: RecordedAWX) -> None:
    """Let the AWX 24 have nothing that 23 has not."""
    nodes = {one["id"]: one["hostname"] for one in awx.records("instances")}
    for one in awx.records("instances"):
        one["managed"] = one["node_type"] in ("control", "hybrid")
    awx.change("receptor_addresses", lambda all_: all_.__setitem__(slice(None), [a for a in all_ if a["canonical"]]))
    paths = set()
    for one in awx.records("receptor_addresses"):
        one.update(address=nodes[one["instance"]], protocol="tcp", websocket_path="", is_internal=False)
        paths.add(one["url"])
    mesh = awx.response(MESH)
    mesh["links"][:] = [link for link in mesh["links"] if link["related"]["target_address"] in paths]


def written() -> bool:
    return any(model._default_manager.exists() for model in (Mirror, Instance, InstanceLink, ReceptorAddress))


def test_an_awx_24_is_not_shown_as_23_if_that_leaves_something_out(settings: Settings) -> None:
    settings.CHOSEN_AWX_VERSION = AWX23
    with RecordedAWX("awx24") as awx:
        with pytest.raises(spoken.NotShownError) as refused:
            mirror(awx)
        assert not written()
        assert str(refused.value).startswith("AWX 23.6.0 cannot show the protocol ws of exec-3.example.org, ")
        assert str(refused.value).endswith(
            ". Without AWX_VERSION this service speaks as the AWX that it mirrors, which is 24.6.1."
        )
        plain(awx)
        mirror(awx)
        ids = {one["id"]: one["hostname"] for one in awx.records("instances")}
        addresses = {one["id"]: ids[one["instance"]] for one in awx.records("receptor_addresses")}
        links = awx.response(MESH)["links"]
        assert links
    answered = client_of(User.objects.get(username="admin")).get(MESH).json()["links"]
    assert sorted((link["source"], link["target"]) for link in answered) == sorted(
        (link["source"], addresses[int(link["related"]["target_address"].split("/")[-2])]) for link in links
    )


def test_an_awx_23_is_not_shown_as_24_while_a_node_without_port_is_linked(settings: Settings) -> None:
    settings.CHOSEN_AWX_VERSION = AWX24
    with RecordedAWX("awx23") as awx:
        link = awx.response(MESH)["links"][0]
        target = next(one for one in awx.records("instances") if one["hostname"] == link["target"])
        target.update(listener_port=None, peers_from_control_nodes=False)
        with pytest.raises(spoken.NotShownError) as refused:
            mirror(awx)
        assert not written()
        ends = f"{link['source']} to {link['target']}"
        assert str(refused.value).startswith(f"AWX 24.6.1 cannot show the link from {ends}, which has no port")
        for one in awx.records("instances"):
            one["listener_port"] = one["listener_port"] or 27199
        mirror(awx)
    with speaking(AWX24):
        links = client_of(User.objects.get(username="admin")).get(MESH).json()["links"]
    ends = sorted((link["source"], link["target"], link["target_full_address"]) for link in links)
    ports = {one["hostname"]: one["listener_port"] for one in awx.records("instances")}
    assert ends == sorted(
        (link["source"], link["target"], f"{link['target']}:{ports[link['target']]}")
        for link in awx.response(MESH)["links"]
    )


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_service_starts_as_23_with_what_that_cannot_show_unless_it_is_a_mirror(
    mirrored: bool, node: Instance, settings: Settings
) -> None:
    ReceptorAddress.objects.create(instance=node, address="second", canonical=False)
    if mirrored:
        Mirror.objects.create(url="https://awx.example.org", version=AWX24, began=NOW, finished=NOW)
        with pytest.raises(CommandError, match=r"^AWX 23\.6\.0 cannot show the address second of "):
            refuse_what_is_not_shown()
        settings.AWX_VERSION = AWX24
    refuse_what_is_not_shown()


@pytest.fixture
def node() -> Instance:
    return make_node("exec-1")
