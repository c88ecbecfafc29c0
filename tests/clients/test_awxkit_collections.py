"""awxkit on what this service does not store, and on settings: ``awx export``, commands of empty lists, refusals."""

import json
from pathlib import Path
from typing import Any

import pytest

from awx_compat.not_stored import COLLECTIONS
from tests.clients.conftest import AWXKIT_VERSIONS, NEEDED_BY_AWXKIT, Awxkit, installed
from tests.clients.test_awxkit import RECORDED, decoded

pytestmark = pytest.mark.slow
EMPTY = {"count": 0, "next": None, "previous": None, "results": []}


@pytest.fixture(params=[(kit, service) for kit in AWXKIT_VERSIONS for service in AWXKIT_VERSIONS], ids="-on-".join)
def any_awxkit(request: pytest.FixtureRequest, clients_folder: Path, tmp_path: Path) -> Awxkit:
    """Each version of awxkit, asking each version of the service."""
    kit, version = request.param
    folder = installed(clients_folder / f"awxkit-{kit}", f"awxkit=={kit}", *NEEDED_BY_AWXKIT)
    address = request.getfixturevalue("service_to_change" if version == "23.6.0" else "service24_to_change")
    return Awxkit(folder, tmp_path, address)


def told(awxkit: Awxkit, *arguments: str, **login: str) -> Any:
    return decoded(awxkit.awx("--conf.color", "false", *arguments, **login))


@pytest.mark.parametrize("who", ["admin", "auditor", "alice"])
def test_everything_is_exported(who: str, any_awxkit: Awxkit) -> None:
    """Of what is not stored nothing, and no description is missing."""
    done = any_awxkit.awx("export", OAUTH_TOKEN=f"oracle-{who}-token")
    assert "KeyError" not in done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    exported = json.loads(done.stdout)
    stored_elsewhere = {collection.name for collection in COLLECTIONS} & exported.keys()
    assert len(stored_elsewhere) > 10
    assert {name: exported[name] for name in stored_elsewhere} == {name: [] for name in stored_elsewhere}


def test_one_kind_is_exported(any_awxkit: Awxkit) -> None:
    assert told(any_awxkit, "export", "--teams") == {"teams": []}


@pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda collection: collection.name)
def test_a_list_is_a_command(collection: Any, awxkit: Awxkit) -> None:
    assert told(awxkit, collection.name, "list", "--order_by=-id") == EMPTY


def test_a_list_is_filtered_by_the_fields_of_options(any_awxkit: Awxkit) -> None:
    assert told(any_awxkit, "teams", "list", "--name", "x", "--all") == EMPTY
    assert told(any_awxkit, "inventory_sources", "list", "--source", "ec2") == EMPTY


def test_nothing_is_created_where_nothing_is_stored(any_awxkit: Awxkit) -> None:
    done = any_awxkit.awx("teams", "create", "--name", "x")
    assert done.returncode != 0
    assert "invalid choice: 'create'" in done.stderr + done.stdout


def test_settings_are_listed(any_awxkit: Awxkit) -> None:
    assert told(any_awxkit, "settings", "list")["INSTALL_UUID"] == RECORDED["install_uuid"]
    assert told(any_awxkit, "settings", "list", "--slug", "debug")["AWX_CLEANUP_PATHS"] is True


def test_a_setting_is_not_modified_and_the_reason_is_printed(any_awxkit: Awxkit) -> None:
    done = any_awxkit.awx("settings", "modify", "SESSION_COOKIE_AGE", "60")
    assert done.returncode != 0
    assert "SESSION_COOKIE_AGE is set by the environment." in done.stdout + done.stderr
