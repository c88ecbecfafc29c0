"""The arithmetic of capacity: pure functions, without a database. Source: docs/awx-behaviour.md, "Capacity"."""

from dataclasses import astuple, dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings

EXECUTING = frozenset({"execution", "hybrid"})
CONTROLLING = frozenset({"control", "hybrid"})
MEBIBYTE = 2**20
MOST_FORKS = 2**31 - 1  # that the database's columns hold
DEFAULT_FORKS = 5
IMPACT_BY_HOSTS = frozenset({"job", "ad_hoc_command"})
IMPACTS = {"project_update": 1, "inventory_update": 1, "system_job": 5, "workflow_job": 0}
RESERVED_MEMORY = 2 * 2**30  # bytes left to the operating system, outside Kubernetes


@dataclass(frozen=True, slots=True)
class Load:
    """The sums over the jobs of one node or group; ``jobs_running`` counts those that are running or waiting."""

    jobs_total: int = 0
    jobs_running: int = 0
    impact: int = 0
    jobs_controlled: int = 0

    def __sub__(self, other: "Load") -> "Load":
        return Load(*(own - others for own, others in zip(astuple(self), astuple(other), strict=True)))


def load_of(figures: tuple[str, ...], values: list[int] | None, expression: Any, connection: Any) -> Load:
    """The ``Load`` with these values of these figures, as the database has them; none where there are no jobs."""
    return Load(**dict(zip(figures, values or (), strict=False)))


def cpu_capacity(cpu: Decimal) -> int:
    """Forks that ``cpu`` cores can carry."""
    return min(MOST_FORKS, max(1, int(cpu * settings.SYSTEM_TASK_FORKS_CPU)))


def reserved_memory() -> int:
    """Bytes that no fork gets."""
    return 0 if settings.IS_K8S else RESERVED_MEMORY


def mem_capacity(memory: int) -> int:
    """Forks that ``memory`` bytes can carry."""
    return min(MOST_FORKS, max(1, (memory - reserved_memory()) // MEBIBYTE // settings.SYSTEM_TASK_FORKS_MEM))


def between(cpu_forks: int, mem_forks: int, adjustment: Decimal) -> Decimal:
    """The point between the two capacities that ``adjustment`` chooses: 0 the lower one, 1 the higher one."""
    lower, higher = sorted((cpu_forks, mem_forks))
    return min(Decimal(MOST_FORKS), lower + (higher - lower) * adjustment)


def effective(cpu_forks: int, mem_forks: int, adjustment: Decimal) -> int:
    """The capacity of an instance: that point, in whole forks."""
    return int(between(cpu_forks, mem_forks, adjustment))


@dataclass(frozen=True, slots=True)
class Explanation:
    """The numbers from which the capacity of a node is computed."""

    cpu: Decimal
    forks_per_cpu: int
    cpu_forks: int  # as stored
    cpu_expected: int  # what ``cpu`` carries by the settings here; a lost node or another AWX's may have other figures
    memory: int  # bytes
    reserved: int  # bytes
    mib_per_fork: int
    mem_forks: int
    mem_expected: int
    adjustment: Decimal
    exact: Decimal
    counts: bool  # whether the node is given work at all: enabled, and no hop node
    result: int  # what all that gives
    stored: int  # what the API shows

    @property
    def lower(self) -> int:
        return min(self.cpu_forks, self.mem_forks)

    @property
    def higher(self) -> int:
        return max(self.cpu_forks, self.mem_forks)

    @property
    def scarcer(self) -> str:
        """Which of the two carries less: "cpu", "memory", or "" where they carry the same."""
        if self.cpu_forks == self.mem_forks:
            return ""
        return "cpu" if self.cpu_forks < self.mem_forks else "memory"

    @property
    def least(self) -> list[str]:
        """For which of "cpu" and "memory" the formula gives less than the one fork that a node has at least."""
        by_cpu = self.cpu * self.forks_per_cpu
        by_memory = (self.memory - self.reserved) / (self.mib_per_fork * MEBIBYTE)
        return [name for name, forks in (("cpu", by_cpu), ("memory", by_memory)) if forks < 1]


def explained(
    *, cpu: Decimal, memory: int, cpu_forks: int, mem_forks: int, adjustment: Decimal, counts: bool, stored: int
) -> Explanation:
    """The explanation of the capacity ``stored`` of a node with these figures."""
    return Explanation(
        cpu=cpu,
        forks_per_cpu=settings.SYSTEM_TASK_FORKS_CPU,
        cpu_forks=cpu_forks,
        cpu_expected=cpu_capacity(cpu),
        memory=memory,
        reserved=reserved_memory(),
        mib_per_fork=settings.SYSTEM_TASK_FORKS_MEM,
        mem_forks=mem_forks,
        mem_expected=mem_capacity(memory),
        adjustment=adjustment,
        exact=between(cpu_forks, mem_forks, adjustment),
        counts=counts,
        result=effective(cpu_forks, mem_forks, adjustment) if counts else 0,
        stored=stored,
    )


def consumed(node_type: str, load: Load) -> int:
    """Forks in use: the impact of the jobs that run here, and a share for each job controlled from here."""
    executing = load.impact if node_type in EXECUTING else 0
    controlling = load.jobs_controlled if node_type in CONTROLLING else 0
    return executing + controlling * settings.AWX_CONTROL_NODE_TASK_IMPACT


def task_impact(kind: str, forks: int, hosts: int | None) -> int:
    """What a job of this type takes while it is active; ``forks`` 0 is the default, ``hosts`` None is unknown."""
    if kind not in IMPACT_BY_HOSTS:
        return IMPACTS.get(kind, 0)
    most = forks or DEFAULT_FORKS
    return (most if hosts is None else min(most, hosts)) + 1


def percent_remaining(capacity: int | Decimal, consumed_capacity: int) -> float:
    """The free part of ``capacity`` in percent, to two places; 0.0 where nothing is free."""
    return max(0.0, percent_free(capacity, consumed_capacity))


def percent_free(capacity: int | Decimal, consumed_capacity: int) -> float:
    """The same, negative where more is consumed than there is; 0.0 without capacity."""
    if capacity <= 0:
        return 0.0
    return round((float(capacity) - consumed_capacity) / float(capacity) * 100, 2)


def percent_used(capacity: int, consumed_capacity: int) -> float:
    """The used part in percent, to two places, above 100 where more is used than there is; 100.0 of no capacity."""
    if consumed_capacity <= 0:
        return 0.0
    return round(consumed_capacity / capacity * 100, 2) if capacity > 0 else 100.0
