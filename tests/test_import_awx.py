"""``manage.py import_awx``: a snapshot is loaded as it stands, or refused as a whole with its mistakes named."""

import hashlib
import io
import json
import os
import pty
import random
import re
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from oauth2_provider.models import AccessToken

from instances.addresses import LISTENER
from instances.models import (
    GroupLoad,
    Instance,
    InstanceGroup,
    InstanceGroupRole,
    InstanceLink,
    NodeLoad,
    ReceptorAddress,
    UnifiedJob,
    User,
)
from instances.snapshot import Imported, SnapshotError, import_snapshot, reader
from tests.factories import TIME, Record, group, instance, job, link, snapshot, user
from tests.make import make_link
from tests.service import DATASET, DATASET24, PROJECT, environment, manage, new_database
from tests.test_counters import counted, recounted

pytestmark = pytest.mark.django_db

MISSING: Any = object()
DIGITS = "9" * 30
NO_ZONE = "2023-12-21T11:46:49"

Load = Callable[..., str]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Runs the command on a snapshot, or on the text of one; returns what it printed."""

    def run(content: Record | str | bytes, *options: str) -> str:
        content = json.dumps(content) if isinstance(content, dict) else content
        file = tmp_path / "snapshot.json"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        printed = io.StringIO()
        call_command("import_awx", str(file), *options, stdout=printed)
        return printed.getvalue()

    return run


@pytest.fixture
def stored(load: Load) -> Iterator[None]:
    """What is in the database already, and must be there unchanged when the test is over."""
    load(snapshot())
    before = everything()
    yield
    assert everything() == before


def everything() -> dict[str, Any]:
    """The rows of every table."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        queries = {name: f'SELECT t::text FROM "{name}" t ORDER BY 1' for name in tables}
        return {name: cursor.execute(query).fetchall() for name, query in queries.items()}


def changed(path: str, value: Any) -> Record:
    """A valid snapshot, but for the ``value`` at ``path``, which looks as it does in messages."""
    data: Any = snapshot()
    *parents, last = (int(key) if key.isdecimal() else key for key in re.findall(r"\w+", path))
    at = data
    for key in parents:
        at = at[key]
    if value is MISSING:
        del at[last]
    else:
        at[last] = value
    return data


def refusal(load: Load, content: Record | str | bytes, *options: str) -> str:
    with pytest.raises(CommandError) as error:
        load(content, *options)
    assert error.value.returncode == 1
    return str(error.value)


# --- what is loaded


def test_the_recorded_awx(load: Load) -> None:
    printed = load(DATASET.read_bytes())
    assert printed == "Imported 4 users, 15 instances, 19 links, 5 groups, 72 jobs: a snapshot of AWX 23.\n"
    recorded = json.loads(DATASET.read_text())
    assert_equal(Instance, recorded["instances"])
    links = InstanceLink.objects.order_by("pk").values_list("id", "source", "target__instance", "link_state")
    ends = itemgetter("id", "source", "target", "link_state")
    assert list(links) == sorted(map(ends, recorded["instance_links"]))
    for record in recorded["instance_groups"]:
        members = InstanceGroup.objects.get(pk=record["id"]).instances.values_list("pk", flat=True)
        assert set(members) == set(record.pop("instances"))
        record["credential_summary"] = record.pop("summary_fields").get("credential")
    assert_equal(InstanceGroup, recorded["instance_groups"])
    for record in recorded["unified_jobs"]:
        told = {key: record["representation"].get(key, "") for key in ("type", "name", "description", "status")}
        times = {key: record["representation"][key] for key in ("created", "started", "finished", "canceled_on")}
        record |= told | times
    assert_equal(UnifiedJob, recorded["unified_jobs"])
    assert counted() == recounted()


def test_the_recorded_awx_24(load: Load) -> None:
    """Its snapshot has a list that those of AWX 23 do not have, even where that is empty."""
    printed = load(DATASET24.read_bytes())
    assert printed.endswith(" 33 links, 5 groups, 72 jobs: a snapshot of AWX 24, with 18 receptor addresses.\n")
    recorded = json.loads(DATASET24.read_text())
    assert_equal(ReceptorAddress, recorded["receptor_addresses"])
    links = InstanceLink.objects.order_by("pk").values_list("id", "source", "target", "link_state")
    assert list(links) == sorted(map(itemgetter("id", "source", "target", "link_state"), recorded["instance_links"]))
    managed = Instance.objects.order_by("pk").values_list("pk", "managed")
    assert list(managed) == sorted((one["id"], one["managed"]) for one in recorded["instances"])
    empty = load({"instances": [], "receptor_addresses": []})
    assert empty.endswith(" 0 jobs: a snapshot of AWX 24, with 0 receptor addresses.\n")


def assert_equal(model: Any, records: list[Record]) -> None:
    """The table holds the records and no others; a time is compared as such, decimals as their text."""
    assert sorted(model.objects.values_list("pk", flat=True)) == sorted(record["id"] for record in records)
    for record in records:
        row = model.objects.get(pk=record["id"])
        for key, value in record.items():
            name = key if key in LISTENER else model._meta.get_field(key).attname
            actual = getattr(row, name)
            if isinstance(actual, datetime):
                actual, value = actual, datetime.fromisoformat(value)
            if isinstance(actual, Decimal):
                actual = str(actual)
            assert actual == value, f"{key} of {row}"


def test_users_and_their_tokens(load: Load) -> None:
    load(DATASET.read_bytes())
    admin, bob = User.objects.get(username="admin"), User.objects.get(username="bob")
    assert admin.check_password("admin")
    assert (admin.is_superuser, admin.is_staff, bob.is_superuser, bob.is_staff) == (True, True, False, False)
    assert User.objects.get(username="auditor").is_system_auditor
    assert admin.date_joined == datetime(2023, 10, 6, 2, 26, 49, 111111, UTC)
    assert list(bob.instance_group_roles.values_list("instance_group", "role")) == [(3, "use_role")]
    token = AccessToken.objects.get(user=bob)
    assert token.pk == 4
    assert (token.token, token.scope, token.application) == ("", "write", None)
    assert token.token_checksum == hashlib.sha256(b"oracle-bob-token").hexdigest()
    assert token.is_valid(["write"])
    assert token.expires.year > 3000


def test_a_token_expires_at_the_latest_when_the_calendar_does(load: Load, settings: Any) -> None:
    settings.OAUTH2_ACCESS_TOKEN_EXPIRE_SECONDS = 10**18
    load(snapshot())
    assert AccessToken.objects.get().expires.date() >= datetime(9999, 12, 30, tzinfo=UTC).date()


@pytest.mark.parametrize("scope", ["read", "read write", ""])
def test_a_token_may_have_another_scope(scope: str, load: Load) -> None:
    load(snapshot(users=[user(1, token="t", token_id=9, token_scope=scope)], instance_groups=[]) | {"unified_jobs": []})
    assert AccessToken.objects.get(pk=9).scope == scope


@pytest.mark.parametrize("users", [[user(5, password=None)], [{"id": 5, "username": "guest"}]])
def test_a_user_without_password_cannot_log_in(users: list[Record], load: Load) -> None:
    load({"users": users})
    assert not User.objects.get(pk=5).has_usable_password()
    assert not AccessToken.objects.exists()


def test_what_a_record_lacks_is_the_default_of_the_model(load: Load) -> None:
    load({"instances": [{"id": 7, "hostname": "bare"}], "instance_groups": [{"id": 8, "name": "bare"}]})
    bare, default = Instance.objects.get(pk=7), Instance(hostname="bare")
    for name in ("node_type", "node_state", "capacity", "cpu", "memory", "enabled", "listener_port", "last_seen"):
        assert getattr(bare, name) == getattr(default, name)
    assert InstanceGroup.objects.get(pk=8).policy_instance_list == []


@pytest.mark.parametrize("content", ["{}", '{"instances": []}', " \n{ } \n", "\ufeff{}"])
def test_a_list_that_is_missing_is_empty(content: str, load: Load) -> None:
    assert load(content) == "Imported 0 users, 0 instances, 0 links, 0 groups, 0 jobs: a snapshot of AWX 23.\n"


def test_fields_that_are_not_known_are_passed_over(load: Load) -> None:
    data = snapshot()
    for name in ("users", "instances", "instance_links", "instance_groups", "unified_jobs"):
        data[name][0]["added_by_a_later_awx"] = {"any": ["thing", 1.5, None]}
    load(data)
    assert Instance.objects.count() == 3


def test_the_lists_may_come_in_any_order(load: Load) -> None:
    load(dict(reversed(snapshot().items())))
    assert counted() == recounted() == ({"exec-1": (2, 1, 1, 0), "control-1": (0, 0, 0, 1)}, {1: (1, 1, 1)})


def test_nothing_is_recomputed(load: Load) -> None:
    """Not even where the formulas say something else, or AWX would not have allowed it."""
    data = snapshot(instances=[instance(1, cpu="0.5", memory=1, cpu_capacity=7, mem_capacity=-1, capacity=12345)])
    data |= {"instance_links": [], "unified_jobs": []}
    data["instance_groups"] = [group(1, is_container_group=True, instances=[1])]
    load(data)
    node = Instance.objects.get()
    assert (node.cpu_capacity, node.mem_capacity, node.capacity) == (7, -1, 12345)
    assert node.modified == datetime(2023, 12, 21, 11, 46, 49, 123456, UTC)


# --- jobs


@pytest.mark.parametrize(
    "text",
    [
        '{"z":1,"a":{"y":[],"b":null},"m":[{"q":0,"c":1}]}',
        '{"big":123456789012345678901234567890,"float":0.1,"small":1e-300,"minus":-0.0}',
        '{"escaped":"\\u0000 \\"\\\\ \\n\\t","plain":"é 😀 \u2028","pair":"\\ud83d\\ude00"}',
    ],
)
def test_a_representation_is_kept_as_it_is(text: str, load: Load) -> None:
    base = job(1)["representation"]
    base["extra"] = json.loads(text)
    load(json.dumps({"unified_jobs": [job(1)]}).replace('"launched_by": {}', f'"extra": {text}'))
    kept = UnifiedJob.objects.get().representation
    assert json.dumps(kept["extra"]) == json.dumps(base["extra"])
    assert list(kept)[:4] == list(base)[:4]


def test_a_representation_keeps_the_order_of_its_keys(load: Load) -> None:
    recorded = json.loads(DATASET.read_text())
    load(recorded)
    for record in recorded["unified_jobs"]:
        kept = UnifiedJob.objects.get(pk=record["id"]).representation
        assert json.dumps(kept) == json.dumps(record["representation"])


@pytest.mark.parametrize(
    ("elapsed", "stored"), [(92329090.394339, "92329090.394"), (0, "0.000"), (2.5, "2.500"), ("1.234", "1.234")]
)
def test_the_elapsed_time_of_a_job_is_kept_to_the_millisecond(elapsed: Any, stored: str, load: Load) -> None:
    load({"unified_jobs": [job(1, elapsed=elapsed, finished=TIME)]})
    row = UnifiedJob.objects.get()
    assert str(row.elapsed) == stored
    assert row.representation["elapsed"] == elapsed


def test_an_active_job_has_no_elapsed_time_yet(load: Load) -> None:
    """What AWX tells of it is the time so far, which its column does not hold."""
    load({"unified_jobs": [job(1, status="running", elapsed=92329090.394339)]})
    assert UnifiedJob.objects.get().elapsed == 0


@pytest.mark.parametrize("chunk", [1, 7, 64, 4096])
def test_a_file_is_read_in_pieces(chunk: int, load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "CHUNK", chunk)
    load(snapshot(unified_jobs=[job(n, name="é😀" * 50, elapsed=1234.5, finished=TIME) for n in range(1, 20)]))
    assert set(UnifiedJob.objects.values_list("name", "elapsed")) == {("é😀" * 50, Decimal("1234.500"))}


names = st.sampled_from(["", "control-1", "exec-1", "gone"])
jobs = st.lists(
    st.builds(
        job,
        st.integers(1, 12),
        status=st.sampled_from(UnifiedJob.Status.values),
        execution_node=names,
        controller_node=names,
        instance_group=st.sampled_from([None, 1, 2]),
        task_impact=st.integers(0, 9),
    ),
    max_size=12,
    unique_by=lambda record: record["id"],
)


class TestCounters(TestCase):
    @pytest.mark.slow
    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.tuples(jobs, st.booleans()), max_size=4))
    def test_follow_any_imports(self, imports: list[tuple[list[Record], bool]]) -> None:
        """Whether the jobs are new, or change their state, their node, their group, or replace others."""
        for unified_jobs, replace in imports:
            read(snapshot(users=[], unified_jobs=unified_jobs), replace=replace)
            assert counted() == recounted()
            assert NodeLoad.objects.count() == NodeLoad.objects.values("node").distinct().count()
            assert GroupLoad.objects.count() == GroupLoad.objects.values("group").distinct().count()


def read(data: Record, *, replace: bool = False) -> Imported:
    return import_snapshot(io.BytesIO(json.dumps(data).encode()), replace=replace)


# --- ids


@pytest.mark.parametrize("options", [[], ["--replace"]])
@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_the_next_ids_are_above_those_of_the_snapshot(options: list[str], load: Load) -> None:
    data = snapshot(
        users=[
            user(1004, token="t", token_id=2000, instance_group_roles=[{"instance_group": 1003, "role": "use_role"}])
        ],
        instances=[instance(1001), instance(1000)],
        instance_links=[link(1002, 1000, 1001)],
        instance_groups=[group(1003, instances=[1000, 1001])],
        unified_jobs=[job(1005)],
    )
    load(data, *options)
    node = Instance.objects.create(hostname="next")
    assert node.pk == 1002
    assert make_link(node, Instance.objects.get(pk=1000)).pk == 1003
    new_group = InstanceGroup.objects.create(name="next")
    assert new_group.pk == 1004
    new_group.instances.add(node)
    new_user = User.objects.create_user("next")
    assert new_user.pk == 1005
    InstanceGroupRole.objects.create(user=new_user, instance_group=new_group, role="use_role")
    assert AccessToken.objects.create(user=new_user, expires=datetime.now(UTC), token_checksum="x").pk == 2001
    row = UnifiedJob.objects.get()
    row.pk = None
    row.save()
    assert row.pk == 1006


def test_ids_that_were_given_are_not_given_again(load: Load) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('instances_instance_id_seq', 500)")
    load(snapshot())
    assert Instance.objects.create(hostname="next").pk == 501


# --- what is there already


def test_without_replace_the_given_ids_are_updated_and_the_others_stay(load: Load) -> None:
    load(snapshot())
    update = {
        "users": [user(2, username="robert", instance_group_roles=[{"instance_group": 2, "role": "admin_role"}])],
        "instances": [instance(2, hostname="exec-1", capacity=7), instance(9)],
        "instance_links": [link(1, 1, 2, link_state="removing")],
        "instance_groups": [group(1, name="renamed", instances=[9, 3])],
        "unified_jobs": [job(11, status="failed", execution_node="exec-1"), job(14)],
    }
    assert load(update) == "Imported 1 users, 2 instances, 1 links, 1 groups, 2 jobs: a snapshot of AWX 23.\n"
    assert set(User.objects.values_list("pk", "username")) == {(1, "admin"), (2, "robert")}
    assert list(InstanceGroupRole.objects.values_list("user", "instance_group", "role")) == [(2, 2, "admin_role")]
    assert dict(Instance.objects.values_list("pk", "capacity")) == {1: 61, 2: 7, 3: 0, 9: 61}
    links = InstanceLink.objects.values_list("pk", "source", "target__instance", "link_state")
    assert set(links) == {(1, 1, 2, "removing"), (2, 3, 2, "established")}
    assert set(InstanceGroup.objects.get(name="renamed").instances.values_list("pk", flat=True)) == {3, 9}
    assert InstanceGroup.objects.filter(name="empty").exists()
    assert dict(UnifiedJob.objects.values_list("pk", "status")) == {
        11: "failed",
        12: "successful",
        13: "pending",
        14: "successful",
    }
    assert counted() == recounted() == ({"exec-1": (2, 0, 0, 0)}, {})


def test_members_and_roles_stay_where_a_record_does_not_tell_them(load: Load) -> None:
    load(snapshot())
    data = snapshot()
    del data["instance_groups"][0]["instances"], data["users"][1]["instance_group_roles"]
    load(data)
    assert list(InstanceGroup.objects.get(pk=1).instances.values_list("pk", flat=True)) == [2]
    assert InstanceGroupRole.objects.filter(user=2, instance_group=1).count() == 1


def test_a_password_stays_where_a_record_does_not_tell_it(load: Load) -> None:
    load({"users": [user(1), user(2)]})
    load({"users": [user(1, password=None), user(2, password="changed")]})
    assert User.objects.get(pk=1).check_password("secret")
    assert User.objects.get(pk=2).check_password("changed")


def test_a_token_is_updated_and_others_stay(load: Load) -> None:
    load({"users": [user(1, token="old", token_id=1)]})
    AccessToken.objects.create(user_id=1, token_checksum="other", expires=datetime.now(UTC), scope="read")
    load({"users": [user(1, token="new", token_id=1, token_scope="read")]})
    checksums = AccessToken.objects.order_by("pk").values_list("token_checksum", flat=True)
    assert list(checksums) == [hashlib.sha256(b"new").hexdigest(), "other"]


def test_stored_rows_may_exchange_what_only_one_of_them_can_have(load: Load) -> None:
    one, two = {"hostname": "a", "ip_address": "10.0.0.1"}, {"hostname": "b", "ip_address": "10.0.0.2"}
    first = {
        "users": [user(1, username="x", token="t", token_id=1), user(2, username="y", token="u", token_id=2)],
        "instances": [instance(1, **one), instance(2, **two)],
        "instance_links": [link(1, 1, 2), link(2, 2, 1)],
        "instance_groups": [group(1, name="p"), group(2, name="q")],
    }
    second = {
        "users": [user(1, username="y", token="u", token_id=1), user(2, username="x", token="t", token_id=2)],
        "instances": [instance(1, **two), instance(2, **one)],
        "instance_links": [link(1, 2, 1), link(2, 1, 2)],
        "instance_groups": [group(1, name="q"), group(2, name="p")],
    }
    load(first)
    load(second)
    assert list(Instance.objects.order_by("pk").values_list("hostname", "ip_address")) == [
        ("b", "10.0.0.2"),
        ("a", "10.0.0.1"),
    ]
    assert list(InstanceLink.objects.order_by("pk").values_list("source", "target__instance")) == [(2, 1), (1, 2)]
    assert list(InstanceGroup.objects.order_by("pk").values_list("name", flat=True)) == ["q", "p"]
    assert list(User.objects.order_by("pk").values_list("username", flat=True)) == ["y", "x"]


@pytest.mark.parametrize("options", [[], ["--replace"]])
def test_the_same_snapshot_again_changes_nothing(options: list[str], load: Load, settings: Any) -> None:
    load(DATASET.read_bytes(), *options)
    before = everything()
    load(DATASET.read_bytes(), *options)
    after = everything()
    for name in before:
        if name.startswith("instances_") and name.removeprefix("instances_") in (
            "instance",
            "instancelink",
            "instancegroup",
            "unifiedjob",
        ):
            assert after[name] == before[name], name
    assert {name: len(rows) for name, rows in after.items()} == {name: len(rows) for name, rows in before.items()}
    assert counted() == recounted()


def test_replace_leaves_only_the_snapshot(load: Load) -> None:
    load(DATASET.read_bytes())
    assert (
        load(snapshot(), "--replace")
        == "Imported 2 users, 3 instances, 2 links, 2 groups, 3 jobs: a snapshot of AWX 23.\n"
    )
    counts = {model: model.objects.count() for model in (User, Instance, InstanceLink, InstanceGroup, UnifiedJob)}
    assert list(counts.values()) == [2, 3, 2, 2, 3]
    assert AccessToken.objects.count() == InstanceGroupRole.objects.count() == 1
    assert Instance.rampart_groups.through.objects.count() == 1
    assert counted() == recounted() == ({"exec-1": (2, 1, 1, 0), "control-1": (0, 0, 0, 1)}, {1: (1, 1, 1)})


def test_replace_may_use_names_that_are_stored_under_other_ids(load: Load) -> None:
    load({"instances": [instance(1, hostname="a")]})
    load({"instances": [instance(2, hostname="a")]}, "--replace")
    assert list(Instance.objects.values_list("pk", "hostname")) == [(2, "a")]


# --- what is refused: a value that its field cannot have

INTEGER_MAX, BIGINT_MAX = 2**31 - 1, 2**63 - 1
TIME_WANTED = "must be a time and its zone, as in 2023-12-21T11:46:49.123456Z, not"


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("options", [[], ["--replace"]], ids=["update", "replace"])
@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        # ids
        ("instances[1].id", MISSING, "is missing"),
        ("instances[1].id", None, "must be an integer, not null"),
        ("instances[1].id", "2", 'must be an integer, not "2"'),
        ("instances[1].id", True, "must be an integer, not true"),
        ("instances[1].id", 2.0, "must be an integer, not 2.0"),
        ("instances[1].id", 0, f"must be between 1 and {BIGINT_MAX}, not 0"),
        ("instances[1].id", -5, f"must be between 1 and {BIGINT_MAX}, not -5"),
        ("instances[1].id", 2**63, f"must be between 1 and {BIGINT_MAX}, not {2**63}"),
        ("users[0].id", 2**63, f"must be between 1 and {BIGINT_MAX}"),
        ("users[0].token_id", 0, f"must be between 1 and {BIGINT_MAX}"),
        ("users[0].token_id", MISSING, "is missing"),
        ("instance_links[0].id", [], "must be an integer, not a list"),
        ("instance_groups[0].id", {}, "must be an integer, not an object"),
        ("unified_jobs[0].id", 2**63, f"must be between 1 and {BIGINT_MAX}"),
        ("unified_jobs[0].id", None, "must be an integer, not null"),
        # texts
        ("instances[1].hostname", MISSING, "is missing"),
        ("instances[1].hostname", None, "must be a string, not null"),
        ("instances[1].hostname", ["a"], "must be a string, not a list"),
        ("instances[1].hostname", 5, "must be a string, not 5"),
        ("instances[1].hostname", "", "must not be empty"),
        ("instances[1].hostname", "x" * 251, "must have at most 250 characters, not 251"),
        ("instances[1].hostname", "a\0b", "must not hold the character NUL"),
        ("instances[1].hostname", "a\ud800", "must not hold one half of a surrogate pair"),
        ("instances[1].uuid", "x" * 41, "must have at most 40 characters, not 41"),
        ("instances[1].errors", None, "must be a string, not null"),
        ("instance_groups[0].name", "", "must not be empty"),
        ("instance_groups[0].pod_spec_override", {}, "must be a string, not an object"),
        ("users[0].username", "", "must not be empty"),
        ("users[0].username", "a b", "Enter a valid username."),
        ("users[0].username", "x" * 151, "must have at most 150 characters, not 151"),
        ("users[0].email", "nobody", "Enter a valid email address."),
        ("users[0].password", 5, "must be a string, not 5"),
        ("users[0].password", "", "must not be empty"),
        ("users[0].token", "", "must not be empty"),
        ("users[0].token", 5, "must be a string, not 5"),
        ("users[0].token_scope", "write odd", '"odd" is not one of read, write'),
        ("unified_jobs[1].execution_node", "x" * 251, "must have at most 250 characters, not 251"),
        ("unified_jobs[1].execution_node", None, "must be a string, not null"),
        ("unified_jobs[1].representation.name", "x" * 513, "must have at most 512 characters, not 513"),
        ("unified_jobs[1].representation.name", "a\0b", "must not hold the character NUL"),
        ("unified_jobs[1].representation.work_unit_id", "x" * 256, "must have at most 255 characters, not 256"),
        # choices
        ("instances[1].node_type", "odd", '"odd" is not one of control, execution, hybrid, hop'),
        ("instances[1].node_state", "", '"" is not one of provisioning, provision-fail, installed, ready'),
        ("instance_links[0].link_state", "odd", '"odd" is not one of adding, established, removing'),
        ("users[1].instance_group_roles[0].role", "odd", '"odd" is not one of admin_role, use_role, read_role'),
        ("unified_jobs[1].representation.status", "odd", '"odd" is not one of new, pending, waiting, running'),
        ("unified_jobs[1].representation.type", "odd", '"odd" is not one of '),
        ("unified_jobs[1].representation.type", MISSING, "is missing"),
        # numbers
        ("instances[2].memory", "lots", 'must be an integer, not "lots"'),
        ("instances[2].memory", -1, f"must be between 0 and {BIGINT_MAX}, not -1"),
        ("instances[2].capacity", 2**31, f"must be between 0 and {INTEGER_MAX}, not {2**31}"),
        ("instances[2].cpu_capacity", int(DIGITS), f"must be between {-(2**31)} and {INTEGER_MAX}, not {DIGITS}"),
        ("instances[2].listener_port", -1, "must be between 0 and 65535, not -1"),
        ("instances[2].listener_port", 65536, "must be between 0 and 65535, not 65536"),
        ("instance_groups[0].policy_instance_percentage", 101, "must be between 0 and 100, not 101"),
        ("instance_groups[0].max_forks", -1, f"must be between 0 and {INTEGER_MAX}, not -1"),
        ("instance_groups[0].credential", "1", 'must be an integer, not "1"'),
        ("unified_jobs[1].task_impact", -1, f"must be between 0 and {INTEGER_MAX}, not -1"),
        ("unified_jobs[1].task_impact", None, "must be an integer, not null"),
        # decimals
        ("instances[2].cpu", "12345.6", "must have at most 3 digits before the point and 1 after it"),
        ("instances[2].cpu", "1.25", 'must have at most 3 digits before the point and 1 after it, not "1.25"'),
        ("instances[2].cpu", 4.25, "must have at most 3 digits before the point and 1 after it, not 4.25"),
        ("instances[2].cpu", "1e9999", "must have at most 3 digits before the point and 1 after it"),
        ("instances[2].cpu", "-1", 'must not be below 0, as "-1" is'),
        ("instances[2].cpu", "NaN", 'must be a decimal number, not "NaN"'),
        ("instances[2].cpu", "many", 'must be a decimal number, not "many"'),
        ("instances[2].cpu", True, "must be a decimal number, not true"),
        ("instances[2].cpu", None, "must be a decimal number, not null"),
        ("instances[2].cpu", [4], "must be a decimal number, not a list"),
        ("instances[2].capacity_adjustment", "-0.01", "must not be below 0"),
        ("instances[2].capacity_adjustment", "10", "must have at most 1 digits before the point and 2 after it"),
        ("unified_jobs[1].representation.elapsed", 1e9, "must have at most 9 digits before the point"),
        ("unified_jobs[1].representation.elapsed", "Infinity", 'must be a decimal number, not "Infinity"'),
        # booleans
        ("instances[2].enabled", 1, "must be true or false, not 1"),
        ("instances[2].enabled", "true", 'must be true or false, not "true"'),
        ("instances[2].enabled", None, "must be true or false, not null"),
        ("users[0].is_superuser", 0, "must be true or false, not 0"),
        ("unified_jobs[1].representation.failed", None, "must be true or false, not null"),
        # times
        ("instances[2].created", "yesterday", f'{TIME_WANTED} "yesterday"'),
        ("instances[2].created", NO_ZONE, f'{TIME_WANTED} "{NO_ZONE}"'),
        ("instances[2].created", "2023-02-30T00:00:00Z", f'{TIME_WANTED} "2023-02-30T00:00:00Z"'),
        ("instances[2].created", "0001-01-01T00:00:00+01:00", TIME_WANTED),
        ("instances[2].created", "9999-12-31T23:59:59-01:00", TIME_WANTED),
        ("instances[2].created", 1700000000, f"{TIME_WANTED} 1700000000"),
        ("instances[2].created", None, f"{TIME_WANTED} null"),
        ("users[0].date_joined", "", f'{TIME_WANTED} ""'),
        ("unified_jobs[1].representation.created", MISSING, "is missing"),
        ("unified_jobs[1].representation.finished", "soon", f'{TIME_WANTED} "soon"'),
        # lists and objects within records
        ("users[1].instance_group_roles", None, "must be a list, not null"),
        ("users[1].instance_group_roles[0]", "use_role", 'must be an object, not "use_role"'),
        ("users[1].instance_group_roles[0].role", MISSING, "is missing"),
        ("users[1].instance_group_roles[0].instance_group", "1", 'must be an integer, not "1"'),
        ("instance_groups[0].instances", 4, "must be a list, not 4"),
        ("instance_groups[0].instances[0]", "exec-1", 'must be an integer, not "exec-1"'),
        ("instance_groups[0].policy_instance_list", "exec-1", 'must be a list of strings, not "exec-1"'),
        ("instance_groups[0].policy_instance_list", [1], "must be a string, not 1"),
        ("instance_groups[0].policy_instance_list", ["a\0"], "must not hold the character NUL"),
        ("instance_groups[0].summary_fields", None, "must be an object, not null"),
        ("instance_groups[0].summary_fields.credential", [], "must be an object, not a list"),
        ("instance_groups[0].summary_fields.credential", {"a": ["\udc00"]}, "must not hold one half of a surrogate"),
        ("unified_jobs[1].representation", MISSING, "is missing"),
        ("unified_jobs[1].representation", None, "must be an object, not null"),
        ("unified_jobs[1].representation", [], "must be an object, not a list"),
        ("unified_jobs[1].representation", "{}", 'must be an object, not "{}"'),
        # whole records and lists
        ("users[0]", None, "must be an object, not null"),
        ("instances[1]", [], "must be an object, not a list"),
        ("instance_links[1]", 7, "must be an object, not 7"),
        ("instance_groups[1]", "edge", 'must be an object, not "edge"'),
        ("unified_jobs[1]", None, "must be an object, not null"),
        ("users", None, "must be a list, not null"),
        ("instances", {}, "must be a list, not an object"),
        ("unified_jobs", "none", 'must be a list, not "none"'),
    ],
)
def test_a_bad_value_is_named(path: str, value: Any, reason: str, options: list[str], load: Load) -> None:
    message = refusal(load, changed(path, value), *options)
    assert message.startswith(f"{path}: {reason}")
    assert "\n" not in message


@pytest.mark.usefixtures("stored")
def test_half_a_surrogate_pair_within_a_representation_is_refused(load: Load) -> None:
    """JSON can write it, and no answer of the API could ever send it."""
    message = refusal(load, changed("unified_jobs[1].representation.artifacts", {"deep": [{"\ud800": 1}]}))
    assert message == "unified_jobs[1].representation: must not hold one half of a surrogate pair"


# --- what is refused: records that do not fit together


def twice(name: str, /, **changes: Any) -> Record:
    """A snapshot in which the list ``name`` ends with a copy of its first record, under another id."""
    data = snapshot()
    data[name].append({**data[name][0], "id": 99, **changes})
    return data


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("options", [[], ["--replace"]], ids=["update", "replace"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (twice("users", id=1, username="x", token=None), "users[2].id: is given twice (also users[0])"),
        (twice("users", token=None), "users[2].username: is given twice (also users[0])"),
        (twice("users", username="x", token_id=9), "users[2].token: is given twice (also users[0])"),
        (twice("users", username="x", token="x"), "users[2].token_id: is given twice (also users[0])"),
        (twice("instances", id=1, hostname="x"), "instances[3].id: is given twice (also instances[0])"),
        (twice("instances"), "instances[3].hostname: is given twice (also instances[0])"),
        (
            twice("instances", hostname="x", ip_address="10.0.0.2"),
            "instances[3].ip_address: is given twice (also instances[1])",
        ),
        (twice("instance_links", id=1, source=2), "instance_links[2].id: is given twice (also instance_links[0])"),
        (twice("instance_links"), "instance_links[2]: is given twice (also instance_links[0])"),
        (twice("instance_groups", id=1, name="x"), "instance_groups[2].id: is given twice (also instance_groups[0])"),
        (twice("instance_groups"), "instance_groups[2].name: is given twice (also instance_groups[0])"),
        (twice("unified_jobs", id=11), "unified_jobs[3].id: is given twice (also unified_jobs[0])"),
        (
            changed("instance_groups[0].instances", [2, 3, 2]),
            "instance_groups[0].instances[2]: is given twice (also instance_groups[0].instances[0])",
        ),
        (
            changed("users[1].instance_group_roles", [{"instance_group": 1, "role": "use_role"}] * 2),
            "users[1].instance_group_roles[1]: is given twice (also users[1].instance_group_roles[0])",
        ),
        (changed("instance_links[0].target", 1), "instance_links[0].target: is the source itself"),
        (changed("instance_links[0].target", 99), "instance_links[0].target: no instance has the id 99"),
        (changed("instance_links[1].source", 99), "instance_links[1].source: no instance has the id 99"),
        (
            changed("instance_groups[0].instances", [2, 99]),
            "instance_groups[0].instances[1]: no instance has the id 99",
        ),
        (
            changed("users[1].instance_group_roles[0].instance_group", 99),
            "users[1].instance_group_roles[0].instance_group: no instance group has the id 99",
        ),
        (
            changed("unified_jobs[2].instance_group", 99),
            "unified_jobs[2].instance_group: no instance group has the id 99",
        ),
    ],
    ids=lambda value: value.partition(":")[0] if isinstance(value, str) else "",
)
def test_records_that_contradict_each_other_are_named(
    data: Record, message: str, options: list[str], load: Load
) -> None:
    assert refusal(load, data, *options).splitlines()[0] == message


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"users": [user(9, username="bob")]}, "users[0].username: is in the database already, with the id 2"),
        (
            {"users": [user(2, token="token-of-admin", token_id=5)]},
            "users[0].token: is in the database already, with the id 1",
        ),
        (
            {"users": [user(2, username="bob", token="x", token_id=1)]},
            "users[0].token_id: is the id of another user's access token in the database",
        ),
        (
            {"instances": [instance(9, hostname="exec-1")]},
            "instances[0].hostname: is in the database already, with the id 2",
        ),
        (
            {"instances": [instance(9, ip_address="10.0.0.2")]},
            "instances[0].ip_address: is in the database already, with the id 2",
        ),
        ({"instance_links": [link(9, 3, 2)]}, "instance_links[0]: is in the database already, with the id 2"),
        (
            {"instance_groups": [group(9, name="edge")]},
            "instance_groups[0].name: is in the database already, with the id 1",
        ),
    ],
)
def test_values_that_other_ids_have_in_the_database_are_named(data: Record, message: str, load: Load) -> None:
    assert refusal(load, data) == message


@pytest.mark.usefixtures("stored")
def test_references_to_what_replace_removes_are_named(load: Load) -> None:
    message = refusal(load, {"instance_links": [link(1, 1, 3)]}, "--replace")
    assert message.splitlines() == [
        "instance_links[0].source: no instance has the id 1",
        "instance_links[0].target: no instance has the id 3",
    ]


@pytest.mark.usefixtures("stored")
def test_all_problems_are_told_at_once_unless_they_are_many(load: Load) -> None:
    few = snapshot(users=[user(1, email="x", username="")], instances=[instance(1, memory=None), instance(2, cpu=-1)])
    assert len(refusal(load, few).splitlines()) == 4
    many = snapshot(instances=[{"id": n} for n in range(1, 100)])
    assert len(refusal(load, many).splitlines()) == 20
    many = snapshot(unified_jobs=[job(n, status="odd") for n in range(1, 100)])
    assert len(refusal(load, many).splitlines()) == 20
    many = snapshot(unified_jobs=[job(n // 2, instance_group=n) for n in range(10, 100)])
    assert len(refusal(load, many).splitlines()) == 20


# --- what is refused: a file that is no snapshot


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file: ends before it is complete; the file may have been cut"),
        ("  ", "the file: ends before it is complete; the file may have been cut"),
        ("{", "the file: ends before it is complete; the file may have been cut"),
        ('{"users": [{"id', "users[0]: ends before it is complete; the file may have been cut"),
        ('{"users": [{}, {"a": ', "users[1]: ends before it is complete; the file may have been cut"),
        ('{"users": [', "users[0]: ends before it is complete; the file may have been cut"),
        ('{"install_uuid": "', "install_uuid: ends before it is complete; the file may have been cut"),
        ("[]", 'the file: must hold a JSON object, as in {"instances": [...]}'),
        ("5", 'the file: must hold a JSON object, as in {"instances": [...]}'),
        ("users:\n- id: 1\n", 'the file: must hold a JSON object, as in {"instances": [...]}'),
        ("{users: []}", "the file: is not JSON: Expecting value at character 1"),
        ('{"users" []}', "the file: is not JSON: Expecting ':' at character 9"),
        ('{"users": [] "instances": []}', "the file: is not JSON: Expecting ',' at character 13"),
        ('{"users": [],}', "the file: is not JSON: Expecting value at character 13"),
        ('{"users": [{} {}]}', "users[0]: is not JSON: Expecting ',' at character 14"),
        ('{"users": [{"a" 1}]}', "users[0]: is not JSON: Expecting ':' delimiter at character 16"),
        ('{"users": []} {}', "the file: something follows the end of the object"),
        ('{"users": [{"id": NaN}]}', "users[0]: NaN is not a number of JSON"),
        ('{"users": [{"id": -Infinity}]}', "users[0]: -Infinity is not a number of JSON"),
        ('{"unified_jobs": [{"id": 1e400}]}', "unified_jobs[0]: 1e400 is too large a number"),
        ('{"users": [{"id": ' + "9" * 5000 + "}]}", "users[0]: Exceeds the limit"),
        ('{"users": ' + "[" * 100000, "users[0]: is nested too deeply"),
        ('{"users": [{"a": "\n"}]}', "users[0]: is not JSON: Invalid control character at at character 18"),
        ("{5: []}", "the file: a key must be a string, not 5"),
        ('{"hosts": []}', '"hosts": is not part of a snapshot, which has users, instances, receptor_addresses'),
        ('{"users": [], "users": []}', "users: is given twice"),
        (b'{"users": ["\xff"]}', "the file: is not UTF-8: invalid start byte"),
        (b"\x1f\x8b\x08", "the file: is not UTF-8: invalid start byte"),
    ],
)
def test_what_is_not_a_snapshot_is_said(content: str | bytes, message: str, load: Load) -> None:
    assert refusal(load, content).startswith(message)


@pytest.mark.usefixtures("stored")
def test_a_value_without_end_is_not_read_to_the_end(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "CHUNK", 64)
    monkeypatch.setattr(reader, "LARGEST_VALUE", 1000)
    message = refusal(load, '{"users": [{"a": "' + "x" * 100_000)
    assert message == "users[0]: is longer than 1000 characters"


@pytest.mark.usefixtures("stored")
def test_a_mistake_is_told_without_reading_on(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "CHUNK", 64)
    monkeypatch.setattr(reader, "LARGEST_VALUE", 1000)
    message = refusal(load, '{"users": [{"id": 1 "username": "a"}' + ", {}" * 10_000)
    assert message == "users[0]: is not JSON: Expecting ',' delimiter at character 20"


@pytest.mark.usefixtures("stored")
def test_a_file_that_is_cut_anywhere_writes_nothing(load: Load) -> None:
    whole = DATASET.read_bytes().rstrip()
    chance = random.Random(1)
    for length in [*(chance.randrange(len(whole)) for _ in range(40)), len(whole) - 1]:
        message = refusal(load, whole[:length], "--replace")
        assert re.match(r"(the file|[a-z_]+(\[\d+\])?): ", message), message


class TestReader(TestCase):
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=10,
    )

    @settings(max_examples=200, deadline=None)
    @given(
        st.dictionaries(st.text(), st.lists(values, max_size=5), max_size=5),
        st.integers(1, 40),
        st.sampled_from([None, 0, 3]),
        st.booleans(),
    )
    def test_reads_what_the_whole_text_says(
        self, data: dict[str, list[Any]], chunk: int, indent: int | None, ascii_only: bool
    ) -> None:
        text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reader, "CHUNK", chunk)
            source = reader.JSONStreamReader(io.BytesIO(text.encode()))
            assert {key: list(source.items()) for key in source.members()} == data

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=60) | st.text('{}[]",:0123456789eE.-+ntrufalsé\\\n ', max_size=60).map(str.encode))
    def test_refuses_what_the_whole_text_refuses(self, content: bytes) -> None:
        try:
            source = reader.JSONStreamReader(io.BytesIO(content))
            actual = {key: source.value() for key in source.members()}
        except SnapshotError:
            with pytest.raises((ValueError, TypeError)):
                dict(**json.loads(content.decode("utf-8-sig"), parse_constant=reader.refuse_constant))
        else:
            assert actual == json.loads(content.decode("utf-8-sig"))


# --- the database


def test_another_error_of_the_database_is_one_line(load: Load) -> None:
    load(snapshot())
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE instances_instance ADD CONSTRAINT no_odd_nodes CHECK (hostname <> 'odd')")
    before = everything()
    message = refusal(load, {"instances": [instance(9, hostname="odd")]})
    assert message.startswith('Database error: new row for relation "instances_instance" violates check constraint')
    assert "\n" not in message
    assert everything() == before


# --- the command


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing.json", "No such file or directory"), (".", "Is a directory")],
    ids=["missing", "folder"],
)
def test_a_file_that_cannot_be_opened_is_named(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=re.escape(f"{tmp_path / name}: {reason}")):
        call_command("import_awx", str(tmp_path / name))


@pytest.fixture(scope="module")
def url(dataset_url: str) -> str:
    return dataset_url


def test_an_error_is_one_line_and_the_exit_status_is_1(url: str, tmp_path: Path) -> None:
    file = tmp_path / "snapshot.json"
    file.write_text(json.dumps(changed("instances[2].memory", "lots")))
    done = manage(url, "import_awx", str(file), "--replace", check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == 'CommandError: instances[2].memory: must be an integer, not "lots"\n'


@pytest.mark.slow
def test_a_snapshot_may_come_from_a_pipe_and_no_progress_goes_into_one(url: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "import_awx", "-"],
        cwd=PROJECT,
        env=environment(url),
        input=DATASET.read_bytes(),
        capture_output=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"Imported 4 users, 15 instances, 19 links, 5 groups, 72 jobs: a snapshot of AWX 23.\n"


@pytest.mark.slow
def test_progress_is_shown_on_a_terminal(url: str) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    command = [sys.executable, "manage.py", "import_awx", str(DATASET)]
    done = subprocess.run(
        command, cwd=PROJECT, env=environment(url), stdout=subprocess.PIPE, stderr=theirs, timeout=120
    )
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "Reading" in shown
    assert "%" in shown


@pytest.mark.slow
def test_a_database_without_tables_is_a_clear_error() -> None:
    with new_database() as empty:
        done = manage(empty, "import_awx", str(DATASET), check=False)
    assert done.returncode == 1
    assert done.stderr.startswith('CommandError: Database error: relation "instances_unifiedjob" does not exist')
    assert "Traceback" not in done.stderr


# --- what an export has in place of passwords and tokens

HASH = hashlib.sha256(b"secret").hexdigest()


def hashed_token(pk: int, **changes: Any) -> Record:
    return {"id": pk, "user": 1, "token_checksum": HASH, "scope": "read", "expires": "9999-01-01T00:00:00Z", **changes}


def test_a_token_may_be_given_by_its_hash(load: Load) -> None:
    load({"users": [user(1)], "tokens": [hashed_token(5, created=TIME, modified=TIME, description="é")]})
    token = AccessToken.objects.get()
    assert (token.pk, token.user_id, token.scope, token.token_checksum) == (5, 1, "read", HASH)
    assert token.created == token.updated == datetime.fromisoformat(TIME)
    assert token.note.description == "é"
    load({"tokens": [hashed_token(5, description="later")]})
    assert AccessToken.objects.get().note.description == "later"


def test_a_role_may_have_an_id(load: Load) -> None:
    role = {"id": 977, "instance_group": 1, "role": "use_role"}
    load({"users": [user(1, instance_group_roles=[role]), user(2)], "instance_groups": [group(1)]})
    assert list(InstanceGroupRole.objects.values_list("pk", "user")) == [(977, 1)]
    message = refusal(load, {"users": [user(2, instance_group_roles=[role])]})
    assert message.startswith("users[0].instance_group_roles[0].id: is the id of another user's instance group role")
    load({"users": [user(1, instance_group_roles=[]), user(2, instance_group_roles=[{**role, "id": 978}])]})
    assert list(InstanceGroupRole.objects.values_list("pk", "user")) == [(978, 2)]


def test_a_password_may_be_given_by_its_hash(load: Load) -> None:
    load({"users": [user(1)]})
    stored = User.objects.get().password
    load({"users": [user(2, password=None, password_hash=stored)]})
    assert User.objects.get(pk=2).check_password("secret")
    load({"users": [user(2, password=None)]})
    assert User.objects.get(pk=2).password == stored


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"users": [user(1, password_hash="!x")]},
            "users[0].password_hash: is given beside the password",
        ),
        (
            {"users": [user(1, password=None, password_hash="secret")]},
            "users[0].password_hash: is not the hash of a password",
        ),
        (
            {"users": [user(1, token="t", token_id=7)], "tokens": [hashed_token(9)]},
            "tokens: are given with their users already (also users[0])",
        ),
        ({"tokens": [hashed_token(9, user=99)]}, "tokens[0].user: no user has the id 99"),
        (
            {"tokens": [hashed_token(1, user=2)]},
            "tokens[0].id: is the id of another user's access token in the database",
        ),
        (
            {
                "users": [
                    user(pk, instance_group_roles=[{"id": 977, "instance_group": 1, "role": role}])
                    for pk, role in enumerate(("use_role", "read_role"), start=1)
                ]
            },
            "users[1].instance_group_roles[0].id: is given twice (also users[0].instance_group_roles[0])",
        ),
        (
            {"tokens": [hashed_token(9, token_checksum="token")]},
            "tokens[0].token_checksum: is not the SHA-256 of a token in hex",
        ),
        (
            {"tokens": [hashed_token(8), hashed_token(9)]},
            "tokens[1].token_checksum: is given twice (also tokens[0])",
        ),
        (
            {"tokens": [hashed_token(9, token_checksum=hashlib.sha256(b"token-of-admin").hexdigest())]},
            "tokens[0].token_checksum: is in the database already, with the id 1",
        ),
        ({"tokens": [hashed_token(9, expires=None)]}, f"tokens[0].expires: {TIME_WANTED} null"),
    ],
)
def test_hashes_that_cannot_be_stored_are_named(data: Record, message: str, load: Load) -> None:
    assert refusal(load, data) == message
