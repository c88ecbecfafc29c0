"""The browsable API: each response as a page, at the same address, with forms for the other methods.

All contents come from the JSON renderer, the metadata of OPTIONS and the OpenAPI document: the answer from the first,
fields and help texts from the others. A script sends the forms as JSON and shows the answer in the page.
"""

import functools
import json
import re
from typing import Any

from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.urls import get_script_prefix, is_valid_path
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request
from rest_framework.schemas.generators import EndpointEnumerator

from awx_compat import etags, paths
from awx_compat.openapi import descriptions
from awx_compat.renderers import JSONRenderer
from instances.text import REPLACEMENT, visible

INDENTED = "application/json; indent=4"
BLOCK = 100  # lines
CHANGING = ("POST", "PUT", "PATCH", "DELETE")
KEY = re.compile(r"\{\w+\}")  # a parameter in a path
# A whole string of escaped JSON that may be a path.
PATH = re.compile(rf"(?<!\\)&quot;(/(?:[^&<>\s\\{REPLACEMENT}]|&amp;)*)&quot;")


class BrowsableRenderer(BrowsableAPIRenderer):
    """Renders HTML for clients that prefer ``text/html`` or send ``format=api``. The pages are not DRF's."""

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> str:
        view, request, response = (renderer_context[name] for name in ("view", "request", "response"))
        forms = forms_of(view, request, data) if response.status_code < 400 else []
        content = JSONRenderer().render(data, INDENTED, {}) if data is not None else b""
        headers = headers_of(view, response, data)
        context = {
            "title": view.get_view_name(),
            "user": request.user,
            "path": request.get_full_path(),
            "breadcrumbs": breadcrumbs(request.path),
            "method": request.method,
            "response": response,
            "headers": headers.items(),
            "etag": headers.get("ETag", ""),
            "content": linked(content.decode()),
            "answered": answered(),
            "forms": forms,
            "csrf": get_token(request._request),
        }
        return render_to_string("awx_compat/browsable.html", context)


def forms_of(view: Any, request: Request, data: Any) -> list[dict[str, Any]]:
    """For each writing method that the user may send: its fields, and a body to begin with."""
    if not getattr(view, "has_forms", True):
        return []
    offered = [method for method in CHANGING if method in view.allowed_methods and not view.is_not_implemented(method)]
    methods = [method for method in offered if view.has_permission_for(method)]
    if not methods:
        return []
    actions = view.metadata_class().determine_metadata(request, view).get("actions", {})
    record = {} if request.method == "OPTIONS" else data  # the response to OPTIONS is not the record
    return [form_of(method, fields_of(view, method, actions), record) for method in methods]


def fields_of(view: Any, method: str, actions: dict[str, Any]) -> dict[str, Any]:
    """The fields of a body of ``method``, with help texts. A list of associated records takes an id alone."""
    fields: dict[str, Any] = actions.get("PUT" if method == "PATCH" else method, {})
    if view.attaches:
        return {"id": {**fields["id"], "required": True}}
    bound = view.get_serializer().fields if fields else {}
    return {name: {"help_text": descriptions.of_field(bound[name]), **info} for name, info in fields.items()}


def form_of(method: str, fields: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """The form, filled with the ``record`` where there is one, else with what a new one needs."""
    body: dict[str, Any] = {}
    if method == "PUT" and record:
        body = {name: record[name] for name in fields}
    elif method in ("PUT", "POST"):
        body = {
            name: info.get("default", "")
            for name, info in fields.items()
            if info["required"] or has_usable_default(info)
        }
    return {
        "method": method,
        "fields": fields,
        "body": "" if method == "DELETE" else json.dumps(body, indent=4, default=str),
    }


def has_usable_default(info: dict[str, Any]) -> bool:
    """Whether the metadata have a default that could be sent; AWX's default of one text field is an object."""
    return "default" in info and (info["type"] != "string" or isinstance(info["default"], str))


def headers_of(view: Any, response: Any, data: Any) -> dict[str, str]:
    """The headers of the same answer as JSON."""
    headers = {**dict(response.items()), "Content-Type": JSONRenderer.media_type}
    if view.modified is not None:
        headers["ETag"] = etags.of(view.modified, JSONRenderer().render(data))
    return headers


def breadcrumbs(path: str) -> list[tuple[str, str]]:
    """The segments of the path below the service's root, each with its address, or none where there is no page."""
    base = get_script_prefix()
    parts = path.removeprefix(base).strip("/").split("/")
    addresses = [f"{base}{'/'.join(parts[: n + 1])}/" for n in range(len(parts))]
    return [
        (part, address if is_valid_path(paths.plain(address)) else "")
        for part, address in zip(parts, addresses, strict=True)
    ]


@functools.cache
def endpoints() -> list[str]:
    """The plain paths that GET is implemented for, with parameters as ``{key}``."""
    return sorted(path for path, method, view in EndpointEnumerator().get_api_endpoints() if method == "GET")


def answered() -> str:
    """A regular expression, which the page's script uses too, of the paths that GET is implemented for."""
    requested = map(paths.requested, endpoints())
    return f"^(?:{'|'.join('[^/{]+'.join(map(re.escape, KEY.split(path))) for path in requested)})$"


def linked(text: str) -> SafeString:
    """JSON as HTML: escaped, paths that GET is implemented for as links, and without marks that turn its direction.

    AWX's responses have many paths that this service has not. The HTML is in blocks of lines, of which browsers lay out
    the visible ones.
    """
    lines = PATH.sub(functools.partial(link, answered()), escape(visible(text))).split("\n")
    blocks = ("\n".join(lines[n : n + BLOCK]) for n in range(0, len(lines), BLOCK))
    return mark_safe("".join(f"<span>{block}\n</span>" for block in blocks))  # noqa: S308


def link(answered: str, match: re.Match[str]) -> str:
    path = match[1]
    is_answered = re.match(answered, path.partition("?")[0])
    return f'&quot;<a href="{path}">{path}</a>&quot;' if is_answered else match[0]
