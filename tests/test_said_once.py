"""What stands in one place only: sentences that users read, numbers of locks, severities, words for times and sizes."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from instances.locks import Lock
from instances.models import Condition, Instance, InstanceLink, UnifiedJob
from instances.models.fields import Severity, SeverityChoices
from instances.overview import FAULTY, Standing
from tests.service import PROJECT

# What OpenAPI describes beside the code is held against it by tests of its own.
ELSEWHERE = ("migrations", "openapi")


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for folder in ("instances", "awx_compat", "fleet", "settings"):
        for path in sorted((PROJECT / folder).rglob("*.py")):
            if not set(ELSEWHERE) & set(path.parts):
                yield path.relative_to(PROJECT), ast.parse(path.read_text())


def sentences(module: ast.Module) -> Iterator[ast.Constant]:
    """The string literals that hold a whole sentence, but for docstrings and columns' help."""
    ignored = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
    for node in ast.walk(module):
        if isinstance(node, ast.keyword) and node.arg == "help_text":
            ignored |= {id(each) for each in ast.walk(node.value)}
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in ignored:
            text = node.value.strip()
            if text[:1].isupper() and text.endswith(".") and text.count(" ") >= 3:
                yield node


def test_a_sentence_is_written_once() -> None:
    places = defaultdict(list)
    for path, module in modules():
        for node in sentences(module):
            places[node.value].append(f"{path}:{node.lineno}")
    assert {text: found for text, found in places.items() if len(found) > 1} == {}


def test_locks_are_taken_in_one_place() -> None:
    """Where their numbers cannot meet unseen."""
    users = [str(path) for path, _ in modules() if "pg_advisory" in (PROJECT / path).read_text()]
    assert users == ["instances/locks.py"]
    assert len(Lock.__members__) == len(set(Lock))


def test_active_states_are_named_once() -> None:
    places = [
        f"{path}:{node.lineno}"
        for path, module in modules()
        for node in ast.walk(module)
        if isinstance(node, ast.List | ast.Tuple | ast.Set)
        and {getattr(each, "value", getattr(each, "attr", "")) for each in node.elts}
        in ({"running", "waiting"}, {"RUNNING", "WAITING"})
    ]
    assert [place.split(":")[0] for place in places] == ["instances/querysets.py"]


KINDS = [Instance.NodeState, InstanceLink.State, UnifiedJob.Status, Standing]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__qualname__)
def test_every_value_has_a_severity(kind: type[SeverityChoices]) -> None:
    assert {kind.severity_of(value, Severity.BAD) for value in kind.values} <= set(Severity)
    assert any(each.severity == Severity.GOOD for each in kind)
    assert kind.severity_of("brand-new", Severity.UNSURE) == Severity.UNSURE


@pytest.mark.parametrize("kind", Condition.Type)
def test_every_status_of_a_condition_has_a_severity(kind: Condition.Type) -> None:
    severities = {status: kind.severity(status) for status in Condition.Status}
    assert severities[Condition.Status.UNKNOWN] == Severity.UNSURE
    known = {status: severity for status, severity in severities.items() if severity != Severity.UNSURE}
    if kind.good is None:
        assert set(known.values()) == {Severity.QUIET}
    else:
        assert known == {kind.good: Severity.GOOD, kind.bad: Severity.BAD}


def test_nodes_need_attention_in_the_states_that_are_bad() -> None:
    assert {"unavailable", "provision-fail", "deprovision-fail"} == FAULTY
