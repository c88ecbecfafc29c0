"""Every recorded exchange with AWX 23.6.0, asked again of the application; some of them over HTTP."""

from collections.abc import Iterator

import httpx
import pytest
from pytest_django import DjangoDbBlocker, Settings

from tests.contract.comparison import Exchange
from tests.contract.recordings import AWX23
from tests.service import in_process, new_database

# In this process warnings are errors, and Python warns of what a future regular expression may mean.
pytestmark = pytest.mark.filterwarnings("ignore:Possible:FutureWarning")
READS = AWX23.reads


@pytest.fixture(scope="module")
def reader(dataset_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[httpx.Client]:
    """Of a database of its own: whoever logs in to a shared one leaves the time in ``last_login``."""
    with django_db_blocker.unblock(), new_database(dataset_template) as url, in_process(url) as client:
        yield client


@pytest.mark.parametrize("exchange", READS, ids=lambda exchange: exchange["id"])
def test_read(exchange: Exchange, reader: httpx.Client) -> None:
    AWX23.compare(exchange, reader)


def test_reads_over_http(module_service: str, subtests: pytest.Subtests) -> None:
    """The server between changes nothing."""
    with httpx.Client(base_url=module_service) as client:
        for exchange in READS[::60]:
            with subtests.test(exchange["id"]):
                AWX23.compare(exchange, client)


@pytest.fixture
def own_database(dataset_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The DATABASE_URL of a copy of the recorded AWX's records."""
    with django_db_blocker.unblock(), new_database(dataset_template) as url:
        yield url


def test_start_of_clients(own_database: str, subtests: pytest.Subtests) -> None:
    """One sequence, of exchanges that make and revoke tokens."""
    with in_process(own_database) as client:
        for exchange in AWX23.exchanges("boot.jsonl"):
            with subtests.test(exchange["id"]):
                AWX23.compare(exchange, client)


@pytest.mark.parametrize("name", AWX23.sequences_of_writes)
def test_changes(name: str, own_database: str, settings: Settings, subtests: pytest.Subtests) -> None:
    settings.IS_K8S = "no_k8s" not in name
    AWX23.replay(name, own_database, subtests)
