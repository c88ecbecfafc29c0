"""The filter language, against a plain Python model of it and for every field that it knows."""

import json
import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from django.db import models
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.exceptions import APIException

from awx_compat import filters
from awx_compat.filters import LOOKUPS, Filters, columns
from instances.models import Instance, InstanceGroup, InstanceLink, User
from tests.conftest import client_of
from tests.factories import instance as instance_record
from tests.factories import snapshot
from tests.make import make_jobs
from tests.service import manage, new_database, served

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def mesh(db: None) -> list[Instance]:
    """Twelve instances of all kinds, with peers and groups, some fields empty."""
    hostnames = ["a", "ab", "abc", "B", "b.example", "é", "10.0.0.1", "hop-1", "hop-2", "x_y", "x%y", "x\\y"]
    instances = [
        Instance.objects.create(
            hostname=hostname,
            node_type=Instance.NodeType.values[n % 4],
            node_state=Instance.NodeState.values[n % 7],
            enabled=n % 3 > 0,
            capacity=n * 7 % 20,
            cpu=Decimal(n) / 2,
            memory=n * 2**33,
            listener_port=None if n % 2 else 27199 + n,
            last_seen=None if n % 5 == 0 else START + timedelta(hours=n),
            errors="" if n % 4 else f"failed {n}",
        )
        for n, hostname in enumerate(hostnames)
    ]
    for n in range(1, 12):
        InstanceLink.objects.create(source=instances[n], target=instances[n - 1])
    for name, members in {"odd": instances[1::2], "small": instances[:3], "empty": []}.items():
        InstanceGroup.objects.create(name=name).instances.set(members)
    return instances


def ids(query: str, filterset: type[Filters] = filters.InstanceFilters) -> list[int]:
    """The ids of the records that the query string lets through, each as often as it comes."""
    records = filterset._meta.model._default_manager.all()
    return sorted(record.pk for record in filterset(QueryDict(query), queryset=records).qs)


Test = Callable[[Any, Any], bool]
TEXT_TESTS: dict[str, Test] = {
    "exact": operator.eq,
    "contains": lambda own, asked: asked in own,
    "startswith": str.startswith,
    "endswith": str.endswith,
    "iexact": lambda own, asked: own.upper() == asked.upper(),
    "icontains": lambda own, asked: asked.upper() in own.upper(),
    "istartswith": lambda own, asked: own.upper().startswith(asked.upper()),
    "iendswith": lambda own, asked: own.upper().endswith(asked.upper()),
    "in": lambda own, asked: own in asked.split(","),
}
ORDER_TESTS: dict[str, Test] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "exact": operator.eq,
}

texts = st.sampled_from(["a", "ab", "B", "b", "é", "É", "hop", "1", "_", "%", "\\", "x_y", ".", "zzz"])
text_conditions = st.tuples(st.just("hostname"), st.sampled_from(sorted(TEXT_TESTS)), texts)
numbers = {
    "capacity": (st.integers(-1, 21), int),
    "listener_port": (st.integers(27198, 27212), int),
    "cpu": (st.decimals(0, 6, places=1), Decimal),
    "memory": (st.integers(0, 12).map(lambda n: n * 2**33), int),
    "last_seen": (st.integers(0, 12).map(lambda n: (START + timedelta(hours=n)).isoformat()), datetime.fromisoformat),
}
number_conditions = st.one_of(
    st.tuples(st.just(field), st.sampled_from(sorted(ORDER_TESTS)), values.map(str))
    for field, (values, _) in numbers.items()
)
null_conditions = st.tuples(
    st.sampled_from(["listener_port", "last_seen"]), st.just("isnull"), st.sampled_from(["true", "0"])
)
boolean_conditions = st.tuples(st.just("enabled"), st.just("exact"), st.sampled_from(["true", "False", "1", "f"]))
joins = st.sampled_from(["", "not__", "or__", "or__not__", "chain__", "chain__not__"])
conditions = st.tuples(joins, st.one_of(text_conditions, number_conditions, null_conditions, boolean_conditions))


def holds(condition: tuple[str, str, str], instance: Instance) -> bool:
    field, lookup, text = condition
    own = getattr(instance, field)
    if lookup == "isnull":
        return (own is None) is (text == "true")
    if own is None:
        return False
    if field == "hostname":
        return TEXT_TESTS[lookup](own, text)
    if field == "enabled":
        return bool(own) is (text in ("true", "1"))
    return ORDER_TESTS[lookup](own, numbers[field][1](text))


def passes(query: list[tuple[str, tuple[str, str, str]]], instance: Instance) -> bool:
    """The language in a few lines: all conditions hold, and one of those with ``or__`` if there are any."""
    results = [(join, holds(condition, instance) != join.endswith("not__")) for join, condition in query]
    alternatives = [result for join, result in results if join.startswith("or__")]
    return all(result for join, result in results if not join.startswith("or__")) and (
        any(alternatives) or not alternatives
    )


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.lists(conditions, max_size=5))
def test_any_query_equals_the_model(query: list[Any], mesh: list[Instance]) -> None:
    parameters = QueryDict(mutable=True)
    for join, (field, lookup, text) in query:
        parameters.appendlist(f"{join}{field}" if lookup == "exact" else f"{join}{field}__{lookup}", text)
    fresh = Instance.objects.all()
    assert ids(parameters.urlencode()) == [instance.pk for instance in fresh.order_by("pk") if passes(query, instance)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("rampart_groups__name=odd", ["ab", "B", "é", "hop-1", "x_y", "x\\y"]),
        ("rampart_groups__name=odd&rampart_groups__name=small", []),
        ("chain__rampart_groups__name=odd&chain__rampart_groups__name=small", ["ab"]),
        ("or__rampart_groups__name=odd&or__rampart_groups__name=small&hostname__startswith=a", ["a", "ab", "abc"]),
        ("not__rampart_groups__name=odd&hostname__startswith=a", ["a", "abc"]),
        ("rampart_groups__isnull=true&node_type=control", ["b.example", "hop-2"]),
        ("peers__hostname=a", ["ab"]),
        ("peers_from__hostname=ab", ["a"]),
        ("reverse_peers__source__hostname=ab", ["a"]),
        ("peers__isnull=true", ["a"]),
        ("rampart_groups__search=SMA", ["a", "ab", "abc"]),
        ("rampart_groups__search=sma,ll", ["a", "ab", "abc"]),
        ("rampart_groups__search=sma,odd", ["ab"]),
        ("rampart_groups__search=sma&rampart_groups__search=nothing", ["a", "ab", "abc"]),
        ("rampart_groups__instances__hostname=abc", ["a", "ab", "abc"]),
    ],
)
def test_relations(query: str, expected: list[str], mesh: list[Instance]) -> None:
    by_hostname = {instance.hostname: instance.pk for instance in mesh}
    assert ids(query) == sorted(by_hostname[hostname] for hostname in expected)


FILTERSETS = {
    "instances": filters.InstanceFilters,
    "instance_groups": filters.InstanceGroupFilters,
    "unified_jobs": filters.UnifiedJobFilters,
    "users": filters.UserFilters,
    "tokens": filters.AccessTokenFilters,
}
EVERY_FIELD = [
    (kind, name)
    for kind, filterset in FILTERSETS.items()
    for name in [*columns(filterset._meta.model), *filters.RELATIONS[filterset._meta.model]]
]


@pytest.fixture
def one_of_each(mesh: list[Instance], bob: User) -> None:
    group = InstanceGroup.objects.get(name="odd")
    make_jobs(2, instance_group=group, execution_node="a", status="running")


@pytest.mark.parametrize(("collection", "name"), EVERY_FIELD)
def test_every_field_has_every_lookup(collection: str, name: str, admin: User, one_of_each: None) -> None:
    """An existing value is found again; what a lookup cannot do is a 400 in words."""
    client = client_of(admin)
    model = FILTERSETS[collection]._meta.model
    record = model._default_manager.order_by("pk").first()
    relation = name in filters.RELATIONS[model]
    value = (
        model._default_manager.filter(pk=record.pk).values_list(name, flat=True).first()
        if relation
        else getattr(record, name)
    )
    written = json.dumps(value) if isinstance(columns(model).get(name), models.JSONField) else str(value)
    for lookup in LOOKUPS:
        text = {"isnull": str(value is None), "regex": re.escape(written), "iregex": re.escape(written)}.get(
            lookup, written
        )
        answer = client.get(f"/api/v2/{collection}/", {f"{name}__{lookup}": text, "page_size": "200"})
        assert answer.status_code in (200, 400), (lookup, answer.content)
        if answer.status_code == 400:
            assert set(answer.json()) == {"detail"}
        elif lookup in ("exact", "in", "gte", "lte", "isnull") and value is not None and "," not in text:
            assert record.pk in [told["id"] for told in answer.json()["results"]], lookup


@pytest.mark.parametrize("collection", sorted(FILTERSETS))
def test_every_column_can_be_ordered_by(collection: str, admin: User, one_of_each: None) -> None:
    client = client_of(admin)
    for name in columns(FILTERSETS[collection]._meta.model):
        for order in (name, f"-{name}"):
            answer = client.get(f"/api/v2/{collection}/", {"order_by": order})
            # there is no order between JSON documents that anybody could mean, but PostgreSQL has one
            assert answer.status_code == 200, (order, answer.content)


def test_a_list_is_ordered_by_awxs_name_of_a_column(admin: User, alice: User) -> None:
    ordered = client_of(admin).get("/api/v2/users/", {"order_by": "-created"})
    assert [user["username"] for user in ordered.json()["results"]] == ["alice", "admin"]


@pytest.mark.parametrize(
    "query",
    [
        "order_by=node_type",
        "order_by=-enabled",
        "order_by=last_seen",
        "order_by=listener_port,node_type",
        "order=errors",
    ],
)
def test_pages_in_any_order_neither_overlap_nor_miss_a_record(query: str, admin: User, mesh: list[Instance]) -> None:
    client, seen, page = client_of(admin), [], f"/api/v2/instances/?{query}&page_size=5"
    while page:
        body = client.get(page).json()
        seen += [record["id"] for record in body["results"]]
        page = body["next"]
    assert sorted(seen) == sorted(instance.pk for instance in mesh)


ROLE_LEVEL = "Cannot apply role_level filter to this list because its model does not use roles for access control."


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("&".join(["id=1"] * 101), "A query may have at most 100 conditions, 10 of them on related records."),
        (
            "&".join(["chain__peers__id=1"] * 11),
            "A query may have at most 100 conditions, 10 of them on related records.",
        ),
        ("hostname__regex=" + "a" * 1001, "A regular expression may have at most 1000 characters."),
        ("order_by=" + ",".join(["id"] * 11), "A list can be ordered by at most 10 fields."),
        ("peers__peers__hostname=x", "Loops not allowed in filters, detected on field peers."),
        ("peers__reverse_peers__source__hostname=x", "Filters follow at most 2 relations."),
        ("peers__regex=3", "Related Field got invalid lookup: regex"),
        ("role_level=x", ROLE_LEVEL),
        ("hostname=%00", "Null characters are not allowed."),
        ("search=%00", "Null characters are not allowed."),
        ("cpu=NaN", '["“NaN” value must be a decimal number."]'),
        ("peers=x", "Invalid peers id: x"),
        ("capacity__iexact=1", "capacity is not a text field and cannot be filtered by case-insensitive search"),
        ("hostname__regex=%28%3F%3Ca%29", "unknown extension ?<a at position 1"),
    ],
)
def test_what_cannot_be_asked(query: str, detail: str, admin: User, mesh: list[Instance]) -> None:
    answer = client_of(admin).get(f"/api/v2/instances/?{query}")
    assert (answer.status_code, answer.json()) == (400, {"detail": detail})


def test_a_pattern_too_large_for_the_database_is_no_server_error(admin: User, mesh: list[Instance]) -> None:
    """Whether PostgreSQL can compile it depends on how it was built."""
    answer = client_of(admin).get("/api/v2/instances/", {"hostname__regex": "(a{1,200}){1,200}"})
    assert answer.status_code in (200, 400)
    assert answer.status_code == 200 or answer.json() == {
        "detail": "The query holds a value that the database cannot use."
    }


def test_what_nobody_may_filter_by(admin: User) -> None:
    answer = client_of(admin).get("/api/v2/users/?password__startswith=pbkdf2")
    assert (answer.status_code, answer.json()) == (403, {"detail": "Filtering on password is not allowed."})


def test_filters_are_not_a_way_around_visibility(bob: User, edge: InstanceGroup) -> None:
    hidden = Instance.objects.create(hostname="hidden")
    client = client_of(bob)
    for query in ("id__gt=0", "or__id__gt=0&or__hostname=x", f"id={hidden.pk}", "not__hostname=x", "search=h"):
        assert hidden.pk not in [told["id"] for told in client.get(f"/api/v2/instances/?{query}").json()["results"]]


def test_no_regular_expression_holds_a_worker(tmp_path: Path) -> None:
    """The database's statement timeout ends what takes too long; the client reads why."""
    file = tmp_path / "mesh.json"
    long = "ab" * 20000
    file.write_text(
        json.dumps(snapshot(instances=[instance_record(n, errors=long) for n in range(1, 4)], instance_links=[]))
    )
    with new_database() as url:
        manage(url, "migrate", "--verbosity", "0")
        manage(url, "import_awx", str(file))
        with served(url) as address:
            answer = requests.get(
                f"{address}/api/v2/instances/",
                params={"errors__regex": r"(.+)(.+)(.+)(.+)\4\3\2\1"},
                headers={"Authorization": "Bearer token-of-admin"},
                timeout=30,
            )
    assert (answer.status_code, answer.json()) == (400, {"detail": "The query takes too long to answer; ask for less."})
    assert answer.elapsed < timedelta(seconds=2)


def test_errors_are_api_errors() -> None:
    """A filter set raises nothing else for a name that it does not know."""
    for name in ("bogus", "peers__bogus", "hostname__bogus", "__", "or____", "not__or__hostname", "é"):
        with pytest.raises(APIException):
            ids(f"{name}=1")
