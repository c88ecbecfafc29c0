"""How many files of the project a request passes, and how often it moves between them.

Who reads the code of one request should not have to open many. A bound that must be raised is raised one by one, and
the line says why.
"""

import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection

from awx_compat.answer_cache import AnswerCache
from instances import tokens
from instances.models import Instance, InstanceGroup, User
from tests.service import PROJECT
from tests.wsgi import environ, send

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = f"{PROJECT}/"
NOT_OURS = (f"{ROOT}tests/", f"{ROOT}.venv/")


class Walk(NamedTuple):
    status: int
    files: list[str]
    moves: int


class Asking:
    """A superuser who asks the whole application, in this process."""

    def __init__(self, admin: User) -> None:
        self.authorization = f"Bearer {tokens.issue(admin)[1]}"
        self.handler = WSGIHandler()
        self.cached = AnswerCache(self.handler, 1_000_000)
        self.record = f"/api/v2/instances/{Instance.objects.get().pk}/"

    def ask(self, application: Any, method: str, path: str, body: bytes = b"") -> int:
        return send(application, environ(path, method, body, HTTP_AUTHORIZATION=self.authorization)).status

    def walk(self, application: Any, method: str, path: str, body: bytes = b"", changed: bool = False) -> Walk:
        """What is executed once all that is made but once for a process is there; of a record ``changed`` just then."""
        for _ in range(3):
            self.ask(application, method, path, body)
        if changed:
            Instance.objects.update(errors="changed")
        steps: list[str] = []

        def note(frame: Any, event: str, argument: Any) -> None:
            name = frame.f_code.co_filename
            if event == "call" and name.startswith(ROOT) and not name.startswith(NOT_OURS):
                steps.append(name.removeprefix(ROOT))

        sys.setprofile(note)
        try:
            status = self.ask(application, method, path, body)
        finally:
            sys.setprofile(None)
        return Walk(status, list(dict.fromkeys(steps)), sum(one != other for one, other in pairwise(steps)))


@pytest.fixture
def asking(admin: User, edge: InstanceGroup) -> Asking:
    return Asking(admin)


NAMED, PAGE = "/api/v2/instances/exec-1/", "/api/v2/instances/?page_size=200"
PATCH = b'{"capacity_adjustment": "0.50"}'
MOST: dict[str, tuple[Callable[[Asking], Walk], int, int]] = {
    "a record from memory": (lambda asking: asking.walk(asking.cached, "GET", asking.record), 2, 2),
    "a page from memory": (lambda asking: asking.walk(asking.cached, "GET", PAGE), 2, 2),
    "OPTIONS from memory": (lambda asking: asking.walk(asking.cached, "OPTIONS", asking.record), 2, 2),
    # 19 files and 58 moves, not 14 and 40, and so all below: what differs between versions of AWX is in dialects/, port
    # and flag of an instance are those of its canonical address, and paths are in the form that was asked for; the
    # access log and compression are a file and two moves each.
    "a changed record": (lambda asking: asking.walk(asking.cached, "GET", asking.record, changed=True), 19, 58),
    "a changed record by its name": (lambda asking: asking.walk(asking.cached, "GET", NAMED, changed=True), 19, 59),
    # 60 moves, not 46: beside these, in each direction, two for the cache around Django and two for the page's bounds.
    "a changed page of one": (lambda asking: asking.walk(asking.cached, "GET", PAGE, changed=True), 18, 60),
    "changed OPTIONS": (lambda asking: asking.walk(asking.cached, "OPTIONS", asking.record, changed=True), 16, 45),
    # 33, not 25: beside these, the rules of a version are in rules/, and what was noted of a node's health
    # (conditions.py, rules.py) is worked out anew, by what all control nodes' inspections say of it (watch.py).
    "PATCH": (lambda asking: asking.walk(asking.cached, "PATCH", asking.record, PATCH), 33, 93),
}


@pytest.mark.parametrize(("walk", "most_files", "most_moves"), MOST.values(), ids=MOST)
def test_a_request_is_read_in_few_files(
    walk: Callable[[Asking], Walk], most_files: int, most_moves: int, asking: Asking
) -> None:
    found = walk(asking)
    assert found.status == 200
    assert found.files
    assert len(found.files) <= most_files, found.files
    assert found.moves <= most_moves


def test_a_change_reads_the_record_once_and_locks_it(asking: Asking) -> None:
    asking.ask(asking.handler, "PATCH", asking.record, PATCH)
    statements: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append(str(sql))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        assert asking.ask(asking.handler, "PATCH", asking.record, PATCH) == 200
    table = f'FROM "{Instance._meta.db_table}"'
    reads = [sql for sql in statements if table in sql and f'"{Instance._meta.db_table}"."capacity"' in sql]
    (read,) = (sql for sql in reads if sql.startswith("SELECT"))
    assert "FOR NO KEY UPDATE" in read
