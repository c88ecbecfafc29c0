"""Versions of rows: from what a statement reads of them follows whether any was changed, came or went.

A row's ``xmin`` is the transaction that wrote it, its ``ctid`` where it stands: they change with every committed
change, whoever made it, on replicas as on the primary. So two sums of the same rows' hashes are equal if nothing was
committed between them.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models
from oauth2_provider.models import AccessToken

from instances.models import (
    GroupLoad,
    Instance,
    InstanceGroup,
    InstanceGroupRole,
    InstanceLink,
    JobCount,
    Mirror,
    NodeLoad,
    ReceptorAddress,
    User,
)
from instances.monitoring import TOTALS

MOST_ROWS = 5_000  # of one table; to read the versions of more takes longer than most answers


@dataclass(frozen=True)
class Rows:
    """Rows of a table: all, or those of the SQL condition ``where``.

    In it ``%(record)s`` stands for the id of the record that an answer is about, ``%(reader)s`` and ``%(token)s`` for
    those of who asks and with which access token.
    """

    model: type[models.Model]
    where: str = "true"

    @property
    def sql(self) -> str:
        """Selects the sum of these rows' hashes; NULL of more than ``MOST_ROWS``."""
        rows = f"SELECT ctid, xmin FROM {self.model._meta.db_table} WHERE {self.where} LIMIT {MOST_ROWS + 1}"  # noqa: S608
        total = "coalesce(sum(hashtidextended(ctid, xmin::text::bigint)), 0)"
        return f"SELECT CASE WHEN count(*) <= {MOST_ROWS} THEN {total}::text END FROM ({rows}) AS rows"  # noqa: S608


@dataclass(frozen=True)
class Computed:
    """The row of figures that ``query`` selects, which are their own version: they need not follow from rows."""

    query: str

    @property
    def sql(self) -> str:
        """Selects the figures as a text."""
        return f"SELECT row_to_json(figures)::text FROM ({self.query}) AS figures"  # noqa: S608


class Dependencies:
    """All rows and figures that an answer is made of.

    ``sql`` selects one row with the versions of them, a column for each of ``parts``; NULL where rows are too many.
    """

    def __init__(self, *parts: Rows | Computed) -> None:
        self.parts = parts
        self.sql = f"SELECT {', '.join(f'({each.sql})' for each in parts)}"


_LINK, _NODE, _ADDRESS = (model._meta.db_table for model in (InstanceLink, Instance, ReceptorAddress))
_MEMBER = InstanceGroup.instances.through
_ROLE = InstanceGroupRole._meta.db_table
# Who asks, and by which roles on which groups somebody sees something who does not see everything.
_READER = (
    Rows(AccessToken, "id = %(token)s"),
    Rows(User, "id = %(reader)s"),
    Rows(InstanceGroupRole, "user_id = %(reader)s"),
    Rows(InstanceGroup, f"id IN (SELECT instance_group_id FROM {_ROLE} WHERE user_id = %(reader)s)"),  # noqa: S608
)
_MESH = (Rows(Instance), Rows(ReceptorAddress), Rows(InstanceLink), Rows(NodeLoad), Rows(_MEMBER))
# The addresses to which links lead from an instance.
_DIALLED = f"SELECT target_id FROM {_LINK} WHERE source_id = %(record)s"  # noqa: S608
# The addresses of the instance, to which links of others lead.
_OWN = f"SELECT id FROM {_ADDRESS} WHERE instance_id = %(record)s"  # noqa: S608

READER = Dependencies(*_READER)
INSTANCE = Dependencies(
    *_READER,
    Rows(Instance, "id = %(record)s"),
    Rows(NodeLoad, f"node = (SELECT hostname FROM {_NODE} WHERE id = %(record)s)"),  # noqa: S608
    Rows(InstanceLink, f"source_id = %(record)s OR target_id IN ({_OWN})"),
    Rows(ReceptorAddress, f"instance_id = %(record)s OR id IN ({_DIALLED})"),
    # Of the peers their hostnames; those that peer to the instance are ordered by theirs.
    Rows(Instance, f"id IN (SELECT instance_id FROM {_ADDRESS} WHERE id IN ({_DIALLED}))"),  # noqa: S608
    Rows(Instance, f"id IN (SELECT source_id FROM {_LINK} WHERE target_id IN ({_OWN}))"),  # noqa: S608
    Rows(_MEMBER, "instance_id = %(record)s"),
)
INSTANCES = Dependencies(*_READER, *_MESH)
GROUPS = Dependencies(*_READER, *_MESH, Rows(InstanceGroup), Rows(GroupLoad))
METRICS = Dependencies(*_READER, *_MESH, Rows(JobCount), Rows(Mirror), Computed(TOTALS))
HEALTH = Dependencies(Rows(Instance), Rows(InstanceGroup), Rows(_MEMBER))  # for anybody
