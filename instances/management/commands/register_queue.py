"""``manage.py register_queue``: set up an instance group."""

from argparse import ArgumentParser
from typing import Any

from instances.management.refusing import ErrorReportingCommand
from instances.provisioning import Outcome, register_queue

MESSAGES = {
    Outcome.CREATED: "The instance group {} was made.",
    Outcome.CHANGED: "The instance group {} was changed.",
    Outcome.UNCHANGED: "The instance group {} is like this already; nothing was changed.",
}


def names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


class Command(ErrorReportingCommand):
    help = (
        "Make an instance group, or change the one of this name. What is not given stays as it is; instances are "
        "added, and none is taken out."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--queuename", required=True, metavar="NAME", help="the group's name")
        parser.add_argument(
            "--instance_percent",
            type=int,
            metavar="PERCENT",
            help="the part of all instances that the group has at least, 0 to 100 (a new group: 0)",
        )
        parser.add_argument(
            "--instance_minimum",
            type=int,
            metavar="NUMBER",
            help="how many instances the group has at least (a new group: 0)",
        )
        parser.add_argument(
            "--hostnames", type=names, default=[], metavar="A,B", help="instances that the group has in any case"
        )

    def handle(self, *args: Any, queuename: str, hostnames: list[str], **options: Any) -> None:
        arguments = {
            "policy_instance_percentage": options["instance_percent"],
            "policy_instance_minimum": options["instance_minimum"],
        }
        policy = {name: value for name, value in arguments.items() if value is not None}
        outcome = register_queue(queuename, policy, hostnames)
        self.conclude(MESSAGES[outcome].format(queuename), changed=outcome is not Outcome.UNCHANGED)
