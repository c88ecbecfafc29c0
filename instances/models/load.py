"""What the jobs of a node, and those of a group, add up to.

The rows are written by triggers on the table of jobs (migration 0002): every statement that changes jobs adds
rows with the differences, so that writers never wait for each other, and now and then the rows of a node are
folded into one. The load of a node is the sum of its rows, at any moment. A mirror of a live AWX adds a row of its own
for each, the baseline (migration 0005), which these triggers leave alone. See docs/adr/0001-counters.md.
"""

from django.db import models
from django.db.models import Q

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
    jobs_total = models.BigIntegerField()
    jobs_running = models.BigIntegerField(help_text="running or waiting, as execution node")
    impact = models.BigIntegerField(help_text="task impact of jobs_running")
    jobs_controlled = models.BigIntegerField(help_text="running or waiting, as controller node")
    baseline = models.BooleanField(default=False, db_default=False, help_text=BASELINE)

    class Meta:
        indexes = [models.Index(fields=["node"], name="load_by_node")]
        constraints = [
            models.UniqueConstraint(fields=["node"], condition=Q(baseline=True), name="one_baseline_by_node")
        ]

    def __str__(self) -> str:
        return self.node_id


class GroupLoad(models.Model):
    """A part of the load of the instance group with this id."""

    group = models.BigIntegerField()
    jobs_total = models.BigIntegerField()
    jobs_running = models.BigIntegerField(help_text="running or waiting")
    impact = models.BigIntegerField(help_text="task impact of jobs_running")
    baseline = models.BooleanField(default=False, db_default=False, help_text=BASELINE)

    class Meta:
        indexes = [models.Index(fields=["group"], name="load_by_group")]
        constraints = [
            models.UniqueConstraint(fields=["group"], condition=Q(baseline=True), name="one_baseline_by_group")
        ]

    def __str__(self) -> str:
        return str(self.group)
