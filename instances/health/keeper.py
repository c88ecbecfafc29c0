"""What a worker does regularly, whether or not anybody asks for it."""

import logging
import time
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from instances.health import mesh, receptor
from instances.health.probes import own_report
from instances.health.recording import record
from instances.health.report import ProbeError
from instances.models import Instance

logger = logging.getLogger(__name__)


def beat() -> None:
    """Report the node that the service runs on, and look at the others."""
    heartbeat()
    if settings.RECEPTOR_SOCKET:
        inspect()
    else:
        mesh.look(timezone.now(), judge=settings.HEALTH_PROBE == "agent")


def heartbeat(now: datetime | None = None) -> None:
    """Report this node, where it is a control or hybrid instance."""
    own = Instance.objects.filter(hostname=settings.CLUSTER_HOST_ID).first()
    if own is not None and own.controls:
        record(own.pk, own_report(), now=now)


def inspect() -> None:
    """Look at the mesh through this node's Receptor. If that does not answer, no node is found lost for it."""
    began, clock = timezone.now(), time.perf_counter()
    try:
        view, error = mesh.View.of_status(receptor.status()), ""
    except ProbeError as problem:
        view, error = mesh.View(), str(problem)
        logger.warning("The mesh could not be inspected: %s", error)
    changes = mesh.look(timezone.now(), view, judge=not error)
    if changes is not None:
        mesh.inspected(began, time.perf_counter() - clock, error, view.advertised)
