from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.db.models.functions import Length
from django.db.models.lookups import LessThanOrEqual

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


class LoginFailures(models.Model):
    """How many wrong passwords were sent lately for a name, from an address, or for a name from an address.

    Users sometimes type a password into the field of the name, so only a digest of the name is stored.
    """

    name = models.CharField(max_length=64, help_text="The digest of the name; empty is any.")
    address = models.CharField(max_length=50, help_text="The address, or of IPv6 its network; empty is any.")
    failures = models.PositiveIntegerField(default=0)
    until = models.DateTimeField(help_text="When these failures are forgotten.")
    known_until = models.DateTimeField(null=True, help_text="How long the address counts as one of who has the name.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "address"], name="one_count_of_failures")]
        indexes = [models.Index(fields=["address"]), models.Index(fields=["until"])]

    def __str__(self) -> str:
        return f"{self.failures} until {self.until}"


LONGEST_DESCRIPTION = 1_000  # characters


class TokenNote(models.Model):
    """What its owner wrote about an access token; the token itself is django-oauth-toolkit's."""

    token = models.OneToOneField(
        settings.OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="note"
    )
    description = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=LessThanOrEqual(Length("description"), LONGEST_DESCRIPTION), name="token_note_length"
            )
        ]

    def __str__(self) -> str:
        return self.description
