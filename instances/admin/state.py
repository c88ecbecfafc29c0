"""The mirror and the mesh inspections: the state of the service. Read only, for superusers and system auditors."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances.admin import show
from instances.admin.base import ReadOnlyAdmin, mirror_of
from instances.mirror import history
from instances.models import MeshInspection, Mirror


class ServiceStateAdmin(ReadOnlyAdmin):
    def get_queryset(self, request: HttpRequest) -> Any:
        return self.model._default_manager.all()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.sees_everything)  # type: ignore[union-attr]


@admin.register(Mirror)
class MirrorAdmin(ServiceStateAdmin):
    plural = "Mirror"
    none = "This service does not mirror an AWX."
    list_display = ["shown_url", "shown_version", "state", "last_sync", "failures"]
    fieldsets = [
        (None, {"fields": ["shown_url", "shown_version", "all_jobs", "state"]}),
        ("Syncs", {"fields": ["last_sync", "took", "next_sync", "shown_records", "shown_left_out"]}),
        ("Failures", {"fields": ["failures", "failures_total", "last_failure", "shown_failure"]}),
    ]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return super().has_module_permission(request) and mirror_of(request) is not None

    @admin.display(description="mirrored AWX")
    def shown_url(self, mirror: Mirror) -> SafeString:
        return show.name(mirror.url)

    @admin.display(description="AWX version")
    def shown_version(self, mirror: Mirror) -> SafeString:
        return show.name(mirror.version)

    @admin.display(description="state")
    def state(self, mirror: Mirror) -> SafeString:
        if mirror.is_stale():
            return show.badge("bad", "Out of date")
        return show.badge("unsure", "Last syncs failed") if mirror.failures else show.badge("good", "Up to date")

    @admin.display(description="last successful sync")
    def last_sync(self, mirror: Mirror) -> SafeString | str:
        return show.when_exactly(mirror.began)

    @admin.display(description="duration")
    def took(self, mirror: Mirror) -> str:
        return f"{mirror.seconds:.1f} s"

    @admin.display(description="next sync")
    def next_sync(self, mirror: Mirror) -> SafeString | str:
        return show.when_exactly(mirror.due) if mirror.due else show.NOTHING

    @admin.display(description="records")
    def shown_records(self, mirror: Mirror) -> SafeString | str:
        rows = ((kind, counts_in_words(counts)) for kind, counts in mirror.records.items())
        return show.table("Records", ("Kind", "Number"), rows)

    @admin.display(description="records left out")
    def shown_left_out(self, mirror: Mirror) -> SafeString | str:
        numbers, names = history.left_out_by_kind(mirror), history.left_out_names(mirror)
        more = sum(numbers.values()) - len(names)
        names += [f"and {more} more"] if more > 0 else []
        table = show.table("Left out", ("Kind", "Number"), numbers.items())
        return format_html("{}{}", table, show.verbatim("\n".join(names))) if names else table

    @admin.display(description="last failure")
    def last_failure(self, mirror: Mirror) -> SafeString | str:
        return show.when_exactly(mirror.failed)

    @admin.display(description="error")
    def shown_failure(self, mirror: Mirror) -> SafeString | str:
        return show.verbatim(mirror.failure)


def counts_in_words(counts: Any) -> str:
    if not isinstance(counts, dict):
        return str(counts)
    return ", ".join(f"{name} {number}" for name, number in counts.items())


@admin.register(MeshInspection)
class MeshInspectionAdmin(ServiceStateAdmin):
    plural = "Mesh inspections"
    list_display = ["shown_inspector", "last_inspection", "state", "shown_unknown"]
    fieldsets = [
        (None, {"fields": ["shown_inspector", "last_inspection", "since", "state", "shown_error"]}),
        ("Nodes", {"fields": ["shown_unknown", "shown_unrouted"]}),
    ]
    ordering = ["inspector"]

    @admin.display(description="inspector", ordering="inspector")
    def shown_inspector(self, inspection: MeshInspection) -> SafeString:
        return show.name(inspection.inspector)

    @admin.display(description="last inspection", ordering="began")
    def last_inspection(self, inspection: MeshInspection) -> SafeString | str:
        return show.when_exactly(inspection.began)

    @admin.display(description="regular inspections since")
    def since(self, inspection: MeshInspection) -> SafeString | str:
        return show.when_exactly(inspection.watching_since)

    @admin.display(description="state")
    def state(self, inspection: MeshInspection) -> SafeString:
        if inspection.error:
            return show.badge("bad", "Failed")
        return show.badge("unsure", "Overdue") if inspection.overdue else show.badge("good", "In time")

    @admin.display(description="error")
    def shown_error(self, inspection: MeshInspection) -> SafeString | str:
        return show.verbatim(inspection.error)

    @admin.display(description="unregistered nodes")
    def shown_unknown(self, inspection: MeshInspection) -> SafeString | str:
        return show.brief(", ".join(map(str, inspection.unknown_nodes)))

    @admin.display(description="nodes without a route")
    def shown_unrouted(self, inspection: MeshInspection) -> SafeString | str:
        if inspection.unrouted is None:
            return "not known"
        return show.brief(", ".join(map(str, inspection.unrouted)))
