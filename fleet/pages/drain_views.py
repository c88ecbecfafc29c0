"""Draining a node from its page, undoing that, and the list of open drains."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from awx_compat.bases import error_page
from instances import drains
from instances.drain_form import DrainForm
from instances.drains import DrainProgress
from instances.models import Drain, Instance
from instances.models.fields import HIGHEST_ID
from instances.node_list import natural
from instances.reader import Reader
from instances.refusals import ERRORS, reason_of

NO_NODE = ("Node not found", "The node does not exist, or you may not see it.")
MOST_DRAINS = 200  # of the list


@dataclass(frozen=True, slots=True)
class OpenDrain:
    """An open drain with its jobs, and whether its deadline has passed."""

    drain: Drain
    progress: DrainProgress
    is_overdue: bool

    @property
    def state(self) -> str:
        if self.drain.drained_at:
            return "Drained"
        return "Overdue" if self.is_overdue else "Draining"


def open_drains(found: list[Drain], now: datetime) -> list[OpenDrain]:
    """Those whose node is still there, with two queries for any number of them, and none for none."""
    progress = drains.progress_of(found, now) if found else {}
    return [OpenDrain(each, progress[each.pk], each.is_overdue(now)) for each in found if each.pk in progress]


def drain_of(node: Instance, now: datetime) -> OpenDrain | None:
    """The open drain of the node."""
    found = list(Drain.objects.open().of_present_nodes().with_jobs().filter(instance=node))
    return next(iter(open_drains(found, now)), None)


def may_drain(reader: Reader) -> bool:
    """Whether the reader may disable instances, as a drain does: superusers may."""
    return reader.is_superuser


def visible_node(reader: Reader, pk: int) -> Instance | None:
    nodes = Instance.objects.visible_to(reader)
    return nodes.filter(pk=pk).first() if pk <= HIGHEST_ID else None


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def drain(request: HttpRequest, pk: int) -> HttpResponse:
    """The form on a page of its own, which shows what refused the drain."""
    user: Any = request.user
    node = visible_node(user.reader, pk)
    if node is None:
        return error_page(request, HTTPStatus.NOT_FOUND, *NO_NODE)
    if not may_drain(user.reader):
        raise PermissionDenied
    form = DrainForm(request.POST or None)
    if request.method == "POST" and form.begin([pk], user):
        messages.success(request, "The node is being drained: it gets no new jobs.")
        return redirect("node", pk)
    return render(request, "pages/drain.html", {"node": node, "form": form})


@require_POST
@never_cache
@login_required
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    user: Any = request.user
    if visible_node(user.reader, pk) is None:
        return error_page(request, HTTPStatus.NOT_FOUND, *NO_NODE)
    if not may_drain(user.reader):
        raise PermissionDenied
    try:
        drains.undo(pk, user)
    except ERRORS as error:
        messages.error(request, reason_of(error))
    else:
        messages.success(request, "The drain was undone.")
    return redirect("node", pk)


@require_safe
@never_cache
@login_required
def drain_list(request: HttpRequest) -> HttpResponse:
    """The open drains of the nodes that the user sees, by hostname."""
    user: Any = request.user
    found = list(Drain.objects.open().with_jobs().visible_to(user.reader).order_by("pk")[: MOST_DRAINS + 1])
    listed = sorted(found[:MOST_DRAINS], key=lambda each: natural(each.hostname))
    context = {
        "tab": "drains",
        "drains": open_drains(listed, timezone.now()),
        "most_drains": MOST_DRAINS,
        "is_cut": len(found) > MOST_DRAINS,
        "may_drain": may_drain(user.reader),
        "sees_jobs": user.sees_everything,
    }
    return render(request, "pages/drains.html", context)
