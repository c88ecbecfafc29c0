"""What drains want of the mirrored AWX, sent to it at the beginning of a sync, which reads the effect afterwards."""

from dataclasses import replace

from django.conf import settings

from awx_compat import paths
from awx_compat.awx_client.client import Access, Source
from awx_compat.awx_client.errors import (
    AccessRefusedError,
    ChangeRefusedError,
    ChangingError,
    FailingError,
    SourceError,
)
from awx_compat.awx_client.limits import Limits
from instances.mirror import draining
from instances.models import Drain

INSTANCES = paths.collection("instances")
NEEDS = "DRAIN_TOKEN_FILE needs a token, of the scope write, of a superuser of that AWX."


def send_changes(source: Source, access: Access, url: str, limits: Limits) -> None:
    """Enable and disable nodes in the AWX at ``url`` as drains want it; what fails is stored with the drain.

    The AWX is that of ``access`` and ``source``, and accepts ``DRAIN_TOKEN``. Raises StoppedError.
    """
    drains = draining.pending(url)
    if not drains:
        return
    access = replace(access, token=settings.DRAIN_TOKEN, username="", password="")
    if not access.token:
        record_all(drains, draining.CANNOT_DRAIN)
        return
    with Source(access, source.stopping, limits, source.pause) as writer:
        try:
            writer.ping()  # which finds where the API is
        except SourceError as error:
            record_all(drains, str(error))
        else:
            send_all(writer, drains)


def send_all(writer: Source, drains: list[Drain]) -> None:
    """Send one change after the other, as long as the AWX can be reached."""
    for number, drain in enumerate(drains):
        try:
            writer.patch(f"{INSTANCES}{drain.instance_id}/", {"enabled": drain.pending_enabled})
        except AccessRefusedError as error:
            draining.record_attempt(drain, f"{error} {NEEDS}")
        except (FailingError, ChangingError, ChangeRefusedError) as error:  # of this node alone
            draining.record_attempt(drain, str(error))
        except SourceError as error:
            record_all(drains[number:], str(error))
            return
        else:
            draining.record_attempt(drain, "")


def record_all(drains: list[Drain], error: str) -> None:
    for drain in drains:
        draining.record_attempt(drain, error)
