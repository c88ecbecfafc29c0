"""The roles that users hold, as AWX 24.6 lists them: on single groups, and on the whole system as its auditors.

They are stored as ``InstanceGroupRole`` and as ``User.is_system_auditor``, and have one sequence of numbers here.
"""

from typing import Any

from django.db.models import BigIntegerField, BooleanField, CharField, F, Q, QuerySet, Value

from instances.listing import Listing
from instances.models import InstanceGroupRole, User
from instances.reader import Reader

SYSTEM_AUDITOR = "system_auditor"  # in ``role``, beside the roles on groups
COLUMNS = (
    "number",
    "holder",
    "username_of_holder",
    "first_name_of_holder",
    "last_name_of_holder",
    "held",
    "group",
    "name_of_group",
    "is_container",
)


def assignments(reader: Reader, order: str, wanted: Q) -> Listing:
    """The assignments that ``reader`` may see: all, or the reader's own. Each is a dict of COLUMNS.

    ``order``: "number" or "-number". ``wanted``: of the columns. ``held`` is a role on ``group``, or SYSTEM_AUDITOR.
    """
    visible = {} if reader.sees_everything else {"holder": reader.id}
    on_groups, on_system = (
        rows.filter(wanted, **visible).order_by().values(*COLUMNS) for rows in (_on_groups(), _on_system())
    )
    return NumberedListing(on_groups.union(on_system, all=True).order_by(order))


class NumberedListing(Listing):
    """No two of the records have the same number."""

    is_totally_ordered = True


def _on_groups() -> QuerySet[Any]:
    roles: QuerySet[Any] = InstanceGroupRole.objects.annotate(
        number=F("pk") * 2,
        holder=F("user_id"),
        username_of_holder=F("user__username"),
        first_name_of_holder=F("user__first_name"),
        last_name_of_holder=F("user__last_name"),
        held=F("role"),
        group=F("instance_group_id"),
        name_of_group=F("instance_group__name"),
        is_container=F("instance_group__is_container_group"),
    )
    return roles


def _on_system() -> QuerySet[Any]:
    auditors: QuerySet[Any] = User.objects.filter(is_system_auditor=True).annotate(
        number=F("pk") * 2 + 1,
        holder=F("pk"),
        username_of_holder=F("username"),
        first_name_of_holder=F("first_name"),
        last_name_of_holder=F("last_name"),
        held=Value(SYSTEM_AUDITOR, output_field=CharField()),
        group=Value(None, output_field=BigIntegerField()),
        name_of_group=Value(None, output_field=CharField()),
        is_container=Value(None, output_field=BooleanField()),
    )
    return auditors
