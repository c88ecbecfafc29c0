"""Who may do what: every route of the URL configuration, by every method, as six readers, against ``access.txt``.

A row has the method, the route with what was filled in, and the status for each of READERS, in their order. By other
methods than GET it is there only if somebody is let in. A new route fails until its rows are written down: the failure
shows them. ``access24.txt`` has the rows of AWX 24.6.1 that are not in ``access.txt``.
"""

import difflib
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import transaction
from django.test import Client
from django.urls import get_resolver
from rest_framework.test import APIClient

from awx_compat.dialects import DIALECTS
from instances import tokens
from instances.models import Instance, InstanceGroup, InstanceGroupRole, InstanceLink, ReceptorAddress, UnifiedJob, User
from instances.roles import role_id
from tests.conftest import speaking
from tests.make import make_jobs, make_link, make_node
from tests.routes import filled_in, routes

pytestmark = pytest.mark.django_db

ACCESS = Path(__file__).with_name("access.txt")
ACCESS_BY_VERSION = {"23.6.0": ACCESS, "24.6.1": ACCESS.with_name("access24.txt")}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
READERS = ("superuser", "auditor", "group admin", "group user", "without rights", "anonymous")
MISSING = 987654
KEPT_OUT = {401, 403, 404, 405, 501}
KEYS = ("key", "pk", "object_id", "id")  # what routes take for a record
UNKNOWN = ("client_id", "user_code", "app_label", "url", "content_type_id", "path")
BROWSERS = ("/api/login/", "/api/logout/", "/api/o/")


@pytest.fixture
def edge() -> InstanceGroup:
    """A group with a node, and beside it a node and a group that its users may not see."""
    group = InstanceGroup.objects.create(name="edge", credential=3)
    hidden = make_node(hostname="hidden", node_type="execution", node_state="ready", listener_port=27199)
    seen = Instance.objects.create(hostname="seen", node_type="execution", node_state="ready")
    make_link(source=seen, target=hidden)
    ReceptorAddress.objects.create(instance=seen, address="of-seen")
    group.instances.add(seen)
    InstanceGroup.objects.create(name="hidden").instances.add(hidden)
    make_jobs(1, execution_node="seen", instance_group=group)
    return group


@pytest.fixture
def readers(edge: InstanceGroup) -> dict[str, User]:
    found = {}
    for kind in READERS[:-1]:
        ranks = {"is_superuser": kind == "superuser", "is_system_auditor": kind == "auditor"}
        found[kind] = User.objects.create_user(kind.replace(" ", "-"), is_staff=True, **ranks)
    for kind, role in (("group admin", "admin_role"), ("group user", "use_role")):
        InstanceGroupRole.objects.create(user=found[kind], instance_group=edge, role=role)
    return found


def keys(reader: User | None, readers: dict[str, User]) -> dict[str, dict[str, object]]:
    """By what the route is of, what it is asked for, and by which word a row calls that."""
    other = readers["group user"] if reader != readers["group user"] else readers["group admin"]
    nodes = dict(Instance.objects.values_list("hostname", "pk"))
    of_token = {user.pk: tokens.issue(user)[0].pk for user in (reader or other, other)}
    groups = dict(InstanceGroup.objects.filter(name__in=["edge", "hidden"]).values_list("name", "pk"))
    users = {"own": (reader or other).pk, "other": other.pk}
    own = {"own": of_token[(reader or other).pk], "other": of_token[other.pk]}
    api = {"instances": nodes, "nodes": nodes, "instance_groups": groups, "users": users, "tokens": own}
    assigned = InstanceGroupRole.objects.get(user=readers["group user"])
    api |= {"role_definitions": {"use": 25}, "role_user_assignments": {"of group user": 2 * assigned.pk}}
    api |= {"jobs": {"of seen": UnifiedJob.objects.get().pk}, "credentials": {"of edge": 3}}
    api |= {"roles": {name: role_id(group, InstanceGroupRole.Role.USE) for name, group in groups.items()}}
    addresses = dict(ReceptorAddress.objects.values_list("address", "pk"))
    api |= {"receptor_addresses": addresses}
    administration = {
        "receptoraddress": addresses,
        "instance": nodes,
        "instancegroup": groups,
        "user": users,
        "accesstoken": own,
    }
    administration["instancelink"] = {"of seen": InstanceLink.objects.get().pk}
    administration["unifiedjob"] = {"of seen": UnifiedJob.objects.get().pk}
    return api | administration


def asked(method: str, reader: User | None, readers: dict[str, User]) -> Iterator[tuple[str, str]]:
    """Each route with a word for what is filled in, and its path; last those that end the session.

    The administration's forms know only GET and POST.
    """
    known = keys(reader, readers)
    for route in sorted(routes(get_resolver().url_patterns, "/"), key=lambda route: ("logout" in route, route)):
        if route.startswith("/admin/") and method not in ("GET", "POST"):
            continue
        kind = route.partition("<")[0].rstrip("/").rpartition("/")[2]
        for word, key in known.get(kind, {"missing": MISSING}).items() if "<" in route else [("", "")]:
            values = dict.fromkeys(UNKNOWN, "none") | dict.fromkeys(KEYS, key) | {"slug": "all", "collection": "teams"}
            yield f"{route} {word}".rstrip(), filled_in(route, **values)


def statuses(method: str, kind: str, readers: dict[str, User]) -> dict[str, int]:
    reader = readers.get(kind)
    api, browser = APIClient(raise_request_exception=False), Client(raise_request_exception=False)
    if reader is not None:
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.issue(reader)[1]}")
        browser.force_login(reader)
    found = {}
    for name, path in asked(method, reader, readers):
        client = browser if path.startswith(BROWSERS) or not path.startswith("/api/") else api
        with transaction.atomic():
            found[name] = client.generic(method, path, "{}", "application/json").status_code
            transaction.set_rollback(True)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("version", DIALECTS)
@pytest.mark.parametrize("method", METHODS)
def test_who_is_let_in(method: str, version: str, readers: dict[str, User]) -> None:
    with speaking(version):
        columns = [statuses(method, kind, readers) for kind in READERS]
    rows = {f"{method} {name}": [column[name] for column in columns] for name in columns[0]}
    told = {name: row for name, row in rows.items() if method == "GET" or not KEPT_OUT.issuperset(row)}
    found = [f"{name}: {' '.join(map(str, row))}" for name, row in told.items()]
    path = ACCESS_BY_VERSION[version]
    if path != ACCESS:
        common = set(ACCESS.read_text().splitlines())
        found = [row for row in found if row not in common]
    written = [line for line in path.read_text().splitlines() if line.startswith(f"{method} ")]
    assert found == written, "\n".join(difflib.unified_diff(written, found, path.name, "found", "", "", 0, ""))
