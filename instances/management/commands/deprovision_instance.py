"""``manage.py deprovision_instance``: remove a node."""

from argparse import ArgumentParser
from typing import Any

from instances.management.refusing import ErrorReportingCommand
from instances.provisioning import deprovision


class Command(ErrorReportingCommand):
    help = (
        "Remove a node, its links and its memberships at once. Jobs that run there are not waited for: to do that, "
        "set the node's node_state to deprovisioning by the API."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--hostname", required=True)

    def handle(self, *args: Any, hostname: str, **options: Any) -> None:
        removed = deprovision(hostname)
        message = f"{hostname} was removed." if removed else f"No instance is named {hostname}; nothing was changed."
        self.conclude(message, changed=removed)
