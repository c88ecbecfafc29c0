"""``manage.py mesh_risk``: where the mesh would break, and which links would repair it."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from instances.management.refusing import ErrorReportingCommand
from instances.planning.in_words import NO_RISK, arrow, effect, some, unreachable
from instances.planning.risk import Risk, of_mesh
from instances.text import in_one_line


class Command(ErrorReportingCommand):
    help = (
        "Say which nodes and links cut off others from every control node if they are lost, and which new links would "
        "repair that. Exits with 0 if every node can be reached and one loss cuts off none, and with 1 otherwise."
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
        yield NO_RISK
        return
    for name in risk.unreachable:
        yield unreachable(name, in_one_line)
    for node in risk.nodes:
        yield f"Node {in_one_line(node.hostname)}: {effect(node, in_one_line)}"
    for link in risk.links:
        yield f"Link {arrow(link.source, link.target, in_one_line)}: {effect(link, in_one_line)}"
    if risk.remedy.links:
        yield "These new links would repair it:"
    for new in risk.remedy.links:
        yield f"    {arrow(*new, in_one_line)}"
    if risk.remedy.unrepaired:
        yield f"No link repairs the risk of {some(risk.remedy.unrepaired, in_one_line)}: add a control node."
