"""Records for tests, with everything that a test does not care about filled in."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from instances import groups, install_bundles, lifecycle
from instances.addresses import address_to_link
from instances.locking import lock_record
from instances.models import Instance, InstanceGroup, InstanceLink, IssuedBundle, UnifiedJob


def make_node(
    hostname: str, *, listener_port: int | None = None, peers_from_control_nodes: bool = False, **values: Any
) -> Instance:
    """An instance, with a canonical address if it listens or control nodes shall peer to it."""
    node = Instance.objects.create(hostname=hostname, **values)
    listen(node, listener_port, peers_from_control_nodes)
    return node


def listen(node: Instance, listener_port: int | None = 27199, peers_from_control_nodes: bool = False) -> None:
    """Set port and flag of the node's canonical address, whatever the rules; without both it has none."""
    if listener_port is None and not peers_from_control_nodes:
        return
    address = address_to_link(node)
    address.port, address.peers_from_control_nodes = listener_port, peers_from_control_nodes
    address.save()


def make_link(source: Instance, target: Instance, **values: Any) -> InstanceLink:
    """A link to the canonical address of ``target``."""
    link: InstanceLink = InstanceLink.objects.create(source=source, target=address_to_link(target), **values)
    return link


def make_jobs(number: int, first: int | None = None, **fields: Any) -> list[UnifiedJob]:
    """``number`` jobs, written by one statement, with the ids from ``first``: after the last one there is."""
    now = timezone.now()
    defaults = {
        "type": UnifiedJob.Type.JOB,
        "status": UnifiedJob.Status.SUCCESSFUL,
        "task_impact": 1,
        "created": now,
        "modified": now,
    }
    if first is None:
        first = (UnifiedJob.objects.aggregate(last=Max("pk"))["last"] or 0) + 1
    return UnifiedJob.objects.bulk_create(
        UnifiedJob(pk=pk, **{"representation": {"id": pk}, **defaults, **fields}) for pk in range(first, first + number)
    )


def record_bundle(node: Instance) -> IssuedBundle:
    """An install bundle of the node, whose certificate is valid for a month."""
    now = timezone.now()
    expires = now + timedelta(days=30)
    parts = install_bundles.parts(node, [])
    bundle: IssuedBundle = IssuedBundle.objects.create(
        instance=node, made=now, certificate_expires=expires, parts=parts
    )
    return bundle


@transaction.atomic
def change_node(node: Instance, values: dict[str, Any]) -> Instance:
    """Change the node as the API does once ``values`` were checked."""
    return lifecycle.change(lifecycle.lock_instance(node.pk), values)


@transaction.atomic
def change_group(group: InstanceGroup, values: dict[str, Any]) -> InstanceGroup:
    """Change the group likewise."""
    return groups.change(lock_record(InstanceGroup, group.pk), values)
