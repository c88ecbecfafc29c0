"""What a service answers that is sent twice the requests that it can answer, by time of the processor.

The clients of a measurement take as much of the machine as the service, and thousands of them more than a few. So their
share is left out, and with it the clock: what counts are the seconds that the processor worked for the service and for
its database, which has to be on this machine. They say what a refusal costs, and so what is left for answers.
"""

import time
from collections.abc import Mapping

from django.db import connection

from bench import load, processes
from bench.progress import tell
from bench.sites import LIST, Database, Sites
from tests.service import connected_to

LONGEST_WAIT = 2  # seconds


class Loaded:
    """A service whose clients wait for LONGEST_WAIT at most."""

    def __init__(self, address: str, database: Database, seconds: int) -> None:
        self.address, self.database = address, database
        self.seconds = seconds  # of a measurement at the capacity; beyond it, longer: connections are opened, too
        self.workers = processes.workers_of(address)
        self.clients = 0

    def price_of_answer(self) -> float:
        """Seconds of the processor, where as many clients ask as keep it busy."""
        answers, _, cost = self.measured(load.CONNECTIONS, self.seconds)
        self.clients = int(2 * LONGEST_WAIT * answers / self.seconds)
        return cost / answers

    def goodput(self) -> float:
        """The answers where half of the clients would wait longer than LONGEST_WAIT, against the capacity."""
        before = self.price_of_answer()
        answers, refusals, cost = self.measured(self.clients, 3 * self.seconds)
        answer = (before + self.price_of_answer()) / 2
        refusal = (cost - answers * answer) / max(refusals, 1)
        tell(f"    an answer costs {answer * 1e6:,.0f} µs, a refusal {refusal * 1e6:,.0f}")
        return goodput(answer, refusal)

    def measured(self, clients: int, seconds: int) -> tuple[int, int, float]:
        """The answers, the refusals, and what they cost until the last of them."""
        before = self.processor_seconds()
        answers, refusals = load.answers(self.address + LIST, seconds, self.database.bearer, clients)
        cost = self.processor_seconds() - before
        tell(f"    {clients:,} clients: {answers:,} answers and {refusals:,} refusals in {cost:.2f} s of the processor")
        time.sleep(2 * LONGEST_WAIT)  # until those are answered that have not been waited for
        return answers, refusals, cost

    def processor_seconds(self) -> float:
        with connected_to(self.database.url), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return sum(processes.processor_seconds(pid) for pid in (*self.workers, *(row[0] for row in cursor)))


def goodput(answer: float, refusal: float) -> float:
    """The part of its capacity that a service answers of twice as many requests, from what each costs it.

    A processor that is busy for a second answers a of 1 / ``answer``, where
    a * ``answer`` + (2 / ``answer`` - a) * ``refusal`` = 1.
    """
    price = refusal / answer
    return max(0.0, (1 - 2 * price) / (1 - price)) if price < 0.5 else 0.0


def at_twice_the_capacity(sites: Sites, database: Database, changes: Mapping[str, str]) -> load.Ratio:
    """The answers of a service with these ``changes`` of its settings, against its capacity."""
    with sites.serving(database, changes={"QUEUE_SECONDS": str(LONGEST_WAIT), **changes}) as address:
        loaded = Loaded(address, database, 2 * sites.size.round_seconds)
        load.ask(address + LIST, sites.size.warm_up_seconds, database.bearer)
        return load.Ratio.of([loaded.goodput() for _ in range(sites.size.rounds)])
