"""The nodes as a list for people, on the dashboard and by command: its filters and its orders."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from instances.models import Instance
from instances.overview import SEVERITY, Standing, standing

LONG_AGO = datetime.min.replace(tzinfo=UTC)
NUMBER = re.compile(r"(\d+)")


def natural(text: str) -> list[tuple[bool, int, str]]:
    """A key by which node-2 comes before node-10."""
    return [
        (True, int(part), "") if number % 2 else (False, 0, part)
        for number, part in enumerate(NUMBER.split(text.casefold()))
    ]


def by_hostname(instance: Instance) -> Any:
    return natural(instance.hostname)


# The sortable columns: label, sort key, and whether the first click sorts in descending order.
COLUMNS: dict[str, tuple[str, Callable[[Instance], Any], bool]] = {
    "node": ("Node", by_hostname, False),
    "type": ("Type", lambda instance: instance.node_type, False),
    "state": ("State", lambda instance: (SEVERITY[standing(instance)], instance.node_state), False),
    "used": ("In use", lambda instance: instance.percent_used, True),
    "capacity": ("Capacity", lambda instance: instance.capacity, True),
    "jobs": ("Running jobs", lambda instance: instance.load.jobs_running, True),
    "seen": ("Last seen", lambda instance: instance.last_seen or LONG_AGO, True),
}
STATES = {**dict(Standing.choices), **{f"state-{value}": label for value, label in Instance.NodeState.choices}}


@dataclass
class NodeFilter:
    """Which nodes are listed, and by which column in which order; "" is any."""

    text: str = ""
    node_type: str = ""
    state: str = ""
    """A standing, or a state as in STATES."""
    column: str = "node"
    reverse: bool = False

    def matches(self, instance: Instance) -> bool:
        if self.node_type and instance.node_type != self.node_type:
            return False
        if self.state and self.state not in (standing(instance).value, f"state-{instance.node_state}"):
            return False
        return self.text.casefold() in instance.hostname.casefold()

    def choose(self, instances: Iterable[Instance]) -> list[Instance]:
        """The matching nodes in order. ``instances`` must be ordered by hostname; equals keep this order."""
        found = list(filter(self.matches, instances))
        if self.column == "node":
            return found[::-1] if self.reverse else found
        return sorted(found, key=COLUMNS[self.column][1], reverse=self.reverse)
