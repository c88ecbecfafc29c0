"""The filter language, against a plain Python model of it and for every field that it knows."""

import contextlib
import json
import operator
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from django.db import models
from django.http import QueryDict
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from oauth2_provider.models import AccessToken
from rest_framework.exceptions import APIException, ParseError

from awx_compat import filters
from awx_compat.filters import LOOKUPS, columns
from instances import tokens
from instances.addresses import links_to
from instances.listing import listing_of
from instances.models import Instance, InstanceGroup, InstanceLink, UnifiedJob, User
from tests.conftest import client_of
from tests.factories import instance as instance_record
from tests.factories import snapshot
from tests.make import make_jobs, make_link, make_node
from tests.service import manage, new_database, served

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def mesh(db: None) -> list[Instance]:
    """Twelve instances of all kinds, with peers and groups, some fields empty."""
    hostnames = ["a", "ab", "abc", "B", "b.example", "é", "10.0.0.1", "hop-1", "hop-2", "x_y", "x%y", "x\\y"]
    instances = [
        make_node(
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
        state = InstanceLink.State.values[n % 3]
        make_link(source=instances[n], target=instances[n - 1], link_state=state)
    for name, members in {"odd": instances[1::2], "small": instances[:3], "empty": []}.items():
        InstanceGroup.objects.create(name=name).instances.set(members)
    return instances


def every(model: type[models.Model]) -> models.QuerySet[Any]:
    """All records, with what the API's lists annotate and filter by."""
    return tokens.every() if model is AccessToken else model._default_manager.all()


def ids(query: str, filterset: Any = None) -> list[int]:
    """The ids of the records that the query string lets through, each as often as it comes; without a filter set, of
    instances."""
    filterset = filterset or filters.filterset(Instance)
    records = every(filterset._meta.model).order_by("pk")
    listing = listing_of(records, filterset(QueryDict(query), queryset=records).qs)
    return [record.pk for record in listing[0:1000]]


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


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.lists(conditions, max_size=5))
def test_any_query_equals_the_model(query: list[Any], mesh: list[Instance]) -> None:
    parameters = QueryDict(mutable=True)
    for join, (field, lookup, text) in query:
        parameters.appendlist(f"{join}{field}" if lookup == "exact" else f"{join}{field}__{lookup}", text)
    fresh = Instance.objects.all()
    assert ids(parameters.urlencode()) == [instance.pk for instance in fresh.order_by("pk") if passes(query, instance)]


values_of_columns = {
    "hostname": texts,
    "node_type": st.sampled_from(Instance.NodeType.values),
    "capacity": st.integers(-1, 21).map(str),
    "last_seen": st.integers(0, 12).map(lambda n: (START + timedelta(hours=n)).isoformat()),
    "enabled": st.sampled_from(["true", "false"]),
}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(join=joins, column=st.sampled_from(sorted(values_of_columns)), data=st.data())
def test_conditions_on_one_column_mean_the_same_together(
    join: str, column: str, data: Any, mesh: list[Instance]
) -> None:
    """However they are joined, and beside a condition on another column."""
    values = data.draw(st.lists(values_of_columns[column], min_size=2, max_size=6))
    each = [set(ids(urlencode({f"{join}{column}": value}))) for value in values]
    together = set.union(*each) if join.startswith("or__") else set.intersection(*each)
    query = urlencode([(f"{join}{column}", value) for value in values])
    assert set(ids(query)) == together
    assert set(ids(f"{query}&memory__gt={2**34}")) == together & set(ids(f"memory__gt={2**34}"))


@pytest.mark.parametrize("model", [Instance, InstanceGroup, UnifiedJob, User, AccessToken])
@pytest.mark.parametrize("join", ["not__", "chain__not__", "or__"])
def test_conditions_on_one_column_are_one_list(join: str, model: Any, db: None) -> None:
    """For every own column of every list, but for those of JSON, which are compared as texts."""
    for name, column in columns(model).items():
        own = filters.filterset(model).base_filters[name]
        if isinstance(column, models.JSONField) or own.field_name.partition("__")[2]:
            continue
        value = column.choices[0][0] if column.choices else {"BooleanField": "true"}.get(type(column).__name__, "1")
        value = START.isoformat() if isinstance(column, models.DateTimeField) else value
        query = QueryDict("&".join([urlencode({f"{join}{name}": value})] * 1000))
        records = filters.filterset(model)(query, queryset=every(model)).qs
        sql = str(records.query)
        assert (sql.count(" IN ("), sql.partition("WHERE")[2].count(" OR ")) == (1, 0), sql


@pytest.mark.parametrize("condition", ["credential=null", "policy_instance_list=[]"])
@pytest.mark.parametrize("join", ["or__", "not__", "chain__not__"])
def test_what_is_no_value_of_a_list_counts_each_time(join: str, condition: str) -> None:
    query = "&".join([f"{join}{condition}"] * 101)
    with pytest.raises(ParseError, match="at most 100 conditions"):
        filters.filterset(InstanceGroup)(QueryDict(query), queryset=InstanceGroup.objects.all()).qs.exists()


def test_a_thousand_conditions_of_the_picker_of_peers(service: str) -> None:
    """Over HTTP, with hostnames of a usual length; an address can have 65,534 bytes."""
    headers = {"Authorization": "Bearer oracle-admin-token"}
    url = f"{service}/api/v2/instances/?page_size=200&not__node_type=control&not__node_type=hybrid"
    hostnames = [node["hostname"] for node in requests.get(url, headers=headers, timeout=30).json()["results"]]
    present = [f"exec-{number:04}.region-1.example.org" for number in range(997)] + hostnames[:3]
    query = urlencode([("not__hostname", hostname) for hostname in present])
    answer = requests.get(f"{url}&{query}", headers=headers, timeout=30)
    assert [node["hostname"] for node in answer.json()["results"]] == hostnames[3:]
    assert len(query) > 40_000
    assert len(hostnames) > 4


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


@dataclass(frozen=True)
class Relation:
    """What a relation leads to from an instance, and a column of that to compare and to order by."""

    column: str
    related: Callable[[Instance], list[str]]


RELATED = {
    "rampart_groups": Relation("name", lambda own: [group.name for group in own.rampart_groups.all()]),
    "peers": Relation("hostname", lambda own: [peer.instance.hostname for peer in own.peers.all()]),
    "peers_from": Relation("hostname", lambda own: [link.source.hostname for link in links_to(own)]),
    "reverse_peers": Relation("link_state", lambda own: [link.link_state for link in links_to(own)]),
}


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    relation=st.sampled_from(sorted(RELATED)),
    condition=st.sampled_from(["", "a", "hop-1", "odd", "small", "established", "adding"]),
    join=st.sampled_from(["", "chain__", "or__"]),
    descending=st.booleans(),
    size=st.integers(1, 30),
)
def test_an_order_by_related_records_looks_at_those_that_a_condition_left(
    relation: str, condition: str, join: str, descending: bool, size: int, mesh: list[Instance], admin: User
) -> None:
    """A record comes once for each of them, pages end with the number of records, and every record is whole."""
    column, related = RELATED[relation].column, RELATED[relation].related
    expected = sorted(
        ((text, own.pk) for own in mesh for text in dict.fromkeys(related(own)) if text >= condition),
        key=lambda pair: (pair[0] if not descending else [-ord(each) for each in pair[0]] + [1], pair[1]),
    )
    records = len({pk for _, pk in expected})
    query = {
        f"{join}{relation}__{column}__gte": condition,
        "order_by": f"{'-' * descending}{relation}__{column},id",
        "page_size": size,
    }
    client = client_of(admin)
    whole = {record["id"]: record for record in client.get("/api/v2/instances/").json()["results"]}
    body = client.get("/api/v2/instances/", query).json()
    assert body["count"] == records
    assert body["results"] == [whole[pk] for _, pk in expected[: min(size, records)]]


def test_an_order_by_a_relation_is_that_of_its_records(admin: User, mesh: list[Instance]) -> None:
    """Instances come by hostname, whatever their ids; other records by id."""
    group = InstanceGroup.objects.create(name="mixed")
    group.instances.set(mesh[3:6])  # B, b.example, é
    answer = client_of(admin).get("/api/v2/instances/", {"peers__hostname__in": "é,B,hop-1", "order_by": "-peers"})
    assert [record["peers"] for record in answer.json()["results"]] == [["é"], ["hop-1"], ["B"]]
    answer = client_of(admin).get(
        "/api/v2/instances/", {"rampart_groups__isnull": "false", "order_by": "rampart_groups"}
    )
    first = {group.name: group.pk for group in InstanceGroup.objects.all()}["odd"]
    assert answer.json()["results"][0]["hostname"] in {
        own.hostname for own in Instance.objects.filter(rampart_groups=first)
    }


NUMBERS = ["0", "0.0", "0.5", ".5", "1e1", "10", "5.", "5.50", "-0", "1.", "0e3"]


@pytest.mark.parametrize("lookup", ["contains", "startswith", "endswith", "icontains", "istartswith", "iendswith"])
def test_a_text_lookup_on_a_decimal_compares_the_texts_of_numbers(lookup: str, mesh: list[Instance]) -> None:
    for asked in NUMBERS:
        test = TEXT_TESTS[lookup]
        expected = [own.pk for own in mesh if test(f"{own.cpu:.1f}", str(Decimal(asked)))]
        assert ids(f"cpu__{lookup}={asked}") == expected, asked


@pytest.mark.parametrize("lookup", ["contains", "startswith", "icontains", "istartswith", "endswith"])
@pytest.mark.parametrize("asked", ["2026-01-01", "2026-01-01T03:00", "2026-01-01 03:00:00", "2026-01-01T03:00:00Z"])
def test_a_text_lookup_on_a_time_compares_the_texts_of_times(lookup: str, asked: str, mesh: list[Instance]) -> None:
    text = str(datetime.fromisoformat(asked))  # "+00:00" where PostgreSQL writes "+00"
    seen = [(own.pk, f"{own.last_seen:%Y-%m-%d %H:%M:%S}+00") for own in mesh if own.last_seen]
    assert ids(f"last_seen__{lookup}={asked}") == [pk for pk, own in seen if TEXT_TESTS[lookup](own, text)]


FILTERSETS = {
    "instances": filters.filterset(Instance),
    "instance_groups": filters.filterset(InstanceGroup),
    "unified_jobs": filters.filterset(UnifiedJob),
    "users": filters.filterset(User),
    "tokens": filters.filterset(AccessToken),
}
EVERY_FIELD = [
    (kind, name)
    for kind, filterset in FILTERSETS.items()
    for name in [*columns(filterset._meta.model), *filters.relations(filterset._meta.model)]
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
    record = every(model).order_by("pk").first()
    own = filters.path_of(model, name)
    value = every(model).filter(pk=record.pk).values_list(own, flat=True).first()
    is_json = isinstance(columns(model).get(name), models.JSONField)
    written = json.dumps(value) if is_json else str(value)
    # As in AWX, a list is never one of several texts, and a type of jobs none of the letters that are asked for.
    never_in = is_json or (collection, name) == ("unified_jobs", "type")
    for lookup in LOOKUPS:
        text = {"isnull": str(value is None), "regex": re.escape(written), "iregex": re.escape(written)}.get(
            lookup, written
        )
        answer = client.get(f"/api/v2/{collection}/", {f"{name}__{lookup}": text, "page_size": "200"})
        assert answer.status_code in (200, 400), (lookup, answer.content)
        if answer.status_code == 400:
            assert set(answer.json()) == {"detail"}
        elif lookup == "in" and never_in:
            assert answer.json()["results"] == []
        elif lookup in ("exact", "in", "gte", "lte", "isnull") and value is not None and "," not in text:
            assert record.pk in [told["id"] for told in answer.json()["results"]], lookup


def refused(collection: str, key: str, value: str) -> str:
    """What a client that asks for this reads."""
    with pytest.raises(ParseError) as refusal:
        ids(urlencode({key: value}), FILTERSETS[collection])
    return str(refusal.value.detail)


def accepted(collection: str, key: str, value: str) -> bool:
    return ids(urlencode({key: value}), FILTERSETS[collection]) is not None


@pytest.mark.parametrize(("collection", "name"), EVERY_FIELD)
def test_int_reads_an_integer_before_all_else(collection: str, name: str) -> None:
    for asked in ("x", "", "1.0", "true", "null", "0x1f"):
        expected = f"invalid literal for int() with base 10: {asked!r}"
        for key in (f"{name}__int", f"or__not__{name}__gt__int", f"{name}__isnull__int"):
            assert refused(collection, key, asked) == expected
    column = columns(FILTERSETS[collection]._meta.model).get(name)
    if isinstance(column, models.DateTimeField):
        assert refused(collection, f"{name}__int", "2023") == "fromisoformat: argument must be str"
    else:
        assert accepted(collection, f"{name}__int", " 0_1 ")


EVERY_RELATION = [
    (collection, path, relation)
    for collection, filterset in FILTERSETS.items()
    for path, relation in filterset.base_filters.items()
    if relation.related is not None
]


@pytest.mark.parametrize(("collection", "path", "relation"), EVERY_RELATION)
def test_what_a_relation_is_not_asked(collection: str, path: str, relation: Any) -> None:
    kind = "ManyToOneRel" if path.endswith(("reverse_peers", "unifiedjob")) else "ForeignKey"
    for lookup in (filters.TEXT - {"iexact"}) | filters.PATTERNS:
        detail = f"Unsupported lookup '{lookup}' for {kind} or join on the field not permitted."
        assert refused(collection, f"{path}__{lookup}", "1") == detail
    for lookup in ("gt", "gte", "lt", "lte"):
        for asked in ("null", "None"):
            assert refused(collection, f"{path}__{lookup}", asked) == "Cannot use None as a query value"
    name = path.split("__")[-1]
    assert refused(collection, f"{path}__contains", "x") == f"Invalid {name} id: x"
    assert refused(collection, f"{path}__gt", "") == f"Invalid {name} id: "
    expected = f"{name} is not a text field and cannot be filtered by case-insensitive search"
    assert refused(collection, f"{path}__iexact", "1") == expected
    assert accepted(collection, path, "null")
    assert accepted(collection, f"{path}__gte", "1")
    assert ids(f"{path}__in=null", FILTERSETS[collection]) == []


def test_jobs_are_filtered_and_ordered_by_what_they_take(admin: User) -> None:
    for impact in (5, 1, 2):
        make_jobs(1, task_impact=impact, status="running")
    client = client_of(admin)

    def impacts(**query: Any) -> list[int]:
        found = client.get("/api/v2/unified_jobs/", {"order_by": "task_impact", **query}).json()["results"]
        return [UnifiedJob.objects.get(pk=job["id"]).task_impact for job in found]

    assert (impacts(), impacts(order_by="-task_impact")) == ([1, 2, 5], [5, 2, 1])
    assert (impacts(task_impact__gt=1), impacts(task_impact__in="1,5"), impacts(not__task_impact=2)) == (
        [2, 5],
        [1, 5],
        [1, 5],
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("credential=7", ["b"]),
        ("credential__name__icontains=TOK", ["b"]),
        ("not__credential__name=token", ["a", "c"]),
        ("credential__search=second", ["c"]),
        ("credential__isnull=true", ["a"]),
        ("credential__id__gte=1&order_by=credential", ["c", "b"]),
        ("order_by=-credential__name,name&credential__pk__in=7,8", ["b", "c"]),
    ],
)
def test_what_groups_tell_of_credentials_can_be_asked_for(query: str, found: list[str], admin: User) -> None:
    InstanceGroup.objects.create(name="a")
    for pk, name, credential, description in ((7, "b", "token", "first"), (8, "c", "robot", "The second one")):
        summary = {"id": pk, "name": credential, "description": description}
        InstanceGroup.objects.create(name=name, credential=pk, credential_summary=summary, is_container_group=True)
    answer = client_of(admin).get(f"/api/v2/instance_groups/?{query}")
    assert [group["name"] for group in answer.json()["results"]] == found


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


TOO_MANY = "A query may have at most 100 conditions, 10 of them on related records."
TOO_MANY_PATTERNS = "A query may have at most 5 regular expressions."


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("&".join(["id=1"] * 101), "A query may have at most 100 conditions, 10 of them on related records."),
        (
            "&".join(["chain__peers__id=1"] * 11),
            "A query may have at most 100 conditions, 10 of them on related records.",
        ),
        ("&".join(["or__not__id=1"] * 101), TOO_MANY),
        ("&".join(["not__hostname__contains=a"] * 101), TOO_MANY),
        *(("&".join([f"{join}__peers_from_control_nodes=1"] * 101), TOO_MANY) for join in ("or", "not", "chain__not")),
        ("&".join(["not__peers=1"] * 11), TOO_MANY),
        ("hostname__regex=" + "a" * 201, "A regular expression may have at most 200 characters."),
        ("&".join(["hostname__regex=a"] * 3 + ["or__not__uuid__iregex=("] * 3), TOO_MANY_PATTERNS),
        ("&".join(["bogus__regex=("] * 6), TOO_MANY_PATTERNS),
        ("search=" + "a," * 30_000, TOO_MANY),
        ("search=" + "a+" * 101, TOO_MANY),
        ("peers__search=" + "a," * 101, TOO_MANY),
        ("search=" + "a,b+" * 25 + "&" + "&".join(["bogus=("] * 51), TOO_MANY),
        ("order_by=" + ",".join(["id"] * 11), "A list can be ordered by at most 10 fields."),
        ("peers__peers__hostname=x", "Loops not allowed in filters, detected on field peers."),
        ("peers__reverse_peers__source__hostname=x", "Filters follow at most 2 relations."),
        ("peers__regex=3", "Unsupported lookup 'regex' for ForeignKey or join on the field not permitted."),
        ("role_level=x", ROLE_LEVEL),
        ("hostname=%00", "Null characters are not allowed."),
        ("search=%00", "Null characters are not allowed."),
        ("cpu=NaN", '["“NaN” value must be a decimal number."]'),
        ("peers=x", "Invalid peers id: x"),
        ("capacity__iexact=1", "capacity is not a text field and cannot be filtered by case-insensitive search"),
        ("hostname__regex=%28%3F%3Ca%29", "unknown extension ?<a at position 1"),
        ("peers__capacity__iexact=1", "capacity is not a text field and cannot be filtered by case-insensitive search"),
        ("reverse_peers__target=x", "Invalid target id: x"),
        ("peers__enabled___exact=1", "Instance has no field named 'enabled_'"),
        ("%C3%A9=1", "'é' is not an allowed field name. Must be ascii encodable."),
        ("or__not__%C3%A9__search=1", "'or__not__é__search' is not an allowed field name. Must be ascii encodable."),
        ("or__=1", "Query string field name not provided."),
        ("rampart_groups__policy_instance_list=[]", "Cannot resolve keyword 'policy_instance_list' into field."),
        ("rampart_groups__credential__bogus=1", "Credential has no field named 'bogus'"),
        ("rampart_groups__unifiedjob__execution_environment__x=1", "ExecutionEnvironment has no field named 'x'"),
        ("order_by=-", "Instance has no field named ''"),
        # All parameters are understood before any condition is applied, and chained conditions are applied first.
        ("peers__contains=1&capacity=x", '["“x” value must be an integer."]'),
        ("peers__gt=null&bogus=1", "Instance has no field named 'bogus'"),
        (
            "peers__gt=null&chain__peers__regex=1",
            "Unsupported lookup 'regex' for ForeignKey or join on the field not permitted.",
        ),
        ("role_level=x&bogus=1", "Instance has no field named 'bogus'"),
        ("order_by=id&order=worse", "Instance has no field named 'worse'"),
    ],
)
def test_what_cannot_be_asked(query: str, detail: str, admin: User, mesh: list[Instance]) -> None:
    answer = client_of(admin).get(f"/api/v2/instances/?{query}")
    assert (answer.status_code, answer.json()) == (400, {"detail": detail})


@pytest.mark.parametrize(
    "pattern",
    [
        "(?i)" + "[\x80-\U0010ffff]" * 39,
        "[\x80-\U0010ffff]" * 40,
        "(?i)" + r"[\0-\uffff]" * 17,
        r"[\0-\U0010ffff]" * 13,
        "(?i)" + "[ks]" * 49,
        "(?iu:" + "[µk]" * 48 + ")",
        "(?i)[" + "\x80-\U0010ffff" * 64 + "]",
    ],
)
def test_no_regular_expression_costs_python_much(pattern: str) -> None:
    """A hundred patterns that differ, so that none is remembered; Python alone would take seconds for most."""
    began = time.process_time()
    for number in range(100):
        with contextlib.suppress(ParseError):
            filters.pattern(pattern[:-4] + f"{number:03}" + pattern[-1])
    assert time.process_time() - began < 1


@pytest.mark.filterwarnings("ignore:Possible:FutureWarning")
@settings(max_examples=500, deadline=None)
@example("(?\u0130")
@example("\U0001f600{2,1}(?\u4e2d")
@given(st.text(st.sampled_from("()[]{}?*+|^$.-\\aikuUdwé\u0130中\U0001f600<=!:1,x0fP"), max_size=14))
def test_a_pattern_is_refused_in_pythons_words(pattern: str) -> None:
    """Except for the order of two characters beyond Latin 1, and for flags and names that PostgreSQL has not."""
    try:
        re.compile(pattern)
        expected = None
    except (re.error, OverflowError) as error:
        expected = str(error)
    assume(not re.search(r"\(\?[a-zA-Z]*[uP<]", pattern) and "range" not in (expected or ""))
    found = None
    try:
        filters.pattern(pattern)
    except ParseError as error:
        found = str(error.detail)
    assert found == expected


def test_a_pattern_too_large_for_the_database_is_no_server_error(admin: User, mesh: list[Instance]) -> None:
    """Whether PostgreSQL can compile it depends on how it was built."""
    answer = client_of(admin).get("/api/v2/instances/", {"hostname__regex": "(a{1,200}){1,200}"})
    assert answer.status_code in (200, 400)
    assert answer.status_code == 200 or answer.json() == {
        "detail": "The query has a value that the database cannot process."
    }


def test_what_nobody_may_filter_by(admin: User) -> None:
    answer = client_of(admin).get("/api/v2/users/?password__startswith=pbkdf2")
    assert (answer.status_code, answer.json()) == (403, {"detail": "Filtering on password is not allowed."})


def test_nobody_filters_by_the_inputs_of_credentials(admin: User) -> None:
    answer = client_of(admin).get("/api/v2/instances/?rampart_groups__credential__inputs__contains=x")
    assert (answer.status_code, answer.json()) == (403, {"detail": "Filtering on password fields is not allowed."})


def test_filters_are_not_a_way_around_visibility(bob: User, edge: InstanceGroup) -> None:
    hidden = Instance.objects.create(hostname="hidden")
    client = client_of(bob)
    for query in ("id__gt=0", "or__id__gt=0&or__hostname=x", f"id={hidden.pk}", "not__hostname=x", "search=h"):
        assert hidden.pk not in [told["id"] for told in client.get(f"/api/v2/instances/?{query}").json()["results"]]


@pytest.mark.slow
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
    assert (answer.status_code, answer.json()) == (
        400,
        {"detail": "The query takes too long. Use fewer conditions or a smaller page."},
    )
    assert answer.elapsed < timedelta(seconds=2)


def test_errors_are_api_errors() -> None:
    """A filter set raises nothing else for a name that it does not know."""
    for name in ("bogus", "peers__bogus", "hostname__bogus", "__", "or____", "not__or__hostname", "é"):
        with pytest.raises(APIException):
            ids(f"{name}=1")
