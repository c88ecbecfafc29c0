"""The examples of nginx and HAProxy: what goes through them, and that each line of them is needed."""

import contextlib
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import psutil
import pytest
from pytest_django import DjangoDbBlocker

from tests.deploy.programs import needs
from tests.deploy.proxies import CLIENT, EXAMPLES, NAME, Proxy, Server, lines_of, server, started
from tests.service import new_database
from tests.test_probes_http import main_process
from tests.test_serve_processes import free_port
from tests.test_worker import until

pytestmark = pytest.mark.slow

INSTANCE = "/api/v2/instances/1/"
HUNDRED = "&".join(f"not__hostname={n:03}-{'x' * 600}.example.org" for n in range(100))
LONG = "/api/v2/instances/?" + HUNDRED
BODY = b'{"enabled": true}'
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def servers(dataset_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[list[Server]]:
    with (
        django_db_blocker.unblock(),
        new_database(dataset_template) as url,
        server(url) as one,
        server(url) as two,
    ):
        yield [one, two]


# --- what has to hold behind a proxy


def reads_and_changes(proxy: Proxy) -> None:
    with proxy.client() as client:
        record = client.get(INSTANCE)
        assert record.status_code == 200
        assert record.json()["id"] == 1
        changed = client.patch(INSTANCE, json={"enabled": False})
        assert changed.status_code == 200
        assert changed.json()["enabled"] is False
        assert client.patch(INSTANCE, json={"enabled": True}).json()["enabled"] is True


def finds_long_addresses(proxy: Proxy) -> None:
    """Of a hundred conditions, almost as long as the service takes."""
    assert 60_000 < len(LONG) < 65_534
    response = proxy.request("GET", LONG)
    assert response.status_code == 200
    assert response.json()["count"] > 0


def redirects_to_https(proxy: Proxy) -> None:
    """Before a server is asked, and with method and body."""
    before = len(proxy.logged())
    for path in (INSTANCE, LONG):
        with proxy.client("http") as client:
            response = client.patch(path, content=BODY)
        assert (response.status_code, response.headers.get("Location")) == (308, f"https://{NAME}{path}")
    assert len(proxy.logged()) == before


def says_that_https_is_spoken(proxy: Proxy) -> None:
    """Otherwise the service would redirect each request for ever."""
    response = proxy.request("GET", INSTANCE)
    assert response.status_code == 200
    assert "Strict-Transport-Security" in response.headers


def passes_the_address_of_the_client_on(proxy: Proxy) -> None:
    """Not the one that a client claims, although its network is one of TRUSTED_PROXIES."""
    path = f"/api/v2/instances/{time.monotonic_ns()}/"
    proxy.request("GET", path)
    proxy.request("GET", path, headers={"X-Forwarded-For": "192.0.2.66"})
    until(lambda: len(clients_of(proxy, path)) == 2, 5)
    assert clients_of(proxy, path) == [CLIENT, CLIENT]


def clients_of(proxy: Proxy, path: str) -> list[str]:
    return [record["client"] for record in proxy.logged() if record["path"] == path]


def passes_the_name_on(proxy: Proxy) -> None:
    """By which the service knows itself, and no other."""
    assert proxy.request("GET", INSTANCE).status_code == 200
    with proxy.client() as client:
        assert client.get(INSTANCE, headers={"Host": "other.example.org"}).status_code == 400


def lets_the_service_refuse_large_bodies(proxy: Proxy) -> None:
    assert proxy.request("PATCH", INSTANCE, content=b" " * 4_900_000 + BODY, headers=JSON).status_code == 200
    refused = proxy.request("PATCH", INSTANCE, content=b" " * 5_000_001, headers=JSON)
    assert (refused.status_code, refused.headers.get("Content-Type")) == (413, "application/json")


def keeps_what_is_compressed(proxy: Proxy) -> None:
    response = proxy.request("GET", "/api/v2/instances/?page_size=200", headers={"Accept-Encoding": "gzip"})
    assert response.headers.get("Content-Encoding") == "gzip"
    assert response.json()["count"] > 0


def connections_to(proxy: Proxy) -> int:
    """From the proxy to the servers."""
    ports = [int(server.address.rpartition(":")[2]) for server in proxy.servers]
    established = [each for each in psutil.net_connections("tcp4") if each.status == psutil.CONN_ESTABLISHED]
    return sum(each.raddr.port in ports for each in established)


def uses_connections_again(proxy: Proxy) -> None:
    """And closes them before a server does that stops."""
    until(lambda: proxy.request("GET", INSTANCE).is_success and connections_to(proxy) > 0, 5)
    until(lambda: connections_to(proxy) == 0, 5)


def spreads_requests(proxy: Proxy) -> None:
    before = [len(server.requests()) for server in proxy.servers]
    for _ in range(6):
        assert proxy.request("GET", INSTANCE).status_code == 200
    until(lambda: all(len(server.requests()) > count for server, count in zip(proxy.servers, before, strict=True)), 5)


def logs_requests(proxy: Proxy) -> None:
    proxy.request("GET", INSTANCE)
    until(
        lambda: any(
            f"GET https://{NAME}{INSTANCE}" in line or f'"GET {INSTANCE}' in line for line in lines_of(proxy.log)
        ),
        5,
    )


BY_BOTH = [
    reads_and_changes,
    finds_long_addresses,
    redirects_to_https,
    says_that_https_is_spoken,
    passes_the_address_of_the_client_on,
    passes_the_name_on,
    lets_the_service_refuse_large_bodies,
    keeps_what_is_compressed,
    spreads_requests,
]
CHECKS = {"nginx": [*BY_BOTH, uses_connections_again], "haproxy": [*BY_BOTH, logs_requests]}
BOTH = [pytest.param(name, marks=needs(name)) for name in EXAMPLES]


@pytest.mark.parametrize("name", BOTH)
def test_everything_goes_through(name: str, servers: list[Server]) -> None:
    with started(name, servers) as proxy:
        for check in CHECKS[name]:
            check(proxy)


# --- that each line is needed

# The lines of the examples, and what fails without each; or why nothing does that a test sees.
ADDRESSES, TIMES, IN_DRAIN = "the tests give others", "longer than a test takes", "see the tests of servers that stop"
NEEDED: dict[str, list[tuple[str, Callable[[Proxy], None] | str]]] = {
    "nginx": [
        ("server 192.0.2.1:8000;", spreads_requests),
        ("server 192.0.2.2:8000;", spreads_requests),
        ("keepalive 32;", uses_connections_again),
        ("keepalive_timeout 1s;", uses_connections_again),
        ("large_client_header_buffers 4 72k;", finds_long_addresses),
        ("listen 80;", redirects_to_https),
        ("server_name awx.example.org;", redirects_to_https),
        ("return 308 https://$server_name$request_uri;", redirects_to_https),
        ("listen 443 ssl;", reads_and_changes),
        ("server_name awx.example.org;", "there may be further sites on the machine"),
        ("ssl_certificate /etc/ssl/certs/awx.example.org.pem;", reads_and_changes),
        ("ssl_certificate_key /etc/ssl/private/awx.example.org.key;", reads_and_changes),
        ("client_max_body_size 5m;", lets_the_service_refuse_large_bodies),
        ("proxy_pass http://awx-instances;", reads_and_changes),
        ("proxy_http_version 1.1;", uses_connections_again),
        ('proxy_set_header Connection "";', uses_connections_again),
        ("proxy_set_header Host $http_host;", passes_the_name_on),
        ("proxy_set_header X-Forwarded-For $remote_addr;", passes_the_address_of_the_client_on),
        ("proxy_set_header X-Forwarded-Proto $scheme;", says_that_https_is_spoken),
        ("proxy_connect_timeout 2s;", TIMES),
    ],
    "haproxy": [
        ("presetenv HTTP :80", ADDRESSES),
        ("presetenv HTTPS :443", ADDRESSES),
        ("presetenv CERTIFICATE /etc/haproxy/awx.example.org.pem", ADDRESSES),
        ("presetenv SERVER_ONE 192.0.2.1:8000", ADDRESSES),
        ("presetenv SERVER_TWO 192.0.2.2:8000", ADDRESSES),
        ("log stdout format raw local0", logs_requests),
        ("tune.bufsize 81920", finds_long_addresses),
        ("mode http", reads_and_changes),
        ("log global", logs_requests),
        ("option httplog", logs_requests),
        ("option redispatch 1", IN_DRAIN),
        ("timeout connect 2s", TIMES),
        ("timeout client 60s", TIMES),
        ("timeout server 60s", TIMES),
        ("timeout http-request 30s", TIMES),
        ('bind "${HTTP}"', redirects_to_https),
        ('bind "${HTTPS}" ssl crt "${CERTIFICATE}"', reads_and_changes),
        ("http-request redirect scheme https code 308 unless { ssl_fc }", redirects_to_https),
        ("http-request set-header X-Forwarded-Proto https", says_that_https_is_spoken),
        ("http-request set-header X-Forwarded-For %[src]", passes_the_address_of_the_client_on),
        ("default_backend servers", reads_and_changes),
        ("option httpchk GET /readyz", IN_DRAIN),
        ("default-server check inter 1s fall 2", IN_DRAIN),
        ('server one "${SERVER_ONE}"', spreads_requests),
        ('server two "${SERVER_TWO}"', spreads_requests),
    ],
}
SECTIONS = re.compile(r"(upstream|server|location) .*\{$|server \{$|\}$|(global|defaults|frontend|backend)\b")


def directives(name: str) -> list[tuple[int, str]]:
    """The directives of an example, each with the number of its line."""
    lines = [line.partition("#")[0].strip() for line in EXAMPLES[name].read_text().splitlines()]
    return [(number, line) for number, line in enumerate(lines) if line and not SECTIONS.match(line)]


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_directive_is_judged(name: str) -> None:
    assert [line for _, line in directives(name)] == [line for line, _ in NEEDED[name]]


@pytest.mark.parametrize("name", BOTH)
def test_each_directive_is_needed(name: str, servers: list[Server]) -> None:
    lines, idle = EXAMPLES[name].read_text().splitlines(), []
    for (number, directive), (_, check) in zip(directives(name), NEEDED[name], strict=True):
        if isinstance(check, str):
            continue
        try:
            with started(name, servers, "\n".join(lines[:number] + lines[number + 1 :]) + "\n") as proxy:
                check(proxy)
        except (AssertionError, httpx.HTTPError):
            continue
        idle.append(directive)
    assert idle == []


# --- servers that are away or stop


@pytest.mark.parametrize("name", BOTH)
def test_a_server_that_is_away_is_not_noticed(name: str, servers: list[Server]) -> None:
    """Not even before the proxy has found out; what could not be sent is sent to the other server."""
    nobody = replace(servers[0], address=f"127.0.0.1:{free_port()}")
    with started(name, [nobody, servers[1]]) as proxy:
        for _ in range(4):
            reads_and_changes(proxy)


class Requests(threading.Thread):
    """Repeats a request, each on a connection of its own, until the end; counts the answers by their status."""

    def __init__(self, proxy: Proxy, method: str, end: threading.Event) -> None:
        super().__init__()
        self.proxy, self.method, self.end = proxy, method, end
        self.answers: Counter[str] = Counter()

    def run(self) -> None:
        with self.proxy.client() as client:
            while not self.end.wait(0.02):
                body = {} if self.method == "GET" else {"content": BODY, "headers": JSON}
                try:
                    answer = str(client.request(self.method, INSTANCE, **body).status_code)
                except httpx.HTTPError as error:
                    answer = repr(error)
                self.answers[answer] += 1


@contextlib.contextmanager
def requested(proxy: Proxy, *methods: str) -> Iterator[Counter[str]]:
    """The answers to requests that are sent meanwhile; complete at the end."""
    end, answers = threading.Event(), Counter[str]()
    threads = [Requests(proxy, method, end) for method in methods]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        end.set()
        for thread in threads:
            thread.join()
            answers.update(thread.answers)


DRAIN_SECONDS = 8  # so long that a busy machine finds out meanwhile


@pytest.mark.parametrize(
    ("name", "methods"),
    [
        pytest.param("nginx", ["GET", "GET"], marks=needs("nginx")),
        pytest.param("haproxy", ["GET", "PATCH"], marks=needs("haproxy")),
    ],
)
def test_a_server_that_stops_loses_no_request(name: str, methods: list[str], servers: list[Server]) -> None:
    staying = servers[1]
    with (
        server(staying.url, DRAIN_SECONDS=str(DRAIN_SECONDS)) as stopping,
        started(name, [stopping, staying]) as proxy,
    ):
        process = main_process(f"http://{stopping.address}")
        with requested(proxy, *methods) as answers:
            until(lambda: stopping.requests())
            process.terminate()
            if name == "haproxy":
                until(lambda: "is DOWN" in "".join(lines_of(proxy.log)), DRAIN_SECONDS)
                left = len(stopping.requests())
                time.sleep(1)
                assert process.is_running()
                assert len(stopping.requests()) <= left + len(methods)  # those that were on their way
            process.wait(30)
            count = len(staying.requests())
            until(lambda: len(staying.requests()) > count + 20)
    assert list(answers) == ["200"], answers
    assert answers["200"] > 40


@needs("nginx")
@pytest.mark.parametrize("target", ["http://awx-instances;", "http://awx-instances/;"], ids=["passed on", "stripped"])
def test_nginx_serves_below_a_path(target: str, servers: list[Server]) -> None:
    """As docs/install.md says that the example is changed."""
    example = EXAMPLES["nginx"].read_text()
    for before, after in (("location / {", "location /awx/ {"), ("http://awx-instances;", target)):
        assert example.count(before) == 1
        example = example.replace(before, after)
    with server(servers[0].url, BASE_PATH="/awx") as below, started("nginx", [below, below], example) as proxy:
        record = proxy.request("GET", f"/awx{INSTANCE}")
        assert record.status_code == 200
        assert record.json()["url"] == f"/awx{INSTANCE}"
        assert proxy.request("GET", INSTANCE).status_code == 404
