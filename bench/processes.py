"""The worker processes of a server that this process has started, as Linux tells of them."""

import os
import re
from collections.abc import Iterator
from pathlib import Path


def workers_of(address: str) -> list[int]:
    """The ids of the processes that answer at ``address``."""
    bound = address.removeprefix("http://")
    servers = [pid for pid in children(os.getpid()) if bound in command(pid)]
    return [pid for server in servers for pid in children(server) if re.search(r" worker-\d+", command(pid))]


def children(parent: int) -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            found = re.search(r"^PPid:\s+(\d+)$", path.read_text(), re.MULTILINE)
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        if found is not None and int(found[1]) == parent:
            yield int(path.parent.name)


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def resident(pid: int) -> float:
    """The memory that the process holds (RSS), in MB of 1,000,000 bytes."""
    return _megabytes(pid, "VmRSS")


def processor_seconds(pid: int) -> float:
    """The processor time of the process, in all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak(pid: int) -> float:
    """The most that it held since ``forget_peak()``, in MB."""
    return _megabytes(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _megabytes(pid: int, name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    if found is None:
        raise ProcessLookupError(f"process {pid} has ended")
    return int(found[1]) * 1024 / 1e6
