"""OPTIONS, beyond what the recordings show: it agrees with the answers, the filters and the field list of AWX."""

import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import get_resolver
from oauth2_provider.models import AccessToken

from awx_compat.dialects import DIALECTS
from instances.models import Instance, InstanceGroup, InstanceGroupRole, User
from tests.conftest import client_of, speaking
from tests.make import make_jobs
from tests.routes import filled_in, routes
from tests.service import PROJECT

pytestmark = pytest.mark.django_db
LISTS = ("instances", "instance_groups", "users", "tokens", "unified_jobs")


@pytest.fixture
def records(edge: InstanceGroup) -> None:
    make_jobs(1, execution_node="exec-1")


@pytest.mark.parametrize("collection", ["instances", "instance_groups", "users", "tokens"])
def test_tells_the_fields_of_the_answer_in_their_order(collection: str, admin: User, records: None) -> None:
    client = client_of(admin)
    told = client.options(f"/api/v2/{collection}/").json()["actions"]["GET"]
    assert list(client.get(f"/api/v2/{collection}/").json()["results"][0]) == list(told)


@pytest.mark.parametrize("collection", ["instances", "instance_groups", "users", "tokens", "unified_jobs"])
def test_what_is_called_filterable_is(collection: str, admin: User, records: None) -> None:
    client = client_of(admin)
    fields = client.options(f"/api/v2/{collection}/").json()["actions"]["GET"]
    for name, info in fields.items():
        status = client.get(f"/api/v2/{collection}/", {f"{name}__isnull": "false"}).status_code
        # AWX does not call relations filterable, though they are, nor `type`; and calls so what nobody may filter by
        if name not in ("type", "peers", "instances", "user", "pod_spec_override", "password"):
            assert (status == 200) is info["filterable"], name


def test_the_description_lists_the_fields_as_awx_does(admin: User) -> None:
    """Name, help and type of each of the 33 fields, word by word."""
    text = (PROJECT / "tests" / "field_list.txt").read_text()
    documented = re.findall(r"^• (\w+): ?(.*?) ?\((\w+)\)$", text, re.MULTILINE)
    description = client_of(admin).options("/api/v2/instances/1/").json()["description"]
    told = re.findall(r"^\* `(\w+)`: ?(.*?) ?\((\w+)\)$", description, re.MULTILINE)
    assert len(told) == 33
    assert [(name, " ".join(text.split()), kind) for name, text, kind in told] == documented
    for value, label in [*Instance.NodeType.choices, *Instance.NodeState.choices]:
        assert f"    - `{value}`: {label}" in description


@pytest.mark.parametrize(("who", "methods"), [("admin", ["POST", "GET"]), ("auditor", ["GET"]), ("alice", ["GET"])])
def test_only_who_may_change_reads_how(who: str, methods: list[str], request: pytest.FixtureRequest) -> None:
    user = request.getfixturevalue(who)
    assert list(client_of(user).options("/api/v2/instances/").json()["actions"]) == methods


@pytest.mark.parametrize("collection", LISTS)
def test_read_only_fields_are_absent_from_post(collection: str, admin: User) -> None:
    actions: dict[str, Any] = client_of(admin).options(f"/api/v2/{collection}/").json()["actions"]
    assert not {"id", "url", "related", "summary_fields", "created"} & actions.get("POST", {}).keys()
    assert "PUT" not in actions


def paths_of_views(user: User) -> Iterator[str]:
    """A path of each view of the API, with a record for what it takes."""
    token = AccessToken.objects.get(user=user).pk
    keys = {"instances": "exec-1", "instance_groups": "edge", "users": user.username, "tokens": token}
    keys |= {"role_definitions": 25, "role_user_assignments": 1, "receptor_addresses": 1}
    for route in sorted(routes(get_resolver().url_patterns, "/")):
        if re.match(r"/api/(v2/|fleet/v1/|o/$|$)(?!<collection>)", route):
            collection = route.partition("<")[0].rstrip("/").rpartition("/")[2]
            yield filled_in(route, slug="all", key=keys.get(collection))


@pytest.mark.parametrize("version", DIALECTS)
@pytest.mark.parametrize("who", ["admin", "auditor", "alice"])
def test_every_view_is_described(version: str, who: str, request: pytest.FixtureRequest, records: None) -> None:
    """Also what only some may read; awxkit fails where a description is missing."""
    user = request.getfixturevalue(who)
    with speaking(version):
        client = client_of(user)
        answers = {path: client.options(path) for path in paths_of_views(user)}
    told = {path: answer.json() for path, answer in answers.items() if answer.status_code == 200}
    assert len(told) > 40
    for path, body in told.items():
        assert list(body)[:2] == ["name", "description"], path
        assert re.match(rf"# {re.escape(body['name'])}(\n\n\S|$)", body["description"]), path
        assert ("POST" in body["description"]) is ("POST" in answers[path]["Allow"]), path
        written = re.findall(r"^\* `(\w+)`: .*\(\w+, (?:required|default=`.*`)\)$", body["description"], re.MULTILINE)
        assert set(body.get("actions", {}).get("POST", {})) <= set(written), path


PARTS = ("awx_compat/metadata", "awx_compat/filters/", "awx_compat/serializers/")
PATHS = (
    "",
    "ping/",
    "settings/all/",
    "me/",
    "instances/1/",
    "instances/1/health_check/",
    "instances/1/instance_groups/",
)


@pytest.mark.parametrize("path", [*PATHS, *(f"{collection}/" for collection in LISTS)])
def test_fields_are_described_once(path: str, admin: User, records: None) -> None:
    """Only what depends on who asks is found out anew: some functions of the view and of the metadata."""
    client = client_of(admin)
    first = client.options(f"/api/v2/{path}")
    called: list[str] = []

    def note(frame: Any, event: str, arg: Any) -> None:
        if event == "call":
            called.append(frame.f_code.co_filename.removeprefix(f"{PROJECT}/"))

    sys.setprofile(note)
    try:
        again = client.options(f"/api/v2/{path}")
    finally:
        sys.setprofile(None)
    assert again.content == first.content
    own = [name for name in called if name.startswith(PARTS)]
    assert len(own) <= 24, own


def test_what_was_described_in_one_language_is_not_told_in_another(admin: User) -> None:
    client = client_of(admin)
    told = [client.options("/api/v2/users/", headers={"Accept-Language": language}) for language in ("es", "en", "es")]
    assert told[0].json() == told[2].json() != told[1].json()
    assert told[1].json()["actions"]["GET"]["is_superuser"]["help_text"].startswith("Designates that this user")


def test_who_may_not_write_a_field_is_not_told_what_somebody_else_may(
    admin: User, alice: User, edge: InstanceGroup, settings: Any
) -> None:
    """Whoever asks first."""
    settings.GROUP_ADMINS_SET_POLICIES = False
    InstanceGroupRole.objects.create(user=alice, instance_group=edge, role="admin_role")
    path = f"/api/v2/instance_groups/{edge.pk}/"
    written = [client_of(user).options(path).json()["actions"]["PUT"] for user in (admin, alice, admin)]
    assert [("pod_spec_override" in fields, "max_forks" in fields) for fields in written] == [
        (True, True),
        (False, True),
        (True, True),
    ]
