"""The forms of a path: below BASE_PATH, and with one of API_PREFIXES. Responses have paths of the form asked for."""

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client, override_settings
from django.urls import get_resolver, set_script_prefix
from hypothesis import given
from hypothesis import strategies as st

from awx_compat import paths, probes
from awx_compat.answer_cache import AnswerCache
from awx_compat.buffered import Application
from awx_compat.dialects import DIALECTS
from instances import tokens
from instances.models import Instance, InstanceGroup, InstanceGroupRole, ReceptorAddress, UnifiedJob, User
from settings import env
from tests.conftest import speaking
from tests.make import make_jobs, make_link, make_node
from tests.routes import filled_in, routes
from tests.wsgi import environ, send

pytestmark = pytest.mark.django_db

TEXT = "/api/v2/written-by-a-user/"
MOVING = ("age", "elapsed", "last_used")  # fields with the current time


class Form(NamedTuple):
    """``sent``: what stands before a path as the service receives it; ``base``, ``prefix``: the settings' values."""

    base: str
    prefix: str
    sent: str

    def request(self, path: str) -> str:
        """A plain path below /api/ as it is sent in this form."""
        return self.sent + self.with_prefix(path)

    def response(self, path: str) -> str:
        """A plain path as responses have it in this form."""
        return self.base + self.with_prefix(path)

    def with_prefix(self, path: str) -> str:
        return path.replace("/api/", f"/api/{self.prefix}/", 1) if self.prefix else path

    @property
    def settings(self) -> dict[str, Any]:
        return {"FORCE_SCRIPT_NAME": self.base or None, "API_PREFIXES": ["other", self.prefix] if self.prefix else []}


FORMS = [
    Form("", "controller", ""),
    Form("/awx", "", ""),  # the proxy strips the path
    Form("/awx", "", "/awx"),  # or leaves it there
    Form("/tools/api-of-awx", "controller", ""),
    Form("/a", "a", "/a"),
]
all_forms = pytest.mark.parametrize("form", FORMS, ids="".join)


@contextlib.contextmanager
def served_as(form: Form) -> Iterator[None]:
    with override_settings(**form.settings):
        set_script_prefix(form.base or "/")  # as the handler of WSGI does
        try:
            yield
        finally:
            set_script_prefix("/")


@pytest.fixture
def authorization(admin: User) -> str:
    return f"Bearer {tokens.issue(admin)[1]}"


@pytest.fixture
def records(admin: User, edge: InstanceGroup) -> dict[str, object]:
    """By their collections, the key of a record of each kind. Users have written paths into some."""
    node = edge.instances.get()
    hop = make_node("hop-1", node_type="hop", listener_port=27199)
    make_link(node, hop)
    group = InstanceGroup.objects.create(name=TEXT, credential=5)
    group.instances.add(node)
    alice = User.objects.create_user("alice", first_name=TEXT)
    role = InstanceGroupRole.objects.create(user=alice, instance_group=group, role=InstanceGroupRole.Role.USE)
    token = tokens.issue(alice)[0]
    representation = {
        "url": "/api/v2/jobs/1/",
        "related": {"stdout": "/api/v2/jobs/1/stdout/", "others": ["/api/v2/jobs/2/"], "none": None},
        "summary_fields": {"source": {"url": "/api/v2/projects/1/", "name": TEXT}},
        "launched_by": {"name": TEXT, "url": "/api/v2/users/1/"},
        "name": TEXT,
        "artifacts": {"url": TEXT, "related": {"stdout": TEXT}},
    }
    make_jobs(2, execution_node="exec-1", instance_group=group)
    UnifiedJob.objects.update(representation=representation)
    return {
        "instances": node.pk,
        "instance_groups": group.pk,
        "users": alice.pk,
        "tokens": token.pk,
        "receptor_addresses": ReceptorAddress.objects.get(instance=hop, canonical=True).pk,
        "role_definitions": 25,
        "role_user_assignments": 2 * role.pk,
        "settings": "all",
    }


def paths_of_awx(records: dict[str, object]) -> Iterator[str]:
    """The plain path of every route of AWX's API, but those that end a session or need an OAuth application."""
    for route in routes(get_resolver().url_patterns, "/"):
        if route.startswith(("/api/v2/", "/api/login/")) or route in ("/api/", "/api/o/"):
            collection = route.removeprefix("/api/v2/").partition("/")[0]
            yield filled_in(route, key=records.get(collection), slug=records["settings"], collection="teams")


def ask(path: str, authorization: str = "", body: Any = None, accept: str = "application/json", **more: Any) -> Any:
    """The response to GET or, with a ``body``, POST."""
    client = Client(headers={"accept": accept, **({"authorization": authorization} if authorization else {})})
    return client.get(path) if body is None else client.post(path, body, **more)


def in_form(form: Form, value: Any) -> Any:
    """The body of a plain response, with its paths in this form."""
    match value:
        case str():
            return form.response(value) if value.startswith("/api/") and not value.startswith(TEXT) else value
        case list():
            return [in_form(form, each) for each in value]
        case dict():
            return {name: in_form(form, each) for name, each in value.items() if name not in MOVING}
    return value


@pytest.mark.slow
@all_forms
@pytest.mark.parametrize("version", DIALECTS)
def test_every_route_answers_in_the_form_asked_for(
    form: Form, version: str, records: dict[str, object], authorization: str
) -> None:
    """And no text that a user wrote is changed."""
    seen = set()
    with speaking(version):
        for path in paths_of_awx(records):
            for query in ("", "?page_size=1", "?format=json"):
                plain = ask(path + query, authorization)
                with served_as(form):
                    answer = ask(form.request(path) + query, authorization)
                assert answer.status_code == plain.status_code, path
                assert answer.headers.get("Allow") == plain.headers.get("Allow")
                if answer.headers["Content-Type"] == "application/json":
                    body = plain.json()
                    assert json.loads(answer.content, object_hook=without_moving) == in_form(form, body), path
                    seen |= {path} if TEXT.encode() in answer.content else set()
    assert {f"/api/v2/{name}/" for name in ("instance_groups", "users", "unified_jobs")} <= seen


@all_forms
def test_jobs_are_shown_in_the_form(form: Form, records: dict[str, object], authorization: str) -> None:
    """They are stored as AWX sent them."""
    plain = ask("/api/v2/unified_jobs/", authorization).json()
    with served_as(form):
        found = ask(form.request("/api/v2/unified_jobs/"), authorization).json()
    assert found == in_form(form, plain)
    job = found["results"][0]
    assert (job["name"], job["artifacts"]) == (TEXT, {"url": TEXT, "related": {"stdout": TEXT}})
    assert job["launched_by"] == {"name": TEXT, "url": form.response("/api/v2/users/1/")}


def without_moving(value: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in value.items() if name not in MOVING}


@all_forms
@pytest.mark.parametrize("path", ["instances/exec-1/jobs/", "instance_groups/edge/instances/", "instances/"])
def test_pages_lead_to_each_other(form: Form, path: str, records: dict[str, object], authorization: str) -> None:
    with served_as(form):
        url, read = form.request(f"/api/v2/{path}?page_size=1"), 0
        while url:
            page = json.loads(ask(url, authorization).content)
            read += len(page["results"])
            url = page["next"]
            assert url is None or url.startswith(form.response("/api/v2/"))
            if url:
                url = url.replace(form.base, form.sent, 1)
        assert read == page["count"] > 0
        assert read == 1 or page["previous"].startswith(form.response("/api/v2/"))


@all_forms
def test_what_is_created_is_located_in_the_form(form: Form, authorization: str) -> None:
    with served_as(form):
        for path, body in (
            ("instance_groups", {"name": "new"}),
            ("tokens", {}),
            ("instances", {"hostname": "new", "node_type": "execution"}),
        ):
            answer = ask(form.request(f"/api/v2/{path}/"), authorization, body, content_type="application/json")
            created = json.loads(answer.content)
            assert answer.status_code == 201, answer.content
            assert created["url"] == form.response(f"/api/v2/{path}/{created['id']}/")
            assert answer.headers["Location"] == created["url"]


@all_forms
@pytest.mark.parametrize("path", ["/api", "/api/v2", "/api/v2/instances", "/api/login", "/api/v2/ping"])
def test_a_missing_slash_is_redirected_in_the_form(form: Form, path: str, authorization: str) -> None:
    with served_as(form):
        answer = ask(f"{form.request(f'{path}/')[:-1]}?a=b", authorization)
    assert (answer.status_code, answer.headers["Location"]) == (301, f"{form.response(f'{path}/')}?a=b")


@all_forms
def test_below_a_slashless_collection_there_is_no_redirect(
    form: Form, records: dict[str, object], authorization: str
) -> None:
    with speaking("24.6.1"), served_as(form):
        path = f"/api/v2/instances/{records['instances']}"
        answer = ask(form.request(path), authorization)
    assert answer.status_code == 200
    assert json.loads(answer.content)["url"] == form.response(f"{path}/")


@all_forms
def test_credentials_are_asked_for_in_the_form(form: Form) -> None:
    with served_as(form):
        answer = ask(form.request("/api/v2/instances/"))
    assert answer.status_code == 401
    assert f"visit {form.response('/api/login/')}." in json.loads(answer.content)["detail"]
    assert answer.headers["WWW-Authenticate"].endswith(f"authorization_url={form.response('/api/o/authorize/')}")


@all_forms
def test_a_login_for_an_application_is_asked_for_in_the_form(form: Form) -> None:
    with served_as(form):
        path = form.request("/api/o/authorize/")
        location = ask(f"{path}?client_id=x", accept="text/html").headers["Location"]
    assert location.startswith(f"{form.response('/api/login/')}?next=")


@all_forms
def test_login_and_logout_stay_in_the_form(form: Form, admin: User) -> None:
    with served_as(form), override_settings(SESSION_COOKIE_PATH=form.base or "/"):
        answer = ask(form.request("/api/login/"), body={"username": "admin", "password": "admin"})
        assert (answer.status_code, answer.headers["Location"]) == (302, form.response("/api/"))
        for accept, target in (("application/json", form.response("/api/")), ("text/html", f"{form.base}/")):
            left = ask(form.request("/api/logout/"), accept=accept)
            assert (left.status_code, left.headers["Location"]) == (302, target)
    assert f"Path={form.base or '/'};" in str(left.cookies)


@all_forms
def test_pages_of_the_api_link_in_the_form(form: Form, records: dict[str, object], authorization: str) -> None:
    """But to what has no prefix."""
    beside = {f"{form.base}{path}" for path in ("/", "/api/", "/api/docs/", "/admin/", "/planning/")}
    with served_as(form):
        for path in ("/api/", "/api/v2/", "/api/v2/instances/", "/api/v2/instances/exec-1/", "/api/v2/unified_jobs/"):
            page = ask(form.request(path), authorization, accept="text/html").content.decode()
            links = re.findall(r'(?:href|src|action)="(/[^"]*)"', page)
            assert form.response("/api/v2/") in links
            for link in links:
                assert link.startswith((form.response("/api/"), "/static/")) or link in beside
            answered = re.search(r'data-answered="([^"]+)"', page)
            assert answered
            pattern = re.compile(answered[1])
            assert pattern.match(form.response("/api/v2/instances/5/"))
            assert not pattern.match(form.response("/api/v2/hosts/5/"))
            assert pattern.match(f"{form.base}/api/fleet/v1/")


@pytest.mark.parametrize("path", ["/api/controller/v2/instances/", "/api/controller/", "/api/controller/login/"])
def test_there_is_no_prefix_without_the_setting(path: str, authorization: str) -> None:
    assert ask(path, authorization).status_code == 404
    with override_settings(API_PREFIXES=["other"]):
        assert ask(path, authorization).status_code == 404


@all_forms
@pytest.mark.parametrize("path", ["/api/fleet/v1/", "/api/schema/", "/api/docs/", "/api/redoc/", "/api/v1/", "/api/x/"])
def test_prefixes_are_for_paths_of_awx_alone(form: Form, path: str, authorization: str) -> None:
    with served_as(form):
        beside = ask(form.sent + path, authorization)
        assert beside.status_code == (404 if path in ("/api/v1/", "/api/x/") else 200)
        if form.prefix:
            assert ask(form.request(path), authorization).status_code == 404


def test_paths_beside_awxs_have_the_base_alone(authorization: str) -> None:
    form = Form("/awx", "controller", "")
    with served_as(form):
        found = json.loads(ask("/api/fleet/v1/", authorization).content)
    assert found["mesh"] == "/awx/api/fleet/v1/mesh/"
    assert all(path.startswith("/awx/api/fleet/v1/") for path in found.values())


def test_names_that_are_taken_are_those_of_the_routes() -> None:
    found = list(routes(get_resolver().url_patterns, "/"))
    below = {route.removeprefix("/api/").partition("/")[0] for route in found if route.startswith("/api/")}
    assert below == paths.OF_AWX | paths.BESIDE_AWX
    firsts = {route.strip("/").partition("/")[0] for route in found} - {""}
    assert firsts | {"static"} | {path.strip("/") for path in probes.PATHS} == set(env.FIRST_SEGMENTS)


# --- what is kept


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("forms", [FORMS[:1], FORMS[3:4]], ids=["prefix", "both"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_cached_answer_is_of_one_form(
    forms: list[Form], turned: bool, records: dict[str, object], authorization: str
) -> None:
    """Both forms of one record, asked for in either order until they come from memory, and after a change."""
    [form] = forms
    cache = AnswerCache(WSGIHandler(), 1_000_000)
    path = "/api/v2/instances/exec-1/"
    requests = {form.request(path): form.response("/api/v2/"), form.sent + path: f"{form.base}/api/v2/"}
    order = list(reversed(requests) if turned else requests)
    with served_as(form):
        for enabled in (True, False):
            Instance.objects.filter(hostname="exec-1").update(enabled=enabled)
            etags = set()
            for _ in range(4):
                for sent in order:
                    answer = send(cache, environ(sent, HTTP_AUTHORIZATION=authorization))
                    body = json.loads(answer.body)
                    assert body["url"] == f"{requests[sent]}instances/{records['instances']}/"
                    assert body["enabled"] == enabled
                    etags.add(answer.headers["ETag"])
                    known = environ(sent, HTTP_AUTHORIZATION=authorization, HTTP_IF_NONE_MATCH=answer.headers["ETag"])
                    assert send(cache, known).status == 304
            assert len(etags) == 2


@all_forms
@pytest.mark.parametrize("path", ["/api/login/", "/admin/login/", "/api/v2/instances/"])
def test_passwords_are_hashed_apart_in_any_form(form: Form, path: str) -> None:
    application = Application(WSGIHandler(), 1)
    sent = form.request(path) if path.startswith("/api/") else form.sent + path
    with served_as(form):
        assert (application.threads_for(environ(sent, "POST")) is application.of_passwords) is path.endswith("/login/")


# --- the functions


SEGMENT = st.from_regex(r"\A[a-z0-9_~-][a-z0-9._~-]{0,5}\Z").filter(lambda text: text not in env.FIRST_SEGMENTS)
BASES = st.lists(SEGMENT, min_size=1, max_size=3).map(lambda segments: "".join(f"/{segment}" for segment in segments))
PREFIXES = st.from_regex(r"\A[\w-]{1,6}\Z", fullmatch=True).filter(
    lambda text: text.isascii() and text not in paths.OF_AWX | paths.BESIDE_AWX
)
BELOW = st.sampled_from(["", "v2/", "v2", "v2/instances/", "login/", "logout/", "o/", "o/token/"])


@given(BASES | st.just(""), PREFIXES | st.just(""), BELOW, st.booleans())
def test_any_form_is_routed_as_the_plain_path(base: str, prefix: str, below: str, passed: bool) -> None:
    form = Form(base, prefix, base if passed else "")
    with override_settings(**form.settings):
        assert paths.plain(form.request(f"/api/{below}")) == f"/api/{below}"
        assert paths.plain(form.sent + "/api/fleet/v1/") == "/api/fleet/v1/"
        assert paths.plain(f"{form.sent}/nodes/5/") == "/nodes/5/"


@given(BASES)
def test_any_base_path_is_accepted(base: str) -> None:
    env.served_below(base)
    env.served_below(f"{base}/")
    assert env.base_path(f"{base}/") == base


@pytest.mark.parametrize(
    "value", ["awx", "//awx", "/a//b", "/../x", "/.", "/a b", "/a?b", "/ä", "/%61", "/api", "/static/x", "/admin/"]
)
def test_what_is_no_base_path(value: str) -> None:
    with pytest.raises(env.ValidationError, match="Must"):
        env.served_below(value)


@pytest.mark.parametrize("value", ["", "/", None])
def test_no_base_path(value: str) -> None:
    env.served_below(value)
    assert env.base_path(value) == ""


@pytest.mark.parametrize("name", ["", "a b", "a/b", ".", "ä", "a" * 51, *sorted(paths.OF_AWX | paths.BESIDE_AWX)])
def test_what_is_no_prefix(name: str) -> None:
    validator = env.names_below_api(paths.OF_AWX | paths.BESIDE_AWX)
    with pytest.raises(env.ValidationError, match="Must"):
        validator(["controller", name])
    validator(["controller", "a-b_9"])
