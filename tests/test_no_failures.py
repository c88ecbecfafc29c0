"""Every route, by every method, as JSON and as a page, as five readers: whatever is answered, nothing fails."""

import pytest
from django.test import Client
from django.urls import get_resolver
from rest_framework.test import APIClient

from instances import tokens
from instances.models import Instance, InstanceGroup, InstanceGroupRole, User
from tests.make import make_jobs, make_link
from tests.routes import filled_in, routes

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
FORMATS = ("application/json", "text/html")
READERS = ("superuser", "auditor", "group admin", "group user", "without rights")
MISSING = 987654


@pytest.fixture
def edge() -> InstanceGroup:
    group = InstanceGroup.objects.create(name="edge")
    one = Instance.objects.create(hostname="exec-1", node_type="execution", node_state="ready")
    make_link(source=one, target=Instance.objects.create(hostname="hop-1", node_type="hop"))
    group.instances.add(one)
    make_jobs(1, execution_node="exec-1", instance_group=group)
    return group


def paths(reader: User, group: InstanceGroup, token: int) -> list[str]:
    """Each route with the id of a record that there is, by a name, and with an id that there is not."""
    keys = {
        "instances": (group.instances.get().pk, "exec-1"),
        "instance_groups": (group.pk, group.name),
        "users": (reader.pk, reader.username),
        "tokens": (token,),
        "nodes": (group.instances.get().pk,),
    }
    found = []
    for route in routes([each for each in get_resolver().url_patterns if str(each.pattern) != "admin/"], "/"):
        kind = route.partition("<")[0].rstrip("/").rpartition("/")[2]
        for key in (*keys.get(kind, ("all",)), MISSING) if "<" in route else ("",):
            values = {
                "slug": key,
                "collection": "teams",
                "client_id": "none",
                "user_code": "none",
                "pk": key,
                "key": key,
            }
            found.append(filled_in(route, **values))
    return sorted(found, key=len, reverse=True)  # what is below a record before the record, which DELETE takes away


@pytest.mark.parametrize("kind", READERS)
def test_nothing_fails(kind: str, edge: InstanceGroup) -> None:
    ranks = {"is_superuser": kind == "superuser", "is_system_auditor": kind == "auditor"}
    reader = User.objects.create_user("reader", is_staff=True, **ranks)
    if kind.startswith("group"):
        role = "admin_role" if kind == "group admin" else "use_role"
        InstanceGroupRole.objects.create(user=reader, instance_group=edge, role=role)
    own, _ = tokens.issue(reader)
    _, raw = tokens.issue(reader)
    api = APIClient(raise_request_exception=False)
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {raw}")
    browser = Client(raise_request_exception=False)
    browser.force_login(reader)
    asked, failed = paths(reader, edge, own.pk), []
    for method in METHODS:
        for path in asked:
            if path in ("/api/logout/", "/api/login/"):
                continue  # they begin and end what this asks by
            for media_type in FORMATS:
                client = api if path.startswith("/api/") else browser
                status = client.generic(method, path, "{}", "application/json", HTTP_ACCEPT=media_type).status_code
                if status == 500:
                    failed.append((method, path, media_type))
    assert failed == []
