from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    many_jobs: int
    few_jobs: int
    writers_jobs: int
    rounds: int
    round_seconds: int
    warm_up_seconds: int
    loads: int  # how often the jobs are loaded in each way
    requests: int  # before the memory is looked at for the last time
    seconds: int  # of writing, with the counters and without
    starts: int


FULL = Size(1_000_000, 1_000, 20_000, 5, 4, 4, 3, 100_000, 60, 3)
QUICK = Size(20_000, 1_000, 2_000, 1, 1, 1, 1, 500, 2, 1)
