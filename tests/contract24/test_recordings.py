"""Every recorded exchange with AWX 24.6.1, asked again of the application in its dialect; the reads over HTTP, too."""

from collections.abc import Iterator

import httpx
import pytest
from django.test import override_settings
from pytest_django import DjangoDbBlocker, Settings

from tests.conftest import speaking
from tests.contract.comparison import Exchange, Renumbering
from tests.contract.recordings import AWX24
from tests.service import in_process, new_database, served

# In this process warnings are errors, and Python warns of what a future regular expression may mean.
pytestmark = pytest.mark.filterwarnings("ignore:Possible:FutureWarning")
READS = AWX24.reads


def makes_keys(exchange: Exchange) -> bool:
    """Whether the answer is an install bundle, for which a key is made, in seconds."""
    return exchange["path"].endswith("/install_bundle/") and exchange["status"] == 200


@pytest.fixture(scope="module", autouse=True)
def dialect(made_ca: dict[str, str]) -> Iterator[None]:
    """That of the recordings; and a mesh CA, as AWX has it to sign install bundles."""
    with speaking("24.6.1"), override_settings(**made_ca):
        yield


@pytest.fixture(scope="module")
def reader(dataset24_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[httpx.Client]:
    """Of a database of its own: whoever logs in to a shared one leaves the time in ``last_login``."""
    with django_db_blocker.unblock(), new_database(dataset24_template) as url, in_process(url) as client:
        yield client


@pytest.mark.parametrize(
    "exchange",
    [
        pytest.param(exchange, id=exchange["id"], marks=[pytest.mark.slow] if makes_keys(exchange) else [])
        for exchange in READS
    ],
)
def test_read(exchange: Exchange, reader: httpx.Client) -> None:
    AWX24.compare(exchange, reader)


@pytest.fixture
def own_database(dataset24_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The DATABASE_URL of a copy of the recorded AWX's records."""
    with django_db_blocker.unblock(), new_database(dataset24_template) as url:
        yield url


@pytest.mark.slow
def test_reads_over_http(own_database: str, made_ca: dict[str, str], subtests: pytest.Subtests) -> None:
    """The server, started in this dialect, answers as the application does in this process."""
    with (
        served(own_database, AWX_VERSION="24.6.1", **made_ca) as address,
        httpx.Client(base_url=address) as client,
    ):
        for exchange in READS:
            with subtests.test(exchange["id"]):
                AWX24.compare(exchange, client)


def test_start_of_clients(own_database: str, subtests: pytest.Subtests) -> None:
    """One sequence, of exchanges that make and revoke tokens."""
    with in_process(own_database) as client:
        for exchange in AWX24.exchanges("boot.jsonl"):
            with subtests.test(exchange["id"]):
                AWX24.compare(exchange, client)


@pytest.mark.parametrize("name", AWX24.sequences_of_writes)
def test_changes(name: str, own_database: str, settings: Settings, subtests: pytest.Subtests) -> None:
    settings.IS_K8S = "no_k8s" not in name
    AWX24.replay(name, own_database, subtests, Renumbering())
