"""Nodes, groups and links as an installer registers them, which may do more than the API allows.

Every function writes all or nothing, and nothing where no record would change. Errors are ValidationError.
Source: docs/awx-behaviour.md, "Changing instances", and AWX's commands of the same names.
"""

import ipaddress
from collections import defaultdict
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.db import transaction

from instances import lifecycle, policies, tasks
from instances.locking import lock_links
from instances.models import Instance, InstanceGroup, InstanceLink


class Outcome(Enum):
    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


# --- nodes


@transaction.atomic
def provision(hostname: str, node_type: str, given: dict[str, Any]) -> Outcome:
    """Register a node, or change the one that has this hostname.

    ``given``: any of uuid, ip_address and listener_port; what is left out stays as it is. A control or hybrid node
    peers to every node with peers_from_control_nodes.
    """
    lifecycle.refuse_control_characters(hostname)
    lock_links()
    found = Instance.objects.select_for_update(no_key=True).filter(hostname=hostname).first()
    check_address(hostname, given.get("ip_address", ""))
    if given.get("listener_port") is not None:
        lifecycle.check_listener_port(given["listener_port"])
    if found is None:
        peer_as_control_node(new_node(hostname, node_type, given))
        return Outcome.CREATED
    lifecycle.checked_node_type(found, node_type)
    lifecycle.checked_listener_port(found, given.get("listener_port"))
    changed = set_fields(found, given)
    linked = peer_as_control_node(found)
    return Outcome.CHANGED if changed or linked else Outcome.UNCHANGED


def check_address(hostname: str, address: str) -> None:
    if not address:
        return
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise ValidationError({"ip_address": f"{address} is no IP address."}) from None
    other = Instance.objects.filter(ip_address=address).exclude(hostname=hostname).first()
    if other:
        raise ValidationError({"ip_address": f"{other.hostname} has {address} already."})


def new_node(hostname: str, node_type: str, given: dict[str, Any]) -> Instance:
    """A node without capacity, until it reports some."""
    values = {
        "uuid": str(uuid4()),
        **given,
        "hostname": hostname,
        "node_type": node_type,
        "node_state": Instance.NodeState.INSTALLED,
        "capacity": 0,
    }
    Instance(**values).clean_fields()
    return lifecycle.create(values)


def set_fields(record: Any, values: dict[str, Any]) -> bool:
    """Save these values of ``record``, if they are valid; return whether one of them changed."""
    new = {name: value for name, value in values.items() if getattr(record, name) != value}
    for name, value in new.items():
        setattr(record, name, value)
    record.clean_fields(exclude={field.name for field in record._meta.fields} - new.keys())
    if new:
        record.save(update_fields=list(new))
    return bool(new)


def peer_as_control_node(instance: Instance) -> bool:
    """Make a control or hybrid node peer to all nodes with peers_from_control_nodes; return whether a link was new."""
    if not instance.controls:
        return False
    wanting = Instance.objects.filter(peers_from_control_nodes=True, node_type__in=lifecycle.INSTALLABLE)
    missing = list(wanting.exclude(peers_from=instance).order_by("pk"))
    for node in missing:
        lifecycle.peer_from_control_nodes(node)
    return bool(missing)


@transaction.atomic
def deprovision(hostname: str) -> bool:
    """Remove the node, its links and its memberships at once, whatever runs there; False if there is no such node."""
    lock_links()
    policies.lock_memberships()
    instance = Instance.objects.select_for_update().filter(hostname=hostname).first()
    if instance is None:
        return False
    instance.delete()
    tasks.policies_changed()
    return True


def lock_by_hostname(hostnames: list[str]) -> dict[str, Instance]:
    """Lock the instances with these hostnames until the transaction ends. Raises ValidationError if one is missing."""
    found = Instance.objects.filter(hostname__in=hostnames).select_for_update(no_key=True).order_by("pk")
    instances = {instance.hostname: instance for instance in found}
    unknown = [hostname for hostname in dict.fromkeys(hostnames) if hostname not in instances]
    if unknown:
        raise ValidationError(f"No instance is named {', '.join(unknown)}.")
    return instances


# --- groups


@transaction.atomic
def register_queue(name: str, policy: dict[str, int], hostnames: list[str]) -> Outcome:
    """Make an instance group, or change the one of this name, and add the instances to it and to its policy's list.

    ``policy``: any of policy_instance_percentage and policy_instance_minimum; what is left out stays as it is. The
    groups that AWX protects can be changed too: it is here that an installer sets them up.
    """
    policies.lock_memberships()
    group = InstanceGroup.objects.select_for_update(no_key=True).filter(name=name).first()
    if group is None:
        group = InstanceGroup(name=name)
        group.clean_fields()
        group.save()
        outcome = Outcome.CREATED
    else:
        outcome = Outcome.UNCHANGED
    members = members_to_be(group, hostnames)
    listed = [hostname for hostname in members if hostname not in group.policy_instance_list]
    if group.is_container_group and (policy or members):
        raise ValidationError(f"{name} is a container group: it has no instances and no policy.")
    changed = set_fields(group, {**policy, "policy_instance_list": [*group.policy_instance_list, *listed]})
    joined = join(group, list(members.values()))
    if outcome is Outcome.UNCHANGED and (changed or joined):
        outcome = Outcome.CHANGED
    if outcome is not Outcome.UNCHANGED:
        tasks.policies_changed()
    return outcome


def members_to_be(group: InstanceGroup, hostnames: list[str]) -> dict[str, Instance]:
    found = lock_by_hostname(hostnames)
    for instance in found.values():
        if not policies.may_be_listed(instance, group):
            raise ValidationError(f"{instance.hostname} is a {instance.node_type} node and cannot be in {group.name}.")
    return {hostname: found[hostname] for hostname in dict.fromkeys(hostnames)}


def join(group: InstanceGroup, instances: list[Instance]) -> bool:
    """Make the instances members; return whether one of them is new."""
    present = group.instances.filter(pk__in=[instance.pk for instance in instances]).count()
    group.instances.add(*instances)
    return present < len(instances)


# --- links


@dataclass(frozen=True)
class Links:
    """How many links were made, or are established by now, and how many were removed."""

    added: int = 0
    removed: int = 0


@transaction.atomic
def connect(source: str, hostnames: list[str], exactly: bool = False) -> Links:
    """Let ``source`` dial these nodes, and with ``exactly`` no others."""
    lock_links()
    instance, peers = endpoints(source, hostnames)
    links = {link.target_id: link for link in InstanceLink.objects.filter(source=instance)}
    check_listening(peers)
    check_acyclic(instance, [peer for peer in peers if peer.pk not in links])
    removed = remove(instance, [pk for pk in links if pk not in {peer.pk for peer in peers}]) if exactly else 0
    established = InstanceLink.State.ESTABLISHED
    lacking = [peer for peer in peers if peer.pk not in links or links[peer.pk].link_state != established]
    for peer in lacking:
        InstanceLink.objects.update_or_create(source=instance, target=peer, defaults={"link_state": established})
    return Links(added=len(lacking), removed=removed)


@transaction.atomic
def disconnect(source: str, hostnames: list[str]) -> Links:
    """Let ``source`` dial these nodes no longer."""
    lock_links()
    instance, peers = endpoints(source, hostnames)
    return Links(removed=remove(instance, [peer.pk for peer in peers]))


def endpoints(source: str, hostnames: list[str]) -> tuple[Instance, list[Instance]]:
    """The instances at both ends of the links."""
    found = lock_by_hostname([source, *hostnames])
    if source in hostnames:
        raise ValidationError(f"{source} cannot peer to itself.")
    return found[source], [found[hostname] for hostname in dict.fromkeys(hostnames)]


def check_listening(peers: list[Instance]) -> None:
    silent = [peer.hostname for peer in peers if peer.listener_port is None]
    if silent:
        raise ValidationError(f"Nobody can peer to {', '.join(silent)}: no listener_port is set there.")


def check_acyclic(source: Instance, peers: list[Instance]) -> None:
    """Refuse links from which others would lead back to ``source``."""
    before = leading_to(source) if peers else set()
    circular = [peer.hostname for peer in peers if peer.pk in before]
    if circular:
        raise ValidationError(f"Links lead from {', '.join(circular)} to {source.hostname} already; no cycles.")


def leading_to(instance: Instance) -> set[int]:
    """The ids of the instances from which links lead here, over any number of others."""
    sources = defaultdict(set)
    for source, target in InstanceLink.objects.values_list("source_id", "target_id"):
        sources[target].add(source)
    found: set[int] = set()
    new = {instance.pk}
    while new:
        new = set().union(*(sources[pk] for pk in new)) - found
        found |= new
    return found


def remove(source: Instance, targets: list[int]) -> int:
    removed, _ = InstanceLink.objects.filter(source=source, target__in=targets).delete()
    return removed
