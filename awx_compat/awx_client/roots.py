"""Where the API of an AWX is below its host: ``/api/v2/``, or ``/api/controller/v2/`` behind the gateway of AAP 2.5.

All other code writes and reads paths as those of an AWX of its own, below ``paths.ROOT``. Source of the gateway's
answer: AAP 2.5, whose ``/api/`` names its APIs; that of a controller is as AWX's.
"""

import re
from typing import Any

from awx_compat import paths

GATEWAY_API = "controller"  # its name among the APIs of the gateway


def is_root(path: str) -> bool:
    """Whether the path can be that of an API; dots could lead elsewhere."""
    return re.fullmatch(r"/api/([\w-]{1,50}/)?v2/", path, re.ASCII) is not None


def root_in(body: Any) -> str | None:
    """The root that the answer of an AWX's ``/api/`` names; None if it names none."""
    return usable(body.get("current_version")) if isinstance(body, dict) else None


def api_in(body: Any) -> str | None:
    """The path of the controller's ``/api/`` in the answer of a gateway's; None if it has none."""
    apis = body.get("apis") if isinstance(body, dict) else None
    path = apis.get(GATEWAY_API) if isinstance(apis, dict) else None
    return path if isinstance(path, str) and is_root(f"{path}v2/") else None


def usable(path: Any) -> str | None:
    return path if isinstance(path, str) and is_root(path) else None


def below(root: str, path: str) -> str:
    """The path of an AWX of its own as it is below ``root``."""
    return root + path.removeprefix(paths.ROOT) if path.startswith(paths.ROOT) else path


def as_own(root: str, value: Any) -> Any:
    """A JSON value in which all paths below ``root`` are those of an AWX of its own."""
    if root == paths.ROOT:
        return value
    match value:
        case str():
            return paths.ROOT + value.removeprefix(root) if value.startswith(root) else value
        case list():
            return [as_own(root, item) for item in value]
        case dict():
            return {key: as_own(root, item) for key, item in value.items()}
    return value
