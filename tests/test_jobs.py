"""The jobs of each kind at AWX's own paths, where their ``url`` leads."""

import pytest
import requests

from awx_compat.serializers.job import COLLECTIONS_OF_JOBS
from awx_compat.views.jobs import NOTHING_BELOW
from instances.models import UnifiedJob, User
from tests.conftest import client_of
from tests.make import make_jobs

KINDS = [(collection, kind.value) for collection, kind in COLLECTIONS_OF_JOBS.items()]
TOKEN = {"Authorization": "Bearer oracle-admin-token"}


@pytest.fixture
def jobs(db: None) -> dict[str, int]:
    """Two jobs of each kind: the id of the first by the kind."""
    return {kind: make_jobs(2, type=kind)[0].pk for kind in UnifiedJob.Type.values}


def test_every_url_of_a_job_leads_to_the_job(service: str) -> None:
    """To all that the list has of it, but for what grows while the job runs."""
    listed = requests.get(f"{service}/api/v2/unified_jobs/?page_size=200", headers=TOKEN, timeout=30).json()["results"]
    assert {job["type"] for job in listed} == set(UnifiedJob.Type.values)
    for job in listed:
        own = requests.get(service + job["url"], headers=TOKEN, timeout=30).json()
        assert {**own, "elapsed": 0} == {**job, "elapsed": 0}


@pytest.mark.parametrize(("collection", "kind"), KINDS)
def test_a_list_has_the_jobs_of_its_kind(collection: str, kind: str, admin: User, jobs: dict[str, int]) -> None:
    client = client_of(admin)
    page = client.get(f"/api/v2/{collection}/").json()
    assert [job["id"] for job in page["results"]] == [jobs[kind], jobs[kind] + 1]
    assert client.get(f"/api/v2/{collection}/?id={jobs[kind]}&order_by=-id").json()["count"] == 1
    assert client.get(f"/api/v2/{collection}/?type={kind}x").json()["count"] == 0


@pytest.mark.parametrize(("collection", "kind"), KINDS)
def test_a_job_is_at_the_path_of_its_kind_alone(collection: str, kind: str, admin: User, jobs: dict[str, int]) -> None:
    client = client_of(admin)
    found = {other: client.get(f"/api/v2/{collection}/{pk}/").status_code for other, pk in jobs.items()}
    assert found == {other: 200 if other == kind else 404 for other in jobs}
    assert client.delete(f"/api/v2/{collection}/{jobs[kind]}/").status_code == 501
    assert client.post(f"/api/v2/{collection}/{jobs[kind]}/").status_code == 405


@pytest.mark.parametrize("below", ["stdout", "events", "cancel", "relaunch", "notifications", "stdout/txt"])
@pytest.mark.parametrize(("collection", "kind"), KINDS)
def test_nothing_is_below_a_job(
    collection: str, kind: str, below: str, admin: User, bob: User, jobs: dict[str, int]
) -> None:
    path = f"/api/v2/{collection}/{jobs[kind]}/{below}/"
    client = client_of(admin)
    for method in ("get", "post", "put", "patch", "delete", "options"):
        answer = getattr(client, method)(path)
        assert (answer.status_code, answer.json()) == (404, {"detail": NOTHING_BELOW})
    assert client_of(bob).get(path).status_code == 403


@pytest.mark.parametrize(("collection", "kind"), KINDS)
def test_who_sees_jobs(collection: str, kind: str, bob: User, auditor: User, jobs: dict[str, int]) -> None:
    path = f"/api/v2/{collection}/{jobs[kind]}/"
    assert [client_of(user).get(path).status_code for user in (auditor, bob, None)] == [200, 403, 401]
    assert client_of(bob).get(f"/api/v2/{collection}/").json()["count"] == 0


@pytest.mark.parametrize(
    ("collection", "model"), [("jobs", "Job"), ("ad_hoc_commands", "AdHocCommand"), ("workflow_jobs", "WorkflowJob")]
)
def test_a_missing_job(collection: str, model: str, admin: User, awx24: None) -> None:
    answer = client_of(admin).get(f"/api/v2/{collection}/987654/")
    assert (answer.status_code, answer.json()) == (404, {"detail": f"No {model} matches the given query."})
