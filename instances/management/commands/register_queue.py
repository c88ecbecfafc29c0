"""``manage.py register_queue``: create or change an instance group."""

from argparse import ArgumentParser
from typing import Any

from instances.management.refusing import ErrorReportingCommand
from instances.provisioning import Outcome, register_queue

MESSAGES = {
    Outcome.CREATED: "The instance group {} was created.",
    Outcome.CHANGED: "The instance group {} was changed.",
    Outcome.UNCHANGED: "The instance group {} already has these values; nothing was changed.",
}


def names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


class Command(ErrorReportingCommand):
    help = (
        "Create an instance group, or change the group of this name. As in AWX, percentage and minimum become 0 "
        "without their options; instances are added and never removed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--queuename", required=True, metavar="NAME", help="name of the group")
        parser.add_argument(
            "--instance_percent",
            type=int,
            metavar="PERCENT",
            help="least percentage of all instances in the group, 0 to 100 (default: 0; of controlplane: as it is)",
        )
        parser.add_argument(
            "--instance_minimum",
            type=int,
            default=0,
            metavar="NUMBER",
            help="least number of instances in the group (default: 0)",
        )
        parser.add_argument(
            "--hostnames", type=names, default=[], metavar="A,B", help="hostnames that are always members of the group"
        )

    def handle(self, *args: Any, queuename: str, hostnames: list[str], **options: Any) -> None:
        done = register_queue(queuename, options["instance_percent"], options["instance_minimum"], hostnames)
        self.warn(done.warnings)
        self.conclude(MESSAGES[done.outcome].format(queuename), changed=done.outcome is not Outcome.UNCHANGED)
