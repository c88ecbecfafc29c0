"""What all views of the API do alike, whatever they show."""

import gc
import weakref
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import OperationalError, connection
from django.test import RequestFactory
from psycopg.errors import QueryCanceled

from awx_compat.views.base import ApiView
from instances import tokens
from instances.models import Instance, InstanceGroup, User
from tests.conftest import client_of


@pytest.fixture
def node(edge: InstanceGroup) -> Instance:
    return edge.instances.get()


@pytest.mark.django_db
@pytest.mark.parametrize("number", [1, 2], ids=["who asks", "what is asked for"])
def test_an_error_of_the_database_is_told_once_and_as_what_it_is(number: int, admin: User, node: Instance) -> None:
    client, statements = client_of(admin), []

    def slow(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append(sql)
        if len(statements) == number:
            raise OperationalError from QueryCanceled()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(slow):
        answer = client.get(f"/api/v2/instances/{node.pk}/")
    assert (answer.status_code, len(statements)) == (503, number)
    assert answer["X-API-Product-Name"] == "AWX"
    assert "too long" in answer.json()["detail"]


@pytest.mark.django_db(transaction=True)
def test_an_answer_is_freed_without_the_collector(admin: User, node: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[weakref.ref[Any]] = []
    break_reference_cycles = ApiView.break_reference_cycles

    def watched(view: ApiView, response: Any) -> None:
        held.extend(map(weakref.ref, (view, view.request, response)))
        break_reference_cycles(view, response)

    monkeypatch.setattr(ApiView, "break_reference_cycles", watched)
    application, token = WSGIHandler(), tokens.issue(admin)[1]
    paths = (f"/api/v2/instances/{node.pk}/", "/api/v2/instances/", "/api/v2/metrics/")
    gc.disable()
    try:
        for path in paths:  # not by Django's client, which holds them
            asked = RequestFactory().get(path, headers={"Authorization": f"Bearer {token}"})
            application(asked.environ, lambda status, headers: None).close()
        assert len(held) == 9
        assert [reference() for reference in held] == [None] * 9
    finally:
        gc.enable()
