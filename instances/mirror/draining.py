"""Drains of mirrored nodes: which value of ``enabled`` the next sync gives their AWX, and what became of that.

A drain stores what is wanted of the AWX before anybody sends it, and until a sync has sent it. Sending it twice does no
harm, so a sync that is killed anywhere is followed by one that does what is left.
"""

import logging
from collections.abc import Sequence
from typing import Any

from django.conf import settings

from instances.mirror import guard
from instances.models import Drain, Instance
from instances.text import in_one_line

logger = logging.getLogger(__name__)

CANNOT_DRAIN = (
    "This mirror cannot drain nodes: set DRAIN_TOKEN_FILE to a file with a token, of the scope write, of a superuser "
    "of the mirrored AWX."
)
CANNOT_DEPROVISION = "A mirror cannot deprovision nodes. Do that in the mirrored AWX once the node is drained."


def refusal() -> str:
    """Why no node can be drained here; "" where that is no mirror, or one that can change its AWX."""
    return CANNOT_DRAIN if guard.current() is not None and not settings.DRAIN_TOKEN else ""


def supersede(instances: Sequence[Instance]) -> dict[int, bool]:
    """Drop what earlier drains want of the AWX; by id, whether the node is, or was to be, enabled there."""
    earlier = Drain.objects.filter(instance__in=instances).exclude(pending_enabled=None)
    wanted = dict(earlier.order_by("pk").values_list("instance", "pending_enabled"))
    drop(earlier)
    return {each.pk: wanted.get(each.pk, each.enabled) for each in instances}


def want(drains: Sequence[Drain], enabled: bool) -> None:
    """Let the next sync enable or disable the nodes of these drains in the AWX."""
    for drain in drains:
        drain.pending_enabled, drain.awx_error = enabled, ""
    Drain.objects.bulk_update(drains, ["pending_enabled", "awx_error"])


def pending(url: str) -> list[Drain]:
    """The drains for which the AWX at ``url`` is to be changed; none where another AWX, or none, is mirrored yet."""
    mirror = guard.current()
    if mirror is None or mirror.url != url:
        return []
    return list(Drain.objects.exclude(pending_enabled=None).of_present_nodes().order_by("pk"))


def record_attempt(drain: Drain, error: str) -> None:
    """Store that the AWX has what the drain wanted of it, or why not; unless the drain wants something else by now."""
    same = Drain.objects.filter(pk=drain.pk, pending_enabled=drain.pending_enabled)
    verb, name = "enabled" if drain.pending_enabled else "disabled", in_one_line(drain.hostname)
    if not error:
        same.update(pending_enabled=None, awx_error="")
        logger.info("%s was %s in the mirrored AWX.", name, verb)
    elif same.exclude(awx_error=error).update(awx_error=error):
        logger.warning("%s was not %s in the mirrored AWX; this will be retried: %s", name, verb, error)


def drop_all() -> None:
    """Drop what drains want of an AWX that is mirrored no more."""
    drop(Drain.objects.exclude(pending_enabled=None))


def drop(drains: Any) -> None:
    drains.update(pending_enabled=None, awx_error="")
