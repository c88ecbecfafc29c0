"""``manage.py deprovision_instance``: remove a node, or undo its removal."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError

from instances import removals
from instances.management.refusing import ErrorReportingCommand
from instances.models import Instance
from instances.provisioning import deprovision


class Command(ErrorReportingCommand):
    help = (
        "Remove a node, its links and its memberships at once, without waiting for its jobs. To wait for the jobs, set "
        "node_state to deprovisioning over the API instead; --undo takes that back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--hostname", required=True, help="hostname of the node")
        which = parser.add_mutually_exclusive_group()
        which.add_argument(
            "--force", metavar="REASON", default="", help="why it is removed, for the audit log; jobs do not delay it"
        )
        which.add_argument(
            "--undo", action="store_true", help="give a node that waits for its removal the state back that it had"
        )

    def handle(self, *args: Any, hostname: str, force: str, undo: bool, **options: Any) -> None:
        if undo:
            self.undo(hostname)
            return
        removed = deprovision(hostname, force)
        message = f"{hostname} was removed." if removed else f"No instance is named {hostname}; nothing was changed."
        self.conclude(message, changed=removed)

    def undo(self, hostname: str) -> None:
        instance = Instance.objects.filter(hostname=hostname).first()
        if instance is None:
            raise ValidationError(f"No instance is named {hostname}.")
        state = removals.undo(instance.pk).node_state
        self.conclude(f"{hostname} is not removed; its state is {state} again.", changed=True)
