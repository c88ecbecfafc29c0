"""The periodic tasks of a worker: its own node's heartbeat and the inspection of the mesh."""

import logging
import time
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from instances.health import mesh, receptor
from instances.health.mesh_view import View
from instances.health.probes import own_report
from instances.health.recording import record
from instances.health.report import ProbeError
from instances.mirror.guard import skip_if_mirrored
from instances.models import Instance

logger = logging.getLogger(__name__)


@skip_if_mirrored
def heartbeat() -> None:
    """Report the node that the service runs on, and inspect the others. Does nothing in a mirror."""
    report_own_node()
    inspect_mesh()


def report_own_node(now: datetime | None = None) -> None:
    """Record the report of the node that the service runs on, if it is a control or hybrid instance."""
    own = Instance.objects.filter(hostname=settings.CLUSTER_HOST_ID).first()
    if own is not None and own.controls:
        record(own.pk, own_report(), now=now)


def inspect_mesh() -> None:
    """Inspect the mesh, through this node's Receptor if one is set. While that fails, no node is marked lost."""
    view, error = View(), ""
    began = time.perf_counter()
    if settings.RECEPTOR_SOCKET:
        try:
            view = View.of_status(receptor.status())
        except ProbeError as problem:
            error = str(problem)
            logger.warning("The mesh could not be inspected: %s", error)
    mesh.inspect(timezone.now(), view, error, seconds=time.perf_counter() - began)
