"""``python -m bench.planning``: what comparing the largest mesh with itself after a change takes of the processor."""

import statistics
import sys
import time
from collections.abc import Callable

from bench.environment import prepare

prepare()

import django  # noqa: E402 - reads the settings that prepare() chose

django.setup()

from django.test import Client  # noqa: E402

from bench.sites import Sites  # noqa: E402
from bench.sizes import QUICK  # noqa: E402
from instances.models import Instance, InstanceGroup  # noqa: E402
from instances.planning.changes import MOST_NODES  # noqa: E402
from instances.planning.windows import MOST_JOBS  # noqa: E402
from tests.service import connected_to  # noqa: E402

PATH = "/api/fleet/v1/what_if/"
LONGEST = 2  # seconds
REMOVED = 20  # nodes
MEMBERS = 10  # that the policies of each group choose
WINDOW = "2026-01-01T00:00:07Z/2026-02-01T00:00:00Z"  # in which the jobs of ``bench.data`` run


def seconds_of(request: Callable[[], object]) -> float:
    """Of the processor, in this process: the median of five."""
    taken = []
    for _ in range(5):
        began = time.process_time()
        request()
        taken.append(time.process_time() - began)
    return statistics.median(taken)


def compare(client: Client, **body: object) -> None:
    answer = client.post(PATH, body, content_type="application/json")
    if answer.status_code != 200:
        raise RuntimeError(f"{PATH} answered {answer.status_code}: {answer.content[:200]!r}")


def main() -> int:
    with Sites(QUICK) as sites:
        database = sites.database(MOST_NODES, MOST_JOBS)
        with connected_to(database.url):
            InstanceGroup.objects.filter(name__startswith="group-").update(policy_instance_minimum=MEMBERS)
            names = Instance.objects.filter(node_type="execution").order_by("pk").values_list("hostname", flat=True)
            remove = list(names[:REMOVED])
            client = Client(headers={**database.bearer, "Host": "127.0.0.1"})
            now = seconds_of(lambda: compare(client, remove=remove))
            past = seconds_of(lambda: compare(client, remove=remove, over=WINDOW))
            groups = InstanceGroup.objects.count()
    print(f"{MOST_NODES:,} nodes and {groups} groups: {now:.2f} s, with {MOST_JOBS:,} jobs of the past {past:.2f} s")
    return 0 if past <= LONGEST else 1


if __name__ == "__main__":
    sys.exit(main())
