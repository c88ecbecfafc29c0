"""Addresses of nodes as an installer registers them; over the API they can only be read.

Every function writes all or nothing, and nothing where no record would change. Errors are ValidationError.
Source: docs/awx-behaviour.md, "Receptor addresses", and AWX's commands of the same names.
"""

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from instances import rules
from instances.addresses import check_owner, check_port, peer_from_control_nodes, unpeer_control_nodes
from instances.locking import lock_links
from instances.models import ReceptorAddress
from instances.provisioning import Outcome, Registration, lock_by_hostname
from instances.rules.common import ONLY_INSTALLABLE
from instances.text import IN_A_LINE, TURNING

SETTABLE = ("port", "protocol", "websocket_path", "is_internal", "canonical", "peers_from_control_nodes")
DEFAULTS = {name: getattr(ReceptorAddress(), name) for name in SETTABLE}
NOT_IN_PATHS = re.compile(rf"^/|\s|{IN_A_LINE.pattern}|{TURNING.pattern}")
NOT_IN_ADDRESSES = re.compile(rf"[/?#]|{NOT_IN_PATHS.pattern}")


def refuse_where_unknown() -> None:
    if reason := rules.current().NO_ADDRESSES:
        raise ValidationError(reason)


@transaction.atomic
def add(hostname: str, address: str, given: dict[str, Any]) -> Registration:
    """Give the node this address, or change it where the node has it.

    ``given``: any of SETTABLE; what is left out gets the value of a new address, so that the call says all of it.
    With peers_from_control_nodes every control and hybrid node is linked to the address, and without it none that was.
    """
    refuse_where_unknown()
    check_host(address)
    lock_links()
    node = lock_by_hostname([hostname])[hostname]
    check_owner(address, node)
    found = ReceptorAddress.objects.filter(address=address).first()
    changed = write(found or ReceptorAddress(instance=node, address=address), {**DEFAULTS, **given})
    if found is None:
        return Registration(Outcome.CREATED)
    return Registration(Outcome.CHANGED if changed else Outcome.UNCHANGED)


@transaction.atomic
def change(pk: int, values: dict[str, Any]) -> None:
    """Set those of SETTABLE that ``values`` has. Raises ReceptorAddress.DoesNotExist too."""
    refuse_where_unknown()
    lock_links()
    write(ReceptorAddress.objects.select_related("instance").get(pk=pk), values)


@transaction.atomic
def remove(address: str) -> bool:
    """Remove the address with all links that lead to it; False if there is none."""
    refuse_where_unknown()
    lock_links()
    removed, _ = ReceptorAddress.objects.filter(address=address).delete()
    return bool(removed)


def write(record: ReceptorAddress, values: dict[str, Any]) -> bool:
    """Save these values of a new or stored address, with what follows for links; return whether one changed."""
    is_new, had_flag = record.pk is None, record.peers_from_control_nodes
    changed = {name: value for name, value in values.items() if is_new or getattr(record, name) != value}
    for name, value in changed.items():
        setattr(record, name, value)
    check(record)
    if not changed:
        return False
    record.save()
    if record.peers_from_control_nodes and not had_flag:
        peer_from_control_nodes(record)
    elif had_flag and not record.peers_from_control_nodes:
        unpeer_control_nodes(record)
    return True


def check_host(address: str) -> None:
    """Raise ValidationError for what is more than a hostname or an IP address."""
    if NOT_IN_ADDRESSES.search(address):
        raise ValidationError({"address": "An address is a hostname or an IP address, without scheme, port and path."})


def check(record: ReceptorAddress) -> None:
    """Raise ValidationError, by field, if no address may have these values."""
    check_host(record.address)
    record.clean_fields()
    check_port(record.port, "port")
    path = record.websocket_path
    if path and record.protocol == ReceptorAddress.Protocol.TCP:
        raise ValidationError({"websocket_path": "An address of protocol tcp has no path."})
    if NOT_IN_PATHS.search(path):
        raise ValidationError({"websocket_path": "A path has no slash at its beginning, and no spaces."})
    node = record.instance
    others = node.receptor_addresses.filter(canonical=True).exclude(pk=record.pk)
    if record.canonical and (other := others.first()):
        raise ValidationError({"canonical": f"{other.address} is the canonical address of {node.hostname} already."})
    if record.peers_from_control_nodes and node.controls:
        raise ValidationError({"peers_from_control_nodes": ONLY_INSTALLABLE})
