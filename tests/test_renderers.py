"""JSON that orjson writes: byte for byte what DRF writes, or left to DRF."""

import json
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils.functional import lazystr
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import renderers

from awx_compat.renderers import JSONRenderer, encoded
from instances.models import Instance

TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["\u2028", "\u2029", "\u2027", "\x7f", "\0\x08\x0c\n\r\t", "é😀", ":1e5,[2e-7", "</script>"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.decimals(allow_nan=False, allow_infinity=False, places=2)
    | st.datetimes(timezones=st.just(UTC))
    | st.uuids()
)
VALUES = st.recursive(SCALARS, lambda values: st.lists(values) | st.dictionaries(TEXTS, values), max_leaves=20)


def by_drf(value: Any) -> bytes:
    return renderers.JSONRenderer().render(value)


@given(VALUES)
def test_any_value_is_written_as_drf_writes_it(value: Any) -> None:
    assert JSONRenderer().render(value) == by_drf(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_so_is_every_float(value: float) -> None:
    assert JSONRenderer().render([value]) == by_drf([value])
    assert encoded(value) in (by_drf(value), None)


@pytest.mark.parametrize(
    "value",
    [
        2**64,
        -(2**63) - 1,
        {1: "a", None: "b", False: "c"},
        (1, 2),
        {"a": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "b": datetime(2026, 1, 2), "c": date(2026, 1, 2)},
        [time(1, 2, 3), timedelta(days=1, microseconds=5)],
        [Decimal("1.50"), Decimal(2) ** 70, uuid.UUID(int=5), b"bytes"],
        lazystr("later"),
        {Instance.NodeType.HOP: Instance.NodeType.HOP},
        frozenset([1]),
        1e16,
        -1e-7,
        5e-324,
        [[[]], {}],
        "",
        0.0,
        -0.0,
    ],
    ids=repr,
)
def test_odd_values_are_written_as_drf_writes_them(value: Any) -> None:
    assert JSONRenderer().render(value) == by_drf(value)


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}])
def test_what_no_encoding_has_is_refused_as_by_drf(value: Any) -> None:
    for renderer in (renderers.JSONRenderer(), JSONRenderer()):
        with pytest.raises(UnicodeEncodeError):
            renderer.render(value)


@pytest.mark.parametrize("value", [object(), Instance(hostname="exec-1")], ids=["object", "record"])
def test_what_is_no_json_is_refused_as_by_drf(value: Any) -> None:
    for renderer in (renderers.JSONRenderer(), JSONRenderer()):
        with pytest.raises(TypeError):
            renderer.render(value)


def test_nothing_is_an_empty_body() -> None:
    assert JSONRenderer().render(None) == b""


def test_it_is_indented_as_by_drf() -> None:
    value = {"a": [1, {"b": "é\u2028"}], "c": 0.0}
    by_both = [
        renderer.render([value], "application/json; indent=4", {})
        for renderer in (JSONRenderer(), renderers.JSONRenderer())
    ]
    assert by_both[0] == by_both[1]
    assert json.loads(by_both[0]) == [value]
