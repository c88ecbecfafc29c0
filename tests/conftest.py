import contextlib
import hashlib
import importlib
import io
import os
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import prometheus_client
import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import override_settings
from django.urls import clear_url_caches
from django.utils import timezone
from oauth2_provider.models import AccessToken
from pytest_django import DjangoDbBlocker
from rest_framework.test import APIClient

from awx_compat import process_metrics
from awx_compat.process_metrics import ProcessMetrics
from instances.models import Instance, InstanceGroup, InstanceGroupRole, User
from tests.service import DATASET, DATASET24, connected_to, manage, new_database, served, shared_template


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A slow test that fails is run once more: it may be that the machine stood still for seconds, but not twice."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def run_name() -> str:
    """What the names of databases have in common that the processes of one run of tests share."""
    return "test_" + os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid.uuid4().hex)[:12]


@pytest.fixture(scope="session")
def migrated(run_name: str, django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The name of a database with nothing in it, to be copied."""

    def fill(url: str) -> None:
        with connected_to(url):
            call_command("migrate", verbosity=0)

    with django_db_blocker.unblock(), shared_template(f"{run_name}_migrated", fill) as name:
        yield name


@pytest.fixture(scope="session")
def dataset_template(run_name: str, migrated: str) -> Iterator[str]:
    """The name of a database that holds the recorded AWX's records, to be copied."""

    def fill(url: str) -> None:
        manage(url, "import_awx", str(DATASET))

    with shared_template(f"{run_name}_dataset", fill, migrated) as name:
        yield name


@pytest.fixture(scope="session")
def dataset24_template(run_name: str, migrated: str) -> Iterator[str]:
    """The same of the recorded AWX 24.6.1."""

    def fill(url: str) -> None:
        manage(url, "import_awx", str(DATASET24))

    with shared_template(f"{run_name}_dataset24", fill, migrated) as name:
        yield name


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None, migrated: str) -> None:
    """Let pytest-django copy the database of this process instead of migrating one."""
    connection.settings_dict["TEST"].update(TEMPLATE=migrated)


@pytest.fixture(scope="session")
def dataset_url(dataset_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The DATABASE_URL of a database that holds the recorded AWX's records, for tests that leave them as they are."""
    with django_db_blocker.unblock(), new_database(dataset_template) as url:
        yield url


@pytest.fixture(scope="module")
def module_service(dataset_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The address of a service for the tests of a module: what one of them changes, the others do not look at."""
    with django_db_blocker.unblock(), new_database(dataset_template) as url, served(url) as address:
        yield address


@pytest.fixture(scope="session")
def service(dataset_url: str) -> Iterator[str]:
    """The address of the service, serving the recorded AWX's records."""
    with served(dataset_url) as address:
        yield address


def create_mesh_ca(directory: Path) -> dict[str, str]:
    """Run the command; the variables that it prints."""
    printed = io.StringIO()
    call_command("create_mesh_ca", str(directory), stdout=printed, stderr=io.StringIO())
    return dict(line.split("=", 1) for line in printed.getvalue().splitlines())


@pytest.fixture(scope="session")
def made_ca(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a mesh CA, which is made once: its keys take seconds."""
    return create_mesh_ca(tmp_path_factory.mktemp("mesh") / "ca")


@pytest.fixture(autouse=True)
def forgotten_jobs(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a test that commits no background job is left: Django empties its own tables, and these are another's."""
    marker = request.node.get_closest_marker("django_db")
    if marker is None or not marker.kwargs.get("transaction"):
        yield
        return
    request.getfixturevalue("transactional_db")
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs CASCADE")


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """What a test, or the code that it runs, sets in the environment is not there for processes of the next test."""
    with mock.patch.dict(os.environ):
        yield


@contextlib.contextmanager
def rolled_back() -> Iterator[None]:
    """What is written meanwhile is there for the tests of a module, of which each takes back its own, and then gone."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def token_for(user: User, scope: str = "write", **changes: Any) -> str:
    """A new access token of ``user``."""
    token = f"token-of-{user.username}-{AccessToken.objects.count()}"
    AccessToken.objects.create(
        user=user,
        token_checksum=hashlib.sha256(token.encode()).hexdigest(),
        scope=scope,
        **{"expires": timezone.now() + timedelta(days=1), **changes},
    )
    return token


def client_of(user: User | None) -> APIClient:
    """An HTTP client that asks as ``user``, with a bearer token."""
    client = APIClient()
    if user is not None:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token_for(user)}")
    return client


def reload_routes() -> None:
    """Let the URL configuration be that of the current dialect."""
    for module in ("awx_compat.urls", "settings.urls"):
        importlib.reload(importlib.import_module(module))
    clear_url_caches()


@contextlib.contextmanager
def speaking(version: str) -> Iterator[None]:
    """The service of this process speaks as this version of AWX."""
    try:
        with override_settings(AWX_VERSION=version, CHOSEN_AWX_VERSION=version):
            reload_routes()
            yield
    finally:
        reload_routes()


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessMetrics]:
    """This process measures itself, as one of ``serve`` does."""
    monkeypatch.setattr(prometheus_client.values, "ValueClass", prometheus_client.values.ValueClass)
    monkeypatch.setattr(process_metrics, "current", None)
    monkeypatch.setenv(process_metrics.FOLDER, "")
    process_metrics.start(tmp_path)
    metrics: Any = process_metrics.current
    yield metrics
    prometheus_client.values.close_all_multiprocess_files()
    os.close(metrics.lock)


@pytest.fixture
def awx24() -> Iterator[None]:
    with speaking("24.6.1"):
        yield


@pytest.fixture
def admin(db: None) -> User:
    return User.objects.create_superuser("admin", password="admin")


@pytest.fixture
def auditor(db: None) -> User:
    return User.objects.create_user("auditor", password="auditor", is_system_auditor=True)


@pytest.fixture
def alice(db: None) -> User:
    """A user without any right."""
    return User.objects.create_user("alice", password="alice")


@pytest.fixture
def edge(db: None) -> InstanceGroup:
    """A group with one member, exec-1."""
    group = InstanceGroup.objects.create(name="edge")
    group.instances.add(Instance.objects.create(hostname="exec-1", node_type="execution"))
    return group


@pytest.fixture
def bob(edge: InstanceGroup) -> User:
    """A user who may use the group ``edge``."""
    user = User.objects.create_user("bob", password="bob")
    InstanceGroupRole.objects.create(user=user, instance_group=edge, role=InstanceGroupRole.Role.USE)
    return user
