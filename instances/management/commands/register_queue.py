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
        "Create an instance group, or change the group of this name. Values without an option stay unchanged; "
        "instances are added and never removed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--queuename", required=True, metavar="NAME", help="name of the group")
        parser.add_argument(
            "--instance_percent",
            type=int,
            metavar="PERCENT",
            help="least percentage of all instances in the group, 0 to 100 (for a new group: 0)",
        )
        parser.add_argument(
            "--instance_minimum",
            type=int,
            metavar="NUMBER",
            help="least number of instances in the group (for a new group: 0)",
        )
        parser.add_argument(
            "--hostnames", type=names, default=[], metavar="A,B", help="hostnames that are always members of the group"
        )

    def handle(self, *args: Any, queuename: str, hostnames: list[str], **options: Any) -> None:
        options_given = {
            "policy_instance_percentage": options["instance_percent"],
            "policy_instance_minimum": options["instance_minimum"],
        }
        policy = {name: value for name, value in options_given.items() if value is not None}
        outcome = register_queue(queuename, policy, hostnames)
        self.conclude(MESSAGES[outcome].format(queuename), changed=outcome is not Outcome.UNCHANGED)
