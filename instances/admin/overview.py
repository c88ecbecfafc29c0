"""What an operator wants to know first: how many nodes are well, which are not, and whether the work gets done."""

from datetime import timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Max
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker

from instances.admin import show
from instances.admin.lists import SightFilter
from instances.mirror import history
from instances.models import Instance, Mirror
from instances.overview import Standing, sums

KINDS = {Standing.FAULT: "bad", Standing.CHANGING: "unsure", Standing.DISABLED: "unsure", Standing.READY: "good"}
SILENT = 3  # heartbeats of a worker that were missed, after which there is none


class Figure(NamedTuple):
    label: str
    number: int
    url: str
    kind: str  # as of show.badge


def figures(user: Any) -> list[Figure]:
    """Numbers of the nodes that ``user`` sees, counted as the dashboard does, each with the list of these nodes.

    Three queries. The lost ones are a part of the others, by what was noted of them here.
    """
    nodes = Instance.objects.visible_to(user.reader)
    total = sums(nodes.with_load())
    lost = nodes.filter(SightFilter.condition("lost")).count()
    told = [
        figure("nodes", total.nodes, "quiet", {}),
        *(figure(each.label.lower(), total.standings[each], KINDS[each], {"standing": each}) for each in Standing),
        figure("lost", lost, "bad", {"sight": "lost"}),
    ]
    return [each for each in told if each.number or each.label in ("nodes", "ready")]


def figure(label: str, number: int, kind: str, query: dict[str, str]) -> Figure:
    return Figure(label, number, f"{reverse('admin:instances_instance_changelist')}?{urlencode(query)}", kind)


def worries(user: Any, mirror: Mirror | None) -> list[tuple[str, str]]:
    """What an operator should know of, each with a page that tells more. Three queries at most."""
    return [*undone(user), *left_out(user, mirror)]


def left_out(user: Any, mirror: Mirror | None) -> list[tuple[str, str]]:
    """How many records of the mirrored AWX are not here. One query."""
    if mirror is None or not user.sees_everything:
        return []
    number = history.number_left_out(mirror)
    if not number:
        return []
    records = "1 record of the mirrored AWX is" if number == 1 else f"{number} records of the mirrored AWX are"
    return [(f"{records} left out here.", show.url(mirror))]


def undone(user: Any) -> list[tuple[str, str]]:
    """What keeps the background work from being done. Two queries."""
    if not user.is_superuser:
        return []
    jobs = reverse("admin:procrastinate_procrastinatejob_changelist")
    found = []
    heard = ProcrastinateWorker.objects.aggregate(last=Max("last_heartbeat"))["last"]
    if heard is None or timezone.now() - heard > timedelta(seconds=SILENT * settings.WORKER_HEARTBEAT):
        found.append(("No worker runs: policies, removals and health checks wait. Start “manage.py worker”.", jobs))
    failed = ProcrastinateJob.objects.filter(status="failed").count()
    if failed:
        found.append((f"{failed} background jobs failed.", f"{jobs}?status=failed"))
    return found
