"""What proxies tell of their clients: believed from those that the settings name, and from nobody else."""

import base64
import contextlib
import http.client
import logging
import sys
import tempfile
from typing import Any

import pytest
from django.test import Client
from hypothesis import example, given
from hypothesis import strategies as st

from awx_compat.forwarded import Proxies, address_in
from tests.service import logging_into
from tests.test_settings import start

SERVE = [sys.executable, "manage.py", "serve", "--workers", "1"]
WRONG = "Basic " + base64.b64encode(b"mallory:wrong").decode()
PROXIES = ["10.0.0.0/8", "2001:db8::/32", "unix"]
TRUSTED = ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::7", "", "unix:", "unix:/run/awx.sock"]
UNTRUSTED = ["192.0.2.1", "127.0.0.1", "::ffff:192.0.2.1", "2001:db9::7", "::1", "11.0.0.1", "not an address"]


@pytest.fixture
def origin(caplog: pytest.LogCaptureFixture, settings: Any, db: None) -> Any:
    """A function that asks from a peer and returns the address that the log of logins tells."""
    caplog.set_level(logging.INFO, "instances.audit")
    settings.TRUSTED_PROXIES = PROXIES

    def told(peer: str, forwarded_for: str) -> str:
        caplog.clear()
        headers = {"HTTP_AUTHORIZATION": WRONG, "HTTP_X_FORWARDED_FOR": forwarded_for}
        Client(REMOTE_ADDR=peer).get("/api/v2/me/", **headers)
        (line,) = [record.getMessage() for record in caplog.records if record.name == "instances.audit"]
        return line.rpartition("from=")[2].strip('"')

    return told


@pytest.mark.parametrize("peer", TRUSTED)
def test_the_log_tells_the_client_of_a_trusted_proxy(peer: str, origin: Any) -> None:
    assert origin(peer, "203.0.113.9") == "203.0.113.9"


@pytest.mark.parametrize("peer", UNTRUSTED)
def test_nobody_else_tells_for_whom_they_ask(peer: str, origin: Any) -> None:
    assert origin(peer, "203.0.113.9") == peer


@pytest.mark.parametrize(
    ("forwarded_for", "client"),
    [
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),  # the client may have sent what is left of it
        ("203.0.113.9, 10.9.9.9, 2001:db8::1", "203.0.113.9"),
        ("203.0.113.9,10.9.9.9:5000,[2001:db8::1]:443", "203.0.113.9"),
        ("10.0.0.5, 10.0.0.6", "10.0.0.5"),  # a client within
        ("2001:DB9:0::1", "2001:db9::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:1234", "203.0.113.9"),
        ('"[2001:db9::1]:1234"', "2001:db9::1"),
        ("203.0.113.9, unknown, 10.0.0.6", "10.0.0.6"),
        ("203.0.113.9, 300.1.1.1", "10.1.2.3"),
        ("", "10.1.2.3"),
        (" , ", "10.1.2.3"),
        ("203.0.113.9,", "10.1.2.3"),
        ('x" by="root', "10.1.2.3"),
    ],
)
def test_the_client_is_the_last_that_no_trusted_proxy_is(forwarded_for: str, client: str, origin: Any) -> None:
    assert origin("10.1.2.3", forwarded_for) == client


addresses = st.one_of(
    st.ip_addresses(), st.ip_addresses(network="10.0.0.0/8"), st.ip_addresses(network="::ffff:0:0/96")
).map(str)


@pytest.mark.parametrize(
    ("entry", "peer", "is_trusted"),
    [
        ("::ffff:192.0.2.0/120", "192.0.2.9", True),
        ("::ffff:192.0.2.0/120", "192.0.3.9", False),
        ("::ffff:0:0/96", "192.0.2.9", True),
        ("::ffff:0.0.0.0", "0.0.0.0", True),
        ("192.0.2.0/24", "::ffff:192.0.2.9", True),
        ("::/0", "2001:db8::7", True),
    ],
)
def test_an_address_of_ipv4_may_be_written_as_ipv6_has_it(entry: str, peer: str, is_trusted: bool) -> None:
    assert Proxies([entry]).trusts_peer(peer) is is_trusted


@given(st.text(), st.lists(addresses), addresses)
@example("", ["::ffff:0:1"], "0.0.0.0")
@example("", ["::ffff:0:0"], "0.0.0.1")
def test_whatever_a_client_sends_its_address_is_what_the_proxy_saw(sent: str, ours: list[str], client: str) -> None:
    proxies = Proxies([*PROXIES, *ours])
    expected = address_in(client)
    assert expected is not None
    if not proxies.trusts(expected):
        assert proxies.forwarded("10.1.2.3", ",".join([sent, client, *ours])) == str(expected)


@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    proxies = Proxies(PROXIES)
    proxies.trusts_peer(text)
    client = proxies.forwarded("peer", text)
    assert client == "peer" or address_in(client) is not None


@pytest.mark.parametrize(("peer", "status"), [*((p, 200) for p in TRUSTED), *((p, 301) for p in UNTRUSTED)])
def test_https_is_believed_from_the_same_alone(peer: str, status: int, settings: Any, db: None) -> None:
    settings.TRUSTED_PROXIES = PROXIES
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    asked = Client(REMOTE_ADDR=peer).get("/api/v2/ping/", HTTP_X_FORWARDED_PROTO="https")
    assert asked.status_code == status


def test_by_default_those_of_this_machine_are_trusted(caplog: pytest.LogCaptureFixture, db: None) -> None:
    for peer, told in [("127.0.0.9", "203.0.113.9"), ("::1", "203.0.113.9"), ("", "203.0.113.9"), ("10.0.0.1",) * 2]:
        caplog.clear()
        Client(REMOTE_ADDR=peer).get("/api/v2/me/", HTTP_AUTHORIZATION=WRONG, HTTP_X_FORWARDED_FOR="203.0.113.9")
        assert f'from="{told}"' in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("value", ["localhost", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/8,,", "*", "10.0.0.0-10.1.0.0"])
def test_a_start_names_proxies_that_are_none(value: str) -> None:
    done = start(SECRET_KEY="x", TRUSTED_PROXIES=value)
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:] == [
        "  TRUSTED_PROXIES: Must be addresses or networks, as 192.0.2.7,10.0.0.0/8, or unix."
    ]


@pytest.mark.slow
@pytest.mark.parametrize("value", ["", "unix", "192.0.2.7, 2001:db8::/32"])
def test_a_start_takes_proxies(value: str) -> None:
    assert start(SECRET_KEY="x", TRUSTED_PROXIES=value).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(("trusted", "told"), [("127.0.0.1", "203.0.113.9"), ("192.0.2.7", "127.0.0.1")])
def test_over_the_wire(trusted: str, told: str, dataset_url: str) -> None:
    """As the server passes it on: a client sends the header, and the proxy adds its own behind it."""
    with (
        tempfile.TemporaryFile("w+") as log,
        logging_into(log, SERVE, dataset_url, TRUSTED_PROXIES=trusted) as address,
        contextlib.closing(http.client.HTTPConnection(address.removeprefix("http://"))) as server,
    ):
        server.putrequest("GET", "/api/v2/me/")
        for name, value in (
            ("Authorization", WRONG),
            ("X-Forwarded-For", "198.51.100.1"),
            ("X-Forwarded-For", "203.0.113.9"),
        ):
            server.putheader(name, value)
        server.endheaders()
        assert server.getresponse().status == 401
        log.seek(0)
        assert f'login failed user="mallory" from="{told}"' in log.read()
