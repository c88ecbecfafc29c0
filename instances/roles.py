"""The roles on groups: their numbers, which of them a user holds, and giving and taking one.

AWX numbers the roles of all records in one sequence. Here a number follows from the id of the group. The roles on the
whole system, 1 and 2, are ``User.is_superuser`` and ``User.is_system_auditor``, and are not among these.
"""

from django.db import transaction
from django.db.models import F, Q, Value

from instances.accounts import refuse_if_mirrored
from instances.assignments import NumberedListing
from instances.models import InstanceGroup, InstanceGroupRole, User
from instances.reader import Reader

Role = InstanceGroupRole.Role
KINDS = tuple(Role)
FIRST = 3
COLUMNS = ("number", "group", "name_of_group", "held", "is_administered")


def role_id(group_pk: int, role: Role) -> int:
    """The number of the role on this group."""
    return (group_pk - 1) * len(KINDS) + KINDS.index(role) + FIRST


def role_with_id(number: int) -> tuple[int, Role]:
    """The id of the group that a role with this number is on, and what it is there; there may be no such group."""
    group, kind = divmod(number - FIRST, len(KINDS))
    return group + 1, KINDS[kind]


def visible_to(reader: Reader, order: str, wanted: Q, holder: User | None = None) -> NumberedListing:
    """The roles on the groups that ``reader`` may see; with ``holder``, those that this user holds.

    Each is a dict of COLUMNS; ``held`` is the role, ``is_administered`` whether the reader may give and take it.
    ``order``: "number" or "-number". ``wanted``: of the columns.
    """
    groups = InstanceGroup.objects.visible_to(reader).with_administration_by(reader)
    of_each_kind = [
        (groups.filter(user_roles__user=holder, user_roles__role=role) if holder else groups)
        .annotate(
            number=(F("pk") - 1) * len(KINDS) + KINDS.index(role) + FIRST,
            group=F("pk"),
            name_of_group=F("name"),
            held=Value(role.value),
        )
        .filter(wanted)
        .order_by()
        .values(*COLUMNS)
        for role in KINDS
    ]
    return NumberedListing(of_each_kind[0].union(*of_each_kind[1:], all=True).order_by(order))


@transaction.atomic
def grant(group_pk: int, role: Role, user: User) -> None:
    """Give the user the role on the group; one who has it keeps it. Raises PermissionDenied for a mirrored user."""
    refuse_if_mirrored(user)
    InstanceGroupRole.objects.get_or_create(user=user, instance_group_id=group_pk, role=role)


@transaction.atomic
def revoke(group_pk: int, role: Role, user: User) -> None:
    """Take the role on the group from the user, who may be without it. Raises PermissionDenied likewise."""
    refuse_if_mirrored(user)
    InstanceGroupRole.objects.filter(user=user, instance_group_id=group_pk, role=role).delete()
