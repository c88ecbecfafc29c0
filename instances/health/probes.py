"""Probing a node: asking it for its report, by the method that HEALTH_PROBE names.

The packages for this are imported at the first probe: processes that serve never probe and need no memory for them.
"""

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from django.conf import settings

from instances.health import report
from instances.health.report import (
    LACKS_WORKER_INFO,
    LARGEST_OUTPUT,
    Check,
    NodeReport,
    ProbeError,
    excerpt,
    old_runner,
    rounded,
)

PROGRAM = "ansible-runner"
CHUNK = 2**16  # bytes


def probe(hostname: str, timeout: float | None = None) -> NodeReport:
    """The node's report, as ``probing()`` yields it; returns after the cleanup."""
    with probing(hostname, timeout) as found:
        return found


@contextlib.contextmanager
def probing(hostname: str, timeout: float | None = None) -> Iterator[NodeReport]:
    """Context manager that yields the node's report; a failed probe is a report with ``errors``.

    ``timeout`` in seconds; HEALTH_CHECK_TIMEOUT where it is None. At its end what the probe left on the node is cleaned
    up, which a node that hangs can delay for long: record the report within. Raises ValueError where HEALTH_PROBE names
    no active probe.
    """
    with contextlib.ExitStack() as cleanup:
        try:
            seconds = settings.HEALTH_CHECK_TIMEOUT if timeout is None else timeout
            found = report.parse_report(answer_of(hostname, seconds, cleanup))
        except ProbeError as error:
            found = NodeReport.of_failure(error)
        yield found


def answer_of(hostname: str, timeout: float, cleanup: contextlib.ExitStack) -> bytes:
    """The output of ansible-runner about the node. Raises ProbeError."""
    match settings.HEALTH_PROBE:
        case "receptor":
            from instances.health import work

            return work.worker_info(hostname, timeout, cleanup)
        case "local":
            return local_worker_info(timeout)
        case other:
            raise ValueError(f"No node can be asked with HEALTH_PROBE={other!r}.")


def own_report() -> NodeReport:
    """The report of the machine that the service runs on, as ansible-runner counts."""
    from ansible_runner.utils.capacity import get_cpu_count, get_mem_in_bytes

    memory = get_mem_in_bytes()  # or a text that says why it is not known
    is_known = isinstance(memory, int)
    return NodeReport(
        version=settings.AWX_VERSION,
        cpu=Decimal(get_cpu_count()),
        memory=memory if is_known else 0,
        uuid=settings.SYSTEM_UUID,
        errors="" if is_known else memory,
        outcome=Check.PASSED if is_known else Check.NODE_ERRORS,
    )


# --- ansible-runner on this machine


def local_worker_info(timeout: float) -> bytes:
    """The output of ``ansible-runner worker --worker-info`` here: its first LARGEST_OUTPUT + 1 bytes.

    ``timeout`` in seconds; then it is killed with all that it started. Raises ProbeError.
    """
    with start_process([str(program()), "worker", "--worker-info"]) as process:
        try:
            output, complaints = collect(process, time.monotonic() + timeout)
        except (TimeoutError, subprocess.TimeoutExpired) as silence:
            text = f"{PROGRAM} did not end within {rounded(timeout)} seconds."
            raise ProbeError(Check.TIMED_OUT, text) from silence
        finally:
            if process.returncode is None:  # so its group exists still, even if it has ended itself
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode and len(output) <= LARGEST_OUTPUT:
        raise failure(process.returncode, (complaints or output).decode("utf-8", "replace"))
    return output


def program() -> Path:
    """The ansible-runner of this Python environment, or else the one of PATH. Raises ProbeError."""
    beside = Path(sys.executable).parent / PROGRAM
    found = beside if beside.is_file() else shutil.which(PROGRAM)
    if found is None:
        raise ProbeError(Check.NO_RUNNER, f"{PROGRAM} is neither beside {sys.executable} nor in PATH.")
    return Path(found)


def start_process(command: list[str]) -> subprocess.Popen[bytes]:
    """Start the command in a process group of its own. Raises ProbeError."""
    try:
        return subprocess.Popen(  # noqa: S603 - the command is ours
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise ProbeError(Check.NO_RUNNER, f"{command[0]} cannot be started: {error.strerror}.") from error


def collect(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bytes]:
    """Standard output and error of the process, LARGEST_OUTPUT + 1 bytes of each at most.

    Returns when it has ended, or printed too much. Raises TimeoutError or subprocess.TimeoutExpired.
    """
    assert process.stdout is not None  # noqa: S101 - for the type checker
    assert process.stderr is not None  # noqa: S101
    output, complaints = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, output)
        selector.register(process.stderr, selectors.EVENT_READ, complaints)
        while selector.get_map() and len(output) <= LARGEST_OUTPUT:
            for key, _ in selector.select(max(0, deadline - time.monotonic())):
                if not read_chunk(key.fd, key.data):
                    selector.unregister(key.fileobj)
            if time.monotonic() >= deadline:
                raise TimeoutError
    if len(output) <= LARGEST_OUTPUT:
        process.wait(max(0, deadline - time.monotonic()))
    return bytes(output), bytes(complaints)


def read_chunk(file: int, output: bytearray) -> bool:
    """Read what is available and append it to ``output``, up to LARGEST_OUTPUT + 1 bytes; False at the end."""
    chunk = os.read(file, CHUNK)
    output += chunk[: LARGEST_OUTPUT + 1 - len(output)]
    return bool(chunk)


def failure(code: int, text: str) -> ProbeError:
    """The error of an ansible-runner that exits with ``code`` and prints ``text``."""
    if LACKS_WORKER_INFO in text:
        return old_runner()
    return ProbeError(Check.NO_RUNNER, f"{PROGRAM} ended with {code}: {excerpt(text)}")
