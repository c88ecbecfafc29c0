"""``python -m bench``: measure, print a table, and end with 1 if a claim is not reached."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from bench.environment import prepare

prepare()

import django  # noqa: E402 - reads the settings that prepare() chose

django.setup()

from bench import load, rows  # noqa: E402
from bench.progress import tell  # noqa: E402
from bench.sites import Sites  # noqa: E402
from bench.sizes import FULL, QUICK  # noqa: E402
from instances.startup import positive  # noqa: E402


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=rows.ROWS,
        default=list(rows.ROWS),
        metavar="NAME",
        help=f"measure these alone: {', '.join(rows.ROWS)}",
    )
    parser.add_argument("--quick", action="store_true", help="small numbers, for trying: no row is judged")
    parser.add_argument("--seconds", type=positive, metavar="N", help=f"of writing (default: {FULL.seconds})")
    return parser.parse_args(given)


def table(found: Sequence[rows.Row], judged: bool) -> str:
    """One line for each row, in columns; whether it is reached stays open unless it is ``judged``."""
    lines = [("measure", "value", "to reach", "reached")]
    lines += [(row.measure, row.value, row.target, verdict(row) if judged else "-") for row in found]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def verdict(row: rows.Row) -> str:
    return "yes" if row.reached else "NO"


def main() -> int:
    options = arguments()
    size = QUICK if options.quick else FULL
    size = replace(size, seconds=options.seconds or size.seconds)
    found: list[rows.Row] = []
    try:
        load.require_wrk()
        with Sites(size) as sites:
            for name in dict.fromkeys(options.only):
                tell(name)
                found += rows.ROWS[name](sites)
    except load.LoadError as error:
        print(error, file=sys.stderr)
        return 1
    print(table(found, judged=not options.quick))
    return 0 if options.quick or all(row.reached for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
