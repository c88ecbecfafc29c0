"""The mesh at a glance: tiers, the standing of nodes, and sums over them. Pure functions over fetched instances."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import models

from instances import capacity
from instances.models import Instance
from instances.models.fields import Severity, SeverityChoices

State, NodeType = Instance.NodeState, Instance.NodeType


class Tier(models.TextChoices):
    """The levels of a mesh, from those who send work down to those who do it."""

    CONTROL = "control", "Control and hybrid"
    HOP = "hop", "Hop"
    EXECUTION = "execution", "Execution"


class Standing(SeverityChoices):
    """The overall state of a node for an operator, the worst first."""

    FAULT = "fault", "Needs attention"
    CHANGING = "changing", "In transition"
    DISABLED = "disabled", "Disabled"
    READY = "ready", "Ready"

    @property
    def severity(self) -> Severity:
        return {self.FAULT: Severity.BAD, self.READY: Severity.GOOD}.get(self, Severity.UNSURE)


def counted(number: int, how: Standing) -> str:
    """ "1 needs attention", "3 need attention", "3 ready"."""
    words = how.label.lower()
    return f"{number} {words.replace('needs', 'need') if number != 1 else words}"


FAULTY = frozenset(state for state in State if state.severity == Severity.BAD)
SEVERITY = {standing: place for place, standing in enumerate(Standing)}


def tier(instance: Instance) -> Tier:
    if instance.node_type in capacity.CONTROLLING:
        return Tier.CONTROL
    return Tier.HOP if instance.node_type == NodeType.HOP else Tier.EXECUTION


def is_overloaded(instance: Instance) -> bool:
    """Whether more of the node's capacity is in use than it has; a node without capacity is not judged by its load."""
    return 0 < instance.capacity < instance.consumed_capacity


def standing(instance: Instance) -> Standing:
    """How the node, read ``with_load()``, stands; a ready one with errors or too much load needs attention, too.

    This is the only rule of what needs attention: counts and filters call this function and have no rule in SQL.
    """
    if instance.node_state in FAULTY or instance.errors or is_overloaded(instance):
        return Standing.FAULT
    if instance.node_state != State.READY:
        return Standing.CHANGING
    return Standing.READY if instance.enabled else Standing.DISABLED


def state_in_words(instance: Instance) -> str:
    """The node's state, and what else makes it stand as it does: "Ready, disabled, over capacity"."""
    more = {
        "disabled": not instance.enabled,
        "with errors": instance.errors and instance.node_state == State.READY,
        "over capacity": is_overloaded(instance),
    }
    return ", ".join([instance.get_node_state_display(), *(word for word, applies in more.items() if applies)])


def no_capacity_in_words(instance: Instance) -> str:
    """Why the node has no capacity, as far as that is known; "" where it has some."""
    if instance.capacity > 0:
        return ""
    if instance.node_type == NodeType.HOP:
        return "carries no jobs"
    reasons = [] if instance.node_state == State.READY else [instance.get_node_state_display().lower()]
    if not instance.enabled:
        reasons.append("disabled")
    if not instance.cpu_capacity and not instance.mem_capacity:
        reasons.append("no capacity reported")
    return ", ".join(reasons) or "no capacity"


@dataclass(frozen=True, slots=True)
class Sums:
    """What some nodes, read ``with_load()``, add up to; capacities are in forks."""

    nodes: int
    standings: Counter[Standing]
    capacity: int
    consumed: int
    jobs_running: int

    @property
    def percent_used(self) -> float:
        return capacity.percent_used(self.capacity, self.consumed)


def sums(instances: Iterable[Instance]) -> Sums:
    counted = list(instances)
    return Sums(
        nodes=len(counted),
        standings=Counter(map(standing, counted)),
        capacity=sum(each.capacity for each in counted),
        consumed=sum(each.consumed_capacity for each in counted),
        jobs_running=sum(each.load.jobs_running for each in counted),
    )
