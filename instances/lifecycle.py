"""Creating and changing instances: which changes are allowed, and what follows from them.

The ``checked_…`` functions take the instance that is changed, or None for a new one, and a value; they return the value
or raise ValidationError in AWX's words. Source: docs/awx-behaviour.md, "Changing instances", and recorded answers.
"""

import ipaddress
import re
import socket
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, MinValueValidator
from django.db import transaction
from django.utils import timezone

from instances import tasks
from instances.addresses import (
    INSTALLABLE,
    LISTENER,
    is_dialled,
    peer_from_control_nodes,
    set_listener,
    set_peers,
    update_control_node_links,
)
from instances.capacity import CONTROLLING
from instances.health import conditions
from instances.locking import lock_links, lock_record
from instances.models import Instance, ReceptorAddress
from instances.text import IN_A_LINE

LOWEST_PORT = MinValueValidator(1024)
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
NAME = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
HOSTNAME = re.compile(rf"(?:{LABEL}\.)+(?=[^.]{{2}}){LABEL}|{NAME}")  # labels, the last not a letter; or a name alone


# --- hostnames


def refuse_loopback(hostname: str) -> None:
    if hostname.lower() == "localhost" or is_loopback(hostname):
        raise ValidationError("hostname cannot be localhost or 127.0.0.1")


def is_loopback(hostname: str) -> bool:
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        pass
    try:  # short forms of IPv4, as 127.1
        return not re.search(r"\s", hostname) and socket.inet_aton(hostname)[0] == 127
    except (OSError, UnicodeError, ValueError):
        return False


def refuse_illegal_characters(hostname: str) -> None:
    if re.search(r"\s", hostname):
        raise ValidationError("whitespaces in hostnames are illegal")
    if not (HOSTNAME.fullmatch(hostname) or is_address(hostname)):
        raise ValidationError(f"illegal characters detected in hostname={hostname}. Please verify.")


def is_address(hostname: str) -> bool:
    try:
        ipaddress.ip_address(hostname)
    except ValueError:
        return False
    return True


LONGEST_HOSTNAME = Instance._meta.get_field("hostname").max_length or 0


def refuse_control_characters(hostname: str) -> None:
    """Validator of hostnames from any source: raises ValidationError for control characters."""
    if IN_A_LINE.search(hostname):
        raise ValidationError("control characters in hostnames are illegal")


HOSTNAME_RULES = (refuse_loopback, MaxLengthValidator(LONGEST_HOSTNAME), refuse_illegal_characters)


def hostname_error(hostname: str) -> str:
    """Why the API would refuse a node of this name; "" where it would not."""
    try:
        for rule in HOSTNAME_RULES:
            rule(hostname)
    except ValidationError as error:
        return str(error.messages[0])
    return ""


def checked_hostname(instance: Instance | None, hostname: str) -> str:
    if instance and hostname != instance.hostname:
        raise ValidationError("Cannot change hostname.")
    return hostname


# --- single fields


def checked_node_type(instance: Instance | None, node_type: str) -> str:
    if instance is None and node_type not in INSTALLABLE:
        raise ValidationError("Can only create execution or hop nodes.")
    if instance and node_type != instance.node_type:
        raise ValidationError("Cannot change node type.")
    return node_type


def checked_node_state(instance: Instance | None, node_state: str) -> str:
    states = Instance.NodeState
    if instance is None:
        if node_state != states.INSTALLED:
            raise ValidationError("Can only create instances in the 'installed' state.")
    elif node_state != instance.node_state:
        if not settings.IS_K8S:
            raise ValidationError("Can only change the state on Kubernetes or OpenShift.")
        if node_state != states.DEPROVISIONING:
            raise ValidationError("Can only change instances to the 'deprovisioning' state.")
        if instance.node_type not in INSTALLABLE:
            raise ValidationError("Can only deprovision execution or hop nodes.")
    return node_state


def checked_listener_port(instance: Instance | None, port: int | None) -> int | None:
    """A port, which can be set and cleared, but not changed. As in AWX, 0 counts as none here and is refused later."""
    own = instance.listener_port if instance else None
    if port and own and port != own:
        raise ValidationError("Cannot change listener port.")
    return port


def checked_peers_from_control_nodes(instance: Instance | None, value: bool) -> bool:
    if value and not settings.IS_K8S:
        raise ValidationError("Can only be enabled on Kubernetes or Openshift.")
    return value


# --- fields together


def check_together(instance: Instance | None, values: dict[str, Any]) -> None:
    """Raise ValidationError if these ``values`` (``peers``: addresses) are not valid together for the instance."""

    def will_be(name: str) -> Any:
        return values.get(name, getattr(instance or Instance(), name))

    if instance is None and not settings.IS_K8S:
        raise ValidationError("Can only create instances on Kubernetes or OpenShift.")
    if will_be("peers_from_control_nodes"):
        if will_be("node_type") not in INSTALLABLE:
            raise ValidationError("peers_from_control_nodes can only be enabled for execution or hop nodes.")
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
        LOWEST_PORT(port)
        for rule in ReceptorAddress._meta.get_field("port").validators:
            rule(port)
    except ValidationError as error:
        raise ValidationError({"listener_port": error.messages}) from None


def check_peers(instance: Instance | None, peers: list[ReceptorAddress]) -> None:
    wanted = {peer.pk for peer in peers}
    changes = instance is not None and wanted != set(instance.peers.values_list("pk", flat=True))
    if instance and changes and instance.node_type in CONTROLLING:
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


CHECKS: dict[str, Callable[[Instance | None, Any], Any]] = {
    "hostname": checked_hostname,
    "node_type": checked_node_type,
    "node_state": checked_node_state,
    "listener_port": checked_listener_port,
    "peers_from_control_nodes": checked_peers_from_control_nodes,
}


def checked(instance: Instance | None, values: dict[str, Any]) -> dict[str, Any]:
    """The valid ``values``; raises ValidationError if one, or all together, are not valid for the instance."""
    values = {name: CHECKS[name](instance, value) if name in CHECKS else value for name, value in values.items()}
    check_together(instance, values)
    return values


# --- changes


def lock_instance(pk: int) -> Instance:
    """The instance, locked until the transaction ends, together with ``lock_links()``."""
    lock_links()
    instance: Instance = lock_record(Instance, pk)
    return instance


@transaction.atomic
def create(values: dict[str, Any]) -> Instance:
    """A new instance with these checked ``values``, its links, and those that control nodes make to it.

    The caller has called ``lock_links()`` before it checked the values.
    """
    instance = Instance.objects.create(**own_fields(values))
    instance.set_canonical_address(None)
    set_listener(instance, values)
    set_peers(instance, values.get("peers", []))
    if instance.peers_from_control_nodes:
        peer_from_control_nodes(instance)
    now = timezone.now()
    conditions.store([instance], now, conditions.Watch.here(now), earlier={instance.pk: {}})
    tasks.instance_changed(instance)
    return instance


@transaction.atomic
def change(instance: Instance, values: dict[str, Any], reason: str = "") -> Instance:
    """Change the instance with these checked ``values`` and what follows from them; other fields stay as they are.

    The capacity is computed from the stored capacities of its CPUs and its memory. The caller has locked the instance
    with ``lock_instance()`` before it checked the values. ``reason``: why it is disabled, stored until it is enabled.
    """
    now = timezone.now()
    watch = conditions.Watch.here(now)
    earlier = conditions.findings(instance, watch, now)
    was_enabled = instance.enabled
    fields = own_fields(values)
    for name, value in fields.items():
        setattr(instance, name, value)
    instance.recompute_capacity()
    instance.save(update_fields=[*fields, "capacity"])
    set_listener(instance, values)
    if "peers" in values:
        set_peers(instance, values["peers"])
    update_control_node_links(instance)
    if reason or instance.enabled != was_enabled:
        save_disabled_reason(instance, reason)
    conditions.store([instance], now, watch, earlier={instance.pk: earlier})
    tasks.instance_changed(instance)
    return instance


def save_disabled_reason(instance: Instance, reason: str) -> None:
    """Store why the instance is disabled; of an enabled one, no reason."""
    health = conditions.health_of(instance)
    health.disabled_reason = "" if instance.enabled else reason
    health.save()


def own_fields(values: dict[str, Any]) -> dict[str, Any]:
    """Those of ``values`` that are columns of the instance itself."""
    return {name: value for name, value in values.items() if name not in (*LISTENER, "peers")}


@transaction.atomic
def create_checked(values: dict[str, Any]) -> Instance:
    """Lock the links, check these ``values``, and create an instance with them."""
    lock_links()
    peers = [refetch(peer) for peer in values.get("peers", [])]
    return create(checked(None, {**values, "peers": peers}))


@transaction.atomic
def change_checked(pk: int, values: dict[str, Any], reason: str = "") -> Instance:
    """Lock the instance, check these ``values``, and change it; ``reason``: why it is disabled."""
    instance = lock_instance(pk)
    return change(instance, checked(instance, values), reason)


@transaction.atomic
def add_peer(pk: int, peer: ReceptorAddress) -> None:
    """Let the instance peer to this address too."""
    instance = lock_instance(pk)
    change(instance, checked(instance, {"peers": [*instance.peers.all(), refetch(peer)]}))


@transaction.atomic
def remove_peer(pk: int, peer: ReceptorAddress) -> None:
    """Let the instance no longer peer to this address."""
    instance = lock_instance(pk)
    change(instance, checked(instance, {"peers": [each for each in instance.peers.all() if each != peer]}))


def refetch(peer: ReceptorAddress) -> ReceptorAddress:
    """The address as it is stored after the links were locked. Raises its DoesNotExist if it was deleted."""
    stored: ReceptorAddress = ReceptorAddress.objects.select_related("instance").get(pk=peer.pk)
    return stored
