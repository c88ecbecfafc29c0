"""Clients that send slowly hold no thread: the others are answered meanwhile, by the served application."""

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psycopg
import pytest
import requests
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from tests import slow
from tests.service import new_database, served

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

ADMIN = {"Authorization": "Bearer oracle-admin-token"}
BEARER = "Authorization: Bearer oracle-admin-token"
TIMEOUT = 3  # seconds, for headers and bodies


@pytest.fixture(scope="module")
def impatient(dataset_url: str) -> Iterator[str]:
    with served(dataset_url, HEADER_TIMEOUT=str(TIMEOUT), BODY_TIMEOUT=str(TIMEOUT)) as address:
        yield address


def answer_to(address: str, sent: bytes, seconds: float = 20) -> bytes:
    """What comes back until the service closes the connection, or for so many seconds at most."""
    parts = urlsplit(address)
    answer = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=seconds) as connection:
        connection.sendall(sent)
        while part := connection.recv(65_536):
            answer += part
    return answer


@pytest.mark.parametrize(
    "beginnings",
    [
        [slow.body_of(form) for form in slow.FORMS],
        [slow.body_of(slow.PATCH)],
        [slow.body_of(slow.PATCH, [BEARER])],
        [slow.HEADERS],
    ],
    ids=["forms", "anonymous", "authenticated", "headers"],
)
def test_others_are_answered_while_requests_come_slowly(service: str, beginnings: list[bytes]) -> None:
    with slow.held(service, beginnings * (60 // len(beginnings))):
        time.sleep(1)
        for _ in range(5):
            assert requests.get(f"{service}/api/v2/instances/5/", headers=ADMIN, timeout=5).status_code == 200


def test_many_connections_with_slow_headers_keep_nobody_out(service: str) -> None:
    with slow.held(service, [slow.HEADERS] * 1_200):
        assert requests.get(f"{service}/api/v2/instances/5/", headers=ADMIN, timeout=10).status_code == 200


def test_a_body_that_does_not_come_is_given_up(impatient: str) -> None:
    for request in (slow.PATCH, *slow.FORMS):
        began = time.monotonic()
        answer = answer_to(impatient, slow.body_of(request) + b"{")
        assert answer.startswith(b"HTTP/1.1 408 "), request
        assert b'{"detail":"' in answer
        assert time.monotonic() - began > TIMEOUT - 0.5


def test_headers_that_do_not_come_are_given_up(impatient: str) -> None:
    assert b" 200 " not in answer_to(impatient, slow.HEADERS)


def test_a_body_in_slow_pieces_is_read_as_a_whole(service: str) -> None:
    body = b'{"id": "none"}'
    head = slow.body_of("POST /api/v2/instance_groups/1/instances/", [BEARER, "Connection: close"], len(body))
    chunked = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", head)
    parts = urlsplit(service)
    for beginning, pieces in (
        (head, [body[:5], body[5:]]),
        (chunked, [b"5\r\n" + body[:5] + b"\r\n", b"9\r\n" + body[5:] + b"\r\n0\r\n\r\n"]),
    ):
        with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
            for piece in (beginning, *pieces):
                connection.sendall(piece)
                time.sleep(0.3)
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert b'"id\\" field must be an integer' in answer, answer


def test_passwords_wait_for_each_other_and_nobody_for_them(dataset_template: str) -> None:
    """A crowd logs in at once: all are let in, and tokens are answered meanwhile."""
    with new_database(dataset_template) as database:
        with psycopg.connect(database) as connection:
            slow_hash = PBKDF2PasswordHasher().encode("admin", "salt")  # as production has it
            connection.execute("UPDATE instances_user SET password = %s WHERE username = 'admin'", [slow_hash])
        with served(database, DJANGO_SETTINGS_MODULE="settings.base") as address:
            log_in_at_once(address)


def log_in_at_once(address: str) -> None:
    with ThreadPoolExecutor(12) as crowd:
        url = f"{address}/api/v2/instances/5/"
        asked = [crowd.submit(requests.get, url, auth=("admin", "admin"), timeout=60) for _ in range(12)]
        while not all(each.done() for each in asked):
            assert requests.get(url, headers=ADMIN, timeout=5).status_code == 200
        assert [each.result().status_code for each in asked] == [200] * 12
