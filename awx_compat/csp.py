"""What pages may load, for browsers: scripts, styles and data of this service alone, and nothing that stands inline."""

import functools
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse

HEADER = "Content-Security-Policy"
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def header(**more: str) -> str:
    """The policy. ``more``: what a page needs beside, as ``worker_src="blob:"``."""
    allowed = dict(POLICY)
    for name, sources in more.items():
        directive = name.replace("_", "-")
        allowed[directive] = f"{allowed.get(directive, '')} {sources}".strip()
    return "; ".join(f"{directive} {sources}" for directive, sources in allowed.items())


def allowing(view: Callable[..., Any], **more: str) -> Callable[..., Any]:
    """The view with ``more`` sources in its policy."""
    policy = header(**more)

    @functools.wraps(view)
    def with_policy(*args: Any, **kwargs: Any) -> Any:
        response: HttpResponse = view(*args, **kwargs)
        response[HEADER] = policy
        return response

    return with_policy
