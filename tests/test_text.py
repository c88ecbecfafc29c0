"""Text of others on terminals, in logs and on pages: it moves no cursor, turns no direction and forges no line."""

import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils.html import escape
from hypothesis import given
from hypothesis import strategies as st

from instances.logs import LineFormatter, RequestIdFilter
from instances.management.refusing import ErrorReportingCommand
from instances.models import Condition, Instance, InstanceGroup, User
from instances.text import escaped, in_one_line, visible
from tests.conftest import client_of
from tests.factories import instance
from tests.test_pages import browser_of

CONTROLS = [*map(chr, range(1, 32)), *map(chr, range(127, 160)), "\u2028", "\u2029"]  # PostgreSQL's text has no NUL
TURNING = [*map(chr, (0x61C, 0x200E, 0x200F)), *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))]
FORGED = "2026-01-01 00:00:00,000 INFO instances.audit [] login user=root"
ODD = "".join(CONTROLS + TURNING) + f"\r\n{FORGED}"
HARMFUL = re.compile("[" + re.escape("".join({*CONTROLS, *TURNING} - {"\t", "\n"})) + "]")

texts = st.text() | st.text(st.sampled_from([*CONTROLS, *TURNING, "\0", "a", "\\"]))


@given(texts)
def test_nothing_harmful_is_left(text: str) -> None:
    for made_fit in (visible, escaped, in_one_line):
        assert not HARMFUL.search(made_fit(text))
        assert "\0" not in made_fit(text)
    assert len(in_one_line(text).splitlines()) <= 1
    assert "\t" not in in_one_line(text)


@given(st.text(st.characters(exclude_categories=("C", "Z"))))
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert visible(text) == escaped(text) == in_one_line(text) == text


# --- logs


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a logger writes in the format of the settings."""
    assert settings.LOGGING["formatters"]["text"]["()"] == "instances.logs.LineFormatter"
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter(settings.LOGGING["formatters"]["text"]["format"]))
    handler.addFilter(RequestIdFilter())
    logger = logging.getLogger("tests.text")
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


def begins(line: str) -> bool:
    """Whether the line looks like the first of a record."""
    return re.match(r"\d{4}-\d\d-\d\d ", line) is not None


def test_a_record_has_the_id_of_the_request_if_there_is_one(log: io.StringIO) -> None:
    logging.getLogger("tests.text").warning("A node answers.")
    logging.getLogger("tests.text").warning("A node answers.", extra={"request_id": "0a1b"})
    lines = log.getvalue().splitlines()
    assert [line.partition("WARNING tests.text ")[2] for line in lines] == ["A node answers.", "[0a1b] A node answers."]


@pytest.mark.parametrize("odd", [*CONTROLS, *TURNING, ODD])
def test_a_record_is_one_line(odd: str, log: io.StringIO) -> None:
    logging.getLogger("tests.text").warning("A node answers %s%s", odd, FORGED)
    assert len(log.getvalue().splitlines()) == 1
    assert not HARMFUL.search(log.getvalue())


def test_a_traceback_forges_no_record(log: io.StringIO) -> None:
    try:
        raise ValueError(ODD)
    except ValueError:
        logging.getLogger("tests.text").exception("It failed", stack_info=True)
    lines = log.getvalue().splitlines()
    assert [line for line in lines if begins(line)] == lines[:1]
    assert any("Traceback" in line for line in lines)
    assert not HARMFUL.search(log.getvalue())


# --- terminals


class Odd(ErrorReportingCommand):
    """Tells what others wrote."""

    def handle(self, *args: Any, fails: bool = False, **options: Any) -> None:
        self.stdout.write(ODD)
        self.stderr.write(ODD)


def test_no_command_writes_it_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    call_command(Odd())
    given_out, given_err = io.StringIO(), io.StringIO()
    call_command(Odd(), stdout=given_out, stderr=given_err)
    printed = capsys.readouterr()
    for text in (printed.out, printed.err, given_out.getvalue(), given_err.getvalue()):
        assert "\\u001b" in text
        assert not HARMFUL.search(text)


@pytest.mark.django_db
def test_a_list_has_a_line_for_each_node_and_no_other() -> None:
    InstanceGroup.objects.create(name=f"a\n\tgroup{ODD}"[:250])
    Instance.objects.create(hostname="exec-1", node_type="execution", version=f"1\n\tforged capacity=9{ODD}"[:120])
    printed = io.StringIO()
    call_command("list_instances", stdout=printed)
    assert not HARMFUL.search(printed.getvalue())
    assert [line[:1] for line in printed.getvalue().split("\n")] == ["[", "", "[", "\t", "", ""]


# --- hostnames from elsewhere than the API

REFUSED = [*CONTROLS, "\0"]
WARNED_OF = ["a_b", "a b", "localhost", "127.0.0.1", "b\u202ea", "\u00e9", "a..b", "*"]


def load(tmp_path: Path, hostname: str) -> str:
    """Import a node of that name; what is told on standard error."""
    file, told = tmp_path / "snapshot.json", io.StringIO()
    file.write_text(json.dumps({"instances": [instance(1, hostname=hostname)]}))
    call_command("import_awx", str(file), stdout=io.StringIO(), stderr=told)
    return told.getvalue()


def provision(hostname: str) -> str:
    told = io.StringIO()
    call_command(
        "provision_instance", f"--hostname={hostname}", "--node_type=execution", stdout=io.StringIO(), stderr=told
    )
    return told.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize("character", REFUSED)
def test_control_characters_in_hostnames_are_refused(character: str, tmp_path: Path) -> None:
    for register in (lambda name: load(tmp_path, name), provision):
        with pytest.raises(CommandError, match=r"control characters|the character NUL"):
            register(f"exec{character}1")
        assert not Instance.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("hostname", WARNED_OF)
def test_what_the_api_would_refuse_besides_is_warned_of(hostname: str, admin: User, tmp_path: Path) -> None:
    for register in (lambda name: load(tmp_path, name), provision):
        Instance.objects.all().delete()
        told = register(hostname)
        assert told.startswith(f"Warning: the API would refuse the hostname {escaped(hostname)}: ")
        assert Instance.objects.get().hostname == hostname
    assert client_of(admin).get("/api/v2/instances/").json()["results"][0]["hostname"] == hostname


@pytest.mark.django_db
def test_a_usual_hostname_is_not_warned_of(tmp_path: Path) -> None:
    assert load(tmp_path, "exec-1.example.org") == provision("exec-2.example.org") == ""


# --- pages, and the API, which tells what there is


@pytest.mark.django_db
@pytest.mark.parametrize("odd", ["\x01", "\r", "\x1b", "\x7f", "\x85", "\x9b", "\u2028", *TURNING[::4]])
def test_pages_and_administration_show_what_is_there(odd: str, admin: User) -> None:
    node = Instance.objects.create(
        hostname=f"exec{odd}1",
        node_type="execution",
        version=f"2{odd}3",
        errors=f"disk{odd}full",
        ip_address=f"1{odd}2",
    )
    Condition.objects.create(
        instance=node, type="Reachable", status="False", reason="NodeUnreachable", message=f"a{odd}b"
    )
    InstanceGroup.objects.create(name=f"edge{odd}1").instances.add(node)
    browser = browser_of(admin)
    for path in (
        "/",
        f"/nodes/{node.pk}/",
        "/admin/",
        "/admin/instances/instance/",
        f"/admin/instances/instance/{node.pk}/change/",
    ):
        answer = browser.get(path, follow=True)
        assert answer.status_code == 200, path
        page = answer.content.decode()
        for text in ("exec{}1", "2{}3", "disk{}full", "1{}2", "a{}b", "edge{}1"):
            if odd not in "\t\n":
                assert escape(text.format(odd)) not in page, (path, text)
    told = client_of(admin).get(f"/api/v2/instances/{node.pk}/").json()
    assert (told["version"], told["errors"]) == (node.version, node.errors)


@pytest.mark.parametrize("arguments", [["x\x1b[31m"], ["--\x1b[31m"], ["--all=\r\nforged"]])
def test_a_wrong_argument_is_repeated_without_its_control_characters(arguments: list[str]) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("list_instances", *arguments)
    assert str(refused.value).isprintable()
