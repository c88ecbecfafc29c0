"""Every recorded exchange, asked again of the served application."""

from collections.abc import Iterator

import psycopg
import pytest
import requests
from pytest_django import DjangoDbBlocker

from tests.contract.recordings import FOLDER, Exchange, differences, exchanges, send
from tests.service import new_database, served

READS = [exchange for name in ("reads.jsonl", "random_reads.jsonl") for exchange in exchanges(name)]
# Exchanges that still differ, by id. One that has become equal must leave the list, so that it only shrinks.
KNOWN = frozenset((FOLDER / "known_differences.txt").read_text().split())


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.mark.parametrize("exchange", READS, ids=lambda exchange: exchange["id"])
def test_read(exchange: Exchange, session: requests.Session, service: str) -> None:
    compare(exchange, session, service)


@pytest.fixture(scope="module")
def boot_service(dataset_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A service of its own for exchanges that make and revoke tokens, one after the other."""
    with django_db_blocker.unblock(), new_database(dataset_template) as url, served(url) as address:
        yield address


@pytest.mark.parametrize("exchange", exchanges("boot.jsonl"), ids=lambda exchange: exchange["id"])
def test_start_of_clients(exchange: Exchange, session: requests.Session, boot_service: str) -> None:
    compare(exchange, session, boot_service)


SEQUENCES = sorted(path.name for path in FOLDER.glob("*writes*.jsonl"))


@pytest.fixture(scope="module", params=SEQUENCES)
def written_service(
    request: pytest.FixtureRequest, dataset_template: str, django_db_blocker: DjangoDbBlocker
) -> Iterator[tuple[str, str, str]]:
    """A file of changes, a service of its own, in Kubernetes or not, that they are made on, and its DATABASE_URL."""
    is_k8s = str("no_k8s" not in request.param)
    with django_db_blocker.unblock(), new_database(dataset_template) as url, served(url, IS_K8S=is_k8s) as address:
        yield request.param, address, url


def test_changes(written_service: tuple[str, str, str], session: requests.Session, subtests: pytest.Subtests) -> None:
    """One sequence: each exchange sees what those before it changed. What is refused leaves every row as it was."""
    name, address, url = written_service
    with psycopg.connect(url, autocommit=True) as database:
        for exchange in exchanges(name):
            with subtests.test(exchange["id"]):
                before = rows(database)
                answer = compare(exchange, session, address)
                if exchange["method"] == "GET" or answer.status_code >= 400:
                    assert rows(database) == before


TABLES = (
    "instances_instance",
    "instances_instancelink",
    "instances_instancegroup",
    "instances_instancegroup_instances",
    "instances_instancegrouprole",
    "instances_user",
    "oauth2_provider_accesstoken",
)


def rows(database: psycopg.Connection) -> list[list[tuple[object, ...]]]:
    """Every row that a request could change."""
    return [database.execute(f"SELECT t::text FROM {table} t ORDER BY id").fetchall() for table in TABLES]


def compare(exchange: Exchange, session: requests.Session, service: str) -> requests.Response:
    answer = send(session, service, exchange)
    found = differences(exchange, answer)
    if exchange["id"] in KNOWN:
        assert found, "equal now: take it off known_differences.txt"
    else:
        assert not found, "\n".join(found)
    return answer
