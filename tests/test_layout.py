"""Where things stand: a module is a subject, neither a function nor a book; apps depend on those below alone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

from tests.service import PROJECT

APPS = ("fleet", "awx_compat", "instances")  # each may use those after it
LONGEST, SHORTEST = 350, 40  # lines
TOO_LONG = {
    "fleet/node_report.py": "is copied to nodes as one file",
}
TOO_SHORT = {
    "awx_compat/bases.py": "is all that fleet/ may import of awx_compat",
    "awx_compat/compression.py": "what responses and static files, each a middleware, have in common",
    "awx_compat/views/mesh.py": "endpoints of a kind, as views/ has a file for each",
    "instances/demonstration.py": "the demonstration mesh, which neither a snapshot nor a command is",
    "instances/health/rules.py": "what all other modules of health/ import",
    "instances/health/start.py": "queues a job of tasks.py, which imports checks.py",
    "instances/messages.py": "each sentence once: a list that may be short",
    "instances/models/issued_bundle.py": "a table, as models/ has a file for each",
    "instances/models/link.py": "likewise",
    "instances/node_tokens.py": "tokens of nodes, whose functions have the names of those in tokens.py",
}
# Django and the servers say what these are called, and that each is a file, and a dialect has files for its parts; a
# settings module is a way to run.
GIVEN = re.compile(
    r"(__init__|apps|urls)\.py$|/migrations/|/management/commands/|/templatetags/|/dialects/|^settings/(\w+|embedded/base)\.py$"
)
SPEAKING_HTTP = {"awx_compat", "fleet", "granian", "httpx"}


def modules(*folders: str) -> Iterator[tuple[str, int]]:
    """The paths of the modules, and how many lines each has."""
    for folder in folders:
        for path in sorted((PROJECT / folder).rglob("*.py")):
            yield str(path.relative_to(PROJECT)), len(path.read_text().splitlines())


def test_no_module_is_a_book() -> None:
    paths = [
        path for path, lines in modules(*APPS, "settings", "bench") if lines > LONGEST and "/migrations/" not in path
    ]
    assert paths == sorted(TOO_LONG)


def test_few_modules_are_a_function() -> None:
    paths = {path for path, lines in modules(*APPS, "settings") if lines < SHORTEST and not GIVEN.search(path)}
    assert paths <= set(TOO_SHORT), "Its subject has a module already, or the reason why not belongs to TOO_SHORT."


@pytest.mark.parametrize("path", [*TOO_LONG, *TOO_SHORT])
def test_exceptions_are_needed(path: str) -> None:
    lines = dict(modules(*APPS))
    assert not SHORTEST <= lines.get(path, 0) <= LONGEST


@pytest.mark.parametrize("app", APPS)
def test_templates_and_static_files_are_of_the_own_app_or_of_one_below(app: str) -> None:
    """Which import-linter does not see: a template that extends another, a style sheet, a library of tags."""
    above = APPS[: APPS.index(app)]
    files = [
        path for name in above for kind in ("templates", "static") for path in (PROJECT / name / kind).rglob("*.*")
    ]
    names = {str(path.relative_to(PROJECT / path.relative_to(PROJECT).parts[0])).split("/", 1)[1] for path in files}
    libraries = {path.stem for name in above for path in (PROJECT / name / "templatetags").glob("[!_]*.py")}
    for path in (path for kind in ("*.py", "*.html") for path in (PROJECT / app).rglob(kind)):
        text = path.read_text()
        assert not set(re.findall(r"""["']([\w./-]+\.\w+)["']""", text)) & names, path
        assert not set(" ".join(re.findall(r"{% load ([\w ]+) %}", text)).split()) & libraries, path


def commands(app: str) -> list[Path]:
    return sorted((PROJECT / app / "management" / "commands").glob("[!_]*.py"))


def test_commands_that_speak_http_are_of_the_wire_and_no_others() -> None:
    of_the_wire = {path.stem: path for path in commands("awx_compat")}
    for path in of_the_wire.values():
        text = path.read_text()
        calls = {name for name in of_the_wire if name != path.stem and f'"{name}"' in text}
        assert calls or imported(text) & SPEAKING_HTTP, path
    assert not [path for path in commands("instances") if imported(path.read_text()) & SPEAKING_HTTP]
    assert not commands("fleet")


def imported(text: str) -> set[str]:
    """The top-level packages that a module imports."""
    nodes = list(ast.walk(ast.parse(text)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def test_serializers_holds_serializers() -> None:
    """A module there declares fields or serializers of DRF's."""
    for path in sorted((PROJECT / "awx_compat" / "serializers").glob("[!_]*.py")):
        bases = [
            ast.unparse(base)
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ClassDef)
            for base in node.bases
        ]
        assert bases, path
        assert all(re.search(r"(Serializer|Field)(\[.*\])?$|\.Meta$", base) for base in bases), (path, bases)


NAMED_STATIC = re.compile(r"""(?:\bstatic\(|\{% static )["']([^"']+)["']""")


def test_every_static_file_that_is_named_is_there() -> None:
    """In templates, scripts and modules: a browser would be answered 404."""
    paths = [path for app in APPS for path in (PROJECT / app).rglob("*") if path.suffix in (".py", ".html")]
    named = {(path.name, name) for path in paths for name in NAMED_STATIC.findall(path.read_text())}
    assert {name for _, name in named} >= {"awx_compat/icon.svg"}
    assert [(path, name) for path, name in sorted(named) if finders.find(name) is None] == []
