"""The process above the embedded PostgreSQL: it starts the server, and asks it to end once nobody uses it any more.

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
from typing import Any

PR_SET_PDEATHSIG = 1  # prctl(2)


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
    try:
        postgres = subprocess.Popen(  # noqa: S603 - a list of arguments, without a shell
            command,
            pass_fds=(data, server),
            preexec_fn=lambda: end_with_parent(signal.SIGINT),
            **run_as(uid, gid),
        )
        threading.Thread(target=end_after_users, args=(users, postgres), daemon=True).start()
        postgres.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def end_after_users(users: int, postgres: subprocess.Popen[bytes]) -> None:
    fcntl.flock(users, fcntl.LOCK_EX)  # and whoever comes now waits until this process has ended
    postgres.send_signal(signal.SIGINT)  # PostgreSQL's "fast" shutdown: it closes all connections


if __name__ == "__main__":
    users, folder, uid, gid, data, server, *command = sys.argv[1:]
    main(int(users), folder, int(uid), int(gid), int(data), int(server), command)
