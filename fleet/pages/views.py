"""The pages. Each shows what the API would tell the same user, and changes nothing."""

from collections.abc import Collection
from http import HTTPStatus
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from awx_compat.bases import error_page
from fleet.pages import node_page
from fleet.pages.drawing import draw
from fleet.pages.grouping import Link
from fleet.pages.shapes import Drawing
from fleet.pages.table import STATES, Selection, by_hostname
from instances.mirror import guard, history
from instances.models import Instance, InstanceGroup, InstanceLink
from instances.models.fields import HIGHEST_ID
from instances.overview import Standing, sums

REFRESH = 10  # seconds
REFRESH_OF_MANY = 30
MANY = 1000  # nodes, whose page costs a server noticeably more


def icon(request: HttpRequest) -> HttpResponse:
    """What browsers ask for beside any page, those of the API and the administration too."""
    return HttpResponseRedirect(static("pages/icon.svg"))


@require_safe
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """The dashboard; whoever is not logged in is told what this is and where to log in."""
    return dashboard(request) if request.user.is_authenticated else render(request, "pages/home.html")


def dashboard(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    selection = Selection(request.GET)
    opened = request.GET.getlist("open")
    nodes = sorted(Instance.objects.visible_to(user.reader).with_load(), key=by_hostname)
    groups = dict(InstanceGroup.objects.visible_to(user.reader).order_by("name").values_list("pk", "name"))
    drawing = draw(nodes, all_links(), opened)
    lead_on(drawing, selection, opened)
    total = sums(nodes)
    context = {
        **frame(request),
        "refresh": REFRESH_OF_MANY if len(nodes) > MANY else REFRESH,
        "selection": selection,
        "total": total,
        "standings": [(each, total.standings[each], selection.only(each)) for each in Standing],
        "by_load": selection.query(sort="-used", page=None),
        "by_jobs": selection.query(sort="-jobs", page=None),
        "drawing": drawing,
        "page": selection.page(members(nodes, selection.group, groups)),
        "groups": groups.items(),
        "types": Instance.NodeType.choices,
        "states": STATES.items(),
    }
    return render(request, "pages/dashboard.html", context)


def frame(request: HttpRequest) -> dict[str, Any]:
    """What each page tells beside its own matter. One query, and on a mirror one more for who sees everything."""
    user: Any = request.user
    mirror = guard.current()
    left_out = history.number_left_out(mirror) if mirror and user.sees_everything else 0
    return {"now": timezone.now(), "refresh": REFRESH, "mirror": mirror, "left_out": left_out}


def all_links() -> list[Link]:
    return list(InstanceLink.objects.order_by("pk").values_list("source_id", "target_id", "link_state"))


def lead_on(drawing: Drawing, selection: Selection, opened: list[str]) -> None:
    """Write into the drawing which addresses open and close what is in it."""
    for band in drawing.bands:
        name = band.tier.value
        others = [each for each in opened if each != name and not each.startswith(f"{name}-")]
        band.opens = selection.query(open=[*others, name]) if band.has_closed else ""
        band.closes = selection.query(open=others) if others != opened else ""
    for piece in drawing.pieces:
        if piece.closed:
            piece.query = selection.query(open=[*opened, piece.key])
        elif piece.key in opened:
            piece.query = selection.query(open=[each for each in opened if each != piece.key])


def members(nodes: list[Instance], group: int | None, visible_groups: Collection[int]) -> list[Instance]:
    """Those of the nodes that are in the group; all of them where none is asked for."""
    if group is None:
        return nodes
    if group not in visible_groups:
        return []
    through = InstanceGroup.instances.through.objects.filter(instancegroup=group)
    pks = set(through.values_list("instance", flat=True))
    return [node for node in nodes if node.pk in pks]


@require_safe
@never_cache
@login_required
def node(request: HttpRequest, pk: int) -> HttpResponse:
    """One node: its capacity, number by number, what takes it, and why the node is in its state."""
    user: Any = request.user
    readable = Instance.objects.visible_to(user.reader).with_load().with_links().with_conditions()
    found = readable.filter(pk=pk).first() if pk <= HIGHEST_ID else None
    if found is None:
        return error_page(request, HTTPStatus.NOT_FOUND, "No such node", "It does not exist, or you may not see it.")
    return render(
        request, "pages/node.html", {**frame(request), "back": back(request), **node_page.told(found, user.reader)}
    )


def back(request: HttpRequest) -> str:
    """The dashboard as it was left: a node's page keeps the query of the dashboard that led to it."""
    return f"{reverse('home')}?{request.GET.urlencode()}" if request.GET else reverse("home")
