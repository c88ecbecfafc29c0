"""Creating and changing instances, and what follows from it; which changes are allowed, ``instances.rules`` says.

Source: docs/awx-behaviour.md, "Changing instances", and recorded answers.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import transaction
from django.db.models import prefetch_related_objects
from django.utils import timezone

from instances import rules, tasks
from instances.addresses import LISTENER, set_listener, set_peers
from instances.health import conditions
from instances.locking import lock_links, lock_record
from instances.models import Instance, NodeHealth, ReceptorAddress
from instances.text import IN_A_LINE

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


# --- changes


def checked(instance: Instance | None, values: dict[str, Any]) -> dict[str, Any]:
    """The valid ``values``; raises ValidationError if one, or all together, are not valid for the instance."""
    own = rules.current()
    values = {
        name: own.CHECKS[name](instance, value) if name in own.CHECKS else value for name, value in values.items()
    }
    own.check_together(instance, values)
    return values


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
    rules.current().update_control_node_links(instance, values)
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
    was_enabled, earlier_state = instance.enabled, instance.node_state
    fields = own_fields(values)
    for name, value in fields.items():
        setattr(instance, name, value)
    instance.recompute_capacity()
    instance.save(update_fields=[*fields, "capacity"])
    set_listener(instance, values)
    if "peers" in values:
        set_peers(instance, values["peers"])
    rules.current().update_control_node_links(instance, values)
    if reason or instance.enabled != was_enabled:
        save_disabled_reason([instance], reason)
    if instance.node_state != earlier_state:
        save_state_before_removal(instance, earlier_state)
    conditions.store([instance], now, watch, earlier={instance.pk: earlier})
    tasks.instance_changed(instance)
    return instance


@transaction.atomic
def set_enabled(instances: Iterable[Instance], enabled: bool, now: datetime, reason: str = "") -> None:
    """Enable or disable those of these instances that are not so yet, whatever their links are; ``reason``: why.

    The number of queries does not depend on theirs. The caller has locked them, and called ``lock_links()`` before.
    """
    changed = [each for each in instances if each.enabled != enabled]
    watch = conditions.Watch.here(now)
    prefetch_related_objects(changed, "health")
    earlier = {each.pk: conditions.findings(each, watch, now) for each in changed}
    for each in changed:
        each.enabled, each.modified = enabled, now
        each.recompute_capacity()
    Instance.objects.bulk_update(changed, ["enabled", "capacity", "modified"])
    save_disabled_reason(changed, reason)
    conditions.store(changed, now, watch, earlier=earlier)
    tasks.policies_changed()


def save_disabled_reason(instances: Iterable[Instance], reason: str) -> None:
    """Store why these instances are disabled; of an enabled one, no reason."""
    found = [conditions.health_of(each) for each in instances]
    for health in found:
        health.disabled_reason = "" if health.instance.enabled else reason
    NodeHealth.objects.bulk_create(
        found, update_conflicts=True, unique_fields=["instance"], update_fields=["disabled_reason"]
    )


def save_state_before_removal(instance: Instance, earlier_state: str) -> None:
    """Store the state that the instance gets back if its removal is undone; of one that is not removed, none."""
    health = conditions.health_of(instance)
    is_leaving = instance.node_state == Instance.NodeState.DEPROVISIONING
    health.state_before_removal = earlier_state if is_leaving else ""
    health.removal_began = None
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
