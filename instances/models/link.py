from django.db import models

from instances.models.fields import Severity, SeverityChoices


class InstanceLink(models.Model):
    """A connection of the mesh: ``source`` dials ``target``, an address of another instance.

    That it is another one, triggers of the database see to (migration 0008_addresses).
    """

    class State(SeverityChoices):
        ADDING = "adding", "Adding"
        ESTABLISHED = "established", "Established"
        REMOVING = "removing", "Removing"

        @property
        def severity(self) -> Severity:
            return {self.ADDING: Severity.QUIET, self.ESTABLISHED: Severity.GOOD}.get(self, Severity.UNSURE)

    source = models.ForeignKey("instances.Instance", on_delete=models.CASCADE, related_name="links")
    target = models.ForeignKey("instances.ReceptorAddress", on_delete=models.CASCADE, related_name="links")
    link_state = models.CharField(
        max_length=16,
        choices=State,
        default=State.ADDING,
        help_text="Indicates the current life cycle stage of this peer link.",
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "target"], name="link_is_unique")]

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"
