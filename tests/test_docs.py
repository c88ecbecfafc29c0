"""README, CONTRIBUTING and docs/ say what is so: links, settings, commands, routes and citations."""

import ast
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from django.core.management import get_commands, load_command_class
from django.urls import get_resolver

from awx_compat import buffered, exceptions, passwords, turns
from instances import messages
from tests.routes import routes
from tests.service import PROJECT

DOCS = PROJECT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
AT_THE_TOP = [PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
OWN_APPS = {"awx_compat", "fleet", "instances"}


def relative(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$|^    [^\n]*$|`[^`\n]+`", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub and the site make of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*AT_THE_TOP, *PAGES], ids=relative)
def test_relative_links_lead_to_what_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", without_code(text)) + re.findall(r'(?:src|srcset|href)="([^"]+)"', text)
    for link in links:
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / unquote(name) if name else page
        assert target.exists(), f"{relative(page)}: {link}"
        assert not anchor or anchor in anchors(target), f"{relative(page)}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_each_section_is_there_once(page: Path) -> None:
    sections = re.findall(r"^## .+$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(sections) == len(set(sections))


def test_the_readme_is_short() -> None:
    assert len((PROJECT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def read_settings() -> dict[str, ast.expr | None]:
    """The variables that settings/base.py reads, each with the expression of its default."""
    tree = ast.parse((PROJECT / "settings" / "base.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    reads = [
        call
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "read"
        and call.func.attr not in ("seal", "refuse")
    ]
    return {str(ast.literal_eval(call.args[0])): call.args[1] if len(call.args) > 1 else None for call in reads}


def described_settings() -> dict[str, str]:
    """The variables in the tables of docs/configuration.md, each with its column of the default."""
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \| ([^|]+) \|", (DOCS / "configuration.md").read_text("utf-8"), re.MULTILINE)
    assert len(dict(rows)) == len(rows)
    return dict(rows)


def test_each_setting_is_described_and_no_other() -> None:
    assert sorted(described_settings()) == sorted(read_settings())


def test_defaults_are_those_of_the_code() -> None:
    """Where the code has a number, a switch or a word, and the page shows one."""
    described = described_settings()
    compared = 0
    for name, default in read_settings().items():
        shown = re.fullmatch(r"`([^`]*)`", described[name])
        if shown is None or not isinstance(default, ast.Constant):
            continue
        written = str(default.value).lower() if isinstance(default.value, bool) else str(default.value)
        assert shown[1] == written, name
        compared += 1
    assert compared > 25


def commands() -> dict[str, str]:
    """The project's own management commands, each with its application."""
    return {name: app for name, app in get_commands().items() if app in OWN_APPS}


def shown_commands() -> list[tuple[str, str, str]]:
    """Each ``awx-instances name …`` of README and docs/: page, name, and the rest of the code."""
    found = []
    for page in [*AT_THE_TOP, *PAGES]:
        for name, rest in re.findall(
            r"(?:manage\.py|awx-instances) ([a-z_]+)([^`\n]*)", page.read_text(encoding="utf-8")
        ):
            found.append((relative(page), name, rest.partition("#")[0]))
    return found


def test_each_command_is_described() -> None:
    assert set(commands()) <= {name for _, name, _ in shown_commands()}


def test_shown_commands_and_their_options_exist() -> None:
    own = commands()
    for page, name, rest in shown_commands():
        assert name in get_commands(), f"{page}: {name}"
        if name in own:
            parser = load_command_class(own[name], name).create_parser("manage.py", name)
            for option in re.findall(r"--[a-z_-]+", rest):
                assert option in parser._option_string_actions, f"{page}: {name} {option}"


def test_each_option_of_the_mirror_is_described() -> None:
    parser = load_command_class("awx_compat", "sync_awx").create_parser("manage.py", "sync_awx")
    base = {"--help", "--version", "--verbosity", "--settings", "--pythonpath", "--traceback", "--no-color"}
    own = {name for name in parser._option_string_actions if name.startswith("--")} - base
    page = (DOCS / "mirror.md").read_text(encoding="utf-8")
    assert {name for name in own - {"--force-color", "--skip-checks"} if f"`{name}`" not in page} == set()


def test_each_route_of_the_api_is_described_and_no_other() -> None:
    """Of what belongs to one user, token or job, and of OAuth2, the page names the beginning alone."""
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", page, flags=re.MULTILINE)
    described = {"api/v2/dashboard/graphs/jobs/", "api/v2/settings/<key>/"}  # parts of what is described
    for section in sections:
        below = re.match(r"Paths below /(\S+)", section)
        for cell in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) if below else []:
            for path in re.findall(r"`([^`]+)`", cell):
                described.add(below[1] + re.sub(r"\{\w+\}", "<key>", path))  # type: ignore[index]
    there = {re.sub(r"<\w+>", "<key>", route) for route in routes(get_resolver().url_patterns, "")}
    below_v2 = re.compile(r"api/(?:v2|fleet/v1)/.")
    left_out = re.compile(r"api/v2/(?:(?:users|tokens)/<key>/|\w+/<key>/\.\+/$)")
    own = {route for route in there if below_v2.match(route) and not left_out.match(route)}
    assert described == own


# A page, and the headings that are named of it.
CITATION = re.compile(r'docs/([\w/-]+\.md), ("[^"\n]+"(?:, "[^"\n]+")*)')


def modules() -> list[Path]:
    return [
        path for folder in ("awx_compat", "fleet", "instances", "settings") for path in (PROJECT / folder).rglob("*.py")
    ]


def test_cited_pages_and_headings_exist() -> None:
    """``docs/awx-behaviour.md, "Capacity"`` in a docstring or comment names a heading of that page."""
    cited = set()
    for path in modules():
        text = path.read_text(encoding="utf-8")
        assert "AWX_BEHAVIOUR" not in text, relative(path)
        for page in re.findall(r"docs/[\w/-]+\.md", text):
            assert (PROJECT / page).exists(), f"{relative(path)}: {page}"
        for page, names in CITATION.findall(" ".join(text.split())):
            headings = re.findall(r"^#+ (.+)$", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE)
            for name in re.findall(r'"([^"]+)"', names):
                assert name in headings, f"{relative(path)}: {name}"
                cited.add(name)
        named = len(re.findall(r'docs/awx-behaviour\.md,\s+"', text))
        assert named == text.count("docs/awx-behaviour.md"), f"{relative(path)} names no heading"
    assert len(cited) > 8


def test_files_that_contributing_names_exist() -> None:
    """Paths with a folder; of tests and of modules beside them the name alone is given."""
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:awx_compat|fleet|instances|settings|tests|bench|docs)/[\w./-]*)`", text)
    assert len(paths) > 40
    assert [path for path in paths if not (PROJECT / path).exists()] == []
    named = re.findall(r"`((?:browser/)?test_\w+\.py)`", text)
    assert [name for name in named if not (PROJECT / "tests" / name).exists()] == []


def test_what_each_503_means_is_said() -> None:
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    section = page.partition("## What a 503 means")[2].partition("\n## ")[0]
    told = {row.split(" | ")[0].removeprefix("| ") for row in section.splitlines() if row.startswith("| ")}
    reasons = {
        buffered.OVERLOADED,
        buffered.TOO_BUSY,
        exceptions.DATABASE_FAILED,
        exceptions.DISK_FULL,
        messages.BUSY,
        messages.NO_PROBE,
        passwords.TooManyLogins.default_detail,
        turns.TOO_MANY,
        exceptions.TOO_SLOW,
    }
    assert reasons <= told
