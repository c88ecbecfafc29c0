"""Where the API of an AWX is on its host: at ``/api/v2/``, behind the gateway of AAP at ``/api/controller/v2/``, or at
either below the path of a proxy.

All other code writes and reads the plain paths of an AWX of its own, below ``paths.ROOT``. Source of the gateway's
answer: AAP 2.5, whose ``/api/`` names its APIs; that of a controller is as AWX's.
"""

import re
from dataclasses import dataclass
from typing import Any

from awx_compat import paths

GATEWAY_API = "controller"  # its name among the APIs of the gateway
API = r"/api/([\w-]{1,50}/)?v2/"
# The path of an address: what a proxy serves an AWX below, and how far the path of its API is given.
ADDRESS = re.compile(r"((?:/(?!api(?:/|$)|\.)[\w.~-]+)*)(?:/api(?:/(?!v\d)([\w-]{1,50}))?(/v2)?)?/?", re.ASCII)


@dataclass(frozen=True)
class Root:
    """Where an AWX and its API are. ``base``: the path of the AWX on its host, without a slash at its end.

    ``api``: that of its API from there, which is ``known`` if it need not be looked for.
    """

    base: str = ""
    api: str = paths.ROOT
    known: bool = False

    @property
    def path(self) -> str:
        """The part of an address after the host, without a slash at its end or AWX's own ``/api/v2/``."""
        return self.base if self.api == paths.ROOT else f"{self.base}{self.api[:-1]}"

    def below(self, path: str) -> str:
        """A path in an answer, or a plain one, as it is on the host."""
        plain = self.plain(path)
        return f"{self.base}{self.api}{plain.removeprefix(paths.ROOT)}" if plain.startswith(paths.ROOT) else plain

    def plain(self, path: str) -> str:
        """A path in an answer as that of an AWX of its own. A proxy that strips ``base`` leaves paths without it."""
        for root in (f"{self.base}{self.api}", self.api):
            if path.startswith(root):
                return f"{paths.ROOT}{path.removeprefix(root)}"
        return path

    def plain_paths(self, body: Any) -> Any:
        """A JSON value with its paths as those of an AWX of its own."""
        return body if self.base + self.api == paths.ROOT else paths.changed(body, self.plain)

    def api_in(self, body: Any) -> str | None:
        """The ``api`` that the answer of an AWX's ``/api/`` names; None if it names none."""
        return self.usable(body.get("current_version"), "") if isinstance(body, dict) else None

    def gateway_api_in(self, body: Any) -> str | None:
        """The ``api`` of the controller in the answer of a gateway's ``/api/``; None if it has none."""
        apis = body.get("apis") if isinstance(body, dict) else None
        return self.usable(apis.get(GATEWAY_API), "v2/") if isinstance(apis, dict) else None

    def usable(self, path: Any, end: str) -> str | None:
        """The path and ``end`` from ``base``, if that can be the path of an API; dots could lead elsewhere."""
        if not isinstance(path, str):
            return None
        api = (path.removeprefix(self.base) if path.startswith(f"{self.base}/") else path) + end
        return api if re.fullmatch(API, api, re.ASCII) else None


def root_of(path: str) -> Root | None:
    """The root that the path of an address names; None if no AWX can be there."""
    given = ADDRESS.fullmatch(path)
    if given is None:
        return None
    base, name, _ = given.groups()
    return Root(base, f"{paths.API}{name}/v2/", known=True) if name else Root(base)
