"""The image of the Dockerfile, built on the Debian of debian.py, and its containers."""

import contextlib
import json
import shutil
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.deploy.debian import run
from tests.deploy.programs import program
from tests.service import PROJECT

BASE, TAG = "localhost/base", "localhost/awx-instances"
# The other one copies the whole image for each container.
DRIVER = "overlay" if "\toverlay\n" in Path("/proc/filesystems").read_text() else "vfs"
# Without what virtual machines of CI may lack: cgroups of the container's own, higher limits, and systemd's timers.
CONFINED = (
    *("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=host"),
    *("--cgroupns=host", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--no-healthcheck"),
)


@dataclass
class Image:
    """The built image, in a storage of its own in ``folder``."""

    folder: Path

    def podman(self, *arguments: str | Path) -> list[str]:
        storage = ("--root", self.folder / "storage", "--runroot", self.folder / "run", "--storage-driver", DRIVER)
        runtime = ("--runtime", "runc", "--cgroup-manager", "cgroupfs")
        return [program("podman"), *map(str, (*storage, *runtime, *arguments))]

    def build(self, packed: Path) -> None:
        run(*self.podman("import", "--quiet", packed, BASE))
        options = ("--isolation", "chroot", "--format", "docker", "--layers=false", "--build-arg", f"BASE={BASE}")
        run(*self.podman("build", *options, "--tag", TAG, PROJECT), stderr=subprocess.STDOUT)

    def remove(self) -> None:
        storage = self.folder / "storage" / DRIVER
        if f" {storage} " in Path("/proc/mounts").read_text():  # podman mounts it on itself, and the image below it
            run("umount", "--recursive", storage)
        shutil.rmtree(self.folder)

    def inspected(self) -> dict[str, Any]:
        """What is noted in the image, as ``Config``."""
        (image,) = json.loads(run(*self.podman("image", "inspect", TAG)))
        return dict(image)

    def in_podman(self, *arguments: str, entrypoint: str = "", **settings: str) -> list[str]:
        """The command that runs these arguments in a container, with these settings."""
        chosen = ("--entrypoint", entrypoint) if entrypoint else ()
        environment = [part for pair in settings.items() for part in ("--env", "=".join(pair))]
        return self.podman("run", "--rm", *CONFINED, *chosen, *environment, TAG, *arguments)

    def in_chroot(self, *arguments: str, entrypoint: str = "", **settings: str) -> list[str]:
        """The same without podman, for kernels that let it start no container: in the image's root, by its user."""
        config = self.inspected()["Config"]
        environment = [*config["Env"], *map("=".join, settings.items())]
        command = [entrypoint] if entrypoint else config["Entrypoint"]
        root = run(*self.podman("image", "mount", TAG)).strip()
        user = f"--userspec={config['User']}"
        inside = ["chroot", user, root, "env", "--ignore-environment", *environment, *command, *arguments]
        return ["unshare", "--mount", "sh", "-ec", READ_ONLY, root, *inside]


READ_ONLY = """
mount --bind "$0" "$0"
mount -o remount,bind,ro "$0"
mount -t tmpfs tmpfs "$0/tmp"
mount --rbind /dev "$0/dev"
exec "$@"
"""


class Forwarder(socketserver.ThreadingTCPServer):
    """Lets containers, which are another account, reach the PostgreSQL that the tests reach by a Unix socket."""

    daemon_threads = True

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(("127.0.0.1", 0), Connection)


class Connection(socketserver.BaseRequestHandler):
    server: Forwarder

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as database:
            database.connect(self.server.path)
            threading.Thread(target=copy, args=(database, self.request), daemon=True).start()
            copy(self.request, database)


def copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def by_tcp(url: str) -> Iterator[str]:
    """The DATABASE_URL for containers that share the network of this machine."""
    parts = conninfo_to_dict(url)
    if not str(parts.get("host", "")).startswith("/"):
        yield url
        return
    with Forwarder(f"{parts['host']}/.s.PGSQL.{parts.get('port', 5432)}") as forwarder:
        threading.Thread(target=forwarder.serve_forever, daemon=True).start()
        yield make_conninfo(**{**parts, "host": "127.0.0.1", "port": forwarder.server_address[1]})
        forwarder.shutdown()
