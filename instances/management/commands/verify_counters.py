"""``manage.py verify_counters``: compare the counters with the jobs, and repair them."""

import json
from argparse import ArgumentParser
from contextlib import nullcontext
from typing import Any

from django.db import transaction
from tqdm import tqdm

from instances import counters
from instances.counters import CounterDrift
from instances.management.refusing import ErrorReportingCommand
from instances.pooler import TAKES_LONG
from instances.startup import refuse_shared_connections


class Command(ErrorReportingCommand):
    help = (
        "Recount the jobs and print each wrong counter of a node, a group or a kind of job. The exit code is 1 if "
        "wrong counters were found and not repaired."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--repair", action="store_true", help="repair the counters; changes of jobs wait meanwhile, readers do not"
        )
        parser.add_argument("--format", choices=["text", "json"], default="text", help="output format (default: text)")

    def handle(self, *args: Any, repair: bool, format: str, **options: Any) -> None:  # noqa: A002 - its option
        refuse_shared_connections("verify_counters", TAKES_LONG)
        with transaction.atomic() if repair else nullcontext():
            if repair:
                counters.lock()
            found = self._compare()
            counters.repair(found if repair else [])
        self.stdout.write(as_json(found, repair) if format == "json" else as_text(found, repair))
        if found and not repair:
            raise SystemExit(1)

    def _compare(self) -> list[CounterDrift]:
        found = []
        with tqdm(counters.ALL, leave=False, disable=None) as bar:
            for each in bar:
                bar.set_description(f"recounting: {each.of}")
                found += counters.find_drift(each)
        return found


def as_text(found: list[CounterDrift], repaired: bool) -> str:
    lines = [
        f"{each}: {figure} is {stored}, counted {counted}"
        for each in found
        for figure, stored, counted in each.figures()
    ]
    if not lines:
        return "All counters agree with the jobs."
    end = "were wrong and have been repaired." if repaired else "are wrong; --repair corrects them."
    return "\n".join([*lines, f"{len(lines)} figures {end}"])


def as_json(found: list[CounterDrift], repaired: bool) -> str:
    drift = [
        {"of": each.counters.of, "key": list(each.key), "figure": figure, "kept": stored, "counted": counted}
        for each in found
        for figure, stored, counted in each.figures()
    ]
    return json.dumps({"drift": drift, "repaired": repaired})
