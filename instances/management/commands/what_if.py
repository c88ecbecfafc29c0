"""``manage.py what_if``: what groups and fleet would be after a change. Nothing is changed."""

import json
import re
import sys
from argparse import ArgumentTypeError
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from instances.health.report import MOST_CPU, MOST_MEMORY
from instances.management.refusing import ErrorReportingCommand, error_text
from instances.models import Instance
from instances.planning.changes import Change, NewNode
from instances.planning.what_if import Side, Sides, WhatIf, what_if
from instances.reader import OPERATOR
from instances.tabular import utc
from instances.text import in_one_line
from settings import env

WRONG_ARGUMENTS = 2  # what argparse exits with, too
HEADINGS = ("", "nodes", "capacity", "load", "remaining", "p95", "peak", "over capacity")
OF_WINDOW = 3  # of the headings, the last


class Command(ErrorReportingCommand):
    help = (
        "Say what groups and fleet would be after a change of nodes and policies: members, capacity, and load now and "
        "over a time that is past. Nothing is changed. Exits with 0 if the capacity of no group falls short by it and "
        "nothing is cut off, with 1 otherwise, and with 2 if the arguments are wrong."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        repeated: dict[str, Any] = {"action": "append", "default": []}
        parser.add_argument("--remove", metavar="HOSTNAME", help="a node that would go", **repeated)
        parser.add_argument("--disable", metavar="HOSTNAME", help="a node that would be disabled", **repeated)
        parser.add_argument(
            "--add",
            type=new_node,
            metavar="cpu=N,memory=BYTES[,…]",
            help="a node that would come, as cpu=8,memory=16Gi,group=edge,hostname=exec-9,node_type=execution",
            **repeated,
        )
        parser.add_argument(
            "--adjust",
            type=adjustment,
            metavar="[HOSTNAME=]0..1",
            help="capacity_adjustment of a node, or of all",
            **repeated,
        )
        parser.add_argument(
            "--policy",
            type=policy,
            metavar="GROUP:FIELD=VALUE",
            help="a policy of a group: minimum, percentage, or list with hostnames between commas",
            **repeated,
        )
        parser.add_argument("--over", metavar="WINDOW", default="", help="a time that is past: 7d, 12h, or FROM/TO")
        parser.add_argument("--json", action="store_true", help="print all of it, as the API has it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = what_if(OPERATOR, change_of(options), options["over"])
        except ValidationError as error:
            raise CommandError(error_text(error), returncode=WRONG_ARGUMENTS) from None
        if options["json"]:
            self.stdout.write(json.dumps(asdict(found), indent=2, default=utc))
        else:
            for line in lines(found):
                self.stdout.write(line)
        if not found.carries:
            sys.exit(1)


# --- arguments


def new_node(text: str) -> NewNode:
    """A node as ``cpu=8,memory=16Gi,group=edge``; ``group`` may be repeated."""
    parts = [part.partition("=")[::2] for part in text.split(",")]
    values = dict(parts)
    if unknown := values.keys() - {"cpu", "memory", "group", "hostname", "node_type"}:
        raise ArgumentTypeError(f"{text} has {', '.join(sorted(unknown))}")
    cpu, memory = env.cores(values.get("cpu", "")), env.bytes_of(values.get("memory", "").removesuffix("B"))
    node_type = values.get("node_type", Instance.NodeType.EXECUTION)
    if not (cpu and cpu <= MOST_CPU and memory and memory <= MOST_MEMORY):
        raise ArgumentTypeError(f"{text} needs cpu and memory above 0, as cpu=8,memory=16Gi")
    if node_type not in Instance.NodeType:
        raise ArgumentTypeError(f"{text} needs a node_type of {', '.join(Instance.NodeType.values)}")
    groups = [value for name, value in parts if name == "group"]
    return NewNode(cpu=cpu, memory=memory, hostname=values.get("hostname", ""), node_type=node_type, groups=groups)


def adjustment(text: str) -> tuple[str, Decimal]:
    """The hostname, "" for all nodes, and the adjustment."""
    hostname, _, number = text.rpartition("=")
    if not re.fullmatch(r"0(\.\d{1,2})?|1(\.0{1,2})?", number, re.ASCII):
        raise ArgumentTypeError(f"{text} needs a number from 0 to 1, of two decimals at most")
    return hostname, Decimal(number)


def policy(text: str) -> tuple[str, str, Any]:
    """The group, the policy field, and its value."""
    found = re.fullmatch(r"(.+):(?:(minimum|percentage)=(\d{1,9})|list=(.*))", text, re.ASCII | re.DOTALL)
    if found is None or (found[2] == "percentage" and int(found[3]) > 100):
        raise ArgumentTypeError(f"{text} is no policy as edge:minimum=2, edge:percentage=50 or edge:list=exec-1,exec-2")
    if found[2]:
        return found[1], f"policy_instance_{found[2]}", int(found[3])
    return found[1], "policy_instance_list", [hostname for hostname in found[4].split(",") if hostname]


def change_of(options: dict[str, Any]) -> Change:
    adjusted = dict(options["adjust"])
    if "" in adjusted and len(adjusted) > 1:
        raise ValidationError("Give --adjust either one number for all nodes, or numbers by hostname.")
    policies: dict[str, dict[str, Any]] = defaultdict(dict)
    for group, name, value in options["policy"]:
        policies[group][name] = value
    return Change(
        remove=options["remove"],
        disable=options["disable"],
        add=options["add"],
        capacity_adjustment=adjusted.get("", adjusted or None),
        policies=policies,
    )


# --- output


def lines(found: WhatIf) -> Iterator[str]:
    """The answer in words, and a table of the fleet and the groups, before and after."""
    yield from map(in_one_line, found.in_words)
    yield ""
    headings = HEADINGS if found.window else HEADINGS[:-OF_WINDOW]
    rows = [headings, cells("fleet", found.fleet), *(cells(in_one_line(each.name), each) for each in found.groups)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()


def cells(name: str, sides: Sides) -> list[str]:
    return [name, *(arrow(*each) for each in zip(figures(sides.before), figures(sides.after), strict=True))]


def arrow(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def figures(side: Side) -> Iterator[str]:
    """What HEADINGS name, but for the first."""
    for number in (len(side.members), side.capacity, side.consumed + side.displaced, side.remaining):
        yield f"{number:,}"
    if side.load:
        yield from (f"{side.load.p95:,}", f"{side.load.peak:,}", f"{side.load.over_capacity:.1%}")
