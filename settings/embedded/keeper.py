"""The process above the embedded PostgreSQL: it starts the server, and asks it to end once nobody uses it any more.

A server that ends by itself is started again: PostgreSQL gives up where its disk is full, and goes on once there is
space. Only one that has never answered is not: the process that started it, which then writes into SERVER, says why.

It is run as a script, with the standard library alone: ``keeper.py USERS FOLDER UID GID DATA SERVER COMMAND…``. USERS
is an open file of which each user of the server holds a shared lock, which the system takes back however a user ends;
FOLDER is what to remove at the end; UID and GID are whom COMMAND runs as; DATA and SERVER are open files that it gets.
"""

import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import Any

PR_SET_PDEATHSIG = 1  # prctl(2)
PAUSE = 2  # seconds until a server that has ended is started again


def end_with_parent(how: signal.Signals, parent: int | None = None) -> None:
    """Let the system send this process ``how`` when its parent ends, even if it is killed; on Linux only.

    ``parent`` is the parent's id, where it may have ended already.
    """
    if sys.platform == "linux":
        parent = parent or os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, how)
        if os.getppid() != parent:  # it has ended meanwhile
            os.kill(os.getpid(), how)


def run_as(uid: int, gid: int) -> dict[str, Any]:
    """Arguments of Popen that run a program as this account, without other groups and without our secrets."""
    account = {"user": uid, "group": gid, "extra_groups": []} if os.geteuid() == 0 else {}
    return {**account, "umask": 0o077, "cwd": "/", "env": {"LC_ALL": "C", "PATH": os.defpath}}


def main(users: int, folder: str, uid: int, gid: int, data: int, server: int, command: list[str]) -> None:
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, lambda *_: None)  # it ends with the last user, and not before
    postgres = Server(command, pass_fds=(data, server), **run_as(uid, gid))
    threading.Thread(target=stop_after_users, args=(users, postgres), daemon=True).start()
    try:
        while postgres.run() and os.pread(server, 1, 0):
            time.sleep(PAUSE)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """PostgreSQL, which can be run again after it has ended, until it is stopped."""

    def __init__(self, command: list[str], **options: Any) -> None:
        self.command, self.options = command, options
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.is_stopped = False

    def run(self) -> bool:
        """Return once PostgreSQL has ended: whether it did so by itself."""
        with self.lock:
            if self.is_stopped:
                return False
            self.process = subprocess.Popen(  # noqa: S603 - a list of arguments, without a shell
                self.command, preexec_fn=lambda: end_with_parent(signal.SIGINT), **self.options
            )
        self.process.wait()
        return not self.is_stopped

    def stop(self) -> None:
        with self.lock:
            self.is_stopped = True
            if self.process is not None:
                self.process.send_signal(signal.SIGINT)  # PostgreSQL's "fast" shutdown: it closes all connections


def stop_after_users(users: int, postgres: Server) -> None:
    fcntl.flock(users, fcntl.LOCK_EX)  # and whoever comes now waits until this process has ended
    postgres.stop()


if __name__ == "__main__":
    users, folder, uid, gid, data, server, *command = sys.argv[1:]
    main(int(users), folder, int(uid), int(gid), int(data), int(server), command)
