"""The background jobs in procrastinate's tables: waiting, running, finished and failed."""

import json
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob
from procrastinate.exceptions import UniqueViolation

from instances.admin import show
from instances.admin.base import NewestFirstAdmin
from instances.admin.lists import ChoiceFilter
from instances.monitoring import own_tasks

KINDS = {"succeeded": "good", "failed": "bad", "aborted": "bad", "cancelled": "unsure"}
WORDS = {"todo": "waiting", "doing": "running"}


class StatusFilter(ChoiceFilter):
    title = "status"
    parameter_name = "status"
    options = tuple((status, WORDS.get(status, status)) for status in ProcrastinateJob.STATUSES)

    def select(self, queryset: Any, choice: str) -> Any:
        return queryset.filter(status=choice)


class TaskFilter(ChoiceFilter):
    title = "task"
    parameter_name = "task"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(task, task.replace("_", " ")) for task in own_tasks()]

    def select(self, queryset: Any, choice: str) -> Any:
        return queryset.filter(task_name=choice)


@admin.register(ProcrastinateJob)
class BackgroundJobAdmin(NewestFirstAdmin):
    """For superusers only: the API does not show these jobs."""

    plural = "Background jobs"
    list_display = ["id", "task", "arguments", "shown_status", "attempts", "last_event", "scheduled"]
    list_filter = [StatusFilter, TaskFilter]
    actions = ["retry", "cancel"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "task",
                    "arguments",
                    "shown_status",
                    "attempts",
                    "scheduled_exactly",
                    "priority",
                    "queue_name",
                    "queueing_lock",
                    "worker",
                    "events",
                ]
            },
        )
    ]

    def get_queryset(self, request: HttpRequest) -> Any:
        latest = ProcrastinateEvent.objects.filter(job=OuterRef("pk")).order_by("-pk")
        jobs = ProcrastinateJob.objects.all()
        return jobs.annotate(event=Subquery(latest.values("type")[:1]), event_at=Subquery(latest.values("at")[:1]))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    @admin.display(description="task")
    def task(self, job: ProcrastinateJob) -> str:
        return job.task_name.replace("_", " ")

    @admin.display(description="arguments")
    def arguments(self, job: ProcrastinateJob) -> SafeString | str:
        return show.brief(", ".join(f"{name}={json.dumps(value)}" for name, value in job.args.items()))

    @admin.display(description="status")
    def shown_status(self, job: ProcrastinateJob) -> SafeString:
        return show.badge(KINDS.get(job.status, "quiet"), WORDS.get(job.status, job.status))

    @admin.display(description="last event")
    def last_event(self, job: Any) -> SafeString | str:
        return format_html("{} {}", job.event.replace("_", " "), show.when(job.event_at)) if job.event else show.NOTHING

    @admin.display(description="not before")
    def scheduled(self, job: ProcrastinateJob) -> SafeString | str:
        return show.when(job.scheduled_at) if job.scheduled_at else show.NOTHING

    @admin.display(description="not before")
    def scheduled_exactly(self, job: ProcrastinateJob) -> SafeString | str:
        return show.when_exactly(job.scheduled_at) if job.scheduled_at else show.NOTHING

    @admin.display(description="events")
    def events(self, job: ProcrastinateJob) -> SafeString | str:
        found = ProcrastinateEvent.objects.filter(job=job).order_by("-pk")[:100]
        rows = ((event.type.replace("_", " "), show.when_exactly(event.at)) for event in found)
        return show.table("Events", ("Event", "When"), rows)

    @admin.action(description="Retry failed jobs", permissions=["operate"])
    def retry(self, request: HttpRequest, queryset: Any) -> Any:
        return self.run_action(request, self.selected(request, queryset), retry, "queued again", "Queued again.")

    @admin.action(description="Cancel waiting jobs", permissions=["operate"])
    def cancel(self, request: HttpRequest, queryset: Any) -> Any:
        return self.run_action(request, self.selected(request, queryset), cancel, "cancelled", "Cancelled.")


def retry(job: ProcrastinateJob) -> None:
    if job.status != "failed":
        raise ValidationError("The job has not failed.")
    try:
        app.job_manager.retry_job_by_id(job.id, timezone.now(), job.priority, job.queue_name, job.lock)
    except UniqueViolation:
        raise ValidationError("Another job of this task is already waiting.") from None


def cancel(job: ProcrastinateJob) -> None:
    if not app.job_manager.cancel_job_by_id(job.id, abort=False):
        raise ValidationError("The job is not waiting.")
