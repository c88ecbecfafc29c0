from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

MISSED_SYNCS = 3  # in a row, after which a mirror is older than it should be


class Mirror(models.Model):
    """The AWX that this service mirrors, and the results of its syncs. There is at most one row.

    While it exists, the database lets only a sync change the mirrored tables (migration 0002_guard).
    """

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY)
    url = models.CharField(max_length=2000)
    version = models.CharField(max_length=120, help_text="Of that AWX.")
    all_jobs = models.BooleanField(default=False, help_text="Whether jobs that have ended are copied too.")
    copied_to = models.BigIntegerField(default=0, help_text="Every job with an id up to this one was copied.")
    every = models.FloatField(null=True, help_text="Seconds from one sync to the next, where they are repeated.")
    began = models.DateTimeField(help_text="When the last sync that succeeded began to read.")
    finished = models.DateTimeField(help_text="When it was written.")
    records = models.JSONField(default=dict, help_text="By kind, how many there are and how many it changed.")
    left_out = models.JSONField(default=dict, help_text="By kind, how many records AWX has that cannot be held here.")
    left_out_names = models.JSONField(default=list, help_text="Which they are, and why: the first ones.")
    failures = models.PositiveIntegerField(default=0, help_text="Syncs that failed since.")
    failures_total = models.PositiveIntegerField(default=0)
    failed = models.DateTimeField(null=True, help_text="When the last one failed.")
    failure = models.TextField(blank=True, default="", help_text="Why.")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="mirror_is_the_only_one")]

    def __str__(self) -> str:
        return self.url

    @property
    def seconds(self) -> float:
        """How long the last sync took."""
        return max(0.0, (self.finished - self.began).total_seconds())

    def age(self, now: datetime | None = None) -> float:
        """Age of the mirrored data in seconds."""
        return max(0.0, ((now or timezone.now()) - self.began).total_seconds())

    @property
    def oldest(self) -> float | None:
        """The age in seconds from which on the mirror is stale; None where nothing says how old it may be."""
        if settings.MIRROR_STALE_AFTER:
            return float(settings.MIRROR_STALE_AFTER)
        return None if self.every is None else MISSED_SYNCS * max(self.every, self.seconds) + self.seconds

    def is_stale(self, now: datetime | None = None) -> bool:
        return self.oldest is not None and self.age(now) > self.oldest

    @property
    def due(self) -> datetime | None:
        """When the next sync should begin."""
        return None if self.every is None else self.began + timedelta(seconds=self.every)


class LeftOutJob(models.Model):
    """A job of the mirrored AWX that cannot be stored here, where all jobs are copied: it counts among those read."""

    id = models.BigIntegerField(primary_key=True)
    ended = models.BooleanField(help_text="Whether it had ended when it was read; if not, it may fit once it has.")

    def __str__(self) -> str:
        return str(self.pk)
