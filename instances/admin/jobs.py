"""The jobs of AWX that this service stores: read only, newest first."""

import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from instances.admin import show
from instances.admin.base import NewestFirstAdmin
from instances.admin.lists import ActivityFilter, JobGroupFilter
from instances.models import UnifiedJob
from instances.models.fields import HIGHEST_ID, Severity

Status = UnifiedJob.Status


@admin.register(UnifiedJob)
class UnifiedJobAdmin(NewestFirstAdmin):
    plural = "Jobs"
    list_display = ["id", "shown_name", "type", "shown_status", "node", "controller", "group", "task_impact", "began"]
    list_filter = [ActivityFilter, JobGroupFilter]
    extra_lookups = ("execution_node",)
    list_select_related = ["instance_group"]
    search_fields = ["execution_node"]  # shows the search form; get_search_results() does the search
    search_help_text = "Job id or full hostname of the execution node"
    fieldsets = [
        (None, {"fields": ["shown_name", "type", "shown_status", "node", "controller", "group", "task_impact"]}),
        ("Times", {"fields": ["made", "began_exactly", "ended", "elapsed"]}),
        ("Record in AWX", {"fields": ["shown_representation"], "classes": ["collapse"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("instance_group").defer("representation")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Search by id or execution node, which have an index."""
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
    def shown_representation(self, job: UnifiedJob) -> SafeString | str:
        return show.verbatim(json.dumps(job.representation, indent=2, ensure_ascii=False))
