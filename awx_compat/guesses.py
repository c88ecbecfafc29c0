"""Password guesses that the server refuses at once, before a thread is taken.

Guesses come in crowds, so their refusal must be cheap enough that other requests do not wait: it costs a hundredth of a
record's response, from the memory of this process, without the database. Under another server than ``manage.py serve``
``awx_compat.authentication`` refuses them.
"""

import json
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any, NamedTuple

from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import AuthenticationFailed

from awx_compat import authentication
from awx_compat.forwarded import Proxies
from awx_compat.passwords import of_login
from instances.guessing import Attempt, LockedError
from instances.hashing import HashingBusyError


class LockoutResponse(NamedTuple):
    """The response to a refused guess."""

    status: HTTPStatus
    headers: list[tuple[str, str]]
    body: bytes


class SentCredentials(BasicAuthentication):
    """The name and password of ``Authorization: Basic``, not verified."""

    def authenticate_credentials(self, userid: str, password: str, request: Any = None) -> Any:
        return userid, password


def is_one(environ: dict[str, Any], proxies: Proxies) -> bool:
    """Whether the request of a WSGI ``environ`` has a Basic password that is to be hashed. No query.

    Raises LockedError where this process knows the name or the address to be locked out.
    """
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    if authorization[:6].lower() != "basic ":
        return False
    request: Any = SimpleNamespace(headers={"authorization": authorization})
    try:
        username, password = SentCredentials().authenticate(request)  # type: ignore[misc]
    except AuthenticationFailed:
        return False
    address = proxies.client_of(environ)
    Attempt(username, address).raise_if_locked()
    return authentication.verified.match(username, password, address) is None


def lockout_response(error: LockedError | HashingBusyError) -> LockoutResponse:
    """What answers a guess that is refused so."""
    refusal = of_login(error)
    body = json.dumps({"detail": str(refusal.detail)}).encode()
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "Retry-After": str(error.wait),
    }
    return LockoutResponse(HTTPStatus(refusal.status_code), list(headers.items()), body)
