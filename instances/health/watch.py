"""Who watches the nodes: the last inspections of all control nodes' workers, taken together.

One that works is sufficient: the mesh reaches what its Receptor reaches, whatever became of the others. So all control
nodes give the same answers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from instances.health.rules import LOSS_DETECTING_PROBES
from instances.models import Instance, MeshInspection, NodeHealth


class Inspections:
    """The last inspection of each control node, by their names; ``deciding``: those that say most at ``now``."""

    def __init__(self, inspections: Iterable[MeshInspection], now: datetime) -> None:
        self.each = sorted(inspections, key=lambda each: each.inspector)
        self.recent = [each for each in self.each if not each.is_overdue(now)]
        self.working = [each for each in self.recent if not each.error]
        self.deciding = self.working or self.recent or self.each

    @classmethod
    def stored(cls, now: datetime | None = None) -> "Inspections":
        """Those that are stored. One query."""
        return cls(MeshInspection.objects.all(), now or timezone.now())

    @property
    def first(self) -> MeshInspection | None:
        """The one that stands for all: by its name, so that it does not change from one moment to the next."""
        return self.deciding[0] if self.deciding else None

    @property
    def unknown_nodes(self) -> list[str]:
        """The hostnames on the mesh that no instance has."""
        return sorted({name for each in self.deciding for name in each.unknown_nodes})

    @property
    def unrouted(self) -> frozenset[str] | None:
        """The hostnames of the instances to which no Receptor knew a route; None where none says so."""
        known = [frozenset(each.unrouted) for each in self.working if each.unrouted is not None]
        return frozenset.intersection(*known) if known else None


@dataclass(frozen=True, slots=True)
class Watch:
    """Whether anything here watches the nodes: a worker, its node's Receptor, or neither, as in a mirror."""

    is_mirror: bool = False
    by_worker: bool = False
    receptor_error: str = ""  # why no Receptor of a control node answers; "" where one does, or none is used
    is_blind: bool = False  # nodes are to be watched through Receptor, and no inspection did of late
    unrouted: frozenset[str] | None = None  # as of Inspections
    inspected: datetime | None = None  # when the last inspection that works began

    @classmethod
    def here(cls, now: datetime | None = None) -> "Watch":
        """The watch of a service that is no mirror. One query."""
        found = Inspections.stored(now)
        return cls(
            by_worker=settings.HEALTH_PROBE in LOSS_DETECTING_PROBES and bool(found.working),
            receptor_error=found.recent[0].error if found.recent and not found.working else "",
            is_blind=through_receptor() and not found.recent,
            unrouted=found.unrouted,
            inspected=max((each.began for each in found.working), default=None),
        )

    def lacks_route(self, instance: Instance, health: NodeHealth) -> bool:
        """Whether no Receptor knew a route to the node, and it was not seen on the mesh since."""
        if self.unrouted is None or instance.hostname not in self.unrouted:
            return False
        if instance.controls or health.sighted is None or self.inspected is None:  # control nodes use no mesh to report
            return True
        return health.sighted <= self.inspected

    def has_route(self, instance: Instance) -> bool:
        """Whether a Receptor knew a route to the node; False also where none says so."""
        return self.unrouted is not None and instance.hostname not in self.unrouted


MIRRORING = Watch(is_mirror=True)  # a worker leaves a mirror alone


def through_receptor() -> bool:
    """Whether nodes are watched and checked through this node's Receptor, so that all of them are on its mesh."""
    return settings.HEALTH_PROBE == "receptor" and bool(settings.RECEPTOR_SOCKET)


def record_failure(error: str, now: datetime) -> None:
    """Record that this node's Receptor does not answer, as an inspection that failed: a health check found it so."""
    MeshInspection.objects.update_or_create(
        inspector=settings.CLUSTER_HOST_ID,
        defaults={"began": now, "error": error},
        create_defaults={"began": now, "watching_since": now, "error": error},
    )
