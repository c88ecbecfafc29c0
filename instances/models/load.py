"""Counters: the load of each node and group by its jobs, and the number of jobs of each kind.

The rows are written by triggers on the table of jobs (migration 0004_counters), which add what a statement changed.
Concurrent writers write to different rows, those of their ``slot``, so that none waits for another; the figure of a
node is the sum of its rows, at any moment. A mirror of a live AWX adds another row for each node and group, the
baseline, which the triggers do not change. See docs/adr/0001-counters.md.
"""

from django.db import models
from django.db.models import Q

from instances.models.fields import NameField
from instances.querysets import JobCountQuerySet

SLOT = "The place of one of the writers that are at work at the same time."
BASELINE = "What a mirrored AWX tells beyond the jobs that are kept here."


class NodeLoad(models.Model):
    """A part of the load of the node with this hostname, which need not be an instance (any more)."""

    node = models.ForeignKey(
        "instances.Instance",
        to_field="hostname",
        db_column="node",
        db_constraint=False,
        db_index=False,
        on_delete=models.DO_NOTHING,
        related_name="loads",
    )
    slot = models.IntegerField(null=True, help_text=f"{SLOT} A baseline has none.")
    jobs_total = models.BigIntegerField()
    jobs_running = models.BigIntegerField(help_text="running or waiting, as execution node")
    impact = models.BigIntegerField(help_text="task impact of jobs_running")
    jobs_controlled = models.BigIntegerField(help_text="running or waiting, as controller node")
    baseline = models.BooleanField(default=False, db_default=False, help_text=BASELINE)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["node", "slot"], name="load_by_node"),
            models.UniqueConstraint(fields=["node"], condition=Q(baseline=True), name="one_baseline_by_node"),
        ]

    def __str__(self) -> str:
        return self.node_id


class GroupLoad(models.Model):
    """A part of the load of the instance group with this id."""

    group = models.BigIntegerField()
    slot = models.IntegerField(null=True, help_text=f"{SLOT} A baseline has none.")
    jobs_total = models.BigIntegerField()
    jobs_running = models.BigIntegerField(help_text="running or waiting")
    impact = models.BigIntegerField(help_text="task impact of jobs_running")
    baseline = models.BooleanField(default=False, db_default=False, help_text=BASELINE)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["group", "slot"], name="load_by_group"),
            models.UniqueConstraint(fields=["group"], condition=Q(baseline=True), name="one_baseline_by_group"),
        ]

    def __str__(self) -> str:
        return str(self.group)


class JobCount(models.Model):
    """A part of the number of jobs with this execution node (or none: empty), status and launch type."""

    pk = models.CompositePrimaryKey("node", "status", "launch_type", "slot")
    node = NameField(max_length=250, blank=True, default="")
    status = models.CharField(max_length=20)
    launch_type = models.CharField(max_length=20)
    slot = models.IntegerField(help_text=SLOT)
    jobs = models.BigIntegerField()

    objects = JobCountQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.node} {self.status} {self.launch_type}"
