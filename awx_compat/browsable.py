"""The API for people with a browser: each answer as a page, at the same address, with forms for its other methods.

The page says nothing that OPTIONS and the JSON do not say: its fields and their help come from the metadata, its
answer from the JSON renderer. A form's request is sent by a script, as JSON, and the answer shown in place.
"""

import json
import re
from typing import Any

from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request

from awx_compat.renderers import JSONRenderer
from instances.text import visible

INDENTED = "application/json; indent=4"
BLOCK = 100  # lines
CHANGING = ("POST", "PUT", "PATCH", "DELETE")
# A path of the API within escaped JSON.
PATH = re.compile(r"&quot;(/api/(?:[^&<>\s]|&amp;)*)&quot;")


class BrowsableRenderer(BrowsableAPIRenderer):
    """Answers as pages, for who prefers ``text/html`` or asks with ``format=api``. The pages are not DRF's."""

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> str:
        view, request, response = (renderer_context[name] for name in ("view", "request", "response"))
        forms = forms_of(view, request, data) if response.status_code < 400 else []
        told = JSONRenderer().render(data, INDENTED, {}) if data is not None else b""
        context = {
            "title": view.get_view_name(),
            "user": request.user,
            "path": request.get_full_path(),
            "breadcrumbs": breadcrumbs(request.path),
            "method": request.method,
            "response": response,
            "headers": response.items(),
            "content": linked(told.decode()),
            "forms": forms,
            "csrf": get_token(request._request),
        }
        return render_to_string("awx_compat/browsable.html", context)


def forms_of(view: Any, request: Request, data: Any) -> list[dict[str, Any]]:
    """For each method that changes something here, and that the reader may use, its fields and a body to begin with."""
    methods = [method for method in CHANGING if method in view.allowed_methods]
    if not (methods and request.user.is_authenticated and view.may_write(request.user)):
        return []
    actions = view.metadata_class().determine_metadata(request, view).get("actions", {})
    return [form_of(method, actions.get("PUT" if method == "PATCH" else method, {}), data) for method in methods]


def form_of(method: str, fields: dict[str, Any], data: Any) -> dict[str, Any]:
    known = data if isinstance(data, dict) else {}
    body = {name: known.get(name, info.get("default", "")) for name, info in fields.items()}
    return {
        "method": method,
        "fields": fields,
        "body": "" if method == "DELETE" else json.dumps({} if method == "PATCH" else body, indent=4, default=str),
    }


def breadcrumbs(path: str) -> list[tuple[str, str]]:
    """The segments of the path below the API's root, each with its address."""
    parts = path.strip("/").split("/")
    return [(part, f"/{'/'.join(parts[: n + 1])}/") for n, part in enumerate(parts)]


def linked(text: str) -> SafeString:
    """JSON as HTML: escaped, with links where it tells paths of the API, and nothing that turns its direction.

    It comes in blocks of lines, of which browsers lay out those that are in sight.
    """
    lines = PATH.sub(r'&quot;<a href="\1">\1</a>&quot;', escape(visible(text))).split("\n")
    blocks = ("\n".join(lines[n : n + BLOCK]) for n in range(0, len(lines), BLOCK))
    return mark_safe("".join(f"<span>{block}\n</span>" for block in blocks))  # noqa: S308
