"""Which changes of instances are allowed, and what they do to the links of control nodes, for each version of AWX.

common.py   what all versions share        awx23.py   AWX 23.6.0        awx24.py   AWX 24.6.1

``Rules`` describes what a module of rules has.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

from django.conf import settings

from instances.models import Instance, ReceptorAddress
from instances.rules import awx23, awx24


class Rules(Protocol):
    """What a module of rules has."""

    VERSION: str
    """The value of ``AWX_VERSION``."""

    LINE: tuple[tuple[int, ...], ...]
    """The numbers with which the versions of AWX and automation controller begin that are spoken as this one."""

    SHOWS_ALL: bool
    """Whether a service does not start with stored records which this version cannot show; else they are hidden."""

    CHECKS: Mapping[str, Callable[[Instance | None, Any], Any]]
    """By field: a function of the instance that is changed, None for a new one, and a value. It returns the value, or
    raises ValidationError in AWX's words."""

    def check_together(self, instance: Instance | None, values: dict[str, Any]) -> None:
        """Raise ValidationError if these ``values`` (``peers``: addresses) are not valid together for the instance."""

    def update_control_node_links(self, instance: Instance, values: dict[str, Any]) -> None:
        """Add and remove links of control and hybrid nodes to ``instance``, which has just got these ``values``."""

    def has_automatic_peers(self, instance: Instance) -> bool:
        """Whether the peers of ``instance`` cannot be set by hand."""

    # --- what an installer does, with which more is allowed than over the API

    NO_ADDRESSES: str
    """Why addresses of instances cannot be added, changed and removed; "" where they can."""

    def check_listener_port(self, port: int) -> None:
        """Raise ValidationError if an installer may not give an instance this port."""

    def is_managed(self, node_type: str) -> bool:
        """Whether the control plane owns a new node of this type that an installer registers."""

    def address_to_link(self, instance: Instance) -> ReceptorAddress:
        """The address of ``instance`` to which an installer's links lead. Raises ValidationError if it has none."""

    def not_shown(self) -> list[str]:
        """What this version cannot show of the stored addresses and links, in words."""


RULES = {rules.VERSION: rules for rules in (cast(Rules, awx23), cast(Rules, awx24))}


def current() -> Rules:
    """The rules of the AWX that this process speaks as."""
    return RULES[settings.AWX_VERSION]
