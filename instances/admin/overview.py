"""The first page of the administration: numbers of nodes by status, and warnings."""

from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.http import urlencode
from procrastinate.contrib.django.models import ProcrastinateJob

from instances import tasks
from instances.admin import show
from instances.admin.lists import LastContactFilter
from instances.mirror import history
from instances.models import Instance, Mirror
from instances.overview import Standing, sums


class Figure(NamedTuple):
    label: str
    number: int
    url: str
    kind: str  # as of show.badge


def figures(user: Any) -> list[Figure]:
    """Numbers of the nodes that ``user`` sees, counted as on the dashboard, each with the address of their list.

    Three queries. Lost nodes are also counted in the other numbers.
    """
    nodes = Instance.objects.visible_to(user.reader)
    total = sums(nodes.with_load())
    lost = nodes.filter(LastContactFilter.condition("lost")).count()
    found = [
        figure("nodes", total.nodes, "quiet", {}),
        *(figure(each.label.lower(), total.standings[each], each.severity, {"standing": each}) for each in Standing),
        figure("lost", lost, "bad", {"sight": "lost"}),
    ]
    return [each for each in found if each.number or each.label in ("nodes", "ready")]


def figure(label: str, number: int, kind: str, query: dict[str, str]) -> Figure:
    return Figure(label, number, f"{reverse('admin:instances_instance_changelist')}?{urlencode(query)}", kind)


def warnings(user: Any, mirror: Mirror | None) -> list[tuple[str, str]]:
    """Warnings for operators, each with the address of a page with details. Three queries at most."""
    return [*background_work(user), *left_out(user, mirror)]


def left_out(user: Any, mirror: Mirror | None) -> list[tuple[str, str]]:
    """A warning with the number of records of the mirrored AWX that are left out. One query."""
    if mirror is None or not user.sees_everything:
        return []
    number = history.number_left_out(mirror)
    if not number:
        return []
    records = "1 record of the mirrored AWX is" if number == 1 else f"{number} records of the mirrored AWX are"
    return [(f"{records} left out here.", show.url(mirror))]


def background_work(user: Any) -> list[tuple[str, str]]:
    """Warnings about background work: no running worker, failed jobs. Two queries."""
    if not user.is_superuser:
        return []
    jobs = reverse("admin:procrastinate_procrastinatejob_changelist")
    found = []
    silence = tasks.current_silence()
    if silence is None or silence > tasks.longest_silence():
        found.append(
            ("No worker is running: policies, removals and health checks wait. Start “awx-instances worker”.", jobs)
        )
    failed = ProcrastinateJob.objects.filter(status="failed").count()
    if failed:
        found.append((f"{failed} background jobs failed.", f"{jobs}?status=failed"))
    return found
