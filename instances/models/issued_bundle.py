from django.db import models


class IssuedBundle(models.Model):
    """What the last install bundle of a node was made of, so that it can be compared with what a new one would have."""

    instance = models.OneToOneField(
        "instances.Instance", on_delete=models.CASCADE, primary_key=True, related_name="issued_bundle"
    )
    made = models.DateTimeField(help_text="When the bundle was downloaded, and made for that.")
    certificate_expires = models.DateTimeField(help_text="When the certificate in the bundle expires.")
    parts = models.JSONField(
        help_text="hostname; port; peers: the addresses that it dials; ca, work_key, certificate: SHA-256 of the PEM."
    )

    def __str__(self) -> str:
        return str(self.instance_id)
