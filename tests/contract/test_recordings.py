"""Every recorded exchange, asked again of the served application."""

from collections.abc import Iterator

import pytest
import requests
from pytest_django import DjangoDbBlocker

from tests.contract.recordings import FOLDER, Exchange, differences, exchanges, send
from tests.service import new_database, served

# Exchanges that still differ, by id. One that has become equal must leave the list, so that it only shrinks.
KNOWN = frozenset((FOLDER / "known_differences.txt").read_text().split())


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.mark.parametrize("exchange", exchanges("reads.jsonl"), ids=lambda exchange: exchange["id"])
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


def compare(exchange: Exchange, session: requests.Session, service: str) -> None:
    found = differences(exchange, send(session, service, exchange))
    if exchange["id"] in KNOWN:
        assert found, "equal now: take it off known_differences.txt"
    else:
        assert not found, "\n".join(found)
