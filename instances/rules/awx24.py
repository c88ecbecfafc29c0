"""The rules of AWX 24.6.1: an instance has addresses, and peers to those of others; the control plane manages some."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError

from instances.addresses import LISTENER, check_port, peer_from_control_nodes, unpeer_control_nodes
from instances.models import Instance, InstanceLink, ReceptorAddress
from instances.not_shown import by_awx_24
from instances.rules.common import (
    NOT_HERE,
    check_changed_port,
    check_node_state,
    checked_hostname,
    checked_node_type,
)

NO_ADDRESSES = ""
VERSION = "24.6.1"
LINE = ((24,), (4, 5), (4, 6), (4, 7))  # automation controllers of AAP 2.4, 2.5 and 2.6
SHOWS_ALL = True
not_shown = by_awx_24
NOT_GIVEN = -1  # a port that AWX takes for none that was given
LARGEST_PORT = 2**31 - 1  # of the column; AWX answers larger ones with an error of the database


def checked_node_state(instance: Instance | None, node_state: str) -> str:
    if check_node_state(instance, node_state) and instance and instance.managed:
        raise ValidationError("Cannot deprovision managed nodes.")
    return node_state


def checked_listener_port(instance: Instance | None, port: int | None) -> int | None:
    """Any number, and None, which deletes the canonical address with all links to it."""
    check_changed_port(instance, port)
    if instance and instance.managed and port != instance.listener_port:
        raise ValidationError("Cannot change listener port for managed nodes.")
    return port


def checked_peers_from_control_nodes(instance: Instance | None, value: bool) -> bool:
    if instance and instance.managed and value != instance.peers_from_control_nodes:
        raise ValidationError("Cannot change peers_from_control_nodes for managed nodes.")
    return value


def checked_peers(instance: Instance | None, peers: list[ReceptorAddress]) -> list[ReceptorAddress]:
    if len({peer.instance_id for peer in peers}) < len(peers):
        raise ValidationError("Cannot peer to the same instance more than once.")
    if instance is None:
        return peers
    if {peer.pk for peer in peers} != set(instance.peers.values_list("pk", flat=True)):
        if not settings.IS_K8S:
            raise ValidationError("Cannot change peers.")
        if has_automatic_peers(instance):
            raise ValidationError("Setting peers manually for managed nodes is not allowed.")
    if instance.pk in [peer.instance_id for peer in peers]:
        raise ValidationError("Instance cannot peer to its own address.")
    owners = [peer.instance_id for peer in peers]
    back = InstanceLink.objects.filter(source__in=owners, target__instance=instance).order_by("source__hostname")
    if hostname := back.values_list("source__hostname", flat=True).first():
        raise ValidationError(f"Instance {hostname} is already peered to this instance.")
    return peers


CHECKS: dict[str, Callable[[Instance | None, Any], Any]] = {
    "hostname": checked_hostname,
    "node_type": checked_node_type,
    "node_state": checked_node_state,
    "peers": checked_peers,
    "listener_port": checked_listener_port,
    "peers_from_control_nodes": checked_peers_from_control_nodes,
}


def check_together(instance: Instance | None, values: dict[str, Any]) -> None:
    if values.get("listener_port") == NOT_GIVEN:
        del values["listener_port"]
    if instance is None and not settings.IS_K8S:
        raise ValidationError(NOT_HERE)
    if values.get("peers_from_control_nodes"):
        port = values.get("listener_port", instance.listener_port if instance else 0)
        if port is None:
            raise ValidationError("Cannot enable peers_from_control_nodes if listener_port is not set.")
    if abs(values.get("listener_port") or 0) > LARGEST_PORT:
        raise ValidationError({"listener_port": [f"Ensure this value is less than or equal to {LARGEST_PORT}."]})


def update_control_node_links(instance: Instance, values: dict[str, Any]) -> None:
    """Let control nodes peer to the canonical address, or not, as it says, whenever its port or flag was given."""
    address = instance.canonical_address
    if address is None or not values.keys() & set(LISTENER):
        return
    if address.peers_from_control_nodes:
        peer_from_control_nodes(address)
    else:
        unpeer_control_nodes(address)


def has_automatic_peers(instance: Instance) -> bool:
    return instance.managed


def check_listener_port(port: int) -> None:
    check_port(port, "listener_port")


def is_managed(node_type: str) -> bool:
    """An installer registers nodes of all types for the control plane: its mesh ingress is a hop node, and managed."""
    return True


def address_to_link(instance: Instance) -> ReceptorAddress:
    address: ReceptorAddress | None = instance.canonical_address
    if address is None:
        raise ValidationError(
            f"{instance.hostname} has no canonical address to which a link could lead; "
            "add_receptor_address --canonical adds one."
        )
    return address
