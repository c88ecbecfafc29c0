"""The words of the code: those of Django, DRF, PostgreSQL and AWX, and a name of its own for each class.

What reads well in a sentence may say nothing as a name: words that are ordinary in their place, as "found" for a local
variable, are not listed here.
"""

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.service import PROJECT

ROOMS = ("instances", "awx_compat", "fleet", "settings")

# Parts of names, and what to say instead. "_" joins parts that are forbidden only together.
NAMES = {
    "tell": "render, log, report, return",
    "tells": "renders, reports, returns",
    "told": "rendered, reported, shown; or what the value is: status, document, message",
    "telling": "rendering",
    "asked": "requested, arguments",
    "asked_again": "retry_once",
    "beat": "heartbeat",
    "foreseen": "prefetched",
    "foresight": "prefetch",
    "foretold": "prefetched",
    "forget": "delete, reset, clear",
    "hold": "lock",
    "kept": "stored, cached, present",
    "let_go": "break_reference_cycles",
    "look": "inspection, inspect",
    "mend": "repair",
    "mended": "repaired",
    "one_moment": "one_statement",
    "record_in": "get_record_from_body",
    "reopen": "disable_guard",
    "rows_of": "primary_objects; or what the rows are",
    "settle": "write_baselines",
    "sight": "record_sighting",
    "take_time": "set_statement_timeout",
    "unheard": "what is not logged",
    "unless_mirrored": "skip_if_mirrored",
    "unmoved": "preserve_totals",
    "unsaid": "undocumented",
    "wants_detaching": "disassociate",
    "who_asks": "authenticate",
    "worries": "warnings",
}
# Names that have such a part for a good reason.
GOOD_NAMES = {
    "look_up": "a lookup",
    "JOBS_KEPT_DAYS": "a setting that sites have",
    "_rows_of": "the visible rows of a table",
}
# Regular expressions for docstrings and comments, and what to say instead.
PHRASES = {
    r"\b(tells?|told|telling)\b": "shows, reports, returns, logs; is rendered, shown, reported; set, store, notify",
    r"\bmend(s|ed|ing)?\b": "repair",
    r"\bforese(e|en|es|eing)\b|\bforesight\b|\bforetold\b": "prefetch",
    r"\b(is|are|be|being) (held|hold) (until|first|here|already)\b": "is locked until; is stored here",
    r"\bwhoever wonders\b": "why it was done",
    r"\btakes? (a )?looks?\b|\b(this|one|two|next|last) looks?\b": "inspection, run, attempt",
    r"\bunmoved\b|\bunheard\b|\bunsaid\b": "unchanged, not logged, undocumented",
    r"\bworries\b": "warnings",
}


def modules(*folders: str) -> Iterator[tuple[str, str]]:
    """Path and text of each module below the folders, but for migrations, which stay as they are."""
    for folder in folders:
        for path in sorted((PROJECT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path.relative_to(PROJECT).as_posix(), path.read_text()


def defined_names(text: str) -> Iterator[tuple[int, str]]:
    """Line and name of everything that the module defines: functions, classes, arguments, variables, attributes."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr
            case ast.alias(asname=str(name)):
                yield node.lineno, name
            case ast.ExceptHandler(name=str(name)):
                yield node.lineno, name


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of each docstring and comment."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for number, line in enumerate(node.value.value.splitlines()):
                yield node.lineno + number, line
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def parts(name: str) -> str:
    """The words of a name in snake case, between underscores: "_look_up_"."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).strip("_").lower()
    return f"_{words}_"


def faults(path: str, text: str) -> list[str]:
    """The forbidden words in a module, each with its place and what to say instead."""
    found = [
        f"{path}:{line}: the name {name!r} has {word!r}; say: {instead}"
        for line, name in defined_names(text)
        for word, instead in NAMES.items()
        if name not in GOOD_NAMES and f"_{word}_" in parts(name)
    ]
    found += [
        f"{path}:{line}: {match[0]!r} in {words.strip()!r}; say: {instead}"
        for line, words in prose(text)
        for phrase, instead in PHRASES.items()
        if (match := re.search(phrase, words, re.IGNORECASE))
    ]
    return found


def test_the_code_speaks_the_language_of_its_field() -> None:
    found = [fault for path, text in modules(*ROOMS) for fault in faults(path, text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("word", NAMES)
@pytest.mark.parametrize(
    "code",
    [
        "def {0}(): ...",
        "class {1}: ...",
        "def f(a, *, {0}): ...",
        "{0} = 1",
        "for {0} in (): ...",
        "x.first_{0} = 1",
        "import os as {0}",
        "try: ...\nexcept OSError as {0}: ...",
        "{2}_AGAIN: int = 1",
        "if ({0} := 1): ...",
    ],
)
def test_words_are_found_wherever_a_name_is_defined(code: str, word: str) -> None:
    camel = "".join(map(str.capitalize, word.split("_")))
    assert faults("m.py", code.format(word, camel, word.upper()))


@pytest.mark.parametrize(
    "sentence",
    [
        "What AWX tells of it.",
        "It is told once.",
        "Told in clear.",
        "Telling the planner.",
        "Mend the counters.",
        "The groups are held until the transaction ends.",
        "Overdue before the next look.",
        "A note for whoever wonders.",
    ],
)
@pytest.mark.parametrize(
    "code", ['"""First.\n\n{}"""', "x = 1  # {}", 'def f():\n    """{}"""', 'class A:\n    a: int\n    """{}"""']
)
def test_phrases_are_found_in_docstrings_and_comments(code: str, sentence: str) -> None:
    assert faults("m.py", code.format(sentence))


@pytest.mark.parametrize(
    "code",
    [
        "found = threshold = withhold = 1",
        "look_up = 1",
        'x = "It is told in a message."',
        '"""A lock is held."""',
        "# We look it up.",
    ],
)
def test_ordinary_words_are_left_alone(code: str) -> None:
    assert not faults("m.py", code)


# --- classes

# Classes within a class are named by both, as UnifiedJob.Status; commands are named by their modules.
SHARED = {"Command": "Django finds a command by this name in the command's module"}


def test_each_class_has_a_name_of_its_own() -> None:
    places = defaultdict(list)
    folders = [
        path.name for path in PROJECT.iterdir() if path.is_dir() and path.name != "tests" and path.name[0] != "."
    ]
    for path, text in modules(*folders):
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef) and node.name not in SHARED:
                places[node.name].append(f"{path}:{node.lineno}")
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
