"""A mirror of an automation controller behind the gateway of AAP, where paths begin with /api/controller/v2/."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import CommandError
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoDbBlocker

from awx_compat.awx_client.progress import Progress
from awx_compat.awx_client.roots import Root, root_of
from awx_compat.management.commands import sync_awx
from tests.make import make_link, make_node
from tests.proxy import Answer, Proxy
from tests.service import connected_to, manage, new_database, served

AWX23, AWX24 = "23.6.0", "24.6.1"


SEGMENTS = st.text("abz019_~-.", min_size=1, max_size=8).filter(lambda text: text[0] != "." and text != "api")
BASES = st.lists(SEGMENTS | st.sampled_from(["a", "ap", "apis", "v2", "controller"]), max_size=3).map(
    lambda segments: "".join(f"/{segment}" for segment in segments)
)
APIS = st.sampled_from(["/api/v2/", "/api/controller/v2/", "/api/awx-2/v2/"])


@given(BASES, APIS, st.booleans())
def test_paths_of_an_awx_below_any_path(base: str, api: str, strips: bool) -> None:
    """Its own paths have the path of the proxy, or, where the proxy strips it, have not. Other texts stay."""
    root, own = Root(base, api), api if strips else f"{base}{api}"
    record = {
        "url": f"{own}jobs/1/",
        "related": {"next": [f"{own}jobs/2/?page=3"], "stdout": f"{own}jobs/1/stdout/", "none": None},
        "summary_fields": {"links": [{"id": 1, "url": f"{own}instances/1/", "name": f"{own}x"}]},
        "artifacts": {"url": f"{own}jobs/3/"},
        "name": f"{own}jobs/1/",
        "description": f"at {own}",
    }
    assert root.plain_paths([record]) == [
        {
            **record,
            "url": "/api/v2/jobs/1/",
            "related": {"next": ["/api/v2/jobs/2/?page=3"], "stdout": "/api/v2/jobs/1/stdout/", "none": None},
            "summary_fields": {"links": [{"id": 1, "url": "/api/v2/instances/1/", "name": f"{own}x"}]},
        }
    ]
    for path in (f"{own}jobs/1/", "/api/v2/jobs/1/"):
        assert root.below(path) == f"{base}{api}jobs/1/"
    assert root.below("//other/api/v2/") == "//other/api/v2/"


@given(BASES, APIS, st.booleans())
def test_the_api_that_an_awx_names_itself(base: str, api: str, strips: bool) -> None:
    below = "" if strips else base
    assert Root(base).api_in({"current_version": f"{below}{api}"}) == api
    assert Root(base).gateway_api_in({"apis": {"controller": f"{below}/api/controller/"}}) == "/api/controller/v2/"


@given(BASES, APIS, st.sampled_from(["", "/"]))
def test_an_address_that_names_the_api(base: str, api: str, end: str) -> None:
    is_own = api == "/api/v2/"
    wanted = Root(base, api, known=not is_own)
    assert root_of(f"{base}{api.removesuffix('/')}{end}") == wanted
    assert root_of(f"{base}{api.removesuffix('/v2/')}{end}") == wanted
    assert root_of(f"{base}{end}") == Root(base)
    assert wanted.path == (base if is_own else f"{base}{api.removesuffix('/')}")


OTHERS = ("", "/", "/api/", "/api/v1/", "/api/../v2/", "/api/a/b/v2/", "//other/api/v2/", "/api/v2", "/other/api/v2/")
NAMELESS = (None, [], {}, {"apis": None}, {"apis": {"controller": 5}}, {"apis": {"controller": "//other/"}})


@pytest.mark.parametrize("base", ["", "/awx"])
@pytest.mark.parametrize("body", [*({"current_version": path} for path in OTHERS), *NAMELESS, {"current_version": []}])
def test_answers_that_name_no_api(base: str, body: Any) -> None:
    assert Root(base).api_in(body) is None
    assert Root(base).gateway_api_in(body) is None


@pytest.mark.parametrize(
    ("given", "host", "root"),
    [
        ("https://awx.example.org", "https://awx.example.org", Root()),
        ("https://awx.example.org/", "https://awx.example.org", Root()),
        ("https://awx.example.org:8443/api/v2/", "https://awx.example.org:8443", Root()),
        ("https://example.org/awx/", "https://example.org", Root("/awx")),
        ("https://example.org/tools/awx/api/v2/", "https://example.org", Root("/tools/awx")),
        ("https://aap.example.org/api/controller", "https://aap.example.org", Root("", "/api/controller/v2/", True)),
        (
            "https://aap.example.org/api/controller/v2/",
            "https://aap.example.org",
            Root("", "/api/controller/v2/", True),
        ),
        ("https://example.org/aap/api/controller/", "https://example.org", Root("/aap", "/api/controller/v2/", True)),
    ],
)
def test_the_address_of_an_awx(given: str, host: str, root: Root, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    names = ("url", "token_file", "username", "password_file", "ca_file", "insecure")
    options = {**dict.fromkeys(names), "url": given, "token_file": str(token)}
    assert sync_awx.url_of(options) == f"{host}{root.path}"
    with Progress(io.StringIO()) as progress:
        access = sync_awx.access_of(options, progress)
    assert (access.url, access.root) == (host, root)


NO_ADDRESSES = (
    "/api/v1",
    "/api/v2/ping/",
    "/api/controller/v1/",
    "/api/controller/v2/ping/",
    "/awx/api/v2/ping/",
    "/api/v2/?x",
    "/api/v2/#x",
    "/a/../api/v2/",
    "/./awx",
    "//awx",
    "/a b",
    "/%61wx",
    "/äwx",
)


@pytest.mark.parametrize("path", NO_ADDRESSES)
def test_what_is_no_address_of_an_awx(path: str) -> None:
    with pytest.raises(CommandError, match="--url must be the address of an AWX"):
        sync_awx.url_of({"url": f"https://awx.example.org{path}"})


class Gateway(Proxy):
    """As the gateway of AAP in front of a controller, the service behind; what it does not know is its own page."""

    APIS = {
        "description": "AAP gateway REST API",
        "apis": {"gateway": "/api/gateway/", "controller": "/api/controller/"},
    }
    PAGE = Answer(200, b"<!doctype html>", {"Content-Type": "text/html"})

    def pass_on(self, path: str, headers: dict[str, str]) -> Answer:
        if path == "/api/":
            return Answer(200, json.dumps(self.APIS).encode())
        if not path.startswith("/api/controller/"):
            return self.PAGE
        answer = super().pass_on(path.replace("/api/controller/", "/api/", 1), headers)
        body = answer.body.replace(b'"/api/', b'"/api/controller/')
        if path.endswith("/ping/"):
            body = body.replace(b'"24.6.1"', b'"4.6.3"')
        return replace(answer, body=body)


@pytest.fixture
def controller(dataset24_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Gateway]:
    with (
        django_db_blocker.unblock(),
        new_database(dataset24_template) as url,
        served(url, AWX_VERSION=AWX24) as address,
        Gateway(address, {}) as gateway,
    ):
        yield gateway


def every_answer(address: str, token: str) -> dict[str, Any]:
    """What is read from a service, by path."""
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
        names = ("instances", "receptor_addresses", "instance_groups", "unified_jobs", "mesh_visualizer")
        found = {name: client.get(f"/api/v2/{name}/?page_size=200&order_by=id").json() for name in names}
        assert client.get("/api/v2/me/").headers["X-API-Product-Version"] == AWX24
    for job in found["unified_jobs"]["results"]:
        job["elapsed"] = None
    return found


@pytest.mark.slow
@pytest.mark.parametrize("path", ["", "/", "/api/controller/v2/", "/api/controller"])
def test_a_controller_behind_the_gateway_of_aap(path: str, controller: Gateway, migrated: str, tmp_path: Path) -> None:
    """It is found, its paths become those here, and a service that starts then speaks as AWX 24.6.1."""
    token = tmp_path / "token"
    token.write_text("oracle-admin-token")
    with new_database(migrated) as url:
        command = ("sync_awx", "--url", f"{controller.address}{path}", "--token-file", str(token), "--all-jobs")
        done = manage(url, *command)
        events = [json.loads(line) for line in done.stderr.splitlines()]
        assert events[-1]["event"] == "synced"
        assert [event["message"] for event in events if event["event"] == "warning"] == [
            "The AWX has version 4.6.3: processes that start from now on speak as 24.6.1. "
            "Restart those that run already."
        ]
        discovery = [asked for asked in controller.asked if not asked.startswith("/api/controller/v2/")]
        assert discovery == ([] if "controller" in path else ["/api/v2/ping/", "/api/", "/api/controller/"])
        issued = manage(url, "shell", "-c", ISSUE).stdout.split()[-1]
        with served(url) as address:
            here = every_answer(address, issued)
        there = every_answer(f"http://{controller.upstream}", "oracle-admin-token")
        assert here == there
        refused = manage(url, *command, check=False, AWX_VERSION=AWX23)
        assert refused.returncode == 1
        assert json.loads(refused.stderr.splitlines()[-1])["message"].startswith("AWX 23.6.0 cannot show ")
        detached = manage(url, "sync_awx", "--detach").stdout
        assert detached.endswith("Set AWX_VERSION=24.6.1, so that it goes on to speak as AWX 24.6.1.\n")


ISSUE = """
from instances import tokens
from instances.models import User
print(tokens.issue(User.objects.get(username="admin"))[1])
"""


# --- starting with what is stored


@pytest.mark.slow
def test_commands_that_serve_or_work_do_not_start_with_what_they_cannot_show(
    migrated: str, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock(), new_database(migrated) as url:
        with connected_to(url):
            make_link(make_node("exec-1"), make_node("hop-1", node_type="hop"))
        for command in ("serve", "worker"):
            done = manage(url, command, check=False, AWX_VERSION=AWX24)
            assert done.returncode == 1
            assert done.stderr.startswith(
                "CommandError: AWX 24.6.1 cannot show the link from exec-1 to hop-1, which has no port."
            )
