"""The paths of the API and its records, as AWX writes them into ``url`` and ``related``: without scheme and host.

A plain path is one of an AWX of its own, as ``/api/v2/instances/``. Requests and their responses may have others: below
``BASE_PATH``, where a proxy serves the whole service, and for AWX's part of the API with one of ``API_PREFIXES``, as
``/api/controller/v2/instances/`` (in AWX 24.6.1 OPTIONAL_API_URLPATTERN_PREFIX). Routes are those of plain paths;
``awx_compat.middleware.route_plain_paths`` sets the form of the paths in a response, once for each request.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.urls import get_script_prefix

API = "/api/"
ROOT = f"{API}v2/"
OF_AWX = frozenset({"", "v2", "login", "logout", "o"})  # what is below /api/ in AWX, and so below its prefixes
BESIDE_AWX = frozenset({"fleet", "schema", "docs", "redoc"})  # what only this service has there
KEYS = ("url", "related")  # of records, which hold paths
OF_USERS = ("artifacts", "job_env")  # objects in records, with any keys and texts of users
# A name in a path keeps every character but these, as AWX's named URLs do.
RESERVED_IN_NAMES = {ord(char): quote(char, safe="") for char in ";/?:@=&[]"} | {ord("+"): "[+]"}

requested_api: ContextVar[str] = ContextVar("requested_api", default=API)


def api() -> str:
    """``/api/`` in the form of the current request."""
    return requested_api.get()


def root() -> str:
    """``/api/v2/`` in the form of the current request."""
    return f"{requested_api.get()}v2/"


def collection(name: str) -> str:
    return f"{requested_api.get()}v2/{name}/"


def record(collection_name: str, key: object, *sub: str) -> str:
    """``/api/v2/<collection>/<key>/`` and, with ``sub``, what lies below it."""
    return "/".join((f"{requested_api.get()}v2/{collection_name}", str(key), *sub, ""))


def name_in(path_segment: str) -> str:
    """The name that a path's segment, already percent-decoded, stands for."""
    return path_segment.replace("[+]", "+")


# --- plain paths


def without_base(path: str) -> str:
    """The path without BASE_PATH, which the proxy may have left there or not."""
    base = settings.FORCE_SCRIPT_NAME
    return path.removeprefix(base) or "/" if base and f"{path}/".startswith(f"{base}/") else path


def without_prefix(path: str) -> tuple[str, str]:
    """One of API_PREFIXES with a slash, or nothing, and the plain path: of ``/api/controller/v2/``, ``controller/``."""
    if settings.API_PREFIXES and path.startswith(API):
        name, slash, below = path.removeprefix(API).partition("/")
        if name in settings.API_PREFIXES and below.partition("/")[0] in OF_AWX:
            return f"{name}/", f"{API[:-1]}{slash}{below}"
    return "", path


def plain(path: str) -> str:
    """The plain path that a request's is routed as."""
    return without_prefix(without_base(path))[1]


def requested(path: str) -> str:
    """A plain path below /api/ in the form of the current request; anything else as it is."""
    if not path.startswith(API):
        return path
    below = path.removeprefix(API)
    return f"{api()}{below}" if below.partition("/")[0] in OF_AWX else f"{get_script_prefix()}{path[1:]}"


def changed(body: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with ``change`` of each path in it; no other text is one, whatever it begins with."""
    if isinstance(body, list):
        return [changed(each, change) for each in body]
    if not isinstance(body, dict):
        return body
    return {
        key: all_changed(value, change) if key in KEYS else value if key in OF_USERS else changed(value, change)
        for key, value in body.items()
    }


def all_changed(value: Any, change: Callable[[str], str]) -> Any:
    """A ``url`` or ``related`` with ``change`` of each text in it."""
    match value:
        case str():
            return change(value)
        case list():
            return [all_changed(each, change) for each in value]
        case dict():
            return {name: all_changed(each, change) for name, each in value.items()}
    return value
