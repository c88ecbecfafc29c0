"""A mesh for tests, as its Receptor would tell of it, with a clock that the tests set."""

from datetime import UTC, datetime, timedelta
from typing import Any

from instances.health import mesh
from instances.health.mesh_view import View
from instances.models import Instance, InstanceLink
from tests.make import make_link, make_node

MORNING = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # the day on which the clocks of Europe change
MINUTE = timedelta(minutes=1)


def node(hostname: str, node_type: str = "execution", **values: Any) -> Instance:
    """A node that is ready, with capacity, and was seen in the MORNING."""
    figures = {"cpu": 4, "memory": 8 * 2**30, "cpu_capacity": 16, "mem_capacity": 81, "capacity": 81}
    known = {
        "modified": MORNING,
        "last_seen": MORNING,
        "last_health_check": MORNING,
        **({} if node_type == "hop" else figures),
    }
    return make_node(hostname, node_type=node_type, **{"capacity": 0, **known, **values})


def link(source: Instance, target: Instance, state: str = "established") -> InstanceLink:
    return make_link(source, target, link_state=state)


class Mesh:
    """Nodes that advertise themselves every minute, unless they are silent; somebody looks since the MORNING."""

    def __init__(self) -> None:
        self.now = MORNING
        self.advertised: dict[str, datetime] = {}
        self.connections: dict[str, dict[str, float]] = {}
        self.routes: dict[str, str] | None = None  # None: this Receptor does not tell
        self.look()

    def status(self) -> dict[str, Any]:
        advertisements = [
            {"NodeID": name, "Time": at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z", "ConnType": 0, "Tags": None}
            for name, at in self.advertised.items()
        ]
        status = {"Advertisements": advertisements, "KnownConnectionCosts": self.connections, "NodeID": "control"}
        return status if self.routes is None else {**status, "RoutingTable": self.routes}

    def pass_minutes(self, minutes: int, *hostnames: str) -> mesh.Changes:
        """Let time pass while these nodes advertise themselves, with a look each minute; what the last look found."""
        for _ in range(minutes):
            self.now += MINUTE
            self.advertised |= dict.fromkeys(hostnames, self.now - timedelta(seconds=5))
            controlling = Instance.objects.filter(hostname__in=hostnames, node_type__in=("control", "hybrid"))
            controlling.update(last_seen=self.now)  # by their own heartbeats
            changes = self.look()
        return changes

    def look(self, error: str = "") -> mesh.Changes:
        changes = mesh.inspect(self.now, View.of_status(self.status()), error)
        assert changes is not None
        return changes


def state(hostname: str) -> str:
    return Instance.objects.get(hostname=hostname).node_state
