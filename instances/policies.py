"""Which instances the policies of the instance groups make members. Source: docs/awx-behaviour.md, "Policies"."""

from collections.abc import Collection
from heapq import nsmallest

from django.db import transaction

from instances import locks
from instances.capacity import EXECUTING
from instances.models import Instance, InstanceGroup
from instances.models.group import CONTROL_PLANE

Membership = InstanceGroup.instances.through


def lock_memberships() -> None:
    """Take the advisory lock of memberships until the transaction ends; wait for others that have it."""
    locks.acquire(locks.Lock.MEMBERSHIPS)


@transaction.atomic
def apply_policies() -> int:
    """Make the members of every group those of its policies; return how many memberships were added or removed.

    Six queries at most, however many groups there are. The groups are locked, so that nobody moves an instance by hand
    between the reading and the writing.
    """
    lock_memberships()
    locked = InstanceGroup.objects.filter(is_container_group=False).select_for_update(no_key=True)
    groups = list(locked.order_by("pk"))
    instances = list(Instance.objects.only("hostname", "node_type", "managed_by_policy").order_by("pk"))
    present = {
        (group, instance): pk
        for pk, group, instance in Membership.objects.filter(instancegroup__in=groups).values_list(
            "pk", "instancegroup_id", "instance_id"
        )
    }
    pairs = resulting(instances, groups, present.keys())
    ended = [pk for pair, pk in present.items() if pair not in pairs]
    begun = [
        Membership(instancegroup_id=group, instance_id=instance) for group, instance in sorted(pairs - present.keys())
    ]
    if ended:
        Membership.objects.filter(pk__in=ended).delete()
    Membership.objects.bulk_create(begun, ignore_conflicts=True)
    return len(ended) + len(begun)


def resulting(
    instances: list[Instance], groups: list[InstanceGroup], present: Collection[tuple[int, int]]
) -> set[tuple[int, int]]:
    """The memberships, as ids of group and node, that the policies make of those that are ``present``.

    Those by hand stay, and those of container groups. Reads as little as ``memberships()``.
    """
    wanted = memberships(instances, groups)
    untouched = by_hand(instances, groups)
    pairs = {(group, instance) for group, members in wanted.items() for instance in members}
    return pairs | {pair for pair in present if pair in untouched or pair[0] not in wanted}


def memberships(instances: list[Instance], groups: list[InstanceGroup]) -> dict[int, set[int]]:
    """The ids of the members that each group, by its id, should have; container groups have no entry.

    Reads nothing but the fields of its arguments, both in the order in which ties are broken. First the listed
    instances, then up to the minimum, then up to the percentage: a group with fewer members is served first, by the
    instances that these two rules gave to the fewest groups so far.
    """
    groups = [group for group in groups if not group.is_container_group]
    members = {group.pk: listed(instances, group) for group in groups}
    given = {instance.pk: 0 for instance in instances if instance.managed_by_policy}
    kinds = {group.name == CONTROL_PLANE: group for group in groups}  # groups of a kind have the same eligible nodes
    pools = {
        kind: [i.pk for i in instances if i.managed_by_policy and may_be_member(i, group)]
        for kind, group in kinds.items()
    }
    for wanted in (by_minimum, by_percentage):
        for group in sorted(groups, key=lambda group: len(members[group.pk])):
            own = members[group.pk]
            pool = pools[group.name == CONTROL_PLANE]
            missing = wanted(group, len(pool)) - len(own)
            others = (pk for pk in pool if pk not in own) if missing > 0 else ()
            for pk in nsmallest(missing, others, key=given.__getitem__):
                own.add(pk)
                given[pk] += 1
    return members


def listed(instances: list[Instance], group: InstanceGroup) -> set[int]:
    """The ids of the instances that the group's policy_instance_list makes members."""
    hostnames = set(group.policy_instance_list)
    if not hostnames:
        return set()
    return {i.pk for i in instances if i.hostname in hostnames and may_be_member(i, group)}


def by_hand(instances: list[Instance], groups: list[InstanceGroup]) -> set[tuple[int, int]]:
    """The execution nodes listed in controlplane, as ids of group and node: policies put none in and take none out."""
    return {
        (group.pk, i.pk)
        for group in groups
        if group.name == CONTROL_PLANE
        for i in instances
        if i.node_type == Instance.NodeType.EXECUTION and i.hostname in group.policy_instance_list
    }


def may_be_member(instance: Instance, group: InstanceGroup) -> bool:
    """Whether the policies of ``group``, its list among them, can make ``instance`` a member."""
    if group.name == CONTROL_PLANE:
        return instance.controls
    return instance.node_type in EXECUTING


def by_minimum(group: InstanceGroup, eligible: int) -> int:
    """How many members the group's minimum requires."""
    return group.policy_instance_minimum


def by_percentage(group: InstanceGroup, eligible: int) -> int:
    """How many members the group's percentage of the ``eligible`` instances requires, at least."""
    return -(-group.policy_instance_percentage * eligible // 100)
