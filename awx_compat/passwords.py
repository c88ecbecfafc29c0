"""Verification of passwords, for the forms, HTTP Basic and every other login."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from rest_framework import status
from rest_framework.exceptions import APIException

from instances import hashing
from instances.guessing import Attempt, LockedError
from instances.hashing import HashingBusyError


class PasswordBackend(ModelBackend):
    """Django's, which refuses to go on guessing, and to check more passwords at once than the service can bear.

    Raises LockedError and HashingBusyError; what is locked is refused before any password is hashed.
    """

    def authenticate(
        self, request: Any, username: str | None = None, password: str | None = None, **credentials: Any
    ) -> Any:
        if username is None or password is None:
            return None
        attempt = Attempt(username, request.META.get("REMOTE_ADDR", "") if request else "")
        attempt.raise_if_locked()
        attempt.begin()
        with hashing.slots.slot():
            user = super().authenticate(request, username, password, **credentials)
            if user is None:
                attempt.fail()
            else:
                attempt.succeed()
        return user


class TooManyFailures(APIException):
    """Too many wrong passwords came for this name or from this address."""

    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    default_detail = "Too many wrong passwords. Try again in {wait} seconds."

    def __init__(self, wait: int) -> None:
        super().__init__(self.default_detail.format(wait=wait))
        self.wait = wait


class TooManyLogins(APIException):
    """Other passwords are being checked."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "Too many passwords are being checked at this moment. Try again."
    wait = HashingBusyError.wait


def of_login(error: LockedError | HashingBusyError) -> TooManyFailures | TooManyLogins:
    """What a client reads where a password was not even looked at."""
    return TooManyFailures(error.wait) if isinstance(error, LockedError) else TooManyLogins()
