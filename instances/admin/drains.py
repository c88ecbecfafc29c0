"""Drains: the actions on nodes that begin and undo them, and the list of all that were."""

from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances import drains
from instances.admin import show
from instances.admin.base import MeshAdmin, NewestFirstAdmin
from instances.admin.lists import ChoiceFilter
from instances.drain_form import DrainForm
from instances.models import Drain, User


class DrainActions(MeshAdmin):
    """The actions of the list of nodes, and of a node's page, that drain nodes."""

    def get_queryset(self, request: HttpRequest) -> Any:
        """The nodes, annotated with ``is_draining``."""
        open_drains = Drain.objects.open().filter(instance=OuterRef("pk"))
        return super().get_queryset(request).annotate(is_draining=Exists(open_drains))

    @admin.action(description="Drain …", permissions=["change"])
    def drain(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Drain the nodes, all or none of them."""
        nodes = self.selected(request, queryset)
        form = DrainForm(request.POST if self.is_confirmed(request) else None)
        if nodes and not form.begin([node.pk for node in nodes], cast(User, request.user)):
            return self.confirmation_page(
                request,
                nodes,
                title="Drain nodes",
                explanation="The nodes get no new jobs, and their jobs go on until they end. All of them are drained, "
                "or none if one is refused.",
                details=draining_table(nodes),
                button="Drain",
                form=form,
            )
        for node in nodes:
            self.log_change(request, node, f"Drained: {form.cleaned_data['reason']}")
        if nodes:
            self.message_user(request, f"{len(nodes)} being drained.", messages.SUCCESS)
        return HttpResponseRedirect((request.POST.get("back") and self.back(nodes)) or request.get_full_path())

    @admin.action(description="Undo drain", permissions=["change"])
    def undo_drain(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        nodes, user = self.selected(request, queryset), cast(User, request.user)
        return self.run_action(
            request, nodes, lambda node: drains.undo(node.pk, user), "no longer being drained", "Drain undone."
        )


def draining_table(nodes: list[Any]) -> SafeString | str:
    """The nodes, and how many jobs each has yet to finish. One query."""
    jobs = drains.remaining_jobs(nodes)
    rows = ((show.name(node), node.get_node_state_display(), len(jobs[node.pk])) for node in nodes)
    return show.table("Nodes to be drained", ("Node", "State", "Active jobs"), rows)


class OpenFilter(ChoiceFilter):
    title = "state"
    parameter_name = "state"
    options = (("open", "Open"), ("ended", "Ended"))
    conditions = {"open": Q(ended_at=None), "ended": Q(ended_at__isnull=False)}


@admin.register(Drain)
class DrainAdmin(NewestFirstAdmin):
    plural = "Drains"
    list_display = ["shown_node", "shown_reason", "requester", "since", "due", "then", "shown_end"]
    list_filter = [OpenFilter]
    fieldsets = [
        (None, {"fields": ["shown_node", "shown_reason", "requester", "since", "due", "then", "shown_force"]}),
        ("End", {"fields": ["without_jobs", "shown_end", "ender"]}),
    ]

    @admin.display(description="node")
    def shown_node(self, drain: Drain) -> SafeString:
        return show.name(drain.hostname)

    @admin.display(description="reason")
    def shown_reason(self, drain: Drain) -> SafeString | str:
        return show.name(drain.reason)

    @admin.display(description="requested by")
    def requester(self, drain: Drain) -> SafeString | str:
        return show.name(drain.requested_by_name) if drain.requested_by_name else "a command"

    @admin.display(description="next step")
    def then(self, drain: Drain) -> str:
        return drain.get_then_display()

    @admin.display(description="end")
    def shown_end(self, drain: Drain) -> SafeString | str:
        if drain.ended_at:
            return format_html("{}, {}", drain.get_ended_how_display(), show.when(drain.ended_at))
        return show.badge("unsure", "Drained" if drain.drained_at else "Draining")

    @admin.display(description="undone by")
    def ender(self, drain: Drain) -> SafeString | str:
        return show.name(drain.ended_by_name) if drain.ended_by_name else show.NOTHING

    @admin.display(description="forced")
    def shown_force(self, drain: Drain) -> SafeString | str:
        return show.name(drain.force_reason) if drain.is_forced else "no"

    since = admin.display(description="since")(lambda self, drain: show.when_exactly(drain.began))
    due = admin.display(description="deadline")(
        lambda self, drain: show.when_exactly(drain.deadline) if drain.deadline else "none"
    )
    without_jobs = admin.display(description="without jobs since")(
        lambda self, drain: show.when_exactly(drain.drained_at) if drain.drained_at else "there are some"
    )
