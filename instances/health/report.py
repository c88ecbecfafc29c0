"""The report of a node, and parsing it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import yaml
from django.conf import settings
from django.db.models import BigIntegerField

from instances.capacity import CONTROLLING
from instances.models import NodeHealth
from instances.text import escaped, in_one_line
from settings import env

Check = NodeHealth.Check

LARGEST_OUTPUT = 2**16  # bytes
LONGEST_ERRORS = 20_000  # characters that are kept
LONGEST_VERSION = 120
LONGEST_UUID = 40
LEAST_CPU, MOST_CPU = Decimal("0.1"), Decimal("999.9")
MOST_MEMORY = BigIntegerField.MAX_BIGINT
LONGEST_SCALAR = 100  # characters of a number; longer ones are text
RUNNER = "ansible-runner-"
LACKS_WORKER_INFO = "unrecognized arguments: --worker-info"


class ProbeError(Exception):
    """A health check that failed: ``outcome`` is the kind of failure, the message is for operators."""

    def __init__(self, outcome: NodeHealth.Check, text: str) -> None:
        super().__init__(text)
        self.outcome = outcome


def timed_out(who: str, timeout: float) -> ProbeError:
    """The error of a node without an answer within ``timeout`` seconds."""
    return ProbeError(Check.TIMED_OUT, f"{who} did not answer within {rounded(timeout)} seconds.")


def rounded(timeout: float) -> int:
    """So many whole seconds, for a message."""
    return max(1, round(timeout))


@dataclass(frozen=True, slots=True)
class NodeReport:
    """The report of a node, or the failure of its health check.

    ``cpu`` in cores, ``memory`` in bytes; 0 and "" where the node did not report a value. ``errors`` is one error a
    line.
    """

    version: str = ""
    cpu: Decimal = Decimal(0)
    memory: int = 0
    uuid: str = ""
    errors: str = ""
    outcome: NodeHealth.Check = Check.PASSED

    def __post_init__(self) -> None:
        """Escape what would change a terminal or a page that shows the node's texts."""
        object.__setattr__(self, "version", in_one_line(self.version)[:LONGEST_VERSION])
        object.__setattr__(self, "uuid", in_one_line(self.uuid)[:LONGEST_UUID])
        object.__setattr__(self, "errors", escaped(self.errors))

    @classmethod
    def of_failure(cls, error: ProbeError) -> "NodeReport":
        return cls(errors=shortened(str(error)), outcome=error.outcome)


def runner_version(version: str) -> str:
    """The version of an execution node as AWX writes it, with "ansible-runner-"; "" where it is not known."""
    return version if not version or version.startswith(RUNNER) else f"{RUNNER}{version}"


def effective_figures(report: NodeReport, node_type: str) -> tuple[Decimal, int]:
    """The CPUs and the bytes of memory that count; the settings may override a control node's.

    CPUs have one decimal, as the column has, and are at least LEAST_CPU where they are known at all.
    """
    cpu, memory = report.cpu, report.memory
    if node_type in CONTROLLING:
        cpu = env.cores(settings.SYSTEM_TASK_ABS_CPU) or cpu
        memory = env.bytes_of(settings.SYSTEM_TASK_ABS_MEM) or memory
    rounded = cpu.quantize(LEAST_CPU, ROUND_HALF_EVEN)
    return min(MOST_CPU, max(rounded, LEAST_CPU) if cpu else rounded), min(MOST_MEMORY, memory)


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
        document = load_yaml(text)
    except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError):
        document = None
    if not isinstance(document, Mapping):
        if LACKS_WORKER_INFO in text:
            raise old_runner()
        raise ProbeError(Check.GARBAGE, f"The node's answer is not a report: {excerpt(text)}")
    return parse_mapping(document)


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


def parse_mapping(document: Mapping[str, Any]) -> NodeReport:
    """The report in ansible-runner's mapping. Raises ProbeError where its figures are unusable."""
    raw_errors = document.get("errors") or []
    error_list = [raw_errors] if isinstance(raw_errors, str) else raw_errors
    cpu, memory = document.get("cpu_count"), document.get("mem_in_bytes")
    if not isinstance(error_list, list):
        raise ProbeError(Check.GARBAGE, "The node's report has errors that are no list.")
    errors = shortened("\n".join(map(str, error_list))).strip()
    if not errors and not (is_number(cpu, float(MOST_CPU)) and is_number(memory, MOST_MEMORY)):
        text = excerpt(document)
        raise ProbeError(Check.GARBAGE, f"The node's report has no usable cpu_count and mem_in_bytes: {text}")
    version, uuid = document.get("runner_version"), document.get("uuid")
    return NodeReport(
        version=runner_version(storable(str(version or ""))),
        cpu=Decimal(str(cpu)) if is_number(cpu, float(MOST_CPU)) else Decimal(0),
        memory=int(memory) if is_number(memory, MOST_MEMORY) else 0,  # type: ignore[arg-type]
        uuid=storable(uuid) if isinstance(uuid, str) and len(uuid) <= LONGEST_UUID else "",
        errors=errors,
        outcome=Check.NODE_ERRORS if errors else Check.PASSED,
    )


def is_number(value: Any, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= most


def storable(text: str) -> str:
    """``text`` as the database can store it: without NUL and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def shortened(text: str) -> str:
    """``storable(text)``, cut after LONGEST_ERRORS characters."""
    clean = storable(text)
    return clean if len(clean) <= LONGEST_ERRORS else clean[:LONGEST_ERRORS] + " …"


def excerpt(value: object) -> str:
    """The beginning of what a node or Receptor wrote, in one line, with control characters as codes."""
    text = in_one_line(" ".join(str(value).split()))
    return text[:200] + " …" if len(text) > 200 else text or "nothing"
