"""Nodes, groups and links as an installer registers them, which may do more than the API allows.

Every function writes all or nothing, and nothing where no record would change. Errors are ValidationError.
Source: docs/awx-behaviour.md, "Changing instances", and AWX's commands of the same names.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.db import transaction

from instances import addresses, lifecycle, policies, removals, renaming, rules, tasks
from instances.locking import lock_links
from instances.models import Instance, InstanceGroup, InstanceLink, ReceptorAddress
from instances.models.group import CONTROL_PLANE
from instances.models.instance import NO_UUID
from instances.rules import common


class Outcome(Enum):
    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    RENAMED = "renamed"


@dataclass(frozen=True)
class Registration:
    """What became of a node or group, and what the operator should know of it."""

    outcome: Outcome
    warnings: tuple[str, ...] = ()


# --- nodes


@transaction.atomic
def provision(hostname: str, node_type: str | None, given: dict[str, Any]) -> Registration:
    """Register a node, or change the one that has this uuid or else this hostname; one found by its uuid is renamed.

    ``node_type``: None leaves it as it is, and makes a new node a hybrid one. ``given``: any of uuid, ip_address and
    listener_port; what is left out stays as it is. A control or hybrid node peers to every address with
    peers_from_control_nodes of an execution or hop node.
    """
    lifecycle.refuse_control_characters(hostname)
    lock_links()
    if "uuid" in given:
        policies.lock_memberships()  # before the node: whoever has this lock waits for nodes
    found = find_node(hostname, given.get("uuid", NO_UUID))
    check_address(found, given.get("ip_address", ""))
    if given.get("listener_port") is not None:
        rules.current().check_listener_port(given["listener_port"])
    if given.get("listener_port") is not None or (found and found.hostname != hostname):
        addresses.check_owner(hostname, found)
    if found is None:
        peer_as_control_node(new_node(hostname, node_type or Instance.NodeType.HYBRID, given))
        return Registration(Outcome.CREATED)
    common.checked_node_type(found, node_type or found.node_type)
    common.check_changed_port(found, given.get("listener_port"))
    earlier = found.hostname
    if earlier != hostname:
        renaming.lock_groups()
    changed = set_fields(found, {**lifecycle.own_fields(given), "hostname": hostname})
    changed |= addresses.set_listener(found, given)
    linked = peer_as_control_node(found)
    if earlier != hostname:
        renaming.follow(found, earlier)
        return Registration(Outcome.RENAMED, (f"{earlier} had this uuid and is named {hostname} now.",))
    return Registration(Outcome.CHANGED if changed or linked else Outcome.UNCHANGED)


def find_node(hostname: str, uuid: str) -> Instance | None:
    """The node with this uuid or else with this hostname, locked until the transaction ends; None if there is none.

    Raises ValidationError where the uuid does not say which node is meant.
    """
    nodes = Instance.objects.select_for_update(no_key=True).order_by("pk")
    named: Instance | None = nodes.filter(hostname=hostname).first()
    owners: list[Instance] = list(nodes.filter(uuid__iexact=uuid)) if uuid != NO_UUID else []
    if not owners or named in owners:
        return named
    names = ", ".join(owner.hostname for owner in owners)
    if named:
        raise ValidationError({"uuid": f"{uuid} is the uuid of {names}, and {hostname} is another node."})
    if len(owners) > 1:
        raise ValidationError({"uuid": f"{uuid} is the uuid of several nodes: {names}."})
    return owners[0]


def check_address(node: Instance | None, address: str) -> None:
    """Raise ValidationError for what is no IP address, or another's than ``node``'s."""
    if not address:
        return
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise ValidationError({"ip_address": f"{address} is no IP address."}) from None
    other = Instance.objects.filter(ip_address=address).exclude(pk=node and node.pk).first()
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
        "managed": rules.current().is_managed(node_type),
    }
    Instance(**lifecycle.own_fields(values)).clean_fields()
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
    wanting = ReceptorAddress.objects.filter(
        peers_from_control_nodes=True, instance__node_type__in=addresses.INSTALLABLE
    )
    missing = list(wanting.exclude(peers_from=instance).order_by("pk"))
    InstanceLink.objects.bulk_create(InstanceLink(source=instance, target=address) for address in missing)
    return bool(missing)


@transaction.atomic
def deprovision(hostname: str, reason: str = "") -> bool:
    """Remove the node, its links and its memberships at once, whatever runs there; False if there is no such node."""
    instance = removals.lock_to_remove(hostname=hostname)
    if instance is None:
        return False
    removals.remove(instance, reason)
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
def register_queue(name: str, percentage: int | None, minimum: int, hostnames: list[str]) -> Registration:
    """Make an instance group with this policy, or change the one of this name, and add the instances to it.

    All are added to the policy's list, as in AWX; members become those that the policies let in. The groups that AWX
    protects can be changed too: it is here that an installer sets them up. ``percentage``: None is 0, but for the
    control plane, from which that would take every node.
    """
    policies.lock_memberships()
    group = InstanceGroup.objects.select_for_update(no_key=True).filter(name=name).first()
    created = group is None
    if group is None:
        group = InstanceGroup(name=name)
        group.clean_fields()
        group.save()
    found = lock_by_hostname(hostnames)
    warnings = []
    if percentage is None and group.name == CONTROL_PLANE and group.policy_instance_percentage:
        percentage = group.policy_instance_percentage
        warnings = [f"The percentage of {name} stays {percentage}: with 0 nodes that control would leave it."]
    if group.is_container_group and (percentage or minimum or found):
        raise ValidationError(f"{name} is a container group: it has no instances and no policy.")
    listed = [hostname for hostname in dict.fromkeys(hostnames) if hostname not in group.policy_instance_list]
    policy = {
        "policy_instance_percentage": percentage or 0,
        "policy_instance_minimum": minimum,
        "policy_instance_list": [*group.policy_instance_list, *listed],
    }
    changed = set_fields(group, policy)
    let_in = [instance for instance in found.values() if policies.may_be_member(instance, group)]
    joined = join(group, let_in)
    if created or changed or joined:
        tasks.policies_changed()
    outcome = Outcome.CREATED if created else Outcome.CHANGED if changed or joined else Outcome.UNCHANGED
    warnings += [listing_warning(group, instance) for instance in found.values() if instance not in let_in]
    return Registration(outcome, tuple(warnings))


def listing_warning(group: InstanceGroup, instance: Instance) -> str:
    return f"{instance.hostname} is listed, but policies keep {instance.node_type} nodes out of {group.name}."


def join(group: InstanceGroup, instances: list[Instance]) -> bool:
    """Make the instances members; return whether one of them is new."""
    present = group.instances.filter(pk__in=[instance.pk for instance in instances]).count()
    group.instances.add(*instances)
    return present < len(instances)


# --- links


@dataclass(frozen=True)
class Links:
    """How many links were made, or are established by now, how many were removed, and what to warn of."""

    added: int = 0
    removed: int = 0
    warnings: tuple[str, ...] = ()


@transaction.atomic
def connect(source: str, peers: Sequence[str], exactly: bool = False, severed: Sequence[str] = ()) -> Links:
    """Let ``source`` dial these ``peers``, and with ``exactly`` no others; the ``severed`` no longer.

    As in AWX, links may form a cycle, and the severed may be unknown by now; whether a peer needs an address that it
    listens at, the rules of the version say.
    """
    if source in (*peers, *severed):
        raise ValidationError(f"{source} cannot peer to itself.")
    lock_links()
    found = lock_by_hostname([source, *peers])
    own = InstanceLink.objects.filter(source=found[source])
    states = dict(own.order_by("target__canonical").values_list("target__instance__hostname", "link_state"))
    gone = {*severed, *(states.keys() - set(peers) if exactly else ())}
    established = InstanceLink.State.ESTABLISHED
    lacking = [found[name] for name in dict.fromkeys(peers) if states.get(name) != established]
    warnings = tuple(link_warnings(found[source], [node for node in lacking if node.hostname not in states]))
    for node in lacking:
        if not own.filter(target__instance=node).update(link_state=established):
            address = rules.current().address_to_link(node)
            InstanceLink.objects.create(source=found[source], target=address, link_state=established)
    removed, _ = own.filter(target__instance__hostname__in=gone).delete()
    addresses.delete_unused_addresses()
    return Links(len(lacking), removed, warnings)


def link_warnings(source: Instance, peers: list[Instance]) -> Iterator[str]:
    """What is unusual about new links from ``source`` to these nodes."""
    silent = [peer.hostname for peer in peers if peer.listener_port is None]
    if silent:
        yield (
            f"{', '.join(silent)}: no listener_port is set there. Install bundles leave such links out, and the API "
            "changes such a node only together with its port."
        )
    before = leading_to(source) if peers else set()
    circular = [peer.hostname for peer in peers if peer.pk in before]
    if circular:
        yield f"Links lead from {', '.join(circular)} to {source.hostname} already: the links form a cycle now."


def leading_to(instance: Instance) -> set[int]:
    """The ids of the instances from which links lead here, over any number of others."""
    sources = defaultdict(set)
    for source, target in InstanceLink.objects.values_list("source_id", "target__instance_id"):
        sources[target].add(source)
    found: set[int] = set()
    new = {instance.pk}
    while new:
        new = set().union(*(sources[pk] for pk in new)) - found
        found |= new
    return found
