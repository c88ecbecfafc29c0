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
from instances.mirror.guard import unless_mirrored
from instances.models import Instance

logger = logging.getLogger(__name__)


@unless_mirrored
def beat() -> None:
    """Report the node that the service runs on, and look at the others."""
    heartbeat()
    inspect()


def heartbeat(now: datetime | None = None) -> None:
    """Report this node, where it is a control or hybrid instance."""
    own = Instance.objects.filter(hostname=settings.CLUSTER_HOST_ID).first()
    if own is not None and own.controls:
        record(own.pk, own_report(), now=now)


def inspect() -> None:
    """Look at the mesh, through this node's Receptor if it has one. If that does not answer, no node is lost for it."""
    view, error = mesh.View(), ""
    began = time.perf_counter()
    if settings.RECEPTOR_SOCKET:
        try:
            view = mesh.View.of_status(receptor.status())
        except ProbeError as problem:
            error = str(problem)
            logger.warning("The mesh could not be inspected: %s", error)
    mesh.look(timezone.now(), view, error, seconds=time.perf_counter() - began)
