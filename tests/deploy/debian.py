"""A minimal Debian of debootstrap's: the base of the image, and the machine of a newcomer who has installed nothing."""

import os
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psutil

from tests.cache_folder import filled_once

SUITE = "trixie"


def run(*command: str | Path, timeout: int = 1800, **more: Any) -> str:
    done = subprocess.run([*map(str, command)], stdout=subprocess.PIPE, text=True, timeout=timeout, **more)
    assert done.returncode == 0, (command, done.stdout)
    return done.stdout


def make_root(folder: Path) -> None:
    """It trusts the certificates that pip trusts here, as the network may have its own."""
    run("unshare", "--mount", "debootstrap", "--variant=minbase", SUITE, folder, stderr=subprocess.STDOUT)
    if certificates := os.environ.get("PIP_CERT"):
        shutil.copy(certificates, folder / "etc" / "pip.crt")
        (folder / "etc" / "pip.conf").write_text("[global]\ncert = /etc/pip.crt\n")


def packed_root(folder: Path) -> Path:
    """The root as a file below ``folder``. It is made once a day, as Debian's mirrors drop what is outdated."""
    packed = folder / "root.tar"
    with filled_once(folder, f"{SUITE} {date.today()}") as is_missing:
        if is_missing:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            with tempfile.TemporaryDirectory(prefix="debian-") as place:  # debootstrap takes no path with a space
                root = Path(place) / "root"
                make_root(root)
                run("tar", "--directory", root, "--create", "--file", packed, ".")
    return packed


MOUNTED = """
mount --rbind /proc "$0/proc"
mount --rbind /dev "$0/dev"
exec "$@"
"""


@dataclass
class Debian:
    """A root that commands run in, with the network and the processes of this machine."""

    folder: Path

    def unpack(self, packed: Path) -> None:
        run("tar", "--directory", self.folder, "--extract", "--preserve-permissions", "--file", packed)

    def command(self, *arguments: str, account: str = "root", within: str = "/") -> list[str]:
        """What runs these arguments as ``account`` in the folder ``within``, with no environment but a login's."""
        user = ("setpriv", f"--reuid={account}", f"--regid={account}", "--init-groups", "--reset-env")
        inside = ["chroot", str(self.folder), *user, "env", f"--chdir={within}", *arguments]
        return ["unshare", "--mount", "sh", "-ec", MOUNTED, str(self.folder), *inside]

    def processes(self) -> list[psutil.Process]:
        """Those that run in it, whoever started them."""
        return [process for process in psutil.process_iter() if root_of(process) == str(self.folder)]

    def files(self, outside: str) -> dict[str, int]:
        """All but what is below ``outside``, each with when it was written: a folder is there or is not."""
        found = {}
        for folder, folders, names in os.walk(self.folder):
            folders[:] = [name for name in folders if Path(folder, name) != self.folder / outside]
            for name in (*folders, *names):
                status = os.lstat(Path(folder, name))
                found[str(Path(folder, name))] = 0 if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns
        return found


def root_of(process: psutil.Process) -> str:
    try:
        return os.readlink(f"/proc/{process.pid}/root")
    except OSError:  # it has ended meanwhile
        return ""
