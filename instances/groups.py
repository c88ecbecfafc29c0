"""Instance groups: which changes are allowed, and who is a member. Errors are ValidationError, in AWX's words.

Source: docs/awx-behaviour.md, "Changing groups", and recorded answers.
"""

from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from instances import tasks
from instances.locking import lock_record, set_statement_timeout
from instances.messages import GROUP_IN_USE
from instances.models import Instance, InstanceGroup
from instances.models.group import CONTROL_PLANE

NO_POLICY = {"policy_instance_percentage": 0, "policy_instance_minimum": 0, "policy_instance_list": []}
# Fields that decide about nodes, or about what runs in containers, beyond the rights of a group's administrator.
OF_THE_MESH = (*NO_POLICY, "pod_spec_override")
DELETION = 60  # seconds
UNFINISHED = ("new", "pending", "waiting", "running")


def may_set_policies(user: Any) -> bool:
    """Whether ``user``, who may change a group, may change its fields of ``OF_THE_MESH`` too."""
    return bool(settings.GROUP_ADMINS_SET_POLICIES or user.is_superuser)


# --- fields


def checked_name(group: InstanceGroup | None, name: str) -> str:
    if group and group.is_protected and name != group.name:
        raise ValidationError(f"{group.name} instance group name may not be changed.")
    return name


def checked_is_container_group(group: InstanceGroup | None, value: bool) -> bool:
    if group and group.is_protected and value != group.is_container_group:
        raise ValidationError(f"{group.name} instance group is_container_group may not be changed.")
    return value


def checked_percentage(group: InstanceGroup | None, percentage: int) -> int:
    if group and group.is_protected and percentage != group.policy_instance_percentage:
        raise ValidationError(
            f"{group.name} instance group policy_instance_percentage may not be changed "
            "from the initial value set by the installer."
        )
    checked_policy(group, percentage)
    return percentage


def checked_policy(group: InstanceGroup | None, value: Any) -> Any:
    """A valid value of a policy field; raises ValidationError unless it is empty for a container group."""
    if group and group.is_container_group and value:
        raise ValidationError("Containerized instances may not be managed via the API")
    return value


def checked_policy_list(
    group: InstanceGroup | None, hostnames: list[str], known: Collection[str] | None = None
) -> list[str]:
    """The valid list; ``known``: the hostnames that may be listed, by default those of all instances."""
    if group and group.is_protected and hostnames != group.policy_instance_list:
        raise ValidationError(f"{group.name} instance group policy_instance_list may not be changed.")
    if known is None:
        known = set(Instance.objects.filter(hostname__in=hostnames).values_list("hostname", flat=True))
    earlier: set[str] = set()
    for hostname in hostnames:
        if hostname in earlier:
            raise ValidationError(f"Duplicate entry {hostname}.")
        if hostname not in known:
            raise ValidationError(f"{hostname} is not a valid hostname of an existing instance.")
        earlier.add(hostname)
    checked_policy(group, hostnames)
    return hostnames


def checked_credential(group: InstanceGroup | None, credential: int | None) -> int | None:
    """Credentials are not stored here: those that a group has are known."""
    if credential is not None and not with_credential(credential).exists():
        raise ValidationError(f'Invalid pk "{credential}" - object does not exist.')
    return credential


def policy_of(group: InstanceGroup) -> dict[str, Any]:
    """The values of the group's policy fields, as they are stored."""
    return {name: getattr(group, name) for name in NO_POLICY}


def group_named(name: str) -> InstanceGroup:
    """The group of this name. Raises ValidationError if there is none."""
    group: InstanceGroup | None = InstanceGroup.objects.filter(name=name).first()
    if group is None:
        raise ValidationError(f"No group is named {name}.")
    return group


def with_credential(credential: int) -> QuerySet[InstanceGroup]:
    return InstanceGroup.objects.filter(credential=credential).order_by("pk")


def check_together(values: dict[str, Any]) -> None:
    """Raise ValidationError if these values, each of them valid, are not valid together or do not fit their columns."""
    columns = {column.name for column in InstanceGroup._meta.concrete_fields}
    InstanceGroup(**values).clean_fields(exclude=columns - values.keys())
    if values.get("credential") is not None and not values.get("is_container_group"):
        reason = "is_container_group must be True when associating a credential to an Instance Group"
        raise ValidationError({"is_container_group": reason})


# --- changes


@transaction.atomic
def create(values: dict[str, Any]) -> InstanceGroup:
    """A new group with these checked ``values``."""
    group = InstanceGroup.objects.create(**values, credential_summary=summary_of(values.get("credential")))
    tasks.policies_changed()
    return group


@transaction.atomic
def change(group: InstanceGroup, values: dict[str, Any]) -> InstanceGroup:
    """Change the group, which is locked, with these checked ``values``; other fields stay as they are."""
    if "credential" in values and values["credential"] != group.credential:
        group.credential_summary = summary_of(values["credential"])
    for name, value in values.items():
        setattr(group, name, value)
    group.save(update_fields={*values, "credential_summary"})
    tasks.policies_changed()
    return group


def summary_of(credential: int | None) -> Any:
    """The summary of the credential, as the groups that have it store it; None where no group does."""
    if credential is None:
        return None
    return with_credential(credential).values_list("credential_summary", flat=True).first()


@transaction.atomic
def delete(pk: int) -> None:
    """Delete the group. It is locked first, so that nobody changes its members meanwhile.

    Its jobs stay, without a group: each of them is updated, about 100,000 in a second.
    """
    group = lock_record(InstanceGroup, pk)
    set_statement_timeout(DELETION)
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
        raise ValidationError(GROUP_IN_USE)


def refuse_move(instance: Instance) -> None:
    """Raise ValidationError if the memberships of ``instance`` may not be changed by hand."""
    if instance.node_type == Instance.NodeType.CONTROL:
        raise ValidationError(f"Cannot change instance group membership of control-only node: {instance.hostname}.")
    if instance.node_type == Instance.NodeType.HOP:
        raise ValidationError(f"Cannot change instance group membership of hop node : {instance.hostname}.")


@transaction.atomic
def associate(group_pk: int, instance: Instance) -> None:
    """Associate ``instance`` with the group, and add it to policy_instance_list, so that policies do not remove it."""
    refuse_move(instance)
    group: InstanceGroup = lock_record(InstanceGroup, group_pk)
    group.instances.add(instance)
    if instance.hostname not in group.policy_instance_list:
        set_policy_list(group, [*group.policy_instance_list, instance.hostname])
    tasks.policies_changed()


@transaction.atomic
def disassociate(group_pk: int, instance: Instance, noun: str = "node") -> None:
    """Disassociate ``instance`` from the group; ``noun`` is what AWX calls the instance in its error message."""
    refuse_move(instance)
    group: InstanceGroup = lock_record(InstanceGroup, group_pk)
    if instance.node_type == Instance.NodeType.HYBRID and group.name == CONTROL_PLANE:
        raise ValidationError(f"Cannot disassociate hybrid {noun} {instance.hostname} from {CONTROL_PLANE}.")
    group.instances.remove(instance)
    if instance.hostname in group.policy_instance_list:
        set_policy_list(group, [hostname for hostname in group.policy_instance_list if hostname != instance.hostname])
    tasks.policies_changed()


def set_policy_list(group: InstanceGroup, hostnames: list[str]) -> None:
    """Store these hostnames as policy_instance_list. As in AWX, ``modified`` stays as it is."""
    InstanceGroup.objects.filter(pk=group.pk).update(policy_instance_list=hostnames)
