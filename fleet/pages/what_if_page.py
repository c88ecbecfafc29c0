"""The planning page: what groups and fleet would be after a change. Its form is sent by GET, and nothing is changed.

``instances.planning.what_if`` has the answer, of the nodes and groups that the user sees.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from fleet.pages.planning_forms import LossForm, PlanForms
from fleet.pages.views import common_context, visible_nodes
from instances.models import Instance, InstanceGroup
from instances.node_list import NodeFilter
from instances.planning.changes import Change
from instances.planning.what_if import WhatIf, what_if
from instances.policies import Membership
from instances.reader import Reader

MOST_SENTENCES = 12  # that are shown at once
MOST_LISTED = 200  # nodes, and groups, that are listed to choose from, beside those that are chosen
Members = Mapping[int, Sequence[Instance]]


@dataclass(frozen=True, slots=True)
class Choice:
    """A node, or all nodes of a group, and what is chosen for it."""

    record: Any
    number: int  # of nodes
    removed: bool
    disabled: bool


@require_safe
@never_cache
@login_required
def planning(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    nodes = visible_nodes(user)
    groups = list(InstanceGroup.objects.visible_to(user.reader).order_by("name"))
    members = members_of(nodes, groups)
    forms = PlanForms(request.GET, nodes, groups)
    context = {
        **common_context(request),
        "tab": "planning",
        "forms": forms,
        "outcome": outcome(user.reader, forms, members),
        "sentences": MOST_SENTENCES,
        "group_choices": group_choices(forms.losses, groups, members),
        "node_choices": node_choices(forms.losses, nodes, members),
        "total": len(nodes),
        "groups": groups,
    }
    return render(request, "pages/what_if.html", context)


def members_of(nodes: Sequence[Instance], groups: Sequence[InstanceGroup]) -> Members:
    """The nodes of each group, by its id. One query."""
    by_id = {node.pk: node for node in nodes}
    members: dict[int, list[Instance]] = defaultdict(list)
    pairs = Membership.objects.filter(instancegroup__in=groups).values_list("instancegroup_id", "instance_id")
    for group, node in pairs:
        if node in by_id:
            members[group].append(by_id[node])
    return members


def outcome(reader: Reader, forms: PlanForms, members: Members) -> WhatIf | None:
    """What the chosen change would do; None where nothing is chosen, or where a choice is refused."""
    if not forms.is_valid():
        return None
    change = forms.change(members)
    if change == Change(remove=[], disable=[], add=[]) and not forms.over:
        return None
    try:
        return what_if(reader, change, forms.over)
    except ValidationError as error:
        forms.refuse(error)
        return None


# --- what can be chosen


def node_choices(form: LossForm, nodes: Sequence[Instance], members: Members) -> list[Choice]:
    """The nodes that match the filter, MOST_LISTED at most, and all that are chosen."""
    matches = NodeFilter(text=form.cleaned_data.get("q", "")).matches
    group = form.cleaned_data.get("of")
    inside = {node.pk for node in members.get(group.pk, ())} if group else {node.pk for node in nodes}
    listed = [node for node in nodes if node.pk in inside and matches(node)][:MOST_LISTED]
    return choices(form, ("remove", "disable"), nodes, {node.pk for node in listed}, {})


def group_choices(form: LossForm, groups: Sequence[InstanceGroup], members: Members) -> list[Choice]:
    """The groups with nodes that match the filter, MOST_LISTED at most, and all that are chosen."""
    text, group = form.cleaned_data.get("q", "").casefold(), form.cleaned_data.get("of")
    matching = [each for each in groups if each == group or (not group and text in each.name.casefold())]
    listed = [each.pk for each in matching if members.get(each.pk)][:MOST_LISTED]
    return choices(form, ("remove_members", "disable_members"), groups, set(listed), members)


def choices(
    form: LossForm, names: tuple[str, str], records: Sequence[Any], listed: set[int], members: Members
) -> list[Choice]:
    """Those that are chosen first."""
    removed, disabled = (set(form[name].value() or ()) for name in names)
    found = [
        Choice(each, len(members.get(each.pk, ())), str(each.pk) in removed, str(each.pk) in disabled)
        for each in records
        if each.pk in listed or str(each.pk) in removed | disabled
    ]
    return sorted(found, key=lambda choice: not (choice.removed or choice.disabled))
