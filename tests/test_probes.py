"""Asking a node for its report, and reading what it says."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from instances.health import probes, report
from instances.health.report import LARGEST_OUTPUT, LONGEST_ERRORS, Check, NodeReport, ProbeError
from instances.text import IN_A_LINE
from tests.receptor import REPORT, Behaviour, FakeReceptor

USAGE = "usage: ansible-runner [-h]\nansible-runner: error: unrecognized arguments: --worker-info\n"
BILLION_LAUGHS = "a: &a [x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def told(**changes: str) -> bytes:
    """A report with these values, as YAML, instead of the usual ones."""
    values = {"cpu_count": "4", "mem_in_bytes": "8000000000", "errors": "[]", "runner_version": "2.4.0", "uuid": "u"}
    return "".join(f"{name}: {value}\n" for name, value in {**values, **changes}.items()).encode()


def outcome_of(output: bytes) -> Check:
    with pytest.raises(ProbeError) as caught:
        report.parse_report(output)
    NodeReport.of_failure(caught.value).errors.encode()
    assert len(str(caught.value)) < 500
    return caught.value.outcome


# --- reading a report


def test_a_report_is_read() -> None:
    assert report.parse_report(REPORT) == NodeReport("ansible-runner-2.4.0", Decimal(4), 8_000_000_000, "node-uuid")


def test_a_report_may_be_json() -> None:
    assert report.parse_report(b'{"cpu_count": 2, "mem_in_bytes": 1000, "errors": []}').errors == ""


@pytest.mark.parametrize(
    ("cpu", "memory", "expected"),
    [
        ("0.5", "1024", (Decimal("0.5"), 1024)),
        ("4.0", "8000000000.9", (Decimal("4.0"), 8_000_000_000)),
        ("999.9", str(2**63 - 1), (Decimal("999.9"), 2**63 - 1)),
        ("0x10", "1_000", (Decimal(16), 1000)),
    ],
)
def test_figures_may_be_whole_or_not(cpu: str, memory: str, expected: tuple[Decimal, int]) -> None:
    read = report.parse_report(told(cpu_count=cpu, mem_in_bytes=memory))
    assert (read.cpu, read.memory) == expected


@pytest.mark.parametrize(
    "figure",
    [
        "0",
        "-1",
        "-0.5",
        ".inf",
        "-.inf",
        ".nan",
        "1e400",
        str(2**63),
        "9" * 5000,
        "0x" + "f" * 5000,
        "1" + ":59" * 5000,
        "1" + ":59" * 5000 + ".5",
        "four",
        "true",
        "null",
        "[4]",
        "{a: 4}",
        "'4'",
        "2024-01-01",
    ],
    ids=lambda figure: figure[:20],
)
@pytest.mark.parametrize("name", ["cpu_count", "mem_in_bytes"])
def test_absurd_figures_are_refused(name: str, figure: str) -> None:
    assert outcome_of(told(**{name: figure})) == Check.GARBAGE


def test_too_many_cpus_are_refused() -> None:
    assert outcome_of(told(cpu_count="1000")) == Check.GARBAGE


def test_absurd_figures_beside_errors_are_left_out() -> None:
    read = report.parse_report(told(cpu_count="-3", mem_in_bytes="null", errors="[no memory]"))
    assert (read.cpu, read.memory, read.errors, read.outcome) == (0, 0, "no memory", Check.NODE_ERRORS)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ("[]", ""),
        ("null", ""),
        ("''", ""),
        ("['', ' ']", ""),
        ('["\\0"]', ""),
        ("[one, two]", "one\ntwo"),
        ("one", "one"),
        ("[1, null, {a: b}]", "1\nNone\n{'a': 'b'}"),
        ('["a\\0b"]', "ab"),
        ('["\\ud800"]', "?"),
        (f"[{'x' * 50_000}]", "x" * LONGEST_ERRORS + " …"),
    ],
    ids=lambda text: text[:20],
)
def test_errors_become_lines(errors: str, expected: str) -> None:
    read = report.parse_report(told(errors=errors))
    assert (read.errors, read.outcome) == (expected, Check.NODE_ERRORS if expected else Check.PASSED)


@pytest.mark.parametrize("errors", ["5", "true", "{a: b}"])
def test_errors_that_are_no_list_are_refused(errors: str) -> None:
    assert outcome_of(told(errors=errors)) == Check.GARBAGE


@pytest.mark.parametrize(
    ("text", "version", "uuid"),
    [
        ('"a\\0b"', "ansible-runner-ab", "ab"),
        ('"a\\udcffb"', "ansible-runner-a?b", "a?b"),
        ("null", "", ""),
        ("2024-01-01", "ansible-runner-2024-01-01", ""),
        ("x" * 1000, "ansible-runner-" + "x" * 105, ""),
    ],
    ids=["NUL", "surrogate", "null", "date", "long"],
)
def test_version_and_uuid_fit_their_columns(text: str, version: str, uuid: str) -> None:
    read = report.parse_report(told(runner_version=text, uuid=text))
    assert (read.version, read.uuid) == (version, uuid)


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"\n",
        b"nonsense",
        b"[1, 2]",
        b"{",
        b"a: b: c",
        b"a: 1\n--- \nb: 2\n",
        b"\0\0\0",
        b"\xff\xfe\xfa",
        b"cpu_count: 4\nmem_in_bytes: 5\nuuid: \0\n",
        b"Traceback (most recent call last):\n  File x\n",
        b"[" * 50_000,
        b"{? [a]: b}",
        b"cpu_count: 2001-99-99",
        b"cpu_count: 0b_",
        b"cpu_count: =",
    ],
    ids=lambda output: repr(output[:20]),
)
def test_what_is_no_report_is_refused(output: bytes) -> None:
    assert outcome_of(output) == Check.GARBAGE


@given(text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=60))
def test_what_a_node_printed_moves_no_cursor(text: str) -> None:
    """The message is stored, and shown on terminals and in logs of others."""
    with pytest.raises(ProbeError) as refused:
        report.parse_report(f"- {text}\x1b[31m\u202e".encode())
    assert not IN_A_LINE.search(str(refused.value))
    assert "\\u001b[31m\\u202e" in str(refused.value)


def test_bytes_that_are_no_utf_8_are_replaced() -> None:
    assert report.parse_report(told(errors="[a]").replace(b"[a]", b"[disk \xff full]")).errors == "disk \ufffd full"


@pytest.mark.parametrize(
    "output",
    [
        BILLION_LAUGHS.encode() + told(),
        told(errors="&a [*a]"),
        told(runner_version="&v 2.4.0", uuid="*v"),
        b"<<: &a {cpu_count: 1}\nb: *a\n",
    ],
    ids=["billion laughs", "recursion", "alias", "merge"],
)
def test_aliases_are_refused(output: bytes) -> None:
    assert outcome_of(output) == Check.GARBAGE


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system [touch {path}]",
        "!!python/object:builtins.object {{}}",
        "!!python/name:os.system",
        "!!timestamp x",
        "!!int ''",
        "!!bool x",
        "!!set {{a, b}}",
        "!!binary aGk=",
        "!own x",
    ],
)
def test_tags_are_refused(value: str, tmp_path: Path) -> None:
    made = tmp_path / "made"
    assert outcome_of(told(uuid=value.format(path=made))) == Check.GARBAGE
    assert not made.exists()


def test_a_huge_output_is_not_even_looked_at() -> None:
    assert outcome_of(b"\xff" * (LARGEST_OUTPUT + 1)) == Check.TOO_LARGE


def test_the_usage_of_an_old_runner_is_recognized() -> None:
    assert outcome_of(USAGE.encode()) == Check.OLD_RUNNER


@given(st.binary() | st.text(alphabet="{}[]&*!:,-?'\"\\0x1_.eE+~=<> \n", max_size=60).map(str.encode))
def test_no_output_breaks_the_reader(output: bytes) -> None:
    try:
        read = report.parse_report(output)
    except ProbeError as error:
        read = NodeReport.of_failure(error)
    "".join([read.version, read.uuid, read.errors]).encode()
    assert "\0" not in read.version + read.uuid + read.errors


# --- by Receptor


@pytest.fixture
def receptor(settings: Settings) -> Iterator[FakeReceptor]:
    settings.HEALTH_PROBE = "receptor"
    with FakeReceptor() as started:
        settings.RECEPTOR_SOCKET = started.path
        yield started
        assert started.units == {}


def test_a_node_is_asked_by_receptor(receptor: FakeReceptor, settings: Settings) -> None:
    settings.HEALTH_CHECK_TIMEOUT = 77
    assert probes.probe("exec-1") == report.parse_report(REPORT)
    assert receptor.submitted[0]["ttl"] == "77s"


@pytest.mark.parametrize(("seconds", "ttl"), [(20, "20s"), (19.01, "20s"), (0.9, "1s")])
def test_the_time_may_be_limited_further(seconds: float, ttl: str, receptor: FakeReceptor) -> None:
    assert probes.probe("exec-1", seconds).outcome == Check.PASSED
    assert receptor.submitted[0]["ttl"] == ttl


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        (Behaviour(told(errors="[no memory]")), Check.NODE_ERRORS),
        (Behaviour(b"nonsense"), Check.GARBAGE),
        (Behaviour(b"x" * 2**16, endless=True), Check.TOO_LARGE),
        (Behaviour(USAGE.encode(), "Failed", "exit status 2"), Check.OLD_RUNNER),
        (Behaviour(refuses="unknown work type ansible-runner"), Check.NO_WORK_TYPE),
    ],
    ids=["errors", "garbage", "too large", "old", "no work type"],
)
def test_a_failure_is_a_report_too(behaviour: Behaviour, outcome: Check, receptor: FakeReceptor) -> None:
    receptor.nodes["exec-1"] = behaviour
    failed = probes.probe("exec-1")
    assert failed.outcome == outcome
    assert failed.errors


@pytest.mark.parametrize("way", ["", "agent"])
def test_where_nodes_report_themselves_none_can_be_asked(way: str, settings: Settings) -> None:
    settings.HEALTH_PROBE = way
    with pytest.raises(ValueError, match="HEALTH_PROBE"):
        probes.probe("exec-1")


# --- on this machine

Program = Callable[[str], None]


@pytest.fixture
def local(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings.HEALTH_PROBE = "local"
    monkeypatch.setenv("HOME", str(tmp_path))  # ansible-runner keeps its uuid there


@pytest.fixture
def program(local: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    """Puts a shell script of these lines where the Python environment has ansible-runner."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    def write(lines: str) -> None:
        path = tmp_path / "ansible-runner"
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)

    return write


def test_this_machine_tells_of_itself(local: None, tmp_path: Path) -> None:
    first = probes.probe("any")
    assert first.outcome == Check.PASSED
    assert first.version.startswith("ansible-runner-2.")
    assert first.cpu == os.cpu_count()
    assert first.memory == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert first.uuid == (tmp_path / ".ansible_runner_uuid").read_text()


def test_the_runner_is_asked_for_its_report_alone(program: Program) -> None:
    program('[ "$*" = "worker --worker-info" ] && [ -z "$(cat)" ] && echo "{cpu_count: 2, mem_in_bytes: 3}"')
    assert probes.probe("any") == NodeReport(cpu=Decimal(2), memory=3)


def test_the_runner_may_be_in_path(program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program("echo '{cpu_count: 2, mem_in_bytes: 3}'")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert probes.probe("any").cpu == 2


def test_without_a_runner_there_is_no_report(local: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert probes.probe("any").outcome == Check.NO_RUNNER


@pytest.mark.parametrize("content", [b"", b"#!/nowhere/python\n", b"\x7fELF nonsense"])
@pytest.mark.parametrize("mode", [0o755, 0o644])
def test_a_runner_that_cannot_be_started_gives_no_report(
    content: bytes, mode: int, program: Program, tmp_path: Path
) -> None:
    program("")
    (tmp_path / "ansible-runner").write_bytes(content)
    (tmp_path / "ansible-runner").chmod(mode)
    assert probes.probe("any").outcome == Check.NO_RUNNER


@pytest.mark.parametrize(
    ("lines", "outcome", "text"),
    [
        ("echo broken >&2; exit 1", Check.NO_RUNNER, "broken"),
        ("echo broken; exit 1", Check.NO_RUNNER, "broken"),
        ("printf 'disk \\377 full' >&2; exit 1", Check.NO_RUNNER, "disk \ufffd full"),
        ("kill -9 $$", Check.NO_RUNNER, "-9"),
        ("echo 'error: unrecognized arguments: --worker-info' >&2; exit 2", Check.OLD_RUNNER, "--worker-info"),
        ("echo nonsense", Check.GARBAGE, "nonsense"),
        ("true", Check.GARBAGE, "nothing"),
        ("yes", Check.TOO_LARGE, "bytes"),
        ("yes & yes", Check.TOO_LARGE, "bytes"),
    ],
)
def test_a_runner_that_fails_says_how(lines: str, outcome: Check, text: str, program: Program) -> None:
    program(lines)
    failed = probes.probe("any")
    assert failed.outcome == outcome
    assert text in failed.errors


@pytest.mark.parametrize(
    "lines",
    [
        "sleep 600",
        "exec >&- 2>&-; sleep 600",
        "yes >&2",
        "trap '' TERM; while :; do sleep 600; done",
        "sleep 600 & wait",
        "sleep 600 & exit 0",
    ],
)
def test_a_runner_that_hangs_is_killed(lines: str, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program(lines)
    groups, start = [], probes.start_process

    def noted_start(command: list[str]) -> subprocess.Popen[bytes]:
        process = start(command)
        groups.append(process.pid)
        return process

    monkeypatch.setattr(probes, "start_process", noted_start)
    began = time.monotonic()
    assert probes.probe("any", 0.3).outcome == Check.TIMED_OUT
    assert time.monotonic() - began < 10
    assert len(groups) == 1
    while is_running(groups[0]):  # what is killed ends a moment later
        assert time.monotonic() - began < 10
        time.sleep(0.01)


def is_running(group: int) -> bool:
    """Whether a process of the group runs; those that nobody asked for yet how they ended do not."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its_group) == group and state not in "ZX":
            return True
    return False


def test_complaints_beside_a_report_do_not_matter(program: Program) -> None:
    program(f"head -c {2 * LARGEST_OUTPUT} /dev/zero >&2\necho '{{cpu_count: 2, mem_in_bytes: 3}}'")
    assert probes.probe("any").outcome == Check.PASSED


# --- the service's own machine


def test_the_service_reports_its_own_machine(settings: Settings) -> None:
    settings.AWX_VERSION, settings.SYSTEM_UUID = "23.6.0", "own-uuid"
    own = probes.own_report()
    assert (own.version, own.uuid, own.outcome, own.errors) == ("23.6.0", "own-uuid", Check.PASSED, "")
    assert own.cpu == os.cpu_count()
    assert own.memory == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_memory_that_cannot_be_found_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_runner.utils.capacity.get_mem_in_bytes", lambda: "no /proc/meminfo")
    own = probes.own_report()
    assert (own.memory, own.errors, own.outcome) == (0, "no /proc/meminfo", Check.NODE_ERRORS)
