"""The arithmetic of capacity. Expected figures are worked out by hand or by an independent formula."""

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from instances import capacity
from instances.capacity import Load

GIB = 2**30
forks = st.integers(0, 10**6)
adjustments = st.decimals(0, "9.99", places=2)


@pytest.mark.parametrize(
    ("cpu", "expected"), [("0.0", 1), ("0.2", 1), ("0.5", 2), ("1.2", 4), ("2.5", 10), ("128.0", 512)]
)
def test_cpu_capacity(cpu: str, expected: int) -> None:
    assert capacity.cpu_capacity(Decimal(cpu)) == expected


@pytest.mark.parametrize(
    ("memory", "is_k8s", "expected"),
    [
        (0, False, 1),
        (2 * GIB, False, 1),
        (8 * GIB, False, 61),
        (8 * GIB, True, 81),
        (64 * GIB, False, 634),
        (64 * GIB, True, 655),
        (3344682261, True, 31),
    ],
)
def test_mem_capacity(memory: int, is_k8s: bool, expected: int, settings: Settings) -> None:
    settings.IS_K8S = is_k8s
    assert capacity.mem_capacity(memory) == expected


def test_forks_per_cpu_and_memory_per_fork_are_settings(settings: Settings) -> None:
    settings.SYSTEM_TASK_FORKS_CPU = 2
    settings.SYSTEM_TASK_FORKS_MEM = 512
    settings.IS_K8S = True
    assert capacity.cpu_capacity(Decimal("8.0")) == 16
    assert capacity.mem_capacity(8 * GIB) == 16


@pytest.mark.parametrize(
    ("cpu", "mem", "adjustment", "expected"),
    [(16, 61, "0.00", 16), (16, 61, "1.00", 61), (61, 16, "0.50", 38), (10, 23, "0.33", 14), (10, 20, "1.50", 25)],
)
def test_effective_capacity(cpu: int, mem: int, adjustment: str, expected: int) -> None:
    assert capacity.effective(cpu, mem, Decimal(adjustment)) == expected


@given(forks, forks, adjustments)
def test_effective_capacity_is_the_truncated_point_between(cpu: int, mem: int, adjustment: Decimal) -> None:
    exact = min(cpu, mem) + abs(cpu - mem) * Fraction(adjustment)
    assert capacity.effective(cpu, mem, adjustment) == exact.numerator // exact.denominator


@given(forks, forks, adjustments, adjustments)
def test_effective_capacity_grows_with_the_adjustment(cpu: int, mem: int, a: Decimal, b: Decimal) -> None:
    low, high = sorted((a, b))
    assert capacity.effective(cpu, mem, low) <= capacity.effective(cpu, mem, high)


@pytest.mark.parametrize(("node_type", "expected"), [("execution", 30), ("control", 7), ("hybrid", 37), ("hop", 0)])
def test_consumed_capacity(node_type: str, expected: int) -> None:
    assert capacity.consumed(node_type, Load(impact=30, jobs_controlled=7)) == expected


def test_control_task_impact_is_a_setting(settings: Settings) -> None:
    settings.AWX_CONTROL_NODE_TASK_IMPACT = 3
    assert capacity.consumed("hybrid", Load(impact=30, jobs_controlled=7)) == 51


@pytest.mark.parametrize(
    ("total", "consumed", "expected"),
    [(61, 10, 83.61), (14, 11, 21.43), (655, 39, 94.05), (5, 32, 0.0), (5, 5, 0.0), (0, 0, 0.0), (100, 0, 100.0)],
)
def test_percent_remaining(total: int, consumed: int, expected: float) -> None:
    remaining = capacity.percent_remaining(total, consumed)
    assert remaining == expected
    assert isinstance(remaining, float)


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_percent_remaining_is_the_exact_percentage_to_two_places(total: int, consumed: int) -> None:
    remaining = capacity.percent_remaining(total, consumed)
    assert 0.0 <= remaining <= 100.0
    if consumed < total:
        exact = Decimal(total - consumed) * 100 / Decimal(total)
        # binary floats may fall on either side of a tie
        assert abs(Decimal(repr(remaining)) - exact) <= Decimal("0.00500001")
        assert Decimal(repr(remaining)) == Decimal(repr(remaining)).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
    else:
        assert remaining == 0.0
