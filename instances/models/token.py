from django.conf import settings
from django.db import models
from django.db.models.functions import Length
from django.db.models.lookups import LessThanOrEqual

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
