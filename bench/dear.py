"""The dearest questions that the API takes, found by trying what its filters, orders and searches allow."""

import itertools
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import requests

from bench import processes
from bench.sites import DETAIL, Service

CLIENTS = 4
DIGITS = range(9)


def several(condition: str, number: int = len(DIGITS)) -> str:
    return "&".join(condition.format(n) for n in range(number))


GETS = tuple(
    f"/api/v2/{path}/?page_size=200&{query}"
    for path, query in (
        ("instance_groups", several("chain__unifiedjob__name__icontains={}")),
        ("unified_jobs", several("or__name__icontains=z{}", 100)),
        ("instances", several("chain__not__rampart_groups__instances__hostname__icontains=z{}")),
        ("instances", several("chain__peers__peers_from__hostname__icontains={}")),
        ("instances", several("chain__rampart_groups__instances__hostname__icontains={}")),
        ("instances", "not__rampart_groups__unifiedjob__name__icontains=zz"),
        ("unified_jobs", "instance_group__instances__errors__icontains="),
        ("instances", "order_by=rampart_groups__unifiedjob__name"),
        ("instances", "order_by=rampart_groups__instances__hostname,peers__peers_from__hostname"),
        ("unified_jobs", "order_by=unified_job_template__name&or__unified_job_template__name__icontains=z"),
        ("unified_jobs", several("or__name__iregex=(a|b|c)*z{}", 5)),
        ("unified_jobs", "order_by=-name&or__name__iregex=[0-7]$&" + several("or__name__iregex=(a|b|c)*z{}", 4)),
    )
)


def ask(session: requests.Session, service: Service, path: str) -> float:
    """Seconds until the answer is there. It may be that the question is too dear, or that others ask as much."""
    began = time.perf_counter()
    answer = session.get(service.address + path, headers=service.database.bearer, timeout=60)
    seconds = time.perf_counter() - began
    too_slow = b"takes too long" in answer.content
    if answer.status_code not in (200, 503) and not too_slow:
        answer.raise_for_status()
    return seconds


def cost(service: Service, worker: int, path: str, times: int) -> tuple[float, float]:
    """What ``path`` takes of the process that is asked alone: seconds, the median, and MB beyond what it held."""
    with requests.Session() as session:
        before = processes.resident(worker)
        processes.forget_peak(worker)
        ask(session, service, path)  # what a process makes but once counts as memory alone
        seconds = statistics.median(ask(session, service, path) for _ in range(times))
    return seconds, processes.peak(worker) - before


def seconds_beside(service: Service, seconds: float) -> float:
    """The time of DETAIL that 95 of 100 requests stay below, while four clients ask for nothing but what is dear."""
    ended = threading.Event()

    def client(number: int) -> None:
        with requests.Session() as session:
            for path in itertools.islice(itertools.cycle(GETS), number * 3, None):
                if ended.is_set():
                    return
                ask(session, service, path)

    with ThreadPoolExecutor(CLIENTS) as clients, requests.Session() as session:
        asking = [clients.submit(client, number) for number in range(CLIENTS)]
        until, taken = time.perf_counter() + seconds, [ask(session, service, DETAIL) for _ in range(2)]
        while time.perf_counter() < until:
            taken.append(ask(session, service, DETAIL))
        ended.set()
        for each in asking:
            each.result()
    return statistics.quantiles(taken, n=20)[-1]
