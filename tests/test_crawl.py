"""From /api/ along every path in every answer, by GET and OPTIONS: nothing is missing, and nothing fails.

OPTIONS describes each, and says by ``actions`` what the reader may send.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.urls import resolve
from pytest_django import Settings
from rest_framework.test import APIClient

from awx_compat.dialects import DIALECTS
from awx_compat.permissions import IsSuperuserOrAuditor
from instances import tokens
from instances.models import Instance, InstanceGroup, InstanceGroupRole, UnifiedJob, User
from instances.roles import role_id
from tests.conftest import speaking
from tests.make import make_jobs, make_link, make_node

pytestmark = pytest.mark.django_db

ROOTS = ("/api/", "/api/fleet/v1/")
DATASET = json.loads((Path(__file__).parent / "contract" / "dataset.json").read_text(encoding="utf-8"))
RECORDED = {job["representation"]["type"]: job for job in DATASET["unified_jobs"]}
READERS = ("admin", "auditor", "group admin", "nobody")
REFUSED = {401, 403, 404, 405, 501}
ANSWERS = {200, 302, 403}  # of what is given as a path; the login redirects who is logged in
# 404 where nothing is mirrored, and where nothing is measured; 400 where no job is named; 405 where a body is needed.
ABSENT = ("/api/fleet/v1/mirror/", "/api/fleet/v1/metrics/process/", "/api/fleet/v1/fit/", "/api/fleet/v1/what_if/")
SESSIONS = ("/api/login/", "/api/logout/", "/api/o/")  # forms of pages, whose OPTIONS describe nothing


@pytest.fixture
def mesh(db: None, made_ca: dict[str, str], settings: Settings) -> InstanceGroup:
    """A node of each type, two groups, a job of each kind, and what leads from one to the other."""
    settings.IS_K8S, settings.HEALTH_PROBE = True, "agent"
    for name, value in made_ca.items():
        setattr(settings, name, value)
    nodes = [
        make_node(hostname=f"{kind}-1", node_type=kind, node_state="ready", capacity=9, listener_port=27199)
        for kind in ("control", "hybrid", "execution", "hop")
    ]
    for node in nodes[:3]:
        make_link(source=node, target=nodes[3])
    edge = InstanceGroup.objects.create(name="edge")
    edge.instances.set(nodes)
    summary = {"id": 3, "name": "cluster", "description": "", "kind": "kubernetes_bearer_token", "cloud": False}
    InstanceGroup.objects.create(name="pods", is_container_group=True, credential=3, credential_summary=summary)
    for kind, recorded in RECORDED.items():
        representation = recorded["representation"]
        pk = representation["id"]
        make_jobs(1, first=pk, type=kind, execution_node="execution-1", representation=representation)
    return edge


@pytest.fixture
def readers(mesh: InstanceGroup) -> dict[str, User]:
    found = {
        "admin": User.objects.create_superuser("admin"),
        "auditor": User.objects.create_user("auditor", is_system_auditor=True),
        "group admin": User.objects.create_user("grace"),
        "nobody": User.objects.create_user("nobody"),
    }
    InstanceGroupRole.objects.create(user=found["group admin"], instance_group=mesh, role="admin_role")
    return found


@dataclass
class Crawler:
    """What one reader is answered."""

    client: APIClient
    ids: dict[str, int]  # by the last name in a path, of a record to associate

    def paths(self) -> dict[str, list[str]]:
        """Each path that is found, with the paths by which it was."""
        found: dict[str, list[str]] = {root: [] for root in ROOTS}
        ahead = list(found)
        while ahead:
            path = ahead.pop()
            for further in self.paths_in(path):
                if further not in found:
                    found[further] = [*found[path], path]
                    ahead.append(further)
        return found

    def paths_in(self, path: str) -> Iterator[str]:
        answer = self.client.get(path)
        if "json" in answer.headers.get("Content-Type", "") and answer.status_code == 200:
            yield from paths_of(answer.json())

    def sent(self, method: str, path: str) -> int:
        """The status of a request whose changes are rolled back.

        AWX looks at the id of a record that shall be associated before it looks at rights.
        """
        body = json.dumps({"id": self.ids.get(path.rstrip("/").rpartition("/")[2], 0)})
        with transaction.atomic():
            status: int = self.client.generic(method, path, body, "application/json").status_code
            transaction.set_rollback(True)
        return status


def paths_of(value: Any) -> Iterator[str]:
    """The paths of the API in a body; of a job only its own, as the others are those of the AWX that runs it."""
    if isinstance(value, dict):
        shown = {"url": value["url"]} if value.get("type") in UnifiedJob.Type.values and "url" in value else value
        for item in shown.values():
            yield from paths_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from paths_of(item)
    elif isinstance(value, str) and value.startswith("/api/") and "{" not in value:
        yield value


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("version", DIALECTS)
def test_every_path_in_an_answer_is_answered(version: str, reader: str, readers: dict[str, User]) -> None:
    with speaking(version):
        client = APIClient(raise_request_exception=False)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.issue(readers[reader])[1]}")
        edge = InstanceGroup.objects.get(name="edge").pk
        ids = {"instances": Instance.objects.earliest("pk").pk, "instance_groups": edge, "users": readers["admin"].pk}
        ids["roles"] = role_id(edge, InstanceGroupRole.Role.USE)
        crawler = Crawler(client, ids)
        found = crawler.paths()
        assert len(found) > 70
        wrong = {path: answer for path in found for answer in faults(crawler, path)}
    assert not wrong, "\n".join(f"{path}, found at {found[path][-1:]}: {fault}" for path, fault in wrong.items())


def is_for_auditors_to_get_alone(path: str) -> bool:
    """Whether AWX does not count OPTIONS as reading there."""
    return IsSuperuserOrAuditor in resolve(path.partition("?")[0]).func.cls.permission_classes


def faults(crawler: Crawler, path: str) -> Iterator[str]:
    status = crawler.sent("GET", path)
    if path.startswith(SESSIONS):
        return
    if status not in ANSWERS and path not in ABSENT:
        yield f"GET is {status}"
    options = crawler.client.options(path)
    if options.status_code != 200:
        if options.status_code != status and not is_for_auditors_to_get_alone(path):
            yield f"OPTIONS is {options.status_code}"
        return
    body = options.json()
    if not body.get("description", "").strip():
        yield "OPTIONS has no description"
    for method in ("POST", "PUT") if "actions" in body else ():
        refused = crawler.sent(method, path) in REFUSED
        if method in body["actions"] and refused:
            yield f"OPTIONS names {method}, which is refused"
        if method not in body["actions"] and not refused:
            yield f"OPTIONS does not name {method}, which is not refused"
