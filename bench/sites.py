"""Databases and servers of a run: made when first needed, kept for all rows, gone at its end."""

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Self

import requests
from psycopg.conninfo import conninfo_to_dict

from bench import data, floor
from bench.environment import SETTINGS
from bench.progress import tell
from bench.sizes import Size
from tests.service import connected_to, manage, new_database, served, served_by

PROCESSES = 2
THREADS = "4"  # of each, as manage.py serve has them
DETAIL = "/api/v2/instances/10/"
LIST = "/api/v2/instances/?page_size=200"


@dataclass(frozen=True)
class Database:
    url: str
    token: str  # a superuser's bearer token

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True)
class Service:
    address: str
    database: Database

    def get(self, path: str) -> requests.Response:
        """The answer to a superuser; raises requests.HTTPError where it is an error."""
        answer = requests.get(self.address + path, headers=self.database.bearer, timeout=60)
        answer.raise_for_status()
        return answer


class Sites(contextlib.ExitStack):
    """What the rows of one run measure on."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size
        # Each is made once for its arguments.
        self.database = cache(self.new_database)
        self.service = cache(self.new_service)
        self.floor = cache(self.new_floor)

    def __enter__(self) -> Self:
        tell("applying the migrations")
        url = self.enter_context(new_database())
        manage(url, "migrate", "--verbosity", "0", check=True, **SETTINGS)
        self.migrated = conninfo_to_dict(url)["dbname"]
        return self

    def new_database(self, instances: int, jobs: int) -> Database:
        """A database of its own with a mesh of so many instances and so many jobs."""
        tell(f"generating {instances} instances with {jobs:,} jobs")
        url = self.enter_context(new_database(str(self.migrated)))
        with connected_to(url):
            return Database(url, data.build(instances, jobs))

    def new_service(self, instances: int, jobs: int) -> Service:
        """The service, on such a database."""
        database = self.database(instances, jobs)
        return Service(self.enter_context(self.serving(database)), database)

    def new_floor(self, instances: int, jobs: int) -> Service:
        """The floor, which answers DETAIL and LIST as the service on such a database does."""
        service = self.service(instances, jobs)
        documents = {path: service.get(path).text for path in (DETAIL, LIST)}
        with connected_to(service.database.url):
            floor.store(documents)
        settings = "bench.floor_settings"
        found = Service(self.enter_context(self.serving(service.database, settings=settings)), service.database)
        if {path: found.get(path).text for path in documents} != documents:
            raise RuntimeError("The floor does not answer what the service does.")
        return found

    def gunicorn(self, database: Database) -> Service:
        """The service on ``database``, served by gunicorn with the processes and threads of ``manage.py serve``."""
        command = [sys.executable, "-m", "gunicorn", "settings.wsgi", "--worker-class", "gthread"]
        command += ["--workers", str(PROCESSES), "--threads", THREADS, "--keep-alive", "60"]
        changes = {**SETTINGS, "MALLOC_ARENA_MAX": "1"}
        return Service(self.enter_context(served_by(command, database.url, **changes)), database)

    @contextlib.contextmanager
    def serving(
        self,
        database: Database,
        workers: int = PROCESSES,
        settings: str = "settings.base",
        changes: Mapping[str, str] | None = None,
    ) -> Iterator[str]:
        """``manage.py serve`` on ``database``, with these ``changes`` of its settings; yields its address."""
        environment = {**SETTINGS, "DJANGO_SETTINGS_MODULE": settings, **(changes or {})}
        with served(database.url, workers, **environment) as address:
            yield address


def seconds_to_start(sites: Sites, database: Database) -> float:
    """How long a server takes until it answers."""
    began = time.perf_counter()
    with sites.serving(database) as address:
        seconds = time.perf_counter() - began
        requests.get(f"{address}/api/v2/ping/", timeout=5).raise_for_status()
    return seconds
