from django.db import models


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
