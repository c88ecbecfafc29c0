"""Who reads: all of a user that decides which records the user sees."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Reader:
    """A user as the visibility of records takes one. Nothing else of a user may decide what the user sees.

    ``id`` is None for somebody unknown, who sees nothing. ``sees_auditors``: whether the system auditors are among the
    users that everybody sees, as superusers are; this differs between versions of AWX. Source: docs/awx-behaviour.md,
    "Who may do what".
    """

    id: int | None
    is_superuser: bool = False
    is_system_auditor: bool = False
    sees_auditors: bool = True

    @classmethod
    def of(cls, user: Any, sees_auditors: bool = True) -> Reader:
        """The reader that ``user``, a ``User`` or Django's ``AnonymousUser``, is."""
        return cls(user.pk, user.is_superuser, getattr(user, "is_system_auditor", False), sees_auditors)

    @property
    def rank(self) -> tuple[Any, ...]:
        """All of the reader but the id: readers of one rank are asked about by the same SQL."""
        return astuple(self)[1:]

    @property
    def sees_everything(self) -> bool:
        """Whether every instance, group and job is visible."""
        return self.is_superuser or self.is_system_auditor


OPERATOR = Reader(0, is_superuser=True)
"""Who runs a command: sees everything, and need not be a user."""
