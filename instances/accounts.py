"""Rules that hold for accounts, whoever changes one. Errors are ValidationError."""

from typing import Any

from django.core.exceptions import ValidationError

from instances.models import User

LAST_SUPERUSER = (
    "This is the only active superuser; without one nobody could administer the service. Make another one first."
)


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
