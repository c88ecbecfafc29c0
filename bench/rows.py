"""The rows of the table: each function measures one claim, and yields a row or more."""

import base64
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import requests
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench import data, dear, load, overloaded, processes, uncached, writers
from bench.load import Ratio, rate_of, ratio
from bench.progress import tell
from bench.sites import DETAIL, LIST, Database, Service, Sites, seconds_to_start
from instances import counters
from instances.models import Instance
from tests import slow
from tests.service import connected_to

SMALL, MIDDLE, LARGE = 15, 200, 1000  # instances
MOST_QUERIES = 3
MOST_MEMORY = 130
LONGEST_START = 3
GUESSERS = 64
LONGEST_BESIDE_GUESSERS = LONGEST_BESIDE_SLOW = 0.1  # seconds
SLOW_BODIES, SLOW_HEADERS = 200, 2_000  # clients
LONGEST_GET, LARGEST_GET = 1, 50  # seconds, and MB, of whatever may be asked for
LONGEST_BESIDE = 200  # milliseconds
DEAR_JOBS = 100_000
LONGEST_CHANGED_PAGE = 12.5  # milliseconds
MOST_GROWTH = 1.03  # what the allocator may take more, in no direction
QUERIED = {
    "OPTIONS instances/": ("OPTIONS", "/api/v2/instances/"),
    "mesh_visualizer/": ("GET", "/api/v2/mesh_visualizer/"),
    "metrics/": ("GET", "/api/v2/metrics/"),
    "ping/": ("GET", "/api/v2/ping/"),
}
# What a process is asked for while its memory grows, in turns: mostly records, now and then the largest page.
ASKED = (*[DETAIL] * 20, "/api/v2/ping/", "/api/v2/instance_groups/", "/api/v2/metrics/", LIST)


@dataclass(frozen=True)
class Row:
    measure: str
    value: str
    target: str
    reached: bool


def at_least(measure: str, found: Ratio, bound: float) -> Row:
    return Row(measure, str(found), f"≥ {bound}", found.median >= bound)


def at_most(measure: str, found: Ratio, bound: float) -> Row:
    return Row(measure, str(found), f"≤ {bound}", found.median <= bound)


def detail(sites: Sites) -> Iterator[Row]:
    yield from against_the_floor(sites, "GET instances/{id}/", DETAIL, unchanged=1.0, beating=0.9, at_work=0.9)


def page(sites: Sites) -> Iterator[Row]:
    yield from against_the_floor(sites, "GET instances/?page_size=200", LIST, unchanged=1.5, beating=1.0, at_work=0.3)


def against_the_floor(
    sites: Sites, name: str, path: str, unchanged: float, beating: float, at_work: float
) -> Iterator[Row]:
    """First while nothing changes, then while the mesh is at work: what is in memory is out of date now and then."""
    service, floor = (kind(MIDDLE, sites.size.few_jobs) for kind in (sites.service, sites.floor))
    yield at_least(f"{name}, unchanged, requests/s against the floor", compared(sites, service, floor, path), unchanged)
    works = {"three heartbeats a second": (False, beating), "and ten changes of jobs a second": (True, at_work)}
    for words, (with_jobs, bound) in works.items():
        with writers.mesh_at_work(service.database.url, with_jobs):
            found = compared(sites, service, floor, path)
        yield at_least(f"{name}, {words}, requests/s against the floor", found, bound)


def compared(sites: Sites, above: Service, below: Service, path: str) -> Ratio:
    return ratio(bearer_rate(sites, above, path), bearer_rate(sites, below, path), sites.size.rounds)


def bearer_rate(sites: Sites, service: Service, path: str) -> Callable[[], float]:
    return rate_of(service.address + path, service.database.bearer, sites.size)


def jobs(sites: Sites) -> Iterator[Row]:
    few, many = (sites.service(MIDDLE, number) for number in (sites.size.few_jobs, sites.size.many_jobs))
    for name, path in (("instances/{id}/", DETAIL), ("instances/?page_size=200", LIST)):
        found = compared(sites, few, many, path)
        measure = f"GET {name}, time with {sites.size.many_jobs:,} jobs against {sites.size.few_jobs:,}"
        yield at_most(measure, found, 1.15)


def servers(sites: Sites) -> Iterator[Row]:
    service = sites.service(MIDDLE, sites.size.few_jobs)
    gunicorn = sites.gunicorn(service.database)
    for name, path in (("instances/{id}/", DETAIL), ("instances/?page_size=200", LIST)):
        yield at_least(f"GET {name}, requests/s against gunicorn", compared(sites, service, gunicorn, path), 0.9)


def queries(sites: Sites) -> Iterator[Row]:
    service = sites.service(LARGE, sites.size.few_jobs)
    for name, (method, path) in QUERIED.items():
        number = count_queries(service.database, method, path)
        milliseconds = time_of(service, method, path) * 1000
        measure = f"{name} with {LARGE:,} nodes, queries (and time of one alone)"
        yield Row(measure, f"{number} ({milliseconds:.1f} ms)", f"≤ {MOST_QUERIES}", number <= MOST_QUERIES)


def count_queries(database: Database, method: str, path: str) -> int:
    """The queries of one answer, with those that find out who is asking."""
    with connected_to(database.url):
        client = Client(headers={**database.bearer, "Host": "127.0.0.1"})
        client.generic(method, path)  # what a process asks for but once is no cost of an answer
        with CaptureQueriesContext(connection) as captured:
            answer = client.generic(method, path)
    if answer.status_code != 200:
        raise load.LoadError(f"{method} {path} answered {answer.status_code}")
    return len(captured)


def time_of(service: Service, method: str, path: str) -> float:
    """Seconds from asking to the whole answer, with nobody else asking: the median of 20."""
    seconds = []
    with requests.Session() as session:
        for _ in range(25):
            began = time.perf_counter()
            answer = session.request(method, service.address + path, headers=service.database.bearer, timeout=60)
            seconds.append(time.perf_counter() - began)
            answer.raise_for_status()
    return statistics.median(seconds[5:])


def basic(sites: Sites) -> Iterator[Row]:
    """Without the cache of answers, which has none for passwords."""
    database = sites.database(MIDDLE, sites.size.few_jobs)
    credentials = base64.b64encode(f"{data.USERNAME}:{data.PASSWORD}".encode()).decode()
    with sites.serving(database, changes={"ANSWER_CACHE_SIZE": "0"}) as address:
        by_password = rate_of(address + DETAIL, {"Authorization": f"Basic {credentials}"}, sites.size)
        found = ratio(bearer_rate(sites, Service(address, database), DETAIL), by_password, sites.size.rounds)
    yield at_most("the same basic credentials again, time against a bearer token", found, 1.5)


def guessing(sites: Sites) -> Iterator[Row]:
    """First where nobody is ever locked, so that passwords are hashed all the time, then where they are."""
    database = sites.new_database(MIDDLE, sites.size.few_jobs)
    never = {f"LOGIN_FAILURE_LIMIT{which}": "1000000000" for which in ("", "_BY_NAME", "_BY_ADDRESS")}
    soon = {f"LOGIN_FAILURE_LIMIT{which}": "1" for which in ("", "_BY_NAME", "_BY_ADDRESS")}
    for what, limits in (("that are tried", never), ("that are refused", soon)):
        with sites.serving(database, changes=limits) as address:
            url, seconds = address + DETAIL, sites.size.round_seconds * 3
            load.ask(url, sites.size.warm_up_seconds, database.bearer)
            alone = load.p99(url, seconds, database.bearer)
            with load.guessed_at(url, GUESSERS):
                time.sleep(sites.size.warm_up_seconds)
                found = load.p99(url, seconds, database.bearer)
        bound = max(LONGEST_BESIDE_GUESSERS, 5 * alone)
        measure = f"GET instances/{{id}}/ beside {GUESSERS} clients with wrong passwords {what}, p99 (and alone)"
        value = f"{found * 1000:.1f} ms ({alone * 1000:.1f} ms)"
        yield Row(measure, value, f"≤ {bound * 1000:.0f} ms", found <= bound)


def slow_clients(sites: Sites) -> Iterator[Row]:
    """Clients that have begun to send, and send a byte a second."""
    service = sites.service(MIDDLE, sites.size.few_jobs)
    url, seconds, bearer = service.address + DETAIL, sites.size.round_seconds * 3, service.database.bearer
    bodies = [slow.body_of(form) for form in (*slow.FORMS, slow.PATCH)] * (SLOW_BODIES // 4)
    alone = load.p99(url, seconds, bearer)
    with slow.held(service.address, [*bodies, *[slow.HEADERS] * SLOW_HEADERS]):
        found = load.p99(url, seconds, bearer)
    bound = max(LONGEST_BESIDE_SLOW, 3 * alone)
    measure = (
        f"GET instances/{{id}}/ beside {SLOW_BODIES} slow bodies and {SLOW_HEADERS:,} slow headers, p99 (and alone)"
    )
    yield Row(measure, f"{found * 1000:.1f} ms ({alone * 1000:.1f} ms)", f"≤ {bound * 1000:.0f} ms", found <= bound)


def overload(sites: Sites) -> Iterator[Row]:
    database = sites.database(MIDDLE, sites.size.few_jobs)
    for words, changes in {"unchanged": {}, "without the cache of answers": {"ANSWER_CACHE_SIZE": "0"}}.items():
        found = overloaded.at_twice_the_capacity(sites, database, changes)
        measure = f"GET instances/?page_size=200, {words}, at twice the capacity, 2xx against it by processor time"
        yield at_least(measure, found, 0.9)


def unchanged(sites: Sites) -> Iterator[Row]:
    service = sites.service(MIDDLE, sites.size.few_jobs)
    known = {**service.database.bearer, "If-None-Match": service.get(DETAIL).headers["ETag"]}
    url = service.address + DETAIL
    before = requests.get(url, headers=known, timeout=60).status_code
    found = ratio(bearer_rate(sites, service, DETAIL), rate_of(url, known, sites.size), sites.size.rounds)
    after = requests.get(url, headers=known, timeout=60).status_code
    statuses = " and ".join(map(str, sorted({before, after})))
    yield Row("an unchanged record with If-None-Match, status", statuses, "304", statuses == "304")
    yield at_most("an unchanged record with If-None-Match, time against the whole", found, 1.0)


def changed(sites: Sites) -> Iterator[Row]:
    """Requests that the cache of answers cannot help: of rows that change in between, and none of which comes twice."""
    service, floor = (kind(MIDDLE, sites.size.few_jobs) for kind in (sites.service, sites.floor))
    found = ratio(
        lambda: uncached.seconds_after_change(floor), lambda: uncached.seconds_after_change(service), sites.size.rounds
    )
    yield at_least("GET instances/{id}/, changed before each request, requests/s against the floor", found, 0.33)
    with sites.serving(service.database, workers=1) as address:
        (worker,) = processes.workers_of(address)
        cost = uncached.milliseconds_of_changed_page(Service(address, service.database), worker)
    measure = "GET instances/?page_size=200, all rows changed before each request, processor time"
    yield Row(measure, f"{cost:.1f} ms", f"≤ {LONGEST_CHANGED_PAGE} ms", cost <= LONGEST_CHANGED_PAGE)
    with sites.serving(service.database, changes={"ANSWER_CACHE_SIZE": "0"}) as address:
        plain = Service(address, service.database)
        found = ratio(
            lambda: uncached.flooded(sites, plain), lambda: uncached.flooded(sites, service), sites.size.rounds
        )
    yield at_most("GET instances/{id}/, no request twice, time with the cache of answers against without", found, 1.05)


def logging(sites: Sites) -> Iterator[Row]:
    """Of a record that is answered from memory, which costs least: so the log and the metrics cost most of it."""
    service = sites.service(MIDDLE, sites.size.few_jobs)
    for setting, what, bound in (("ACCESS_LOG", "the access log", 0.75), ("PROCESS_METRICS", "metrics", 0.9)):
        with sites.serving(service.database, changes={setting: "false"}) as address:
            found = compared(sites, service, Service(address, service.database), DETAIL)
        yield at_least(f"GET instances/{{id}}/, unchanged, requests/s with {what} against without", found, bound)


def loading(sites: Sites) -> Iterator[Row]:
    database = sites.database(SMALL, 0)
    with connected_to(database.url):
        found = ratio(lambda: loaded(sites, "ENABLE"), lambda: loaded(sites, "DISABLE"), sites.size.loads)
    measure = f"loading {sites.size.many_jobs:,} jobs, time with the counters against without"
    yield at_most(measure, found, 1.5)


def loaded(sites: Sites, state: str) -> float:
    """Seconds that it takes to load many jobs into an empty table, with the counters at ENABLE or DISABLE."""
    with connection.cursor() as cursor:
        set_counters(state)
        cursor.execute("TRUNCATE instances_unifiedjob")
    began = time.perf_counter()
    data.load_jobs(sites.size.many_jobs)
    return time.perf_counter() - began


def set_counters(state: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE instances_unifiedjob {state} TRIGGER USER")


def writing(sites: Sites) -> Iterator[Row]:
    counted, plain = (sites.new_database(SMALL, sites.size.writers_jobs) for _ in range(2))
    with connected_to(plain.url):
        set_counters("DISABLE")
    crowd, reference = writers.Crowd(counted.url), writers.Crowd(plain.url)
    rounds = max(1, sites.size.seconds // sites.size.round_seconds)  # many short ones: single ones differ by a quarter
    seconds = sites.size.seconds / rounds
    found = ratio(lambda: crowd.write(seconds), lambda: reference.write(seconds), rounds)
    tell(
        f"    {crowd.write(sites.size.seconds):,.0f} changes/s with the counters, {sites.size.seconds} s without a rest"
    )
    deadlocks = crowd.total.deadlocks
    with connected_to(counted.url):
        drift = sum(len(counters.find_drift(each)) for each in counters.ALL)
    during = f"{writers.WRITERS} writers for {sites.size.seconds} s"
    yield Row(f"{during}, twice, deadlocks in {crowd.total.changes:,} changes", str(deadlocks), "0", deadlocks == 0)
    yield Row(f"{during}, twice, nodes, groups and kinds of job with wrong counters", str(drift), "0", drift == 0)
    yield at_least(f"{during} in {rounds} rounds, changes/s with the counters against without", found, 0.6)


def memory(sites: Sites) -> Iterator[Row]:
    """Its records change all the time, as heartbeats change them, so that what a process keeps of them fills up."""
    total, database = sites.size.requests, sites.new_database(MIDDLE, sites.size.few_jobs)
    with sites.serving(database, workers=1) as address:
        service = Service(address, database)
        (worker,) = processes.workers_of(address)
        half = memory_after(service, worker, total // 2)
        full = memory_after(service, worker, total - total // 2)
    yield Row(
        f"memory of a process after {total:,} requests", f"{full:.0f} MB", f"≤ {MOST_MEMORY} MB", full <= MOST_MEMORY
    )
    growth = full / half
    yield Row(
        f"its growth over the last {total - total // 2:,}", f"{growth:.3f}", f"≤ {MOST_GROWTH}", growth <= MOST_GROWTH
    )


def memory_after(service: Service, worker: int, number: int) -> float:
    """Ask at least ``number`` times; the memory of ``worker`` then, in MB."""
    while number > 0:
        tell(f"    {processes.resident(worker):.1f} MB, {number:,} requests to go")
        with connected_to(service.database.url):
            Instance.objects.update(last_seen=Now())
        number -= load.ask(service.address, 1 if number < 5000 else 5, service.database.bearer, *ASKED)[0]
    return processes.resident(worker)


def dearest(sites: Sites) -> Iterator[Row]:
    """What a single account can ask for at most, and what that leaves to the others."""
    jobs = min(DEAR_JOBS, sites.size.many_jobs)
    database = sites.database(LARGE, jobs)
    costs = {}
    with sites.serving(database, workers=1) as address:
        (worker,) = processes.workers_of(address)
        for path in dear.GETS:
            costs[path] = dear.cost(Service(address, database), worker, path, sites.size.rounds)
            tell(f"    {costs[path][0]:.2f} s, {costs[path][1]:.0f} MB: {path[:100]}")
    seconds, megabytes = (max(column) for column in zip(*costs.values(), strict=True))
    among = f"of the dearest {len(costs)} GETs with {LARGE:,} nodes and {jobs:,} jobs"
    yield Row(f"the longest {among}", f"{seconds:.2f} s", f"≤ {LONGEST_GET} s", seconds <= LONGEST_GET)
    yield Row(f"the largest {among}", f"{megabytes:.0f} MB", f"≤ {LARGEST_GET} MB", megabytes <= LARGEST_GET)
    beside = dear.seconds_beside(sites.service(LARGE, jobs), 4 * sites.size.round_seconds) * 1000
    measure = f"GET instances/{{id}}/ beside {dear.CLIENTS} clients of these, 95 of 100 requests below"
    yield Row(measure, f"{beside:.0f} ms", f"≤ {LONGEST_BESIDE} ms", beside <= LONGEST_BESIDE)


def start(sites: Sites) -> Iterator[Row]:
    database = sites.database(SMALL, sites.size.few_jobs)
    seconds = statistics.median(seconds_to_start(sites, database) for _ in range(sites.size.starts))
    yield Row(
        "manage.py serve, from its start to the first answer",
        f"{seconds:.2f} s",
        f"≤ {LONGEST_START} s",
        seconds <= LONGEST_START,
    )


ROWS: dict[str, Callable[[Sites], Iterator[Row]]] = {
    "detail": detail,
    "list": page,
    "jobs": jobs,
    "servers": servers,
    "queries": queries,
    "basic": basic,
    "guessing": guessing,
    "slow": slow_clients,
    "overload": overload,
    "unchanged": unchanged,
    "changed": changed,
    "logging": logging,
    "loading": loading,
    "writing": writing,
    "memory": memory,
    "dearest": dearest,
    "start": start,
}
