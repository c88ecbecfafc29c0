"""Accounts: which changes are allowed, whoever makes one, and making them.

Errors are ValidationError, and PermissionDenied where the record is not to be changed here, whatever the values.
Source: docs/awx-behaviour.md, "Users", and AWX's public documentation.
"""

from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from instances import tokens
from instances.models import User

LAST_SUPERUSER = (
    "This is the only active superuser; without one nobody could administer the service. Make another one first."
)
NO_PASSWORD = "A new user needs a password."  # noqa: S105
MIRRORED = "The user {name} is mirrored: names, rights and roles are changed in the mirrored AWX, the password here."
# What superusers alone may change, of themselves and of others.
OF_SUPERUSERS = ("username", "is_superuser", "is_system_auditor")
# What a sync writes of mirrored users.
OF_SYNCS = (*OF_SUPERUSERS, "first_name", "last_name", "email")


def lock_superusers() -> list[int]:
    """Lock the records of the active superusers until the transaction ends; return their ids.

    They are locked in order of their ids, before any other account: two superusers who demote each other wait for each
    other instead of both succeeding.
    """
    active = User.objects.select_for_update(no_key=True).filter(is_superuser=True, is_active=True)
    return list(active.order_by("pk").values_list("pk", flat=True))


def refuse_loss_of_last_superuser(user: Any, *, is_superuser: bool = False, is_active: bool = False) -> None:
    """Raise ValidationError if ``user`` is the only active superuser and would be none with these values.

    Without values: if the account were deleted. To be called in the transaction that changes the account.
    """
    if user.pk is not None and not (is_superuser and is_active) and lock_superusers() == [user.pk]:
        raise ValidationError(LAST_SUPERUSER)


def checked_rank(user: User | None, is_superuser: bool) -> bool:
    """Whether the user, None for a new one, is to be a superuser."""
    if user is not None:
        refuse_loss_of_last_superuser(user, is_superuser=is_superuser, is_active=user.is_active)
    return is_superuser


def check_together(user: User | None, values: dict[str, Any]) -> None:
    """Raise an error if the user, None for a new one, cannot get these values, each of them valid."""
    if user is None and "password" not in values:
        raise ValidationError({"password": NO_PASSWORD})
    changed = {name for name, value in values.items() if user is not None and getattr(user, name) != value}
    if not changed.isdisjoint(OF_SYNCS):
        refuse_if_mirrored(user)
    if "password" in values:
        check_password(user, values)


def refuse_if_mirrored(user: Any) -> None:
    """Raise PermissionDenied if a sync alone may change the user's names, rights and roles, and delete the user."""
    if user.mirrored:
        raise PermissionDenied(MIRRORED.format(name=user.username))


def check_password(user: User | None, values: dict[str, Any]) -> None:
    """Raise ValidationError if the user should have another password than the one in ``values``."""
    names = {name: getattr(user, name) for name in OF_SYNCS} if user is not None else {}
    others = {name: value for name, value in {**names, **values}.items() if name != "password"}
    try:
        validate_password(values["password"], User(**others))
    except ValidationError as error:
        raise ValidationError({"password": error.messages}) from None


def create(values: dict[str, Any]) -> User:
    """A new account with these checked values, ``username`` and ``password`` among them. Raises HashingBusyError."""
    columns = dict(values)
    password = columns.pop("password")
    user = User(**columns, is_staff=values.get("is_superuser", False))
    user.set_password(password)
    user.save()
    return user


@transaction.atomic
def change(user: User, values: dict[str, Any]) -> None:
    """Change the account, which is locked, by these checked values. Superusers may log in to the administration.

    The sessions of the user end with a new ``password``, tokens stay valid. Raises HashingBusyError.
    """
    columns = dict(values)
    if columns.get("is_superuser", user.is_superuser) != user.is_superuser:
        columns["is_staff"] = columns["is_superuser"]
    if "password" in columns:
        user.set_password(columns.pop("password"))
        columns["password"] = user.password
    for name, value in columns.items():
        setattr(user, name, value)
    user.save(update_fields=set(columns))


@transaction.atomic
def delete(user: User) -> None:
    """Delete the account, with its roles and tokens."""
    refuse_if_mirrored(user)
    refuse_loss_of_last_superuser(user)
    tokens.revoke_all(user)  # Django would delete them after the user, whom the audit log names
    user.delete()
