"""``manage.py issue_node_token``: let a node report itself."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction

from instances import node_tokens
from instances.management.refusing import ErrorReportingCommand
from instances.mirror import guard
from instances.models import Instance

WHAT_NEXT = (
    "This is shown once. Put it into a file on {0} that only its agent can read, and run there:\n"
    "  awx-node-report --url https://THIS-SERVICE --hostname {0} --token-file FILE --every 60\n"
    "It can report {0} and do nothing else. To end it: manage.py issue_node_token {0} --revoke"
)


class Command(ErrorReportingCommand):
    help = (
        "Print a new token with which a node reports its own health. The token alone goes to standard output, what to "
        "do with it to standard error. Earlier tokens of the node stay valid unless it is told otherwise."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("hostname", metavar="HOSTNAME")
        ending = parser.add_mutually_exclusive_group()
        ending.add_argument(
            "--revoke-earlier", action="store_true", help="end the earlier tokens as the new one is issued"
        )
        ending.add_argument("--revoke", action="store_true", help="end all tokens of the node, and issue none")

    def handle(self, *args: Any, hostname: str, revoke: bool, revoke_earlier: bool, **options: Any) -> None:
        instance = Instance.objects.filter(hostname=hostname).first()
        if instance is None:
            raise CommandError(f"No instance is named {hostname}.")
        if revoke:
            self.stderr.write(f"Ended {node_tokens.revoke(instance)} token(s) of {hostname}.")
            return
        if mirror := guard.current():
            raise CommandError(f"This service mirrors {mirror.url}: no node can report itself here.")
        issue = node_tokens.replace if revoke_earlier else node_tokens.issue
        with transaction.atomic():  # a token that could not be printed is of no use, and must not end the earlier ones
            self.stdout.write(issue(instance))
            self.stdout.flush()
        self.stderr.write(WHAT_NEXT.format(hostname))
