"""Receptor's view of the mesh: what its command ``status`` answers, read with care. Source: Receptor's control service.

Entries that cannot be parsed are left out: one node's odd advertisement must not hide the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime

CONTROL_SERVICE = "control"  # the service over which a node takes work
PLAIN_STREAM = 1  # ConnType of a service without TLS; 2 is one with it, 0 takes datagrams


@dataclass(frozen=True, slots=True)
class ControlService:
    """What a node last advertised of its control service.

    ``conn_type``: 1 is a plain stream, 2 one over TLS; None where it is not advertised. ``work_types``: for the name of
    each work type that it offers whether that takes signed work only; empty where it offers none, None where Receptor
    does not say.
    """

    conn_type: int | None = None
    work_types: dict[str, bool] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it is known to use no TLS."""
        return self.conn_type == PLAIN_STREAM


@dataclass
class View:
    """Receptor's view of the mesh.

    ``node``: its own name; "" where it does not say. ``advertised``: when each node's last advertisement was written,
    by that node's clock. ``services``: the control service of each node that advertises one. ``connected``: pairs of
    nodes, from the first's own view. ``disconnected``: nodes that are known to have no connection. ``routes``: for
    each node that is reached the next one on the way there, without Receptor's own; None where the answer has no
    routing table.
    """

    advertised: dict[str, datetime] = field(default_factory=dict)
    connected: set[tuple[str, str]] = field(default_factory=set)
    disconnected: set[str] = field(default_factory=set)
    routes: dict[str, str] | None = None
    services: dict[str, ControlService] = field(default_factory=dict)
    node: str = ""

    @classmethod
    def of_status(cls, status: Mapping[str, Any]) -> "View":
        """The view in the answer to Receptor's command ``status``."""
        node, routes = status.get("NodeID"), status.get("RoutingTable")
        view = cls(
            routes={node: str(via) for node, via in routes.items()} if isinstance(routes, Mapping) else None,
            node=node if isinstance(node, str) else "",
        )
        advertisements = status.get("Advertisements")
        for entry in advertisements if isinstance(advertisements, list) else []:
            if isinstance(entry, Mapping):
                view.add_advertisement(entry)
        costs = status.get("KnownConnectionCosts")
        for node, others in costs.items() if isinstance(costs, Mapping) else []:
            if others == {}:
                view.disconnected.add(node)
            view.connected |= {(node, other) for other in (others if isinstance(others, Mapping) else [])}
        return view

    def reaches(self, node: str) -> bool | None:
        """Whether Receptor knows a route to ``node``, which may be its own; None where it does not say."""
        return None if self.routes is None else node == self.node or node in self.routes

    def add_advertisement(self, entry: Mapping[str, Any]) -> None:
        """Add one advertisement. Nodes have one for each of their services; of each, the last one counts."""
        node, at = entry.get("NodeID"), parse_time(entry.get("Time"))
        if not isinstance(node, str) or at is None:
            return
        is_last = at >= self.advertised.get(node, at)
        self.advertised[node] = max(at, self.advertised.get(node, at))
        if entry.get("Service") == CONTROL_SERVICE and (is_last or node not in self.services):
            self.services[node] = control_service(entry)


def control_service(entry: Mapping[str, Any]) -> ControlService:
    """The control service of an advertisement."""
    conn_type = entry.get("ConnType")
    return ControlService(
        conn_type=conn_type if isinstance(conn_type, int) else None,
        work_types=work_types(entry["WorkCommands"]) if "WorkCommands" in entry else None,
    )


def work_types(commands: object) -> dict[str, bool] | None:
    """For each work type whether it takes signed work only; None where ``commands`` is no list of them."""
    if commands is None:  # as Go writes an empty list
        return {}
    if not isinstance(commands, list) or not all(isinstance(each, Mapping) for each in commands):
        return None
    return {str(each.get("WorkType")): each.get("Secure") is True for each in commands}


def parse_time(text: object) -> datetime | None:
    """The time of the RFC 3339 ``text`` in UTC; None where it is not one. Receptor's nanoseconds are truncated."""
    try:
        at = parse_datetime(text) if isinstance(text, str) else None
        return at.astimezone(UTC) if at is not None and at.tzinfo else None
    except (ValueError, OverflowError):  # the latter on the first and the last day that there are
        return None
