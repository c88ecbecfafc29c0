"""A client that openapi-python-client makes of openapi.yaml reads, filters and changes instances."""

import importlib
import subprocess
import sys
from typing import Any

import pytest

from tests.service import PROJECT

pytestmark = pytest.mark.slow

# What the generator cannot tell by itself: that a bundle is a file. Its code is used as it comes, not formatted.
CONFIG = '{"post_hooks": [], "content_type_overrides": {"application/gzip": "application/octet-stream"}}'


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Imports a module of the client, by its name below the package."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "config.json").write_text(CONFIG)
    arguments = ["--path", str(PROJECT / "openapi.yaml"), "--output-path", str(folder / "made"), "--meta", "none"]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "openapi_python_client",
            "generate",
            *arguments,
            "--config",
            str(folder / "config.json"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stdout, done.stdout
    sys.path.insert(0, str(folder))
    yield lambda name: importlib.import_module(f"made.{name}")
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == "made"]:
        del sys.modules[name]


def test_reads_filters_and_changes_instances(generated: Any, module_service: str) -> None:
    models = generated("models")
    by_list, by_key = generated("api.instances.instances_list"), generated("api.instances.instances_retrieve")
    change = generated("api.instances.instances_partial_update")
    client = generated("client").AuthenticatedClient(base_url=module_service, token="oracle-admin-token")
    with client:
        page = by_list.sync(
            client=client,
            node_type=models.NodeType.EXECUTION,
            enabled=True,
            filters=models.InstanceFilters.from_dict({"hostname__startswith": "exec-", "not__capacity": "0"}),
            order_by="-capacity",
        )
        assert [instance.hostname for instance in page.results] == [
            "exec-7.example.org",
            "exec-1.example.org",
            "exec-2.example.org",
            "exec-5.example.org",
        ]
        instance = by_key.sync("exec-1.example.org", client=client)
        assert isinstance(instance, models.Instance)
        assert instance.node_state is models.NodeState.READY
        assert instance.related["jobs"] == "/api/v2/instances/5/jobs/"
        hybrid = by_key.sync("3", client=client)
        assert [link.target for link in hybrid.summary_fields.links] == hybrid.peers

        wanted = models.PatchedInstanceRequest(capacity_adjustment="0.50")
        etag = by_key.sync_detailed("5", client=client).headers["ETag"]
        changed = change.sync("5", client=client, body=wanted, if_match=etag)
        assert (changed.capacity_adjustment, changed.node_state) == ("0.50", instance.node_state)
        refused = change.sync_detailed("5", client=client, body=wanted, if_match=etag)
        assert refused.status_code == 412
        assert refused.parsed.detail == "The record was changed since you read it; nothing was changed now."
