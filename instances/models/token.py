from django.conf import settings
from django.db import models


class TokenNote(models.Model):
    """What its owner wrote about an access token; the token itself is django-oauth-toolkit's."""

    token = models.OneToOneField(
        settings.OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="note"
    )
    description = models.TextField(blank=True, default="")

    def __str__(self) -> str:
        return self.description
