"""The planning pages: what would change, and whether a job would run. Their forms are sent by GET, and nothing changes.

Each shows what ``instances.planning`` answers, for the nodes and groups that the user sees.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from fleet.pages.planning_forms import AddedNodes, LossForm, Policies, with_rows
from fleet.pages.views import common_context, visible_nodes
from instances.models import Instance, InstanceGroup

MOST_LISTED = 200  # nodes that are listed to choose from, beside those that are chosen


@dataclass(frozen=True, slots=True)
class NodeRow:
    node: Instance
    removed: bool
    disabled: bool


@dataclass(frozen=True, slots=True)
class GroupRow:
    pk: int
    name: str
    number: int
    removed: bool
    disabled: bool


@require_safe
@never_cache
@login_required
def what_if(request: HttpRequest) -> HttpResponse:
    """What the groups and the fleet would be after a change."""
    user: Any = request.user
    nodes = visible_nodes(user)
    groups = list(InstanceGroup.objects.visible_to(user.reader).order_by("name"))
    data = with_rows(request.GET, "add", "policy")
    losses = LossForm(data, nodes, groups)
    added = AddedNodes(data, prefix="add", form_kwargs={"groups": groups})
    policies = Policies(data, prefix="policy", form_kwargs={"groups": groups})
    context = {
        **common_context(request),
        "tab": "planning",
    }
    return render(request, "pages/what_if.html", context)
