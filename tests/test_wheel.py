"""The wheel, installed where no checkout is: it is complete, runs, and writes into its folder of data alone."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from uv import find_uv_bin

from tests.service import DATASET, PROJECT, new_database, served_by, wait_for

PACKAGES = ("awx_compat", "fleet", "instances", "settings")
PYTHONS = ("3.11", "3.12", "3.13")
UNTESTED = "3.14"
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def uv(*arguments: str | Path, cwd: Path = PROJECT) -> str:
    """What uv prints, which finds the Pythons of pyenv too and downloads none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/*/bin")
    done = subprocess.run(
        [find_uv_bin(), "--quiet", "--no-python-downloads", *arguments],
        cwd=cwd,
        env={**os.environ, "PATH": ":".join([os.environ["PATH"], *map(str, pyenv)])},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def committed() -> list[str]:
    """The files that git has, or would have: none that it ignores."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=PROJECT, check=True, capture_output=True, text=True).stdout.split("\0")
    return [name for name in names if name and (PROJECT / name).exists()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is made of the sdist, which is made of a checkout."""
    source = tmp_path_factory.mktemp("source")
    for name in committed():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, source / name)
    uv("build", cwd=source)
    (path,) = (source / "dist").glob("*.whl")
    return path


@pytest.fixture(scope="module", params=PYTHONS)
def installed(request: pytest.FixtureRequest, wheel: Path) -> Iterator[Path]:
    """The folder of programs of a new environment that has the wheel, with its extra.

    Others may read it: where root runs the tests, PostgreSQL has another account.
    """
    try:
        python = uv("python", "find", "--system", request.param).strip()
    except AssertionError:
        pytest.skip(f"Python {request.param} is not installed")
    with tempfile.TemporaryDirectory() as environment:
        os.chmod(environment, 0o755)
        uv("venv", "--clear", "--python", python, environment)
        programs = Path(environment) / "bin"
        into = ("--compile-bytecode", "--python", programs / "python", "--constraint", "constraints.txt")
        uv("pip", "install", *into, f"awx-instance-service[embedded] @ {wheel.as_uri()}")
        yield programs


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def variables(home: Path, **changes: str) -> dict[str, str]:
    """The environment of an operator who has set nothing."""
    return {"PATH": os.defpath, "HOME": str(home), "LANG": "C.UTF-8", **changes}


def run(installed: Path, folder: Path, *arguments: str, **changes: str) -> str:
    done = subprocess.run(
        [installed / "awx-instances", *arguments],
        cwd=folder,
        env=variables(folder.parent / "home", **changes),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.slow
def test_the_wheel_has_the_files_that_git_has_and_no_others(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert inside == {name for name in committed() if name.startswith(tuple(f"{each}/" for each in PACKAGES))}


@pytest.mark.slow
def test_help_and_version_need_no_settings(installed: Path, elsewhere: Path) -> None:
    told = run(installed, elsewhere, "--help")
    assert "\nServing:\n  serve  " in told
    assert run(installed, elsewhere) == told
    assert run(installed, elsewhere, "demo", "--help").startswith("usage: awx-instances demo ")
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert run(installed, elsewhere, "--version") == f"{version}\n"
    assert not (elsewhere.parent / "home").exists()


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.slow
def test_the_demo_runs_and_writes_into_the_users_folder_of_data_alone(installed: Path, elsewhere: Path) -> None:
    home, before = elsewhere.parent / "home", files(installed.parent)
    home.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    demo = subprocess.Popen(
        [installed / "awx-instances", "demo", "--port", str(port)],
        cwd=elsewhere,
        env=variables(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_for(address, demo, seconds=180)
        answer = requests.get(f"{address}/api/v2/instances/1/", auth=("admin", "admin"), timeout=30)
        assert answer.json()["hostname"] == "control-1.demo"
        with requests.Session() as browser:
            static = [name.partition("/static/")[2] for name in committed() if re.match(r"\w+/static/", name)]
            assert len(static) > 10
            assert [name for name in static if browser.get(f"{address}/static/{name}").status_code != 200] == []
            browser.get(f"{address}/api/login/")
            form = {"username": "admin", "password": "admin", "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
            browser.post(f"{address}/api/login/", form)
            for path in ("/", "/nodes/1/", "/api/docs/", "/api/schema/", "/admin/instances/instance/"):
                page = browser.get(f"{address}{path}")
                assert (page.status_code, page.url) == (200, f"{address}{path}")
    finally:
        demo.send_signal(signal.SIGINT)
        output = demo.communicate(timeout=60)[0]
    assert demo.returncode == 0, output
    assert "Traceback" not in output
    assert files(installed.parent) == before
    assert list(elsewhere.iterdir()) == []
    assert [str(path.relative_to(home)) for path in home.glob("*/*/*")] == [".local/share/awx-instance-service"]
    assert [path for path in files(home) if ".local/share/awx-instance-service" not in str(path)] == []


@pytest.mark.slow
@pytest.mark.django_db
def test_it_migrates_imports_and_serves(installed: Path, elsewhere: Path) -> None:
    with new_database() as url:
        changes = {"DATABASE_URL": url, "SECRET_KEY": "".join(map(chr, range(48, 122)))}
        assert "OK" in run(installed, elsewhere, "migrate", **changes)
        assert "instances" in run(installed, elsewhere, "import_awx", str(DATASET), **changes)
        command = [str(installed / "awx-instances"), "serve", "--workers", "1"]
        with served_by(command, url, DJANGO_SETTINGS_MODULE="settings.base") as address:
            answer = requests.get(f"{address}/api/v2/ping/", timeout=30)
    assert answer.json()["version"] == "23.6.0"


@pytest.mark.slow
def test_the_hashes_are_those_of_what_is_installed(wheel: Path, tmp_path: Path) -> None:
    """As docs/install.md installs it, by pip's rules: each file is compared with its hash."""
    uv("venv", "--python", sys.executable, tmp_path)
    into = ("--python", tmp_path / "bin" / "python")
    uv("pip", "install", *into, "--require-hashes", "--requirement", PROJECT / "requirements.txt")
    uv("pip", "install", *into, "--no-deps", wheel)
    uv("pip", "check", *into)


@pytest.mark.slow
@pytest.mark.parametrize("python", [*PYTHONS, UNTESTED])
def test_each_dependency_has_a_wheel(python: str) -> None:
    """So no compiler is needed."""
    options = ("--only-binary", ":all:", "--all-extras", "--constraint", "constraints.txt")
    resolved = uv("pip", "compile", "--python-version", python, *options, "pyproject.toml")
    assert "django==" in resolved


def test_the_hashed_versions_are_those_of_the_tests() -> None:
    hashed = (PROJECT / "requirements.txt").read_text(encoding="utf-8")
    pins = PIN.findall(hashed)
    assert len(pins) > 40
    assert set(pins) <= set(PIN.findall((PROJECT / "constraints.txt").read_text(encoding="utf-8")))
    assert all("--hash=sha256:" in each for each in re.split(PIN.pattern.lstrip("^"), hashed)[3::3])
