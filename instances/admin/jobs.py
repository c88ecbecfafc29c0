"""AWX's jobs, as far as this service keeps them: to look at, newest first."""

import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from instances.admin import show
from instances.admin.base import UncountedAdmin
from instances.admin.lists import ActivityFilter, JobGroupFilter
from instances.models import UnifiedJob
from instances.models.fields import HIGHEST_ID, Severity

Status = UnifiedJob.Status


@admin.register(UnifiedJob)
class UnifiedJobAdmin(UncountedAdmin):
    plural = "Jobs"
    list_display = ["id", "shown_name", "type", "shown_status", "node", "controller", "group", "task_impact", "began"]
    list_filter = [ActivityFilter, JobGroupFilter]
    more_lookups = ("execution_node",)
    list_select_related = ["instance_group"]
    search_fields = ["execution_node"]  # what is searched, get_search_results() says
    search_help_text = "The id of a job, or the whole hostname of its execution node"
    fieldsets = [
        (None, {"fields": ["shown_name", "type", "shown_status", "node", "controller", "group", "task_impact"]}),
        ("Times", {"fields": ["made", "began_exactly", "ended", "elapsed"]}),
        ("As AWX told it", {"fields": ["told"], "classes": ["collapse"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("instance_group").defer("representation")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By what an index finds."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if term.isascii() and term.isdecimal():
            return queryset.filter(pk=min(int(term), HIGHEST_ID)), False
        return queryset.filter(execution_node=term), False

    @admin.display(description="name")
    def shown_name(self, job: UnifiedJob) -> SafeString | str:
        return show.brief(job.name)

    @admin.display(description="status")
    def shown_status(self, job: UnifiedJob) -> SafeString:
        return show.badge(Status.severity_of(job.status, Severity.QUIET), job.get_status_display())

    @admin.display(description="execution node")
    def node(self, job: UnifiedJob) -> SafeString:
        return show.name(job.execution_node or show.NOTHING)

    @admin.display(description="controller node")
    def controller(self, job: UnifiedJob) -> SafeString:
        return show.name(job.controller_node or show.NOTHING)

    @admin.display(description="instance group")
    def group(self, job: UnifiedJob) -> SafeString:
        return show.name(job.instance_group or show.NOTHING)

    @admin.display(description="started")
    def began(self, job: UnifiedJob) -> SafeString | str:
        return show.when(job.started)

    made = admin.display(description="created")(lambda self, job: show.when_exactly(job.created))
    began_exactly = admin.display(description="started")(lambda self, job: show.when_exactly(job.started))
    ended = admin.display(description="finished")(lambda self, job: show.when_exactly(job.finished))

    @admin.display(description="job")
    def told(self, job: UnifiedJob) -> SafeString | str:
        return show.verbatim(json.dumps(job.representation, indent=2, ensure_ascii=False))
