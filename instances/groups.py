"""Instance groups: which changes are allowed, and who is a member. Errors are ValidationError, in AWX's words.

Source: AWX_BEHAVIOUR, "Writing", and recorded answers.
"""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from instances import tasks
from instances.locking import locked, take_time
from instances.models import Instance, InstanceGroup
from instances.models.group import PROTECTED

CONTROL_PLANE = PROTECTED[0]
POLICY_FIELDS = ("policy_instance_percentage", "policy_instance_minimum", "policy_instance_list")
DELETION = 60  # seconds
UNFINISHED = ("new", "pending", "waiting", "running")


# --- fields


def checked_name(group: InstanceGroup | None, name: str) -> str:
    if group and group.is_protected and name != group.name:
        raise ValidationError(f"{group.name} instance group name may not be changed.")
    return name


def checked_is_container_group(group: InstanceGroup | None, value: bool) -> bool:
    if group and group.is_protected and value != group.is_container_group:
        raise ValidationError(f"{group.name} instance group is_container_group may not be changed.")
    return value


def checked_policy(group: InstanceGroup | None, field: str, value: Any) -> Any:
    """A new value of one of POLICY_FIELDS."""
    if group and value != getattr(group, field):
        if group.is_container_group:
            raise ValidationError("Containerized instances may not be managed via the API")
        if group.is_protected and field == "policy_instance_list":
            raise ValidationError(f"{group.name} instance group {field} may not be changed.")
        if group.is_protected:
            raise ValidationError(
                f"{group.name} instance group {field} may not be changed from the initial value set by the installer."
            )
    return value


def checked_policy_list(group: InstanceGroup | None, hostnames: list[str]) -> list[str]:
    known = set(Instance.objects.filter(hostname__in=hostnames).values_list("hostname", flat=True))
    for n, hostname in enumerate(hostnames):
        if hostname in hostnames[:n]:
            raise ValidationError(f"Duplicate entry {hostname}.")
        if hostname not in known:
            raise ValidationError(f"{hostname} is not a valid hostname of an existing instance.")
    checked_policy(group, "policy_instance_list", hostnames)
    return hostnames


def checked_credential(group: InstanceGroup | None, credential: int | None) -> int | None:
    """Credentials are not kept here: a group can keep its own, or lose it."""
    if credential is not None and credential != (group.credential if group else None):
        raise ValidationError(f'Invalid pk "{credential}" - object does not exist.')
    return credential


# --- doing it


@transaction.atomic
def create(values: dict[str, Any]) -> InstanceGroup:
    """A new group with these checked ``values``."""
    group = InstanceGroup.objects.create(**values)
    tasks.policies_changed()
    return group


@transaction.atomic
def change(pk: int, values: dict[str, Any], unchanged_since: datetime | None = None) -> InstanceGroup:
    """Change the group with these checked ``values``; other fields stay as they are."""
    group: InstanceGroup = locked(InstanceGroup, pk, unchanged_since)
    for name, value in values.items():
        setattr(group, name, value)
    if group.credential is None:
        group.credential_summary = None
    group.save(update_fields={*values, "credential_summary"})
    tasks.policies_changed()
    return group


@transaction.atomic
def delete(pk: int, unchanged_since: datetime | None = None) -> None:
    """Delete the group. It is held first, so that nobody changes its members halfway.

    Its jobs stay, without a group: each of them is written, about 100,000 in a second.
    """
    group = locked(InstanceGroup, pk, unchanged_since)
    take_time(DELETION)
    group.delete()
    tasks.policies_changed()


def unfinished_jobs(group: InstanceGroup) -> list[dict[str, Any]]:
    """The id and the type of each job of the group that has not ended."""
    return list(group.jobs.filter(status__in=UNFINISHED).order_by("id").values("id", "type"))


def refuse_deletion(group: InstanceGroup) -> None:
    """Raise ValidationError if the group may not be deleted now."""
    if group.is_protected:
        raise ValidationError(f"{group.name} instance group may not be deleted.")
    if unfinished_jobs(group):
        raise ValidationError("Resource is being used by running jobs.")


def refuse_move(instance: Instance) -> None:
    """Raise ValidationError if nobody may put ``instance`` into a group or take it out by hand."""
    if instance.node_type == Instance.NodeType.CONTROL:
        raise ValidationError(f"Cannot change instance group membership of control-only node: {instance.hostname}.")
    if instance.node_type == Instance.NodeType.HOP:
        raise ValidationError(f"Cannot change instance group membership of hop node : {instance.hostname}.")


@transaction.atomic
def attach(group_pk: int, instance: Instance) -> None:
    """Make ``instance`` a member, by policy too, so that it stays one."""
    refuse_move(instance)
    group: InstanceGroup = locked(InstanceGroup, group_pk)
    group.instances.add(instance)
    if instance.hostname not in group.policy_instance_list:
        group.policy_instance_list.append(instance.hostname)
        group.save(update_fields=["policy_instance_list"])
    tasks.policies_changed()


@transaction.atomic
def detach(group_pk: int, instance: Instance, noun: str = "node") -> None:
    """End the membership; ``noun`` is what AWX calls the instance in its refusal."""
    refuse_move(instance)
    group: InstanceGroup = locked(InstanceGroup, group_pk)
    if instance.node_type == Instance.NodeType.HYBRID and group.name == CONTROL_PLANE:
        raise ValidationError(f"Cannot disassociate hybrid {noun} {instance.hostname} from {CONTROL_PLANE}.")
    group.instances.remove(instance)
    if instance.hostname in group.policy_instance_list:
        group.policy_instance_list.remove(instance.hostname)
        group.save(update_fields=["policy_instance_list"])
    tasks.policies_changed()
