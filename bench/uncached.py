"""Requests that the cache of answers cannot help: rows change in between, no request comes twice, or there is none."""

import statistics
import time

import requests
from django.db.models.functions import Now

from bench import load, processes
from bench.sites import DETAIL, LIST, Service, Sites
from instances.models import Instance
from tests.service import connected_to


def seconds_after_change(service: Service) -> float:
    """The median of the seconds that a record takes which was changed before each request."""
    seconds = []
    with requests.Session() as session, connected_to(service.database.url):
        for _ in range(200):
            Instance.objects.filter(pk=int(DETAIL.split("/")[-2])).update(last_seen=Now())
            began = time.perf_counter()
            session.get(service.address + DETAIL, headers=service.database.bearer, timeout=60).raise_for_status()
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[20:])


def milliseconds_of_changed_page(service: Service, worker: int) -> float:
    """The processor time of ``worker`` for a page of which all rows were changed before each request."""
    number = 100
    with connected_to(service.database.url):
        for warm in (10, number):
            began = processes.processor_seconds(worker)
            for _ in range(warm):
                Instance.objects.update(last_seen=Now())
                service.get(LIST)
    return (processes.processor_seconds(worker) - began) / number * 1000


def flooded(sites: Sites, service: Service) -> float:
    """Answers in a second to requests that all differ."""
    return load.ask(service.address, sites.size.round_seconds, service.database.bearer, DETAIL, script=load.FLOOD)[1]
