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
from pytest_django import DjangoDbBlocker

from awx_compat.awx_client import roots
from awx_compat.awx_client.progress import Progress
from awx_compat.management.commands import sync_awx
from tests.make import make_link, make_node
from tests.proxy import Answer, Proxy
from tests.service import connected_to, manage, new_database, served

AWX23, AWX24 = "23.6.0", "24.6.1"


@pytest.mark.parametrize("path", ["/api/v2/", "/api/controller/v2/"])
def test_the_roots_of_an_api(path: str) -> None:
    assert roots.is_root(path)
    record = {
        "next": None,
        "url": f"{path}jobs/1/",
        "related": {"next": [f"{path}jobs/2/?page=3"]},
        "name": f"at {path}",
    }
    own = roots.as_own(path, record)
    assert own == {
        "next": None,
        "url": "/api/v2/jobs/1/",
        "related": {"next": ["/api/v2/jobs/2/?page=3"]},
        "name": f"at {path}",
    }
    assert roots.below(path, own["url"]) == record["url"]


OTHERS = ("", "/", "/api/", "/api/v1/", "/api/../v2/", "/api/a/b/v2/", "//other/api/v2/", "/api/v2")
NAMELESS = (None, [], {}, {"apis": None}, {"apis": {"controller": 5}}, {"apis": {"controller": "//other/"}})


@pytest.mark.parametrize("path", OTHERS)
def test_what_is_no_root(path: str) -> None:
    assert not roots.is_root(path)
    assert roots.root_in({"current_version": path}) is None


@pytest.mark.parametrize("body", [*NAMELESS, {"current_version": ["/api/v2/"]}])
def test_answers_that_name_no_root(body: Any) -> None:
    assert roots.root_in(body) is None
    assert roots.api_in(body) is None


@pytest.mark.parametrize(
    ("given", "address", "root"),
    [
        ("https://awx.example.org", "https://awx.example.org", None),
        ("https://awx.example.org/", "https://awx.example.org", None),
        ("https://awx.example.org:8443/api/v2/", "https://awx.example.org:8443", None),
        (
            "https://aap.example.org/api/controller/v2",
            "https://aap.example.org/api/controller/v2",
            "/api/controller/v2/",
        ),
        (
            "https://aap.example.org/api/controller/v2/",
            "https://aap.example.org/api/controller/v2",
            "/api/controller/v2/",
        ),
    ],
)
def test_the_address_of_an_awx(given: str, address: str, root: str | None, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    names = ("url", "token_file", "username", "password_file", "ca_file", "insecure")
    options = {**dict.fromkeys(names), "url": given, "token_file": str(token)}
    assert sync_awx.url_of(options) == address
    with Progress(io.StringIO()) as progress:
        access = sync_awx.access_of(options, progress)
    assert (access.url, access.root) == (address.removesuffix("/api/controller/v2"), root)


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/v1", "/api/v2/ping/", "/ui/api/v2/", "/api/v2/?x", "/api/v2/#x"]
)
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
@pytest.mark.parametrize("path", ["", "/", "/api/controller/v2/", "/api/controller/v2"])
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
