from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, ExpressionWrapper, F, OuterRef, Q

from instances.capacity import CONTROLLING
from instances.models.fields import NameField
from instances.models.instance import Instance
from instances.models.job import UnifiedJob
from instances.querysets import VisibleQuerySet
from instances.reader import Reader


class DrainQuerySet(VisibleQuerySet):
    def visible_condition(self, reader: Reader) -> Exists:
        """Who sees an instance sees its drains."""
        nodes = Instance.objects.visible_to(reader)
        return Exists(nodes.filter(pk=OuterRef("instance"), hostname=OuterRef("hostname")))

    def open(self) -> Self:
        """Those that have not ended."""
        return self.filter(ended_at=None)

    def of_present_nodes(self) -> Self:
        """Without those of a node whose id an import or a mirror has given to another one meanwhile."""
        return self.filter(hostname=F("instance__hostname"))

    def with_jobs(self) -> Self:
        """``has_jobs``: whether the node has active jobs; a control node also those that it controls.

        ``instance`` is read along.
        """
        active = UnifiedJob.objects.active()
        executed = Exists(active.filter(execution_node=OuterRef("instance__hostname")))
        controlled = Exists(active.filter(controller_node=OuterRef("instance__hostname")))
        controls = Q(instance__node_type__in=CONTROLLING)
        has_jobs = ExpressionWrapper(executed | controls & controlled, models.BooleanField())
        return self.annotate(has_jobs=has_jobs).select_related("instance")


class Drain(models.Model):
    """A node that is taken out of service: it gets no new jobs, and a next step follows once its own have ended.

    A drain is open until ``ended_at``; each node has at most one open drain. It outlives its node and its user, whose
    names it keeps.
    """

    class Then(models.TextChoices):
        """The next step."""

        STAY = "stay", "It stays disabled"
        ENABLE = "enable", "It is enabled again"
        DEPROVISION = "deprovision", "It is deprovisioned"

    class Ending(models.TextChoices):
        DONE = "done", "The next step was done"
        UNDONE = "undone", "It was undone"
        ENABLED = "enabled", "Somebody enabled the node meanwhile"
        REMOVED = "removed", "Somebody removed the node meanwhile, or requested it"

    # By the foreign keys of migration 0010_drains the database itself sets these to null, whoever deletes a record.
    instance = models.ForeignKey(
        "instances.Instance", null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="drains"
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    hostname = NameField(max_length=250, help_text="The node.")
    requested_by_name = models.CharField(
        max_length=150, blank=True, default="", help_text="Who requested it; empty where a command did."
    )
    reason = models.TextField(help_text="Why the node is drained.")
    began = models.DateTimeField(help_text="Since when the node gets no new jobs.")
    deadline = models.DateTimeField(null=True, help_text="When its jobs should have ended; null without a deadline.")
    then = models.CharField(max_length=16, choices=Then, default=Then.STAY, help_text="The next step.")
    force_reason = models.TextField(
        blank=True,
        default="",
        help_text="Why the node is drained although others need it, and why its jobs are not waited for after the "
        "deadline; empty where the drain is not forced.",
    )
    was_enabled = models.BooleanField(help_text="Whether the node was enabled before.")
    drained_at = models.DateTimeField(null=True, help_text="When no job was left; null before.")
    ended_at = models.DateTimeField(null=True, help_text="When the drain ended; null while it is open.")
    ended_how = models.CharField(
        max_length=16, choices=Ending, blank=True, default="", help_text="How the drain ended; empty while it is open."
    )
    ended_by_name = models.CharField(
        max_length=150, blank=True, default="", help_text="Who undid it; empty where nobody did, or a command."
    )
    pending_enabled = models.BooleanField(
        null=True,
        help_text="The value of `enabled` that a mirrored AWX is yet to be given; null where nothing is to be changed "
        "there.",
    )
    awx_error = models.TextField(
        blank=True,
        default="",
        db_default="",
        help_text="Why the mirrored AWX was not given it at the last attempt; empty where that did not fail.",
    )

    objects = DrainQuerySet.as_manager()

    has_jobs: bool  # what the queryset's methods annotate

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["instance"], condition=Q(ended_at=None), name="one_open_drain"),
            models.CheckConstraint(condition=~Q(hostname="") & ~Q(reason=""), name="drain_has_node_and_reason"),
            models.CheckConstraint(
                condition=Q(deadline=None) | Q(deadline__gt=models.F("began")), name="drain_deadline_after_began"
            ),
            models.CheckConstraint(condition=Q(then__in=["stay", "enable", "deprovision"]), name="drain_then_is_known"),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_how="")
                | Q(ended_at__isnull=False, ended_how__in=["done", "undone", "enabled", "removed"]),
                name="drain_ended_in_a_known_way",
            ),
        ]
        indexes = [models.Index(fields=["ended_at"], name="drain_by_end")]

    def __str__(self) -> str:
        return f"drain of {self.hostname}"

    @property
    def is_open(self) -> bool:
        return self.ended_at is None

    @property
    def is_forced(self) -> bool:
        """Whether its next step follows after the deadline even if jobs remain."""
        return self.force_reason != ""

    def is_overdue(self, now: datetime) -> bool:
        """Whether it is open after its deadline."""
        return self.is_open and self.deadline is not None and now > self.deadline
