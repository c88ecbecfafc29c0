"""Removing nodes, by actions on the pages of instances: when their jobs have ended, at once, and undoing it."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Prefetch, Q, prefetch_related_objects
from django.http import HttpRequest, HttpResponseRedirect
from django.utils.safestring import SafeString

from instances import lifecycle, removals, rules
from instances.addresses import DIALLED
from instances.admin import show
from instances.admin.base import MeshAdmin
from instances.admin.forms import RemovalReasonForm
from instances.models import Instance, InstanceGroup, InstanceLink, UnifiedJob
from instances.removals import REMOVAL

MOST_JOBS = 20  # active jobs that are listed before a node is removed


class RemovalAdmin(MeshAdmin):
    """The actions by which nodes leave, each confirmed on a page that names what ends."""

    @admin.action(description="Deprovision …", permissions=["change"])
    def deprovision(self, request: HttpRequest, queryset: Any) -> Any:
        nodes = self.selected(request, queryset)
        if nodes and not self.is_confirmed(request):
            return self.confirmation_page(
                request,
                nodes,
                title="Deprovision nodes",
                explanation="Once the active jobs of a node have ended, the node is deleted with its links and"
                " memberships. Until then this can be undone.",
                details=consequences(nodes),
                button="Deprovision",
            )
        return self.run_action(
            request, nodes, lambda node: removals.request(node.pk), "being deprovisioned", "Deprovisioned."
        )

    @admin.action(description="Undo deprovisioning", permissions=["change"])
    def undo_deprovisioning(self, request: HttpRequest, queryset: Any) -> Any:
        nodes = self.selected(request, queryset)
        return self.run_action(
            request, nodes, lambda node: removals.undo(node.pk), "no longer being deprovisioned", "Not deprovisioned."
        )

    @admin.action(description="Force removal …", permissions=["change"])
    def force_removal(self, request: HttpRequest, queryset: Any) -> Any:
        nodes = self.selected(request, queryset)
        form = RemovalReasonForm(request.POST if self.is_confirmed(request) else None)
        if nodes and not form.is_valid():
            return self.confirmation_page(
                request,
                nodes,
                title="Force the removal of nodes",
                explanation="These nodes are deleted at once with their links and memberships, though jobs run there."
                " AWX may go on running these jobs; they stay known by the hostname. This cannot be undone.",
                details=consequences(nodes),
                button="Remove now",
                form=form,
            )
        reason = form.cleaned_data["reason"] if nodes else ""
        answer = self.run_action(
            request, nodes, lambda node: removals.force(node.pk, reason), "removed", f"Removed by force: {reason}"
        )
        return HttpResponseRedirect(self.url_of("changelist")) if "back" in request.POST else answer


def node_table(nodes: list[Instance]) -> SafeString | str:
    rows = ((show.name(node), node.get_node_type_display(), node.get_node_state_display()) for node in nodes)
    return show.table("Nodes", ("Node", "Type", "State"), rows)


def consequences(nodes: list[Any]) -> SafeString | str:
    """A table of the jobs, links and groups of each node to be removed. Five queries for any number of nodes."""
    groups = InstanceGroup.objects.only("name").order_by("name")
    prefetch_related_objects(nodes, Prefetch("rampart_groups", groups), DIALLED)
    ends, jobs = ends_of({node.pk for node in nodes}), active_jobs(nodes)
    rows = (
        (
            show.name(node),
            refusal(node) or "yes",
            job_summary(node, jobs.get(node.hostname, [])),
            show.names(ends[node.pk]),
            show.names(group.name for group in node.rampart_groups.all()),
        )
        for node in nodes
    )
    return show.table(
        "Nodes to be removed", ("Node", "Can be removed", "Active jobs", "Links", "Instance groups"), rows
    )


def ends_of(pks: set[int]) -> dict[int, list[str]]:
    """The links of each node, as texts, by the node's id."""
    ends: dict[int, list[str]] = {pk: [] for pk in pks}
    links = InstanceLink.objects.filter(Q(source__in=pks) | Q(target__instance__in=pks))
    for link in links.select_related("source", "target").order_by("pk"):
        for pk in pks & {link.source_id, link.target.instance_id}:
            ends[pk].append(str(link))
    return ends


def may_be_removed(node: Instance) -> bool:
    """Whether nodes like this can be deprovisioned. Without a query, which ``refusal()`` may need."""
    try:
        rules.current().CHECKS["node_state"](node, Instance.NodeState.DEPROVISIONING)
    except ValidationError:
        return False
    return True


def refusal(node: Instance) -> str:
    """The reason why the node cannot be deprovisioned; "" if it can."""
    try:
        lifecycle.checked(node, REMOVAL)
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


def active_jobs(nodes: list[Instance]) -> dict[str, list[int]]:
    """The ids of the newest active jobs of these nodes, by hostname: at most MOST_JOBS of all nodes together."""
    hostnames = [node.hostname for node in nodes if node.load.jobs_running]
    number = min(MOST_JOBS, sum(node.load.jobs_running for node in nodes))
    jobs = UnifiedJob.objects.active().filter(execution_node__in=hostnames).order_by("-pk")
    found: dict[str, list[int]] = {}
    for hostname, pk in jobs.values_list("execution_node", "pk")[:number] if number > 0 else ():
        found.setdefault(hostname, []).append(pk)
    return found


def job_summary(node: Instance, pks: list[int]) -> str:
    if node.load.jobs_running <= 0:
        return "none"
    more = node.load.jobs_running - len(pks)
    ids = ", ".join([*map(str, pks), *([f"{more} more"] if more > 0 else [])])
    return f"{node.load.jobs_running}: {ids}"
