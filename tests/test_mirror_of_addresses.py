"""A mirror of a service that speaks as AWX 24.6.1 answers everything as that one does, whatever its addresses are."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pytest_django import DjangoDbBlocker

from instances import tokens
from instances.models import Mirror, User
from tests import test_mirror
from tests.random_mesh import RandomMeshOfAddresses
from tests.service import connected_to, new_database, served
from tests.test_mirror import TOKEN, Pair, changed

pytestmark = pytest.mark.slow  # two services

AWX24 = "24.6.1"
ADDRESSES = "/api/v2/receptor_addresses/"
pair = test_mirror.pair


@pytest.fixture(scope="module")
def services(migrated: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Pair]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(django_db_blocker.unblock())
        source_url, mirror_url = (stack.enter_context(new_database(migrated)) for _ in range(2))
        source, mirror = (stack.enter_context(served(url, AWX_VERSION=AWX24)) for url in (source_url, mirror_url))
        both = Pair(source_url, source, mirror_url, mirror)
        with connected_to(mirror_url):
            both.token = tokens.issue(User.objects.create_superuser("operator", password="operator"))[1]
        yield both


def assert_equal(pair: Pair) -> None:
    """Also what AWX 24 has beside: all addresses, and those of each instance and of its peers."""
    test_mirror.assert_equal(pair)
    there, here = pair.both(f"{ADDRESSES}?page_size=200&order_by=id")
    assert here == there
    for address in there["results"]:
        there_one, here_one = pair.both(address["url"])
        assert here_one == there_one
    for instance in pair.ask(pair.source, "/api/v2/instances/?page_size=200")["results"]:
        for name in ("receptor_addresses", "peers"):
            there, here = pair.both(f"{instance['url']}{name}/?page_size=200&order_by=id")
            assert here == there


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_record_of_a_mesh_is_told_alike(pair: Pair, seed: int) -> None:
    mesh = RandomMeshOfAddresses(seed, nodes=(1, 12, 30)[seed - 1])
    pair.load(mesh)
    counts = pair.sync(concurrency=seed)
    assert counts["addresses"].new == len(mesh.addresses) == counts["addresses"].total
    assert counts["links"].total == len(mesh.content["instance_links"])
    assert_equal(pair)
    with connected_to(pair.mirror_url):
        mirror = Mirror.objects.get()
        assert (mirror.version, any(mirror.left_out.values())) == (AWX24, False)


def test_the_meshes_have_what_23_has_not() -> None:
    """Or the test before would say little."""
    mesh = RandomMeshOfAddresses(3, nodes=30)
    owners = [each["instance"] for each in mesh.addresses]
    of_address = {each["id"]: each["instance"] for each in mesh.addresses}
    ends = [(link["source"], of_address[link["target"]]) for link in mesh.content["instance_links"]]
    assert len(set(owners)) < len(owners)
    assert len(set(ends)) < len(ends), "no node peers to two addresses of another"
    assert {each["protocol"] for each in mesh.addresses} == {"tcp", "ws", "wss"}
    assert {0, 443, 70000} < {each["port"] for each in mesh.addresses}
    for name in ("canonical", "is_internal", "peers_from_control_nodes", "websocket_path"):
        assert len({bool(each[name]) for each in mesh.addresses}) == 2, name
    managed = {(one["node_type"], one["managed"]) for one in mesh.content["instances"]}
    assert len(managed) == 8


def test_it_follows_random_changes_and_writes_nothing_without_one(pair: Pair) -> None:
    mesh = RandomMeshOfAddresses(seed=7, nodes=8)
    pair.load(mesh)
    pair.sync()
    kinds: set[str] = set()
    for _ in range(25):
        mesh.change()
        pair.load(mesh)
        kinds |= changed(pair.sync()).keys()
        assert_equal(pair)
        assert changed(pair.sync()) == {}
    assert {"instances", "addresses", "links"} < kinds


@pytest.mark.parametrize("path", [ADDRESSES, "/api/v2/instances/"])
def test_filters_and_options_are_the_same(path: str, pair: Pair) -> None:
    """They depend on the version that is spoken, and on no record that only one of the two has."""
    pair.load(RandomMeshOfAddresses(seed=9, nodes=6))
    pair.sync()
    own = "port" if path == ADDRESSES else "receptor_addresses__port"
    there, here = pair.both(f"{path}?{own}__gte=443&order_by=id&page_size=200")
    assert here == there
    assert there["count"] > 0

    def options(address: str, token: str) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        return requests.options(address + path, headers=headers, timeout=60).json()

    assert options(pair.mirror, pair.token) == options(pair.source, TOKEN)
