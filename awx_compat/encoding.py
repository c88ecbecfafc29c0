"""JSON, byte for byte as DRF writes it, by orjson where that writes the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson
from rest_framework.utils import encoders

# The kinds of value that orjson would write in another way than DRF are left to DRF's encoder.
OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
EXPONENT = re.compile(rb"(?:^|[:,\[])-?(?:[0-9.]+e|0\.0000)")  # of floats that Python writes with an exponent


class Encoded:
    """A value that was encoded already: ``json`` stands where the value would.

    ``modified``: when the record that it tells was changed, if it is one that keeps this.
    """

    __slots__ = ("json", "modified")

    def __init__(self, json: bytes, modified: datetime | None = None) -> None:
        self.json, self.modified = json, modified

    @classmethod
    def all(cls, values: Iterable[Encoded]) -> Encoded:
        """A list of encoded values."""
        return cls(b"[%b]" % b",".join([each.json for each in values]))


class Encoder(encoders.JSONEncoder):
    """DRF's encoder, which knows ``Encoded`` too."""

    def default(self, value: Any) -> Any:
        return json.loads(value.json) if isinstance(value, Encoded) else super().default(value)


_encoder = Encoder()


def encoded(value: Any) -> bytes | None:
    """``value``, which holds no NaN, as compact JSON; None where orjson cannot write it as DRF does."""
    holds_encoded = False

    def left_out(part: Any) -> Any:
        nonlocal holds_encoded
        if type(part) is not Encoded:
            return _encoder.default(part)
        holds_encoded = True
        return None

    try:
        text = orjson.dumps(value, left_out, OPTIONS)
        if EXPONENT.search(text):
            return None
        is_to_escape = b"\xe2\x80" in text
        text = orjson.dumps(value, _put_in, OPTIONS) if holds_encoded else text
    except TypeError:
        return None
    if is_to_escape:  # DRF escapes these two, which JavaScript once took for the ends of lines
        return text.replace("\u2028".encode(), b"\\u2028").replace("\u2029".encode(), b"\\u2029")
    return text


def _put_in(part: Any) -> Any:
    return orjson.Fragment(part.json) if type(part) is Encoded else _encoder.default(part)
