"""Every recorded exchange, asked again of the application; some of them over HTTP."""

from collections.abc import Iterator

import httpx
import psycopg
import pytest
from pytest_django import DjangoDbBlocker, Settings

from tests.contract.recordings import FOLDER, Exchange, differences, exchanges, send
from tests.service import in_process, new_database

# In this process warnings are errors, and Python warns of what a future regular expression may mean.
pytestmark = pytest.mark.filterwarnings("ignore:Possible:FutureWarning")

READS = [exchange for name in ("reads.jsonl", "random_reads.jsonl") for exchange in exchanges(name)]
# Those chosen by hand belong to every run.
WRITES = [
    pytest.param(path.name, marks=[pytest.mark.slow] if path.name.startswith("random_") else [])
    for path in sorted(FOLDER.glob("*writes*.jsonl"))
]
# Exchanges that still differ, by id. One that has become equal must leave the list, so that it only shrinks.
KNOWN = frozenset((FOLDER / "known_differences.txt").read_text().split())


@pytest.fixture(scope="module")
def reader(dataset_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[httpx.Client]:
    """Of a database of its own: whoever logs in to a shared one leaves the time in ``last_login``."""
    with django_db_blocker.unblock(), new_database(dataset_template) as url, in_process(url) as client:
        yield client


@pytest.mark.parametrize("exchange", READS, ids=lambda exchange: exchange["id"])
def test_read(exchange: Exchange, reader: httpx.Client) -> None:
    compare(exchange, reader)


def test_reads_over_http(module_service: str, subtests: pytest.Subtests) -> None:
    """The server between changes nothing."""
    with httpx.Client(base_url=module_service) as client:
        for exchange in READS[::60]:
            with subtests.test(exchange["id"]):
                compare(exchange, client)


@pytest.fixture
def own_database(dataset_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The DATABASE_URL of a copy of the recorded AWX's records."""
    with django_db_blocker.unblock(), new_database(dataset_template) as url:
        yield url


def test_start_of_clients(own_database: str, subtests: pytest.Subtests) -> None:
    """One sequence, of exchanges that make and revoke tokens."""
    with in_process(own_database) as client:
        for exchange in exchanges("boot.jsonl"):
            with subtests.test(exchange["id"]):
                compare(exchange, client)


@pytest.mark.parametrize("name", WRITES)
def test_changes(name: str, own_database: str, settings: Settings, subtests: pytest.Subtests) -> None:
    """One sequence: each exchange sees what those before it changed. What is refused leaves every row as it was."""
    settings.IS_K8S = "no_k8s" not in name
    with in_process(own_database) as client, psycopg.connect(own_database, autocommit=True) as database:
        after = rows(database)
        for exchange in exchanges(name):
            with subtests.test(exchange["id"]):
                answer = compare(exchange, client)
                before, after = after, rows(database)
                if exchange["method"] == "GET" or answer.status_code >= 400:
                    assert after == before


TABLES = (
    "instances_instance",
    "instances_instancelink",
    "instances_instancegroup",
    "instances_instancegroup_instances",
    "instances_instancegrouprole",
    "instances_user",
    "oauth2_provider_accesstoken",
)


def rows(database: psycopg.Connection) -> tuple[list[str], ...]:
    """Every row that a request could change."""
    found = database.execute(
        "SELECT " + ", ".join(f"ARRAY(SELECT t::text FROM {name} t ORDER BY id)" for name in TABLES)
    )
    return found.fetchone() or ()


def compare(exchange: Exchange, client: httpx.Client) -> httpx.Response:
    answer = send(client, exchange)
    found = differences(exchange, answer)
    if exchange["id"] in KNOWN:
        assert found, "equal now: take it off known_differences.txt"
    else:
        assert not found, "\n".join(found)
    return answer
