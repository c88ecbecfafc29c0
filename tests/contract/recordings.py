"""Recorded exchanges with a real AWX: sending them again.

What an exchange sends: user, method, path, headers, body or raw. comparison.py says what is compared of the answer.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.contract.comparison import Exchange, Renumbering, differences
from tests.service import in_process

TABLES = (
    "instances_instance",
    "instances_receptoraddress",
    "instances_instancelink",
    "instances_instancegroup",
    "instances_instancegroup_instances",
    "instances_instancegrouprole",
    "instances_user",
    "oauth2_provider_accesstoken",
)


@dataclass(frozen=True)
class Recordings:
    """The exchanges with one AWX, in files of ``folder``."""

    folder: Path

    def exchanges(self, name: str) -> list[Exchange]:
        with (self.folder / name).open() as lines:
            return [json.loads(line) for line in lines]

    @property
    def reads(self) -> list[Exchange]:
        return self.exchanges("reads.jsonl") + self.exchanges("random_reads.jsonl")

    @property
    def sequences_of_writes(self) -> list[object]:
        """The names of their files, as parameters of a test. Those chosen by hand belong to every run."""
        return [
            pytest.param(path.name, marks=[pytest.mark.slow] if path.name.startswith("random_") else [])
            for path in sorted(self.folder.glob("*writes*.jsonl"))
        ]

    @cached_property
    def known(self) -> frozenset[str]:
        """The ids of exchanges that still differ. One that is equal now must leave the list: it only shrinks."""
        return frozenset((self.folder / "known_differences.txt").read_text().split())

    def compare(self, exchange: Exchange, client: httpx.Client, ids: Renumbering | None = None) -> httpx.Response:
        """Send the exchange; fail if the answer is not as recorded."""
        answer = send(client, exchange)
        found = differences(exchange, answer, ids)
        if exchange["id"] in self.known:
            assert found, "equal now: take it off known_differences.txt"
        else:
            assert not found, "\n".join(found)
        return answer

    def replay(self, name: str, url: str, subtests: pytest.Subtests, ids: Renumbering | None = None) -> None:
        """Send a file of changes to the application on the database at ``url``.

        Each exchange sees what those before it changed. What is refused leaves every row as it was.
        """
        with in_process(url) as client, psycopg.connect(url, autocommit=True) as database:
            after = rows(database)
            for exchange in self.exchanges(name):
                with subtests.test(exchange["id"]):
                    answer = self.compare(exchange, client, ids)
                    before, after = after, rows(database)
                    if exchange["method"] == "GET" or answer.status_code >= 400:
                        assert after == before


AWX23 = Recordings(Path(__file__).parent)
AWX24 = Recordings(Path(__file__).parent.parent / "contract24")


# As AWX was asked when it was recorded: http.client wants no compression.
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "Host": "awx.example.org"}


def send(client: httpx.Client, exchange: Exchange) -> httpx.Response:
    headers = {**HEADERS, **(exchange.get("headers") or {})}
    if exchange.get("user"):
        headers["Authorization"] = f"Bearer oracle-{exchange['user']}-token"
    body = None
    if exchange.get("raw") is not None:
        body = exchange["raw"].encode()
    elif exchange.get("body") is not None:
        body = json.dumps(exchange["body"]).encode()
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    return client.request(exchange["method"], exchange["path"], headers=headers, content=body, timeout=60)


def rows(database: psycopg.Connection) -> tuple[list[str], ...]:
    """Every row that a request could change."""
    found = database.execute(
        "SELECT " + ", ".join(f"ARRAY(SELECT t::text FROM {name} t ORDER BY id)" for name in TABLES)
    )
    return found.fetchone() or ()
