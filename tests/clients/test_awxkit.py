"""awxkit: the ``awx`` command, and its Python API."""

import json
import re
import shlex
import subprocess
import sys
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.clients.conftest import Awxkit
from tests.contract.recordings import AWX23
from tests.service import DATASET

pytestmark = pytest.mark.slow

Record = dict[str, Any]
Done = subprocess.CompletedProcess[str]


def as_told(record: Record) -> Record:
    """The record with its times as AWX writes them: whole seconds without a fraction."""
    return {name: value.replace(".000000Z", "Z") if isinstance(value, str) else value for name, value in record.items()}


RECORDED = json.loads(DATASET.read_text())
INSTANCES = {instance["id"]: as_told(instance) for instance in RECORDED["instances"]}
HOSTNAMES = {id_: instance["hostname"] for id_, instance in INSTANCES.items()}
USERS = [user["username"] for user in RECORDED["users"]]
BOBS_INSTANCES = {6, 7, 13, 15}  # the members of the one group that he may use
FORBIDDEN = {"detail": "You do not have permission to perform this action."}

structured = pytest.mark.parametrize("form", ["json", "yaml"])


def decoded(done: Done, form: str = "json") -> Any:
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout) if form == "json" else yaml.safe_load(done.stdout)


def rows(done: Done) -> list[dict[str, str]]:
    """The cells of a table in the format ``human``, by the names of their columns."""
    assert done.returncode == 0, done.stdout + done.stderr
    names, rule, *lines = done.stdout.rstrip("\n").split("\n")
    spans = [match.span() for match in re.finditer("=+", rule)]
    return [{names[a:b].strip(): line[a:b].strip() for a, b in spans} for line in lines]


def ids(listed: Record) -> list[int]:
    return [record["id"] for record in listed["results"]]


def by_id(records: list[Record], *fields: str) -> list[Record]:
    """The records by id, with these fields only."""
    return [{name: record[name] for name in fields} for record in sorted(records, key=itemgetter("id"))]


def ids_where(**wanted: Any) -> set[int]:
    """The ids of the recorded instances that have these values."""
    return {id_ for id_, instance in INSTANCES.items() if wanted.items() <= instance.items()}


@pytest.fixture
def prints_tables(awxkit_folder: Path) -> None:
    if "23.6.0" in awxkit_folder.name and sys.version_info >= (3, 12):
        pytest.skip("awxkit 23.6.0 prints numbers with locale.format, which Python 3.12 does not have")


# Logging in


def test_awx_login_prints_a_token_that_works(writing_awxkit: Awxkit) -> None:
    token = decoded(writing_awxkit.awx("login", USERNAME="bob", PASSWORD="bob"))["token"]
    assert token not in {user["token"] for user in RECORDED["users"]}
    me = decoded(writing_awxkit.awx("me", OAUTH_TOKEN=token))
    assert [user["username"] for user in me["results"]] == ["bob"]
    assert set(ids(decoded(writing_awxkit.awx("instances", "list", OAUTH_TOKEN=token)))) == BOBS_INSTANCES


def test_awx_login_keeps_the_description_and_scope_of_a_token(writing_awxkit: Awxkit) -> None:
    options = ("--description", "of a script", "--conf.scope", "read", "-f", "human")
    done = writing_awxkit.awx("login", *options, USERNAME="auditor", PASSWORD="auditor")
    token = done.stdout.removeprefix("export CONTROLLER_OAUTH_TOKEN=").strip()
    tokens = decoded(writing_awxkit.awx("tokens", "list", OAUTH_TOKEN=token))["results"]
    assert ("of a script", "read", 2) in {(told["description"], told["scope"], told["user"]) for told in tokens}
    assert token not in json.dumps(tokens)


@pytest.mark.parametrize("prefix", ["CONTROLLER", "TOWER"])
def test_a_password_logs_in_to_a_session(prefix: str, writing_awxkit: Awxkit) -> None:
    done = writing_awxkit.awx("-v", "instances", "list", prefix=prefix, USERNAME="bob", PASSWORD="bob")
    assert set(ids(decoded(done))) == BOBS_INSTANCES
    assert '"POST /api/login/ HTTP/1.1" 302' in done.stderr


@pytest.mark.parametrize(("username", "prefix"), [*((name, "CONTROLLER") for name in USERS), ("bob", "TOWER")])
def test_a_token_needs_no_session(username: str, prefix: str, awxkit: Awxkit) -> None:
    done = awxkit.awx("-v", "me", prefix=prefix, OAUTH_TOKEN=f"oracle-{username}-token")
    assert [user["username"] for user in decoded(done)["results"]] == [username]
    assert "/api/login/" not in done.stderr


@pytest.mark.parametrize("login", [{"USERNAME": "admin", "PASSWORD": "wrong"}, {"OAUTH_TOKEN": "wrong"}])
def test_wrong_credentials_are_a_clear_error(login: dict[str, str], awxkit: Awxkit) -> None:
    done = awxkit.awx("instances", "list", **login)
    assert done.returncode == 1
    assert "Valid credentials were not provided." in done.stderr


def test_awx_login_tells_that_a_password_is_wrong(awxkit: Awxkit) -> None:
    """In words only: awxkit ends with 0 all the same."""
    done = awxkit.awx("login", USERNAME="admin", PASSWORD="wrong")
    assert "Error retrieving an OAuth2.0 token (<class 'awxkit.exceptions.Unauthorized'>)" in done.stdout
    assert '"token"' not in done.stdout


# Instances


@structured
def test_instances(form: str, awxkit: Awxkit) -> None:
    listed = decoded(awxkit.awx("instances", "list", "-f", form), form)
    assert (listed["count"], listed["next"], listed["previous"]) == (len(INSTANCES), None, None)
    assert by_id(listed["results"], *INSTANCES[1]) == list(INSTANCES.values())


@pytest.mark.usefixtures("prints_tables")
def test_instances_as_a_table(awxkit: Awxkit) -> None:
    table = rows(awxkit.awx("instances", "list", "-f", "human"))
    assert {int(row["id"]): row["hostname"] for row in table} == HOSTNAMES


@pytest.mark.usefixtures("prints_tables")
def test_columns_of_a_table(awxkit: Awxkit) -> None:
    columns = ("hostname", "node_type", "node_state", "capacity_adjustment", "uuid")
    table = rows(awxkit.awx("instances", "list", "-f", "human", "--filter", ",".join(columns)))
    wanted = [{name: instance[name] for name in columns} for instance in INSTANCES.values()]
    assert sorted(table, key=itemgetter("uuid")) == sorted(wanted, key=itemgetter("uuid"))


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ("--node_type execution", {"node_type": "execution"}),
        ("--node_type hop --node_state installed", {"node_type": "hop", "node_state": "installed"}),
        ("--hostname exec-1.example.org", {"hostname": "exec-1.example.org"}),
        ("--hostname nowhere.example.org", {"hostname": "nowhere.example.org"}),
        ("--enabled false", {"enabled": False}),
        ("--enabled true --memory 68719476736", {"enabled": True, "memory": 68719476736}),
        ("--errors 'provisioning timed out'", {"errors": "provisioning timed out"}),
        ("--capacity 0", {"capacity": 0}),
        ("--capacity_adjustment 0.33", {"capacity_adjustment": "0.33"}),
        ("--listener_port 27199", {"listener_port": 27199}),
        ("--node_type hybrid --managed_by_policy no", {"node_type": "hybrid", "managed_by_policy": False}),
        ("--ip_address 10.20.0.1 --cpu 16", {"ip_address": "10.20.0.1", "cpu": "16.0"}),
        ("--uuid 00000000-0000-4000-8000-000000000009", {"id": 9}),
        ("--last_seen 2023-12-21T11:46:49.123456Z", {"last_seen": "2023-12-21T11:46:49.123456Z"}),
        ("--all", {}),
    ],
)
def test_filters(options: str, wanted: Record, awxkit: Awxkit) -> None:
    listed = decoded(awxkit.awx("instances", "list", *shlex.split(options)))
    assert set(ids(listed)) == ids_where(**wanted)
    assert listed["count"] == len(listed["results"])


@pytest.mark.parametrize(("order", "descending"), [("node_type,id", False), ("-node_type,-id", True)])
def test_order(order: str, descending: bool, awxkit: Awxkit) -> None:
    listed = decoded(awxkit.awx("instances", "list", f"--order_by={order}"))
    assert ids(listed) == sorted(INSTANCES, key=lambda n: (INSTANCES[n]["node_type"], n), reverse=descending)


def test_a_value_that_a_filter_cannot_use_is_a_clear_error(awxkit: Awxkit) -> None:
    done = awxkit.awx("instances", "list", "--created", "yesterday")
    assert done.returncode == 1
    assert "yesterday" in json.loads(done.stdout)["detail"]


@pytest.mark.parametrize(("key", "form"), [("5", "json"), ("exec-1.example.org", "yaml")])
def test_an_instance_by_id_or_hostname(key: str, form: str, awxkit: Awxkit) -> None:
    told = decoded(awxkit.awx("instances", "get", key, "-f", form), form)
    assert INSTANCES[5].items() <= told.items()


@pytest.mark.usefixtures("prints_tables")
def test_an_instance_as_a_table(awxkit: Awxkit) -> None:
    told = rows(awxkit.awx("instances", "get", "5", "-f", "human"))
    assert told == [{"id": "5", "hostname": "exec-1.example.org"}]


def test_an_instance_that_is_not_there(awxkit: Awxkit) -> None:
    by_key = awxkit.awx("instances", "get", "99")
    assert by_key.returncode == 1
    assert json.loads(by_key.stdout) == {"detail": "Not found."}
    by_name = awxkit.awx("instances", "get", "nowhere.example.org")
    assert by_name.returncode == 2
    assert "Could not find any instances with that hostname." in by_name.stderr


@pytest.mark.parametrize(
    ("username", "visible"),
    [("admin", set(INSTANCES)), ("auditor", set(INSTANCES)), ("alice", set()), ("bob", BOBS_INSTANCES)],
)
def test_who_sees_which_instances(username: str, visible: set[int], awxkit: Awxkit) -> None:
    listed = decoded(awxkit.awx("instances", "list", OAUTH_TOKEN=f"oracle-{username}-token"))
    assert (listed["count"], set(ids(listed))) == (len(visible), visible)


@pytest.mark.parametrize("command", ["instances get 1", "mesh_visualizer", "metrics"])
def test_what_is_forbidden_is_a_clear_error(command: str, awxkit: Awxkit) -> None:
    done = awxkit.awx(*command.split(), OAUTH_TOKEN="oracle-alice-token")
    assert done.returncode == 1
    assert json.loads(done.stdout) == FORBIDDEN


# What the commands can do, which they learn by OPTIONS


@pytest.fixture(scope="module")
def actions() -> dict[str, dict[str, Record]]:
    """The fields of instances, as AWX tells an administrator."""
    described = next(
        e for e in AWX23.exchanges("reads.jsonl") if (e["method"], e["path"]) == ("OPTIONS", "/api/v2/instances/")
    )
    assert described["user"] == "admin"
    actions: dict[str, dict[str, Record]] = described["response"]["actions"]
    return actions


def options_in(done: Done) -> dict[str, str]:
    """The options that a command's help lists, and what it tells of their values."""
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(re.findall(r"^  --(\w+)\b(?!\.)(?: (\S+(?:, ID, \.{3}])?))?", done.stdout, re.MULTILINE))


def choices(field: Record) -> str:
    return "{" + ",".join(value for value, _ in field["choices"]) + "}"


def test_help_lists_the_commands(awxkit: Awxkit) -> None:
    done = awxkit.awx("--help")
    listed = set(re.findall(r"^    (\w+)", done.stdout, re.MULTILINE))
    assert listed >= {"login", "instances", "instance_groups", "ping", "me", "metrics", "mesh_visualizer", "users"}


def test_help_of_list_names_every_filter(actions: dict[str, dict[str, Record]], awxkit: Awxkit) -> None:
    listed = options_in(awxkit.awx("instances", "list", "--help"))
    filters = {name for name, field in actions["GET"].items() if field.get("filterable") is not False} - {"id"}
    assert set(listed) - {"all", "order_by", "filter"} == filters
    assert {"hostname", "node_type", "node_state", "enabled", "capacity", "version", "errors"} <= filters
    assert listed["node_state"] == choices(actions["GET"]["node_state"])


@pytest.mark.parametrize("command", ["create --hostname new.example.org", "modify 5"])
def test_help_of_changes_names_every_field(command: str, actions: dict[str, dict[str, Record]], awxkit: Awxkit) -> None:
    listed = options_in(awxkit.awx("instances", *command.split(), "--help"))
    assert set(listed) == set(actions["POST"])
    assert {"hostname", "node_type", "node_state", "listener_port", "peers", "capacity_adjustment"} <= set(listed)
    assert listed["node_type"] == choices(actions["POST"]["node_type"]) == "{control,execution,hybrid,hop}"
    assert (listed["hostname"], listed["enabled"], listed["listener_port"]) == ("TEXT", "BOOLEAN", "INTEGER")


def test_create_requires_a_hostname(awxkit: Awxkit) -> None:
    done = awxkit.awx("instances", "create", "--node_type", "execution")
    assert done.returncode == 2
    assert "the following arguments are required: --hostname" in done.stderr


# Everything else that it reads

GROUP_FIELDS = ("id", "name", "created", "modified", "is_container_group", "max_forks", "policy_instance_list")
USER_FIELDS = ("id", "username", "email", "first_name", "last_name", "is_superuser", "is_system_auditor")


@structured
def test_instance_groups(form: str, awxkit: Awxkit) -> None:
    listed = decoded(awxkit.awx("instance_groups", "list", "-f", form), form)
    assert by_id(listed["results"], *GROUP_FIELDS) == by_id(RECORDED["instance_groups"], *GROUP_FIELDS)


@pytest.mark.parametrize("key", ["3", "édge custom"])
def test_an_instance_group_by_id_or_name(key: str, awxkit: Awxkit) -> None:
    told = decoded(awxkit.awx("instance_groups", "get", key))
    assert by_id([told], *GROUP_FIELDS) == by_id(RECORDED["instance_groups"], *GROUP_FIELDS)[2:3]


@pytest.mark.usefixtures("prints_tables")
def test_instance_groups_as_a_table(awxkit: Awxkit) -> None:
    table = rows(awxkit.awx("instance_groups", "list", "-f", "human"))
    assert {int(row["id"]): row["name"] for row in table} == {
        group["id"]: group["name"] for group in RECORDED["instance_groups"]
    }


@structured
def test_ping(form: str, awxkit: Awxkit) -> None:
    told = decoded(awxkit.awx("ping", "-f", form), form)
    assert (told["version"], told["active_node"]) == ("23.6.0", RECORDED["cluster_host_id"])
    assert told["install_uuid"] == RECORDED["install_uuid"]
    assert {(node["node"], node["node_type"], node["uuid"], node["capacity"]) for node in told["instances"]} == {
        (instance["hostname"], instance["node_type"], instance["uuid"], instance["capacity"])
        for instance in INSTANCES.values()
        if instance["node_type"] != "hop"
    }
    assert {group["name"]: set(group["instances"]) for group in told["instance_groups"]} == {
        group["name"]: {HOSTNAMES[member] for member in group["instances"]} for group in RECORDED["instance_groups"]
    }


@pytest.mark.usefixtures("prints_tables")
def test_ping_as_a_table(awxkit: Awxkit) -> None:
    told = rows(awxkit.awx("ping", "-f", "human", "--filter", "version,active_node,install_uuid"))
    assert told == [
        {
            "version": "23.6.0",
            "active_node": RECORDED["cluster_host_id"],
            "install_uuid": RECORDED["install_uuid"],
        }
    ]


@pytest.mark.parametrize("slug", ["all", "system"])
def test_settings(slug: str, awxkit: Awxkit) -> None:
    told = decoded(awxkit.awx("settings", "list", "--slug", slug))
    assert {"IS_K8S", "INSTALL_UUID", "AWX_CONTROL_NODE_TASK_IMPACT"} <= set(told)


@structured
def test_me(form: str, awxkit: Awxkit) -> None:
    listed = decoded(awxkit.awx("me", "-f", form), form)
    assert by_id(listed["results"], *USER_FIELDS) == by_id(RECORDED["users"], *USER_FIELDS)[:1]


@pytest.mark.usefixtures("prints_tables")
def test_me_as_a_table(awxkit: Awxkit) -> None:
    told = rows(awxkit.awx("me", "-f", "human", OAUTH_TOKEN="oracle-bob-token"))
    assert told == [{"id": "4", "username": "bob"}]


@structured
def test_users(form: str, awxkit: Awxkit) -> None:
    listed = decoded(awxkit.awx("users", "list", "-f", form), form)
    assert by_id(listed["results"], *USER_FIELDS) == by_id(RECORDED["users"], *USER_FIELDS)


@pytest.mark.usefixtures("prints_tables")
def test_users_as_a_table(awxkit: Awxkit) -> None:
    table = rows(awxkit.awx("users", "list", "-f", "human"))
    assert {int(row["id"]): row["username"] for row in table} == {
        user["id"]: user["username"] for user in RECORDED["users"]
    }


def capacities(metrics: Record) -> dict[str, float]:
    return {sample["labels"]["hostname"]: sample["value"] for sample in metrics["samples"]}


READY = {
    instance["hostname"]: instance["capacity"]
    for instance in INSTANCES.values()
    if instance["enabled"] and instance["node_state"] == "ready" and instance["node_type"] != "hop"
}


@structured
def test_metrics(form: str, awxkit: Awxkit) -> None:
    told = decoded(awxkit.awx("metrics", "-f", form), form)
    assert capacities(told["awx_instance_capacity"]) == READY


@pytest.mark.usefixtures("prints_tables")
def test_metrics_as_a_table(awxkit: Awxkit) -> None:
    told = {row["key"]: row["value"] for row in rows(awxkit.awx("metrics", "-f", "human"))}
    assert capacities(json.loads(told["awx_instance_capacity"])) == READY


LINKS = {
    (HOSTNAMES[link["source"]], HOSTNAMES[link["target"]], link["link_state"]) for link in RECORDED["instance_links"]
}


def ends(links: list[Record]) -> set[tuple[str, str, str]]:
    return {(link["source"], link["target"], link["link_state"]) for link in links}


@structured
def test_mesh_visualizer(form: str, awxkit: Awxkit) -> None:
    told = decoded(awxkit.awx("mesh_visualizer", "-f", form), form)
    fields = ("id", "hostname", "node_type", "node_state", "enabled")
    assert by_id(told["nodes"], *fields) == by_id(RECORDED["instances"], *fields)
    assert ends(told["links"]) == LINKS


@pytest.mark.usefixtures("prints_tables")
def test_mesh_visualizer_as_a_table(awxkit: Awxkit) -> None:
    (told,) = rows(awxkit.awx("mesh_visualizer", "-f", "human", "--filter", "links"))
    assert ends(json.loads(told["links"])) == LINKS


def test_a_list_of_several_pages(awxkit: Awxkit) -> None:
    """The 72 recorded jobs: instances fit on one page of 25."""
    first = decoded(awxkit.awx("unified_jobs", "list"))
    whole = decoded(awxkit.awx("unified_jobs", "list", "--all"))
    recorded = [job["id"] for job in RECORDED["unified_jobs"]]
    assert (first["count"], len(first["results"])) == (len(recorded), 25)
    assert sorted(ids(whole)) == sorted(recorded)
    assert ids(whole)[:25] == ids(first)


# The Python API

API = """
import json
import sys
from awxkit import api, config, exceptions, utils
from awxkit.awx.utils import get_all, uses_sessions

config.base_url, user = sys.argv[1:]
config.client_connection_attempts = 1
config.credentials = utils.PseudoNamespace({"default": {"username": user, "password": user}})
root = api.Api()
v2 = root.get().available_versions.v2.get()

def error(call, *arguments, **parameters):
    try:
        call(*arguments, **parameters)
    except exceptions.Common as raised:
        return type(raised).__name__, raised.msg

def told(**what):
    print(json.dumps(what))
"""
BY_TOKEN = API + "root.connection.login(token=f'oracle-{user}-token')\n"


@pytest.mark.parametrize(
    "login",
    [
        pytest.param("root.load_session()", id="session"),
        pytest.param("root.connection.login(user, user)", id="basic"),
        pytest.param("root.connection.login(token=root.get_oauth2_token())", id="token"),
    ],
)
def test_api_logs_in(login: str, writing_awxkit: Awxkit) -> None:
    script = f"""
before = error(v2.me.get)
{login}
told(before=before, me=v2.me.get().results[0].username, ids=[i.id for i in v2.instances.get().results])
"""
    told = writing_awxkit.python(API + script, "bob")
    assert told["before"][0] == "Unauthorized"
    assert told["me"] == "bob"
    assert set(told["ids"]) == BOBS_INSTANCES


def test_api_keeps_and_ends_a_session(writing_awxkit: Awxkit) -> None:
    script = """
offered = uses_sessions(root.connection)
connection = root.load_session().connection
cookie = connection.session_cookie_name, connection.session_id == connection.session.cookies["awx_sessionid"]
during = v2.me.get().results[0].id
connection.logout()
told(offered=offered, cookie=cookie, during=during, after=error(v2.me.get))
"""
    told = writing_awxkit.python(API + script, "admin")
    assert told["offered"] is True
    assert told["cookie"] == ["awx_sessionid", True]
    assert told["during"] == 1
    assert told["after"][0] == "Unauthorized"


def test_api_refuses_a_wrong_password(awxkit: Awxkit) -> None:
    script = """
config.credentials.default.password = "wrong"
token = None
try:
    root.get_oauth2_token()
except exceptions.Unauthorized as raised:
    token = type(raised).__name__
root.load_session()
told(token=token, session=root.connection.session_id, me=error(v2.me.get))
"""
    told = awxkit.python(API + script, "admin")
    assert (told["token"], told["session"], told["me"][0]) == ("Unauthorized", None, "Unauthorized")


def test_api_follows_next_and_previous(awxkit: Awxkit) -> None:
    script = """
pages, backwards, page = [], [], v2.instances.get(page_size=4)
while page is not None:
    last, page = page, page.go_to_next()
    pages.append([(i.id, i.hostname, type(i).__name__) for i in last.results])
while last is not None:
    backwards.append([i.id for i in last.results])
    last = last.go_to_previous()
told(pages=pages, backwards=backwards)
"""
    told = awxkit.python(BY_TOKEN + script, "admin")
    assert [len(page) for page in told["pages"]] == [4, 4, 4, 3]
    met = [record for page in told["pages"] for record in page]
    assert len(met) == len(INSTANCES)
    assert {id_: hostname for id_, hostname, _ in met} == HOSTNAMES
    assert {kind for *_, kind in met} == {"Instance"}
    assert told["backwards"] == [[id_ for id_, *_ in page] for page in reversed(told["pages"])]


@pytest.mark.parametrize(("username", "visible"), [("admin", set(INSTANCES)), ("bob", BOBS_INSTANCES)])
def test_api_fetches_every_page(username: str, visible: set[int], awxkit: Awxkit) -> None:
    script = """
ways = [
    get_all(v2.instances),
    v2.instances.get(page_size=3, all_pages=True).results,
    root.walk("/api/v2/instances/?page_size=2", all_pages=True).results,
]
told(found=[[(i.id, i.hostname) for i in way] for way in ways])
"""
    for found in awxkit.python(BY_TOKEN + script, username)["found"]:
        assert len(found) == len(visible)
        assert dict(found) == {id_: HOSTNAMES[id_] for id_ in visible}


def test_api_fetches_every_page_of_jobs(awxkit: Awxkit) -> None:
    told = awxkit.python(BY_TOKEN + "told(ids=[j.id for j in v2.unified_jobs.get(all_pages=True).results])", "admin")
    assert sorted(told["ids"]) == sorted(job["id"] for job in RECORDED["unified_jobs"])


def test_api_walks_to_related_records(awxkit: Awxkit) -> None:
    script = """
instance = root.walk("/api/v2/instances/13/")
group = v2.instance_groups.get(name="édge custom").results[0]
told(
    instance=instance.json,
    by_name=root.walk(instance.related.named_url).id,
    peers=[(type(i).__name__, i.id) for i in instance.related.peers.get().results],
    groups=[(type(g).__name__, g.id) for g in instance.related.instance_groups.get().results],
    members=[(type(i).__name__, i.id) for i in group.get_related("instances", page_size=1, all_pages=True).results],
)
"""
    told = awxkit.python(BY_TOKEN + script, "admin")
    assert INSTANCES[13].items() <= told["instance"].items()
    assert told["by_name"] == 13
    peers = {link["target"] for link in RECORDED["instance_links"] if link["source"] == 13}
    assert sorted(told["peers"]) == [["Instance", id_] for id_ in sorted(peers)]
    assert told["groups"] == [["InstanceGroup", 3]]
    assert sorted(told["members"]) == [["Instance", id_] for id_ in sorted(BOBS_INSTANCES)]


@pytest.mark.parametrize(
    ("username", "call", "kind", "detail"),
    [
        ("admin", "root.walk, '/api/v2/instances/99/'", "NotFound", "Not found."),
        ("alice", "root.walk, '/api/v2/instances/1/'", "Forbidden", FORBIDDEN["detail"]),
        ("bob", "root.walk, '/api/v2/instances/1/'", "Forbidden", FORBIDDEN["detail"]),
        ("admin", "v2.instances.get, nonsense=1", "BadRequest", "Instance has no field named 'nonsense'"),
    ],
)
def test_api_raises_what_its_callers_catch(username: str, call: str, kind: str, detail: str, awxkit: Awxkit) -> None:
    told = awxkit.python(BY_TOKEN + f"told(error=error({call}))", username)
    assert told["error"] == [kind, {"detail": detail}]
