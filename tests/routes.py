"""The service's paths, from its URL configuration: a new route is among them by itself."""

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLResolver

TAKEN = re.compile(r"\(\?P<(\w+)>[^)]*\)|<(?:\w+:)?(\w+)>")  # by a regular expression, or by a path


def routes(patterns: Any, prefix: str) -> Iterator[str]:
    """Each path of ``patterns`` below ``prefix``, with ``<name>`` for what it takes."""
    for pattern in patterns:
        route = prefix + re.sub(r"^\^|\$$", "", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        else:
            yield TAKEN.sub(lambda found: f"<{found[1] or found[2]}>", route)


def filled_in(route: str, **values: object) -> str:
    """The path with these values for what it takes. Raises KeyError where one is missing."""
    return re.sub(r"<(\w+)>", lambda found: str(values[found[1]]), route)
