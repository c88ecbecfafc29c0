"""A node that has a new hostname: what names it by its hostname, and not by its id, follows.

Memberships, links, health notes and tokens belong to the node's id; nothing is to be done for them.
"""

from typing import Any

from django.db.models import F

from instances import tasks
from instances.models import Drain, Instance, InstanceGroup, NodeLoad, ReceptorAddress, UnifiedJob

FIGURES = ("jobs_total", "jobs_running", "impact", "jobs_controlled")


def lock_groups() -> None:
    """Lock every group until the transaction ends.

    To be called before a hostname changes: who puts a node into a group locks the group first, and then the hostname.
    """
    list(InstanceGroup.objects.select_for_update(no_key=True).order_by("pk").values_list("pk"))


def follow(node: Instance, earlier: str) -> None:
    """Let jobs, loads, drains and the groups' policies name ``node``, which was ``earlier``, by its present hostname.

    To be called in the transaction that renames the node, after ``lock_groups()``. Triggers count the jobs anew.
    """
    for field in ("execution_node", "controller_node"):
        UnifiedJob.objects.filter(**{field: earlier}).update(**{field: node.hostname})
    if not ReceptorAddress.objects.filter(address=node.hostname).exists():  # it may be a further one of its own
        ReceptorAddress.objects.filter(instance=node, address=earlier).update(address=node.hostname)
    move_baseline(earlier, node.hostname)
    rename_in_policies(earlier, node.hostname)
    Drain.objects.filter(instance=node, hostname=earlier).update(hostname=node.hostname)
    tasks.instance_changed(node)


def move_baseline(earlier: str, hostname: str) -> None:
    """Add the baseline of the earlier hostname to that of the new one, if a removed node of this name has left one."""
    baselines: Any = NodeLoad.objects.filter(baseline=True)
    for moved in baselines.filter(node_id=earlier):
        added = {name: F(name) + getattr(moved, name) for name in FIGURES}
        if baselines.filter(node_id=hostname).update(**added):
            moved.delete()
        else:
            baselines.filter(pk=moved.pk).update(node_id=hostname)


def rename_in_policies(earlier: str, hostname: str) -> None:
    """Rename the node in every policy_instance_list; a list that has both names has the first of them only."""
    for group in InstanceGroup.objects.filter(policy_instance_list__contains=[earlier]):
        renamed = [hostname if name == earlier else name for name in group.policy_instance_list]
        group.policy_instance_list = list(dict.fromkeys(renamed))
        group.save(update_fields=["policy_instance_list"])
