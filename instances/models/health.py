"""The health of nodes beyond the columns that AWX has."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from instances.models.fields import Severity


class NodeHealth(models.Model):
    """When a node was last seen and how it was checked, beyond the columns of its instance."""

    class Check(models.TextChoices):
        """How the last health check ended: the reasons of the condition HealthChecked."""

        PASSED = "CheckPassed", "The node reported without an error"
        NODE_ERRORS = "NodeReportedErrors", "The node reported errors"
        UNREACHABLE = "NodeUnreachable", "The mesh could not bring the check to the node"
        NO_WORK_TYPE = "WorkTypeMissing", "The node does not offer the work type ansible-runner"
        REFUSED = "WorkRefused", "Receptor refused the check, or it failed on the node"
        OLD_RUNNER = "RunnerTooOld", "The node's ansible-runner cannot report"
        GARBAGE = "OutputNotUnderstood", "What the node answered is no report"
        TOO_LARGE = "OutputTooLarge", "The node answered far more than a report"
        TIMED_OUT = "CheckTimedOut", "The node did not answer in time"
        EXPIRED = "CheckExpired", "Nothing came back from the check"
        TLS_FAILED = "TLSFailed", "The TLS connection to the node failed"
        MISCONFIGURED = "ServiceMisconfigured", "The settings of this service do not suit its Receptor or the node"
        NO_RECEPTOR = "ReceptorUnavailable", "The control socket of this node's own Receptor does not answer"
        NO_RUNNER = "RunnerMissing", "ansible-runner cannot be started"

    instance = models.OneToOneField(
        "instances.Instance", on_delete=models.CASCADE, primary_key=True, related_name="health"
    )
    advertised = models.JSONField(
        default=dict,
        help_text="For each inspector the time in the node's last advertisement there, by the node's own clock.",
    )
    sighted = models.DateTimeField(null=True, help_text="When it was last seen, by the service's clock.")
    lost_since = models.DateTimeField(
        null=True, help_text="When the node was found lost; empty again once it was seen often enough."
    )
    sightings = models.PositiveSmallIntegerField(default=0, help_text="How often it was seen since it was lost.")
    check_outcome = models.CharField(max_length=24, choices=Check, blank=True, default="")
    disabled_reason = models.TextField(
        blank=True, default="", help_text="Why an operator disabled the node; empty while it is enabled."
    )
    state_before_removal = models.CharField(
        max_length=16,
        blank=True,
        default="",
        db_default="",
        help_text="The state of a node before it was deprovisioned; empty where it is not, or that is not known.",
    )
    removal_began = models.DateTimeField(
        null=True, help_text="When the worker began to remove the node, after which that cannot be undone."
    )

    def __str__(self) -> str:
        return str(self.instance_id)


class Condition(models.Model):
    """One aspect of a node's health, as it was last stored."""

    class Type(models.TextChoices):
        SEEN = "Seen"
        HEALTH_CHECKED = "HealthChecked"
        REACHABLE = "Reachable"
        CAPACITY_REPORTED = "CapacityReported"
        ENABLED = "Enabled"
        BUNDLE_CURRENT = "BundleCurrent"
        SINGLE_PATH = "SinglePath"
        DRAINING = "Draining"
        DRAINED = "Drained"

        @property
        def question(self) -> str:
            """What the condition answers."""
            questions = {
                self.SEEN: "Is it seen?",
                self.HEALTH_CHECKED: "Did its last health check pass?",
                self.REACHABLE: "Does the mesh reach it?",
                self.CAPACITY_REPORTED: "Did it report its CPUs and memory?",
                self.ENABLED: "Is it enabled?",
                self.BUNDLE_CURRENT: "Is its last install bundle up to date?",
                self.SINGLE_PATH: "Would the loss of one other node or link cut it off?",
                self.DRAINING: "Is it being drained?",
                self.DRAINED: "Is it drained?",
            }
            return questions.get(self, f"{self.label}?")

        @property
        def good(self) -> str | None:
            """The status that is good, where its contrary is bad; None where neither is."""
            statuses: dict[str, str | None] = {self.SINGLE_PATH: "False", self.DRAINING: None, self.DRAINED: None}
            return statuses.get(self, "True")

        @property
        def bad(self) -> str | None:
            """The status that is bad; None where none is."""
            return {"True": "False", "False": "True"}.get(self.good or "")

        def severity(self, status: str) -> Severity:
            """Of a condition of this type with this status."""
            if status == Condition.Status.UNKNOWN:
                return Severity.UNSURE
            return {self.good: Severity.GOOD, self.bad: Severity.BAD}.get(status, Severity.QUIET)

    class Status(models.TextChoices):
        TRUE = "True"
        FALSE = "False"
        UNKNOWN = "Unknown"

        @property
        def answer(self) -> str:
            """The status as the answer to the condition's question."""
            return {self.TRUE: "Yes", self.FALSE: "No", self.UNKNOWN: "Not known"}.get(self, self.label)

    instance = models.ForeignKey("instances.Instance", on_delete=models.CASCADE, related_name="conditions")
    type = models.CharField(max_length=20, choices=Type)
    status = models.CharField(max_length=8, choices=Status)
    reason = models.CharField(max_length=24)
    message = models.TextField(blank=True, default="")
    last_transition = models.DateTimeField(
        null=True, help_text="When the status became what it is; null where that is not known."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["instance", "type"], name="condition_is_unique")]

    def __str__(self) -> str:
        return f"{self.type}={self.status}"

    @property
    def severity(self) -> Severity:
        return self.Type(self.type).severity(self.status)


class NodeToken(models.Model):
    """A token with which one node, and no other, reports itself. Only its SHA-256 is stored."""

    instance = models.ForeignKey("instances.Instance", on_delete=models.CASCADE, related_name="node_tokens")
    checksum = models.CharField(max_length=64, unique=True)
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"token of {self.instance}"


class MeshInspection(models.Model):
    """The last inspection of the mesh by the worker of one control node."""

    inspector = models.CharField(max_length=250, unique=True, help_text="CLUSTER_HOST_ID of the worker.")
    began = models.DateTimeField()
    watching_since = models.DateTimeField(help_text="Since when it looked without a gap: silence before counts not.")
    seconds = models.FloatField(default=0)
    error = models.TextField(blank=True, default="", help_text="Why it failed; empty where it did not.")
    unknown_nodes = models.JSONField(default=list, help_text="Hostnames on the mesh that no instance has.")
    unrouted = models.JSONField(
        null=True, default=None, help_text="Hostnames of instances that it knew no route to; null if it did not say."
    )

    def __str__(self) -> str:
        return self.began.isoformat()

    @property
    def overdue(self) -> bool:
        """Whether there should have been another one since."""
        return self.is_overdue(timezone.now())

    def is_overdue(self, now: datetime) -> bool:
        """Whether three inspections are missing since: one is due with every heartbeat.

        Also where it began in the future: the clock was set back, and a worker that lives has inspected again since.
        """
        return abs(now - self.began) > timedelta(seconds=3 * settings.CLUSTER_NODE_HEARTBEAT_PERIOD)
