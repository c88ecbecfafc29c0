from django.db import models
from django.db.models import Q
from django.utils import timezone

from instances.models.fields import NameField, Severity, SeverityChoices, VerbatimJSONField
from instances.querysets import ACTIVE, UnifiedJobQuerySet


class UnifiedJob(models.Model):
    """A job of AWX: its ``representation`` in AWX's API, and as columns what this service counts and filters by.

    Jobs belong to a node by its hostname, not by a key: a job outlives the node that ran it.
    """

    class Type(models.TextChoices):
        PROJECT_UPDATE = "project_update", "SCM Update"
        INVENTORY_UPDATE = "inventory_update", "Inventory Sync"
        JOB = "job", "Playbook Run"
        AD_HOC_COMMAND = "ad_hoc_command", "Command"
        SYSTEM_JOB = "system_job", "Management Job"
        WORKFLOW_JOB = "workflow_job", "Workflow Job"

    class LaunchType(models.TextChoices):
        MANUAL = "manual", "Manual"
        RELAUNCH = "relaunch", "Relaunch"
        CALLBACK = "callback", "Callback"
        SCHEDULED = "scheduled", "Scheduled"
        DEPENDENCY = "dependency", "Dependency"
        WORKFLOW = "workflow", "Workflow"
        WEBHOOK = "webhook", "Webhook"
        SYNC = "sync", "Sync"
        SCM = "scm", "SCM Update"

    class Status(SeverityChoices):
        NEW = "new", "New"
        PENDING = "pending", "Pending"
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        SUCCESSFUL = "successful", "Successful"
        FAILED = "failed", "Failed"
        ERROR = "error", "Error"
        CANCELED = "canceled", "Canceled"

        @property
        def severity(self) -> Severity:
            severities = {
                self.SUCCESSFUL: Severity.GOOD,
                self.FAILED: Severity.BAD,
                self.ERROR: Severity.BAD,
                self.CANCELED: Severity.UNSURE,
            }
            return severities.get(self, Severity.QUIET)

    type = models.CharField(max_length=32, choices=Type)
    name = models.CharField(max_length=512, blank=True, default="")
    description = models.TextField(blank=True, default="")
    unified_job_template = models.BigIntegerField("unified job template", null=True, blank=True)
    launch_type = models.CharField(max_length=20, choices=LaunchType, default=LaunchType.MANUAL)
    execution_environment = models.BigIntegerField(
        null=True, blank=True, help_text="The container image to be used for execution."
    )
    status = models.CharField(max_length=20, choices=Status, default=Status.NEW)
    created = models.DateTimeField()
    modified = models.DateTimeField()
    started = models.DateTimeField(
        null=True, blank=True, help_text="The date and time the job was queued for starting."
    )
    finished = models.DateTimeField(null=True, blank=True, help_text="The date and time the job finished execution.")
    canceled_on = models.DateTimeField(
        null=True, blank=True, help_text="The date and time when the cancel request was sent."
    )
    elapsed = models.DecimalField(
        max_digits=12, decimal_places=3, default=0, help_text="Elapsed time in seconds that the job ran."
    )
    failed = models.BooleanField(default=False)
    job_explanation = models.TextField(
        blank=True,
        default="",
        help_text="A status field to indicate the state of the job if it wasn't able to run and capture stdout",
    )
    execution_node = NameField(max_length=250, blank=True, default="", help_text="The node the job executed on.")
    controller_node = NameField(
        max_length=250, blank=True, default="", help_text="The instance that managed the execution environment."
    )
    work_unit_id = models.CharField(  # noqa: DJ001 - null is AWX's "none"
        max_length=255, null=True, blank=True, help_text="The Receptor work unit ID associated with this job."
    )
    instance_group = models.ForeignKey(
        "instances.InstanceGroup", null=True, blank=True, on_delete=models.SET_NULL, related_name="jobs"
    )
    task_impact = models.PositiveIntegerField(default=0)
    representation = VerbatimJSONField()

    objects = UnifiedJobQuerySet.as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(task_impact__gte=0), name="job_impact_not_negative")]
        indexes = [
            models.Index(fields=["execution_node", "id"], name="job_by_execution_node"),
            models.Index(
                fields=["controller_node"],
                condition=Q(status__in=ACTIVE),
                name="active_job_by_controller_node",
            ),
            models.Index(
                fields=["execution_node"],
                condition=Q(status__in=ACTIVE),
                name="active_job_by_execution_node",
            ),
            models.Index(
                fields=["unified_job_template", "-finished"],
                condition=Q(status="successful", finished__isnull=False),
                name="last_runs_of_template",
            ),
            models.Index(fields=["finished"], name="job_by_end"),  # as AWX's pages order jobs
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.pk}"

    @property
    def seconds_running(self) -> float:
        """How long the job has run: so far, while it has not finished."""
        if self.started is None or self.finished is not None:
            return float(self.elapsed)
        return (timezone.now() - self.started).total_seconds()
