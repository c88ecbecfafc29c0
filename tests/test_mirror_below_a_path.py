"""A mirror of an AWX that a proxy serves below a path of its host."""

import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from awx_compat.awx_client import client
from awx_compat.awx_client.progress import Progress
from awx_compat.awx_client.syncing import Sync
from awx_compat.management.commands import sync_awx
from instances.mirror.writing import Plan
from instances.models import Mirror, UnifiedJob
from tests.mirroring import PAUSE, unheard
from tests.proxy import Answer, Proxy
from tests.service import connected_to, new_database, served

NOT_FOUND = Answer(404, b"{}")
PAGE_SIZE = 2  # so that there is a next page


class Below(Proxy):
    """Strips the path that it serves the service at; with ``knows``, the service is one that has it in its answers."""

    base = ""
    knows = False

    def pass_on(self, path: str, headers: dict[str, str]) -> Answer:
        if not path.startswith(f"{self.base}/"):
            return NOT_FOUND
        answer = super().pass_on(path.removeprefix(self.base), headers)
        api = f'"{self.base if self.knows else ""}/api/'
        return replace(answer, body=answer.body.replace(b'"/api/', api.encode()))


@pytest.fixture(scope="module")
def proxy(dataset_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Below]:
    with (
        django_db_blocker.unblock(),
        new_database(dataset_template) as url,
        served(url, API_PREFIXES="controller") as address,
        Below(address, {}) as proxy,
    ):
        yield proxy


def mirrored(url: str, address: str, token: Path) -> tuple[str, dict[int, Any]]:
    """The address of the mirror of the AWX at ``address`` in a new database, and its jobs."""
    options: dict[str, Any] = dict.fromkeys(("username", "password_file", "ca_file", "insecure"))
    options |= {"url": address, "token_file": str(token)}
    plan = Plan(sync_awx.url_of(options), all_jobs=True)
    with connected_to(url), Progress(io.StringIO()) as progress:
        Sync(sync_awx.access_of(options, progress), plan, threading.Event(), unheard, pause=PAUSE).run()
        jobs = UnifiedJob.objects.values_list("pk", "representation")
        return Mirror.objects.get().url, {pk: {**job, "elapsed": None} for pk, job in jobs}


@pytest.mark.slow
@pytest.mark.parametrize("knows", [True, False])
@pytest.mark.parametrize(
    ("base", "api", "stored"),
    [
        ("/awx", "", ""),
        ("/a", "/api/v2/", ""),
        ("/tools/awx-2.0/x", "/api/controller", "/api/controller/v2"),
        ("/api-of-awx", "/api/controller/v2/", "/api/controller/v2"),
        ("", "/api/controller/", "/api/controller/v2"),
    ],
)
def test_a_mirror(
    base: str,
    api: str,
    stored: str,
    knows: bool,
    proxy: Below,
    migrated: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    django_db_blocker: DjangoDbBlocker,
) -> None:
    """It is as that of an AWX of its own, whether the paths in the AWX's answers have the path of the proxy or not."""
    monkeypatch.setattr(client, "PAGE_SIZE", PAGE_SIZE)
    token = tmp_path / "token"
    token.write_text("oracle-admin-token")
    with django_db_blocker.unblock(), new_database(migrated) as plain, new_database(migrated) as url:
        proxy.base = ""
        _, wanted = mirrored(plain, proxy.address, token)
        proxy.begin()
        proxy.base, proxy.knows = base, knows
        address, jobs = mirrored(url, f"{proxy.address}{base}{api}", token)
    assert address == f"{proxy.address}{base}{stored}"
    assert jobs == wanted
    assert len(jobs) > PAGE_SIZE
    assert any("page=2" in path for path in proxy.asked)
    assert all(path.startswith(f"{base}{stored or '/api/v2'}/") for path in proxy.asked)
