"""What an operator wants to know first: how many nodes are well, which are not, and whether the work gets done."""

from datetime import timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Count, Max, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker

from instances.admin.lists import ErrorsFilter, SightFilter
from instances.models import Instance

State = Instance.NodeState
SILENT = 3  # heartbeats of a worker that were missed, after which there is none


class Figure(NamedTuple):
    label: str
    number: int
    url: str
    kind: str  # as of show.badge


def figures(user: Any) -> list[Figure]:
    """Numbers of the nodes that ``user`` sees, each with the list of these nodes. Two queries."""
    asked: list[tuple[str, str, Q, dict[str, str]]] = [
        ("nodes", "quiet", Q(), {}),
        ("ready", "good", Q(node_state=State.READY), {"node_state__exact": State.READY}),
        ("unavailable", "bad", Q(node_state=State.UNAVAILABLE), {"node_state__exact": State.UNAVAILABLE}),
        ("lost", "bad", SightFilter.condition("lost"), {"sight": "lost"}),
        ("with errors", "bad", ErrorsFilter.conditions["yes"], {"with_errors": "yes"}),
        ("disabled", "unsure", Q(enabled=False), {"enabled__exact": "0"}),
        ("installed, not ready yet", "unsure", Q(node_state=State.INSTALLED), {"node_state__exact": State.INSTALLED}),
        (
            "being deprovisioned",
            "unsure",
            Q(node_state=State.DEPROVISIONING),
            {"node_state__exact": State.DEPROVISIONING},
        ),
    ]
    counts = {f"n{number}": Count("pk", filter=condition) for number, (_, _, condition, _) in enumerate(asked)}
    found = Instance.objects.visible_to(user).order_by().aggregate(**counts)
    nodes = reverse("admin:instances_instance_changelist")
    told = [
        Figure(label, found[f"n{number}"], f"{nodes}?{urlencode(query)}", kind)
        for number, (label, kind, _, query) in enumerate(asked)
    ]
    return [figure for figure in told if figure.number or figure.label in ("nodes", "ready")]


def worries(user: Any) -> list[tuple[str, str]]:
    """What keeps the background work from being done, each with a page that tells more. Two queries."""
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
