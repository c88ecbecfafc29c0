"""What a node tells of itself, and reading it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import yaml
from django.conf import settings
from django.db.models import BigIntegerField

from instances.capacity import CONTROLLING
from instances.models import NodeHealth
from settings import env

Check = NodeHealth.Check

LARGEST_OUTPUT = 2**16  # bytes
LONGEST_ERRORS = 20_000  # characters that are kept
LONGEST_VERSION = 120
LONGEST_UUID = 40
MOST_CPU = Decimal("999.9")
MOST_MEMORY = BigIntegerField.MAX_BIGINT
LONGEST_SCALAR = 100  # characters of a number; longer ones are text
RUNNER = "ansible-runner-"
LACKS_WORKER_INFO = "unrecognized arguments: --worker-info"


class ProbeError(Exception):
    """A health check that failed: ``outcome`` says how, the text says it to people."""

    def __init__(self, outcome: NodeHealth.Check, text: str) -> None:
        super().__init__(text)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What a node told of itself, or why it did not.

    ``cpu`` in cores, ``memory`` in bytes; 0 and "" are what it did not tell. ``errors`` is text, one error a line.
    """

    version: str = ""
    cpu: Decimal = Decimal(0)
    memory: int = 0
    uuid: str = ""
    errors: str = ""
    outcome: NodeHealth.Check = Check.PASSED

    @classmethod
    def of_failure(cls, error: ProbeError) -> "NodeReport":
        return cls(errors=shortened(str(error)), outcome=error.outcome)


def runner_version(version: str) -> str:
    """How AWX tells the version of a node that only runs jobs; "" where it is not known."""
    return version if not version or version.startswith(RUNNER) else f"{RUNNER}{version}"


def effective_figures(report: NodeReport, node_type: str) -> tuple[Decimal, int]:
    """The CPUs, in tenths, and the memory that count: control and hybrid nodes may be told theirs by the settings."""
    cpu, memory = report.cpu, report.memory
    if node_type in CONTROLLING:
        cpu = env.cores(settings.SYSTEM_TASK_ABS_CPU) or cpu
        memory = env.bytes_of(settings.SYSTEM_TASK_ABS_MEM) or memory
    return min(MOST_CPU, cpu.quantize(Decimal("0.1"), ROUND_HALF_EVEN)), min(MOST_MEMORY, memory)


# --- what "ansible-runner worker --worker-info" prints


def old_runner() -> ProbeError:
    """The error of an ansible-runner that answers LACKS_WORKER_INFO."""
    return ProbeError(Check.OLD_RUNNER, "The node's ansible-runner is too old to report: it lacks --worker-info.")


def parse_report(output: bytes) -> NodeReport:
    """The report in the YAML that ansible-runner prints. Raises ProbeError if there is none in it."""
    if len(output) > LARGEST_OUTPUT:
        raise ProbeError(Check.TOO_LARGE, f"The node answered more than {LARGEST_OUTPUT} bytes; a report is short.")
    text = output.decode("utf-8", "replace")
    try:
        told = load_yaml(text)
    except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError):
        told = None
    if not isinstance(told, Mapping):
        if LACKS_WORKER_INFO in text:
            raise old_runner()
        raise ProbeError(Check.GARBAGE, f"What the node answered is no report: {excerpt(text)}")
    return parse_mapping(told)


class Loader(yaml.SafeLoader):
    """Safe YAML without aliases, tags and long numbers.

    With aliases a few lines can stand for gigabytes. Tags let values meet constructors that are not made for them.
    A number of a million digits takes minutes to read, and cannot be written.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent) or self.is_tagged():
            raise yaml.YAMLError("an alias or a tag")
        return super().compose_node(parent, index)

    def is_tagged(self) -> bool:
        return getattr(self.peek_event(), "tag", None) is not None  # type: ignore[no-untyped-call]

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is yaml.ScalarNode and len(value) > LONGEST_SCALAR:
            return self.DEFAULT_SCALAR_TAG
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]


def load_yaml(text: str) -> Any:
    return yaml.load(text, Loader)  # noqa: S506 - it is a SafeLoader


def parse_mapping(told: Mapping[str, Any]) -> NodeReport:
    """The report in the mapping of ansible-runner's. Raises ProbeError where a figure cannot be one."""
    told_errors = told.get("errors") or []
    error_list = [told_errors] if isinstance(told_errors, str) else told_errors
    cpu, memory = told.get("cpu_count"), told.get("mem_in_bytes")
    if not isinstance(error_list, list):
        raise ProbeError(Check.GARBAGE, "The node's report has errors that are no list.")
    errors = shortened("\n".join(map(str, error_list))).strip()
    if not errors and not (is_number(cpu, float(MOST_CPU)) and is_number(memory, MOST_MEMORY)):
        raise ProbeError(Check.GARBAGE, f"The node's report has no usable cpu_count and mem_in_bytes: {excerpt(told)}")
    version, uuid = told.get("runner_version"), told.get("uuid")
    return NodeReport(
        version=runner_version(storable(str(version or "")))[:LONGEST_VERSION],
        cpu=Decimal(str(cpu)) if is_number(cpu, float(MOST_CPU)) else Decimal(0),
        memory=int(memory) if is_number(memory, MOST_MEMORY) else 0,  # type: ignore[arg-type]
        uuid=storable(uuid) if isinstance(uuid, str) and len(uuid) <= LONGEST_UUID else "",
        errors=errors,
        outcome=Check.NODE_ERRORS if errors else Check.PASSED,
    )


def is_number(value: Any, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= most


def storable(text: str) -> str:
    """``text`` as the database takes it: without NUL and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def shortened(text: str) -> str:
    """``text`` as the database takes it, cut where it is far too long."""
    clean = storable(text)
    return clean if len(clean) <= LONGEST_ERRORS else clean[:LONGEST_ERRORS] + " …"


def excerpt(value: object) -> str:
    text = " ".join(str(value).split())
    return text[:200] + " …" if len(text) > 200 else text or "nothing"
