from django.db import models
from django.db.models import Q

from instances.models.fields import NameField, VerbatimJSONField


class UnifiedJob(models.Model):
    """A job as AWX tells of it: what this service counts and filters by as columns, all of it in ``representation``.

    Jobs belong to a node by its hostname, not by a key: a job outlives the node that ran it.
    """

    class Type(models.TextChoices):
        JOB = "job", "Playbook Run"
        PROJECT_UPDATE = "project_update", "Project Update"
        INVENTORY_UPDATE = "inventory_update", "Inventory Update"
        AD_HOC_COMMAND = "ad_hoc_command", "Command"
        SYSTEM_JOB = "system_job", "Management Job"
        WORKFLOW_JOB = "workflow_job", "Workflow Job"

    class Status(models.TextChoices):
        NEW = "new", "New"
        PENDING = "pending", "Pending"
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        SUCCESSFUL = "successful", "Successful"
        FAILED = "failed", "Failed"
        ERROR = "error", "Error"
        CANCELED = "canceled", "Canceled"

    type = models.CharField(max_length=32, choices=Type)
    name = models.CharField(max_length=512, blank=True, default="")
    description = models.TextField(blank=True, default="")
    launch_type = models.CharField(max_length=20, blank=True, default="manual")
    status = models.CharField(max_length=20, choices=Status, default=Status.NEW)
    created = models.DateTimeField()
    modified = models.DateTimeField()
    started = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)
    canceled_on = models.DateTimeField(null=True, blank=True)
    elapsed = models.DecimalField(max_digits=12, decimal_places=3, default=0)
    failed = models.BooleanField(default=False)
    job_explanation = models.TextField(blank=True, default="")
    execution_node = NameField(max_length=250, blank=True, default="")
    controller_node = NameField(max_length=250, blank=True, default="")
    work_unit_id = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 - null is AWX's "none"
    instance_group = models.ForeignKey(
        "instances.InstanceGroup", null=True, blank=True, on_delete=models.SET_NULL, related_name="jobs"
    )
    task_impact = models.PositiveIntegerField(default=0)
    representation = VerbatimJSONField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(task_impact__gte=0), name="job_impact_not_negative")]
        indexes = [
            models.Index(fields=["execution_node", "id"], name="job_by_execution_node"),
            models.Index(
                fields=["controller_node"],
                condition=Q(status__in=["running", "waiting"]),
                name="active_job_by_controller_node",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.pk}"
