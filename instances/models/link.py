from django.db import models
from django.db.models import F, Q

from instances.models.fields import Severity, SeverityChoices


class InstanceLink(models.Model):
    """A connection of the mesh: ``source`` dials ``target``."""

    class State(SeverityChoices):
        ADDING = "adding", "Adding"
        ESTABLISHED = "established", "Established"
        REMOVING = "removing", "Removing"

        @property
        def severity(self) -> Severity:
            return {self.ADDING: Severity.QUIET, self.ESTABLISHED: Severity.GOOD}.get(self, Severity.UNSURE)

    source = models.ForeignKey("instances.Instance", on_delete=models.CASCADE, related_name="+")
    target = models.ForeignKey("instances.Instance", on_delete=models.CASCADE, related_name="reverse_peers")
    link_state = models.CharField(
        max_length=16,
        choices=State,
        default=State.ADDING,
        help_text="Indicates the current life cycle stage of this peer link.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "target"], name="link_is_unique"),
            models.CheckConstraint(condition=~Q(source=F("target")), name="link_joins_two_instances"),
        ]

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"
