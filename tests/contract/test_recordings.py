"""Every recorded read, asked again of the served application."""

from collections.abc import Iterator

import pytest
import requests

from tests.contract.recordings import FOLDER, Exchange, differences, exchanges, send

# Exchanges that still differ, by id. One that has become equal must leave the list, so that it only shrinks.
KNOWN = frozenset((FOLDER / "known_differences.txt").read_text().split())


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.mark.parametrize("exchange", exchanges("reads.jsonl"), ids=lambda exchange: exchange["id"])
def test_read(exchange: Exchange, session: requests.Session, service: str) -> None:
    found = differences(exchange, send(session, service, exchange))
    if exchange["id"] in KNOWN:
        assert found, "equal now: take it off known_differences.txt"
    else:
        assert not found, "\n".join(found)
