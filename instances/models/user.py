from typing import ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models

from instances.models.fields import NameField
from instances.querysets import UserQuerySet
from instances.reader import Reader


class MeshUserManager(UserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    use_in_migrations = False


class User(AbstractUser):
    """A user of the API. Superusers may do everything, system auditors may read everything."""

    username = NameField(
        max_length=150,
        unique=True,
        validators=[AbstractUser.username_validator],
        help_text="Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.",
        error_messages={"unique": "A user with that username already exists."},
    )
    is_system_auditor = models.BooleanField(
        "system auditor", default=False, help_text="May read everything and change nothing."
    )

    mirrored = models.BooleanField(
        default=False, editable=False, help_text="Whether a mirrored AWX told of this user, and may take it away."
    )

    # What the queryset's methods annotate.
    has_more_than_read: bool
    group_roles: list[str]

    objects: ClassVar[MeshUserManager] = MeshUserManager()

    @property
    def reader(self) -> Reader:
        """What decides which records this user sees."""
        return Reader.of(self)

    @property
    def sees_everything(self) -> bool:
        """Whether every instance, group and job is visible to this user."""
        return self.reader.sees_everything
