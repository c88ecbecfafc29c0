"""No password is found by trying, whatever door it is tried at, and nobody is shut out by who tries."""

import base64
import itertools
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.contrib.auth import hashers
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from awx_compat import authentication, guesses
from awx_compat.forwarded import Proxies
from instances import guessing, hashing
from instances.models import Instance, LoginFailures, User
from settings import base
from tests.conftest import client_of
from tests.service import new_database, served
from tests.test_admin import USERS, browser_of

pytestmark = pytest.mark.django_db

PAIR, NAME, ADDRESS, WINDOW = 3, 8, 10, 600
HERE = "203.0.113.1"
PAGES = "text/html,*/*;q=0.8"
Knock = Callable[..., HttpResponse]


def basic(name: str, password: str, address: str = HERE, **headers: str) -> Any:
    credentials = base64.b64encode(f"{name}:{password}".encode()).decode()
    return Client(REMOTE_ADDR=address).get("/api/v2/me/", HTTP_AUTHORIZATION=f"Basic {credentials}", **headers)


def form_at(path: str) -> Knock:
    def knock(name: str, password: str, address: str = HERE, **headers: str) -> Any:
        form = {"username": name, "password": password}
        return Client(REMOTE_ADDR=address).post(path, form, **headers)

    return knock


DOORS: dict[str, Knock] = {"Basic": basic, "form": form_at("/api/login/"), "admin": form_at("/admin/login/")}
ACCEPTED = {"Basic": 200, "form": 302, "admin": 302}
WRONG = {"Basic": 401, "form": 401, "admin": 200}


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def forgotten(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small limits, and a process that remembers nobody."""
    settings.LOGIN_FAILURE_LIMIT = PAIR
    settings.LOGIN_FAILURE_LIMIT_BY_NAME = NAME
    settings.LOGIN_FAILURE_LIMIT_BY_ADDRESS = ADDRESS
    settings.LOGIN_FAILURE_WINDOW = WINDOW
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    monkeypatch.setattr(authentication, "verified", authentication.VerifiedCredentials())
    guessing.lockouts.clear()
    yield
    guessing.lockouts.clear()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were hashed."""
    return counting(monkeypatch, hashers.MD5PasswordHasher)  # which the tests hash with


def counting(monkeypatch: pytest.MonkeyPatch, hasher: Any) -> list[str]:
    done: list[str] = []
    encode = hasher.encode

    def counted(self: Any, password: str, *more: Any) -> str:
        done.append(password)
        return str(encode(self, password, *more))

    monkeypatch.setattr(hasher, "encode", counted)
    return done


def guess(name: str, times: int, address: str = HERE) -> None:
    for number in range(times):
        assert basic(name, f"wrong-{number}", address).status_code == 401


def guess_from_everywhere(name: str) -> None:
    """As often as a name takes it from addresses that are new to it."""
    for number in range(NAME):
        guess(name, 1, f"198.51.100.{number}")


def guess_every_name(address: str = HERE) -> None:
    """As often as an address may, for names that are new to it."""
    for number in range(ADDRESS):
        guess(f"nobody-{number}", 1, address)


def later() -> None:
    """Let the windows end."""
    LoginFailures.objects.update(until=F("until") - timedelta(seconds=WINDOW + 1))
    guessing.lockouts.clear()


# --- what is refused


def test_after_so_many_wrong_ones_the_right_one_is_not_looked_at(door: str, admin: User, hashed: list[str]) -> None:
    for _ in range(PAIR):
        assert DOORS[door]("admin", "wrong").status_code == WRONG[door]
    del hashed[:]
    for _ in range(2):  # as the database says, and as the process remembers
        refused = DOORS[door]("admin", "admin")
        assert refused.status_code == 429
        assert 0 < int(refused["Retry-After"]) <= WINDOW
        assert json.loads(refused.content) == {
            "detail": f"Too many wrong passwords. Try again in {refused['Retry-After']} seconds."
        }
    assert hashed == []


def test_people_read_it_on_a_page(door: str, admin: User) -> None:
    guess("admin", PAIR)
    refused = DOORS[door]("admin", "admin", HTTP_ACCEPT=PAGES)
    assert (refused.status_code, refused["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert "Too many wrong passwords" in refused.content.decode()
    assert int(refused["Retry-After"]) > 0


@pytest.mark.parametrize(("first", "then"), list(itertools.permutations(DOORS, 2)))
def test_one_door_counts_for_the_others(first: str, then: str, admin: User) -> None:
    for _ in range(PAIR):
        DOORS[first]("admin", "wrong")
    assert DOORS[then]("admin", "admin").status_code == 429


@pytest.mark.parametrize("lock", ["pair", "name", "address"])
def test_nobody_learns_whether_there_is_such_a_name(door: str, lock: str, admin: User, alice: User) -> None:
    """The address is known to be alice's, so that hers is looked at whatever others do; what is told is the same."""
    assert basic("alice", "alice").status_code == 200
    User.objects.filter(username="alice").update(is_active=False)
    told = []
    for name in ("admin", "nobody", "alice"):
        LoginFailures.objects.update(failures=0)
        guessing.lockouts.clear()
        if lock == "pair":
            guess(name, PAIR)
        elif lock == "name":
            guess_from_everywhere(name)
        else:
            guess_every_name()
        answer = DOORS[door](name, "wrong")
        told.append((answer.status_code, answer.content.replace(answer["Retry-After"].encode(), b"")))
    assert told[0][0] == 429
    assert told[0] == told[1] == told[2]


def test_tokens_are_not_given_for_passwords(admin: User) -> None:
    form = {"grant_type": "password", "username": "admin", "password": "admin"}
    assert Client().post("/api/o/token/", form).status_code in (400, 401)
    assert not LoginFailures.objects.exists()


# --- whom it is refused to


def test_a_script_with_a_wrong_password_stops_itself_alone(admin: User, alice: User) -> None:
    guess("admin", PAIR)
    for _ in range(NAME + ADDRESS):
        assert basic("admin", "wrong").status_code == 429
    assert basic("alice", "alice").status_code == 200
    assert basic("admin", "admin", "203.0.113.2").status_code == 200


def test_many_machines_do_not_guess_one_password(admin: User) -> None:
    guess_from_everywhere("admin")
    assert basic("admin", "admin", "192.0.2.99").status_code == 429
    assert LoginFailures.objects.get(name=guessing.digest("admin"), address="").failures == NAME


def test_nor_are_its_owner_and_others_shut_out(admin: User, alice: User) -> None:
    assert basic("admin", "admin").status_code == 200
    guess_from_everywhere("admin")
    authentication.verified.known.clear()
    assert basic("admin", "admin").status_code == 200
    assert basic("alice", "alice", "198.51.100.1").status_code == 200


def test_one_machine_does_not_try_all_names(admin: User, alice: User) -> None:
    assert basic("alice", "alice").status_code == 200
    guess_every_name()
    assert basic("admin", "admin").status_code == 429
    assert basic("admin", "admin", "203.0.113.2").status_code == 200
    authentication.verified.known.clear()
    assert basic("alice", "alice").status_code == 200  # who is behind the same address, and was before


def test_who_is_known_may_guess_no_more_than_others(admin: User) -> None:
    assert basic("admin", "admin").status_code == 200
    guess_from_everywhere("admin")
    authentication.verified.known.clear()
    for _ in range(PAIR):
        assert basic("admin", "wrong").status_code == 429
    assert basic("admin", "admin").status_code == 429


def test_an_address_is_not_known_for_ever(admin: User) -> None:
    assert basic("admin", "admin").status_code == 200
    authentication.verified.known.clear()
    LoginFailures.objects.update(known_until=F("known_until") - timedelta(seconds=guessing.KNOWN_FOR))
    guess_from_everywhere("admin")
    assert basic("admin", "admin").status_code == 429


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:203.0.113.1", "203.0.113.1", True),
        ("", "unix:", True),
    ],
)
def test_what_one_address_is(one: str, other: str, is_same: bool, admin: User) -> None:
    guess("admin", PAIR, one)
    assert basic("admin", "admin", other).status_code == (429 if is_same else 200)


def test_clients_without_an_address_are_counted_by_name_alone(admin: User) -> None:
    for number in range(ADDRESS + 1):
        guess(f"nobody-{number}", 1, "")
    assert basic("admin", "admin", "").status_code == 200


def test_clients_of_a_trusted_proxy_have_their_own_addresses(admin: User) -> None:
    for _ in range(PAIR):
        assert basic("admin", "wrong", "127.0.0.1", HTTP_X_FORWARDED_FOR="192.0.2.1").status_code == 401
    for client, status in (("192.0.2.1", 429), ("192.0.2.2", 200)):
        assert basic("admin", "admin", "127.0.0.1", HTTP_X_FORWARDED_FOR=client).status_code == status
    assert basic("admin", "admin", "192.0.2.1", HTTP_X_FORWARDED_FOR="192.0.2.3").status_code == 429


def test_tokens_and_sessions_go_on(admin: User) -> None:
    guess("admin", PAIR)
    assert client_of(admin).get("/api/v2/me/", REMOTE_ADDR=HERE).status_code == 200
    assert browser_of(admin).get("/api/v2/me/", REMOTE_ADDR=HERE).status_code == 200


def test_what_is_remembered_of_the_owner_is_no_way_around(admin: User) -> None:
    """Who asks by Basic all the time is remembered, and a right guess would be found among that without a hash."""
    assert basic("admin", "admin").status_code == 200
    guess("admin", PAIR)
    assert basic("admin", "wrong").status_code == 429
    for believed in (True, False):
        if not believed:
            guessing.lockouts.update({key: (0.0, until) for key, (_, until) in guessing.lockouts.items()})
        assert basic("admin", "admin").status_code == 429


def test_nor_is_it_one_for_others(admin: User) -> None:
    assert basic("admin", "admin").status_code == 200
    guess_from_everywhere("admin")
    assert basic("admin", "admin", "192.0.2.99").status_code == 429


# --- for how long


def test_it_ends(door: str, admin: User) -> None:
    guess("admin", PAIR)
    assert DOORS[door]("admin", "admin").status_code == 429
    later()
    guess("admin", PAIR - 1)
    assert DOORS[door]("admin", "admin").status_code == ACCEPTED[door]


def test_the_right_one_forgets_the_wrong_ones(door: str, admin: User) -> None:
    for _ in range(3):
        guess("admin", PAIR - 1)
        authentication.verified.known.clear()
        LoginFailures.objects.filter(name=guessing.digest("admin"), address="").update(failures=0)
        LoginFailures.objects.filter(name="").update(failures=0)
        assert DOORS[door]("admin", "admin").status_code == ACCEPTED[door]


@pytest.mark.parametrize(
    ("chosen", "pairs"),
    [
        (["--all"], [True, True, True]),
        (["--name", "admin"], [True, True, False]),
        (["--address", HERE], [True, False, True]),
        (["--name", "admin", "--address", HERE], [True, False, False]),
    ],
)
def test_a_command_unlocks(chosen: list[str], pairs: list[bool], admin: User, alice: User, capsys: Any) -> None:
    tried = [("admin", HERE), ("admin", "203.0.113.2"), ("alice", HERE)]
    for name, address in tried:
        guess(name, PAIR, address)
        assert basic(name, name, address).status_code == 429
    call_command("unlock_login", *chosen)
    assert capsys.readouterr().out == "Unlocked.\n"
    guessing.lockouts.clear()  # as a few seconds do
    assert [basic(name, name, address).status_code == 200 for name, address in tried] == pairs


def test_a_process_notices_soon_that_it_was_unlocked(
    admin: User, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    guess("admin", PAIR)
    assert basic("admin", "admin").status_code == 429
    call_command("unlock_login", "--all")
    now = guessing.time.monotonic()
    monkeypatch.setattr(guessing.time, "monotonic", lambda: now + guessing.REMEMBERED_FOR)
    del hashed[:]
    for _ in range(3):
        assert basic("admin", "admin").status_code == 200
    assert hashed == ["admin"]


@pytest.mark.parametrize("chosen", [[], ["--all", "--name", "x"], ["--address", "x"], ["--all", "--address", HERE]])
def test_the_command_refuses_what_it_cannot_tell(chosen: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("unlock_login", *chosen)


# --- what it keeps, and costs


def test_neither_names_nor_passwords_are_kept(admin: User) -> None:
    guess("a-Passw0rd-at-the-wrong-place", 1)
    basic("admin", "admin")
    kept = str(list(LoginFailures.objects.values()))
    assert "wrong" not in kept
    assert "admin" not in kept


def test_what_is_forgotten_is_deleted(admin: User) -> None:
    assert basic("admin", "admin").status_code == 200
    guess("nobody", 2)
    later()
    guess("another", 1, "198.51.100.7")
    left = set(LoginFailures.objects.values_list("name", "address"))
    admins, anothers = guessing.digest("admin"), guessing.digest("another")
    assert left == {(admins, HERE), (anothers, "198.51.100.7"), (anothers, ""), ("", "198.51.100.7")}


def test_who_was_verified_costs_nothing_more(admin: User) -> None:
    node = Instance.objects.create(hostname="exec-1", node_type="execution")
    credentials = base64.b64encode(b"admin:admin").decode()
    client = Client(headers={"Authorization": f"Basic {credentials}"})
    client.get(f"/api/v2/instances/{node.pk}/")
    statements: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append(str(sql))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        assert client.get(f"/api/v2/instances/{node.pk}/").status_code == 200
    assert len(statements) == 2  # who asks, and what is asked for
    assert "loginfailures" not in "".join(statements)


def test_the_log_tells_once_what_was_locked(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "instances.audit")
    guess("root", PAIR)
    for _ in range(3):
        basic("root", "wrong")
    lines = [r.getMessage() for r in caplog.records if r.name == "instances.audit"]
    assert len(lines) == PAIR + 1
    assert [line for line in lines if "locked" in line] == [f'login locked user="root" address="{HERE}" from="{HERE}"']


@given(st.text(), st.one_of(st.text(), st.ip_addresses().map(str)))
@hypothesis_settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_name_and_no_address_is_too_odd(username: str, address: str) -> None:
    attempt = guessing.Attempt(username, address)
    LoginFailures.objects.all().delete()
    attempt.begin()
    attempt.fail()
    attempt.succeed()


@pytest.mark.django_db(transaction=True)
def test_no_failure_is_lost_or_waits_for_ever_among_many() -> None:
    """Each counts for a name and for an address that others count for too, in other orders."""
    names, places = ("a", "b", "c", "d"), ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")

    def fail(number: int) -> None:
        try:
            for turn in range(10):
                guessing.Attempt(names[(number + turn) % 4], places[(number - turn) % 4]).fail()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as crowd:
        list(crowd.map(fail, range(8)))
    for chosen in (LoginFailures.objects.filter(name=""), LoginFailures.objects.filter(address="")):
        assert sum(chosen.values_list("failures", flat=True)) == 80
    LoginFailures.objects.all().delete()


# --- how many passwords are hashed at once


@pytest.fixture
def full(settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """As many passwords are hashed, and waited for, as may be; those that are hashed nevertheless."""
    settings.PASSWORD_HASHERS = base.PASSWORD_HASHERS
    slots = hashing.Slots(1)
    monkeypatch.setattr(hashing, "slots", slots)
    done = counting(monkeypatch, hashers.PBKDF2PasswordHasher)
    slots.working = slots.waiting = 1
    return done


@pytest.mark.parametrize("name", ["admin", "nobody"])
def test_beyond_the_bound_nothing_is_hashed(door: str, name: str, admin: User, full: list[str]) -> None:
    refused = DOORS[door](name, "admin")
    assert (refused.status_code, refused["Retry-After"]) == (503, "1")
    assert json.loads(refused.content) == {"detail": "Too many passwords are being checked at this moment. Try again."}
    page = DOORS[door](name, "admin", HTTP_ACCEPT=PAGES)
    assert (page.status_code, page["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert full == []
    assert not LoginFailures.objects.exists()


def test_who_was_verified_lately_waits_for_nobody(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    assert basic("admin", "admin").status_code == 200
    monkeypatch.setattr(hashing, "slots", hashing.Slots(0))
    assert basic("admin", "admin").status_code == 200
    assert basic("admin", "wrong").status_code == 503


# --- what the server refuses before a thread is taken


def sent(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def is_guess(authorization: str, **environ: str) -> bool:
    return guesses.is_one({"REMOTE_ADDR": HERE, "HTTP_AUTHORIZATION": authorization, **environ}, Proxies(["127.0.0.1"]))


def test_a_crowd_is_answered_without_the_database(admin: User) -> None:
    guess("admin", PAIR)
    like_django = basic("admin", "wrong")
    with CaptureQueriesContext(connection) as captured, pytest.raises(guessing.LockedError) as locked:
        is_guess(sent("admin", "wrong"))
    status, headers, body = guesses.lockout_response(locked.value)
    assert (status, dict(headers)["Cache-Control"]) == (429, "no-store")
    assert abs(int(dict(headers)["Retry-After"]) - int(like_django["Retry-After"])) <= 1
    assert json.loads(body)["detail"].startswith("Too many ")
    assert dict(headers)["Content-Length"] == str(len(body))
    assert len(captured) == 0


def test_all_else_is_for_django(admin: User) -> None:
    assert basic("admin", "admin").status_code == 200
    guess("alice", PAIR)
    basic("alice", "wrong")
    for authorization in [
        "",
        "Bearer x",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic a b",
        sent("admin", "admin"),
        "Digest x",
    ]:
        assert not is_guess(authorization)
    assert is_guess(sent("admin", "admin"), REMOTE_ADDR="192.0.2.1")
    with pytest.raises(guessing.LockedError):
        is_guess(sent("alice", "x"), REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR=HERE)


@pytest.mark.slow
def test_over_the_wire(dataset_template: str) -> None:
    with new_database(dataset_template) as url, served(url, LOGIN_FAILURE_LIMIT="2") as address:
        told = [requests.get(f"{address}/api/v2/me/", auth=("wire", "wrong"), timeout=30) for _ in range(4)]
        assert [answer.status_code for answer in told] == [401, 401, 429, 429]
        assert all(int(answer.headers["Retry-After"]) > 800 for answer in told[2:])
        assert told[2].json()["detail"].startswith("Too many wrong passwords. Try again in ")
        assert requests.get(f"{address}/api/v2/me/", auth=("admin", "admin"), timeout=30).status_code == 200


def test_nor_where_a_password_is_set(admin: User, alice: User, full: list[str]) -> None:
    form = {"password1": "a-long-Passw0rd", "password2": "a-long-Passw0rd", "usable_password": "true"}
    refused = browser_of(admin).post(f"{USERS}{alice.pk}/password/", {**form, "set-password": "Change password"})
    assert refused.status_code == 503
    assert full == []


def test_who_is_locked_is_told_so_however_busy_it_is(door: str, admin: User, full: list[str]) -> None:
    attempt = guessing.Attempt("admin", HERE)
    for _ in range(PAIR):
        attempt.fail()
    assert DOORS[door]("admin", "admin").status_code == 429


@pytest.mark.parametrize("path", base.PASSWORD_HASHERS)
def test_every_hasher_of_the_service_is_bounded(path: str, settings: Any, full: list[str]) -> None:
    settings.PASSWORD_HASHERS = [path]
    with pytest.raises(hashing.HashingBusyError):
        hashers.make_password("x")


def test_who_hashes_gives_way_to_others() -> None:
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    assert hashing.threads.submit(os.getpriority, os.PRIO_PROCESS, 0).result() == min(mine + hashing.NICE, 19)
    assert os.getpriority(os.PRIO_PROCESS, 0) == mine


def test_so_many_wait_and_none_beyond() -> None:
    slots, break_reference_cycles, began = hashing.Slots(2), threading.Event(), threading.Barrier(3)
    done: list[int] = []

    def work(number: int) -> None:
        with slots.slot(), slots.slot():  # as where verifying hashes within an attempt
            if number < 2:
                began.wait(10)
                break_reference_cycles.wait(10)
            done.append(number)

    working = [threading.Thread(target=work, args=[number]) for number in range(2)]
    for thread in working:
        thread.start()
    began.wait(10)
    waiting = [threading.Thread(target=work, args=[number]) for number in (2, 3)]
    for thread in waiting:
        thread.start()
    while slots.waiting < 2:
        time.sleep(0.01)
    with pytest.raises(hashing.HashingBusyError), slots.slot():
        pass
    assert done == []
    break_reference_cycles.set()
    for thread in (*working, *waiting):
        thread.join(10)
    assert sorted(done) == [0, 1, 2, 3]
    with slots.slot():
        pass


def test_who_waits_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "LONGEST_WAIT", 0.01)
    slots = hashing.Slots(1)
    slots.acquire()
    for _ in range(2):  # and gives its place back
        with pytest.raises(hashing.HashingBusyError), slots.slot():
            pass
    slots.release()
    with slots.slot():
        pass
