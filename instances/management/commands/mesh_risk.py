"""``manage.py mesh_risk``: where the mesh would break, and which links would repair it."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from instances.management.refusing import ErrorReportingCommand
from instances.planning.risk import Cut, Link, LinkCut, Risk, of_mesh
from instances.text import counted, in_one_line

NAMED = 3  # nodes in a line, of those that are cut off


class Command(ErrorReportingCommand):
    help = (
        "Say which nodes and links cut off others from every control node if they are lost, and which new links would "
        "repair that. Exits with 0 if one loss cuts off no node, and with 1 otherwise."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print all of it, as the API has it")

    def handle(self, *args: Any, **options: Any) -> None:
        risk = of_mesh()
        if options["json"]:
            self.stdout.write(json.dumps(body(risk), indent=2))
        else:
            for line in lines(risk):
                self.stdout.write(line)
        if risk.single_path or risk.unreachable:
            sys.exit(1)


def body(risk: Risk) -> dict[str, Any]:
    """What the API answers."""
    new_links = [link._asdict() for link in risk.remedy.links]
    return {**asdict(risk), "remedy": {"links": new_links, "unrepaired": risk.remedy.unrepaired}}


def lines(risk: Risk) -> Iterable[str]:
    """The risk in words."""
    if not (risk.single_path or risk.unreachable):
        yield "The loss of one node or of one link cuts off no other node."
        return
    for name in risk.unreachable:
        yield f"Node {in_one_line(name)} can reach no control node now."
    for node in risk.nodes:
        yield f"Node {in_one_line(node.hostname)}: {effect(node)}"
    for link in risk.links:
        yield f"Link {arrow(link)}: {effect(link)}"
    if risk.remedy.links:
        yield "These new links would repair it:"
    for new in risk.remedy.links:
        yield f"    {arrow(new)}"
    if risk.remedy.unrepaired:
        yield f"No link repairs the risk of {some(risk.remedy.unrepaired)}: add a control node."


def arrow(link: Link | LinkCut) -> str:
    return f"{in_one_line(link.source)} → {in_one_line(link.target)}"


def effect(cut: Cut) -> str:
    jobs = f", with {counted(cut.jobs_running, 'job')} now" if cut.jobs_running else ""
    forks = f"{counted(cut.capacity, 'fork')}, {cut.share:.0%} of the mesh"
    return f"its loss cuts off {some(cut.cuts_off)} ({forks}{jobs})."


def some(names: list[str]) -> str:
    """ "a, b, c and 4 others"."""
    named = [in_one_line(name) for name in names[:NAMED]]
    more = len(names) - len(named)
    return f"{', '.join(named)} and {counted(more, 'other')}" if more else ", ".join(named)
