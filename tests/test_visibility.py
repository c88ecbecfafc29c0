"""What a reader is answered does not depend on what the reader may not see."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection, models
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oauth2_provider.models import AccessToken
from rest_framework.test import APIClient

from awx_compat import filters
from awx_compat.filters import JOINS, LOOKUPS, ColumnFilter, Filters
from instances.models import Instance, InstanceGroup, InstanceGroupRole, InstanceLink, ReceptorAddress, UnifiedJob, User
from instances.visibility import through_what_is_visible
from tests.conftest import client_of
from tests.make import make_jobs, make_link

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = ("", "a", "b", "1", "10.0.0.1", "aé")
# What visible records tell of hidden ones, as AWX does: ids and hostnames of peers and their links, which World leaves.
TOLD = {Instance: {"id", "hostname"}, InstanceGroup: {"id", "name"}, InstanceLink: {"id", "source", "target"}}
TOLD |= {ReceptorAddress: {"id", "instance", "canonical"}}
LEFT = {User: {"id", "username", "is_superuser", "is_system_auditor", "password"}, UnifiedJob: {"id", "type"}}


class World:
    """A reader who sees one group of two nodes, in a mesh of hidden nodes, groups, links, jobs and users."""

    def __init__(self) -> None:
        names = ("seen-1", "seen-2", "hidden-1", "hidden-2", "hidden-3")
        self.nodes = [Instance.objects.create(hostname=name, node_type="execution") for name in names]
        self.groups = [InstanceGroup.objects.create(name=name) for name in ("seen", "shared", "hidden")]
        self.seen, self.hidden = self.nodes[:2], self.nodes[2:]
        for group, members in zip(self.groups, (self.seen, self.nodes[1:4], self.hidden), strict=True):
            group.instances.set(members)
        for source, target in ((0, 1), (0, 2), (2, 0), (1, 3), (3, 4), (4, 1)):
            make_link(source=self.nodes[source], target=self.nodes[target])
        self.reader = User.objects.create_user("reader", password="reader")
        User.objects.create_user("stranger", password="stranger")
        User.objects.create_superuser("root", password="root")
        InstanceGroupRole.objects.create(user=self.reader, instance_group=self.groups[0], role="read_role")
        make_jobs(3, instance_group=self.groups[2], execution_node="hidden-1")
        self.client = client_of(self.reader)

    def change(self, seed: int) -> None:
        """Give every hidden record other values in all columns that the reader is not told."""
        chance = random.Random(seed)
        for model, hidden in (
            (Instance, Instance.objects.filter(hostname__startswith="hidden")),
            (InstanceGroup, InstanceGroup.objects.exclude(name="seen")),
            (ReceptorAddress, ReceptorAddress.objects.filter(instance__in=self.hidden)),
            (InstanceLink, InstanceLink.objects.exclude(source__in=self.seen)),
            (UnifiedJob, UnifiedJob.objects.all()),
            (User, User.objects.filter(username="stranger")),
        ):
            for pk in hidden.values_list("pk", flat=True):
                hidden.filter(pk=pk).update(**dict(self.values(model, chance)))
        self.groups[2].instances.set(chance.sample(self.hidden, chance.randrange(4)))
        InstanceLink.objects.filter(source__in=self.hidden).delete()
        for source in self.hidden:
            for target in chance.sample([node for node in self.nodes if node != source], 2):
                make_link(source=source, target=target, link_state="established")

    def values(self, model: type[models.Model], chance: random.Random) -> Iterator[tuple[str, Any]]:
        for field in model._meta.concrete_fields:
            if field.name not in TOLD.get(model, set()) | LEFT.get(model, set()):
                kind = type(field)
                known = next((make for kinds, make in VALUES if issubclass(kind, kinds)), None)
                if field.name in ("ip_address", "address"):  # unique
                    yield field.name, f"{chance.choice('1a')}{chance.random()}"
                elif field.choices:
                    yield field.name, chance.choice([value for value, _ in field.choices])
                elif known is not None:
                    yield field.name, known(chance)

    def lists(self) -> dict[str, type[Filters]]:
        """The path of every kind of list that can be filtered."""
        node, group = f"instances/{self.seen[0].pk}", f"instance_groups/{self.groups[0].pk}"
        return {
            "instances": filters.filterset(Instance),
            f"{node}/peers": filters.filterset(Instance),
            f"{node}/instance_groups": filters.filterset(InstanceGroup),
            f"{node}/jobs": filters.filterset(UnifiedJob),
            "instance_groups": filters.filterset(InstanceGroup),
            f"{group}/instances": filters.filterset(Instance),
            f"{group}/jobs": filters.filterset(UnifiedJob),
            f"{group}/access_list": filters.filterset(User),
            "unified_jobs": filters.filterset(UnifiedJob),
            "users": filters.filterset(User),
            "tokens": filters.filterset(AccessToken),
        }

    def answers(self, addresses: list[str]) -> list[tuple[str, int, bytes]]:
        return [(address, *answered(self.client, address)) for address in addresses]


VALUES: tuple[tuple[Any, Any], ...] = (
    (models.BooleanField, lambda chance: chance.random() < 0.5),
    (models.DateTimeField, lambda chance: START + timedelta(days=chance.randrange(3))),
    (models.DecimalField, lambda chance: chance.randrange(2)),
    (models.IntegerField, lambda chance: chance.randrange(1, 3)),
    (models.JSONField, lambda chance: chance.choice([["a"], ["b"], {"name": "a", "description": "b"}])),
    ((models.CharField, models.TextField), lambda chance: chance.choice(WORDS)),
)


def answered(client: APIClient, address: str) -> tuple[int, bytes]:
    answer = client.get(address)
    return answer.status_code, answer.content


@pytest.fixture
def world(db: None) -> World:
    return World()


def asked_of(column: ColumnFilter) -> str:
    """A value that some hidden records have."""
    if column.related is not None or isinstance(column.column, models.IntegerField):
        return "1"
    if isinstance(column.column, models.BooleanField):
        return "true"
    return "2026-01-02T00:00:00Z" if isinstance(column.column, models.DateTimeField) else "a"


@pytest.mark.slow
@pytest.mark.parametrize("path", ["instances", "instance_groups"])
def test_no_condition_and_no_order_tells_of_a_hidden_record(path: str, world: World) -> None:
    """Every field of every relation, however far away, by a condition, a negated one and an order."""
    columns: Any = world.lists()[path].base_filters
    addresses = [
        f"/api/v2/{path}/?{query}"
        for name, column in columns.items()
        for query in (f"{name}={asked_of(column)}", f"not__{name}__gte={asked_of(column)}&order_by={name}")
        if "__" in name
    ]
    world.change(1)
    before = world.answers(addresses)
    world.change(2)
    assert [pair for pair in zip(before, world.answers(addresses), strict=True) if pair[0] != pair[1]] == []
    assert sum(status == 200 for _, status, _ in before) > len(before) / 2


@st.composite
def queries(draw: st.DrawFn) -> tuple[int, list[tuple[str, str]]]:
    """The number of a list, and parameters by the number of their field."""
    joins = st.sampled_from(["", *(f"{join}__" for join in JOINS)])
    negations, lookups = st.sampled_from(["", "not__"]), st.sampled_from(sorted(LOOKUPS))
    values = st.sampled_from([*WORDS, "true", "0", "2", "1,2", "2026-01-02", "."])
    condition = st.tuples(joins, negations, st.integers(0, 10**6), lookups, values)
    order = st.tuples(st.just("order_by"), st.sampled_from(["", "-"]), st.integers(0, 10**6), st.none(), st.none())
    search = st.tuples(st.just("search"), st.just(""), st.integers(0, 10**6), st.none(), values)
    return draw(st.integers(0, 10)), draw(
        st.lists(st.one_of(condition, condition, order, search), min_size=1, max_size=4)
    )


def written(world: World, number: int, parts: list[Any]) -> str:
    path, filterset = list(world.lists().items())[number]
    fields = [name for name in filterset.base_filters if "__" in name] or list(filterset.base_filters)
    parameters = []
    for kind, sign, place, lookup, value in parts:
        name = fields[place % len(fields)]
        if kind == "order_by":
            parameters.append(f"order_by={sign}{name}")
        elif kind == "search":
            parameters.append(f"{name.rpartition('__')[0] or name}__search={quote(value)}")
        else:
            parameters.append(f"{kind}{sign}{name}__{lookup}={quote(value)}")
    return f"/api/v2/{path}/?{'&'.join(parameters)}"


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=queries(), seed=st.integers(0, 1000))
def test_no_query_tells_of_hidden_records(asked: Any, seed: int, world: World) -> None:
    address = written(world, *asked)
    world.change(seed)
    before = answered(world.client, address)
    world.change(seed + 1)
    assert answered(world.client, address) == before


def test_visible_records_are_found_through_relations(world: World) -> None:
    Instance.objects.filter(pk=world.seen[1].pk).update(ip_address="10.9.9.9")
    InstanceGroup.objects.filter(name="seen").update(max_forks=7)

    def found(query: str) -> list[str]:
        return [told["hostname"] for told in world.client.get(f"/api/v2/instances/?{query}").json()["results"]]

    assert found("peers__ip_address__startswith=10.9") == ["seen-1"]
    assert found("not__peers__ip_address__startswith=10.9") == ["seen-2"]
    assert found("rampart_groups__max_forks=7") == ["seen-1", "seen-2"]
    assert found("rampart_groups__instances__ip_address=10.9.9.9&order_by=-hostname") == ["seen-2", "seen-1"]
    assert found("peers__isnull=true") == ["seen-2"]


def test_a_groups_id_and_name_are_open(world: World) -> None:
    shared = world.groups[1].pk
    for query in ("rampart_groups__name=shared", f"rampart_groups={shared}", f"rampart_groups__id={shared}"):
        told = world.client.get(f"/api/v2/instances/?{query}").json()
        assert [record["hostname"] for record in told["results"]] == ["seen-2"], query


def test_a_hidden_record_costs_no_query(world: World, admin: User) -> None:
    numbers = []
    for client in (world.client, client_of(admin)):
        with CaptureQueriesContext(connection) as captured:
            client.get("/api/v2/instances/?rampart_groups__instances__errors=a&order_by=peers__peers__capacity")
        numbers.append(len(captured))
    assert numbers[0] <= numbers[1]


def test_whoever_sees_everything_asks_the_tables_themselves(admin: User, auditor: User) -> None:
    for reader in (admin, auditor):
        records = Instance.objects.order_by("pk")
        assert through_what_is_visible(records, reader) is records
