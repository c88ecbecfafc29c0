"""``python -m bench.cost``: what an answer costs in time of the processor, without a server between.

On a machine that does other things as well, this tells more of a change than requests in a second do. With
``--profile PATH`` it prints instead where the time goes, with ``--explain PATH`` how the database finds the rows.
"""

import argparse
import cProfile
import pstats
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.environment import prepare

prepare()

import django  # noqa: E402 - reads the settings that prepare() chose

django.setup()

from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402

from bench.sites import DETAIL, LIST, Sites  # noqa: E402
from bench.sizes import QUICK  # noqa: E402
from tests.service import connected_to  # noqa: E402

PATHS = (DETAIL, LIST, "/api/v2/instance_groups/", "/api/v2/ping/", "/api/v2/mesh_visualizer/", "/api/v2/metrics/")
INSTANCES, SECONDS = 200, 2


def database_time() -> float:
    """Seconds of the processor that the database's process for this connection has taken."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def ask(client: Client, path: str, headers: Mapping[str, str]) -> None:
    answer = client.get(path, headers=dict(headers))
    if answer.status_code not in (200, 304):
        raise RuntimeError(f"{path} answered {answer.status_code}")


def cost(client: Client, path: str, headers: Mapping[str, str]) -> str:
    """Milliseconds of an answer that is not from memory: of this process, and of the database's.

    The least of five rounds.
    """
    for _ in range(20):
        ask(client, path, headers)
    rounds = []
    for _ in range(5):
        number, end = 0, time.monotonic() + SECONDS / 5
        database, own = database_time(), time.thread_time()
        while time.monotonic() < end:
            ask(client, path, headers)
            number += 1
        rounds.append(((time.thread_time() - own) / number * 1000, (database_time() - database) / number * 1000))
    own, database = min(rounds)
    return f"{own:7.3f}  {database:8.3f}"


def profile(client: Client, path: str) -> None:
    with cProfile.Profile() as profiler:
        for _ in range(100):
            ask(client, path, {})
    pstats.Stats(profiler).sort_stats("tottime").print_stats(40)


def explain(client: Client, path: str) -> None:
    """Print each query of an answer, and the database's plan for its values."""
    asked: list[tuple[str, Any]] = []

    def noting(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(noting):
        ask(client, path, {})
    with connection.cursor() as cursor:
        for sql, params in asked:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {sql}", params)
            print(sql, *(line for (line,) in cursor), sep="\n", end="\n\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cost", description=__doc__)
    parser.add_argument("--profile", metavar="PATH", help="as /api/v2/instances/10/")
    parser.add_argument("--explain", metavar="PATH", help="likewise")
    options = parser.parse_args()
    size = replace(QUICK, few_jobs=1000)
    with Sites(size) as sites:
        database = sites.database(INSTANCES, size.few_jobs)
        with connected_to(database.url):
            client = Client(headers={**database.bearer, "Host": "127.0.0.1"})
            if options.profile:
                profile(client, options.profile)
                return
            if options.explain:
                explain(client, options.explain)
                return
            print("process  database  milliseconds of an answer")
            for path in PATHS:
                print(f"{cost(client, path, {})}  {path}")
            etag = client.get(DETAIL)["ETag"]
            print(f"{cost(client, DETAIL, {'If-None-Match': etag})}  {DETAIL}, not modified")


if __name__ == "__main__":
    main()
