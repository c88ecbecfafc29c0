"""JSON, byte for byte as DRF writes it, by orjson where that writes the same."""

import re
from typing import Any
from urllib.parse import urlencode

import orjson
from rest_framework import renderers
from rest_framework.utils import encoders

from awx_compat import dialects, paths

# The kinds of value that orjson would write in another way than DRF are left to DRF's encoder.
OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
# Floats that Python writes with an exponent; and what is found ten times faster, and hardly any text without them has.
EXPONENT = re.compile(rb"(?:^|[:,\[])-?(?:[0-9.]+e|0\.0000)")
PERHAPS_EXPONENT = re.compile(rb"e[-+]?[0-9]+(?:[,}\]]|$)")
_encoder = encoders.JSONEncoder()


def encoded(value: Any) -> bytes | None:
    """``value``, which holds no NaN, as compact JSON; None where orjson cannot write it as DRF does."""
    try:
        text = orjson.dumps(value, _encoder.default, OPTIONS)
    except TypeError:
        return None
    if (b"0.0000" in text or PERHAPS_EXPONENT.search(text)) and EXPONENT.search(text):
        return None
    if b"\xe2\x80" in text:  # DRF escapes these two, which JavaScript once took for the ends of lines
        return text.replace("\u2028".encode(), b"\\u2028").replace("\u2029".encode(), b"\\u2029")
    return text


def with_query(body: Any, query: str) -> Any:
    """``body`` with ``query`` after each path of the API in a ``url`` or a ``related``."""
    return paths.changed(body, lambda path: f"{path}{query}" if path.startswith(paths.api()) else path)


class JSONRenderer(renderers.JSONRenderer):
    """JSON without the charset parameter in its media type, as AWX sends it."""

    charset = None

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        given = (renderer_context or {}).get("request")
        if given is not None and "format" in given.query_params and dialects.current().repeats_format:
            data = with_query(data, f"?{urlencode({'format': given.query_params['format']})}")
        is_compact = data is not None and self.get_indent(accepted_media_type, renderer_context or {}) is None
        text = encoded(data) if is_compact else None
        return super().render(data, accepted_media_type, renderer_context) if text is None else text
