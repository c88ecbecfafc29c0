"""The rules of AWX 23.6.0: an instance has a port of its own, and peers are instances that listen."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator

from instances.addresses import (
    INSTALLABLE,
    address_to_link,
    is_dialled,
    peer_from_control_nodes,
    unpeer_control_nodes,
)
from instances.capacity import CONTROLLING
from instances.models import Instance, ReceptorAddress
from instances.models.address import HIGHEST_PORT
from instances.not_shown import by_awx_23
from instances.rules.common import (
    NOT_HERE,
    ONLY_INSTALLABLE,
    check_changed_port,
    check_node_state,
    checked_hostname,
    checked_node_type,
)

__all__ = [
    "CHECKS",
    "NO_ADDRESSES",
    "address_to_link",
    "check_listener_port",
    "check_together",
    "has_automatic_peers",
    "is_managed",
    "not_shown",
    "update_control_node_links",
]


NO_ADDRESSES = (
    "This service speaks as AWX 23.6.0, where a node has one address, its hostname. AWX_VERSION=24.6.1 knows others."
)
VERSION = "23.6.0"
LINE = ((23,),)
SHOWS_ALL = False
not_shown = by_awx_23
PORTS = (MinValueValidator(1024), MaxValueValidator(HIGHEST_PORT))


def checked_node_state(instance: Instance | None, node_state: str) -> str:
    if check_node_state(instance, node_state) and instance and instance.node_type not in INSTALLABLE:
        raise ValidationError("Can only deprovision execution or hop nodes.")
    return node_state


def checked_listener_port(instance: Instance | None, port: int | None) -> int | None:
    """A port, which can be set and cleared, but not changed. As in AWX, 0 counts as none here and is refused later."""
    check_changed_port(instance, port)
    return port


def checked_peers_from_control_nodes(instance: Instance | None, value: bool) -> bool:
    if value and not settings.IS_K8S:
        raise ValidationError("Can only be enabled on Kubernetes or Openshift.")
    return value


CHECKS: dict[str, Callable[[Instance | None, Any], Any]] = {
    "hostname": checked_hostname,
    "node_type": checked_node_type,
    "node_state": checked_node_state,
    "listener_port": checked_listener_port,
    "peers_from_control_nodes": checked_peers_from_control_nodes,
}


def check_together(instance: Instance | None, values: dict[str, Any]) -> None:
    def will_be(name: str) -> Any:
        return values.get(name, getattr(instance or Instance(), name))

    if instance is None and not settings.IS_K8S:
        raise ValidationError(NOT_HERE)
    if will_be("peers_from_control_nodes"):
        if will_be("node_type") not in INSTALLABLE:
            raise ValidationError(ONLY_INSTALLABLE)
        if not will_be("listener_port"):
            raise ValidationError(
                "Field listener_port must be a valid integer when peers_from_control_nodes is enabled."
            )
    if instance and not will_be("listener_port") and is_dialled(instance):
        raise ValidationError("Field listener_port must be a valid integer when other nodes peer to it.")
    if "peers" in values:
        check_peers(instance, values["peers"])
    if values.get("listener_port") is not None:
        check_listener_port(values["listener_port"])


def check_listener_port(port: int) -> None:
    """Raise ValidationError for a port that needs privileges; a mirrored AWX may have such ports nevertheless."""
    try:
        for rule in PORTS:
            rule(port)
    except ValidationError as error:
        raise ValidationError({"listener_port": error.messages}) from None


def has_automatic_peers(instance: Instance) -> bool:
    return instance.controls


def is_managed(node_type: str) -> bool:
    return node_type in CONTROLLING


def check_peers(instance: Instance | None, peers: list[ReceptorAddress]) -> None:
    wanted = {peer.pk for peer in peers}
    changes = instance is not None and wanted != set(instance.peers.values_list("pk", flat=True))
    if instance and changes and has_automatic_peers(instance):
        raise ValidationError(
            "Setting peers manually for control nodes is not allowed. "
            "Enable peers_from_control_nodes on the hop and execution nodes instead."
        )
    for peer in peers:
        if peer.port is None:
            raise ValidationError(f"Field listener_port must be set on peer {peer.instance.hostname}.")
    if changes and not settings.IS_K8S:
        raise ValidationError("Cannot change peers.")
    if instance and instance.pk in [peer.instance_id for peer in peers]:
        raise ValidationError({"peers": ["An instance cannot peer to itself."]})


def update_control_node_links(instance: Instance, values: dict[str, Any]) -> None:
    """Let control nodes peer to ``instance`` as its ``peers_from_control_nodes`` says.

    AWX does so after each change of an execution or hop node in Kubernetes, until the node is being removed.
    """
    is_removed = instance.node_state == Instance.NodeState.DEPROVISIONING
    if not settings.IS_K8S or instance.node_type not in INSTALLABLE or is_removed:
        return
    address = instance.canonical_address
    if address and address.peers_from_control_nodes:
        peer_from_control_nodes(address)
    elif address:
        unpeer_control_nodes(address)
