"""The pages of the dashboard. Each shows the records that the user may see over the API, and is read only."""

from collections.abc import Collection
from http import HTTPStatus
from typing import Any

from django.conf import settings
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
from fleet.pages.breaking import NOWHERE, find_breaks
from fleet.pages.drain_views import NO_NODE
from fleet.pages.drawing import draw
from fleet.pages.grouping import Link
from fleet.pages.shapes import Drawing
from fleet.pages.table import Selection
from instances.mirror import guard, history
from instances.models import Instance, InstanceGroup, InstanceLink
from instances.models.fields import HIGHEST_ID
from instances.node_list import STATES, by_hostname
from instances.overview import Standing, sums
from instances.tabular import FORMATS, INSTANCES

REFRESH = 10  # seconds
REFRESH_OF_MANY = 30
MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
MANY = 1000  # nodes from which on the page is refreshed less often, as it takes the server longer


def icon(request: HttpRequest) -> HttpResponse:
    """The icon at the path that browsers request by default, also for the API and the administration."""
    return HttpResponseRedirect(static("awx_compat/icon.svg"))


@require_safe
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """The dashboard, or without a session a page about the service with a link to the login."""
    return dashboard(request) if request.user.is_authenticated else render(request, "pages/home.html")


def dashboard(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    selection = Selection(request.GET)
    opened = request.GET.getlist("open")
    nodes, groups = visible_nodes(user), visible_groups(user)
    links = all_links()
    risk = find_breaks(nodes, links) if user.sees_everything and request.GET.get("risk") == "1" else None
    drawing = draw(nodes, links, opened, risk or NOWHERE)
    add_addresses(drawing, selection, opened)
    total = sums(nodes)
    context = {
        **common_context(request),
        "refresh": REFRESH_OF_MANY if len(nodes) > MANY else REFRESH,
        "selection": selection,
        "total": total,
        "standings": [(each, total.standings[each], selection.only(each)) for each in Standing],
        "by_load": selection.query(sort="-used", page=None),
        "by_jobs": selection.query(sort="-jobs", page=None),
        "drawing": drawing,
        "risk": risk,
        "toggled_risk": selection.query(risk=None if risk else "1"),
        "page": selection.page(members(nodes, selection.group, groups)),
        "groups": groups.items(),
        "types": Instance.NodeType.choices,
        "states": STATES.items(),
    }
    return render(request, "pages/dashboard.html", context)


def visible_nodes(user: Any) -> list[Instance]:
    """In the order of their hostnames."""
    return sorted(Instance.objects.visible_to(user.reader).with_load(), key=by_hostname)


def visible_groups(user: Any) -> dict[int, str]:
    """Their names, in order, by their ids."""
    return dict(InstanceGroup.objects.visible_to(user.reader).order_by("name").values_list("pk", "name"))


@require_safe
@never_cache
@login_required
def node_list(request: HttpRequest, form: str) -> HttpResponse:
    """The table of the dashboard as a file in CSV or JSON: with its filters, in its order, and all pages of it."""
    selection, user = Selection(request.GET), request.user
    nodes = selection.choose(members(visible_nodes(user), selection.group, visible_groups(user)))
    response = HttpResponse("".join(FORMATS[form](INSTANCES, nodes)), content_type=MEDIA_TYPES[form])
    response["Content-Disposition"] = f'attachment; filename="nodes-{timezone.now():%Y-%m-%dT%H%MZ}.{form}"'
    return response


def common_context(request: HttpRequest) -> dict[str, Any]:
    """The context of all pages. One query; on a mirror, one more for superusers and auditors."""
    user: Any = request.user
    mirror = guard.current()
    left_out = history.number_left_out(mirror) if mirror and user.sees_everything else 0
    return {
        "now": timezone.now(),
        "refresh": REFRESH,
        "mirror": mirror,
        "spoken": settings.AWX_VERSION,
        "left_out": left_out,
    }


def all_links() -> list[Link]:
    return list(InstanceLink.objects.order_by("pk").values_list("source_id", "target__instance_id", "link_state"))


def add_addresses(drawing: Drawing, selection: Selection, opened: list[str]) -> None:
    """Add to the drawing the addresses that open and close its tiers and boxes."""
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
    """The nodes in the group; all nodes if ``group`` is None."""
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
    """One node: how its capacity is calculated, the jobs that use it, and the reasons for its state."""
    user: Any = request.user
    readable = Instance.objects.visible_to(user.reader).with_load().with_addressed_links().with_conditions()
    found = readable.filter(pk=pk).first() if pk <= HIGHEST_ID else None
    if found is None:
        return error_page(request, HTTPStatus.NOT_FOUND, *NO_NODE)
    context = common_context(request)
    context |= {"back": back(request), **node_page.context_of(found, user.reader, context["now"])}
    return render(request, "pages/node.html", context)


def back(request: HttpRequest) -> str:
    """The address of the dashboard with its filters, which the address of a node's page contains too."""
    return f"{reverse('home')}?{request.GET.urlencode()}" if request.GET else reverse("home")
