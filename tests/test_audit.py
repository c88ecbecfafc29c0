"""The log of logins and rights: a line for each, none forged, and no secret in any."""

import base64
import json
import logging
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from instances import audit, node_tokens
from instances.models import InstanceGroup, User
from tests.conftest import client_of
from tests.test_admin import TOKENS, USERS, browser_of, change, page_of

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "a-long-Passw0rd"
FROM = 'from="127.0.0.1"'


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    """A function that returns, and forgets, what was logged."""
    caplog.set_level(logging.INFO, "instances.audit")

    def told() -> list[str]:
        found = [f"{r.levelname} {r.getMessage()}" for r in caplog.records if r.name == "instances.audit"]
        caplog.clear()
        assert SECRET not in "".join(found)
        assert "pbkdf2" not in "".join(found)
        return found

    return told


@pytest.mark.parametrize("path", ["/api/login/", "/admin/login/"])
def test_sessions_begin_fail_and_end(path: str, lines: Any) -> None:
    User.objects.create_superuser("root", password=SECRET)
    lines()
    browser = Client()
    browser.post(path, {"username": "root", "password": "wrong"})
    assert lines() == [f'WARNING login failed user="root" {FROM}']
    browser.post(path, {"username": "root", "password": SECRET})
    assert lines() == [f'INFO login user="root" by="root" {FROM}']
    browser.post("/api/logout/")
    assert lines() == [f'INFO logout user="root" by="root" {FROM}']
    browser.post("/api/logout/")
    assert lines() == []


def test_basic_credentials_are_told_when_they_are_verified(lines: Any) -> None:
    User.objects.create_user("carol", password=SECRET)
    lines()
    for password, told in (
        ("wrong", [f'WARNING login failed user="carol" {FROM}']),
        (SECRET, [f'INFO login user="carol" how="Basic" by="-" {FROM}']),
        (SECRET, []),  # remembered
    ):
        credentials = base64.b64encode(f"carol:{password}".encode()).decode()
        APIClient().get("/api/v2/me/", HTTP_AUTHORIZATION=f"Basic {credentials}")
        assert lines() == told


def test_tokens_are_issued_changed_and_revoked(alice: User, admin: User, lines: Any) -> None:
    client = client_of(alice)
    lines()
    made = client.post("/api/v2/tokens/", {"description": "x", "scope": "read"}, format="json").json()
    told = lines()
    assert told == [f'INFO token issued user="alice" id="{made["id"]}" scope="read" by="alice" {FROM}']
    assert made["token"] not in told[0]
    client.delete(f"/api/v2/tokens/{made['id']}/")
    assert lines() == [f'INFO token revoked user="alice" id="{made["id"]}" scope="read" by="alice" {FROM}']
    change(browser_of(admin), f"{TOKENS}add/", scope="write")
    assert any(line.startswith('INFO token issued user="admin"') and 'by="admin"' in line for line in lines())


def test_tokens_of_nodes_too(edge: InstanceGroup, lines: Any) -> None:
    node = edge.instances.get()
    node_tokens.issue(node)
    node_tokens.revoke(node)
    issued, revoked = lines()
    assert issued.startswith('INFO node token issued node="exec-1" id=')
    assert revoked.startswith('INFO node token revoked node="exec-1" id=')
    assert issued.endswith('by="-" from="-"')


def test_passwords_ranks_and_roles(admin: User, alice: User, edge: InstanceGroup, lines: Any) -> None:
    browser = browser_of(admin)
    lines()
    form = {"password1": SECRET, "password2": SECRET, "usable_password": "true", "set-password": "Change password"}
    browser.post(f"{USERS}{alice.pk}/password/", form)
    assert lines() == [f'INFO password changed user="alice" by="admin" {FROM}']
    change(browser, page_of(alice), is_superuser="on")
    assert lines() == [f'INFO rank changed user="alice" rank="is_superuser" value="True" by="admin" {FROM}']
    role = {"instance_group_roles-0-instance_group": edge.pk, "instance_group_roles-0-role": "use_role"}
    more = {**role, "instance_group_roles-TOTAL_FORMS": 1, "instance_group_roles-0-user": alice.pk}
    change(browser, page_of(alice), **more)
    assert lines() == [f'INFO role given user="alice" role="use_role" group="edge" by="admin" {FROM}']
    change(browser, page_of(alice), **{"instance_group_roles-0-DELETE": "on"})
    assert lines() == [f'INFO role taken user="alice" role="use_role" group="edge" by="admin" {FROM}']
    browser.post(f"{USERS}{alice.pk}/delete/", {"post": "yes"})
    assert lines() == [f'INFO account deleted user="alice" by="admin" {FROM}']
    call_command("createsuperuser", interactive=False, username="second", email="")
    assert lines()[0].endswith('by="-" from="-"')


def test_a_password_that_is_only_hashed_anew_is_not_changed(alice: User, settings: Any, lines: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher", *settings.PASSWORD_HASHERS]
    Client().post("/api/login/", {"username": "alice", "password": "alice"})
    alice.refresh_from_db()
    assert alice.password.startswith("pbkdf2")
    assert lines() == [f'INFO login user="alice" by="alice" {FROM}']


def test_what_was_undone_is_not_told(admin: User, lines: Any) -> None:
    """The only superuser keeps the rank."""
    browser = browser_of(admin)
    lines()
    change(browser, page_of(admin), is_superuser=None)
    assert lines() == []


@pytest.mark.parametrize(
    "name", ["x\r\n2026-01-01 INFO login user=root", "\x1b[2J", "a\u202eb", "x" * 30_000, '" by="root']
)
def test_no_name_forges_a_line(name: str, lines: Any) -> None:
    APIClient().post("/api/login/", {"username": name, "password": SECRET})
    (line,) = lines()
    assert line.isprintable()
    assert line.isascii()
    assert len(line) < 1200
    assert line.endswith(FROM)
    assert line.count(" by=") == (1 if "by=" in name else 0)


@pytest.mark.slow
@given(st.text())
def test_any_value_is_one_printable_string(text: str) -> None:
    assert audit.quoted(text).isprintable()
    assert json.loads(audit.quoted(text)).rstrip("…") == text[: audit.LONGEST].rstrip("…")


def test_what_the_service_lacks_is_no_error_of_its_own(admin: User, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "django.request")
    assert client_of(admin).post("/api/v2/organizations/", {}, "json").status_code == 501
    assert [r.levelname for r in caplog.records if r.name == "django.request"] == ["WARNING"]
